#include "runs/runs_impl.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "runs/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int64_t
runs_now(const struct runs *runs)
{
	if (runs->options.now_us != NULL)
		return runs->options.now_us(runs->options.ctx);
	return runs->wall_us + (clock_mono_us() - runs->mono_us);
}

unsigned
runs_active_count(const struct runs *runs)
{
	return atomic_load(&runs->active);
}

void
runs_label(const struct run *run, uint32_t place, uint32_t attempt, char label[LABEL_MAX])
{
	snprintf(label, LABEL_MAX, "%s/%s.%u", run->execution->name,
	         run->graph.graph->nodes[place].id, attempt);
}

static enum un_err
open_dirs(struct runs *runs)
{
	char path[4200];
	enum un_err err;

	err = logs_open_dir(runs->data_dir, &runs->logs_fd, NULL);
	if (err)
		return err;
	if ((size_t)snprintf(path, sizeof path, "%s/bundles", runs->data_dir) >= sizeof path)
		return UN_ERR_TOO_LARGE;
	err = io_make_dirs(path, 0700);
	if (err)
		return err;
	runs->bundles_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return runs->bundles_fd < 0 ? un_err_from_errno(errno) : UN_OK;
}

enum un_err
runs_new(const struct runs_options *options, struct runs **ret_runs)
{
	struct runs *runs = mem_zalloc(1, sizeof *runs);
	enum un_err err;

	if (runs == NULL)
		return UN_ERR_NO_MEMORY;
	runs->options = *options;
	runs->logs_fd = runs->bundles_fd = -1;
	runs->wall_us = clock_wall_us();
	runs->mono_us = clock_mono_us();
	if (runs->options.slots == 0)
		runs->options.slots = 1;
	runs->data_dir = mem_strdup(options->data_dir);
	runs->options.data_dir = runs->data_dir;
	err = runs->data_dir == NULL ? UN_ERR_NO_MEMORY : open_dirs(runs);
	if (err) {
		runs_free(runs);
		return err;
	}
	options->engine->ops->listen(options->engine, runs_attempt_exited, runs);
	*ret_runs = runs;
	return UN_OK;
}

void
runs_free(struct runs *runs)
{
	struct run *run;
	struct live *live;

	if (runs == NULL)
		return;
	while ((run = runs->first) != NULL) {
		runs->first = run->next;
		run_free(run);
	}
	while ((live = runs->lives) != NULL) {
		runs->lives = live->next;
		mem_free(live);
	}
	shares_free(runs);
	retention_end(runs);
	io_close(&runs->logs_fd);
	io_close(&runs->bundles_fd);
	mem_free(runs->data_dir);
	mem_free(runs);
}

/* ---- after a restart ---- */

struct ids {
	int64_t *ids;
	size_t count, cap;
};

static enum un_err
note_id(void *ctx, int64_t id)
{
	struct ids *ids = ctx;

	if (ids->count == ids->cap) {
		size_t cap = ids->cap == 0 ? 64 : 2 * ids->cap;
		int64_t *bigger = mem_realloc(ids->ids, cap * sizeof *bigger);

		if (bigger == NULL)
			return UN_ERR_NO_MEMORY;
		ids->ids = bigger;
		ids->cap = cap;
	}
	ids->ids[ids->count++] = id;
	return UN_OK;
}

/* Claimed attempts go on: their launchers find the server again. */
static enum un_err
adopt_lives(struct runs *runs, struct run *run)
{
	for (uint32_t i = 0; i < run->execution->graph->node_count; i++) {
		const struct attempt *attempt = &run->execution->nodes[i].last;
		struct live *live;
		enum un_err err;

		if (attempt->state != ATTEMPT_CLAIMED)
			continue;
		err = live_add(runs, run, i, &live);
		if (err)
			return err;
		live->where = (struct engine_place){attempt->pid, attempt->pid_start};
		live->watched = runs->options.engine->ops->adopt(runs->options.engine, live->id,
		                                                 &live->where);
		if (!live->watched) { /* gone; but what it had started may need a moment to end */
			live->doubted = true;
			run->execution->nodes[i].last.lease_until_us =
			        runs_now(runs) - LEASE_MARGIN_US + RUNS_DEATH_US;
		}
	}
	return UN_OK;
}

static enum un_err
recover_one(struct runs *runs, int64_t id, struct un_detail *detail)
{
	struct run *run;
	enum un_err err;

	if (runs_find(runs, id) != NULL)
		return UN_OK;
	err = run_load(runs, id, &run, detail);
	if (err == UN_ERR_DAMAGED || err == UN_ERR_PROTOCOL || err == UN_ERR_NOT_FOUND) {
		log_error("runs", "execution %lld cannot be picked up: %s", (long long)id,
		          un_message(err, detail));
		return UN_OK; /* one broken record must not keep the others waiting */
	}
	if (err)
		return err;
	err = execution_recover(run->execution, runs_now(runs));
	if (err) {
		run_free(run);
		return err;
	}
	runs_add(runs, run);
	err = run_save(runs, run, NULL, detail);
	if (err)
		return err;
	err = adopt_lives(runs, run);
	if (!err)
		run_after(runs, run);
	return err;
}

static enum un_err
pick_up(struct runs *runs, size_t *ret_count, struct un_detail *detail)
{
	struct ids ids = {0};
	struct store_view *view;
	enum un_err err;

	err = runs_read(runs, &view, detail);
	if (!err) {
		err = run_list_active(view, 0, note_id, &ids, detail);
		runs_read_end(runs);
	}
	for (size_t i = 0; i < ids.count && !err; i++)
		err = recover_one(runs, ids.ids[i], detail);
	*ret_count = ids.count;
	mem_free(ids.ids);
	return err;
}

enum un_err
runs_recover(struct runs *runs, struct un_detail *detail)
{
	size_t count;
	enum un_err err = pick_up(runs, &count, detail);

	if (err)
		return err;
	if (count > 0)
		log_notice("runs", "picked up %zu executions", count);
	runs_tick(runs);
	return UN_OK;
}

void
runs_find_missing(struct runs *runs)
{
	struct un_detail detail = {0};
	size_t count;

	if (pick_up(runs, &count, &detail) == UN_OK)
		runs->missing = false;
}

void
runs_stop(struct runs *runs)
{
	runs->ticking = true;
}

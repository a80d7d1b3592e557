/* Who begins when. Executions take turns: each begins one attempt, then the next one may, so that a
 * wide workflow does not keep a small one waiting; within one, nodes begin in order of their place.
 *
 * Beginning an attempt: find what it needs (no secret that is out of reach), have a ticket made,
 * record the attempt, start its launcher. Only the record counts: a ticket without a recorded
 * attempt claims nothing, and a recorded attempt whose launcher never came is withdrawn. */
#include "runs/runs_impl.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/secret_request.h"
#include "runs/binding.h"
#include "store/secrets.h"

#include <stdio.h>
#include <string.h>

#define TICKET_TTL_US (CLAIM_WITHIN_US + 30ll * 1000000)

/* An attempt on its way: the ticket is being made. */
struct beginning {
	struct runs *runs;
	struct share *share;
	int64_t run;
	uint32_t place;
	uint8_t id[ATTEMPT_ID_LEN];
	struct buf inputs; /* resolved for the first attempt; else empty */
	bool has_inputs;
};

/* ---- lists ---- */

void
runs_add(struct runs *runs, struct run *run)
{
	struct run **at = &runs->first;

	while (*at != NULL && (*at)->id < run->id)
		at = &(*at)->next;
	run->next = *at;
	*at = run;
	run->share = share_of(runs, run->execution->at.project);
	share_count(runs, run->share, 1, 0);
	atomic_fetch_add(&runs->active, 1);
}

static void
runs_drop(struct runs *runs, struct run *run)
{
	struct run **at = &runs->first;

	while (*at != NULL && *at != run)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = run->next;
	share_count(runs, run->share, -1, 0);
	run_free(run);
	atomic_fetch_sub(&runs->active, 1);
}

struct run *
runs_find(struct runs *runs, int64_t id)
{
	struct run *run = runs->first;

	while (run != NULL && run->id != id)
		run = run->next;
	return run;
}

/* ---- outputs of nodes, for bindings ---- */

struct outputs {
	struct runs *runs;
	struct arena *arena;
	int64_t run;
	pb_literal_map **known; /* by place; read when first asked for */
};

static pb_literal_map *
read_value(struct runs *runs, struct arena *arena, int64_t run, int64_t place,
           enum run_which which)
{
	pb_literal_map *map = NULL;
	struct store_view *view;
	struct run_bytes bytes;
	enum un_err err;

	err = runs_read(runs, &view, NULL);
	if (err)
		return NULL;
	err = run_value_get(view, run, place, which, &bytes, NULL);
	if (!err)
		err = arena_unpack(arena, &flyteidl__core__literal_map__descriptor, bytes.bytes,
		                   bytes.len, &map);
	runs_read_end(runs);
	return err ? NULL : map;
}

static const pb_literal_map *
output_of(void *ctx, uint32_t node)
{
	struct outputs *outputs = ctx;

	if (outputs->known[node] == NULL)
		outputs->known[node] = read_value(outputs->runs, outputs->arena, outputs->run, node,
		                                  RUN_OUTPUTS);
	return outputs->known[node];
}

/* Resolves the inputs of one node, or (place < 0) the outputs of the execution. */
static enum un_err
resolve(struct runs *runs, const struct run *run, int64_t place, struct buf *out,
        struct un_detail *detail)
{
	struct outputs outputs = {.runs = runs, .run = run->id};
	struct binding_values values = {.output = output_of, .ctx = &outputs};
	enum un_err err;

	err = arena_new(RUN_ARENA_MAX, &outputs.arena);
	if (err)
		return err;
	outputs.known = arena_alloc(outputs.arena, run->graph.graph->node_count,
	                            sizeof *outputs.known);
	values.inputs = read_value(runs, outputs.arena, run->id, RUN_PLACE_SELF, RUN_INPUTS);
	if (outputs.known == NULL)
		err = UN_ERR_NO_MEMORY;
	else if (values.inputs == NULL)
		err = un_fail(detail, UN_ERR_IO, "the inputs cannot be read");
	else if (place < 0)
		err = binding_resolve_outputs(run->graph.graph, &values, out, detail);
	else
		err = binding_resolve_inputs(run->graph.graph, (uint32_t)place, &values, out,
		                             detail);
	arena_free(outputs.arena);
	return err;
}

/* Not the fault of the task or its values: trying again later may help. */
static bool
is_passing(enum un_err err)
{
	return err == UN_ERR_NO_MEMORY || err == UN_ERR_IO || err == UN_ERR_AGAIN ||
	       err == UN_ERR_SEALED || err == UN_ERR_UNREACHABLE || err == UN_ERR_TIMEOUT ||
	       err == UN_ERR_CANCELLED || err == UN_ERR_DISK_FULL || err == UN_ERR_DAMAGED ||
	       err == UN_ERR_SHUTTING_DOWN || err == UN_ERR_BUSY;
}

/* ---- the end ---- */

static void
end_with_outputs(struct runs *runs, struct run *run)
{
	struct un_detail detail = {0};
	struct run_error error = {0};
	struct run_extra extra = {0};
	struct buf outputs;
	enum un_err err;

	buf_init(&outputs, BINDING_VALUES_MAX, BUF_PLAIN);
	err = resolve(runs, run, RUN_PLACE_SELF, &outputs, &detail);
	if (err && is_passing(err)) {
		buf_fini(&outputs); /* `succeeded` stays: the next tick tries again */
		return;
	}
	if (err) {
		err = run_error_set(&error, un_err_slug(err), un_message(err, &detail), ERROR_USER);
		if (!err)
			err = execution_end(run->execution, &error, runs_now(runs));
	} else {
		extra.values[extra.value_count++] = (struct run_value){
			RUN_PLACE_SELF, RUN_OUTPUTS, {outputs.data, outputs.len}};
		err = execution_end(run->execution, NULL, runs_now(runs));
	}
	if (err)
		run_reload(runs, run);
	else if (run_save(runs, run, &extra, &detail)) /* it has reloaded, and said why */
		log_debug("runs", "the end of execution %s is tried again", run->execution->name);
	run_error_fini(&error);
	buf_fini(&outputs);
}

static void
cancel_lives(struct runs *runs, const struct run *run)
{
	for (struct live *live = runs->lives; live != NULL; live = live->next) {
		if (live->run != run->id || !run->execution->nodes[live->place].last.cancel ||
		    live->cancelled_us != 0)
			continue;
		live->cancelled_us = runs_now(runs);
		live->watched = runs->options.engine->ops->cancel(runs->options.engine, live->id,
		                                                  false);
	}
}

void
run_after(struct runs *runs, struct run *run)
{
	int64_t id = run->id;

	if (!run->stale && run->execution->succeeded)
		end_with_outputs(runs, run);
	live_drop_ended(runs, run);
	cancel_lives(runs, run);
	if (execution_is_over(run->execution) && !run->execution->dirty && !run->stale) {
		log_info("runs", "execution %s %s", run->execution->name,
		         run_state_word(run->execution->state));
		runs_drop(runs, run);
	}
	hub_wake(runs->options.hub, id);
}

/* ---- beginning ---- */

static void
beginning_free(struct beginning *beginning)
{
	buf_fini(&beginning->inputs);
	mem_free(beginning);
}

static void
refuse(struct runs *runs, struct run *run, uint32_t place, enum un_err why,
       const struct un_detail *detail)
{
	struct run_error error = {0};
	struct un_detail ignored = {0};
	char message[2 * UN_DETAIL_MAX + 8];
	const char *hint = un_hint_text(why, detail);
	enum un_err err;

	snprintf(message, sizeof message, "%s%s%s", un_message(why, detail),
	         hint[0] != '\0' ? "\nhint: " : "", hint);
	err = run_error_set(&error, un_err_slug(why), message, ERROR_USER);
	if (!err)
		err = execution_refuse(run->execution, place, &error, runs_now(runs));
	run_error_fini(&error);
	if (err) {
		run_reload(runs, run);
		return;
	}
	if (run_save(runs, run, NULL, &ignored) == UN_OK)
		run_after(runs, run);
}

/* Tries again later without recording anything. */
static void
put_off(struct runs *runs, struct run *run, uint32_t place, int64_t wait_us)
{
	run->execution->nodes[place].starting = false;
	run->execution->nodes[place].not_before_us = runs_now(runs) + wait_us;
}

static void
start_failed(struct runs *runs, struct run *run, uint32_t place, enum un_err why,
             const struct un_detail *detail)
{
	struct run_error error = {0};
	struct un_detail ignored = {0};
	enum un_err err;

	err = run_error_set(&error, un_err_slug(why), un_message(why, detail), ERROR_SYSTEM);
	if (!err)
		err = execution_finish(run->execution, place, OUTCOME_SYSTEM_FAILED, &error, 0,
		                       runs_now(runs));
	run_error_fini(&error);
	if (err) {
		run_reload(runs, run);
		return;
	}
	if (run_save(runs, run, NULL, &ignored) == UN_OK)
		run_after(runs, run);
}

static void
start_launcher(struct runs *runs, struct run *run, struct live *live, const struct secbuf *ticket)
{
	struct exec_node *node = &run->execution->nodes[live->place];
	struct engine_start start = {.ticket = ticket};
	struct un_detail detail = {0};
	char label[LABEL_MAX];
	uint32_t place = live->place;
	enum un_err err;

	runs_label(run, place, node->last.number, label);
	start.label = label;
	start.project = run->execution->at.project;
	memcpy(start.attempt, live->id, ATTEMPT_ID_LEN);
	err = runs->options.engine->ops->start(runs->options.engine, &start, &live->where, &detail);
	if (err) {
		log_error("runs", "cannot start %s: %s", label, un_message(err, &detail));
		start_failed(runs, run, place, err, &detail);
		return;
	}
	live->watched = true;
	/* recorded with the claim: before it, a launcher has nothing to run */
	node->last.pid = live->where.pid;
	node->last.pid_start = live->where.start;
}

static void
begin_recorded(struct runs *runs, struct run *run, struct beginning *beginning,
               const struct secbuf *ticket)
{
	struct run_extra extra = {0};
	struct un_detail detail = {0};
	struct live *live;

	if (beginning->has_inputs)
		extra.values[extra.value_count++] =
		        (struct run_value){beginning->place,
		                           RUN_INPUTS,
		                           {beginning->inputs.data, beginning->inputs.len}};
	execution_begin(run->execution, beginning->place, beginning->id, runs_now(runs));
	if (run_save(runs, run, &extra, &detail) != UN_OK) {
		put_off(runs, run, beginning->place, RUNS_RETRY_US);
		return;
	}
	if (live_add(runs, run, beginning->place, &live) != UN_OK) {
		start_failed(runs, run, beginning->place, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	hub_wake(runs->options.hub, run->id);
	start_launcher(runs, run, live, ticket);
}

static void
begin_granted(void *ctx, enum un_err err, const struct un_detail *detail, struct secbuf *ticket)
{
	struct beginning *beginning = ctx;
	struct runs *runs = beginning->runs;
	struct run *run = runs_find(runs, beginning->run);
	struct exec_node *node;

	runs->starting--;
	if (run != NULL) {
		node = &run->execution->nodes[beginning->place];
		if (run->stale || node->state != NODE_READY || !node->starting)
			node->starting = false; /* something else has happened to it meanwhile */
		else if (err && is_passing(err))
			put_off(runs, run, beginning->place, RUNS_RETRY_US);
		else if (err)
			refuse(runs, run, beginning->place, err, detail);
		else
			begin_recorded(runs, run, beginning, ticket);
	}
	share_count(runs, beginning->share, 0, -1);
	secbuf_free(ticket);
	beginning_free(beginning);
	if (!runs->ticking)
		runs_tick(runs);
}

/* Whether every secret the task asks for is there. Also gives their names, each once. */
static enum un_err
check_secrets(struct runs *runs, const struct run *run, const struct wanted_secrets *wanted,
              const char *names[SECRET_REQUESTS_MAX], size_t *ret_count, struct un_detail *detail)
{
	struct store_view *view;
	struct secret_sealed sealed;
	struct secret_id at = {.scope = run->execution->at};
	size_t count = 0;
	enum un_err err;

	err = runs_read(runs, &view, detail);
	for (size_t i = 0; i < wanted->count && !err; i++) {
		size_t j = 0;

		memcpy(at.name, wanted->requests[i].name, sizeof at.name);
		err = secret_resolve(view, &at, wanted->requests[i].version, &sealed, detail);
		while (j < count && strcmp(names[j], wanted->requests[i].name) != 0)
			j++;
		if (j == count)
			names[count++] = wanted->requests[i].name;
	}
	runs_read_end(runs);
	*ret_count = count;
	return err;
}

static enum un_err
ask_for_ticket(struct runs *runs, const struct run *run, struct beginning *beginning,
               struct un_detail *detail)
{
	const char *names[SECRET_REQUESTS_MAX];
	struct wanted_secrets wanted;
	struct ticket_grant grant = {
	        .org = "",
	        .at = &run->execution->at,
	        .expires_us = clock_wall_us() + TICKET_TTL_US,
	        .names = names,
	};
	struct arena *arena;
	enum un_err err;

	err = arena_new(4u << 20, &arena);
	if (err)
		return err;
	err = template_secrets(arena, run->graph.graph->nodes[beginning->place].task, &wanted,
	                        detail);
	if (!err)
		err = check_secrets(runs, run, &wanted, names, &grant.count, detail);
	memcpy(grant.attempt, beginning->id, ATTEMPT_ID_LEN);
	if (!err) {
		if (runs->options.engine->ops->expect != NULL)
			runs->options.engine->ops->expect(runs->options.engine,
			                                  run->execution->at.project);
		/* before the call: the answer may come inside it */
		run->execution->nodes[beginning->place].starting = true;
		runs->starting++;
		beginning->share = run->share;
		share_count(runs, run->share, 0, 1);
		err = runs->options.vault.grant(runs->options.vault.ctx, &grant, begin_granted,
		                                beginning);
		if (err) {
			run->execution->nodes[beginning->place].starting = false;
			runs->starting--;
			share_count(runs, run->share, 0, -1);
		}
	}
	arena_free(arena);
	return err;
}

static void
begin(struct runs *runs, struct run *run, uint32_t place)
{
	struct beginning *beginning = mem_zalloc(1, sizeof *beginning);
	struct un_detail detail = {0};
	enum un_err err = UN_OK;

	if (beginning == NULL) {
		put_off(runs, run, place, RUNS_RETRY_US);
		return;
	}
	*beginning = (struct beginning){.runs = runs, .run = run->id, .place = place};
	buf_init(&beginning->inputs, BINDING_VALUES_MAX, BUF_PLAIN);
	random_bytes(beginning->id, sizeof beginning->id);
	if (run->execution->nodes[place].attempts == 0) {
		err = resolve(runs, run, place, &beginning->inputs, &detail);
		beginning->has_inputs = !err;
	}
	if (!err)
		err = ask_for_ticket(runs, run, beginning, &detail);
	if (!err)
		return; /* begin_granted has it */
	beginning_free(beginning);
	if (is_passing(err))
		put_off(runs, run, place, RUNS_RETRY_US);
	else
		refuse(runs, run, place, err, &detail);
}

/* ---- turns ---- */

/* Of those that have something to begin: one of the project with the fewest tasks, of these the
 * oldest after `turn`, then from the front. */
static struct run *
next_turn(struct runs *runs, int64_t now_us, int *ret_place, int64_t *due_us)
{
	struct run *best = NULL;

	for (struct run *run = runs->first; run != NULL; run = run->next) {
		int64_t due;
		int place;

		if (run->stale)
			continue;
		if (run->hold_us > now_us) {
			if (run->hold_us < *due_us)
				*due_us = run->hold_us;
			continue;
		}
		/* the end of a task is a reason to look again, also where this gives up early */
		if (!share_may_begin(runs, run->share) ||
		    (best != NULL && !share_goes_before(runs, run, best)))
			continue;
		place = execution_next(run->execution, now_us, &due);
		if (due < *due_us)
			*due_us = due;
		if (place < 0)
			continue;
		best = run;
		*ret_place = place;
	}
	return best;
}

static void
begin_all(struct runs *runs, int64_t *due_us)
{
	int place = -1;

	while (runs->live_count + runs->starting < runs->options.slots) {
		struct run *run = next_turn(runs, runs_now(runs), &place, due_us);

		if (run == NULL)
			return;
		runs->turn = run->id;
		begin(runs, run, (uint32_t)place);
	}
}

/* ---- time ---- */

/* A lease that is found to be over is first doubted: perhaps it was this process that was away
 * (stopped, or the machine asleep), and what its launcher has to say waits in a socket. Then a
 * launcher that lives is ended before its attempt counts as lost; its death is told by the engine.
 */
static void
doubt_silent(struct runs *runs, const struct run *run, int64_t now_us)
{
	for (struct live *live = runs->lives; live != NULL; live = live->next) {
		struct attempt *attempt = &run->execution->nodes[live->place].last;

		if (live->run != run->id || attempt->state != ATTEMPT_CLAIMED ||
		    now_us < attempt->lease_until_us + LEASE_MARGIN_US)
			continue;
		if (!live->doubted) {
			live->doubted = true;
			attempt->lease_until_us = now_us;
		} else if (live->watched) {
			live->watched = runs->options.engine->ops->cancel(runs->options.engine,
			                                                  live->id, true);
			if (live->watched) /* told when it is dead; look again soon */
				attempt->lease_until_us = now_us;
		}
	}
}

static void
expire(struct runs *runs, struct run *run, int64_t *due_us)
{
	int64_t now_us = runs_now(runs), due;
	struct un_detail detail = {0};
	bool touched = false;
	enum un_err err;

	doubt_silent(runs, run, now_us);
	err = execution_expire(run->execution, now_us, &due);
	if (err) {
		run_reload(runs, run);
		return;
	}
	if (due < *due_us)
		*due_us = due;
	touched = run->execution->dirty;
	for (size_t i = 0; i < run->execution->graph->node_count && !touched; i++)
		touched = run->execution->nodes[i].dirty || run->execution->nodes[i].attempt_dirty;
	if (touched && run_save(runs, run, NULL, &detail) != UN_OK)
		return;
	if (touched || run->execution->succeeded) {
		run_after(runs, run);
		if (now_us + RUNS_RETRY_US < *due_us)
			*due_us = now_us + RUNS_RETRY_US;
	}
}

static void
kill_slow(struct runs *runs, int64_t *due_us)
{
	int64_t now_us = runs_now(runs);

	for (struct live *live = runs->lives; live != NULL; live = live->next) {
		int64_t due = live->cancelled_us + RUNS_KILL_AFTER_US;

		if (live->cancelled_us == 0 || live->killed || !live->watched)
			continue;
		if (due <= now_us) {
			live->killed = true;
			live->watched = runs->options.engine->ops->cancel(runs->options.engine,
			                                                  live->id, true);
		} else if (due < *due_us) {
			*due_us = due;
		}
	}
}

void
runs_tick(struct runs *runs)
{
	int64_t due_us = INT64_MAX, old_us;
	struct run *next;

	if (runs->ticking)
		return;
	runs->ticking = true;
	if (runs->missing)
		runs_find_missing(runs);
	if (runs->missing)
		due_us = runs_now(runs) + RUNS_RETRY_US;
	for (struct run *run = runs->first; run != NULL; run = next) {
		next = run->next;
		if (run->stale)
			run_reload(runs, run);
		if (!run->stale)
			expire(runs, run, &due_us);
		else if (runs_now(runs) + RUNS_RETRY_US < due_us)
			due_us = runs_now(runs) + RUNS_RETRY_US;
	}
	kill_slow(runs, &due_us);
	begin_all(runs, &due_us);
	old_us = retention_step(runs);
	if (old_us < due_us)
		due_us = old_us;
	runs->ticking = false;
	if (runs->options.wake_in != NULL && due_us != INT64_MAX)
		runs->options.wake_in(runs->options.ctx, due_us - runs_now(runs));
}

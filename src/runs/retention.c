#include "runs/retention.h"

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "runs/bundles.h"
#include "runs/runs_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_US (60ll * 1000000)
#define PASS_US (3600ll * 1000000)
#define STEP_US 50000
#define ROWS_MAX 256   /* that one step looks at */
#define REMOVED_MAX 4  /* executions in one write */
#define ENTRIES_MAX 64 /* of a folder */
#define LEFTOVER_S 86400

/* ---- executions ---- */

struct finding {
	int64_t before_us; /* the end of what goes */
	int64_t ids[REMOVED_MAX];
	size_t count;
	int64_t after;
	unsigned seen;
	bool over; /* what follows was begun later than that */
};

static bool
find_one(void *ctx, const struct run_ended *row)
{
	struct finding *finding = ctx;

	if (row->created_us >= finding->before_us) {
		finding->over = true;
		return false;
	}
	finding->seen++;
	finding->after = row->id;
	if (row->ended_us > 0 && row->ended_us < finding->before_us)
		finding->ids[finding->count++] = row->id;
	return finding->count < REMOVED_MAX;
}

static enum un_err
remove_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct finding *finding = ctx;
	enum un_err err = UN_OK;

	for (size_t i = 0; i < finding->count && !err; i++) {
		err = run_remove(txn, finding->ids[i], detail);
		if (err == UN_ERR_CONFLICT)
			err = UN_OK;
	}
	return err;
}

/* True: there is nothing more of it. */
static bool
remove_executions(struct runs *runs, int64_t now_us)
{
	struct retaining *at = &runs->retaining;
	struct finding finding = {.before_us = now_us - runs->options.retention.executions_us,
	                          .after = at->after};
	struct un_detail detail = {0};
	struct store_view *view;
	enum un_err err;

	if (runs->options.retention.executions_us == 0)
		return true;
	err = runs_read(runs, &view, &detail);
	if (!err) {
		err = run_list_ended(view, at->after, ROWS_MAX, find_one, &finding, &detail);
		runs_read_end(runs);
	}
	if (!err && finding.count > 0)
		err = runs_write(runs, remove_apply, &finding, &detail);
	if (err) { /* the next pass begins anew */
		log_warn("runs", "old executions stay for now: %s", un_message(err, &detail));
		return true;
	}
	at->counts.executions += finding.count;
	at->after = finding.after;
	return finding.over || (finding.count < REMOVED_MAX && finding.seen < ROWS_MAX);
}

/* ---- files ---- */

static bool
open_folder(struct retaining *at, int fd)
{
	int copy = at->folder != NULL ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy >= 0 && (at->folder = fdopendir(copy)) == NULL)
		(void)close(copy);
	return at->folder != NULL;
}

/* Calls `each` for some entries. True: these were the last. */
static bool
walk(struct runs *runs, int fd, void (*each)(struct runs *runs, const char *name, int64_t now_us),
     int64_t now_us)
{
	struct retaining *at = &runs->retaining;
	const struct dirent *entry;

	if (!open_folder(at, fd))
		return true;
	for (int i = 0; i < ENTRIES_MAX; i++) {
		entry = readdir(at->folder);
		if (entry == NULL) {
			(void)closedir(at->folder);
			at->folder = NULL;
			return true;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(runs, entry->d_name, now_us);
	}
	return false;
}

static void
remove_log(struct runs *runs, const char *name)
{
	int fd = openat(runs->logs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (folder == NULL) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
	if (unlinkat(runs->logs_fd, name, AT_REMOVEDIR) == 0)
		runs->retaining.counts.logs++;
}

/* The folder is named EXECUTION.ID. */
static void
judge_log(struct runs *runs, const char *name, int64_t now_us)
{
	const char *dot = strrchr(name, '.');
	int64_t keep_us = runs->options.retention.logs_us;
	struct store_view *view;
	struct run_row row;
	uint64_t id;
	bool goes = false;
	enum un_err err;

	if (dot == NULL || text_parse_u64(dot + 1, &id) != UN_OK || id > INT64_MAX ||
	    runs_find(runs, (int64_t)id) != NULL || runs_read(runs, &view, NULL) != UN_OK)
		return;
	err = run_get_by_id(view, (int64_t)id, &row, NULL);
	if (err == UN_ERR_EXECUTION_NOT_FOUND || err == UN_ERR_NOT_FOUND)
		goes = true;
	else if (!err)
		goes = row.ended_us > 0 && keep_us > 0 && row.ended_us < now_us - keep_us;
	runs_read_end(runs);
	if (goes)
		remove_log(runs, name);
}

/* Whether something that is not over needs it. */
static bool
is_needed(const struct runs *runs, const char *name)
{
	char file[BUNDLE_FILE_MAX];

	for (const struct run *run = runs->first; run != NULL; run = run->next) {
		for (size_t i = 0; i < run->graph.graph->node_count; i++) {
			const char *url = run_bundle_of(run->graph.graph->nodes[i].task);

			if (url != NULL && bundles_file_of(url, file) == UN_OK &&
			    strcmp(file, name) == 0)
				return true;
		}
	}
	return false;
}

static void
judge_bundle(struct runs *runs, const char *name, int64_t now_us)
{
	bool is_leftover = name[0] == '.'; /* of an upload that a crash has ended */
	int64_t keep_s = is_leftover ? LEFTOVER_S : runs->options.retention.bundles_us / 1000000;
	struct stat st;

	if (keep_s == 0 || fstatat(runs->bundles_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode) || st.st_mtim.tv_sec >= now_us / 1000000 - keep_s)
		return;
	if ((is_leftover || !is_needed(runs, name)) && unlinkat(runs->bundles_fd, name, 0) == 0)
		runs->retaining.counts.bundles += !is_leftover;
}

/* ---- passes ---- */

static void
end_pass(struct runs *runs)
{
	struct retaining *at = &runs->retaining;
	const struct retention_counts *now = &at->counts, *before = &at->told;

	if (now->executions + now->logs + now->bundles !=
	    before->executions + before->logs + before->bundles)
		log_notice("runs",
		           "removed what is old: %" PRIu64 " executions, %" PRIu64
		           " logs, %" PRIu64 " bundles",
		           now->executions - before->executions, now->logs - before->logs,
		           now->bundles - before->bundles);
	at->told = at->counts;
	at->after = 0;
}

int64_t
retention_step(struct runs *runs)
{
	const struct retention *keep = &runs->options.retention;
	struct retaining *at = &runs->retaining;
	int64_t now_us = runs_now(runs);
	bool over = true;

	if (keep->executions_us == 0 && keep->logs_us == 0 && keep->bundles_us == 0)
		return INT64_MAX;
	if (at->next_us == 0)
		at->next_us = now_us + FIRST_US;
	if (now_us < at->next_us)
		return at->next_us;
	if (at->phase == RETAIN_EXECUTIONS)
		over = remove_executions(runs, now_us);
	else if (at->phase == RETAIN_LOGS)
		over = walk(runs, runs->logs_fd, judge_log, now_us);
	else if (!runs->missing) /* those that are not read yet may need one */
		over = walk(runs, runs->bundles_fd, judge_bundle, now_us);
	at->next_us = now_us + STEP_US;
	if (over)
		at->phase = (enum retain_phase)((at->phase + 1) % RETAIN_PHASES);
	if (over && at->phase == RETAIN_EXECUTIONS) {
		end_pass(runs);
		at->next_us = now_us + PASS_US;
	}
	return at->next_us;
}

struct retention_counts
retention_counts(const struct runs *runs)
{
	return runs->retaining.counts;
}

void
retention_end(struct runs *runs)
{
	if (runs->retaining.folder != NULL)
		(void)closedir(runs->retaining.folder);
	runs->retaining.folder = NULL;
}

/* runs_impl.h - the inside of struct runs, for the files that are it: runs.c, records.c, launch.c,
 * scheduler.c, attempts.c. */
#ifndef RUNS_RUNS_IMPL_H
#define RUNS_RUNS_IMPL_H

#include "audit/audit.h"
#include "runs/retention.h"
#include "runs/runs.h"
#include "runs/template.h"
#include "store/runs.h"

#include <stdatomic.h>

#define RUN_ARENA_MAX (128u << 20)
#define RUNS_RETRY_US 1000000 /* after something that may pass */
#define LABEL_MAX (2 * SCOPE_PART_MAX + GRAPH_PATH_MAX + 32)

/* What a project has of the server now. */
struct share {
	struct share *next;
	char project[SCOPE_PART_MAX + 1];
	unsigned executions; /* that are not over */
	unsigned tasks;      /* attempts that run or begin */
};

/* An execution that is not over. */
struct run {
	struct run *next; /* oldest first */
	struct share *share; /* of its project; NULL: there was no memory for it */
	int64_t id;
	int64_t change; /* as recorded */
	struct execution *execution;
	struct template_graph graph;
	struct arena *arena; /* of the templates and of spec */
	Flyteidl__Admin__ExecutionSpec *spec;
	int64_t hold_us; /* nothing begins before: a write has just failed */
	bool stale; /* could not be read again after a failed write; nothing is done with it */
};

/* An attempt that has not ended, as the scheduler sees it. */
struct live {
	struct live *next;
	struct share *share;
	int64_t run;
	uint32_t place;
	uint8_t id[ATTEMPT_ID_LEN];
	struct engine_place where;
	bool watched;         /* the engine will tell when its launcher is gone */
	bool claiming;        /* the keeper is asked */
	int64_t cancelled_us; /* when it was asked to end; 0 */
	bool doubted;         /* its lease is over; it may still speak for LEASE_MARGIN_US */
	bool killed;
	uint64_t log_len;
};

struct runs {
	struct runs_options options;
	char *data_dir;
	int64_t wall_us, mono_us; /* when it was made: the clock that never goes back */
	struct run *first;
	struct live *lives;
	struct share *shares;
	unsigned live_count;
	unsigned starting; /* attempts whose ticket is being made */
	int64_t turn;      /* the run that began an attempt last: the next one has the next turn */
	atomic_uint active;
	int dir_fd, logs_fd, bundles_fd;
	struct retaining retaining;
	bool ticking; /* a tick is on the stack, or none is wanted any more */
	bool logs_wait; /* a piece of a log met a full disk, and none has been written since */
	bool missing; /* an accepted execution could not be read yet */
};

int64_t runs_now(const struct runs *runs);
struct run *runs_find(struct runs *runs, int64_t id);
void runs_label(const struct run *run, uint32_t place, uint32_t attempt, char label[LABEL_MAX]);

/* Every write of this folder: waits until it is durable. */
MUST_CHECK enum un_err runs_write(struct runs *runs,
                                  enum un_err (*apply)(struct store_txn *txn, void *ctx,
                                                       struct un_detail *detail),
                                  void *ctx, struct un_detail *detail);
#ifdef UN_FAULTS
/* For tests: so many more writes succeed, then all fail, as if the server had died. -1: no limit.
 */
extern long runs_writes_left;
#endif

/* Reads what is not over and not in memory. */
void runs_find_missing(struct runs *runs);

/* ---- records.c ---- */

/* What is written together with a step. */
struct run_value {
	int64_t place;
	enum run_which which;
	struct run_bytes bytes;
};
struct run_extra {
	struct run_value values[2];
	size_t value_count;
	const struct audit_event *events;
	size_t event_count;
};

/* Makes durable all that the last step marked. On failure the run is read again (or stale). */
MUST_CHECK enum un_err run_save(struct runs *runs, struct run *run, const struct run_extra *extra,
                                struct un_detail *detail);
/* Keys that the keeper has released and nobody gets: the execution ended meanwhile, or the claim
 * could not be recorded. The keeper's journal has them, so the trail gets them as failed. */
struct run_undelivered {
	const struct keeper_row *rows;
	size_t count;
	const char *request_id;
	struct audit_journal_ref journal; /* of the first */
	enum un_err why;
};
void run_record_undelivered(struct runs *runs, const struct run_undelivered *what);
MUST_CHECK enum un_err run_load(struct runs *runs, int64_t id, struct run **ret_run,
                                struct un_detail *detail);
void run_free(struct run *run);
/* Throws away what is in memory. */
void run_reload(struct runs *runs, struct run *run);
/* Inserts a new execution's nodes and values; its row is there. */
MUST_CHECK enum un_err run_insert_nodes(struct store_txn *txn, const struct execution *execution,
                                        const struct template_graph *graph, int64_t id,
                                        int64_t change, struct un_detail *detail);
/* Begins a read; lent until runs_read_end. */
MUST_CHECK enum un_err runs_read(struct runs *runs, struct store_view **ret_view,
                                 struct un_detail *detail);
void runs_read_end(struct runs *runs);

/* ---- shares.c ---- */

/* Counted by share_count; NULL: no memory. */
struct share *share_of(struct runs *runs, const char *project);
/* More, or fewer; it is gone when nothing is left of it. */
void share_count(struct runs *runs, struct share *share, int executions, int tasks);
void shares_free(struct runs *runs);
/* Whether one more execution of the project may come: UN_ERR_AGAIN and which limit it is. */
MUST_CHECK enum un_err share_check(const struct runs *runs, const char *project,
                                   struct un_detail *detail);
bool share_may_begin(const struct runs *runs, const struct share *share);
/* Whose project has fewer tasks; of these, whose turn it is. */
bool share_goes_before(const struct runs *runs, const struct run *run, const struct run *other);

/* ---- scheduler.c ---- */

/* After a step was recorded: ends lives, resolves outputs, drops what is over, wakes listeners. The
 * run may be gone afterwards. */
void run_after(struct runs *runs, struct run *run);
void runs_add(struct runs *runs, struct run *run);

/* ---- attempts.c ---- */

/* The native URL of a task's code bundle; NULL: none of ours. */
const char *run_bundle_of(const pb_task *task);
struct live *live_find(struct runs *runs, const uint8_t id[ATTEMPT_ID_LEN]);
MUST_CHECK enum un_err live_add(struct runs *runs, struct run *run, uint32_t place,
                                struct live **ret_live);
void live_drop_ended(struct runs *runs, struct run *run);
void runs_attempt_exited(void *ctx, const uint8_t attempt[ATTEMPT_ID_LEN]);

#endif

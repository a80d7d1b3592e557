/* retention.h - what is old goes: executions that have ended, their logs, and code bundles.
 *
 * Part of the scheduler: a step is one small write, or a look at a few files, and the next one
 * comes after what waits. A pass begins a minute after the start and then each hour. The audit
 * trail and the uses of secrets stay. One thread. */
#ifndef RUNS_RETENTION_H
#define RUNS_RETENTION_H

#include <dirent.h>
#include <stdint.h>

struct runs;

/* Times since the end (of a bundle: since it was uploaded or a task with it began); 0: for ever. */
struct retention {
	int64_t executions_us;
	int64_t logs_us; /* not longer than their executions */
	int64_t bundles_us;
};

/* What has been removed since the start, for tests and the log. */
struct retention_counts {
	uint64_t executions, logs, bundles;
};

/* Where the pass is; part of struct runs. */
enum retain_phase {
	RETAIN_EXECUTIONS,
	RETAIN_LOGS,
	RETAIN_BUNDLES,
	RETAIN_PHASES,
};
struct retaining {
	enum retain_phase phase;
	int64_t next_us; /* 0: not begun */
	int64_t after;   /* the execution looked at last */
	DIR *folder;     /* that is being walked; NULL */
	struct retention_counts counts, told;
};

/* Does what is due. When to look again; INT64_MAX: nothing is ever removed. */
int64_t retention_step(struct runs *runs);
struct retention_counts retention_counts(const struct runs *runs);
void retention_end(struct runs *runs);

#endif

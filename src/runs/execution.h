/* execution.h - the states of one execution, of its nodes and of their attempts.
 *
 * Pure: no clock, no store, no process. A step changes the object and marks what it changed; the
 * caller makes that durable and only then acts on it. If it cannot be made durable, the object is
 * thrown away and read again. So the records always hold a state that a step left, never one
 * between.
 *
 *   node       WAITING -> READY -> ACTIVE -> SUCCEEDED
 *                 |         ^         |----> READY (another attempt)
 *                 |         |_________|----> FAILED | TIMED_OUT
 *                 '-> SKIPPED    '---------> ABORTED (also from WAITING and READY)
 *   attempt    CREATED -> CLAIMED -> ENDED   (CREATED -> ENDED: nobody came, or the server
 * restarted) execution  RUNNING -> SUCCEEDED | FAILING -> FAILED | ABORTING -> ABORTED
 *
 * What always holds:
 *  - a node has at most one attempt that has not ended, and a new one begins only from READY;
 *  - only a claimed attempt runs anything, and an attempt is claimed once;
 *  - an attempt ends by its launcher's word, by the death of its launcher, or when its lease and
 *    LEASE_MARGIN_US are over, which is later than the launcher itself ends its task;
 *  - a task without retries is begun at most once: an attempt that may have begun it and of which
 *    no result came (lost, stopped) is only followed by another one if `retries` allow it;
 *  - an execution ends when no attempt is left that has not ended.
 * One thread at a time. */
#ifndef RUNS_EXECUTION_H
#define RUNS_EXECUTION_H

#include "base/err.h"
#include "crypto/hash.h"
#include "envelope/envelope.h"
#include "model/name.h"
#include "model/scope.h"
#include "runs/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_TTL_US (300ll * 1000000)   /* from the claim and from each heartbeat; the default */
#define LEASE_MARGIN_US (5ll * 1000000)  /* on top, before an attempt counts as lost */
#define CLAIM_WITHIN_US (60ll * 1000000) /* from creation */
#define TIMEOUT_GRACE_US                                                                           \
	(15ll * 1000000) /* the launcher enforces a timeout; later the server does */
#define SYSTEM_RETRIES 3                 /* of a node, for attempts that never began the task */
#define BACKOFF_FIRST_US (500ll * 1000)  /* doubled each time */
#define BACKOFF_MOST_US (30ll * 1000000)
#define RUN_ERROR_CODE_MAX 128
#define RUN_ERROR_TEXT_MAX (32u << 10) /* a traceback, cut at its beginning */

enum node_state {
	NODE_WAITING = 0,
	NODE_READY = 1,
	NODE_ACTIVE = 2,
	NODE_SUCCEEDED = 3,
	NODE_FAILED = 4,
	NODE_TIMED_OUT = 5,
	NODE_ABORTED = 6,
	NODE_SKIPPED = 7,
};

enum attempt_state {
	ATTEMPT_NONE = 0, /* the node has had none */
	ATTEMPT_CREATED = 1,
	ATTEMPT_CLAIMED = 2,
	ATTEMPT_ENDED = 3,
};

enum run_state {
	RUN_RUNNING = 0,
	RUN_FAILING = 1,
	RUN_ABORTING = 2,
	RUN_SUCCEEDED = 3,
	RUN_FAILED = 4,
	RUN_ABORTED = 5,
};

/* How an attempt ended. The numbers of union.v1.FinishRequest.Outcome, and two of our own. */
enum outcome {
	OUTCOME_NONE = 0,
	OUTCOME_SUCCEEDED = 1,
	OUTCOME_FAILED = 2,
	OUTCOME_FAILED_RETRYABLE = 3,
	OUTCOME_SYSTEM_FAILED = 4,
	OUTCOME_TIMED_OUT = 5,
	OUTCOME_CANCELLED = 6,
	OUTCOME_LOST = 7,      /* the launcher died or its lease ended without a word */
	OUTCOME_WITHDRAWN = 8, /* never claimed, and not counted against the node */
};

/* Kinds as in flyteidl.core.ExecutionError. */
enum error_kind {
	ERROR_UNKNOWN = 0,
	ERROR_USER = 1,
	ERROR_SYSTEM = 2,
};

struct run_error {
	char *code; /* NULL: no error */
	char *message;
	enum error_kind kind;
};
void run_error_fini(struct run_error *error);
/* Copies; a long message loses its beginning, which is the less telling end of a traceback. */
MUST_CHECK enum un_err run_error_set(struct run_error *error, const char *code,
                                     const char *message, enum error_kind kind);

struct attempt {
	uint8_t id[ATTEMPT_ID_LEN];
	enum attempt_state state;
	enum outcome outcome;
	uint32_t number; /* of its node, from 0 */
	bool cancel;     /* it shall end; told with the next heartbeat */
	uint8_t lease_hash[HASH_LEN];
	int64_t lease_until_us; /* CREATED: the claim must come before; CLAIMED: without the margin
	                         */
	int64_t created_us, claimed_us, ended_us;
	int64_t pid, pid_start; /* of the launcher where the engine knows; 0 */
	int32_t exit_code;
};

struct exec_node {
	enum node_state state;
	uint32_t attempts; /* made so far */
	uint32_t task_failures, system_failures;
	int64_t not_before_us; /* READY: backoff */
	int64_t created_us, started_us, updated_us, ended_us;
	struct run_error error;
	struct attempt last; /* the newest attempt */
	bool dirty, attempt_dirty;
	bool starting; /* not recorded: the caller is on its way to begin an attempt */
};

struct execution {
	int64_t id; /* of the record; 0: not recorded yet */
	struct scope at;
	char name[SCOPE_PART_MAX + 1];
	const struct graph *graph; /* lent */
	enum run_state state;
	struct exec_node *nodes; /* graph->node_count of them */
	uint32_t max_parallelism; /* 0: no limit of its own */
	int64_t lease_ttl_us;     /* LEASE_TTL_US, unless the caller sets another */
	int64_t created_us, updated_us, ended_us;
	struct run_error error; /* FAILED: of the first node that failed */
	char *abort_cause;
	bool succeeded; /* all nodes have; the caller resolves the outputs, then execution_end */
	bool dirty;
};

/* Nothing has happened yet; execution_settle makes the first nodes ready. */
MUST_CHECK enum un_err execution_new(const struct graph *graph, int64_t now_us,
                                     struct execution **ret_execution);
void execution_free(struct execution *execution); /* NULL is fine */

bool execution_is_over(const struct execution *execution);
/* Attempts that have not ended, and attempts on their way. */
uint32_t execution_active(const struct execution *execution);

/* Carries every consequence of what has happened so far. Idempotent. */
MUST_CHECK enum un_err execution_settle(struct execution *execution, int64_t now_us);

/* The first node whose attempt may begin now, or -1; then *ret_due_us is when one may because its
 * backoff is over (INT64_MAX: none). */
int execution_next(const struct execution *execution, int64_t now_us, int64_t *ret_due_us);

/* READY -> ACTIVE with an attempt CREATED. */
void execution_begin(struct execution *execution, uint32_t node,
                     const uint8_t attempt[ATTEMPT_ID_LEN], int64_t now_us);
/* CREATED -> CLAIMED. UN_ERR_BAD_TICKET when it is not CREATED (any more), or shall end. */
MUST_CHECK enum un_err execution_claim(struct execution *execution, uint32_t node,
                                       const uint8_t lease_hash[HASH_LEN], int64_t now_us);
/* Not recorded: after a restart every lease counts from the restart. */
void execution_heartbeat(struct execution *execution, uint32_t node, int64_t now_us);
/* The attempt has ended. `code` and `message` (NULL: a standard text) are for failures. */
MUST_CHECK enum un_err execution_finish(struct execution *execution, uint32_t node,
                                        enum outcome outcome, const struct run_error *error,
                                        int32_t exit_code, int64_t now_us);
/* The node cannot begin: it fails without an attempt, and without another try. */
MUST_CHECK enum un_err execution_refuse(struct execution *execution, uint32_t node,
                                        const struct run_error *error, int64_t now_us);
/* UN_ERR_CONFLICT when it is over or aborting already. */
MUST_CHECK enum un_err execution_abort(struct execution *execution, const char *cause,
                                       int64_t now_us);
/* After `succeeded`: SUCCEEDED, or FAILED with `error` when the outputs could not be resolved. */
MUST_CHECK enum un_err execution_end(struct execution *execution, const struct run_error *error,
                                     int64_t now_us);

/* Ends what time has run out for: unclaimed attempts, leases, timeouts that nobody enforced.
 * *ret_due_us: when to look again (INT64_MAX: never). */
MUST_CHECK enum un_err execution_expire(struct execution *execution, int64_t now_us,
                                        int64_t *ret_due_us);
/* After a restart: unclaimed attempts are withdrawn, leases count from now. */
MUST_CHECK enum un_err execution_recover(struct execution *execution, int64_t now_us);

const char *node_state_word(enum node_state state);
const char *run_state_word(enum run_state state);

#endif

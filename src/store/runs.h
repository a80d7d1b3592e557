/* runs.h - the records of runs: entities, executions, nodes, attempts, values.
 *
 * Plain rows: what the numbers mean is decided in src/runs/. Text and blobs in a row that a read
 * gives are lent until the next call on the same view, unless said otherwise. Threads as the view.
 */
#ifndef STORE_RUNS_H
#define STORE_RUNS_H

#include "base/err.h"
#include "model/name.h"
#include "store/scopes.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTITY_NAME_MAX 255
#define ENTITY_VERSION_MAX 128
#define RUN_SPEC_MAX (4u << 20) /* bytes of an entity's or an execution's spec */

struct run_bytes {
	const uint8_t *bytes;
	size_t len;
};

/* ---- entities ---- */

enum entity_kind {
	ENTITY_TASK = 1,
	ENTITY_WORKFLOW = 2,
	ENTITY_LAUNCH_PLAN = 3,
};

struct entity_key {
	enum entity_kind kind;
	const char *project, *domain, *name, *version;
};

struct entity_row {
	int64_t id;
	struct entity_key key;
	int state;
	int64_t created_us, updated_us;
	struct run_bytes spec;
};

/* UN_ERR_EXISTS: the same spec is there already; *ret_id is set also then. UN_ERR_INVALID: another
 * spec is registered under this key. */
MUST_CHECK enum un_err entity_insert(struct store_txn *txn, const struct entity_row *row,
                                     int64_t *ret_id, struct un_detail *detail);
/* An empty version means the newest. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err entity_get(struct store_view *view, const struct entity_key *key,
                                  struct entity_row *ret_row, struct un_detail *detail);
MUST_CHECK enum un_err entity_get_by_id(struct store_view *view, int64_t id,
                                        struct entity_row *ret_row, struct un_detail *detail);
/* UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err entity_set_state(struct store_txn *txn, const struct entity_key *key,
                                        int state, int64_t now_us, struct un_detail *detail);

/* What a list function is called with; an error ends the list with that error. */
typedef enum un_err entity_each(void *ctx, const struct entity_row *row);
/* Newest first, older than `before` (an id; INT64_MAX: from the newest), at most `limit`. Empty
 * strings in `like` mean any. The row is lent for the call. */
MUST_CHECK enum un_err entity_list(struct store_view *view, const struct entity_key *like,
                                   int64_t before, unsigned limit, entity_each *each, void *ctx,
                                   struct un_detail *detail);

/* A page for somebody who may not see everything: newest first, as full as if nothing else was
 * there. */
struct run_seen {
	struct scope within; /* an empty part does not filter */
	const struct scope_filter *may; /* its `sees` is set */
	int64_t before;
	unsigned limit; /* at least 1 */
};
/* Of `like`, kind and name count. */
MUST_CHECK enum un_err entity_list_seen(struct store_view *view, const struct entity_key *like,
                                        const struct run_seen *seen, entity_each *each, void *ctx,
                                        struct un_detail *detail);

/* ---- executions ---- */

struct run_row {
	int64_t id;
	char project[SCOPE_PART_MAX + 1], domain[SCOPE_PART_MAX + 1], name[SCOPE_PART_MAX + 1];
	int state;
	int64_t change;
	uint32_t max_parallelism;
	int64_t entity; /* the task or workflow it runs */
	const char *principal;
	int64_t created_us, updated_us, ended_us;
	int error_kind;
	const char *error_code, *error_message, *abort_cause; /* "" for none; never NULL */
	struct run_bytes spec;
};

/* UN_ERR_EXISTS: the name is taken. */
MUST_CHECK enum un_err run_insert(struct store_txn *txn, const struct run_row *row,
                                  int64_t *ret_id, struct un_detail *detail);
/* State, change, updated, ended, error, abort cause. UN_ERR_CONFLICT when the recorded change is
 * not `expected_change`: somebody else has written. */
MUST_CHECK enum un_err run_update(struct store_txn *txn, const struct run_row *row,
                                  int64_t expected_change, struct un_detail *detail);
/* UN_ERR_EXECUTION_NOT_FOUND. */
MUST_CHECK enum un_err run_get(struct store_view *view, const char *project, const char *domain,
                               const char *name, struct run_row *ret_row, struct un_detail *detail);
MUST_CHECK enum un_err run_get_by_id(struct store_view *view, int64_t id, struct run_row *ret_row,
                                     struct un_detail *detail);
typedef enum un_err run_each(void *ctx, const struct run_row *row);
/* Newest first; empty project or domain: any. */
MUST_CHECK enum un_err run_list(struct store_view *view, const char *project, const char *domain,
                                int64_t before, unsigned limit, run_each *each, void *ctx,
                                struct un_detail *detail);
MUST_CHECK enum un_err run_list_seen(struct store_view *view, const struct run_seen *seen,
                                     run_each *each, void *ctx, struct un_detail *detail);
/* Ids of what is not over, oldest first. */
MUST_CHECK enum un_err run_list_active(struct store_view *view, int64_t after,
                                       enum un_err (*each)(void *ctx, int64_t id), void *ctx,
                                       struct un_detail *detail);
/* Some of those behind `after`, oldest first; never the newest of all: no id is given twice.
 * `each` returns false to stop. */
struct run_ended {
	int64_t id, created_us, ended_us; /* 0: not over */
};
typedef bool run_ended_each(void *ctx, const struct run_ended *row);
MUST_CHECK enum un_err run_list_ended(struct store_view *view, int64_t after, unsigned limit,
                                      run_ended_each *each, void *ctx, struct un_detail *detail);
/* With nodes, attempts and values. UN_ERR_CONFLICT: it is not there, or not over. */
MUST_CHECK enum un_err run_remove(struct store_txn *txn, int64_t id, struct un_detail *detail);
MUST_CHECK enum un_err run_count_active(struct store_view *view, int64_t *ret_count,
                                        struct un_detail *detail);

/* ---- nodes ---- */

struct run_node_row {
	int64_t execution;
	uint32_t place;
	const char *node; /* the path */
	int64_t task;     /* entity */
	int state;
	int64_t change;
	uint32_t attempts, max_attempts, task_failures, system_failures;
	int64_t not_before_us, created_us, started_us, updated_us, ended_us;
	int error_kind;
	const char *error_code, *error_message;
};

/* Inserts or replaces. */
MUST_CHECK enum un_err run_node_put(struct store_txn *txn, const struct run_node_row *row,
                                    struct un_detail *detail);
typedef enum un_err run_node_each(void *ctx, const struct run_node_row *row);
/* Those touched after `change` (-1: all), by place, beginning with place `from`, at most `limit`.
 */
MUST_CHECK enum un_err run_node_list(struct store_view *view, int64_t execution, int64_t change,
                                     uint32_t from, unsigned limit, run_node_each *each, void *ctx,
                                     struct un_detail *detail);
/* UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err run_node_get(struct store_view *view, int64_t execution, const char *node,
                                    struct run_node_row *ret_row, struct un_detail *detail);

/* ---- values ---- */

#define RUN_PLACE_SELF (-1) /* the execution's own inputs and outputs */
enum run_which {
	RUN_INPUTS = 0,
	RUN_OUTPUTS = 1,
};
MUST_CHECK enum un_err run_value_put(struct store_txn *txn, int64_t execution, int64_t place,
                                     enum run_which which, struct run_bytes value,
                                     struct un_detail *detail);
/* UN_ERR_NOT_FOUND. Lent until the next call on the view. */
MUST_CHECK enum un_err run_value_get(struct store_view *view, int64_t execution, int64_t place,
                                     enum run_which which, struct run_bytes *ret_value,
                                     struct un_detail *detail);

/* ---- attempts ---- */

#define RUN_ATTEMPT_ID_LEN 16
#define RUN_LEASE_HASH_LEN 32
struct run_attempt_row {
	int64_t execution;
	uint32_t place, number;
	uint8_t id[RUN_ATTEMPT_ID_LEN];
	int state, outcome;
	bool cancel;
	uint8_t lease_hash[RUN_LEASE_HASH_LEN];
	int64_t created_us, claimed_us, ended_us;
	int64_t pid, pid_start;
	int32_t exit_code;
};
MUST_CHECK enum un_err run_attempt_put(struct store_txn *txn, const struct run_attempt_row *row,
                                       struct un_detail *detail);
/* The whole row is copied. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err run_attempt_get(struct store_view *view, int64_t execution, uint32_t place,
                                       uint32_t number, struct run_attempt_row *ret_row,
                                       struct un_detail *detail);
/* By the hash of its lease: for a launcher that says again that it has finished. */
MUST_CHECK enum un_err run_attempt_find(struct store_view *view,
                                        const uint8_t lease_hash[RUN_LEASE_HASH_LEN],
                                        struct run_attempt_row *ret_row, struct un_detail *detail);

#endif

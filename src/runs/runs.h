/* runs.h - every execution there is: accepted, begun, followed to its end, picked up after a crash.
 *
 * A struct runs belongs to one thread, the scheduler's. Each call that changes something waits
 * until the change is durable (some 0.2 ms) and only then acts on it: starts a launcher, answers a
 * claim, lets the next node begin. What is in memory is a copy of what is recorded; when a record
 * cannot be written the copy is thrown away and read again. docs/architecture/runs.md.
 *
 * Reading needs no struct runs: any thread with a store_reader uses store/runs.h and view.h. */
#ifndef RUNS_RUNS_H
#define RUNS_RUNS_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "model/guard_policy.h"
#include "proto-all.h"
#include "runs/engine.h"
#include "runs/execution.h"
#include "runs/hub.h"
#include "runs/retention.h"
#include "runs/vault.h"
#include "store/scopes.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNS_ACTIVE_MAX 1000 /* executions that are not over; one more is UN_ERR_AGAIN */
#define RUNS_LOST_AFTER_LEAST_S 15
#define RUNS_KEPT 100       /* of these, for projects with few, where projects have shares */
#define RUNS_FEW 10
#define RUNS_LAUNCH_MAX 500  /* tasks, workflows and launch plans in one launch */
#define RUNS_ENVS_MAX 200
#define RUNS_LOG_MAX (256ull << 20) /* bytes of one attempt's log; the rest is dropped */
#define RUNS_LOG_PIECE_MAX (1u << 20)
#define RUNS_KILL_AFTER_US                                                                         \
	(20ll * 1000000)             /* from asking an attempt to end to ending its launcher */
#define RUNS_RELEASE_MAX (64u << 20) /* sealed bytes of one attempt's secrets together */
#define RUNS_DEATH_US 500000 /* from the death of a launcher to that of all it had started */
#define LEASE_LEN 32
#define RUNS_BUNDLE_PATH "/union/attempt/bundle" /* GET with "authorization: Bearer HEX-OF-LEASE" */

struct runs;

struct runs_options {
	struct store *store;
	struct store_reader *reader; /* of the scheduler's thread */
	struct engine *engine;
	struct vault vault;
	struct hub *hub;
	const char *data_dir; /* holds logs/ and bundles/; copied */
	unsigned slots;       /* attempts at once; at least 1 */
	unsigned project_executions; /* that are not over, of one project; 0: no shares */
	unsigned project_tasks;      /* attempts at once of one project; 0: any number */
	const struct guard_policies *guard; /* lent; NULL: known for all */
	/* How long nothing may be heard of a claimed attempt; 0: LEASE_TTL_US. */
	int64_t lost_after_us;
	struct retention retention; /* zeroes: everything stays */
	/* Microseconds since 1970 that never go back while this runs. NULL: the clock. */
	int64_t (*now_us)(void *ctx);
	/* runs_tick is wanted when so much time has passed. A time of the day would not do: the
	 * wall clock may be set, this one goes on. NULL: the caller calls it often enough. */
	void (*wake_in)(void *ctx, int64_t wait_us);
	void *ctx; /* of both */
};

MUST_CHECK enum un_err runs_new(const struct runs_options *options, struct runs **ret_runs);
void runs_free(struct runs *runs); /* launchers go on; NULL is fine */
/* Nothing begins any more: before the vault's client is closed, which answers what is pending. */
void runs_stop(struct runs *runs);
/* Picks up what is not over. Once, before anything else. */
MUST_CHECK enum un_err runs_recover(struct runs *runs, struct un_detail *detail);
/* Begins what may begin, ends what time has run out for. */
void runs_tick(struct runs *runs);
/* Executions that are not over. Any thread. */
unsigned runs_active_count(const struct runs *runs);

/* ---- registration; UN_ERR_EXISTS: exactly this is there already ---- */
MUST_CHECK enum un_err runs_add_task(struct runs *runs,
                                     const Flyteidl__Admin__TaskCreateRequest *request,
                                     struct un_detail *detail);
MUST_CHECK enum un_err runs_add_workflow(struct runs *runs,
                                         const Flyteidl__Admin__WorkflowCreateRequest *request,
                                         struct un_detail *detail);
MUST_CHECK enum un_err
runs_add_launch_plan(struct runs *runs, const Flyteidl__Admin__LaunchPlanCreateRequest *request,
                     struct un_detail *detail);
MUST_CHECK enum un_err
runs_set_launch_plan(struct runs *runs, const Flyteidl__Admin__LaunchPlanUpdateRequest *request,
                     struct un_detail *detail);

/* ---- executions ---- */
/* Who asks, for the audit trail. */
struct runs_asker {
	const char *principal; /* "uid:1000" */
	const char *request_id;
	struct scope_novelty *novelty; /* runs_launch writes it; NULL: nobody asks */
};
struct runs_name {
	struct scope at;
	char name[SCOPE_PART_MAX + 1];
};
/* Registers what is not registered yet and creates the execution, all or nothing. `request` may
 * carry only the execution. UN_ERR_EXISTS: the name is taken; *ret_name is set then too. */
MUST_CHECK enum un_err runs_launch(struct runs *runs, const Union__V1__LaunchRequest *request,
                                   const struct runs_asker *asker, struct runs_name *ret_name,
                                   struct un_detail *detail);
/* UN_ERR_EXECUTION_NOT_FOUND; UN_ERR_CONFLICT: it is over or ending already. */
MUST_CHECK enum un_err runs_abort(struct runs *runs, const struct runs_name *name,
                                  const char *cause, const struct runs_asker *asker,
                                  struct un_detail *detail);

/* ---- attempts ---- */
struct runs_claim {
	const struct secbuf *ticket;
	const uint8_t *public_key; /* BOX_PUBLIC_LEN */
	const char *request_id;
};
/* What a claim gave; freed by its receiver, on any thread. */
struct runs_claimed {
	Union__V1__ClaimResponse response; /* its lease lies in locked memory */
	struct secbuf *lease;
	struct arena *arena;
};
void runs_claimed_free(struct runs_claimed *claimed); /* NULL is fine */
/* Called once, later or inside runs_claim. `claimed` is NULL unless UN_OK. */
typedef void runs_claim_done(void *ctx, enum un_err err, const struct un_detail *detail,
                             struct runs_claimed *claimed);
/* UN_ERR_BAD_TICKET for every reason why a ticket is not (or no longer) good. Ticket and key are
 * lent until `done`. */
void runs_claim(struct runs *runs, const struct runs_claim *claim, runs_claim_done *done,
                void *ctx);

/* A lease is LEASE_LEN bytes; anything else, and any lease that is over, is UN_ERR_BAD_TICKET. */
MUST_CHECK enum un_err runs_heartbeat(struct runs *runs, const uint8_t *lease, size_t len,
                                      bool *ret_cancel);
MUST_CHECK enum un_err runs_push_logs(struct runs *runs,
                                      const Union__V1__PushLogsRequest *request,
                                      struct un_detail *detail);
/* Said again it is UN_OK again, whatever was said. */
MUST_CHECK enum un_err runs_finish(struct runs *runs, const Union__V1__FinishRequest *request,
                                   struct un_detail *detail);
/* Opens the code bundle that the attempt of this lease needs, for reading. */
MUST_CHECK enum un_err runs_open_bundle(struct runs *runs, const uint8_t *lease, size_t len,
                                        int *ret_fd, uint64_t *ret_len, struct un_detail *detail);

#endif

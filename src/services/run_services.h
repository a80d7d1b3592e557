/* run_services.h - everything about runs behind one door: the scheduler's thread, and the services
 * and routes that reach it.
 *
 *   worker ── struct run_job ──> scheduler: struct runs ── store (waits until durable), engine,
 * keeper worker <──── reply ─────────┘ worker ── its own store_reader ──> whatever only reads
 *
 * The scheduler has a thread of its own because it waits for the disk. */
#ifndef SERVICES_RUN_SERVICES_H
#define SERVICES_RUN_SERVICES_H

#include "base/err.h"
#include "rpc/service.h"
#include "rpc/web.h"
#include "runs/machine.h"
#include "runs/retention.h"
#include "services/keeper_link.h"
#include "store/store.h"

#include <stddef.h>

struct run_services;

/* Texts are copied; the rest is lent until run_services_free. */
struct run_services_options {
	struct store *store;
	struct keeper_link *keeper; /* initialised, not opened: it goes to the scheduler's thread */
	const char *data_dir;
	const char *launcher;     /* path of union-exec */
	const char *sdk_dir;      /* "" without */
	const char *endpoint;     /* for launchers: "unix:///..." */
	char *const *environment; /* of launchers; ended by NULL */
	unsigned slots;           /* attempts at once */
	unsigned project_executions; /* runs.h */
	unsigned project_tasks;
	const struct guard_policies *guard; /* NULL: known for all */
	struct retention retention;
	unsigned lost_after_s;              /* of an attempt; 0: LEASE_TTL_US */
	struct machine_options tasks;       /* what they may do here */
};

/* Starts the thread and picks up what was not over. */
MUST_CHECK enum un_err run_services_new(const struct run_services_options *options,
                                        struct run_services **ret_services,
                                        struct un_detail *detail);
/* The server is about to drain: who follows an execution gets UN_ERR_SHUTTING_DOWN. */
void run_services_stop(struct run_services *services);
/* After the server has stopped: no call is left. Launchers go on. NULL is fine. */
void run_services_free(struct run_services *services);

/* For the server; they live as long as `services`. */
#define RUN_SERVICE_COUNT 4
#define RUN_ROUTE_COUNT 2
const struct rpc_service *run_services_service(const struct run_services *services, size_t index);
const struct http_route *run_services_route(const struct run_services *services, size_t index);

/* Executions that are not over. Any thread. */
unsigned run_services_active(const struct run_services *services);

#endif

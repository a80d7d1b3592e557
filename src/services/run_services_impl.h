/* run_services_impl.h - what the files of the run services share. */
#ifndef SERVICES_RUN_SERVICES_IMPL_H
#define SERVICES_RUN_SERVICES_IMPL_H

#include "proto-all.h"
#include "runs/bundles.h"
#include "runs/hub.h"
#include "runs/runs.h"
#include "services/caller.h"
#include "services/plane.h"
#include "services/run_services.h"
#include "store/runs.h"

#include <pthread.h>

struct run_services {
	struct run_services_options options;
	char *data_dir, *launcher, *sdk_dir, *endpoint, *workdir;
	struct hub *hub;
	struct bundles *bundles;
	int logs_fd; /* for readers of logs on any thread */
	struct rpc_service services[RUN_SERVICE_COUNT];
	struct http_route routes[RUN_ROUTE_COUNT];

	/* the scheduler's thread, and what is used on it only */
	pthread_t thread;
	bool started;
	struct loop *loop;
	struct store_reader *reader;
	struct engine *engine;
	struct runs *runs;
	struct loop_timer timer;
	/* how its beginning went, for run_services_new */
	pthread_mutex_t lock;
	pthread_cond_t begun;
	bool has_begun;
	enum un_err begin_err;
	struct un_detail begin_detail;
};

/* One call's way to the scheduler and back. In the call's memory. */
struct run_job {
	struct loop_task task;
	struct rpc_call *call;
	struct run_services *services;
	const ProtobufCMessage *request;
	/* On the scheduler's thread. `later`: it will call run_job_done itself. */
	enum un_err (*work)(struct run_job *job, bool *later);
	/* On the call's loop, after UN_OK; ends the call. */
	void (*reply)(struct run_job *job);
	/* On the call's loop, after an error; ends the call. NULL: rpc_fail. */
	void (*refuse)(struct run_job *job);
	enum un_err err;
	struct un_detail detail;
	char principal[PRINCIPAL_TEXT_MAX];
	char request_id[72];
	struct runs_name name;
	struct scope_novelty novelty; /* of the name's scope, after a launch */
	struct secbuf *ticket;
	struct runs_claimed *claimed;
	bool cancel;
};

/* Posts `work`; everything else follows. Fails the call when there is no memory. */
void run_job_start(struct rpc_call *call, struct run_services *services,
                   const ProtobufCMessage *request,
                   enum un_err (*work)(struct run_job *job, bool *later),
                   void (*reply)(struct run_job *job));
/* NULL: the call was failed for want of memory. For jobs that set more before run_job_post. */
struct run_job *run_job_new(struct rpc_call *call, struct run_services *services,
                            const ProtobufCMessage *request);
void run_job_post(struct run_job *job);
/* On the scheduler's thread, by work that took `later`. */
void run_job_done(struct run_job *job, enum un_err err, const struct un_detail *detail);

/* The worker's view of the store; fails the call when there is none. Lent for the handler. */
struct store_view *run_view(struct rpc_call *call);
/* Checks project and domain of an execution's identifier and copies it; fails the call. */
bool run_name_of(struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                 struct runs_name *ret_name);

extern const struct rpc_method admin_methods[];
extern const size_t admin_method_count;
extern const struct rpc_method run_methods[];
extern const size_t run_method_count;
extern const struct rpc_method attempt_methods[];
extern const size_t attempt_method_count;
extern const struct rpc_method dataproxy_methods[];
extern const size_t dataproxy_method_count;
extern const struct http_route upload_route; /* their ctx is set by run_services_new */
extern const struct http_route bundle_route;

#endif

#include "services/run_services_impl.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "runs/engine_local.h"
#include "runs/logs.h"

#include <stdio.h>
#include <string.h>

/* ---- the scheduler's thread ---- */

static void
tick(struct loop_timer *timer)
{
	struct run_services *services = timer->ctx;

	runs_tick(services->runs);
}

static void
wake_in(void *ctx, int64_t wait_us)
{
	struct run_services *services = ctx;
	int64_t wait_ms = wait_us <= 0 ? 0 : wait_us / 1000 + 1;

	/* the timers of a loop stand still while the machine sleeps: look again now and then */
	if (wait_ms > 10000)
		wait_ms = 10000;
	if (loop_timer_set(services->loop, &services->timer, clock_mono_ms() + wait_ms) != UN_OK)
		log_error("runs", "out of memory for a timer");
}

static enum un_err
begin(struct run_services *services, struct un_detail *detail)
{
	const struct engine_local_options engine = {
	        .loop = services->loop,
	        .launcher = services->launcher,
	        .endpoint = services->endpoint,
	        .workdir = services->workdir,
	        .data_dir = services->data_dir,
	        .sdk_dir = services->sdk_dir,
	        .environment = services->options.environment,
	        .tasks = services->options.tasks,
	};
	struct runs_options runs = {
	        .store = services->options.store,
	        .hub = services->hub,
	        .data_dir = services->data_dir,
	        .slots = services->options.slots,
	        .project_executions = services->options.project_executions,
	        .project_tasks = services->options.project_tasks,
	        .guard = services->options.guard,
	        .retention = services->options.retention,
	        .lost_after_us = (int64_t)services->options.lost_after_s * 1000000,
	        .wake_in = wake_in,
	        .ctx = services,
	};
	enum un_err err;

	err = store_reader_open(services->options.store, &services->reader, detail);
	if (err)
		return err;
	err = keeper_link_open(services->options.keeper, services->loop);
	if (err)
		return err;
	err = engine_local_new(&engine, &services->engine, detail);
	if (err)
		return err;
	runs.reader = services->reader;
	runs.engine = services->engine;
	runs.vault = vault_of_keeper(services->options.keeper->client);
	services->timer = (struct loop_timer){.fn = tick, .ctx = services};
	err = runs_new(&runs, &services->runs);
	if (err)
		return un_fail(detail, err, "cannot open the records of runs");
	return runs_recover(services->runs, detail);
}

static void
say_begun(struct run_services *services, enum un_err err)
{
	pthread_mutex_lock(&services->lock);
	services->begin_err = err;
	services->has_begun = true;
	pthread_cond_signal(&services->begun);
	pthread_mutex_unlock(&services->lock);
}

static void
end(struct run_services *services)
{
	loop_timer_cancel(services->loop, &services->timer);
	if (services->runs != NULL)
		runs_stop(services->runs);
	if (services->options.keeper->loop != NULL)
		keeper_link_close(services->options.keeper); /* answers what is pending */
	runs_free(services->runs);
	if (services->engine != NULL)
		services->engine->ops->free(services->engine);
	store_reader_close(services->reader);
}

static void *
scheduler(void *ctx)
{
	struct run_services *services = ctx;
	enum un_err err = begin(services, &services->begin_detail);

	say_begun(services, err);
	if (!err) {
		err = loop_run(services->loop);
		if (err)
			log_error("runs", "the scheduler's loop failed");
	}
	end(services);
	return NULL;
}

static enum un_err
start(struct run_services *services, struct un_detail *detail)
{
	int failed = pthread_create(&services->thread, NULL, scheduler, services);

	if (failed)
		return un_fail_errno(detail, failed, "cannot start the scheduler's thread");
	services->started = true;
	pthread_mutex_lock(&services->lock);
	while (!services->has_begun)
		pthread_cond_wait(&services->begun, &services->lock);
	pthread_mutex_unlock(&services->lock);
	if (services->begin_err && detail != NULL)
		*detail = services->begin_detail;
	return services->begin_err;
}

/* ---- made and freed ---- */

static void
name_services(struct run_services *services)
{
	static const char *const admin[] = {"flyteidl.service.AdminService", NULL};
	static const char *const dataproxy[] = {"flyteidl.service.DataProxyService", NULL};
	static const char *const run[] = {"union.v1.RunService", NULL};
	static const char *const attempt[] = {"union.v1.AttemptService", NULL};
	const struct rpc_service all[RUN_SERVICE_COUNT] = {
	        {.names = admin, .methods = admin_methods, .method_count = admin_method_count},
	        {.names = dataproxy,
	         .methods = dataproxy_methods,
	         .method_count = dataproxy_method_count},
	        {.names = run, .methods = run_methods, .method_count = run_method_count},
	        {.names = attempt,
	         .methods = attempt_methods,
	         .method_count = attempt_method_count},
	};

	for (size_t i = 0; i < RUN_SERVICE_COUNT; i++) {
		services->services[i] = all[i];
		services->services[i].ctx = services;
	}
	services->routes[0] = upload_route;
	services->routes[1] = bundle_route;
	for (size_t i = 0; i < RUN_ROUTE_COUNT; i++)
		services->routes[i].ctx = services;
}

static enum un_err
copy_texts(struct run_services *services, const struct run_services_options *options)
{
	size_t size = strlen(options->data_dir) + sizeof "/work";

	services->data_dir = mem_strdup(options->data_dir);
	services->launcher = mem_strdup(options->launcher);
	services->sdk_dir = mem_strdup(options->sdk_dir);
	services->endpoint = mem_strdup(options->endpoint);
	services->workdir = mem_alloc(size);
	if (services->data_dir == NULL || services->launcher == NULL ||
	    services->sdk_dir == NULL || services->endpoint == NULL || services->workdir == NULL)
		return UN_ERR_NO_MEMORY;
	(void)snprintf(services->workdir, size, "%s/work", options->data_dir);
	return UN_OK;
}

enum un_err
run_services_new(const struct run_services_options *options, struct run_services **ret_services,
                 struct un_detail *detail)
{
	struct run_services *services = mem_zalloc(1, sizeof *services);
	enum un_err err;

	if (services == NULL)
		return UN_ERR_NO_MEMORY;
	services->options = *options;
	services->logs_fd = -1;
	pthread_mutex_init(&services->lock, NULL);
	pthread_cond_init(&services->begun, NULL);
	name_services(services);
	err = copy_texts(services, options);
	if (!err)
		err = hub_new(&services->hub);
	if (!err)
		err = bundles_open(services->data_dir, &services->bundles, detail);
	if (!err)
		err = logs_open_dir(services->data_dir, &services->logs_fd, detail);
	if (!err)
		err = loop_new(&services->loop);
	if (!err)
		err = start(services, detail);
	if (err) {
		run_services_free(services);
		return err;
	}
	*ret_services = services;
	return UN_OK;
}

void
run_services_stop(struct run_services *services)
{
	hub_stop(services->hub);
}

void
run_services_free(struct run_services *services)
{
	if (services == NULL)
		return;
	if (services->started) {
		loop_stop(services->loop);
		pthread_join(services->thread, NULL);
	}
	loop_free(services->loop);
	io_close(&services->logs_fd);
	bundles_close(services->bundles);
	hub_free(services->hub);
	mem_free(services->data_dir);
	mem_free(services->launcher);
	mem_free(services->sdk_dir);
	mem_free(services->endpoint);
	mem_free(services->workdir);
	pthread_mutex_destroy(&services->lock);
	pthread_cond_destroy(&services->begun);
	mem_free(services);
}

const struct rpc_service *
run_services_service(const struct run_services *services, size_t index)
{
	return &services->services[index];
}

const struct http_route *
run_services_route(const struct run_services *services, size_t index)
{
	return &services->routes[index];
}

unsigned
run_services_active(const struct run_services *services)
{
	return runs_active_count(services->runs);
}

/* ---- jobs ---- */

static void
job_back(struct loop_task *task)
{
	struct run_job *job = task->ctx;

	if (!job->err)
		job->reply(job);
	else if (job->refuse != NULL)
		job->refuse(job);
	else
		rpc_fail(job->call, job->err, &job->detail);
}

void
run_job_done(struct run_job *job, enum un_err err, const struct un_detail *detail)
{
	job->err = err;
	if (err && detail != NULL && detail != &job->detail)
		job->detail = *detail;
	job->task = (struct loop_task){.fn = job_back, .ctx = job};
	rpc_call_post(job->call, &job->task);
}

static void
job_work(struct loop_task *task)
{
	struct run_job *job = task->ctx;
	bool later = false;
	enum un_err err = job->work(job, &later);

	if (!later)
		run_job_done(job, err, &job->detail);
}

struct run_job *
run_job_new(struct rpc_call *call, struct run_services *services, const ProtobufCMessage *request)
{
	struct run_job *job = rpc_alloc(call, sizeof *job);
	struct principal principal;

	if (job == NULL) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return NULL;
	}
	job->call = call;
	job->services = services;
	job->request = request;
	caller_principal(call, &principal);
	principal_format(&principal, job->principal);
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(call));
	return job;
}

void
run_job_post(struct run_job *job)
{
	job->task = (struct loop_task){.fn = job_work, .ctx = job};
	loop_post_task(job->services->loop, &job->task);
}

void
run_job_start(struct rpc_call *call, struct run_services *services,
              const ProtobufCMessage *request,
              enum un_err (*work)(struct run_job *job, bool *later),
              void (*reply)(struct run_job *job))
{
	struct run_job *job = run_job_new(call, services, request);

	if (job == NULL)
		return;
	job->work = work;
	job->reply = reply;
	run_job_post(job);
}

/* ---- what handlers share ---- */

struct store_view *
run_view(struct rpc_call *call)
{
	struct plane_worker *worker = rpc_worker(call);
	struct un_detail detail = {0};
	enum un_err err = store_read_begin(worker->reader, &detail);

	if (!err)
		return store_reader_view(worker->reader);
	rpc_fail(call, err, &detail);
	return NULL;
}

bool
run_name_of(struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
            struct runs_name *ret_name)
{
	struct un_detail detail = {0};
	enum un_err err;

	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the execution is not named");
		return false;
	}
	err = name_check_scope_part("project", id->project, &detail);
	if (!err)
		err = name_check_scope_part("domain", id->domain, &detail);
	if (!err)
		err = name_check_execution(id->name, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return false;
	}
	(void)snprintf(ret_name->at.project, sizeof ret_name->at.project, "%s", id->project);
	(void)snprintf(ret_name->at.domain, sizeof ret_name->at.domain, "%s", id->domain);
	(void)snprintf(ret_name->name, sizeof ret_name->name, "%s", id->name);
	return true;
}

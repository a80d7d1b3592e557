#include "services/plane_services.h"

#include "base/alloc.h"
#include "base/log.h"
#include "services/access_service.h"
#include "services/audit_service.h"
#include "services/authenticate.h"
#include "services/cluster_service.h"
#include "services/discovery.h"
#include "services/login.h"
#include "services/plane_service.h"
#include "services/rewrap.h"
#include "services/run_services.h"
#include "services/secret_service.h"

#include <stdio.h>

#define SERVICES_MAX 16
#define ROUTES_MAX (RUN_ROUTE_COUNT + DISCOVERY_ROUTE_COUNT + 1)

struct plane_services {
	struct plane *plane;
	struct secret_service *secrets;
	struct run_services *runs;
	struct rewrap *rewrap;
	struct login *login;
	struct loop_task start_rewrap; /* posted by workers, one at a time */
	struct loop_task check_key;
	atomic_bool rewrap_posted;
	atomic_bool check_posted;
	const struct rpc_service *offered[SERVICES_MAX];
	size_t offered_count;
	struct http_route routes[ROUTES_MAX];
	size_t route_count;
};

static void
on_rewrapped(void *ctx, uint32_t generation, uint64_t rewrapped)
{
	(void)ctx;
	log_notice("keeper", "%llu stored keys are under generation %u now",
	           (unsigned long long)rewrapped, generation);
}

static void
on_start_rewrap(struct loop_task *task)
{
	struct plane_services *services = task->ctx;

	atomic_store(&services->rewrap_posted, false);
	rewrap_start(services->rewrap);
}

void
plane_rewrap(struct plane *plane)
{
	struct plane_services *services = plane->services;

	if (!atomic_exchange(&services->rewrap_posted, true))
		loop_post_task(plane->loop, &services->start_rewrap);
}

static void
on_check_key(struct loop_task *task)
{
	struct plane_services *services = task->ctx;

	atomic_store(&services->check_posted, false);
	plane_remember_key(services->plane);
	rewrap_start(services->rewrap);
}

void
plane_unlocked(struct plane *plane)
{
	struct plane_services *services = plane->services;

	if (!atomic_exchange(&services->check_posted, true))
		loop_post_task(plane->loop, &services->check_key);
}

static enum un_err
open_rewrap(struct plane *plane, struct plane_services *services)
{
	const struct rewrap_options options = {
		.loop = plane->loop,
		.store = plane->store,
		.reader = plane->reader,
		.keeper = plane->links[plane->worker_count].client,
		.done = on_rewrapped,
		.ctx = services,
	};
	enum un_err err = rewrap_new(&options, &services->rewrap);

	if (err)
		return err;
	services->start_rewrap = (struct loop_task){.fn = on_start_rewrap, .ctx = services};
	services->check_key = (struct loop_task){.fn = on_check_key, .ctx = services};
	plane_rewrap(plane); /* what a stop has left undone */
	return UN_OK;
}

static enum un_err
open_runs(struct plane *plane, struct plane_services *services, struct un_detail *detail)
{
	char endpoint[PLANE_PATH_MAX];
	const struct run_services_options options = {
		.store = plane->store,
		.keeper = &plane->links[plane->worker_count + 1],
		.data_dir = plane->options.data_dir,
		.launcher = plane->options.launcher_path,
		.sdk_dir = plane->options.sdk_dir,
		.endpoint = endpoint,
		.environment = plane->options.launcher_environment,
		.slots = plane->parallel_tasks,
		.project_executions = plane->options.project_executions,
		.project_tasks = plane->options.project_tasks,
		.guard = plane->options.guard,
		.retention = plane->options.retention,
		.lost_after_s = plane->options.lost_after_s,
		.tasks = plane->options.tasks,
	};
	enum un_err err;

	(void)snprintf(endpoint, sizeof endpoint, "unix://%s", plane->options.listen_unix);
	err = run_services_new(&options, &services->runs, detail);
	if (err)
		return err;
	for (size_t i = 0; i < RUN_SERVICE_COUNT; i++)
		services->offered[services->offered_count++] =
			run_services_service(services->runs, i);
	for (size_t i = 0; i < RUN_ROUTE_COUNT; i++)
		services->routes[services->route_count++] = *run_services_route(services->runs, i);
	return UN_OK;
}

static enum un_err
open_login(struct plane_services *services)
{
	enum un_err err = login_new(services->plane->options.token_seconds, &services->login);

	if (err)
		return err;
	services->offered[services->offered_count++] = &access_service;
	services->offered[services->offered_count++] = &auth_metadata_service;
	services->offered[services->offered_count++] = &identity_service;
	for (size_t i = 0; i < DISCOVERY_ROUTE_COUNT; i++)
		services->routes[services->route_count++] = discovery_routes[i];
	services->routes[services->route_count] = login_route;
	services->routes[services->route_count++].ctx = services->login;
	return UN_OK;
}

enum un_err
plane_open_services(struct plane *plane, struct un_detail *detail)
{
	struct plane_services *services = mem_zalloc(1, sizeof *services);
	enum un_err err;

	if (!services)
		return UN_ERR_NO_MEMORY;
	plane->services = services;
	services->plane = plane;
	err = secret_service_new(&services->secrets);
	if (err)
		return err;
	services->offered[services->offered_count++] = secret_service_union(services->secrets);
	services->offered[services->offered_count++] = secret_service_classic(services->secrets);
	services->offered[services->offered_count++] = &plane_service;
	services->offered[services->offered_count++] = &cluster_service;
	services->offered[services->offered_count++] = &audit_service;
	err = open_login(services);
	if (err)
		return err;
	err = open_rewrap(plane, services);
	if (err)
		return err;
	return open_runs(plane, services, detail);
}

void
plane_close_services(struct plane *plane)
{
	struct plane_services *services = plane->services;

	if (!services)
		return;
	run_services_free(services->runs);
	(void)!loop_step(plane->loop, 0); /* runs what was posted: loop_free would, too late */
	rewrap_free(services->rewrap);
	login_free(services->login);
	secret_service_free(services->secrets);
	mem_free(services);
	plane->services = NULL;
}

void
plane_services_offer(struct plane *plane, struct server_options *options)
{
	options->services = plane->services->offered;
	options->service_count = plane->services->offered_count;
	options->routes = plane->services->routes;
	options->route_count = plane->services->route_count;
	options->authenticate = authenticate_call;
	options->is_welcome = authenticate_is_welcome;
	options->authenticate_ctx = plane->services->login;
	options->may_measure = plane->options.open_metrics ? NULL : authenticate_metrics;
}

unsigned
plane_active_runs(const struct plane *plane)
{
	return run_services_active(plane->services->runs);
}

void
plane_services_stop(struct plane *plane)
{
	run_services_stop(plane->services->runs);
}

struct login *
plane_login(const struct plane *plane)
{
	return plane->services->login;
}

enum un_err
plane_services_add_metrics(struct plane *plane, struct metrics *metrics)
{
	return login_add_metrics(plane->services->login, metrics);
}

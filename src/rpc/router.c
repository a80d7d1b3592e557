#include "rpc/call.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define TARGETS_MAX 4096

static uint32_t
hash_of(const char *path, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)path[i]) * 16777619u;
	return hash;
}

/* ---- making ---- */

static size_t
count_targets(const struct server_options *options)
{
	size_t count = 0;

	for (size_t i = 0; i < options->service_count; i++) {
		const struct rpc_service *service = options->services[i];

		for (size_t n = 0; service->names[n]; n++)
			count += service->method_count;
	}
	return count;
}

static enum un_err
add_metrics(struct rpc_target *target, struct metrics *metrics)
{
	struct metric_def seconds = {METRIC_HISTOGRAM, "union_rpc_seconds",
	                             "how long calls took, by method", NULL};
	struct metric_def active = {METRIC_GAUGE, "union_rpc_active",
	                            "calls that run now, by method", NULL};
	char labels[256];
	enum un_err err;

	(void)snprintf(labels, sizeof labels, "method=\"%s/%s\"", target->service->names[0],
	               target->method->name);
	seconds.labels = active.labels = labels;
	err = metrics_add(metrics, &seconds, &target->seconds);
	return err ? err : metrics_add(metrics, &active, &target->active);
}

static enum un_err
add_target(struct router *router, const struct rpc_service *service, const char *name,
           const struct rpc_method *method)
{
	size_t len = strlen(name) + strlen(method->name) + 3;
	struct rpc_target *target = &router->targets[router->target_count];
	size_t slot;

	target->path = mem_alloc(len);
	if (!target->path)
		return UN_ERR_NO_MEMORY;
	(void)snprintf(target->path, len, "/%s/%s", name, method->name);
	target->path_len = len - 1;
	target->hash = hash_of(target->path, target->path_len);
	target->service = service;
	target->service_name = name;
	target->method = method;
	router->target_count++;
	slot = target->hash & (router->table_len - 1);
	while (router->table[slot])
		slot = (slot + 1) & (router->table_len - 1);
	router->table[slot] = (uint16_t)router->target_count;
	return UN_OK;
}

static enum un_err
add_service(struct router *router, const struct rpc_service *service, struct metrics *metrics)
{
	for (size_t n = 0; service->names[n]; n++) {
		for (size_t m = 0; m < service->method_count; m++) {
			enum un_err err = add_target(router, service, service->names[n],
			                             &service->methods[m]);

			if (!err)
				err = add_metrics(&router->targets[router->target_count - 1],
				                  metrics);
			if (err)
				return err;
		}
	}
	return UN_OK;
}

enum un_err
router_init(struct router *router, const struct server_options *options, struct metrics *metrics)
{
	size_t count = count_targets(options);
	enum un_err err = UN_OK;

	*router = (struct router){.services = options->services,
	                          .service_count = options->service_count,
	                          .routes = {options->routes, health_routes},
	                          .route_count = {options->route_count, health_route_count}};
	if (count > TARGETS_MAX)
		return UN_ERR_TOO_LARGE;
	router->table_len = 64;
	while (router->table_len < count * 2)
		router->table_len *= 2;
	router->targets = mem_zalloc(count, sizeof *router->targets);
	router->table = mem_zalloc(router->table_len, sizeof *router->table);
	if (!router->targets || !router->table)
		err = UN_ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < options->service_count; i++)
		err = add_service(router, options->services[i], metrics);
	if (err)
		router_fini(router);
	return err;
}

void
router_fini(struct router *router)
{
	for (size_t i = 0; i < router->target_count; i++)
		mem_free(router->targets[i].path);
	mem_free(router->targets);
	mem_free(router->table);
	*router = (struct router){0};
}

/* ---- asking ---- */

static const struct rpc_target *
find_exact(const struct router *router, const char *path, size_t len)
{
	uint32_t hash = hash_of(path, len);
	size_t slot = hash & (router->table_len - 1);

	for (; router->table[slot]; slot = (slot + 1) & (router->table_len - 1)) {
		const struct rpc_target *target = &router->targets[router->table[slot] - 1];

		if (target->hash == hash && target->path_len == len &&
		    text_equal(target->path, path, len))
			return target;
	}
	return NULL;
}

static bool
has_suffix(const char *name, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	if (len < suffix_len || !text_equal(name + len - suffix_len, suffix, suffix_len))
		return false;
	return len == suffix_len || name[len - suffix_len - 1] == '.';
}

/* Services that are also served below any other package. */
static const struct rpc_target *
find_by_suffix(const struct router *router, const char *path, size_t len)
{
	const char *slash = memrchr(path, '/', len);
	char wanted[256];

	if (!slash || slash == path)
		return NULL;
	for (size_t i = 0; i < router->service_count; i++) {
		const struct rpc_service *service = router->services[i];
		int put;

		if (!service->suffix ||
		    !has_suffix(path + 1, (size_t)(slash - path) - 1, service->suffix))
			continue;
		put = snprintf(wanted, sizeof wanted, "/%s%.*s", service->names[0],
		               (int)(path + len - slash), slash);
		if (put > 0 && (size_t)put < sizeof wanted)
			return find_exact(router, wanted, (size_t)put);
	}
	return NULL;
}

const struct rpc_target *
router_find(const struct router *router, const char *path, size_t len)
{
	const struct rpc_target *target = find_exact(router, path, len);

	if (target || len > 200)
		return target;
	return find_by_suffix(router, path, len);
}

static bool
path_matches(const struct http_route *route, const char *path)
{
	size_t len = strlen(route->path);

	if (len && route->path[len - 1] == '/')
		return !strncmp(route->path, path, len);
	return !strcmp(route->path, path);
}

static bool
method_matches(const struct http_route *route, const char *method)
{
	return !strcmp(route->method, method) ||
	       (!strcmp(method, "HEAD") && !strcmp(route->method, "GET"));
}

const struct http_route *
router_find_route(const struct router *router, const char *method, const char *path,
                  bool *ret_other_method)
{
	*ret_other_method = false;
	for (size_t part = 0; part < 2; part++) {
		for (size_t i = 0; i < router->route_count[part]; i++) {
			const struct http_route *route = &router->routes[part][i];

			if (!path_matches(route, path))
				continue;
			if (method_matches(route, method))
				return route;
			*ret_other_method = true;
		}
	}
	return NULL;
}

/* The listeners of a plane, and everything that is served on them. */
#include "services/plane_impl.h"
#include "services/plane_services.h"

#include "net/address.h"

#define LISTENERS_MAX (1 + PLANE_PASSED_MAX + NET_ADDRESSES_MAX)

static bool
ready(void *ctx, struct un_detail *why)
{
	struct plane *plane = ctx;
	struct store_stats stats;

	if (keeper_supervisor_pid(plane->supervisor) == 0) {
		(void)un_fail(why, UN_ERR_UNREACHABLE, "the keeper is down");
		return false;
	}
	/* reads go on: whoever sends work elsewhere for it would stop them, too */
	store_stats(plane->store, &stats);
	if (stats.disk_full)
		(void)un_fail(why, UN_ERR_DISK_FULL,
		              "ready, but the disk is full: nothing can be written");
	return true;
}

static int64_t
probe_disk_full(void *ctx)
{
	const struct plane *plane = ctx;
	struct store_stats stats;

	store_stats(plane->store, &stats);
	return stats.disk_full;
}

static enum un_err
add_metrics(struct plane *plane, struct metrics *metrics)
{
	static const struct metric_def def = {
		METRIC_GAUGE, "union_store_disk_full",
		"1: a write found no room on the disk, and there is still too little", NULL};
	enum un_err err = metrics_add_probe(metrics, &def, probe_disk_full, plane);

	return err ? err : plane_services_add_metrics(plane, metrics);
}

/* The sockets that were passed in, then those to be opened. A Unix socket there is in any case:
 * launchers use it. */
static enum un_err
list_listeners(const struct plane_options *options, struct net_address addresses[NET_ADDRESSES_MAX],
               struct net_listener_config listeners[LISTENERS_MAX], size_t *ret_count,
               struct un_detail *detail)
{
	enum net_tls_mode tls = options->tls_certificate[0] ? NET_TLS_REQUIRED : NET_TLS_OFF;
	size_t count = 0, address_count = 0;
	enum un_err err = UN_OK;

	if (!options->unix_is_passed)
		listeners[count++] =
			(struct net_listener_config){.unix_path = options->listen_unix};
	for (size_t i = 0; i < options->passed_count; i++)
		listeners[count++] = (struct net_listener_config){
			.passed_fd = options->passed[i],
			.beyond_loopback = options->beyond_loopback,
			.tls_mode = net_is_unix(options->passed[i]) ? NET_TLS_OFF : tls};
	if (options->listen_tcp[0])
		err = net_addresses_parse(options->listen_tcp, addresses, &address_count, detail);
	for (size_t i = 0; !err && i < address_count; i++)
		listeners[count++] =
			(struct net_listener_config){.host = addresses[i].host,
		                                     .port = addresses[i].port,
		                                     .beyond_loopback = options->beyond_loopback,
		                                     .tls_mode = tls};
	*ret_count = count;
	return err;
}

enum un_err
plane_open_server(struct plane *plane,
                  enum un_err (*worker_init)(void *ctx, struct loop *loop, unsigned index,
                                             void **ret_worker),
                  void (*worker_fini)(void *ctx, void *worker), struct un_detail *detail)
{
	const struct plane_options *options = &plane->options;
	const struct tls_config tls = {
		.certificate_path = options->tls_certificate,
		.key_path = options->tls_key,
		.client_ca_path = options->tls_client_ca[0] ? options->tls_client_ca : NULL,
	};
	bool with_tls = options->tls_certificate[0] != '\0';
	struct net_listener_config listeners[LISTENERS_MAX];
	struct net_address addresses[NET_ADDRESSES_MAX];
	struct server_options server = {
		.listeners = listeners,
		.tls = with_tls ? &tls : NULL,
		.workers = plane->worker_count,
		.refused = audit_stranger,
		.worker_init = worker_init,
		.worker_fini = worker_fini,
		.worker_ctx = plane,
		.ready = ready,
		.ready_ctx = plane,
		.limits = options->limits,
	};
	enum un_err err;

	plane_services_offer(plane, &server);
	err = list_listeners(options, addresses, listeners, &server.listener_count, detail);
	if (err)
		return err;
	err = server_new(&server, &plane->server, detail);
	if (err)
		return err;
	return add_metrics(plane, server_metrics(plane->server));
}

void
plane_recheck_callers(struct plane *plane)
{
	server_recheck(plane->server);
}

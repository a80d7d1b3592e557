#include "rpc/server.h"

#include "rpc/call.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"

#include <sched.h>
#include <string.h>

#define JSON_REPLY_MAX (256u << 20)

/* Making a server and taking it apart; what happens between is in server.c. */

/* ---- what is counted below us, shown as metrics ---- */

static const struct {
	enum metric_kind kind;
	const char *name, *help, *labels;
} net_metrics[NET_COUNTS] = {
	[NET_ACCEPTED] = {METRIC_COUNTER, "union_net_connections_total", "connections accepted",
                          NULL},
	[NET_OPEN] = {METRIC_GAUGE, "union_net_connections", "connections open now", NULL},
	[NET_REQUESTS] = {METRIC_COUNTER, "union_net_requests_total", "requests of any kind", NULL},
	[NET_BYTES_IN] = {METRIC_COUNTER, "union_net_received_bytes_total", "bytes received", NULL},
	[NET_BYTES_OUT] = {METRIC_COUNTER, "union_net_sent_bytes_total", "bytes sent", NULL},
	[NET_TLS_FAILED] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"tls\""},
	[NET_LIMIT_CONNECTIONS] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                   "reason=\"connections\""},
	[NET_LIMIT_ADDRESS] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                               "reason=\"connections-per-address\""},
	[NET_LIMIT_PEER] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"peer\""},
	[NET_LIMIT_HEAD] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"head\""},
	[NET_LIMIT_TIME_FIRST] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                  "reason=\"first-byte-time\""},
	[NET_LIMIT_TIME_HEAD] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                 "reason=\"head-time\""},
	[NET_LIMIT_TIME_BODY] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                 "reason=\"body-time\""},
	[NET_LIMIT_TIME_IDLE] = {METRIC_COUNTER, "union_net_idle_closed_total",
                                 "connections closed because nothing happened", NULL},
	[NET_LIMIT_TIME_WRITE] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                  "reason=\"write-time\""},
	[NET_LIMIT_BODY] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"body\""},
	[NET_LIMIT_BODIES] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"bodies\""},
	[NET_LIMIT_OUTPUT] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"output\""},
	[NET_LIMIT_STREAMS] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                               "reason=\"streams\""},
	[NET_LIMIT_REQUESTS] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                                "reason=\"requests-per-connection\""},
	[NET_LIMIT_FLOOD] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"flood\""},
	[NET_LIMIT_HTTP2] = {METRIC_COUNTER, "union_net_refused_total", NULL, "reason=\"http2\""},
	[NET_BAD_REQUEST] = {METRIC_COUNTER, "union_net_refused_total", NULL,
                             "reason=\"bad-request\""},
};

static int64_t
probe(void *ctx)
{
	const struct net_probe *one = ctx;
	int64_t total = 0;

	for (unsigned i = 0; i < one->server->worker_count; i++)
		total += http_worker_count(one->server->workers[i].http, one->what);
	return total;
}

static enum un_err
add_probes(struct server *server)
{
	for (int i = 0; i < NET_COUNTS; i++) {
		const struct metric_def def = {
			net_metrics[i].kind, net_metrics[i].name,
			net_metrics[i].help ? net_metrics[i].help
					    : "connections and requests refused, by reason",
			net_metrics[i].labels};
		enum un_err err;

		server->probes[i] = (struct net_probe){server, (enum net_count)i};
		err = metrics_add_probe(server->metrics, &def, probe, &server->probes[i]);
		if (err)
			return err;
	}
	return UN_OK;
}

static int64_t
probe_expiry(void *ctx)
{
	return tls_server_expires_s(ctx);
}

static enum un_err
add_expiry(struct server *server)
{
	static const struct metric_def def = {METRIC_GAUGE, "union_tls_certificate_expires_seconds",
	                                      "when the certificate ends, in seconds since 1970",
	                                      NULL};

	return server->tls ? metrics_add_probe(server->metrics, &def, probe_expiry, server->tls)
	                   : UN_OK;
}

/* ---- making ---- */

static unsigned
processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);

	return count < 1 ? 1 : count > SERVER_WORKERS_MAX ? SERVER_WORKERS_MAX : (unsigned)count;
}

static enum un_err
copy_listeners(struct server *server)
{
	const struct server_options *options = &server->options;
	size_t count = options->listener_count;

	server->listeners = mem_zalloc(count, sizeof *server->listeners);
	server->fds = mem_zalloc(count * server->worker_count, sizeof *server->fds);
	if (!server->listeners || !server->fds)
		return UN_ERR_NO_MEMORY;
	memset(server->fds, 0xff, count * server->worker_count * sizeof *server->fds);
	for (size_t i = 0; i < count; i++) {
		struct net_listener_config *copy = &server->listeners[i];

		*copy = options->listeners[i];
		copy->unix_path = copy->unix_path ? mem_strdup(copy->unix_path) : NULL;
		copy->host = copy->host ? mem_strdup(copy->host) : NULL;
		if (!copy->unix_path != !options->listeners[i].unix_path ||
		    !copy->host != !options->listeners[i].host)
			return UN_ERR_NO_MEMORY;
	}
	return UN_OK;
}

/* Sockets that share a port share it with those of another process of this user, too, silently:
 * whether there is one shows only when the port is asked for alone. */
static enum un_err
port_is_free(const struct net_listener_config *config, struct un_detail *detail)
{
	enum un_err err;
	int fd = -1;

	if (!config->port)
		return UN_OK;
	err = net_listen(config, false, &fd, detail);
	io_close(&fd);
	return err;
}

/* A TCP port is opened once for each worker, so that the kernel spreads connections; everything
 * else is shared by all. */
static enum un_err
open_listeners(struct server *server, struct un_detail *detail)
{
	size_t count = server->options.listener_count;

	for (size_t i = 0; i < count; i++) {
		struct net_listener_config config = server->listeners[i];
		bool share = config.host && server->worker_count > 1;
		enum un_err err = share ? port_is_free(&config, detail) : UN_OK;

		if (!err)
			err = net_listen(&config, share, &server->fds[i], detail);
		if (err)
			return err;
		config.port = net_local_port(server->fds[i]);
		for (unsigned w = 1; share && w < server->worker_count; w++) {
			err = net_listen(&config, true, &server->fds[w * count + i], detail);
			if (err)
				return err;
		}
	}
	return UN_OK;
}

static enum un_err
make_worker(struct server *server, unsigned index)
{
	struct rpc_worker *worker = &server->workers[index];
	struct http_worker_options options = {.limits = &server->options.limits,
	                                      .app = &worker->app,
	                                      .tls = server->tls,
	                                      .crowd = server->crowd,
	                                      .shaker = server->shaker};
	enum un_err err;

	worker->server = server;
	worker->index = index;
	server_app(worker);
	buf_init(&worker->json, JSON_REPLY_MAX, BUF_WIPE);
	atomic_store(&worker->activity_ms, clock_mono_ms());
	err = loop_new(&worker->loop);
	if (err)
		return err;
	options.loop = worker->loop;
	return http_worker_new(&options, &worker->http);
}

static bool
wants_tls(const struct server_options *options)
{
	for (size_t i = 0; i < options->listener_count; i++) {
		if (options->listeners[i].tls_mode != NET_TLS_OFF)
			return true;
	}
	return false;
}

static enum un_err
fill(struct server *server, struct un_detail *detail)
{
	struct server_options *options = &server->options;
	enum un_err err = UN_OK;

	net_limits_fill(&options->limits);
	server->metrics = options->metrics;
	if (!server->metrics) {
		server->own_metrics = true;
		err = metrics_new(&server->metrics);
	}
	if (!err && wants_tls(options)) {
		if (!options->tls)
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "a listener wants TLS, and there is no certificate");
		err = tls_server_new(options->tls, &server->tls, detail);
		if (!err)
			err = shaker_new(server->worker_count, &server->shaker);
	}
	if (!err)
		err = crowd_new(&options->limits, &server->crowd);
	if (!err)
		err = router_init(&server->router, options, server->metrics);
	for (unsigned i = 0; !err && i < server->worker_count; i++)
		err = make_worker(server, i);
	if (!err)
		err = add_probes(server);
	if (!err)
		err = add_expiry(server);
	if (!err)
		err = copy_listeners(server);
	return err ? err : open_listeners(server, detail);
}

enum un_err
server_new(const struct server_options *options, struct server **ret_server,
           struct un_detail *detail)
{
	unsigned count = options->workers ? options->workers : processors();
	struct server *server;
	pthread_condattr_t attr;
	enum un_err err;

	if (count > SERVER_WORKERS_MAX)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%u workers are more than %d", count,
		               SERVER_WORKERS_MAX);
	server = mem_zalloc(1, sizeof *server + count * sizeof server->workers[0]);
	if (!server)
		return UN_ERR_NO_MEMORY;
	server->options = *options;
	server->worker_count = count;
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &attr);
	pthread_condattr_destroy(&attr);
	err = fill(server, detail);
	if (err) {
		server_free(server);
		return err;
	}
	*ret_server = server;
	return UN_OK;
}

/* ---- taking apart ---- */

static void
free_worker(struct rpc_worker *worker)
{
	http_worker_free(worker->http);
	if (worker->loop) {
		if (worker->draining)
			loop_hook_remove(worker->loop, &worker->drained);
		call_free_unused(worker);
		loop_free(worker->loop);
	}
	outq_fini(&worker->scratch);
	buf_fini(&worker->json);
}

void
server_close_sockets(struct server *server)
{
	size_t count = server->options.listener_count;

	for (size_t i = 0; server->fds && i < count * server->worker_count; i++)
		io_close(&server->fds[i]);
}

static void
close_listeners(struct server *server)
{
	size_t count = server->options.listener_count;

	server_close_sockets(server);
	for (size_t i = 0; server->listeners && i < count; i++) {
		mem_free((char *)(uintptr_t)server->listeners[i].unix_path);
		mem_free((char *)(uintptr_t)server->listeners[i].host);
	}
	mem_free(server->fds);
	mem_free(server->listeners);
}

static bool
has_calls(const struct server *server)
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		if (server->workers[i].calls)
			return true;
	}
	return false;
}

void
server_free(struct server *server)
{
	if (!server)
		return;
	server_stop(server);
	for (int i = 0; server->metrics && i < NET_COUNTS; i++)
		metrics_remove_probes(server->metrics, &server->probes[i]);
	if (server->metrics && server->tls)
		metrics_remove_probes(server->metrics, server->tls);
	if (has_calls(server))
		return; /* somebody still works on one and will come back to it: it must be there */
	if (server->shaker)
		shaker_stop(server->shaker);
	for (unsigned i = 0; i < server->worker_count; i++)
		free_worker(&server->workers[i]);
	shaker_free(server->shaker);
	close_listeners(server);
	router_fini(&server->router);
	tls_server_free(server->tls);
	crowd_free(server->crowd);
	if (server->own_metrics)
		metrics_free(server->metrics);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	mem_free(server);
}

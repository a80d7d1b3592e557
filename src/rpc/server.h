/* server.h - listeners, workers, services and routes made into one server.
 *
 * A server has N worker threads, each with its own loop and its own connections; a connection never
 * moves. Functions here are called from the thread that owns the server, except where noted. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "base/err.h"
#include "net/limit.h"
#include "net/listener.h"
#include "net/loop.h"
#include "rpc/metrics.h"
#include "rpc/service.h"
#include "rpc/web.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_WORKERS_MAX 64

struct server;
struct web_call;

/* Everything pointed to is lent until server_free, except listeners (copied). */
struct server_options {
	const struct net_listener_config *listeners;
	size_t listener_count;
	const struct tls_config *tls; /* NULL unless a listener's tls_mode wants it */
	unsigned workers;             /* 0: one for each processor this process may use */
	const struct rpc_service *const *services;
	size_t service_count;
	/* /healthz, /readyz and /metrics are served in any case; these come first. */
	const struct http_route *routes;
	size_t route_count;
	rpc_authenticate authenticate; /* NULL: nobody is asked */
	void *authenticate_ctx;
	/* For server_recheck, with authenticate_ctx: may who was let in go on? NULL: she may. */
	bool (*is_welcome)(const struct rpc_call *call, void *ctx);
	/* Told of each call that was refused so, before it is answered; NULL is fine. */
	void (*refused)(struct rpc_call *call, enum un_err err);
	/* On each worker's thread before it serves, and after its last call ended. NULL is fine.
	 * *ret_worker is what rpc_worker() and web_worker() give. */
	enum un_err (*worker_init)(void *ctx, struct loop *loop, unsigned index, void **ret_worker);
	void (*worker_fini)(void *ctx, void *worker);
	void *worker_ctx;
	/* Who may read /metrics; NULL: everybody. */
	enum un_err (*may_measure)(struct web_call *call, void *ctx,
	                           struct un_detail *detail);
	void *measure_ctx;
	/* For /readyz, on any worker's thread; writes why not to `why`, or what should be known
	 * although it is ready. NULL: ready while serving. */
	bool (*ready)(void *ctx, struct un_detail *why);
	void *ready_ctx;
	struct metrics *metrics; /* NULL: the server makes its own */
	struct net_limits limits;
};

/* Opens the listeners (connections queue from here on) and makes the workers; nothing is served
 * yet. */
MUST_CHECK enum un_err server_new(const struct server_options *options, struct server **ret_server,
                                  struct un_detail *detail);
/* Starts the workers' threads and returns when all have run worker_init. */
MUST_CHECK enum un_err server_start(struct server *server, struct un_detail *detail);
/* No new connections and calls; what runs may go on for `grace_ms`, then it is cancelled. Returns
 * when no call is left or the time is over. */
void server_drain(struct server *server, int grace_ms);
/* Drains without grace if server_drain was not called, ends the threads, closes all sockets. Calls
 * that handlers have not ended 5 s after their cancellation are reported and abandoned. */
void server_stop(struct server *server);
void server_free(struct server *server); /* stops first; NULL is fine */

uint16_t server_port(const struct server *server, size_t listener); /* of a TCP listener */
unsigned server_workers(const struct server *server);
struct loop *server_worker_loop(const struct server *server, unsigned worker); /* any thread */
struct metrics *server_metrics(const struct server *server);
/* Any thread: calls that run now, and when the last one began or ended (clock_mono_ms). Health and
 * metrics requests do not count. */
unsigned server_active_calls(const struct server *server);
int64_t server_last_activity_ms(const struct server *server);
/* Asks is_welcome for every stream that runs, and ends those of who is not, with
 * UN_ERR_UNAUTHENTICATED. Any thread; it happens soon after. */
void server_recheck(struct server *server);
/* Reads certificate and key again. Any thread. */
MUST_CHECK enum un_err server_reload_tls(struct server *server, struct un_detail *detail);

#endif

#include "rpc/server.h"

#include "rpc/call.h"

#include "base/log.h"

#include <time.h>

#define START_MS (60 * 1000)
#define LAST_BYTES_MS 500 /* for the answers of cancelled calls to leave */
#define ABANDON_MS 5000   /* what handlers have after their calls were cancelled */

/* ---- what the connections say ---- */

static void
on_head(struct http_stream *stream, void *ctx)
{
	struct rpc_worker *worker = ctx;
	const struct rpc_target *target;

	if (http_repeated(stream)) {
		web_refuse_repeated(stream);
		return;
	}
	target = router_find(&worker->server->router, http_path(stream), http_path_len(stream));

	if (target)
		call_on_head(stream, worker, target);
	else
		web_on_head(stream, worker);
}

static void
on_body(struct http_stream *stream, void *ctx, const uint8_t *bytes, size_t len)
{
	struct exchange *exchange = http_state(stream);

	(void)ctx;
	if (!exchange)
		return;
	if (exchange->kind == EXCHANGE_RPC)
		call_on_body((struct rpc_call *)exchange, bytes, len);
	else
		web_on_body((struct web_call *)exchange, bytes, len);
}

static void
on_end(struct http_stream *stream, void *ctx)
{
	struct exchange *exchange = http_state(stream);

	(void)ctx;
	if (!exchange)
		return;
	if (exchange->kind == EXCHANGE_RPC)
		call_on_end((struct rpc_call *)exchange);
	else
		web_on_end((struct web_call *)exchange);
}

static void
on_writable(struct http_stream *stream, void *ctx)
{
	struct exchange *exchange = http_state(stream);

	(void)ctx;
	if (!exchange)
		return;
	if (exchange->kind == EXCHANGE_RPC)
		call_on_writable((struct rpc_call *)exchange);
	else
		web_on_writable((struct web_call *)exchange);
}

static void
on_close(struct http_stream *stream, void *ctx)
{
	struct exchange *exchange = http_state(stream);

	(void)ctx;
	if (!exchange)
		return;
	http_set_state(stream, NULL);
	if (exchange->kind == EXCHANGE_RPC)
		call_on_close((struct rpc_call *)exchange);
	else
		web_on_close((struct web_call *)exchange);
}

void
server_app(struct rpc_worker *worker)
{
	worker->app = (struct http_app){.on_head = on_head,
	                                .on_body = on_body,
	                                .on_end = on_end,
	                                .on_writable = on_writable,
	                                .on_close = on_close,
	                                .ctx = worker};
}

/* ---- a worker's thread ---- */

static enum un_err
worker_listen(struct rpc_worker *worker)
{
	struct server *server = worker->server;
	size_t count = server->options.listener_count;

	for (size_t i = 0; i < count; i++) {
		int fd = server->fds[worker->index * count + i];
		enum un_err err = http_worker_listen(worker->http, fd < 0 ? server->fds[i] : fd,
		                                     &server->listeners[i]);

		if (err)
			return err;
	}
	return UN_OK;
}

static void
tell(struct rpc_worker *worker, enum worker_stage stage)
{
	struct server *server = worker->server;

	pthread_mutex_lock(&server->lock);
	worker->stage = stage;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void *
worker_main(void *ctx)
{
	struct rpc_worker *worker = ctx;
	const struct server_options *options = &worker->server->options;
	enum un_err err = UN_OK;

	if (options->worker_init)
		err = options->worker_init(options->worker_ctx, worker->loop, worker->index,
		                           &worker->state);
	worker->outcome = err;
	tell(worker, err ? WORKER_OVER : WORKER_READY);
	if (err)
		return NULL;
	err = loop_run(worker->loop);
	if (err)
		log_error("rpc", "worker %u stopped: %s", worker->index, un_err_text(err));
	http_worker_close_all(worker->http);
	if (worker->calls)
		log_error("rpc", "worker %u stops with calls that were never ended", worker->index);
	if (options->worker_fini)
		options->worker_fini(options->worker_ctx, worker->state);
	tell(worker, WORKER_OVER);
	return NULL;
}

static void
begin(struct loop_task *task)
{
	struct rpc_worker *worker = task->ctx;

	worker->outcome = worker_listen(worker);
	tell(worker, worker->outcome ? WORKER_OVER : WORKER_SERVING);
}

/* ---- draining, on the worker's thread ---- */

/* First what still runs is cancelled; a little later nobody waits any more for readers that take
 * nothing. */
static void
grace_over(struct loop_timer *timer)
{
	struct rpc_worker *worker = timer->ctx;

	worker->hurry = worker->cancelled;
	worker->cancelled = true;
	call_cancel_all(worker);
	if (!worker->hurry &&
	    loop_timer_set(worker->loop, timer, loop_now_ms(worker->loop) + LAST_BYTES_MS))
		worker->hurry = true;
}

/* At the end of an iteration: is there anything left to wait for? */
static void
look_if_drained(struct loop_hook *hook)
{
	struct rpc_worker *worker = hook->ctx;

	if (worker->stage == WORKER_DRAINED || worker->calls ||
	    (!worker->hurry && http_worker_busy(worker->http)))
		return;
	loop_timer_cancel(worker->loop, &worker->grace);
	tell(worker, WORKER_DRAINED);
}

static void
drain(struct loop_task *task)
{
	struct rpc_worker *worker = task->ctx;
	int64_t due = loop_now_ms(worker->loop) + worker->server->grace_ms;

	worker->draining = true;
	http_worker_drain(worker->http);
	tell(worker, WORKER_DEAF);
	worker->drained = (struct loop_hook){.fn = look_if_drained, .ctx = worker};
	loop_hook_add(worker->loop, &worker->drained);
	worker->grace = (struct loop_timer){.fn = grace_over, .ctx = worker};
	if (loop_timer_set(worker->loop, &worker->grace, due))
		call_cancel_all(worker);
}

/* ---- the owner's side ---- */

static bool
all_at(struct server *server, enum worker_stage stage)
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		if (server->workers[i].stage < stage)
			return false;
	}
	return true;
}

/* Until every worker is at `stage` or beyond, or the deadline has passed. */
static bool
wait_for(struct server *server, enum worker_stage stage, int timeout_ms)
{
	struct timespec until;
	bool there;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&server->lock);
	while (!(there = all_at(server, stage))) {
		if (pthread_cond_timedwait(&server->changed, &server->lock, &until))
			break;
	}
	pthread_mutex_unlock(&server->lock);
	return there;
}

static void
ask_all(struct server *server, void (*fn)(struct loop_task *task))
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		struct rpc_worker *worker = &server->workers[i];

		worker->task = (struct loop_task){.fn = fn, .ctx = worker};
		loop_post_task(worker->loop, &worker->task);
	}
}

static void
recheck(struct loop_task *task)
{
	struct rpc_worker *worker = task->ctx;

	atomic_store(&worker->recheck_posted, false);
	call_recheck_all(worker);
}

void
server_recheck(struct server *server)
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		struct rpc_worker *worker = &server->workers[i];

		if (atomic_exchange(&worker->recheck_posted, true))
			continue;
		worker->recheck = (struct loop_task){.fn = recheck, .ctx = worker};
		loop_post_task(worker->loop, &worker->recheck);
	}
}

static enum un_err
outcome_of(const struct server *server, const char *what, struct un_detail *detail)
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		enum un_err err = server->workers[i].outcome;

		if (err)
			return un_fail(detail, err, "%s: %s", what, un_err_text(err));
	}
	return UN_OK;
}

enum un_err
server_start(struct server *server, struct un_detail *detail)
{
	enum un_err err;

	server->started = true;
	for (unsigned i = 0; i < server->worker_count; i++) {
		struct rpc_worker *worker = &server->workers[i];
		int failed = pthread_create(&worker->thread, NULL, worker_main, worker);

		if (failed) {
			server_stop(server);
			return un_fail_errno(detail, failed, "cannot start a thread");
		}
		worker->running = true;
	}
	(void)wait_for(server, WORKER_READY, START_MS);
	err = outcome_of(server, "a worker cannot start", detail);
	if (!err) {
		ask_all(server, begin);
		(void)wait_for(server, WORKER_SERVING, START_MS);
		err = outcome_of(server, "a worker cannot listen", detail);
	}
	if (err) {
		server_stop(server);
		return err;
	}
	atomic_store(&server->serving, true);
	return UN_OK;
}

void
server_drain(struct server *server, int grace_ms)
{
	if (!atomic_exchange(&server->serving, false))
		return;
	server->grace_ms = grace_ms;
	ask_all(server, drain);
	/* from here on nobody waits in a queue that is not served any more; a service manager has
	 * its own descriptors of sockets that it passed */
	if (wait_for(server, WORKER_DEAF, ABANDON_MS))
		server_close_sockets(server);
	(void)wait_for(server, WORKER_DRAINED, grace_ms + ABANDON_MS);
}

void
server_stop(struct server *server)
{
	if (!server->started || server->stopped)
		return;
	server->stopped = true;
	server_drain(server, 0);
	for (unsigned i = 0; i < server->worker_count; i++)
		loop_stop(server->workers[i].loop);
	for (unsigned i = 0; i < server->worker_count; i++) {
		if (server->workers[i].running)
			(void)pthread_join(server->workers[i].thread, NULL);
		server->workers[i].running = false;
	}
}

uint16_t
server_port(const struct server *server, size_t listener)
{
	return net_local_port(server->fds[listener]);
}

unsigned
server_workers(const struct server *server)
{
	return server->worker_count;
}

struct loop *
server_worker_loop(const struct server *server, unsigned worker)
{
	return server->workers[worker].loop;
}

struct metrics *
server_metrics(const struct server *server)
{
	return server->metrics;
}

unsigned
server_active_calls(const struct server *server)
{
	unsigned total = 0;

	for (unsigned i = 0; i < server->worker_count; i++)
		total += atomic_load_explicit(&server->workers[i].active, memory_order_relaxed);
	return total;
}

int64_t
server_last_activity_ms(const struct server *server)
{
	int64_t last = 0;

	for (unsigned i = 0; i < server->worker_count; i++) {
		int64_t at =
			atomic_load_explicit(&server->workers[i].activity_ms, memory_order_relaxed);

		last = at > last ? at : last;
	}
	return last;
}

enum un_err
server_reload_tls(struct server *server, struct un_detail *detail)
{
	return server->tls ? tls_server_reload(server->tls, detail) : UN_OK;
}

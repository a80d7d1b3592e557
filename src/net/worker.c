#include "net/conn.h"
#include "net/tcp_owner.h"
#include "net/unix.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_MAX 4        /* at once, so that workers share what comes to a Unix socket */
#define ACCEPT_US 500       /* at once of a TCP port, whose queue belongs to one worker */
#define ACCEPT_PAUSE_MS 100 /* after running out of descriptors */
#define KEEPALIVE_S 30

struct listening {
	struct listening *next;
	struct http_worker *worker;
	const struct net_listener_config *config;
	struct loop_watch watch;
	struct loop_timer again;
};

static void
set_tcp_options(int fd)
{
	int one = 1, idle = KEEPALIVE_S, count = 4;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void
format_address(const struct sockaddr_storage *from, struct net_peer *peer)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		(void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		(void)snprintf(peer->address, sizeof peer->address, "%s:%u", host,
		               ntohs(in->sin_port));
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;

		(void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
		(void)snprintf(peer->address, sizeof peer->address, "[%s]:%u", host,
		               ntohs(in->sin6_port));
	}
}

static bool
is_loopback(const struct sockaddr_storage *from)
{
	const struct in6_addr *in6;

	if (from->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)from)->sin_addr.s_addr) >> 24 == 127;
	if (from->ss_family != AF_INET6)
		return false;
	in6 = &((const struct sockaddr_in6 *)from)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

static bool
unix_is_allowed(const struct net_listener_config *config, const struct net_peer *peer)
{
	if (config->allow)
		return config->allow(config->allow_ctx, peer);
	return peer->uid == geteuid() || peer->uid == 0;
}

/* One IPv4 address is one place; of IPv6 a household has a /64; this machine's users are told
 * apart. */
static void
set_origin(const struct sockaddr_storage *from, struct net_peer *peer)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (peer->uid != (uid_t)-1) {
		memset(peer->origin, 0xff, sizeof peer->origin);
		memcpy(peer->origin, &peer->uid, sizeof peer->uid);
	} else if (from->ss_family == AF_INET) {
		memcpy(peer->origin, mapped, sizeof mapped);
		memcpy(peer->origin + sizeof mapped, &((const struct sockaddr_in *)from)->sin_addr,
		       4);
	} else if (from->ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)from)->sin6_addr;

		memcpy(peer->origin, in6, IN6_IS_ADDR_V4MAPPED(in6) ? 16 : 8);
	}
}

/* Who is there; false: nobody who may connect. */
static bool
identify(struct listening *from, int fd, const struct sockaddr_storage *address,
         struct net_peer *peer)
{
	if (address->ss_family == AF_UNIX)
		return !net_unix_peer(fd, peer) && unix_is_allowed(from->config, peer);
	set_tcp_options(fd);
	format_address(address, peer);
	if (is_loopback(address) && net_tcp_owner(fd, &peer->uid))
		peer->uid = (uid_t)-1;
	set_origin(address, peer);
	return true;
}

static void
took_connection(struct listening *from, int fd, const struct sockaddr_storage *address)
{
	struct http_worker *worker = from->worker;
	struct net_peer peer = {.family = NET_TCP, .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1};
	struct crowd_place *place = NULL;
	enum crowd_verdict verdict;

	worker_count(worker, NET_ACCEPTED, 1);
	if (!identify(from, fd, address, &peer)) {
		worker_count(worker, NET_LIMIT_PEER, 1);
		close(fd);
		return;
	}
	verdict = crowd_enter(worker->crowd, &peer, peer.uid == geteuid() || peer.uid == 0, &place);
	if (verdict != CROWD_IN) {
		worker_count(worker,
		             verdict == CROWD_FULL ? NET_LIMIT_CONNECTIONS : NET_LIMIT_ADDRESS, 1);
		close(fd);
		return;
	}
	conn_new(worker, fd, &peer, place, from->config->tls_mode);
}

static void
accept_again(struct loop_timer *timer)
{
	struct listening *from = timer->ctx;
	struct loop *loop = from->worker->loop;

	if (!loop_watch_add(loop, &from->watch))
		return;
	if (loop_timer_set(loop, timer, loop_now_ms(loop) + ACCEPT_PAUSE_MS))
		log_error("net", "a listener is lost: %s", un_err_text(UN_ERR_NO_MEMORY));
}

static void
acceptable(struct loop_watch *watch, uint32_t events)
{
	struct listening *from = watch->ctx;
	struct loop *loop = from->worker->loop;
	int64_t until_us = from->config->tls_mode == NET_TLS_OFF ? 0 : clock_mono_us() + ACCEPT_US;

	/* who is too many must be told soon: those behind them in the queue wait */
	for (int i = 0; i < ACCEPT_MAX || clock_mono_us() < until_us; i++) {
		struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof address;
		int fd = accept4(watch->fd, (struct sockaddr *)&address, &len,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			took_connection(from, fd, &address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* it would fire at once again: look away for a moment */
			worker_count(from->worker, NET_LIMIT_CONNECTIONS, 1);
			if (!loop_timer_set(loop, &from->again,
			                    loop_now_ms(loop) + ACCEPT_PAUSE_MS))
				loop_watch_remove(loop, watch);
		}
		return;
	}
	(void)events;
}

enum un_err
http_worker_listen(struct http_worker *worker, int fd, const struct net_listener_config *config)
{
	struct listening *listening = mem_zalloc(1, sizeof *listening);
	enum un_err err;

	if (!listening)
		return UN_ERR_NO_MEMORY;
	listening->worker = worker;
	listening->config = config;
	listening->again = (struct loop_timer){.fn = accept_again, .ctx = listening};
	listening->watch = (struct loop_watch){
		.fd = fd, .events = EPOLLIN | EPOLLEXCLUSIVE, .fn = acceptable, .ctx = listening};
	err = loop_watch_add(worker->loop, &listening->watch);
	if (err) {
		mem_free(listening);
		return err;
	}
	listening->next = worker->listening;
	worker->listening = listening;
	return UN_OK;
}

static void
flush_hook(struct loop_hook *hook)
{
	struct http_worker *worker = hook->ctx;

	conn_flush_all(worker);
	if (worker->dirty && !worker->again_queued) {
		worker->again_queued = true;
		loop_post_task(worker->loop, &worker->again);
	}
}

static void
again_run(struct loop_task *task)
{
	struct http_worker *worker = task->ctx;

	worker->again_queued = false;
}

enum un_err
http_worker_new(const struct http_worker_options *options, struct http_worker **ret_worker)
{
	struct http_worker *worker = mem_zalloc(1, sizeof *worker);

	if (!worker)
		return UN_ERR_NO_MEMORY;
	worker->loop = options->loop;
	worker->limits = options->limits;
	worker->app = options->app;
	worker->tls = options->tls;
	worker->crowd = options->crowd;
	worker->shaker = options->shaker;
	worker->flush = (struct loop_hook){.fn = flush_hook, .ctx = worker};
	worker->again = (struct loop_task){.fn = again_run, .ctx = worker};
	loop_hook_add(worker->loop, &worker->flush);
	*ret_worker = worker;
	return UN_OK;
}

static void
stop_listening(struct http_worker *worker)
{
	while (worker->listening) {
		struct listening *listening = worker->listening;

		worker->listening = listening->next;
		loop_watch_remove(worker->loop, &listening->watch);
		loop_timer_cancel(worker->loop, &listening->again);
		mem_free(listening);
	}
}

void
http_worker_drain(struct http_worker *worker)
{
	worker->draining = true;
	stop_listening(worker);
	for (struct conn *conn = worker->conns; conn; conn = conn->next) {
		conn->draining = true;
		if (conn->stage == CONN_OPEN)
			conn->proto->drain(conn);
		else if (conn->stage == CONN_FIRST)
			conn->dying = true;
		conn_mark(conn);
	}
}

void
http_worker_close_all(struct http_worker *worker)
{
	for (struct conn *conn = worker->conns; conn; conn = conn->next)
		conn_close(conn);
	while (worker->dirty)
		conn_flush_all(worker);
}

bool
http_worker_busy(const struct http_worker *worker)
{
	for (const struct conn *conn = worker->conns; conn; conn = conn->next) {
		if (conn->stage != CONN_LINGER && (conn->streams || outq_len(&conn->out)))
			return true;
	}
	return worker->dirty != NULL;
}

unsigned
http_worker_open(const struct http_worker *worker)
{
	return worker->conn_count;
}

void
http_worker_free(struct http_worker *worker)
{
	if (!worker)
		return;
	stop_listening(worker);
	http_worker_close_all(worker);
	/* takes our tasks out of the queue: the shaker has posted its last by now */
	while (worker->again_queued || worker->shaking) {
		if (loop_step(worker->loop, 0))
			return;
	}
	loop_hook_remove(worker->loop, &worker->flush);
	stream_free_unused(worker);
	pool_fini(&worker->pool);
	explicit_bzero(worker->read_buf, sizeof worker->read_buf);
	mem_free(worker);
}

struct loop *
http_worker_loop(const struct http_worker *worker)
{
	return worker->loop;
}

const struct net_limits *
http_worker_limits(const struct http_worker *worker)
{
	return worker->limits;
}

int64_t
http_worker_count(const struct http_worker *worker, enum net_count what)
{
	return atomic_load_explicit(&worker->counts[what], memory_order_relaxed);
}

const char *
worker_date(struct http_worker *worker)
{
	int64_t second = clock_wall_us() / 1000000;
	time_t now = (time_t)second;
	struct tm parts;

	if (second != worker->date_s && gmtime_r(&now, &parts)) {
		worker->date_s = second;
		(void)strftime(worker->date, sizeof worker->date, "%a, %d %b %Y %H:%M:%S GMT",
		               &parts);
	}
	return worker->date;
}

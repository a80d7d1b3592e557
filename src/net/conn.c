#include "net/conn.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 2000
#define OUT_KEEP (16u << 10) /* of an idle connection's output buffer */
#define PREFACE "PRI "
#define TLS_HEAD_LEN 5
#define TLS_RECORD_MAX 16640 /* 2^14 + 256 */

static int64_t
now_ms(const struct conn *conn)
{
	return loop_now_ms(conn->worker->loop);
}

void
conn_mark(struct conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	conn->next_dirty = conn->worker->dirty;
	conn->worker->dirty = conn;
}

void
conn_close(struct conn *conn)
{
	conn->dying = true;
	conn_mark(conn);
}

static void
watch_update(struct conn *conn)
{
	bool wants_out = outq_len(&conn->out) > 0 || conn->tls_wants_write;
	uint32_t events = (conn->paused ? EPOLLRDHUP : EPOLLIN) | (wants_out ? EPOLLOUT : 0u);

	if (conn->dying || conn->shaking)
		return;
	if (wants_out && !(conn->watch.events & EPOLLOUT))
		conn->wrote_ms = now_ms(conn); /* the waiting begins now */
	if (loop_watch_set(conn->worker->loop, &conn->watch, events))
		conn_close(conn);
}

void
conn_set_paused(struct conn *conn, bool paused)
{
	if (conn->paused == paused)
		return;
	conn->paused = paused;
	watch_update(conn);
}

/* ---- time ---- */

static int64_t
conn_due_ms(struct conn *conn, enum net_count *ret_limit)
{
	const struct net_limits *limits = conn->worker->limits;
	int64_t due;

	*ret_limit = NET_LIMIT_TIME_FIRST;
	switch (conn->stage) {
	case CONN_FIRST:
	case CONN_SHAKE:
	case CONN_SNIFF:
		return conn->since_ms + limits->first_byte_ms;
	case CONN_LINGER:
		*ret_limit = NET_COUNTS; /* nothing to count */
		return conn->since_ms + LINGER_MS;
	case CONN_OPEN:
		break;
	}
	due = conn->proto->due_ms(conn, ret_limit);
	if (outq_len(&conn->out) && conn->wrote_ms + limits->write_ms < due) {
		*ret_limit = NET_LIMIT_TIME_WRITE;
		due = conn->wrote_ms + limits->write_ms;
	}
	return due;
}

void
conn_arm(struct conn *conn)
{
	enum net_count limit;
	int64_t due = conn_due_ms(conn, &limit);

	if (conn->timer.place && conn->timer.due_ms <= due)
		return;
	if (due == INT64_MAX)
		due = now_ms(conn) + conn->worker->limits->idle_ms;
	if (loop_timer_set(conn->worker->loop, &conn->timer, due))
		conn_close(conn);
}

static void
timer_fired(struct loop_timer *timer)
{
	struct conn *conn = timer->ctx;
	enum net_count limit;

	if (conn->dying)
		return;
	if (conn_due_ms(conn, &limit) <= now_ms(conn)) {
		bool stuck = outq_len(&conn->out) &&
		             conn->wrote_ms + conn->worker->limits->write_ms <= now_ms(conn);

		if (limit != NET_COUNTS)
			worker_count(conn->worker, limit, 1);
		if (stuck || conn->stage != CONN_OPEN || !conn->proto->late(conn)) {
			conn_close(conn);
			return;
		}
	}
	conn_arm(conn);
}

/* ---- input ---- */

/* The other side ended: what was answered is still written, what was not is given up. */
static void
peer_ended(struct conn *conn)
{
	conn->peer_ended = true;
	conn->closing = true;
	if (conn->stage != CONN_OPEN) {
		conn_close(conn);
		return;
	}
	for (struct http_stream *stream = conn->streams, *next; stream; stream = next) {
		next = stream->next;
		if (!stream->finished)
			http_abort(stream);
	}
	conn_mark(conn);
}

static enum un_err
open_proto(struct conn *conn, const struct conn_proto *proto)
{
	enum un_err err;

	conn->stage = CONN_OPEN;
	conn->proto = proto;
	err = proto->start(conn);
	if (!err && conn->draining)
		proto->drain(conn);
	return err;
}

/* HTTP/2 begins with "PRI "; no method we know of HTTP/1.1 does. */
static enum un_err
sniff(struct conn *conn, const uint8_t *bytes, size_t len)
{
	size_t have, wanted = sizeof PREFACE - 1;
	enum un_err err = outq_put(&conn->in, bytes, len);
	struct outq in;
	bool is_h2;

	if (err)
		return err;
	have = outq_len(&conn->in) < wanted ? outq_len(&conn->in) : wanted;
	is_h2 = text_equal(outq_peek(&conn->in), PREFACE, have);
	if (is_h2 && have < wanted)
		return UN_OK;
	in = conn->in;
	conn->in = (struct outq){0};
	err = open_proto(conn, is_h2 ? &conn_h2 : &conn_h1);
	if (!err)
		err = conn->proto->input(conn, outq_peek(&in), outq_len(&in));
	outq_fini(&in);
	return err;
}

static void
took(struct conn *conn, uint8_t *bytes, size_t len)
{
	enum un_err err = UN_OK;

	conn->read_ms = now_ms(conn);
	worker_count(conn->worker, NET_BYTES_IN, (int64_t)len);
	if (conn->stage == CONN_FIRST)
		conn->stage = CONN_SNIFF;
	if (conn->stage == CONN_SNIFF)
		err = sniff(conn, bytes, len);
	else if (conn->stage == CONN_OPEN && !conn->closing)
		err = conn->proto->input(conn, bytes, len);
	explicit_bzero(bytes, len);
	if (err) {
		conn->closing = true;
		conn_mark(conn);
	}
}

static enum un_err
read_some(struct conn *conn, size_t *ret_len)
{
	uint8_t *buf = conn->worker->read_buf;
	ssize_t got;

	if (conn->tls)
		return tls_conn_read(conn->tls, buf, CONN_READ_LEN, ret_len);
	got = recv(conn->watch.fd, buf, CONN_READ_LEN, 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? UN_ERR_AGAIN : UN_ERR_IO;
	*ret_len = (size_t)got;
	return UN_OK;
}

static void
readable(struct conn *conn)
{
	do {
		size_t len = 0;
		enum un_err err = read_some(conn, &len);

		if (err == UN_ERR_AGAIN)
			return;
		if (err) {
			conn_close(conn);
			return;
		}
		if (!len) {
			peer_ended(conn);
			return;
		}
		took(conn, conn->worker->read_buf, len);
	} while (conn->tls && !conn->dying && !conn->paused && tls_conn_pending(conn->tls));
}

/* A handshake costs as much as a hundred requests, and a flood of requests as much as the one who
 * sends it likes: both wait for those who are in and ask for little. */
static enum loop_lane
lane_of(const struct conn *conn, int64_t now_us)
{
	if (crowd_is_heavy(conn->place, now_us))
		return LOOP_LATER;
	return conn->stage <= CONN_SHAKE && conn->tls_mode != NET_TLS_OFF ? LOOP_SOON : LOOP_NOW;
}

/* After an alert: closed at once, with bytes unread, the kernel would reset the connection, and the
 * other side never learn that its certificate is not accepted. */
static void
part(struct conn *conn)
{
	if (shutdown(conn->watch.fd, SHUT_WR)) {
		conn_close(conn);
		return;
	}
	tls_conn_free(conn->tls);
	conn->tls = NULL;
	conn->tls_wants_write = false;
	conn->stage = CONN_LINGER;
	conn->since_ms = now_ms(conn);
	watch_update(conn);
	conn_arm(conn);
}

static void
shook(struct conn *conn, enum un_err err)
{
	if (err == UN_ERR_AGAIN) {
		watch_update(conn);
		return;
	}
	if (err) {
		worker_count(conn->worker, NET_TLS_FAILED, 1);
		part(conn);
		return;
	}
	conn->peer.tls = true;
	conn->stage = CONN_SNIFF;
	watch_update(conn);
	if (tls_conn_is_h2(conn->tls) && open_proto(conn, &conn_h2)) {
		conn_close(conn);
		return;
	}
	conn_mark(conn);
	readable(conn);
}

static void
shake_is_over(struct loop_task *task)
{
	struct conn *conn = task->ctx;
	struct http_worker *worker = conn->worker;
	int64_t now_us = clock_mono_us();

	worker->shaking--;
	conn->shaking = false;
	conn->tls_wants_write = conn->shake.wants_write;
	if (conn->place)
		crowd_spend(conn->place, now_us - conn->shake.cost_us, now_us);
	if (conn->dying) {
		conn_mark(conn);
		return;
	}
	conn->watch.events = EPOLLIN;
	conn->watch.lane = lane_of(conn, now_us);
	if (loop_watch_add(worker->loop, &conn->watch))
		conn_close(conn);
	else
		shook(conn, conn->shake.err);
}

/* Nothing of the connection is touched until the step is over; only its time may run out. */
static void
shake(struct conn *conn)
{
	struct http_worker *worker = conn->worker;

	if (!worker->shaker) {
		shook(conn, tls_conn_shake(conn->tls, &conn->tls_wants_write));
		return;
	}
	loop_watch_remove(worker->loop, &conn->watch);
	conn->shake = (struct shake){.tls = conn->tls,
	                             .loop = worker->loop,
	                             .task = {.fn = shake_is_over, .ctx = conn},
	                             .heavy = crowd_is_heavy(conn->place, clock_mono_us())};
	conn->shaking = true;
	worker->shaking++;
	shaker_ask(worker->shaker, &conn->shake);
}

/* Is the first TLS record there as a whole? Until it is, the kernel keeps its bytes and wakes
 * nobody: who sends half a hello costs no memory of ours. */
static bool
hello_is_whole(struct conn *conn)
{
	uint8_t *bytes = conn->worker->read_buf;
	ssize_t got = recv(conn->watch.fd, bytes, TLS_HEAD_LEN + TLS_RECORD_MAX, MSG_PEEK);
	int needed = TLS_HEAD_LEN;

	if (got >= TLS_HEAD_LEN)
		needed += bytes[3] << 8 | bytes[4];
	if (got >= needed || needed > TLS_HEAD_LEN + TLS_RECORD_MAX)
		return true; /* or it is not TLS, which the handshake will say */
	if (setsockopt(conn->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &needed, sizeof needed) ||
	    loop_watch_set(conn->worker->loop, &conn->watch, EPOLLIN | EPOLLRDHUP))
		conn_close(conn);
	return false;
}

static bool
begin_tls(struct conn *conn, bool peer_sends_no_more)
{
	int one = 1;

	if (peer_sends_no_more) { /* nobody is there to shake hands with */
		worker_count(conn->worker, NET_TLS_FAILED, 1);
		conn_close(conn);
		return false;
	}
	if (!hello_is_whole(conn))
		return false;
	(void)setsockopt(conn->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	conn->since_ms = now_ms(conn);
	conn->stage = CONN_SHAKE;
	if (tls_conn_new(conn->worker->tls, conn->watch.fd, &conn->tls))
		conn_close(conn);
	else
		watch_update(conn);
	return !conn->dying;
}

/* The first byte says whether it is TLS: a handshake record begins with 0x16. */
static bool
first_byte(struct conn *conn, bool peer_sends_no_more)
{
	uint8_t first;
	ssize_t got = recv(conn->watch.fd, &first, 1, MSG_PEEK);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		conn_close(conn);
		return false;
	}
	if (first == 0x16 && conn->tls_mode != NET_TLS_OFF && conn->worker->tls)
		return begin_tls(conn, peer_sends_no_more);
	if (conn->tls_mode == NET_TLS_REQUIRED) {
		worker_count(conn->worker, NET_TLS_FAILED, 1);
		conn_close(conn);
		return false;
	}
	conn->since_ms = now_ms(conn);
	conn->stage = CONN_SNIFF;
	return true;
}

static void
change_lane(struct conn *conn, enum loop_lane lane)
{
	if (loop_watch_move(conn->worker->loop, &conn->watch, lane))
		conn_close(conn);
}

static void
act(struct conn *conn, uint32_t events)
{
	if (events & EPOLLERR) {
		conn_close(conn);
		return;
	}
	if (events & EPOLLOUT)
		conn_mark(conn);
	if (conn->paused && (events & (EPOLLRDHUP | EPOLLHUP))) {
		if (conn->peer_ended)
			conn_close(conn);
		else
			peer_ended(conn);
		return;
	}
	if (conn->stage == CONN_FIRST && (!(events & (EPOLLIN | EPOLLHUP)) ||
	                                  !first_byte(conn, events & (EPOLLRDHUP | EPOLLHUP))))
		return;
	if (conn->stage == CONN_SHAKE)
		shake(conn);
	else if (events & (EPOLLIN | EPOLLHUP))
		readable(conn);
}

static void
ready(struct loop_watch *watch, uint32_t events)
{
	struct conn *conn = watch->ctx;
	int64_t from_us = clock_mono_us(), to_us;
	enum loop_lane lane = lane_of(conn, from_us);

	if (conn->dying)
		return;
	if (lane > watch->lane) { /* not now: its turn comes there */
		change_lane(conn, lane);
		return;
	}
	act(conn, events);
	to_us = clock_mono_us();
	if (conn->place)
		crowd_spend(conn->place, from_us, to_us);
	if (!conn->dying && !conn->shaking)
		change_lane(conn, lane_of(conn, to_us));
}

/* ---- output ---- */

static enum un_err
write_some(struct conn *conn, size_t *ret_len)
{
	ssize_t put;

	if (conn->tls)
		return tls_conn_write(conn->tls, outq_peek(&conn->out), outq_len(&conn->out),
		                      ret_len);
	put = send(conn->watch.fd, outq_peek(&conn->out), outq_len(&conn->out), MSG_NOSIGNAL);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? UN_ERR_AGAIN : UN_ERR_IO;
	*ret_len = (size_t)put;
	return UN_OK;
}

/* Writes what there is; false: the socket is full. */
static bool
write_out(struct conn *conn)
{
	while (outq_len(&conn->out)) {
		size_t len = 0;
		enum un_err err = write_some(conn, &len);

		if (err == UN_ERR_AGAIN)
			return false;
		if (err) {
			conn->dying = true;
			return true;
		}
		conn->wrote_ms = conn->watch.events & EPOLLOUT
		                         ? net_progress_ms(conn->wrote_ms, now_ms(conn), len,
		                                           conn->worker->limits->write_ms)
		                         : now_ms(conn);
		worker_count(conn->worker, NET_BYTES_OUT, (int64_t)len);
		outq_take(&conn->out, len);
	}
	return true;
}

/* Closing at once would make the kernel reset the connection when bytes of the request are still
 * unread, and the other side might never see the answer. */
static void
linger(struct conn *conn)
{
	if (conn->tls)
		tls_conn_end(conn->tls);
	if (conn->peer_ended || shutdown(conn->watch.fd, SHUT_WR)) {
		conn->dying = true;
		return;
	}
	while (conn->streams)
		stream_free(conn->streams);
	conn->stage = CONN_LINGER;
	conn->since_ms = now_ms(conn);
	conn_set_paused(conn, false);
	conn_arm(conn);
}

static void
flush(struct conn *conn)
{
	bool full = false;

	if (conn->stage != CONN_OPEN) {
		conn->dying |= conn->closing && conn->stage != CONN_LINGER;
		return;
	}
	while (!conn->dying && !full) {
		size_t before = outq_len(&conn->out);

		if (before < CONN_WRITE_LEN && conn->proto->output(conn))
			conn->closing = true;
		if (!outq_len(&conn->out))
			break;
		before = outq_len(&conn->out);
		full = !write_out(conn);
		if (before < CONN_WRITE_LEN)
			break;
	}
	if (conn->dying)
		return;
	watch_update(conn);
	if (full)
		conn_arm(conn);
	else if (conn->closing && !outq_len(&conn->out))
		linger(conn);
	else
		outq_trim(&conn->out, OUT_KEEP);
}

static void
conn_free(struct conn *conn)
{
	struct http_worker *worker = conn->worker;

	loop_watch_remove(worker->loop, &conn->watch);
	loop_timer_cancel(worker->loop, &conn->timer);
	while (conn->streams)
		stream_free(conn->streams);
	if (conn->session)
		conn->proto->end(conn);
	tls_conn_free(conn->tls);
	io_close(&conn->watch.fd);
	outq_fini(&conn->in);
	outq_fini(&conn->out);
	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	crowd_leave(worker->crowd, conn->place);
	worker->conn_count--;
	worker_count(worker, NET_OPEN, -1);
	mem_free(conn);
}

void
conn_flush_all(struct http_worker *worker)
{
	struct conn *list = worker->dirty;

	/* who is marked from here on is looked at in the next iteration */
	worker->dirty = NULL;
	while (list) {
		struct conn *conn = list;

		list = conn->next_dirty;
		conn->dirty = false;
		if (!conn->dying)
			flush(conn);
		if (!conn->dying)
			continue;
		/* else it was marked while it was flushed, or its handshake is at work: later */
		if (!conn->dirty && !conn->shaking)
			conn_free(conn);
	}
}

void
conn_new(struct http_worker *worker, int fd, const struct net_peer *peer, struct crowd_place *place,
         enum net_tls_mode tls_mode)
{
	struct conn *conn = mem_zalloc(1, sizeof *conn);

	if (!conn) {
		crowd_leave(worker->crowd, place);
		close(fd);
		return;
	}
	conn->worker = worker;
	conn->peer = *peer;
	conn->place = place;
	conn->tls_mode = tls_mode;
	conn->since_ms = conn->read_ms = conn->wrote_ms = loop_now_ms(worker->loop);
	conn->timer = (struct loop_timer){.fn = timer_fired, .ctx = conn};
	conn->watch = (struct loop_watch){.fd = fd,
	                                  .lane = lane_of(conn, clock_mono_us()),
	                                  .events = tls_mode == NET_TLS_OFF ? EPOLLIN
	                                                                    : EPOLLIN | EPOLLRDHUP,
	                                  .fn = ready,
	                                  .ctx = conn};
	conn->next = worker->conns;
	conn->prev = &worker->conns;
	if (conn->next)
		conn->next->prev = &conn->next;
	worker->conns = conn;
	worker->conn_count++;
	worker_count(worker, NET_OPEN, 1);
	if (loop_watch_add(worker->loop, &conn->watch)) {
		conn_free(conn);
		return;
	}
	conn_arm(conn);
}

#include "net/conn.h"

#include "base/alloc.h"
#include "base/text.h"

#include <nghttp2/nghttp2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One HTTP/2 connection, on nghttp2. Frames are made only when the connection is flushed, so that
 * all answers of one iteration leave in one write. Bodies go from the stream's buffer straight into
 * the connection's (NO_COPY), header texts are lent to nghttp2 until the stream ends. */

#define STREAM_WINDOW (256 << 10)
#define CONNECTION_WINDOW (1 << 20)
#define RESETS_AT_ONCE 1000
#define RESETS_PER_SECOND 33
#define CONTINUATIONS_MAX 8
#define FLOOD_AT_ONCE 10000 /* frames that ask for nothing */
#define FLOOD_PER_MS 1
#define FLOOD_PER_REQUEST 8
#define STATUS_TEXT_LEN 4 /* "200" and its NUL */
#define DATE_LEN 29

struct h2 {
	nghttp2_session *session;
	bool moved; /* bodies went out: somebody may wait for room */
	bool going_away;
	int64_t patience; /* how many frames that ask for nothing may still come */
	int64_t patient_ms;
};

static nghttp2_session *
session_of(const struct http_stream *stream)
{
	return ((struct h2 *)stream->conn->session)->session;
}

/* ---- from nghttp2: the request ---- */

/* Frames that make work and ask for nothing: pings, settings, windows opened by a crumb, empty
 * DATA, resets, priorities, what nobody knows. Clients send some all the time; each request brings
 * patience for a few, each millisecond for one. nghttp2 itself ends who sends many at once of those
 * that it has to answer. */
static bool
asks_for_nothing(const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
		return false;
	case NGHTTP2_DATA:
		return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
	default:
		return true;
	}
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user_data)
{
	struct conn *conn = user_data;
	struct h2 *h2 = conn->session;
	int64_t now;

	(void)session;
	if (!asks_for_nothing(hd)) {
		if (hd->type == NGHTTP2_HEADERS && h2->patience < FLOOD_AT_ONCE)
			h2->patience += FLOOD_PER_REQUEST;
		return 0;
	}
	if (--h2->patience >= 0)
		return 0;
	now = loop_now_ms(conn->worker->loop);
	h2->patience += (now - h2->patient_ms) * FLOOD_PER_MS;
	h2->patient_ms = now;
	if (h2->patience > FLOOD_AT_ONCE)
		h2->patience = FLOOD_AT_ONCE;
	if (h2->patience >= 0)
		return 0;
	if (!conn->closing) {
		worker_count(conn->worker, NET_LIMIT_FLOOD, 1);
		(void)nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
		h2->going_away = true;
	}
	return 0;
}

/* A request that nghttp2 refused by itself, before there was a stream. */
static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user_data)
{
	struct conn *conn = user_data;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (code == NGHTTP2_ERR_REFUSED_STREAM ||
	    conn->stream_count >= conn->worker->limits->streams)
		worker_count(conn->worker, NET_LIMIT_STREAMS, 1);
	else
		worker_count(conn->worker, NET_BAD_REQUEST, 1);
	return 0;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct conn *conn = user_data;
	struct http_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = stream_new(conn);
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	stream->id = frame->hd.stream_id;
	nghttp2_session_set_stream_user_data(session, stream->id, stream);
	return 0;
}

static enum un_err
add_pseudo(struct http_stream *stream, const struct http_field *field)
{
	if (field->name_len == 5 && text_equal(field->name, ":path", 5))
		return stream_set_target(stream, field->value, field->value_len);
	if (field->name_len == 7 && text_equal(field->name, ":method", 7))
		return stream_set_text(stream, &stream->method, field->value, field->value_len);
	if (field->name_len == 10 && text_equal(field->name, ":authority", 10))
		return stream_set_text(stream, &stream->authority, field->value, field->value_len);
	return UN_OK; /* :scheme says nothing we do not know */
}

static void
note_length(struct http_stream *stream, const struct http_field *field)
{
	if (field->name_len == 14 && text_equal(field->name, "content-length", 14))
		stream->body_len = strtoull(field->value, NULL, 10); /* nghttp2 has checked it */
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
          nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	struct conn *conn = user_data;
	struct http_stream *stream =
		nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
	const struct http_field field = {(const char *)n.base, (const char *)v.base, n.len, v.len};
	enum un_err err;

	(void)flags;
	if (!stream || stream->too_large || stream->head_seen)
		return 0; /* trailers of a request mean nothing to us */
	stream->head_len += n.len + v.len + 32;
	if (stream->head_len > conn->worker->limits->head_max) {
		stream->too_large = true;
		return 0;
	}
	if (n.len && n.base[0] == ':') {
		err = add_pseudo(stream, &field);
	} else {
		err = stream_add_field(stream, &field);
		note_length(stream, &field);
	}
	if (err == UN_ERR_TOO_LARGE)
		stream->too_large = true;
	return err && err != UN_ERR_TOO_LARGE ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static void
head_is_whole(struct http_stream *stream, bool ended)
{
	struct http_worker *worker = stream->conn->worker;
	const char *host = http_header(stream, "host");

	stream->request_ended = ended;
	if (host && stream->authority && strcasecmp(host, stream->authority) && !stream->repeated)
		stream->repeated = "host";
	if (ended && stream->body_len == UINT64_MAX)
		stream->body_len = 0;
	if (stream->too_large) {
		worker_count(worker, NET_LIMIT_HEAD, 1);
		stream_refuse(stream, 431, "Request Header Fields Too Large");
		return;
	}
	if (!stream->method || !stream->path || stream->path[0] != '/') {
		worker_count(worker, NET_BAD_REQUEST, 1);
		stream_refuse(stream, 400, "Bad Request");
		return;
	}
	stream_on_head(stream);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct http_stream *stream;
	bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_GOAWAY) /* a client that says goodbye is no attacker */
		((struct h2 *)((struct conn *)user_data)->session)->going_away = true;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (!stream)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_is_whole(stream, ended);
	if (ended)
		stream_on_end(stream);
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
        void *user_data)
{
	struct http_stream *stream = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	(void)user_data;
	if (stream)
		stream_on_body(stream, bytes, len);
	return 0;
}

static int
on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
	struct http_stream *stream = nghttp2_session_get_stream_user_data(session, id);

	(void)code;
	(void)user_data;
	if (!stream)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	stream_free(stream);
	return 0;
}

/* ---- from nghttp2: the response ---- */

static void
to_nv(const struct http_field *fields, size_t count, nghttp2_nv *nv)
{
	for (size_t i = 0; i < count; i++) {
		nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)fields[i].name,
		                     (uint8_t *)(uintptr_t)fields[i].value, fields[i].name_len,
		                     fields[i].value_len,
		                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
	}
}

/* check-source: allow parameters, as nghttp2 calls it */
static ssize_t
on_read(nghttp2_session *session, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
        nghttp2_data_source *source, void *user_data)
{
	struct http_stream *stream = source->ptr;
	size_t len = outq_len(&stream->out) < size ? outq_len(&stream->out) : size;
	nghttp2_nv nv[sizeof stream->trailers / sizeof stream->trailers[0]];

	(void)room;
	(void)user_data;
	if (!len && !stream->finished) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (len)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (!stream->finished || len < outq_len(&stream->out))
		return (ssize_t)len;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->trailer_count) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		to_nv(stream->trailers, stream->trailer_count, nv);
		if (nghttp2_submit_trailer(session, id, nv, stream->trailer_count))
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)len;
}

static int
on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
             nghttp2_data_source *source, void *user_data)
{
	struct conn *conn = user_data;
	struct http_stream *stream = source->ptr;
	uint8_t *room;

	(void)session;
	(void)frame;
	if (outq_len(&conn->out) > CONN_WRITE_LEN)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (outq_reserve(&conn->out, len + 9, &room))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	memcpy(room, head, 9);
	memcpy(room + 9, outq_peek(&stream->out), len);
	outq_added(&conn->out, len + 9);
	stream_took(stream, len);
	stream->since_ms = net_progress_ms(stream->since_ms, loop_now_ms(conn->worker->loop), len,
	                                   conn->worker->limits->write_ms);
	((struct h2 *)conn->session)->moved = true;
	return 0;
}

/* ---- the life of a connection ---- */

static void *
take(size_t len, void *ctx)
{
	return pool_alloc(ctx, len);
}

static void
leave(void *block, void *ctx)
{
	pool_free(ctx, block);
}

static void *
take_zeroed(size_t count, size_t len, void *ctx)
{
	return pool_zalloc(ctx, count, len);
}

static void *
take_again(void *block, size_t len, void *ctx)
{
	return pool_realloc(ctx, block, len);
}

static enum un_err
make_session(struct conn *conn, nghttp2_session **ret_session)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int failed = nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option);
	nghttp2_mem mem = {&conn->worker->pool, take, leave, take_zeroed, take_again};

	if (!failed) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
		                                                        on_begin_headers);
		nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
		nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
		                                                             on_invalid_frame);
		nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
		nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
		nghttp2_option_set_no_closed_streams(option, 1);
		nghttp2_option_set_stream_reset_rate_limit(option, RESETS_AT_ONCE,
		                                           RESETS_PER_SECOND);
		nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
		failed = nghttp2_session_server_new3(ret_session, callbacks, conn, option, &mem);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return failed ? UN_ERR_NO_MEMORY : UN_OK;
}

static enum un_err
h2_start(struct conn *conn)
{
	const struct net_limits *limits = conn->worker->limits;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_max},
	};
	struct h2 *h2 = mem_zalloc(1, sizeof *h2);
	enum un_err err;

	if (!h2)
		return UN_ERR_NO_MEMORY;
	err = make_session(conn, &h2->session);
	if (err) {
		mem_free(h2);
		return err;
	}
	conn->session = h2;
	h2->patience = FLOOD_AT_ONCE;
	h2->patient_ms = loop_now_ms(conn->worker->loop);
	if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
	                            sizeof settings / sizeof settings[0]) ||
	    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
	                                          CONNECTION_WINDOW))
		return UN_ERR_NO_MEMORY;
	conn_mark(conn);
	return UN_OK;
}

static void
h2_end(struct conn *conn)
{
	struct h2 *h2 = conn->session;

	/* its streams are gone already; nghttp2 tells nobody when it is deleted */
	nghttp2_session_del(h2->session);
	mem_free(h2);
	conn->session = NULL;
}

static enum un_err
h2_input(struct conn *conn, const uint8_t *bytes, size_t len)
{
	struct h2 *h2 = conn->session;
	ssize_t used = nghttp2_session_mem_recv(h2->session, bytes, len);

	conn_mark(conn);
	if (used >= 0)
		return UN_OK;
	worker_count(conn->worker, NET_LIMIT_HTTP2, 1);
	return used == NGHTTP2_ERR_NOMEM ? UN_ERR_NO_MEMORY : UN_ERR_PROTOCOL;
}

static void
go_away(struct conn *conn)
{
	struct h2 *h2 = conn->session;

	if (h2->going_away)
		return;
	h2->going_away = true;
	(void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
	                            nghttp2_session_get_last_proc_stream_id(h2->session),
	                            NGHTTP2_NO_ERROR, NULL, 0);
	conn_mark(conn);
}

static void
give_room(struct conn *conn)
{
	struct h2 *h2 = conn->session;

	h2->moved = false;
	for (struct http_stream *stream = conn->streams, *next; stream; stream = next) {
		next = stream->next;
		if (stream->wants_room)
			stream_sent(stream);
	}
}

static enum un_err
h2_output(struct conn *conn)
{
	struct h2 *h2 = conn->session;
	const struct net_limits *limits = conn->worker->limits;

	if (limits->requests_max && conn->requests >= limits->requests_max && !h2->going_away) {
		worker_count(conn->worker, NET_LIMIT_REQUESTS, 1);
		go_away(conn);
	}
	while (outq_len(&conn->out) <= CONN_WRITE_LEN) {
		const uint8_t *bytes;
		ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
		enum un_err err;

		if (len < 0)
			return UN_ERR_NO_MEMORY;
		if (!len)
			break;
		err = outq_put(&conn->out, bytes, (size_t)len);
		if (err)
			return err;
	}
	if (h2->moved)
		give_room(conn);
	if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session) &&
	    !conn->closing) {
		conn->closing = true;
		if (!h2->going_away)
			worker_count(conn->worker, NET_LIMIT_HTTP2, 1);
	}
	if (h2->going_away && !conn->streams)
		conn->closing = true;
	return UN_OK;
}

static int64_t
h2_due_ms(struct conn *conn, enum net_count *ret_limit)
{
	const struct net_limits *limits = conn->worker->limits;
	int64_t due = INT64_MAX;

	*ret_limit = NET_LIMIT_TIME_BODY;
	for (struct http_stream *stream = conn->streams; stream; stream = stream->next) {
		int64_t limit = INT64_MAX;

		if (!stream->request_ended)
			limit = stream->since_ms + limits->body_ms;
		else if (outq_len(&stream->out))
			limit = stream->since_ms + limits->write_ms;
		if (limit >= due)
			continue;
		due = limit;
		*ret_limit = stream->request_ended ? NET_LIMIT_TIME_WRITE : NET_LIMIT_TIME_BODY;
	}
	if (!conn->streams) {
		*ret_limit = NET_LIMIT_TIME_IDLE;
		due = (conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms) +
		      limits->idle_ms;
	}
	return due;
}

/* Some streams wait too long for their client: they are broken off, the others go on. */
static bool
h2_late(struct conn *conn)
{
	const struct h2 *h2 = conn->session;
	const struct net_limits *limits = conn->worker->limits;
	int64_t now = loop_now_ms(conn->worker->loop);

	if (!conn->streams) {
		bool told = h2->going_away;

		go_away(conn);
		conn->read_ms = now; /* a moment more: it ends when that is written */
		return !told;
	}
	for (struct http_stream *stream = conn->streams; stream; stream = stream->next) {
		if (!stream->request_ended ? stream->since_ms + limits->body_ms <= now
		                           : outq_len(&stream->out) &&
		                                     stream->since_ms + limits->write_ms <= now) {
			stream->since_ms = now; /* the reset closes it soon */
			http_abort(stream);
		}
	}
	return true;
}

/* ---- the response ---- */

static nghttp2_nv
status_nv(struct http_stream *stream)
{
	int status = stream->status;

	stream->len_text[0] = (char)('0' + status / 100);
	stream->len_text[1] = (char)('0' + status / 10 % 10);
	stream->len_text[2] = (char)('0' + status % 10);
	stream->len_text[3] = '\0';
	return (nghttp2_nv){(uint8_t *)(uintptr_t) ":status", (uint8_t *)stream->len_text, 7, 3,
	                    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

/* len_text begins with the status; the length stands behind it. */
static struct http_field
length_field(struct http_stream *stream)
{
	char *text = stream->len_text + STATUS_TEXT_LEN;
	int len = snprintf(text, sizeof stream->len_text - STATUS_TEXT_LEN, "%llu",
	                   (unsigned long long)stream->reply_len);

	return (struct http_field){"content-length", text, 14, (size_t)len};
}

static void
h2_respond(struct http_stream *stream, const struct http_response *response)
{
	nghttp2_nv nv[HTTP_REPLY_FIELDS_MAX + 3];
	size_t count = stream->reply_count + 1;
	const char *date = worker_date(stream->conn->worker);
	const struct http_field last = {"date", date, 4, DATE_LEN};
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read};
	bool no_body = (response->flags & HTTP_NO_BODY) ||
	               (stream->method && !strcmp(stream->method, "HEAD"));
	int failed;

	nv[0] = status_nv(stream);
	to_nv(stream->reply, stream->reply_count, nv + 1);
	to_nv(&last, 1, &nv[count++]);
	if (stream->reply_len != HTTP_LEN_UNKNOWN) {
		const struct http_field length = length_field(stream);

		to_nv(&length, 1, &nv[count++]);
	}
	failed = nghttp2_submit_response(session_of(stream), stream->id, nv, count,
	                                 no_body ? NULL : &provider);
	if (failed)
		http_abort(stream);
}

static void
h2_more(struct http_stream *stream)
{
	if (!stream->deferred)
		return;
	stream->deferred = false;
	if (nghttp2_session_resume_data(session_of(stream), stream->id))
		http_abort(stream);
}

static void
h2_abort(struct http_stream *stream)
{
	uint32_t code = !stream->responded || outq_len(&stream->out) ? NGHTTP2_CANCEL
	                : stream->finished                           ? NGHTTP2_NO_ERROR
	                                                             : NGHTTP2_INTERNAL_ERROR;

	if (nghttp2_submit_rst_stream(session_of(stream), NGHTTP2_FLAG_NONE, stream->id, code))
		conn_close(stream->conn);
}

const struct conn_proto conn_h2 = {
	.start = h2_start,
	.input = h2_input,
	.output = h2_output,
	.drain = go_away,
	.due_ms = h2_due_ms,
	.late = h2_late,
	.end = h2_end,
	.respond = h2_respond,
	.more = h2_more,
	.abort = h2_abort,
};

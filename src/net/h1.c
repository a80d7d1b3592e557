#include "net/conn.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* One HTTP/1.1 connection: a request is read, answered, and only then the next one is looked at.
 * What a client sends ahead waits in conn->in, at most as much as fits there; then reading is
 * paused. */

#define IDLE_MS (75 * 1000)
#define WAITING_MAX (CONN_READ_LEN + (64u << 10))

struct h1 {
	enum {
		H1_HEAD,
		H1_BODY,
		H1_REPLY, /* the request is whole (or refused); the answer is not yet */
	} state;
	struct http1_body body;
	struct http_stream *stream;
	size_t scanned;        /* of conn->in, for the end of the head */
	int64_t head_since_ms; /* its first byte came */
	uint64_t sent;         /* of a body with a known length */
	int minor;
	bool keep_alive;
	bool chunked; /* the answer */
	bool is_head; /* the method HEAD */
};

static enum un_err
h1_start(struct conn *conn)
{
	struct h1 *h1 = mem_zalloc(1, sizeof *h1);

	if (!h1)
		return UN_ERR_NO_MEMORY;
	conn->session = h1;
	return UN_OK;
}

static void
h1_end(struct conn *conn)
{
	mem_free(conn->session);
	conn->session = NULL;
}

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 417:
		return "Expectation Failed";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Status";
	}
}

/* ---- the request ---- */

/* Answers a request that cannot be read any further, and ends the connection after it. */
static enum un_err
refuse(struct conn *conn, int status)
{
	struct h1 *h1 = conn->session;

	worker_count(conn->worker, status == 431 ? NET_LIMIT_HEAD : NET_BAD_REQUEST, 1);
	h1->keep_alive = false;
	h1->state = H1_REPLY;
	if (!h1->stream) {
		h1->minor = 1;
		h1->sent = 0;
		h1->chunked = h1->is_head = false;
		h1->stream = stream_new(conn);
		if (!h1->stream)
			return UN_ERR_NO_MEMORY;
	}
	if (h1->stream->responded)
		return UN_ERR_PROTOCOL; /* it is being answered; only the rest was broken */
	stream_refuse(h1->stream, status, reason(status));
	return UN_OK;
}

static enum un_err
copy_head(struct http_stream *stream, const struct http1_head *head)
{
	enum un_err err;

	err = stream_set_text(stream, &stream->method, head->method.at, head->method.len);
	if (!err)
		err = stream_set_text(stream, &stream->authority, head->host.at, head->host.len);
	if (!err)
		err = stream_set_target(stream, head->target.at, head->target.len);
	for (size_t i = 0; !err && i < head->field_count; i++) {
		const struct http_field field = {head->fields[i].name.at, head->fields[i].value.at,
		                                 head->fields[i].name.len,
		                                 head->fields[i].value.len};

		err = stream_add_field(stream, &field);
	}
	if (!head->chunked)
		stream->body_len =
		        head->content_length == HTTP1_LEN_UNKNOWN ? 0 : head->content_length;
	return err;
}

static void
request_ended(struct h1 *h1)
{
	h1->state = H1_REPLY;
	stream_on_end(h1->stream);
}

static enum un_err
begin_request(struct conn *conn, const struct http1_head *head)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct h1 *h1 = conn->session;
	enum un_err err;

	h1->minor = head->minor;
	h1->keep_alive = head->keep_alive;
	h1->sent = 0;
	h1->chunked = false;
	h1->is_head = head->method.len == 4 && text_equal(head->method.at, "HEAD", 4);
	http1_body_init(&h1->body, head);
	h1->stream = stream_new(conn);
	if (!h1->stream)
		return UN_ERR_NO_MEMORY;
	err = copy_head(h1->stream, head);
	if (err)
		return err;
	h1->state = H1_BODY;
	stream_on_head(h1->stream);
	if (http1_body_is_done(&h1->body)) {
		request_ended(h1);
		return UN_OK;
	}
	if (head->expect_continue && !h1->stream->responded)
		return outq_put(&conn->out, go_on, sizeof go_on - 1);
	return UN_OK;
}

static enum un_err
take_head(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	const struct net_limits *limits = conn->worker->limits;
	struct http1_head head;
	size_t len = 0;
	enum un_err err;
	int status;

	if (!h1->scanned)
		h1->head_since_ms = loop_now_ms(conn->worker->loop);
	err = http1_scan(outq_peek(&conn->in), outq_len(&conn->in), limits->head_max, &h1->scanned,
	                 &len);
	if (err == UN_ERR_AGAIN) {
		conn_arm(conn);
		return err;
	}
	h1->scanned = 0;
	if (err)
		return refuse(conn, err == UN_ERR_TOO_LARGE ? 431 : 400);
	status = http1_parse((char *)outq_peek(&conn->in), len, limits->header_count, &head);
	if (status)
		return refuse(conn, status);
	err = begin_request(conn, &head);
	outq_take(&conn->in, len);
	return err;
}

static enum un_err
take_body(struct conn *conn, const uint8_t **at, size_t *left)
{
	struct h1 *h1 = conn->session;

	while (*left && h1->state == H1_BODY) {
		const uint8_t *piece = NULL;
		size_t len = 0;

		if (http1_body_next(&h1->body, at, left, &piece, &len))
			return refuse(conn, 400);
		if (len)
			stream_on_body(h1->stream, piece, len);
		if (http1_body_is_done(&h1->body))
			request_ended(h1);
	}
	return UN_OK;
}

/* Uses what is in conn->in as far as it goes. */
static enum un_err
consume(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	enum un_err err = UN_OK;

	while (!err && outq_len(&conn->in) && h1->state != H1_REPLY) {
		if (h1->state == H1_HEAD) {
			err = take_head(conn);
		} else {
			const uint8_t *at = outq_peek(&conn->in);
			size_t left = outq_len(&conn->in);

			err = take_body(conn, &at, &left);
			outq_take(&conn->in, outq_len(&conn->in) - left);
		}
	}
	if (err == UN_ERR_AGAIN)
		err = UN_OK;
	if (!err && h1->state == H1_BODY)
		conn_arm(conn);
	conn_set_paused(conn, h1->state == H1_REPLY && outq_len(&conn->in));
	if (!outq_len(&conn->in))
		outq_trim(&conn->in, STREAM_KEEP_LEN);
	conn_mark(conn);
	return err;
}

static enum un_err
h1_input(struct conn *conn, const uint8_t *bytes, size_t len)
{
	struct h1 *h1 = conn->session;
	enum un_err err = UN_OK;

	/* a large body goes by without being copied */
	if (h1->state == H1_BODY && !outq_len(&conn->in))
		err = take_body(conn, &bytes, &len);
	if (err)
		return err;
	if (!h1->keep_alive && h1->state == H1_REPLY)
		return UN_OK; /* nothing more is read from this connection */
	if (outq_len(&conn->in) + len > WAITING_MAX)
		return UN_ERR_TOO_LARGE;
	err = outq_put(&conn->in, bytes, len);
	return err ? err : consume(conn);
}

/* ---- the response ---- */

static enum un_err
put_text(struct conn *conn, const char *text)
{
	return outq_put(&conn->out, text, strlen(text));
}

static enum un_err
put_field(struct conn *conn, const char *name, const char *value)
{
	enum un_err err = put_text(conn, name);

	if (!err)
		err = put_text(conn, ": ");
	if (!err)
		err = put_text(conn, value);
	return err ? err : put_text(conn, "\r\n");
}

/* How the end of the body is told, and whether the connection lives on. */
static enum un_err
put_framing(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	struct http_stream *stream = h1->stream;
	bool no_body = stream->status == 204 || stream->status == 304;
	enum un_err err = UN_OK;

	if (stream->finished && stream->reply_len == HTTP_LEN_UNKNOWN)
		stream->reply_len = outq_len(&stream->out);
	if (stream->finished && !stream->request_ended)
		h1->keep_alive = false; /* its body will not be read */
	if (stream->reply_len != HTTP_LEN_UNKNOWN) {
		(void)snprintf(stream->len_text, sizeof stream->len_text, "%llu",
		               (unsigned long long)stream->reply_len);
		if (!no_body)
			err = put_field(conn, "content-length", stream->len_text);
	} else if (h1->minor == 1) {
		h1->chunked = true;
		err = put_field(conn, "transfer-encoding", "chunked");
	} else {
		h1->keep_alive = false;
	}
	if (!err && (!h1->keep_alive || conn->draining))
		err = put_field(conn, "connection", "close");
	else if (!err && h1->minor == 0)
		err = put_field(conn, "connection", "keep-alive");
	return err;
}

static enum un_err
put_head(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	struct http_stream *stream = h1->stream;
	char line[64];
	enum un_err err;

	(void)snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", stream->status,
	               reason(stream->status));
	err = put_text(conn, line);
	for (size_t i = 0; !err && i < stream->reply_count; i++)
		err = put_field(conn, stream->reply[i].name, stream->reply[i].value);
	if (!err)
		err = put_field(conn, "date", worker_date(conn->worker));
	if (!err)
		err = put_framing(conn);
	stream->head_sent = true;
	return err ? err : put_text(conn, "\r\n");
}

static enum un_err
put_body(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	struct http_stream *stream = h1->stream;
	size_t room =
		CONN_WRITE_LEN > outq_len(&conn->out) ? CONN_WRITE_LEN - outq_len(&conn->out) : 0;
	size_t len = outq_len(&stream->out) < room ? outq_len(&stream->out) : room;
	enum un_err err = UN_OK;
	char line[24];

	if (!len)
		return UN_OK;
	if (!h1->is_head) {
		if (h1->chunked) {
			(void)snprintf(line, sizeof line, "%zx\r\n", len);
			err = put_text(conn, line);
		}
		if (!err)
			err = outq_put(&conn->out, outq_peek(&stream->out), len);
		if (!err && h1->chunked)
			err = put_text(conn, "\r\n");
	}
	h1->sent += len;
	stream_took(stream, len);
	return err;
}

static enum un_err
request_done(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	struct http_stream *stream = h1->stream;
	bool whole = stream->reply_len == HTTP_LEN_UNKNOWN || stream->reply_len == h1->sent ||
	             h1->is_head;
	bool ended = stream->request_ended;
	const struct net_limits *limits = conn->worker->limits;
	bool enough = limits->requests_max && conn->requests >= limits->requests_max;

	h1->stream = NULL;
	stream_free(stream);
	if (enough)
		worker_count(conn->worker, NET_LIMIT_REQUESTS, 1);
	if (!ended || !whole || !h1->keep_alive || conn->draining || enough) {
		conn->closing = true;
		return UN_OK;
	}
	h1->state = H1_HEAD;
	conn_arm(conn);
	return consume(conn);
}

static enum un_err
h1_output(struct conn *conn)
{
	struct h1 *h1 = conn->session;
	struct http_stream *stream = h1->stream;
	enum un_err err = UN_OK;

	if (!stream) {
		conn->closing |= conn->draining && !outq_len(&conn->in);
		return UN_OK;
	}
	if (!stream->responded)
		return UN_OK;
	if (!stream->head_sent)
		err = put_head(conn);
	if (!err)
		err = put_body(conn);
	if (err)
		return err;
	if (!stream->finished) {
		stream_sent(stream);
		return UN_OK;
	}
	if (outq_len(&stream->out)) {
		conn_mark(conn);
		return UN_OK;
	}
	if (h1->chunked && !h1->is_head)
		err = put_text(conn, "0\r\n\r\n");
	return err ? err : request_done(conn);
}

/* ---- the rest ---- */

static void
h1_drain(struct conn *conn)
{
	conn_mark(conn); /* output() sees conn->draining */
}

static int64_t
h1_due_ms(struct conn *conn, enum net_count *ret_limit)
{
	struct h1 *h1 = conn->session;
	const struct net_limits *limits = conn->worker->limits;
	int64_t last = conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms;

	switch (h1->state) {
	case H1_HEAD:
		if (outq_len(&conn->in)) {
			*ret_limit = NET_LIMIT_TIME_HEAD;
			return h1->head_since_ms + limits->head_ms;
		}
		*ret_limit = NET_LIMIT_TIME_IDLE;
		return last + (limits->idle_ms < IDLE_MS ? limits->idle_ms : IDLE_MS);
	case H1_BODY:
		*ret_limit = NET_LIMIT_TIME_BODY;
		return h1->stream->since_ms + limits->body_ms;
	default:
		return INT64_MAX;
	}
}

static bool
h1_late(struct conn *conn)
{
	struct h1 *h1 = conn->session;

	if (h1->state != H1_BODY || h1->stream->responded)
		return false;
	return refuse(conn, 408) == UN_OK;
}

static void
h1_respond(struct http_stream *stream, const struct http_response *response)
{
	(void)stream;
	(void)response; /* output() writes it */
}

static void
h1_more(struct http_stream *stream)
{
	(void)stream;
}

static void
h1_abort(struct http_stream *stream)
{
	conn_close(stream->conn);
}

const struct conn_proto conn_h1 = {
	.start = h1_start,
	.input = h1_input,
	.output = h1_output,
	.drain = h1_drain,
	.due_ms = h1_due_ms,
	.late = h1_late,
	.end = h1_end,
	.respond = h1_respond,
	.more = h1_more,
	.abort = h1_abort,
};

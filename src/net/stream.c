#include "net/conn.h"

#include "base/alloc.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The texts of a stream lie in blocks that do not move: first one inside the stream, then some that
 * are allocated. They are wiped with the stream, for they hold what a client authenticates with. */
struct kept {
	struct kept *next;
	size_t cap;
	char bytes[];
};

#define KEPT_LEN 4096

char *
http_keep(struct http_stream *stream, const char *text, size_t len)
{
	size_t cap = stream->kept ? stream->kept->cap : sizeof stream->kept_first;
	char *room = stream->kept ? stream->kept->bytes : stream->kept_first;

	if (cap - stream->kept_len < len + 1) {
		size_t want = len + 1 > KEPT_LEN ? len + 1 : KEPT_LEN;
		struct kept *block = mem_alloc(sizeof *block + want);

		if (!block)
			return NULL;
		block->next = stream->kept;
		block->cap = want;
		stream->kept = block;
		stream->kept_len = 0;
		room = block->bytes;
	}
	room += stream->kept_len;
	if (len)
		memcpy(room, text, len);
	room[len] = '\0';
	stream->kept_len += len + 1;
	return room;
}

static void
kept_wipe(struct http_stream *stream)
{
	explicit_bzero(stream->kept_first,
	               stream->kept ? sizeof stream->kept_first : stream->kept_len);
	while (stream->kept) {
		struct kept *block = stream->kept;

		stream->kept = block->next;
		mem_wipe_free(block, sizeof *block + block->cap);
	}
	stream->kept_len = 0;
}

struct http_stream *
stream_new(struct conn *conn)
{
	struct http_worker *worker = conn->worker;
	struct http_stream *stream = worker->unused;

	if (stream) {
		worker->unused = stream->next;
		worker->unused_count--;
	} else {
		stream = mem_zalloc(1, sizeof *stream);
		if (!stream)
			return NULL;
		stream->fields = stream->fields_first;
		stream->field_cap = STREAM_FIELDS_FIRST;
	}
	stream->conn = conn;
	stream->body_len = UINT64_MAX;
	stream->since_ms = loop_now_ms(worker->loop);
	stream->next = conn->streams;
	stream->prev = &conn->streams;
	if (stream->next)
		stream->next->prev = &stream->next;
	conn->streams = stream;
	conn->stream_count++;
	return stream;
}

void
stream_took(struct http_stream *stream, size_t len)
{
	outq_take(&stream->out, len);
	stream->conn->out_waiting -= len;
	stream->conn->worker->out_waiting -= len;
}

/* Back to what stream_new expects; the buffers stay. */
static void
stream_reset(struct http_stream *stream)
{
	kept_wipe(stream);
	if (stream->fields != stream->fields_first) {
		mem_free(stream->fields);
		stream->fields = stream->fields_first;
		stream->field_cap = STREAM_FIELDS_FIRST;
	}
	stream_took(stream, outq_len(&stream->out));
	outq_trim(&stream->out, STREAM_KEEP_LEN);
	stream->conn = NULL;
	stream->state = NULL;
	stream->id = 0;
	stream->field_count = stream->head_len = stream->path_len = 0;
	stream->singles = 0;
	stream->repeated = NULL;
	stream->method = stream->path = stream->query = stream->authority = NULL;
	stream->reply_count = stream->trailer_count = 0;
	stream->status = 0;
	stream->reply_len = 0;
	stream->reply_flags = 0;
	stream->request_ended = stream->head_seen = stream->responded = stream->head_sent = false;
	stream->finished = stream->out_ended = stream->aborted = stream->deferred = false;
	stream->wants_room = stream->too_large = false;
}

static void
stream_destroy(struct http_stream *stream)
{
	outq_fini(&stream->out);
	mem_free(stream);
}

void
stream_free_unused(struct http_worker *worker)
{
	while (worker->unused) {
		struct http_stream *stream = worker->unused;

		worker->unused = stream->next;
		stream_destroy(stream);
	}
}

void
stream_free(struct http_stream *stream)
{
	struct conn *conn = stream->conn;
	struct http_worker *worker = conn->worker;

	if (stream->head_seen) {
		stream->head_seen = false;
		stream->aborted = true; /* what on_close still says goes nowhere */
		worker->app->on_close(stream, worker->app->ctx);
	}
	*stream->prev = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	conn->stream_count--;
	stream_reset(stream);
	if (worker->unused_count >= STREAM_UNUSED_MAX) {
		stream_destroy(stream);
		return;
	}
	stream->next = worker->unused;
	worker->unused = stream;
	worker->unused_count++;
}

/* ---- the request ---- */

/* Where programs differ in which one of two counts, and one of them decides something by it. */
static void
note_single(struct http_stream *stream, const struct http_field *field)
{
	static const struct http_field singles[] = {
		HTTP_FIELD("authorization", ""),
		HTTP_FIELD("flyte-authorization", ""),
		HTTP_FIELD("host", ""),
		HTTP_FIELD("content-length", ""),
		HTTP_FIELD("content-type", ""),
		HTTP_FIELD("content-encoding", ""),
		HTTP_FIELD("content-md5", ""),
		HTTP_FIELD("grpc-timeout", ""),
		HTTP_FIELD("grpc-encoding", ""),
		HTTP_FIELD("connect-timeout-ms", ""),
		HTTP_FIELD("connect-content-encoding", ""),
		HTTP_FIELD("connect-protocol-version", ""),
		HTTP_FIELD("x-request-id", ""),
	};

	for (unsigned i = 0; i < sizeof singles / sizeof singles[0]; i++) {
		if (field->name_len != singles[i].name_len ||
		    !text_equal(field->name, singles[i].name, field->name_len))
			continue;
		if (stream->singles & 1u << i)
			stream->repeated = singles[i].name;
		stream->singles |= 1u << i;
		return;
	}
}

enum un_err
stream_add_field(struct http_stream *stream, const struct http_field *field)
{
	const struct net_limits *limits = stream->conn->worker->limits;
	struct http_field *slot;
	char *name, *value;

	if (stream->field_count >= limits->header_count)
		return UN_ERR_TOO_LARGE;
	if (stream->field_count == stream->field_cap) {
		size_t cap = stream->field_cap * 2;
		bool first = stream->fields == stream->fields_first;
		struct http_field *fields =
			mem_realloc(first ? NULL : stream->fields, cap * sizeof *fields);

		if (!fields)
			return UN_ERR_NO_MEMORY;
		if (first)
			memcpy(fields, stream->fields_first, sizeof stream->fields_first);
		stream->fields = fields;
		stream->field_cap = cap;
	}
	name = http_keep(stream, field->name, field->name_len);
	value = name ? http_keep(stream, field->value, field->value_len) : NULL;
	if (!value)
		return UN_ERR_NO_MEMORY;
	slot = &stream->fields[stream->field_count++];
	*slot = (struct http_field){name, value, field->name_len, field->value_len};
	note_single(stream, slot);
	return UN_OK;
}

enum un_err
stream_set_text(struct http_stream *stream, char **slot, const char *text, size_t len)
{
	*slot = http_keep(stream, text, len);
	return *slot ? UN_OK : UN_ERR_NO_MEMORY;
}

enum un_err
stream_set_target(struct http_stream *stream, const char *target, size_t len)
{
	char *text = http_keep(stream, target, len), *mark;

	if (!text)
		return UN_ERR_NO_MEMORY;
	stream->path = text;
	stream->path_len = len;
	mark = memchr(text, '?', len);
	if (mark) {
		*mark = '\0';
		stream->path_len = (size_t)(mark - text);
		stream->query = mark + 1;
	}
	return UN_OK;
}

void
stream_on_head(struct http_stream *stream)
{
	struct http_worker *worker = stream->conn->worker;

	stream->head_seen = true;
	stream->conn->requests++;
	worker_count(worker, NET_REQUESTS, 1);
	worker->app->on_head(stream, worker->app->ctx);
}

void
stream_on_body(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
	struct http_worker *worker = stream->conn->worker;

	if (!stream->head_seen || stream->aborted || stream->finished)
		return;
	stream->since_ms = net_progress_ms(stream->since_ms, loop_now_ms(worker->loop), len,
	                                   worker->limits->body_ms);
	worker->app->on_body(stream, worker->app->ctx, bytes, len);
}

void
stream_on_end(struct http_stream *stream)
{
	struct http_worker *worker = stream->conn->worker;

	stream->request_ended = true;
	if (stream->head_seen && !stream->aborted && !stream->finished)
		worker->app->on_end(stream, worker->app->ctx);
}

void
stream_sent(struct http_stream *stream)
{
	struct http_worker *worker = stream->conn->worker;

	if (!stream->wants_room || outq_len(&stream->out) > worker->limits->output_max / 2)
		return;
	stream->wants_room = false;
	if (stream->head_seen && !stream->aborted && !stream->finished)
		worker->app->on_writable(stream, worker->app->ctx);
}

const char *
http_method(const struct http_stream *stream)
{
	return stream->method;
}

const char *
http_path(const struct http_stream *stream)
{
	return stream->path;
}

size_t
http_path_len(const struct http_stream *stream)
{
	return stream->path_len;
}

const char *
http_query(const struct http_stream *stream)
{
	return stream->query ? stream->query : "";
}

const char *
http_authority(const struct http_stream *stream)
{
	return stream->authority ? stream->authority : "";
}

const char *
http_header(const struct http_stream *stream, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < stream->field_count; i++) {
		const struct http_field *field = &stream->fields[i];

		if (field->name_len == len && text_equal(field->name, name, len))
			return field->value;
	}
	return NULL;
}

const char *
http_repeated(const struct http_stream *stream)
{
	return stream->repeated;
}

void
http_wipe_header(struct http_stream *stream, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < stream->field_count; i++) {
		struct http_field *field = &stream->fields[i];

		if (field->name_len != len || !text_equal(field->name, name, len))
			continue;
		explicit_bzero((char *)(uintptr_t)field->value, field->value_len);
		field->value_len = 0;
	}
}

size_t
http_header_count(const struct http_stream *stream)
{
	return stream->field_count;
}

const struct http_field *
http_header_at(const struct http_stream *stream, size_t at)
{
	return &stream->fields[at];
}

bool
http_is_h2(const struct http_stream *stream)
{
	return stream->conn->proto == &conn_h2;
}

uint64_t
http_body_len(const struct http_stream *stream)
{
	return stream->body_len;
}

bool
http_request_ended(const struct http_stream *stream)
{
	return stream->request_ended;
}

const struct net_peer *
http_peer(const struct http_stream *stream)
{
	return &stream->conn->peer;
}

void
http_count(const struct http_stream *stream, enum net_count what)
{
	worker_count(stream->conn->worker, what, 1);
}

struct http_worker *
http_stream_worker(const struct http_stream *stream)
{
	return stream->conn->worker;
}

void
http_set_state(struct http_stream *stream, void *state)
{
	stream->state = state;
}

void *
http_state(const struct http_stream *stream)
{
	return stream->state;
}

/* ---- the response ---- */

void
http_respond(struct http_stream *stream, const struct http_response *response)
{
	assert(!stream->responded && response->field_count <= HTTP_REPLY_FIELDS_MAX);
	stream->responded = true;
	if (stream->aborted)
		return;
	stream->status = response->status;
	memcpy(stream->reply, response->fields, response->field_count * sizeof stream->reply[0]);
	stream->reply_count = response->field_count;
	stream->reply_len = response->body_len;
	stream->reply_flags = response->flags;
	if (response->flags & HTTP_NO_BODY)
		stream->finished = true;
	stream->conn->proto->respond(stream, response);
	conn_mark(stream->conn);
}

enum un_err
http_out_reserve(struct http_stream *stream, size_t len, uint8_t **ret_room)
{
	const struct conn *conn = stream->conn;
	const struct http_worker *worker = conn->worker;
	size_t most = worker->limits->output_max;

	/* one answer of any size is given to whoever has taken the ones before */
	if ((conn->out_waiting && conn->out_waiting + len > NET_OUTPUT_CONNECTION * most) ||
	    (worker->out_waiting && worker->out_waiting + len > NET_OUTPUT_WORKER * most)) {
		http_count(stream, NET_LIMIT_OUTPUT);
		return UN_ERR_BUSY;
	}
	return outq_reserve(&stream->out, len, ret_room);
}

void
http_out_added(struct http_stream *stream, size_t len)
{
	struct conn *conn = stream->conn;

	if (!outq_len(&stream->out)) /* the waiting for the reader begins now */
		stream->since_ms = loop_now_ms(conn->worker->loop);
	outq_added(&stream->out, len);
	conn->out_waiting += len;
	conn->worker->out_waiting += len;
	if (stream->aborted) {
		stream_took(stream, outq_len(&stream->out));
		return;
	}
	stream->wants_room = true;
	if (stream->responded) {
		stream->conn->proto->more(stream);
		conn_mark(stream->conn);
	}
}

size_t
http_out_pending(const struct http_stream *stream)
{
	return outq_len(&stream->out);
}

void
http_finish(struct http_stream *stream, const struct http_field *trailers, size_t count)
{
	assert(stream->responded);
	if (stream->aborted || stream->finished)
		return;
	assert(count <= sizeof stream->trailers / sizeof stream->trailers[0]);
	if (count)
		memcpy(stream->trailers, trailers, count * sizeof *trailers);
	stream->trailer_count = count;
	stream->finished = true;
	stream->conn->proto->more(stream);
	conn_mark(stream->conn);
}

void
http_abort(struct http_stream *stream)
{
	if (stream->aborted)
		return;
	stream->aborted = true;
	stream->conn->proto->abort(stream);
	conn_mark(stream->conn);
}

void
stream_refuse(struct http_stream *stream, int status, const char *text)
{
	static const struct http_field fields[] = {
		HTTP_FIELD("content-type", "text/plain; charset=utf-8"),
	};
	const struct http_response response = {status, fields, 1, HTTP_LEN_UNKNOWN, 0};
	size_t len = strlen(text);
	uint8_t *room;

	if (stream->responded)
		return;
	http_respond(stream, &response);
	if (http_out_reserve(stream, len + 1, &room)) {
		http_abort(stream);
		return;
	}
	memcpy(room, text, len);
	room[len] = '\n';
	http_out_added(stream, len + 1);
	http_finish(stream, NULL, 0);
}

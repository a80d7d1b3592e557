#include "rpc/call.h"

#include "base/alloc.h"
#include "base/io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXTRA_MAX 8
#define FILE_STEP (64u << 10)

struct web_call {
	struct exchange exchange;
	struct rpc_worker *worker;
	struct http_stream *stream;
	const struct http_route *route;
	void *state;
	uint64_t body_seen;
	struct http_field extra[EXTRA_MAX];
	size_t extra_count;
	bool answered;
	int file_fd; /* being sent; -1: none */
	uint64_t file_left;
};

/* ---- answers ---- */

static void
respond(struct web_call *call, int status, const char *type, uint64_t len)
{
	struct http_field fields[EXTRA_MAX + 1];
	struct http_response response = {status, fields, 0, len, 0};
	char *kept = http_keep(call->stream, type, strlen(type));

	call->answered = true;
	if (kept)
		fields[response.field_count++] =
			(struct http_field){"content-type", kept, 12, strlen(kept)};
	for (size_t i = 0; i < call->extra_count; i++)
		fields[response.field_count++] = call->extra[i];
	http_respond(call->stream, &response);
}

void
web_add_header(struct web_call *call, const char *name, const char *value)
{
	char *kept_name, *kept_value;

	assert(call->extra_count < EXTRA_MAX && !call->answered);
	kept_name = http_keep(call->stream, name, strlen(name));
	kept_value = http_keep(call->stream, value, strlen(value));
	if (kept_name && kept_value)
		call->extra[call->extra_count++] = (struct http_field){
			kept_name, kept_value, strlen(kept_name), strlen(kept_value)};
}

static void
put_body(struct http_stream *stream, const void *bytes, size_t len)
{
	uint8_t *room;

	if (http_out_reserve(stream, len, &room)) {
		http_abort(stream);
		return;
	}
	if (len)
		memcpy(room, bytes, len);
	http_out_added(stream, len);
	http_finish(stream, NULL, 0);
}

void
web_reply(struct web_call *call, int status, const char *type, const void *bytes, size_t len)
{
	assert(!call->answered);
	respond(call, status, type, len);
	put_body(call->stream, bytes, len);
}

/* Reads the next pieces of a file as long as the connection takes them. */
static void
send_file(struct web_call *call)
{
	const struct net_limits *limits = http_worker_limits(call->worker->http);

	while (call->file_left && http_out_pending(call->stream) < limits->output_max / 2) {
		size_t step = call->file_left < FILE_STEP ? (size_t)call->file_left : FILE_STEP;
		uint8_t *room;
		ssize_t got;

		if (http_out_reserve(call->stream, step, &room))
			break;
		do
			got = read(call->file_fd, room, step);
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			break;
		call->file_left -= (uint64_t)got;
		http_out_added(call->stream, (size_t)got);
		if (call->file_left && http_out_pending(call->stream) >= limits->output_max / 2)
			return; /* on_writable goes on */
	}
	io_close(&call->file_fd);
	if (call->file_left)
		http_abort(call->stream); /* the file became shorter: the length was promised */
	else
		http_finish(call->stream, NULL, 0);
}

void
web_reply_file(struct web_call *call, int fd, uint64_t len, const char *type)
{
	assert(!call->answered);
	respond(call, 200, type, len);
	if (!strcmp(http_method(call->stream), "HEAD"))
		len = 0;
	call->file_fd = fd;
	call->file_left = len;
	send_file(call);
}

void
web_fail(struct web_call *call, enum un_err err, const struct un_detail *detail)
{
	const char *hint = un_hint_text(err, detail);
	char *encoded = hint[0] ? reply_encode(call->stream, hint) : NULL;
	int status = err == UN_ERR_TOO_LARGE ? 413 : reply_http_status(err);
	struct buf json;

	assert(!call->answered);
	buf_init(&json, 16u << 10, BUF_PLAIN);
	web_add_header(call, "union-error", un_err_slug(err));
	if (status == 401)
		web_add_header(call, "www-authenticate", "Bearer");
	if (encoded)
		web_add_header(call, "union-hint", encoded);
	if (reply_error_json(err, detail, &json))
		buf_clear(&json);
	web_reply(call, status, "application/json", json.data, json.len);
	buf_fini(&json);
}

void
web_refuse(struct http_stream *stream, int status, const char *code, const char *message)
{
	static const struct http_field malformed[] = {
		HTTP_FIELD("content-type", "application/json"),
		HTTP_FIELD("union-error", "protocol"),
	};
	static const struct http_field unsupported[] = {
		HTTP_FIELD("content-type", "application/json"),
		HTTP_FIELD("union-error", "unsupported"),
		HTTP_FIELD("allow", "POST"),
	};
	const struct http_field *fields = status == 400 ? malformed : unsupported;
	const struct http_response response = {status, fields, status == 405 ? 3 : 2,
	                                       HTTP_LEN_UNKNOWN, 0};
	char json[256];
	int len =
		snprintf(json, sizeof json, "{\"code\":\"%s\",\"message\":\"%s\"}", code, message);

	http_respond(stream, &response);
	put_body(stream, json, len > 0 && (size_t)len < sizeof json ? (size_t)len : 0);
}

/* ---- the request ---- */

static bool
speaks_grpc(const struct http_stream *stream)
{
	const char *type = http_header(stream, "content-type");

	return type && !strncmp(type, "application/grpc", 16) && http_is_h2(stream);
}

static void
refuse_grpc(struct http_stream *stream, const char *code, const char *message, const char *slug)
{
	const struct http_field fields[] = {
		HTTP_FIELD("content-type", "application/grpc"),
		{"grpc-status", code, 11, strlen(code)},
		{"grpc-message", message, 12, strlen(message)},
		{"union-error", slug, 11, strlen(slug)},
	};
	const struct http_response response = {200, fields, 4, HTTP_LEN_UNKNOWN, HTTP_NO_BODY};

	http_respond(stream, &response);
}

/* A path that is neither a method nor a route: said in the words of the protocol that asks. */
static void
refuse_unknown(struct http_stream *stream, bool other_method)
{
	if (speaks_grpc(stream))
		refuse_grpc(stream, "12", "no such method", "unsupported");
	else if (other_method)
		web_refuse(stream, 405, "unimplemented", "this path does not take that method");
	else
		web_refuse(stream, 404, "unimplemented", "no such path");
}

void
web_refuse_repeated(struct http_stream *stream)
{
	char message[96];
	char *kept;
	int len = snprintf(message, sizeof message, "more than one '%s' in the request's head",
	                   http_repeated(stream));

	http_count(stream, NET_BAD_REQUEST);
	kept = http_keep(stream, message, (size_t)len);
	if (!kept)
		http_abort(stream);
	else if (speaks_grpc(stream))
		refuse_grpc(stream, "3", kept, "protocol");
	else
		web_refuse(stream, 400, "invalid_argument", kept);
}

void
web_on_head(struct http_stream *stream, struct rpc_worker *worker)
{
	bool other_method;
	const struct http_route *route = router_find_route(
		&worker->server->router, http_method(stream), http_path(stream), &other_method);
	uint64_t len = http_body_len(stream);
	struct web_call *call;

	if (!route) {
		refuse_unknown(stream, other_method);
		return;
	}
	call = mem_zalloc(1, sizeof *call);
	if (!call) {
		http_abort(stream);
		return;
	}
	call->exchange.kind = EXCHANGE_WEB;
	call->worker = worker;
	call->stream = stream;
	call->route = route;
	call->file_fd = -1;
	http_set_state(stream, call);
	if (len != UINT64_MAX && len > route->body_max) {
		http_count(stream, NET_LIMIT_BODY);
		web_fail(call, UN_ERR_TOO_LARGE, NULL);
		return;
	}
	route->on_request(call, route->ctx);
}

void
web_on_body(struct web_call *call, const uint8_t *bytes, size_t len)
{
	if (call->answered)
		return;
	if (len > call->route->body_max - call->body_seen) {
		http_count(call->stream, NET_LIMIT_BODY);
		web_fail(call, UN_ERR_TOO_LARGE, NULL);
		return;
	}
	call->body_seen += len;
	call->route->on_body(call, call->route->ctx, bytes, len);
}

void
web_on_end(struct web_call *call)
{
	if (!call->answered && call->route->on_end)
		call->route->on_end(call, call->route->ctx);
}

void
web_on_writable(struct web_call *call)
{
	if (call->file_fd >= 0)
		send_file(call);
}

void
web_on_close(struct web_call *call)
{
	call->answered = true;
	if (call->route->on_close)
		call->route->on_close(call, call->route->ctx);
	io_close(&call->file_fd);
	mem_free(call);
}

const char *
web_method(const struct web_call *call)
{
	return http_method(call->stream);
}

const char *
web_path(const struct web_call *call)
{
	return http_path(call->stream);
}

const char *
web_query(const struct web_call *call)
{
	return http_query(call->stream);
}

const char *
web_header(const struct web_call *call, const char *name)
{
	return http_header(call->stream, name);
}

const char *
web_authority(const struct web_call *call)
{
	return http_authority(call->stream);
}

uint64_t
web_body_len(const struct web_call *call)
{
	return http_body_len(call->stream);
}

const struct net_peer *
web_peer(const struct web_call *call)
{
	return http_peer(call->stream);
}

struct loop *
web_loop(const struct web_call *call)
{
	return call->worker->loop;
}

void *
web_worker(const struct web_call *call)
{
	return call->worker->state;
}

void
web_set_state(struct web_call *call, void *state)
{
	call->state = state;
}

void *
web_state(const struct web_call *call)
{
	return call->state;
}

struct server *
web_server(const struct web_call *call)
{
	return call->worker->server;
}

#include "rpc/call.h"

#include "base/alloc.h"
#include "rpc/gzip.h"
#include "rpc/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* By gRPC status: the name Connect has for it, and the HTTP status that goes with it. */
static const struct {
	const char *name;
	int http;
} statuses[] = {
	[GRPC_OK] = {"ok", 200},
	[GRPC_CANCELLED] = {"canceled", 499},
	[GRPC_UNKNOWN] = {"unknown", 500},
	[GRPC_INVALID_ARGUMENT] = {"invalid_argument", 400},
	[GRPC_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504},
	[GRPC_NOT_FOUND] = {"not_found", 404},
	[GRPC_ALREADY_EXISTS] = {"already_exists", 409},
	[GRPC_PERMISSION_DENIED] = {"permission_denied", 403},
	[GRPC_RESOURCE_EXHAUSTED] = {"resource_exhausted", 429},
	[GRPC_FAILED_PRECONDITION] = {"failed_precondition", 400},
	[GRPC_ABORTED] = {"aborted", 409},
	[GRPC_OUT_OF_RANGE] = {"out_of_range", 400},
	[GRPC_UNIMPLEMENTED] = {"unimplemented", 501},
	[GRPC_INTERNAL] = {"internal", 500},
	[GRPC_UNAVAILABLE] = {"unavailable", 503},
	[GRPC_DATA_LOSS] = {"data_loss", 500},
	[GRPC_UNAUTHENTICATED] = {"unauthenticated", 401},
};

int
reply_http_status(enum un_err err)
{
	return statuses[un_err_grpc(err)].http;
}

char *
reply_encode(struct http_stream *stream, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	char out[3 * UN_DETAIL_MAX];
	size_t len = 0;

	for (const char *c = text; *c && len + 3 < sizeof out; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte >= 0x20 && byte < 0x7f && byte != '%') {
			out[len++] = *c;
			continue;
		}
		out[len++] = '%';
		out[len++] = hex[byte >> 4];
		out[len++] = hex[byte & 15];
	}
	return http_keep(stream, out, len);
}

/* ---- messages ---- */

static const char *
reply_type(const struct rpc_call *call)
{
	static const char *const types[3][2] = {
		[RPC_GRPC] = {"application/grpc", "application/grpc+json"},
		[RPC_CONNECT] = {"application/proto", "application/json"},
		[RPC_CONNECT_STREAM] = {"application/connect+proto", "application/connect+json"},
	};

	return types[call->protocol][call->json];
}

static struct http_field
field_of(const char *name, const char *value)
{
	return (struct http_field){name, value, strlen(name), strlen(value)};
}

static void
put_envelope(uint8_t *at, uint8_t flags, size_t len)
{
	at[0] = flags;
	at[1] = (uint8_t)(len >> 24);
	at[2] = (uint8_t)(len >> 16);
	at[3] = (uint8_t)(len >> 8);
	at[4] = (uint8_t)len;
}

/* Puts bytes that are ready into the stream's output, in an envelope where there is one. */
static enum un_err
put_bytes(struct rpc_call *call, uint8_t flags, const void *bytes, size_t len)
{
	size_t head = call->protocol == RPC_CONNECT ? 0 : RPC_ENVELOPE_LEN;
	uint8_t *room;
	enum un_err err = http_out_reserve(call->stream, head + len, &room);

	if (err)
		return err;
	if (head)
		put_envelope(room, flags, len);
	if (len)
		memcpy(room + head, bytes, len);
	http_out_added(call->stream, head + len);
	return UN_OK;
}

/* The usual way: packed straight into the stream's output, no copy. */
static enum un_err
put_packed(struct rpc_call *call, const ProtobufCMessage *message)
{
	size_t head = call->protocol == RPC_CONNECT ? 0 : RPC_ENVELOPE_LEN;
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *room;
	enum un_err err = http_out_reserve(call->stream, head + len, &room);

	if (err)
		return err;
	if (head)
		put_envelope(room, 0, len);
	protobuf_c_message_pack(message, room + head);
	http_out_added(call->stream, head + len);
	return UN_OK;
}

static enum un_err
put_json(struct rpc_call *call, const ProtobufCMessage *message)
{
	struct buf *json = &call->worker->json;
	enum un_err err = json_format(message, 0, json);

	if (!err)
		err = put_bytes(call, 0, json->data, json->len);
	if (json->cap > 64u << 10)
		buf_fini(json);
	else
		buf_clear(json);
	return err;
}

static enum un_err
put_message(struct rpc_call *call, const ProtobufCMessage *message)
{
	return call->json ? put_json(call, message) : put_packed(call, message);
}

/* A large unary Connect reply, when the client takes gzip. True: *ret_err says how it went. */
static bool
put_compressed(struct rpc_call *call, const ProtobufCMessage *message, enum un_err *ret_err)
{
	struct outq *scratch = &call->worker->scratch;
	struct buf plain;
	uint8_t *room;
	enum un_err err;

	if (!call->gzip_out || call->protocol != RPC_CONNECT ||
	    call->target->method->flags & RPC_SENSITIVE ||
	    protobuf_c_message_get_packed_size(message) < RPC_COMPRESS_MIN)
		return false;
	buf_init(&plain, SIZE_MAX / 2, BUF_WIPE);
	if (call->json) {
		err = json_format(message, 0, &plain);
	} else {
		size_t len = protobuf_c_message_get_packed_size(message);

		err = buf_reserve(&plain, len);
		if (!err)
			buf_added(&plain, protobuf_c_message_pack(message, plain.data));
	}
	if (!err)
		err = gzip_pack(plain.data, plain.len, scratch);
	buf_fini(&plain);
	if (!err)
		err = http_out_reserve(call->stream, outq_len(scratch), &room);
	if (!err) {
		memcpy(room, outq_peek(scratch), outq_len(scratch));
		http_out_added(call->stream, outq_len(scratch));
	}
	outq_take(scratch, outq_len(scratch));
	outq_trim(scratch, 64u << 10);
	*ret_err = err;
	return true;
}

void
reply_message(struct rpc_call *call, const ProtobufCMessage *message)
{
	static const struct http_field grpc_ok[] = {HTTP_FIELD("grpc-status", "0")};
	struct http_field fields[2] = {field_of("content-type", reply_type(call))};
	struct http_response response = {200, fields, 1, HTTP_LEN_UNKNOWN, 0};
	enum un_err err = UN_OK;

	assert(message->descriptor == call->target->method->output);
	/* the body first: a message that cannot be written must not have begun as a success */
	if (put_compressed(call, message, &err))
		fields[response.field_count++] = field_of("content-encoding", "gzip");
	else
		err = put_message(call, message);
	if (err) {
		reply_error(call, err, NULL);
		return;
	}
	http_respond(call->stream, &response);
	http_finish(call->stream, grpc_ok, call->protocol == RPC_GRPC);
}

/* ---- streams ---- */

void
reply_stream_begin(struct rpc_call *call)
{
	const struct http_field fields[] = {field_of("content-type", reply_type(call))};
	const struct http_response response = {200, fields, 1, HTTP_LEN_UNKNOWN, 0};

	call->stream_begun = true;
	http_respond(call->stream, &response);
}

enum un_err
reply_stream_message(struct rpc_call *call, const ProtobufCMessage *message)
{
	assert(message->descriptor == call->target->method->output);
	if (!call->stream_begun)
		reply_stream_begin(call);
	return put_message(call, message);
}

void
reply_stream_end(struct rpc_call *call)
{
	static const struct http_field grpc_ok[] = {HTTP_FIELD("grpc-status", "0")};

	if (!call->stream_begun)
		reply_stream_begin(call);
	if (call->protocol != RPC_GRPC && put_bytes(call, 2, "{}", 2)) {
		http_abort(call->stream);
		return;
	}
	http_finish(call->stream, grpc_ok, call->protocol == RPC_GRPC);
}

/* ---- errors ---- */

static enum un_err
append_json_text(struct buf *out, const char *name, const char *text)
{
	enum un_err err = buf_appendf(out, "\"%s\":", name);

	return err ? err : json_append_text(out, text, strlen(text));
}

enum un_err
reply_error_json(enum un_err failure, const struct un_detail *detail, struct buf *out)
{
	enum un_err err = buf_append_text(out, "{");

	if (!err)
		err = append_json_text(out, "code", statuses[un_err_grpc(failure)].name);
	if (!err)
		err = buf_append_text(out, ",");
	if (!err)
		err = append_json_text(out, "message", un_message(failure, detail));
	return err ? err : buf_append_text(out, "}");
}

struct error_fields {
	struct http_field fields[5];
	size_t count;
};

static void
add_field(struct error_fields *fields, const char *name, const char *value)
{
	if (value) /* without memory an error says less, but still that it is one */
		fields->fields[fields->count++] = field_of(name, value);
}

static void
add_ours(struct rpc_call *call, struct error_fields *fields, enum un_err err,
         const struct un_detail *detail)
{
	const char *hint = un_hint_text(err, detail);

	add_field(fields, "union-error", un_err_slug(err));
	if (hint[0])
		add_field(fields, "union-hint", reply_encode(call->stream, hint));
}

static void
grpc_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	static const char *const numbers[] = {"0", "1", "2",  "3",  "4",  "5",  "6",  "7", "8",
	                                      "9", "10", "11", "12", "13", "14", "15", "16"};
	struct error_fields fields = {.count = 0};
	struct http_response response = {200, fields.fields, 0, HTTP_LEN_UNKNOWN, HTTP_NO_BODY};

	if (!call->stream_begun)
		add_field(&fields, "content-type", reply_type(call));
	add_field(&fields, "grpc-status", numbers[un_err_grpc(err)]);
	add_field(&fields, "grpc-message", reply_encode(call->stream, un_message(err, detail)));
	add_ours(call, &fields, err, detail);
	if (call->stream_begun) {
		http_finish(call->stream, fields.fields, fields.count);
		return;
	}
	response.field_count = fields.count;
	http_respond(call->stream, &response);
}

static void
connect_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	struct error_fields fields = {.count = 0};
	struct http_response response = {reply_http_status(err), fields.fields, 0, HTTP_LEN_UNKNOWN,
	                                 0};
	struct buf json;

	buf_init(&json, 16u << 10, BUF_PLAIN);
	add_field(&fields, "content-type", "application/json");
	add_ours(call, &fields, err, detail);
	if (response.status == 401)
		add_field(&fields, "www-authenticate", "Bearer");
	response.field_count = fields.count;
	http_respond(call->stream, &response);
	if (reply_error_json(err, detail, &json) || put_bytes(call, 0, json.data, json.len))
		http_abort(call->stream);
	else
		http_finish(call->stream, NULL, 0);
	buf_fini(&json);
}

/* The end of a Connect stream carries the error, and our fields as its metadata. */
static enum un_err
append_stream_error(struct rpc_call *call, enum un_err failure, const struct un_detail *detail,
                    struct buf *json)
{
	const char *hint = un_hint_text(failure, detail);
	char *encoded = hint[0] ? reply_encode(call->stream, hint) : NULL;
	enum un_err err = buf_append_text(json, "{\"error\":");

	if (!err)
		err = reply_error_json(failure, detail, json);
	if (!err)
		err = buf_appendf(json, ",\"metadata\":{\"union-error\":[\"%s\"]",
		                  un_err_slug(failure));
	if (!err && encoded) {
		err = buf_append_text(json, ",\"union-hint\":[");
		if (!err)
			err = json_append_text(json, encoded, strlen(encoded));
		if (!err)
			err = buf_append_text(json, "]");
	}
	return err ? err : buf_append_text(json, "}}");
}

static void
connect_stream_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	struct buf json;

	buf_init(&json, 16u << 10, BUF_PLAIN);
	if (!call->stream_begun)
		reply_stream_begin(call);
	if (append_stream_error(call, err, detail, &json) ||
	    put_bytes(call, 2, json.data, json.len))
		http_abort(call->stream);
	else
		http_finish(call->stream, NULL, 0);
	buf_fini(&json);
}

void
reply_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	switch (call->protocol) {
	case RPC_GRPC:
		grpc_error(call, err, detail);
		break;
	case RPC_CONNECT:
		connect_error(call, err, detail);
		break;
	case RPC_CONNECT_STREAM:
		connect_stream_error(call, err, detail);
		break;
	}
}

#include "rpc/call.h"

#include "base/clock.h"
#include "base/text.h"
#include "rpc/gzip.h"
#include "rpc/json.h"
#include "model/wire.h"

#include <string.h>
#include <strings.h>

struct content_type {
	const char *name;
	enum rpc_protocol protocol;
	bool json;
};

static const struct content_type content_types[] = {
	{"application/grpc", RPC_GRPC, false},
	{"application/grpc+proto", RPC_GRPC, false},
	{"application/grpc+json", RPC_GRPC, true},
	{"application/proto", RPC_CONNECT, false},
	{"application/json", RPC_CONNECT, true},
	{"application/connect+proto", RPC_CONNECT_STREAM, false},
	{"application/connect+json", RPC_CONNECT_STREAM, true},
};

static bool
field_is(const struct http_field *field, const char *name, size_t len)
{
	return field->name_len == len && text_equal(field->name, name, len);
}

#define FIELD_IS(field, name) field_is(field, name, sizeof(name) - 1)

static bool
take_content_type(struct rpc_call *call, const char *value)
{
	size_t len = strcspn(value, "; \t");

	for (size_t i = 0; i < sizeof content_types / sizeof content_types[0]; i++) {
		const struct content_type *type = &content_types[i];

		if (strlen(type->name) == len && !strncasecmp(type->name, value, len)) {
			call->protocol = type->protocol;
			call->json = type->json;
			return true;
		}
	}
	return false;
}

/* "gzip" as one item of a list, its quality not 0. */
static bool
accepts_gzip(const char *value)
{
	const char *at = strstr(value, "gzip");

	if (!at || (at != value && at[-1] != ' ' && at[-1] != ','))
		return false;
	at += 4;
	return strncmp(at, ";q=0,", 5) && strcmp(at, ";q=0");
}

static bool
take_number(const char **at, size_t digits_max, int64_t *ret_number)
{
	int64_t number = 0;
	size_t digits = 0;

	for (; **at >= '0' && **at <= '9' && digits <= digits_max; ++*at, digits++)
		number = number * 10 + (**at - '0');
	*ret_number = number;
	return digits && digits <= digits_max;
}

/* grpc-timeout: up to 8 digits and a unit. */
static bool
take_grpc_timeout(const char *value, int64_t *ret_ms)
{
	int64_t number;

	if (!take_number(&value, 8, &number) || !value[0] || value[1])
		return false;
	switch (value[0]) {
	case 'H':
		*ret_ms = number * 3600 * 1000;
		return true;
	case 'M':
		*ret_ms = number * 60 * 1000;
		return true;
	case 'S':
		*ret_ms = number * 1000;
		return true;
	case 'm':
		*ret_ms = number;
		return true;
	case 'u':
		*ret_ms = number / 1000;
		return true;
	case 'n':
		*ret_ms = number / 1000000;
		return true;
	default:
		return false;
	}
}

static bool
take_connect_timeout(const char *value, int64_t *ret_ms)
{
	return take_number(&value, 10, ret_ms) && !value[0];
}

static void
take_request_id(struct rpc_call *call, const struct http_field *field)
{
	if (!field->value_len || field->value_len > RPC_REQUEST_ID_MAX)
		return;
	for (size_t i = 0; i < field->value_len; i++) {
		char c = field->value[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_' && c != '.')
			return;
	}
	memcpy(call->request_id, field->value, field->value_len + 1);
}

struct head {
	const char *encoding; /* of the request's body, or of its envelopes */
	const char *accept;
	int64_t timeout_ms; /* -1: none */
	bool bad;
};

/* The protocol is known already. */
static void
take_field(struct rpc_call *call, const struct http_field *field, struct head *head)
{
	bool grpc = call->protocol == RPC_GRPC, stream = call->protocol == RPC_CONNECT_STREAM;

	if (FIELD_IS(field, "x-request-id"))
		take_request_id(call, field);
	else if (grpc && FIELD_IS(field, "grpc-timeout"))
		head->bad |= !take_grpc_timeout(field->value, &head->timeout_ms);
	else if (!grpc && FIELD_IS(field, "connect-timeout-ms"))
		head->bad |= !take_connect_timeout(field->value, &head->timeout_ms);
	else if (grpc ? FIELD_IS(field, "grpc-encoding")
	              : stream ? FIELD_IS(field, "connect-content-encoding")
	                       : FIELD_IS(field, "content-encoding"))
		head->encoding = field->value;
	else if (grpc ? FIELD_IS(field, "grpc-accept-encoding")
	              : stream ? FIELD_IS(field, "connect-accept-encoding")
	                       : FIELD_IS(field, "accept-encoding"))
		head->accept = field->value;
}

static void
set_deadline(struct rpc_call *call, int64_t timeout_ms)
{
	const struct net_limits *limits = http_worker_limits(call->worker->http);
	int64_t now = loop_now_ms(call->worker->loop);

	if (timeout_ms < 0 && call->target->method->server_streaming) {
		call->deadline_ms = INT64_MAX;
		return;
	}
	if (timeout_ms < 0)
		timeout_ms = limits->call_ms;
	if (timeout_ms > limits->deadline_max_ms)
		timeout_ms = limits->deadline_max_ms;
	call->deadline_ms = now + timeout_ms;
}

int
decode_head(struct rpc_call *call)
{
	struct http_stream *stream = call->stream;
	const char *type = http_header(stream, "content-type");
	struct head head = {.timeout_ms = -1};
	size_t count = http_header_count(stream);

	if (!type || !take_content_type(call, type))
		return 415;
	if (call->protocol != RPC_GRPC &&
	    (call->protocol == RPC_CONNECT_STREAM) != call->target->method->server_streaming)
		return 415;
	if (call->protocol == RPC_GRPC && !http_is_h2(stream))
		return 505; /* its status travels in trailers */
	for (size_t i = 0; i < count; i++)
		take_field(call, http_header_at(stream, i), &head);
	if (head.bad)
		return 400;
	if (head.encoding && !strcmp(head.encoding, "gzip"))
		call->gzip_in = true;
	else if (head.encoding && strcmp(head.encoding, "identity"))
		return 501;
	call->gzip_out = head.accept && accepts_gzip(head.accept);
	set_deadline(call, head.timeout_ms);
	return 0;
}

/* ---- bodies ---- */

struct bytes {
	const uint8_t *at;
	size_t len;
};

/* Takes the one message out of its envelope: flags, length (u32, big-endian), bytes. */
static enum un_err
open_envelope(const struct rpc_call *call, struct bytes *bytes, bool *ret_packed,
              struct un_detail *detail)
{
	const uint8_t *at = bytes->at;
	uint32_t len;

	if (bytes->len < RPC_ENVELOPE_LEN)
		return un_fail(detail, UN_ERR_PROTOCOL, "the request has no message");
	len = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
	if (at[0] & ~1u)
		return un_fail(detail, UN_ERR_PROTOCOL, "the message has flags that nobody knows");
	if (len != bytes->len - RPC_ENVELOPE_LEN)
		return un_fail(detail, UN_ERR_PROTOCOL,
		               "the message has not the length it says, or it is not the only one");
	*ret_packed = at[0] & 1;
	if (*ret_packed && !call->gzip_in)
		return un_fail(detail, UN_ERR_PROTOCOL,
		               "the message is compressed, and no header says how");
	bytes->at += RPC_ENVELOPE_LEN;
	bytes->len = len;
	return UN_OK;
}

static enum un_err
unpack_gzip(struct rpc_call *call, struct bytes *bytes, struct un_detail *detail)
{
	struct outq *plain = &call->worker->scratch;
	enum un_err err = gzip_unpack(bytes->at, bytes->len, call->body_max, plain);

	if (err == UN_ERR_TOO_LARGE)
		return un_fail(detail, err, "the request is larger than %zu bytes", call->body_max);
	if (err)
		return un_fail(detail, err, "the request is not the gzip data it says it is");
	bytes->at = outq_peek(plain);
	bytes->len = outq_len(plain);
	return UN_OK;
}

static enum un_err
unpack_message(struct rpc_call *call, struct bytes bytes, ProtobufCMessage **ret_message,
               struct un_detail *detail)
{
	const ProtobufCMessageDescriptor *type = call->target->method->input;
	const struct json_options options = {.allocator = &call->allocator};
	enum un_err err;

	if (call->json && !bytes.len) /* no body stands for an empty message */
		bytes = (struct bytes){(const uint8_t *)"{}", 2};
	if (call->json)
		return json_parse((const char *)bytes.at, bytes.len, type, &options, ret_message,
		                  detail);
	err = wire_check(type, bytes.at, bytes.len, detail);
	if (err)
		return err;
	*ret_message = protobuf_c_message_unpack(type, &call->allocator, bytes.len, bytes.at);
	if (!*ret_message)
		return un_fail(detail, UN_ERR_PROTOCOL,
		               "malformed message, or one that needs too much memory");
	return UN_OK;
}

enum un_err
decode_body(struct rpc_call *call, ProtobufCMessage **ret_message, struct un_detail *detail)
{
	struct outq *scratch = &call->worker->scratch;
	struct bytes bytes = {outq_peek(&call->body), outq_len(&call->body)};
	/* some clients say gzip and send plain bytes: unary bodies are looked at */
	bool packed = call->gzip_in && gzip_is(bytes.at, bytes.len);
	enum un_err err = UN_OK;

	if (call->protocol != RPC_CONNECT)
		err = open_envelope(call, &bytes, &packed, detail);
	if (!err && packed && (call->protocol == RPC_CONNECT || bytes.len))
		err = unpack_gzip(call, &bytes, detail);
	if (!err)
		err = unpack_message(call, bytes, ret_message, detail);
	outq_take(scratch, outq_len(scratch));
	outq_trim(scratch, 64u << 10);
	return err;
}

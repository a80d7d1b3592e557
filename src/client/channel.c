#include "client/channel_impl.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "crypto/secbuf.h"
#include "flyteidl/service/auth.pb-c.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (64u << 20)
#define INTERIM_MAX 4
#define ENVELOPE_LEN 5
#define ENVELOPE_END 0x02

struct channel_stream {
	struct channel *channel;
	const ProtobufCMessageDescriptor *type;
	size_t message_max;
	struct answer answer;
	struct buf body; /* decoded, not yet a whole envelope */
	bool ended;
	bool broken;
};

/* Messages handed out carry their size in front, so that freeing can wipe. */
struct wiped_block {
	_Alignas(max_align_t) size_t len;
};

static void *
wiping_alloc(void *unused, size_t len)
{
	struct wiped_block *block;

	if (len > SIZE_MAX - sizeof *block)
		return NULL;
	block = mem_alloc(sizeof *block + len);
	if (!block)
		return NULL;
	block->len = len;
	return block + 1;
}

static void
wiping_free(void *unused, void *bytes)
{
	struct wiped_block *block = bytes;

	if (block)
		mem_wipe_free(block - 1, sizeof *block + block[-1].len);
}

static ProtobufCAllocator wiping_allocator = {.alloc = wiping_alloc, .free = wiping_free};

void
channel_message_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, &wiping_allocator);
}

enum un_err
channel_new(const char *endpoint, const struct wire_remote *remote, struct channel **ret_channel,
            struct un_detail *detail)
{
	struct channel *channel = mem_zalloc(1, sizeof *channel);
	enum un_err err;

	if (!channel)
		return UN_ERR_NO_MEMORY;
	err = endpoint_parse(endpoint, &channel->endpoint, detail);
	if (err) {
		mem_free(channel);
		return err;
	}
	channel->remote = remote;
	channel->wire.fd = -1;
	channel->wire.wake_fd = -1;
	buf_init(&channel->in, REPLY_HEAD_MAX + CHANNEL_READ_STEP, BUF_WIPE);
	*ret_channel = channel;
	return UN_OK;
}

void
channel_hang_up(struct channel *channel)
{
	wire_close(&channel->wire);
	buf_clear(&channel->in);
	channel->known = false;
}

void
channel_free(struct channel *channel)
{
	if (!channel)
		return;
	channel_hang_up(channel);
	buf_fini(&channel->in);
	mem_free(channel);
}

void
channel_set_wake(struct channel *channel, int fd)
{
	channel->wire.wake_fd = fd;
}

const struct endpoint *
channel_endpoint(const struct channel *channel)
{
	return &channel->endpoint;
}

enum un_err
channel_connect(struct channel *channel, int64_t deadline_ms, struct un_detail *detail)
{
	if (channel->wire.fd >= 0 && (channel->in.len || wire_is_stale(&channel->wire)))
		channel_hang_up(channel);
	if (channel->wire.fd >= 0)
		return UN_OK;
	return wire_connect(&channel->wire, &channel->endpoint, channel->remote, deadline_ms,
	                    detail);
}

void
channel_adopt(struct channel *channel, int fd)
{
	channel_hang_up(channel);
	wire_adopt(&channel->wire, fd);
}

int64_t
channel_deadline(int64_t deadline_ms)
{
	return deadline_ms ? deadline_ms : clock_mono_ms() + CHANNEL_TIMEOUT_MS;
}

/* The user at the other end of a Unix socket, when that is not this one; else -1. */
static long
other_owner(const struct channel *channel)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;

	if (channel->endpoint.kind != ENDPOINT_UNIX || channel->wire.fd < 0 ||
	    getsockopt(channel->wire.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return -1;
	return peer.uid == geteuid() ? -1 : (long)peer.uid;
}

/* Adds what an error of the wire itself leaves unsaid. */
enum un_err
channel_failed(struct channel *channel, enum un_err err, struct un_detail *detail)
{
	long owner = err == UN_ERR_UNREACHABLE ? other_owner(channel) : -1;
	const char *refusal = channel->wire.refusal;

	channel_hang_up(channel);
	if (err == UN_ERR_UNREACHABLE && refusal) {
		un_hint(detail, "a certificate of its authority and its key: "
		                "admin.clientCertFilePath and admin.clientKeyFilePath in the "
		                "configuration");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED, "the control plane %s", refusal);
	}
	if (owner >= 0) {
		un_hint(detail,
		        "it answers to its own user only: leave --endpoint and UNION_ENDPOINT out "
		        "to use yours");
		return un_fail(detail, err, "the control plane belongs to another user (uid %ld)",
		               owner);
	}
	if (err == UN_ERR_UNREACHABLE)
		return un_fail(detail, err,
		               "the connection to the control plane broke before its answer");
	if (err == UN_ERR_TIMEOUT)
		return un_fail(detail, err, "the control plane did not answer in time");
	if (err == UN_ERR_PROTOCOL)
		return un_fail(detail, err, "the control plane sent a malformed reply");
	if (err == UN_ERR_TOO_LARGE)
		return un_fail(detail, err, "the control plane's reply is over the limit");
	return err;
}

/* At least one more byte into channel->in. */
static enum un_err
read_more(struct channel *channel, int64_t deadline_ms)
{
	size_t got = 0;
	enum un_err err = buf_reserve(&channel->in, CHANNEL_READ_STEP);

	if (err)
		return err == UN_ERR_TOO_LARGE ? UN_ERR_PROTOCOL : err;
	err = channel->wire.ops->read(&channel->wire, channel->in.data + channel->in.len,
	                              CHANNEL_READ_STEP, deadline_ms, &got);
	if (err)
		return err;
	if (!got)
		return UN_ERR_UNREACHABLE;
	buf_added(&channel->in, got);
	return UN_OK;
}

/* Reads heads until one is final. */
enum un_err
channel_read_head(struct channel *channel, struct answer *answer)
{
	for (int interim = 0; interim <= INTERIM_MAX; interim++) {
		size_t len;
		enum un_err err;

		while (!(len = reply_head_len(channel->in.data, channel->in.len))) {
			if (channel->in.len > REPLY_HEAD_MAX)
				return UN_ERR_PROTOCOL;
			err = read_more(channel, answer->deadline_ms);
			if (err)
				return err;
		}
		err = reply_parse_head(channel->in.data, len, &answer->head);
		if (err)
			return err;
		buf_drop_front(&channel->in, len);
		if (answer->head.status >= 200) {
			reply_body_init(&answer->body, &answer->head);
			return UN_OK;
		}
	}
	return UN_ERR_PROTOCOL;
}

/* The next piece of the body, appended to `out`; nothing more when reply_body_is_done. */
enum un_err
channel_read_piece(struct channel *channel, struct answer *answer, struct buf *out)
{
	struct reply_piece piece;
	enum un_err err;

	if (!channel->in.len && !reply_body_is_done(&answer->body)) {
		err = read_more(channel, answer->deadline_ms);
		if (err)
			return err;
	}
	err = reply_body_push(&answer->body, channel->in.data, channel->in.len, &piece);
	if (err)
		return err;
	err = buf_append(out, piece.data, piece.len);
	if (err)
		return err;
	buf_drop_front(&channel->in, piece.used);
	return UN_OK;
}

enum un_err
channel_read_body(struct channel *channel, struct answer *answer, struct buf *out)
{
	while (!reply_body_is_done(&answer->body)) {
		enum un_err err = channel_read_piece(channel, answer, out);

		if (err)
			return err;
	}
	return UN_OK;
}

void
channel_answered(struct channel *channel, const struct answer *answer)
{
	if (answer->head.close)
		channel_hang_up(channel);
}

/* Reads the rest of a reply that is an error and says which. */
enum un_err
channel_read_refusal(struct channel *channel, struct answer *answer, struct un_detail *detail)
{
	struct buf body;
	enum un_err err;

	buf_init(&body, CHANNEL_ERROR_BODY_MAX, BUF_WIPE);
	err = channel_read_body(channel, answer, &body);
	if (err) {
		err = channel_failed(channel, err, detail);
	} else {
		channel_answered(channel, answer);
		err = reply_read_error(&answer->head, body.data, body.len, detail);
	}
	buf_fini(&body);
	return err;
}

static const char *
host_of(const struct endpoint *endpoint, char text[ENDPOINT_HOST_MAX + 16])
{
	if (endpoint->kind == ENDPOINT_UNIX)
		return "localhost";
	(void)snprintf(text, ENDPOINT_HOST_MAX + 16,
	               strchr(endpoint->host, ':') ? "[%s]:%u" : "%s:%u", endpoint->host,
	               endpoint->port);
	return text;
}

enum un_err
channel_add_head(struct channel *channel, struct buf *out, const char *line, const char *type,
                 size_t len)
{
	char host[ENDPOINT_HOST_MAX + 16];
	enum un_err err = buf_appendf(out, "%s HTTP/1.1\r\nhost: %s\r\nuser-agent: union/%s\r\n",
	                              line, host_of(&channel->endpoint, host), UNION_VERSION);

	if (!err && type)
		err = buf_appendf(out, "content-type: %s\r\ncontent-length: %zu\r\n", type, len);
	return err;
}

enum un_err
channel_send(struct channel *channel, const struct buf *request, int64_t deadline_ms,
             struct un_detail *detail)
{
	enum un_err err;

	if (channel->in_stream)
		return un_fail(detail, UN_ERR_BUSY, "the channel is reading a stream");
	err = channel_connect(channel, deadline_ms, detail);
	if (err)
		return err;
	err = channel->wire.ops->write(&channel->wire, request->data, request->len, deadline_ms);
	return err ? channel_failed(channel, err, detail) : UN_OK;
}

void
channel_set_auth(struct channel *channel, struct channel_auth *auth)
{
	channel->auth = auth;
	channel->known = false;
}

static enum un_err
add_token(struct channel *channel, struct buf *out, bool refused, int64_t deadline_ms,
          struct un_detail *detail)
{
	const struct secbuf *token = NULL;
	enum un_err err;

	if (!channel->auth)
		return UN_OK;
	err = channel->auth->token(channel->auth, channel, refused, deadline_ms, &token, detail);
	if (err || !token)
		return err;
	err = buf_append_text(out, "authorization: Bearer ");
	if (!err)
		err = buf_append(out, secbuf_peek(token), secbuf_len(token));
	return err ? err : buf_append_text(out, "\r\n");
}

enum un_err
channel_ask(struct channel *channel, const struct channel_ask *ask, struct buf *out,
            struct un_detail *detail)
{
	struct answer answer = {.deadline_ms = channel_deadline(ask->deadline_ms)};
	const char *type = ask->form ? "application/x-www-form-urlencoded" : NULL;
	size_t len = ask->form ? secbuf_len(ask->form) : 0;
	struct buf request;
	char line[256];
	enum un_err err;

	(void)snprintf(line, sizeof line, "%s %s", ask->form ? "POST" : "GET", ask->path);
	buf_init(&request, CHANNEL_REQUEST_HEAD_MAX + len, BUF_WIPE);
	err = channel_add_head(channel, &request, line, type, len);
	if (!err)
		err = buf_append_text(&request, "accept: application/json\r\n\r\n");
	if (!err && ask->form)
		err = buf_append(&request, secbuf_peek(ask->form), len);
	if (!err)
		err = channel_send(channel, &request, answer.deadline_ms, detail);
	buf_fini(&request);
	if (err)
		return err;
	err = channel_read_head(channel, &answer);
	if (!err && answer.head.status != 200)
		return channel_read_refusal(channel, &answer, detail);
	if (!err)
		err = channel_read_body(channel, &answer, out);
	if (err)
		return channel_failed(channel, err, detail);
	channel_answered(channel, &answer);
	return UN_OK;
}

/* Sends `call` (in an envelope for a stream) and reads the head of the reply. */
static enum un_err
send_call(struct channel *channel, const struct channel_call *call, bool stream, bool refused,
          struct answer *answer, struct un_detail *detail)
{
	size_t size = protobuf_c_message_get_packed_size(call->request);
	size_t framed = size + (stream ? ENVELOPE_LEN : 0);
	const char *type = stream ? "application/connect+proto" : "application/proto";
	char line[256];
	struct buf request;
	enum un_err err;

	answer->deadline_ms = channel_deadline(call->deadline_ms);
	if (size > REQUEST_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "the request is over the limit");
	(void)snprintf(line, sizeof line, "POST %s", call->method);
	buf_init(&request, REQUEST_MAX + CHANNEL_REQUEST_HEAD_MAX, BUF_WIPE);
	err = buf_reserve(&request, framed + 512);
	if (!err)
		err = channel_add_head(channel, &request, line, type, framed);
	if (!err)
		err = add_token(channel, &request, refused, answer->deadline_ms, detail);
	if (!err)
		err = buf_append_text(&request, "connect-protocol-version: 1\r\n\r\n");
	if (!err && stream) {
		uint8_t envelope[ENVELOPE_LEN] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
		                                  (uint8_t)(size >> 8), (uint8_t)size};

		err = buf_append(&request, envelope, sizeof envelope);
	}
	if (!err)
		err = buf_reserve(&request, size);
	if (!err) {
		(void)protobuf_c_message_pack(call->request, request.data + request.len);
		buf_added(&request, size);
		err = channel_send(channel, &request, answer->deadline_ms, detail);
	}
	buf_fini(&request);
	if (err)
		return err;
	err = channel_read_head(channel, answer);
	return err ? channel_failed(channel, err, detail) : UN_OK;
}

/* The same, and once more with another token when the first is not accepted (any more). */
static enum un_err
begin_call(struct channel *channel, const struct channel_call *call, bool stream,
           struct answer *answer, struct un_detail *detail)
{
	enum un_err err = send_call(channel, call, stream, false, answer, detail);

	if (!err && channel->auth && answer->head.status == 401) {
		err = channel_read_refusal(channel, answer, detail);
		if (err != UN_ERR_UNAUTHENTICATED)
			return err;
		if (detail)
			*detail = (struct un_detail){0};
		err = send_call(channel, call, stream, true, answer, detail);
	}
	if (!err && answer->head.status == 200)
		channel->known = true;
	return err;
}

static enum un_err
unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
       ProtobufCMessage **ret_message)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(type, &wiping_allocator, len, bytes);

	if (!message)
		return UN_ERR_PROTOCOL;
	*ret_message = message;
	return UN_OK;
}

enum un_err
channel_unary(struct channel *channel, const struct channel_call *call,
              ProtobufCMessage **ret_reply, struct un_detail *detail)
{
	struct answer answer = {0};
	struct buf body;
	enum un_err err = begin_call(channel, call, false, &answer, detail);

	if (err)
		return err;
	if (answer.head.status != 200)
		return channel_read_refusal(channel, &answer, detail);
	buf_init(&body, call->reply_max ? call->reply_max : CHANNEL_REPLY_MAX, BUF_WIPE);
	err = UN_ERR_PROTOCOL;
	if (strcmp(answer.head.content_type, "application/proto") == 0)
		err = channel_read_body(channel, &answer, &body);
	if (!err)
		err = unpack(call->reply, (const uint8_t *)buf_text(&body), body.len, ret_reply);
	if (err)
		err = channel_failed(channel, err, detail);
	else
		channel_answered(channel, &answer);
	buf_fini(&body);
	return err;
}

/* Whoever is not let into a stream learns it from its last envelope only; so the token is tried
 * before, once a connection. */
static enum un_err
log_in(struct channel *channel, int64_t deadline_ms, struct un_detail *detail)
{
	Flyteidl__Service__UserInfoRequest request = FLYTEIDL__SERVICE__USER_INFO_REQUEST__INIT;
	const struct channel_call call = {
		.method = "/flyteidl.service.IdentityService/UserInfo",
		.request = &request.base,
		.reply = &flyteidl__service__user_info_response__descriptor,
		.deadline_ms = deadline_ms,
	};
	ProtobufCMessage *reply = NULL;
	enum un_err err;

	if (!channel->auth || channel->known)
		return UN_OK;
	err = channel_unary(channel, &call, &reply, detail);
	channel_message_free(reply);
	return err;
}

enum un_err
channel_stream_open(struct channel *channel, const struct channel_call *call,
                    struct channel_stream **ret_stream, struct un_detail *detail)
{
	struct channel_stream *stream = mem_zalloc(1, sizeof *stream);
	enum un_err err;

	if (!stream)
		return UN_ERR_NO_MEMORY;
	err = log_in(channel, call->deadline_ms, detail);
	if (!err)
		err = begin_call(channel, call, true, &stream->answer, detail);
	if (!err && stream->answer.head.status != 200)
		err = channel_read_refusal(channel, &stream->answer, detail);
	else if (!err && strcmp(stream->answer.head.content_type, "application/connect+proto") != 0)
		err = channel_failed(channel, UN_ERR_PROTOCOL, detail);
	if (err) {
		mem_free(stream);
		return err;
	}
	stream->channel = channel;
	stream->type = call->reply;
	stream->message_max = call->reply_max ? call->reply_max : CHANNEL_REPLY_MAX;
	buf_init(&stream->body, stream->message_max + ENVELOPE_LEN + CHANNEL_READ_STEP, BUF_WIPE);
	channel->in_stream = true;
	*ret_stream = stream;
	return UN_OK;
}

void
channel_stream_free(struct channel_stream *stream)
{
	if (!stream)
		return;
	stream->channel->in_stream = false;
	if (!stream->ended)
		channel_hang_up(stream->channel);
	else
		channel_answered(stream->channel, &stream->answer);
	buf_fini(&stream->body);
	mem_free(stream);
}

/* Reads until a whole envelope lies at the front of stream->body. */
static enum un_err
read_envelope(struct channel_stream *stream, size_t *ret_len)
{
	for (;;) {
		const uint8_t *at = stream->body.data;
		enum un_err err;

		if (stream->body.len >= ENVELOPE_LEN) {
			size_t len = (size_t)at[1] << 24 | (size_t)at[2] << 16 |
			             (size_t)at[3] << 8 | at[4];

			if (at[0] & ~ENVELOPE_END)
				return UN_ERR_PROTOCOL;
			if (len > stream->message_max)
				return UN_ERR_TOO_LARGE;
			if (stream->body.len - ENVELOPE_LEN >= len) {
				*ret_len = len;
				return UN_OK;
			}
		}
		if (reply_body_is_done(&stream->answer.body))
			return UN_ERR_UNREACHABLE; /* cut: no last envelope */
		err = channel_read_piece(stream->channel, &stream->answer, &stream->body);
		if (err)
			return err;
	}
}

static enum un_err
end_stream(struct channel_stream *stream, size_t len, struct un_detail *detail)
{
	enum un_err err = reply_read_end(stream->body.data + ENVELOPE_LEN, len, detail);
	struct buf rest;

	buf_init(&rest, 0, BUF_PLAIN);
	stream->ended = stream->body.len == ENVELOPE_LEN + len &&
	                channel_read_body(stream->channel, &stream->answer, &rest) == UN_OK;
	buf_fini(&rest);
	stream->broken = true; /* nothing more to come */
	return err;
}

enum un_err
channel_stream_next(struct channel_stream *stream, int64_t deadline_ms,
                    ProtobufCMessage **ret_message, struct un_detail *detail)
{
	size_t len;
	enum un_err err;

	if (stream->broken)
		return un_fail(detail, UN_ERR_UNREACHABLE, "the stream has ended");
	stream->answer.deadline_ms = channel_deadline(deadline_ms);
	err = read_envelope(stream, &len);
	if (err == UN_ERR_TIMEOUT || err == UN_ERR_INTERRUPTED)
		return err;
	if (!err && stream->body.data[0] & ENVELOPE_END) {
		err = end_stream(stream, len, detail);
		if (!err)
			*ret_message = NULL;
		return err;
	}
	if (!err)
		err = unpack(stream->type, stream->body.data + ENVELOPE_LEN, len, ret_message);
	if (err) {
		stream->broken = true;
		return channel_failed(stream->channel, err, detail);
	}
	buf_drop_front(&stream->body, ENVELOPE_LEN + len);
	return UN_OK;
}

/* channel.h - calls to a control plane: Connect, unary and server streaming, over HTTP/1.1.
 *
 * One channel is one keep-alive connection, made on the first call and made again when the peer has
 * closed it. Buffers that hold requests and replies are wiped before they are freed, and so are the
 * messages handed out: they may carry leases and other people's plaintext. Every call has a
 * deadline and a limit. Nothing here prints, logs or reads the environment. A channel belongs to
 * one thread. */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "base/buf.h"
#include "base/err.h"
#include "client/endpoint.h"
#include "client/wire.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_REPLY_MAX                                                                          \
	(16u << 20)              /* bytes of one reply or stream message, unless a call says       \
	                          */
#define CHANNEL_TIMEOUT_MS 30000 /* of one call, unless it says */

struct channel;
struct channel_stream;
struct secbuf; /* crypto/secbuf.h */

/* Makes a channel; does not connect. `remote` (lent, may be NULL) is what https needs.
 * UN_ERR_BAD_CONFIG: `endpoint` is none. */
MUST_CHECK enum un_err channel_new(const char *endpoint, const struct wire_remote *remote,
                                   struct channel **ret_channel, struct un_detail *detail);
void channel_free(struct channel *channel); /* NULL is fine */

/* From now on, when `fd` becomes readable every wait ends with UN_ERR_INTERRUPTED; -1: no longer.
 */
void channel_set_wake(struct channel *channel, int fd);
/* Connects now, to learn whether anybody is there. UN_ERR_UNREACHABLE, UN_ERR_TIMEOUT; errno is
 * that of connect(2). Does nothing when connected. */
MUST_CHECK enum un_err channel_connect(struct channel *channel, int64_t deadline_ms,
                                       struct un_detail *detail);
/* Gives a connected socket to the channel, which owns it from then on. */
void channel_adopt(struct channel *channel, int fd);
const struct endpoint *channel_endpoint(const struct channel *channel); /* lent */

struct channel_call {
	const char *method; /* "/union.v1.SecretService/DescribeSecret" */
	const ProtobufCMessage *request;
	const ProtobufCMessageDescriptor *reply;
	int64_t deadline_ms; /* of clock_mono_ms; 0: CHANNEL_TIMEOUT_MS from now */
	size_t reply_max;    /* 0: CHANNEL_REPLY_MAX */
};

/* The caller frees *ret_reply with channel_message_free. Errors of the server come back as its
 * code, its message and its hint. A call is sent once: when the connection breaks before the answer
 * the error is UN_ERR_UNREACHABLE, and the caller knows whether asking again is harmless. */
MUST_CHECK enum un_err channel_unary(struct channel *channel, const struct channel_call *call,
                                     ProtobufCMessage **ret_reply, struct un_detail *detail);
void channel_message_free(void *message); /* wipes; NULL is fine */

/* Opens a stream of replies. Until it is freed the channel does nothing else. deadline_ms is that
 * of the opening; each channel_stream_next has its own. */
MUST_CHECK enum un_err channel_stream_open(struct channel *channel, const struct channel_call *call,
                                           struct channel_stream **ret_stream,
                                           struct un_detail *detail);
/* The next message, or NULL at the regular end. UN_ERR_TIMEOUT leaves the stream usable; after any
 * other error it can only be freed. */
MUST_CHECK enum un_err channel_stream_next(struct channel_stream *stream, int64_t deadline_ms,
                                           ProtobufCMessage **ret_message,
                                           struct un_detail *detail);
/* Ends it; a stream that has not reached its end takes the connection with it. NULL is fine. */
void channel_stream_free(struct channel_stream *stream);

/* Where bearer tokens come from; without one, calls go out as who the connection says. */
struct channel_auth {
	/* Lends the token to send, or NULL for none. `refused`: the last one was not accepted. It
	 * may use the channel itself, by channel_ask. */
	enum un_err (*token)(struct channel_auth *auth, struct channel *channel, bool refused,
	                     int64_t deadline_ms, const struct secbuf **ret_token,
	                     struct un_detail *detail);
};
/* Lent; NULL: nobody logs in any more. A call that is not let in is sent once more with another
 * token: it has not been looked at before. */
void channel_set_auth(struct channel *channel, struct channel_auth *auth);

struct channel_ask {
	const char *path;
	const struct secbuf *form; /* POSTed, urlencoded; NULL: GET */
	int64_t deadline_ms;       /* 0: CHANNEL_TIMEOUT_MS from now */
};
/* A request without a token. The body of a reply with status 200 is appended to `out` (BUF_WIPE).
 */
MUST_CHECK enum un_err channel_ask(struct channel *channel, const struct channel_ask *ask,
                                   struct buf *out, struct un_detail *detail);

struct channel_header {
	const char *name;
	const char *value;
};

struct channel_file {
	const char *url; /* a path, or a whole URL that points at this endpoint */
	const struct channel_header *headers;
	size_t header_count;
	const struct secbuf *credential; /* sent as "authorization: Bearer BASE64URL"; NULL: none */
	int fd;
	uint64_t size;       /* PUT: bytes to send; GET: the most to accept */
	int64_t deadline_ms; /* 0: CHANNEL_TIMEOUT_MS from now */
};

/* PUT of `size` bytes read from `fd` at its position. */
MUST_CHECK enum un_err channel_put_file(struct channel *channel, const struct channel_file *file,
                                        struct un_detail *detail);
/* GET, written to `fd`; *ret_size is how much it was. UN_ERR_TOO_LARGE: more than `size`; what was
 * written by then is the caller's to throw away. */
MUST_CHECK enum un_err channel_get_file(struct channel *channel, const struct channel_file *file,
                                        uint64_t *ret_size, struct un_detail *detail);

#endif

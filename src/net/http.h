/* http.h - requests and responses, the same for HTTP/1.1 and HTTP/2.
 *
 * A worker serves the connections of one loop and shows each request to an application as a stream.
 * The order of calls: on_head; on_body for each piece; on_end when the request is whole; on_close
 * last, in every case. The application may answer from on_head on: http_respond once, then bytes
 * into the output, then http_finish. Everything on the loop's thread. All texts and bytes lent to
 * the application live until on_close (body pieces: for the call). */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/err.h"
#include "net/crowd.h"
#include "net/limit.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/shaker.h"
#include "net/tls.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REPLY_FIELDS_MAX 20

struct http_worker;
struct http_stream;

struct http_field {
	const char *name;  /* lower case, ended by NUL */
	const char *value; /* ended by NUL */
	size_t name_len;
	size_t value_len;
};

#define HTTP_FIELD(name_text, value_text)                                                          \
	{                                                                                          \
		(name_text), (value_text), sizeof(name_text) - 1, sizeof(value_text) - 1           \
	}

struct http_app {
	void (*on_head)(struct http_stream *stream, void *ctx);
	void (*on_body)(struct http_stream *stream, void *ctx, const uint8_t *bytes, size_t len);
	void (*on_end)(struct http_stream *stream, void *ctx);
	/* After http_out_pending was above zero: it has fallen below half of limits.output_max. */
	void (*on_writable)(struct http_stream *stream, void *ctx);
	void (*on_close)(struct http_stream *stream, void *ctx);
	void *ctx;
};

/* What a worker counts: refusals and more. */
enum net_count {
	NET_ACCEPTED,
	NET_OPEN,
	NET_REQUESTS,
	NET_BYTES_IN,
	NET_BYTES_OUT,
	NET_TLS_FAILED,
	NET_LIMIT_CONNECTIONS,
	NET_LIMIT_ADDRESS, /* too many connections of one address */
	NET_LIMIT_PEER,    /* a Unix peer that is not allowed */
	NET_LIMIT_HEAD,
	NET_LIMIT_TIME_FIRST,
	NET_LIMIT_TIME_HEAD,
	NET_LIMIT_TIME_BODY,
	NET_LIMIT_TIME_IDLE,
	NET_LIMIT_TIME_WRITE,
	NET_LIMIT_BODY,     /* of one request: counted by whoever keeps it, with http_count */
	NET_LIMIT_BODIES,   /* of all together */
	NET_LIMIT_OUTPUT,   /* an answer that was not given: too much waits already */
	NET_LIMIT_STREAMS,  /* at once on one connection */
	NET_LIMIT_REQUESTS, /* on one connection: closed gently */
	NET_LIMIT_FLOOD,    /* frames that ask for nothing */
	NET_LIMIT_HTTP2,    /* nghttp2 ended the connection: resets, floods, broken frames */
	NET_BAD_REQUEST,
	NET_COUNTS,
};

/* ---- the request ---- */
const char *http_method(const struct http_stream *stream);
const char *http_path(const struct http_stream *stream); /* up to the '?' */
size_t http_path_len(const struct http_stream *stream);
const char *http_query(const struct http_stream *stream); /* behind it; "" */
const char *http_authority(const struct http_stream *stream);
/* The first field of that lower-case name, or NULL. */
const char *http_header(const struct http_stream *stream, const char *name);
/* A field that may be there once and is there again, by its name (or "host", where it says another
 * name than :authority); NULL: none. Who reads the first and who reads the last disagree on such a
 * request: it must be refused. */
const char *http_repeated(const struct http_stream *stream);
/* Zeroes the value of every field of that name: nobody needs it any more. */
void http_wipe_header(struct http_stream *stream, const char *name);
size_t http_header_count(const struct http_stream *stream);
const struct http_field *http_header_at(const struct http_stream *stream, size_t at);
bool http_is_h2(const struct http_stream *stream);
uint64_t http_body_len(const struct http_stream *stream); /* UINT64_MAX: not said */
bool http_request_ended(const struct http_stream *stream);
const struct net_peer *http_peer(const struct http_stream *stream);
void http_count(const struct http_stream *stream, enum net_count what);
struct http_worker *http_stream_worker(const struct http_stream *stream);
void http_set_state(struct http_stream *stream, void *state);
void *http_state(const struct http_stream *stream);

/* ---- the response ---- */
enum http_respond_flags {
	HTTP_NO_BODY = 1, /* the response ends with its head */
};
#define HTTP_LEN_UNKNOWN UINT64_MAX

struct http_response {
	int status;
	const struct http_field *fields; /* lent until on_close; see http_keep */
	size_t field_count;
	uint64_t body_len; /* HTTP_LEN_UNKNOWN: chunked, unless it is finished at once */
	unsigned flags;
};

/* Copies bytes to where they live until on_close; NULL: no memory. */
char *http_keep(struct http_stream *stream, const char *text, size_t len) MUST_CHECK;
/* Starts the response; the fields' array is copied, their texts are not. A response that cannot be
 * given (no memory) aborts the stream. */
void http_respond(struct http_stream *stream, const struct http_response *response);
/* Room for `len` bytes of the body, then http_out_added. UN_ERR_BUSY: too much waits for slow
 * readers already; break the stream off. */
MUST_CHECK enum un_err http_out_reserve(struct http_stream *stream, size_t len, uint8_t **ret_room);
void http_out_added(struct http_stream *stream, size_t len);
size_t http_out_pending(const struct http_stream *stream); /* bytes not yet handed to the socket */
/* The body is whole. Trailers (HTTP/2 only; lent until on_close) may be none. */
void http_finish(struct http_stream *stream, const struct http_field *trailers, size_t count);
/* Breaks the stream off: RST_STREAM, or the end of an HTTP/1.1 connection. on_close follows later.
 */
void http_abort(struct http_stream *stream);

/* ---- the worker ---- */
/* Written by the worker's thread, read by any. */
typedef _Atomic int64_t net_counters[NET_COUNTS];

struct http_worker_options {
	struct loop *loop;
	const struct net_limits *limits; /* filled; lent */
	const struct http_app *app;      /* lent */
	struct tls_server *tls;          /* lent; NULL: none */
	struct crowd *crowd;             /* lent; shared by all workers */
	struct shaker *shaker;           /* lent, stopped before the worker is freed; NULL: none */
};

MUST_CHECK enum un_err http_worker_new(const struct http_worker_options *options,
                                       struct http_worker **ret_worker);
/* Accepts on `fd`, which stays the caller's and may be shared between workers. `config` is lent. */
MUST_CHECK enum un_err http_worker_listen(struct http_worker *worker, int fd,
                                          const struct net_listener_config *config);
/* Stops accepting; connections end as soon as they have nothing to do. */
void http_worker_drain(struct http_worker *worker);
/* Closes every connection now: on_close is called for every stream. */
void http_worker_close_all(struct http_worker *worker);
/* Some connection still answers a request or has bytes to write. */
bool http_worker_busy(const struct http_worker *worker);
unsigned http_worker_open(const struct http_worker *worker); /* connections */
void http_worker_free(struct http_worker *worker);           /* closes all; NULL is fine */
struct loop *http_worker_loop(const struct http_worker *worker);
const struct net_limits *http_worker_limits(const struct http_worker *worker);
int64_t http_worker_count(const struct http_worker *worker, enum net_count what); /* any thread */

#endif

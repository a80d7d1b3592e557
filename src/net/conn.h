/* conn.h - the inside of src/net: one connection, its protocol, its streams.
 *
 * Only files of src/net include this. A connection is never freed inside a callback of its own: it
 * is marked `dying` and reaped at the end of the loop's iteration. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/http.h"
#include "net/http1.h"
#include "net/outq.h"
#include "net/pool.h"
#include "net/tls.h"

#define CONN_READ_LEN (64u << 10)   /* taken from a socket at once */
#define CONN_WRITE_LEN (256u << 10) /* gathered for a socket at once */
#define STREAM_FIELDS_FIRST 24
#define STREAM_KEPT_FIRST 1024
#define STREAM_UNUSED_MAX 256       /* kept by a worker for the next requests: 3 KB each */
#define STREAM_KEEP_LEN (16u << 10) /* buffers above this are not kept for the next stream */

struct conn;

struct conn_proto {
	enum un_err (*start)(struct conn *conn);
	/* Bytes came in. An error ends the connection (after what is in `out` was sent). */
	enum un_err (*input)(struct conn *conn, const uint8_t *bytes, size_t len);
	/* Fills conn->out up to about CONN_WRITE_LEN. */
	enum un_err (*output)(struct conn *conn);
	void (*drain)(struct conn *conn);
	/* When something must have happened at the latest; INT64_MAX: no limit now. */
	int64_t (*due_ms)(struct conn *conn, enum net_count *ret_limit);
	/* It has not. True: it was dealt with, the connection goes on. */
	bool (*late)(struct conn *conn);
	void (*end)(struct conn *conn); /* frees conn->session */

	void (*respond)(struct http_stream *stream, const struct http_response *response);
	void (*more)(struct http_stream *stream); /* output was added, or it is finished */
	void (*abort)(struct http_stream *stream);
};
extern const struct conn_proto conn_h1, conn_h2;

enum conn_stage {
	CONN_FIRST,  /* nothing came yet */
	CONN_SHAKE,  /* TLS handshake */
	CONN_SNIFF,  /* cleartext (also inside TLS): which protocol? */
	CONN_OPEN,   /* conn->proto is set */
	CONN_LINGER, /* all is sent; what still comes is thrown away for a moment */
};

struct conn {
	struct http_worker *worker;
	struct conn *next, **prev; /* of the worker's connections */
	struct conn *next_dirty;   /* of those with something to write or to end */
	struct loop_watch watch;
	struct loop_timer timer;
	struct net_peer peer;
	struct crowd_place *place;
	enum net_tls_mode tls_mode;
	enum conn_stage stage;
	struct tls_conn *tls;
	struct shake shake; /* while `shaking`, a thread of the shaker's works on `tls` */
	const struct conn_proto *proto;
	void *session;
	struct outq in; /* HTTP/1.1 and sniffing: bytes not used yet */
	struct outq out;
	size_t out_waiting; /* of its streams */
	struct http_stream *streams;
	unsigned stream_count;
	unsigned requests;
	int64_t since_ms; /* the stage or the waiting began */
	int64_t read_ms;  /* last bytes came */
	int64_t wrote_ms; /* last bytes went, or `out` began to fill */
	bool dirty;
	bool paused;     /* does not read: HTTP/1.1 answers one request at a time */
	bool closing;    /* ends when `out` is empty */
	bool dying;      /* reaped at the end of the iteration */
	bool peer_ended; /* the other side sends no more */
	bool draining;
	bool tls_wants_write;
	bool shaking;
};

struct http_stream {
	struct conn *conn; /* NULL: on the worker's list of unused ones */
	struct http_stream *next, **prev;
	int32_t id; /* HTTP/2 */
	void *state;
	int64_t since_ms; /* began, or the last piece of its body came */

	struct http_field *fields; /* fields_first, or one that was allocated */
	struct http_field fields_first[STREAM_FIELDS_FIRST];
	size_t field_count, field_cap;
	unsigned singles;     /* a bit for each field that may be there once and was seen */
	const char *repeated; /* one of them that came again */
	size_t head_len; /* as HTTP/2 counts it */
	char *method, *path, *query, *authority;
	size_t path_len;
	uint64_t body_len;
	struct kept *kept; /* texts of the request, and of http_keep: the newest block first */
	char kept_first[STREAM_KEPT_FIRST];
	size_t kept_len; /* used of the newest block */

	struct http_field reply[HTTP_REPLY_FIELDS_MAX];
	size_t reply_count;
	int status;
	uint64_t reply_len;
	unsigned reply_flags;
	struct http_field trailers[4];
	size_t trailer_count;
	struct outq out;
	char len_text[24];

	bool request_ended;
	bool head_seen; /* on_head was called, so on_close must be */
	bool responded;
	bool head_sent;
	bool finished;
	bool out_ended; /* the last byte was handed on */
	bool aborted;
	bool deferred;   /* HTTP/2: the data source waits for http_finish or more bytes */
	bool wants_room; /* on_writable is due */
	bool too_large;  /* the head was over the limit */
};

struct http_worker {
	struct loop *loop;
	const struct net_limits *limits;
	const struct http_app *app;
	struct tls_server *tls;
	struct crowd *crowd;
	struct shaker *shaker;
	unsigned shaking;   /* connections */
	size_t out_waiting; /* of all its streams */
	struct conn *conns;
	unsigned conn_count;
	struct conn *dirty;
	struct http_stream *unused;
	unsigned unused_count;
	struct pool pool; /* of nghttp2 */
	struct listening *listening;
	struct loop_hook flush;
	struct loop_task again; /* wakes the loop when flushing left something to do */
	bool again_queued;
	bool draining;
	char date[32];
	int64_t date_s;
	net_counters counts;
	uint8_t read_buf[CONN_READ_LEN];
};

/* conn.c */
/* Owns fd; the peer has entered the crowd, at `place`. */
void conn_new(struct http_worker *worker, int fd, const struct net_peer *peer,
              struct crowd_place *place, enum net_tls_mode tls_mode);
void conn_mark(struct conn *conn);  /* there is something to write or to end */
void conn_close(struct conn *conn); /* now, at the end of the iteration */
void conn_arm(struct conn *conn);   /* the time limit may have moved nearer */
void conn_set_paused(struct conn *conn, bool paused);
void conn_flush_all(struct http_worker *worker);

/* stream.c */
struct http_stream *stream_new(struct conn *conn); /* NULL: no memory */
void stream_free(struct http_stream *stream);      /* calls on_close if on_head was called */
void stream_free_unused(struct http_worker *worker);
/* Copies a request field (the name already lower case); texts end with NUL. UN_ERR_TOO_LARGE. */
enum un_err stream_add_field(struct http_stream *stream, const struct http_field *field);
/* Copies a pseudo header into one of method, authority, or path and query. */
enum un_err stream_set_target(struct http_stream *stream, const char *target, size_t len);
enum un_err stream_set_text(struct http_stream *stream, char **slot, const char *text, size_t len);
void stream_on_head(struct http_stream *stream);
void stream_on_body(struct http_stream *stream, const uint8_t *bytes, size_t len);
void stream_on_end(struct http_stream *stream);
void stream_took(struct http_stream *stream, size_t len); /* bytes left its output */
void stream_sent(struct http_stream *stream); /* output went down: on_writable if it is due */
/* An answer of the network side itself: a status and a line of text. */
void stream_refuse(struct http_stream *stream, int status, const char *text);

static inline void
worker_count(struct http_worker *worker, enum net_count what, int64_t delta)
{
	int64_t now = atomic_load_explicit(&worker->counts[what], memory_order_relaxed);

	atomic_store_explicit(&worker->counts[what], now + delta, memory_order_relaxed);
}
const char *worker_date(struct http_worker *worker);

#endif

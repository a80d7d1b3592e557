/* call.h - the inside of src/rpc: calls, web calls, workers, the router.
 *
 * Only files of src/rpc include this. The state of an http_stream is a struct exchange: the head of
 * an rpc_call or of a web_call, or NULL once the answer was given. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "base/buf.h"
#include "net/http.h"
#include "net/outq.h"
#include "rpc/arena.h"
#include "rpc/metrics.h"
#include "rpc/server.h"
#include "rpc/service.h"
#include "rpc/web.h"

#include <pthread.h>
#include <stdatomic.h>

#define RPC_REQUEST_ID_MAX 64
#define RPC_COMPRESS_MIN 1024 /* bytes; smaller replies are not worth it */
#define RPC_ENVELOPE_LEN 5

enum exchange_kind {
	EXCHANGE_RPC,
	EXCHANGE_WEB,
};

struct exchange {
	enum exchange_kind kind;
};

enum rpc_protocol {
	RPC_GRPC,
	RPC_CONNECT,        /* unary */
	RPC_CONNECT_STREAM, /* enveloped */
};

struct rpc_target {
	const struct rpc_service *service;
	const struct rpc_method *method;
	const char *service_name; /* one of service->names */
	char *path;               /* "/package.Service/Method" */
	size_t path_len;
	uint32_t hash;
	struct metric *seconds; /* shared by the aliases of a method */
	struct metric *active;
};

struct router {
	struct rpc_target *targets;
	size_t target_count;
	uint16_t *table; /* open addressing: index + 1 of a target */
	size_t table_len; /* a power of two */
	const struct rpc_service *const *services;
	size_t service_count;
	const struct http_route *routes[2]; /* the caller's, then our own */
	size_t route_count[2];
};

enum worker_stage {
	WORKER_NEW,
	WORKER_READY, /* worker_init has run */
	WORKER_SERVING,
	WORKER_DEAF, /* accepts nobody any more */
	WORKER_DRAINED,
	WORKER_OVER, /* its thread has nothing more to do */
};

struct rpc_worker {
	struct server *server;
	struct loop *loop;
	struct http_worker *http;
	struct http_app app;
	void *state; /* of worker_init */
	unsigned index;
	pthread_t thread;
	bool running;            /* the thread exists */
	enum worker_stage stage; /* under server->lock */
	enum un_err outcome;
	struct loop_task task; /* what the server's owner asks for */
	struct loop_task recheck;
	atomic_bool recheck_posted;
	struct loop_timer grace;
	struct loop_hook drained;
	bool draining;
	bool cancelled; /* the grace of draining is over */
	bool hurry;     /* and so is the time for the last bytes */
	struct rpc_call *unused;
	unsigned unused_count;
	struct rpc_call *calls; /* alive */
	size_t body_bytes;      /* held for requests that are not whole */
	struct outq scratch;
	struct buf json; /* BUF_WIPE */
	_Atomic unsigned active;
	_Atomic int64_t activity_ms;
};

struct rpc_call {
	struct exchange exchange;
	struct rpc_worker *worker;
	struct http_stream *stream; /* NULL: nobody listens any more */
	struct rpc_call *next, **prev;
	const struct rpc_target *target;
	const char *service_name;
	enum rpc_protocol protocol;
	bool json;
	bool gzip_in;
	bool gzip_out;      /* the client would take it */
	bool stranger;      /* refused by the hook: its body is not even kept */
	bool handling;      /* the handler has been called */
	bool busy;          /* inside one of the author's functions: not to be released yet */
	bool ended;
	bool cancelled;
	bool held;          /* what ends it is kept in `kept` */
	struct call_kept *kept;
	bool stream_begun;  /* the head of a streaming reply is out */
	bool wants_room;
	struct outq body;
	size_t body_max;
	struct loop_timer timer;
	int64_t deadline_ms;
	int64_t began_us;
	void (*on_cancel)(struct rpc_call *call, void *ctx);
	void *cancel_ctx;
	void (*on_writable)(struct rpc_call *call, void *ctx);
	void *writable_ctx;
	void *principal;
	void (*principal_release)(void *principal);
	struct net_peer peer;
	char request_id[RPC_REQUEST_ID_MAX + 1];
	ProtobufCAllocator allocator;
	struct arena arena;
};

/* How a call ended that is held. */
struct call_kept {
	enum un_err err;
	struct un_detail detail;
	bool is_stream_end;
	uint8_t *packed;
	size_t len;
};

struct net_probe {
	const struct server *server;
	enum net_count what;
};

struct server {
	struct server_options options;
	struct net_listener_config *listeners;
	int *fds; /* listener_count for each worker; -1 where a listener is shared */
	struct tls_server *tls;
	struct crowd *crowd;
	struct shaker *shaker; /* NULL without TLS */
	struct router router;
	struct metrics *metrics;
	bool own_metrics;
	struct net_probe probes[NET_COUNTS];
	pthread_mutex_t lock;   /* of the workers' stages */
	pthread_cond_t changed; /* one of them */
	int grace_ms;
	bool started;
	bool stopped;
	atomic_bool serving;
	unsigned worker_count;
	struct rpc_worker workers[];
};

/* server_new.c */
void server_close_sockets(struct server *server); /* those that listen */

/* server.c */
void server_app(struct rpc_worker *worker); /* fills worker->app */

/* router.c */
MUST_CHECK enum un_err router_init(struct router *router, const struct server_options *options,
                                   struct metrics *metrics);
void router_fini(struct router *router);
/* The method of a path; *ret_service is its name as asked for. NULL: no such method. */
const struct rpc_target *router_find(const struct router *router, const char *path, size_t len);
const struct http_route *router_find_route(const struct router *router, const char *method,
                                           const char *path, bool *ret_other_method);

/* call.c */
void call_on_head(struct http_stream *stream, struct rpc_worker *worker,
                  const struct rpc_target *target);
void call_on_body(struct rpc_call *call, const uint8_t *bytes, size_t len);
void call_on_end(struct rpc_call *call);
void call_on_writable(struct rpc_call *call);
void call_on_close(struct rpc_call *call);
void call_cancel_all(struct rpc_worker *worker);
void call_recheck_all(struct rpc_worker *worker);
void call_free_unused(struct rpc_worker *worker);

/* decode.c: the head and the body of a request */
/* 0, or the HTTP status of a request that is no call at all. */
MUST_CHECK int decode_head(struct rpc_call *call);
MUST_CHECK enum un_err decode_body(struct rpc_call *call, ProtobufCMessage **ret_message,
                                   struct un_detail *detail);

/* reply.c: the bytes of an answer; the call has a stream */
void reply_message(struct rpc_call *call, const ProtobufCMessage *message);
void reply_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail);
void reply_stream_begin(struct rpc_call *call);
MUST_CHECK enum un_err reply_stream_message(struct rpc_call *call, const ProtobufCMessage *message);
void reply_stream_end(struct rpc_call *call);
int reply_http_status(enum un_err err);
/* The Connect error object, appended to `out`. */
MUST_CHECK enum un_err reply_error_json(enum un_err err, const struct un_detail *detail,
                                        struct buf *out);
/* Percent-encoded as gRPC wants it, kept with the stream; NULL: no memory. */
char *reply_encode(struct http_stream *stream, const char *text);

/* web.c */
void web_on_head(struct http_stream *stream, struct rpc_worker *worker);
void web_on_body(struct web_call *call, const uint8_t *bytes, size_t len);
void web_on_end(struct web_call *call);
void web_on_writable(struct web_call *call);
void web_on_close(struct web_call *call);
/* Answers a stream that has no call: an error of `status` with a JSON body. */
void web_refuse(struct http_stream *stream, int status, const char *code, const char *message);
void web_refuse_repeated(struct http_stream *stream); /* see http_repeated */

struct server *web_server(const struct web_call *call);

/* health.c */
extern const struct http_route health_routes[];
extern const size_t health_route_count;

#endif

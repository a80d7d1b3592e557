/* service.h - what the author of an API service sees: methods, calls, replies.
 *
 * A service is a table of methods over protobuf-c descriptors. gRPC, Connect, JSON, gzip, deadlines
 * and limits are handled before a handler is called; the handler sees a checked message.
 *
 * The life of a call. It begins when the handler is called, and it ends when exactly one of
 * rpc_reply, rpc_fail or rpc_stream_end is called: at once inside the handler, or later. After that
 * the pointer is dead. This holds also when the client has gone or its deadline has passed: then
 * rpc_is_cancelled says true, the function given to rpc_on_cancel has been called, what is sent
 * goes nowhere, and the handler still ends the call.
 *
 * Threads. A call belongs to the loop it came in on: handlers, callbacks and every function here
 * run on that loop's thread, except rpc_call_post, which any thread may use to get back there. The
 * call must then still be alive: who works on it elsewhere ends it only on the loop, after that
 * work.
 *
 * Memory. `request`, and all that rpc_alloc gives, is wiped and released when the call ends.
 * Handlers must not keep pointers into it, nor copy a value out of it except into a secbuf. */
#ifndef RPC_SERVICE_H
#define RPC_SERVICE_H

#include "base/err.h"
#include "net/loop.h"
#include "net/peer.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_REQUEST_MAX_DEFAULT (4u << 20) /* bytes of one request message, uncompressed */

struct rpc_call;

/* `ctx` is the service's. `request` is lent until the call ends. */
typedef void (*rpc_handler)(struct rpc_call *call, void *ctx, const ProtobufCMessage *request);

enum rpc_flags {
	RPC_SENSITIVE = 1, /* request or reply may hold values, tickets or leases: never compressed
	                    * in a reply, never in a log or an error text */
	RPC_ANONYMOUS = 2, /* served without asking the authenticate hook */
};

struct rpc_method {
	const char *name; /* "GetSecret" */
	const ProtobufCMessageDescriptor *input;
	const ProtobufCMessageDescriptor *output;
	rpc_handler handler;
	bool server_streaming;
	unsigned flags;     /* of enum rpc_flags */
	size_t request_max; /* 0: RPC_REQUEST_MAX_DEFAULT */
};

struct rpc_service {
	const char *const *names; /* full names, ended by NULL: "cloudidl.secret.SecretService" */
	const char *suffix; /* or NULL; "secret.SecretService" also serves any package before it */
	const struct rpc_method *methods;
	size_t method_count;
	void *ctx;
};

/* ---- unary ---- */
/* Packs `message` now; it stays the caller's. A message of another type than the method's output is
 * our bug and asserted. */
void rpc_reply(struct rpc_call *call, const ProtobufCMessage *message);
/* Ends a unary call or a stream with an error. `detail` may be NULL; a hint left empty is taken
 * from the table. `err` UN_OK is our bug. */
void rpc_fail(struct rpc_call *call, enum un_err err, const struct un_detail *detail);
/* rpc_fail with a text of its own. */
void rpc_failf(struct rpc_call *call, enum un_err err, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- a reply that waits ---- */
/* From inside the handler: what the handler replies is kept, and streams take nothing, until
 * rpc_unhold. Not twice at a time. */
void rpc_hold(struct rpc_call *call);
/* Sends what was kept, or from now on lets replies through. With an `err` the call fails instead,
 * and the handler, if it is still at work, is told as when the client had gone. */
void rpc_unhold(struct rpc_call *call, enum un_err err, const struct un_detail *detail);

/* ---- server streaming ---- */
/* UN_ERR_AGAIN: not taken, too much waits for a slow reader; the on_writable function is called
 * when there is room. UN_ERR_CANCELLED: nobody listens any more; end the call. */
MUST_CHECK enum un_err rpc_stream_send(struct rpc_call *call, const ProtobufCMessage *message);
void rpc_stream_end(struct rpc_call *call); /* success */
void rpc_on_writable(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *ctx),
                     void *ctx);

/* ---- cancellation and time ---- */
/* `fn` is called once, on the loop, when the client goes away, the deadline passes or the server
 * stops; never inside rpc_on_cancel itself and never after the end of the call. It may end the
 * call. */
void rpc_on_cancel(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *ctx), void *ctx);
bool rpc_is_cancelled(const struct rpc_call *call);
/* Of clock_mono_ms: the client's deadline or the server's limit; INT64_MAX for streams without. */
int64_t rpc_deadline_ms(const struct rpc_call *call);

/* Runs `fn` on the call's loop. Any thread; `task` is the caller's until it has run. */
void rpc_call_post(struct rpc_call *call, struct loop_task *task);
struct loop *rpc_call_loop(const struct rpc_call *call); /* any thread */

/* ---- who and what ---- */
const struct net_peer *rpc_peer(const struct rpc_call *call);
/* What worker_init made for the worker of this call; NULL without one. */
void *rpc_worker(const struct rpc_call *call);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);
const char *rpc_call_service(const struct rpc_call *call); /* the full name as it was asked for */
/* "x-request-id" of the client if it is sane, else one made here; at most 64 characters. */
const char *rpc_request_id(const struct rpc_call *call);
/* A request header by its lower-case name; NULL, also once the client has gone: copy what is needed
 * later. */
const char *rpc_header(const struct rpc_call *call, const char *name);
/* Zeroes its value: it was a credential, and has been looked at. It reads as "" then. */
void rpc_wipe_header(struct rpc_call *call, const char *name);
/* The host (and port) that the client asked for: "Host" or ":authority"; "" without, or once it has
 * gone. */
const char *rpc_authority(const struct rpc_call *call);
/* Set by the authenticate hook, read by handlers; `release` (NULL is fine) is called at the end. */
void rpc_set_principal(struct rpc_call *call, void *principal, void (*release)(void *principal));
void *rpc_principal(const struct rpc_call *call);

/* ---- memory that ends with the call, wiped ---- */
/* Zeroed; NULL: the call's memory limit or no memory. */
void *rpc_alloc(struct rpc_call *call, size_t len) MUST_CHECK;
char *rpc_strdup(struct rpc_call *call, const char *text) MUST_CHECK;
ProtobufCAllocator *rpc_allocator(struct rpc_call *call); /* its free does nothing */

/* Called when the head of a request to a method that is not RPC_ANONYMOUS is there: decides who
 * asks (and may refuse with UN_ERR_UNAUTHENTICATED or UN_ERR_DENIED and a detail). Of who is
 * refused, nothing more is kept or parsed; it is asked once more when the request has ended, to
 * tell why. Must not end the call. */
typedef enum un_err (*rpc_authenticate)(struct rpc_call *call, void *ctx, struct un_detail *detail);

#endif

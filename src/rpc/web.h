/* web.h - plain HTTP beside the RPCs: uploads, downloads, health, metrics.
 *
 * A route has functions that are called in this order: on_request once the head is read, on_body
 * for every piece of the body, on_end when the body is whole, on_close last, in every case, also
 * when the client went away in the middle. The answer (exactly one of web_reply, web_reply_file,
 * web_fail) may be given at any time before on_close and from then on no more on_body or on_end
 * follows. All on the loop of the connection. A route checks who asks itself: web_peer, web_header.
 */
#ifndef RPC_WEB_H
#define RPC_WEB_H

#include "base/err.h"
#include "net/loop.h"
#include "net/peer.h"

#include <stddef.h>
#include <stdint.h>

struct web_call;

struct http_route {
	const char *method; /* "GET" (serves HEAD too), "PUT", "POST" */
	const char *path;   /* exact; one that ends in '/' serves everything below */
	uint64_t
		body_max; /* bytes; more is refused with 413 before or while it comes; 0: no body */
	void (*on_request)(struct web_call *call, void *ctx);
	/* The bytes are lent for this call. NULL when body_max is 0. */
	void (*on_body)(struct web_call *call, void *ctx, const uint8_t *bytes, size_t len);
	void (*on_end)(struct web_call *call, void *ctx);   /* NULL: nothing to do */
	void (*on_close)(struct web_call *call, void *ctx); /* NULL: nothing to do */
	void *ctx;
};

const char *web_method(const struct web_call *call);
const char *web_path(const struct web_call *call);  /* without the query, not percent-decoded */
const char *web_query(const struct web_call *call); /* without the '?'; "" */
const char *web_header(const struct web_call *call, const char *name); /* lower case; NULL */
const char *web_authority(const struct web_call *call); /* the host asked for; "" */
/* What content-length promised; UINT64_MAX when it did not. */
uint64_t web_body_len(const struct web_call *call);
const struct net_peer *web_peer(const struct web_call *call);
struct loop *web_loop(const struct web_call *call);
void *web_worker(const struct web_call *call);

void web_set_state(struct web_call *call, void *state); /* the route's own; NULL at first */
void *web_state(const struct web_call *call);

/* One more header of the answer, before it is given; at most 8. Copied. */
void web_add_header(struct web_call *call, const char *name, const char *value);
/* Copies the bytes. */
void web_reply(struct web_call *call, int status, const char *type, const void *bytes, size_t len);
/* Sends `len` bytes from where `fd` stands; the call owns (and closes) `fd`. */
void web_reply_file(struct web_call *call, int fd, uint64_t len, const char *type);
/* JSON as Connect has it, with the status of `err` and the headers union-error and union-hint. */
void web_fail(struct web_call *call, enum un_err err, const struct un_detail *detail);

#endif

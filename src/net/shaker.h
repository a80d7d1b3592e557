/* shaker.h - threads that shake hands, so that workers are busy with nothing that takes long.
 *
 * A TLS handshake costs as much as a hundred requests. A worker that did it itself would keep those
 * waiting who are in, and the kernel would take a processor away from it as from anybody who uses
 * one all the time. Connections of places that cost little go first (crowd.h); of four turns the
 * others have one at least. Any thread. */
#ifndef NET_SHAKER_H
#define NET_SHAKER_H

#include "net/loop.h"
#include "net/tls.h"

struct shaker;

/* One step of one handshake; lives in the caller's memory. Between shaker_ask and `task` its
 * connection belongs to the shaker. */
struct shake {
	struct tls_conn *tls;
	struct loop *loop;
	struct loop_task task; /* run on `loop` when it is over */
	bool heavy;
	/* the outcome, as of tls_conn_shake */
	enum un_err err;
	bool wants_write;
	int64_t cost_us; /* of a processor */
	struct shake *next;
};

MUST_CHECK enum un_err shaker_new(unsigned threads, struct shaker **ret_shaker);
/* Never fails: `task` is run in any case, once, also after shaker_stop (then with an error). */
void shaker_ask(struct shaker *shaker, struct shake *shake);
/* Steps not begun yet end with UN_ERR_SHUTTING_DOWN; returns when no thread works any more. */
void shaker_stop(struct shaker *shaker);
void shaker_free(struct shaker *shaker); /* stops it first; NULL is fine */

#endif

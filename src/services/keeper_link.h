/* keeper_link.h - a keeper client on an event loop.
 *
 * The client knows no loop; this watches its socket, flushes what a batch queued at the end of the
 * batch, and keeps its deadlines. The supervisor gives sockets from its own thread. */
#ifndef SERVICES_KEEPER_LINK_H
#define SERVICES_KEEPER_LINK_H

#include "base/err.h"
#include "keeper/keeper.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdbool.h>

struct keeper_link {
	struct keeper_client *client; /* for requests, on the loop's thread */
	struct loop *loop;            /* NULL until opened */
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_hook hook;
	struct loop_task arrival;
	pthread_mutex_t lock; /* of the three below */
	int next_fd;          /* given, not yet attached; -1 */
	bool open;
	bool arriving; /* `arrival` is queued */
};

/* Before anything is given; cannot fail. */
void keeper_link_init(struct keeper_link *link);
/* On the loop's thread, once. Attaches what was given before. */
MUST_CHECK enum un_err keeper_link_open(struct keeper_link *link, struct loop *loop);
/* Any thread: a socket of a fresh keeper; the link owns it. */
void keeper_link_give(struct keeper_link *link, int fd);
/* On the loop's thread: what is pending is answered with UN_ERR_CANCELLED. */
void keeper_link_close(struct keeper_link *link);
void keeper_link_fini(struct keeper_link *link);

#endif

/* hub.h - who wants to know that an execution has changed, or that a log has grown.
 *
 * A listener hears only that there is something new; what it is, it reads from the store and from
 * the log itself. So a slow listener holds up nobody and misses nothing but steps in between. Any
 * thread. */
#ifndef RUNS_HUB_H
#define RUNS_HUB_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct hub;

struct hub_listener {
	int64_t execution;
	/* On any thread, with the hub locked: must not call the hub, wait, or take long. */
	void (*wake)(struct hub_listener *listener);
	struct hub_listener *next; /* the hub's */
};

MUST_CHECK enum un_err hub_new(struct hub **ret_hub);
void hub_free(struct hub *hub); /* no listener is left; NULL is fine */

/* From here on every change wakes it. Add first, then read. */
void hub_add(struct hub *hub, struct hub_listener *listener);
void hub_remove(struct hub *hub,
                struct hub_listener *listener); /* afterwards `wake` is not called */
void hub_wake(struct hub *hub, int64_t execution);
/* The server stops: wakes all, and from here on hub_has_stopped says so. */
void hub_stop(struct hub *hub);
bool hub_has_stopped(struct hub *hub);

#endif

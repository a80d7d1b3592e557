/* engine.h - what runs attempts. One interface; an engine never sees a secret.
 *
 * It is told to start the launcher of an attempt, and hands it a ticket; everything else the
 * launcher fetches itself. All on the scheduler's thread. */
#ifndef RUNS_ENGINE_H
#define RUNS_ENGINE_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "envelope/envelope.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* Where a launcher is, so that it can be found again after a restart. */
struct engine_place {
	int64_t pid;   /* 0: the engine knows none */
	int64_t start; /* of the process, to tell it from another with its number */
};

struct engine_start {
	uint8_t attempt[ATTEMPT_ID_LEN];
	const struct secbuf *ticket; /* lent for the call */
	const char *label;           /* "execution/node.attempt", for logs */
	const char *project;         /* of the execution; NULL: none is known */
};

/* The launcher of `attempt` is gone. Called from the loop, never from inside an engine call. */
typedef void engine_exited(void *ctx, const uint8_t attempt[ATTEMPT_ID_LEN]);

struct engine_ops {
	/* An attempt of the project is about to start: what can be done before its ticket is there,
	 * may be done now. Harmless if none follows. NULL: nothing can. */
	void (*expect)(struct engine *engine, const char *project);
	MUST_CHECK enum un_err (*start)(struct engine *engine, const struct engine_start *start,
	                                struct engine_place *ret_place, struct un_detail *detail);
	/* Asks the launcher to end its task; `force`: ends the launcher itself. False: it is not
	 * known to live, and `exited` will not be called for it. */
	bool (*cancel)(struct engine *engine, const uint8_t attempt[ATTEMPT_ID_LEN], bool force);
	/* After a restart: goes on watching. False: it is gone. */
	bool (*adopt)(struct engine *engine, const uint8_t attempt[ATTEMPT_ID_LEN],
	              const struct engine_place *place);
	/* Who is told; set once by the scheduler before anything starts. */
	void (*listen)(struct engine *engine, engine_exited *exited, void *ctx);
	/* Stops watching; launchers that live go on. */
	void (*free)(struct engine *engine);
};

struct engine {
	const struct engine_ops *ops;
};

#endif

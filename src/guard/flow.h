/* flow.h - what the decompressors share: where their output goes, and memory that is wiped. */
#ifndef GUARD_FLOW_H
#define GUARD_FLOW_H

#include "guard/span.h"
#include "guard/unpack.h"

#define FLOW_STEP (256u << 10)       /* room that is asked for at a time */
#define FLOW_WINDOW_MAX (128u << 20) /* bytes that a decompressor may hold for itself */

/* What comes out. Held whole until `max`; then searched, and only the end of it is kept. */
struct flow {
	struct guard *guard;
	struct block held;
	size_t max;
	bool exact;         /* more than max is an error */
	bool spilled;       /* the beginning is gone */
	enum format format; /* of it, then */
	const char *why;    /* it stopped, before its end */
};

/* Room for `want` more bytes behind held.len, or in a block of known size for what is left of it.
 */
MUST_CHECK enum un_err flow_room(struct flow *flow, size_t want, size_t *ret_room);
void flow_added(struct flow *flow, size_t len);

/* For libraries: wiped when it is given back. */
void *flow_alloc(void *unused, size_t len);
void flow_free(void *unused, void *bytes);

/* Each takes from `in` what is its own. */
MUST_CHECK enum un_err flow_xz(struct flow *flow, struct span *in);
MUST_CHECK enum un_err flow_lzma(struct flow *flow, struct span *in); /* as in a zip */
MUST_CHECK enum un_err flow_bzip2(struct flow *flow, struct span *in);
MUST_CHECK enum un_err flow_brotli(struct flow *flow, struct span *in);

#endif

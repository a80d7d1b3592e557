/* regions.h - what of a stream is to be redacted, and what of it was handed out.
 *
 * Positions count the bytes of the stream. The list never overlaps or touches, and is in order. The
 * bounded proofs (proofs/) are about this file: a byte of a region is never handed out. Not thread
 * safe. */
#ifndef REDACT_REGIONS_H
#define REDACT_REGIONS_H

#include "base/err.h"
#include "redact/redact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region {
	uint64_t start;
	uint64_t end;
	uint64_t lead; /* the length of the match that gives the name */
	uint32_t name; /* of the match that begins first; of several, the longest */
	enum redact_form form;
};

/* Where a release goes. What either returns ends it. */
struct region_sink {
	enum un_err (*clean)(void *ctx, uint64_t start, uint64_t end);
	enum un_err (*mark)(void *ctx, const struct region *region);
	void *ctx;
};

struct regions {
	struct region *list;  /* [head, head + count) */
	struct region *spare; /* as long */
	size_t head;
	size_t count;
	size_t room;
	uint64_t emitted;  /* everything before was handed out, or is covered by a mark that was */
	uint64_t mark_end; /* the end of the mark written last */
	bool marked;       /* there was one */
};

/* Joins `found` (in any order; sorted here) with the list. */
MUST_CHECK enum un_err regions_join(struct regions *regions, struct region *found, size_t count);
/* Hands out everything before `decided`, where no match that is still to come can begin. */
MUST_CHECK enum un_err regions_release(struct regions *regions, uint64_t decided,
                                       const struct region_sink *sink);
void regions_fini(struct regions *regions);

#endif

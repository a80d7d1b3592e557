/* arena.h - memory that is given back all at once, and wiped: what one call allocates.
 *
 * Not thread safe. */
#ifndef RPC_ARENA_H
#define RPC_ARENA_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define ARENA_FIRST 4096

struct arena_block;

struct arena {
	struct arena_block *blocks; /* beyond the first, the newest first */
	uint8_t *at;                /* free room of the newest block */
	size_t left;
	size_t held; /* bytes asked for so far */
	size_t max;
	_Alignas(16) uint8_t first[ARENA_FIRST];
};

void arena_init(struct arena *arena, size_t max);
/* Aligned for everything; not zeroed. NULL: over the maximum, or no memory. */
void *arena_cut(struct arena *arena, size_t len) MUST_CHECK;
void arena_reset(struct arena *arena); /* wipes and frees; as after arena_init */

#endif

/* What CBMC is to think of the functions that src/redact/regions.c calls: two arrays with room for
 * what it asks first, and a sort that is obviously one. Not part of any build. */
#include "redact/regions.h"

#include "base/alloc.h"

#include <stdlib.h>

#ifndef MATCHES
#define MATCHES 2
#endif

void *
mem_realloc(void *old, size_t len)
{
	static struct region blocks[2][REGIONS_ROOM];
	static unsigned given;

	__CPROVER_assert(!old && given < 2, "within the bounds the first room is enough");
	__CPROVER_assert(len == sizeof blocks[0], "the room is that of the model");
	return blocks[given++];
}

void
mem_free(void *block)
{
	(void)block;
}

void
qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	struct region *at = base, swapped;

	__CPROVER_assert(count <= MATCHES && size == sizeof *at, "no more than a step's matches");
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 && compare(&at[j - 1], &at[j]) > 0; j--) {
			swapped = at[j - 1];
			at[j - 1] = at[j];
			at[j] = swapped;
		}
	}
}

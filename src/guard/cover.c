/* cover.c - the bytes of a container that need no search as they are: all that is in them came out,
 * and was looked at. The rest is searched behind the walk. */
#include "guard/inside.h"

#include <stdlib.h>

#define COVER_MIN (16u << 10) /* fewer bytes are searched as quickly as they are noted */
#define COVERS_MAX (4u << 20) /* bytes of notes; what is not noted is searched */

struct range {
	size_t from, to;
};

void
covers_init(struct covers *covers, const uint8_t *bytes, size_t len)
{
	*covers = (struct covers){.bytes = bytes, .len = len};
	buf_init(&covers->ranges, COVERS_MAX, BUF_PLAIN);
}

void
covers_fini(struct covers *covers)
{
	buf_fini(&covers->ranges);
}

void
guard_cover(struct guard *guard, const uint8_t *bytes, size_t len, size_t head)
{
	struct covers *covers = guard->covers;
	uintptr_t at = (uintptr_t)bytes, first = covers ? (uintptr_t)covers->bytes : 0;
	struct range range;

	if (!covers || len < COVER_MIN || len <= head || at < first || at - first > covers->len ||
	    len > covers->len - (at - first))
		return; /* too little, or of something else */
	range = (struct range){.from = at - first + head, .to = at - first + len};
	(void)!buf_append(&covers->ranges, &range, sizeof range);
}

static int
by_place(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->from < b->from ? -1 : a->from > b->from;
}

const char *
covers_find(struct guard *guard, struct covers *covers)
{
	struct range *ranges = (struct range *)(void *)covers->ranges.data;
	size_t count = guard->over ? 0 : covers->ranges.len / sizeof *ranges, at = 0;
	const char *secret = NULL; /* of a look that ended early, nobody knows what was seen */

	if (count)
		qsort(ranges, count, sizeof *ranges, by_place);
	for (size_t i = 0; i < count && !secret; i++) {
		if (ranges[i].from > at)
			secret = guard_find(guard, covers->bytes + at, ranges[i].from - at);
		if (ranges[i].to > at)
			at = ranges[i].to;
	}
	return secret || at == covers->len
	               ? secret
	               : guard_find(guard, covers->bytes + at, covers->len - at);
}

/* What src/redact/regions.c holds, for every order of events within the bounds: a stream of LENGTH
 * bytes, read in up to STEPS steps; in each step up to MATCHES matches are found, of any length, in
 * any order, that end within what was read and begin no earlier than what was decided; then any
 * position from the last decided one to the end of what was read is decided.
 *
 * - No byte of a match is handed out, unless silence had let it out before the match was found.
 * - Every byte that is part of no match is handed out once, in order.
 * - One mark stands for each run of bytes that belong to matches.
 * - Neither list is read or written out of bounds (sanitizers here, --bounds-check with CBMC). */
#include "nondet.h"

#include "redact/regions.h"

#include <stdbool.h>
#include <string.h>

#ifndef LENGTH
#define LENGTH 5
#endif
#ifndef STEPS
#define STEPS 2
#endif
#ifndef MATCHES
#define MATCHES 2
#endif

static bool in_match[LENGTH], given[LENGTH], was_out[LENGTH];
static unsigned marks;
static uint64_t next_clean, last_mark;

static enum un_err
clean(void *ctx, uint64_t start, uint64_t end)
{
	(void)ctx;
	HOLDS(start < end && end <= LENGTH && start >= next_clean);
	for (uint64_t i = start; i < end; i++) {
		HOLDS(!in_match[i]);
		HOLDS(!given[i]);
		given[i] = true;
	}
	next_clean = end;
	return UN_OK;
}

static enum un_err
mark(void *ctx, const struct region *region)
{
	(void)ctx;
	HOLDS(region->start >= next_clean && region->start < region->end && region->end <= LENGTH);
	HOLDS(!marks || region->start > last_mark);
	last_mark = region->start;
	marks++;
	return UN_OK;
}

static void
check_all(void)
{
	unsigned runs = 0;

	for (uint64_t i = 0; i < LENGTH; i++) {
		bool hidden = in_match[i] && !was_out[i];

		HOLDS(given[i] == !hidden);
		runs += hidden && (i == 0 || !in_match[i - 1] || was_out[i - 1]);
	}
	HOLDS(marks == runs);
}

void
proof(void)
{
	const struct region_sink sink = {.clean = clean, .mark = mark};
	struct regions regions = {0};
	uint64_t decided = 0, read = 0;

	memset(in_match, 0, sizeof in_match);
	memset(given, 0, sizeof given);
	memset(was_out, 0, sizeof was_out);
	marks = 0;
	next_clean = last_mark = 0;
	for (unsigned step = 0; step < STEPS; step++) {
		struct region found[MATCHES] = {0};
		unsigned count = choose(MATCHES + 1);

		read = step + 1 == STEPS ? LENGTH : read + choose((unsigned)(LENGTH - read) + 1);
		if (decided == read)
			count = 0;
		for (unsigned m = 0; m < count; m++) {
			uint64_t start = decided + choose((unsigned)(read - decided));
			uint64_t end = start + 1 + choose((unsigned)(read - start));

			/* silence may have let the first bytes out: the match is told with them */
			if (choose(2) && decided > 0)
				start = decided - 1;
			found[m] = (struct region){.start = start, .end = end, .lead = end - start};
			for (uint64_t i = start; i < end; i++) {
				was_out[i] |= given[i];
				in_match[i] = true;
			}
		}
		HOLDS(regions_join(&regions, found, count) == UN_OK);
		decided = step + 1 == STEPS ? LENGTH
		                            : decided + choose((unsigned)(read - decided) + 1);
		HOLDS(regions_release(&regions, decided, &sink) == UN_OK);
	}
	check_all();
	regions_fini(&regions);
}

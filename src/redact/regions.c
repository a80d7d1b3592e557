#include "redact/regions.h"

#include "base/alloc.h"

#include <stdlib.h>

#ifndef REGIONS_ROOM
#define REGIONS_ROOM 16 /* regions at first; proofs take fewer */
#endif

/* By start, the longest first. */
static int
compare(const void *a, const void *b)
{
	const struct region *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->lead != y->lead)
		return x->lead > y->lead ? -1 : 1;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->form > y->form) - (x->form < y->form);
}

static enum un_err
make_room(struct regions *regions, size_t count)
{
	size_t room = regions->room ? regions->room : REGIONS_ROOM;
	struct region *list, *spare;

	if (count <= regions->room)
		return UN_OK;
	while (room < count)
		room *= 2;
	list = mem_realloc(regions->list, room * sizeof *list);
	if (!list)
		return UN_ERR_NO_MEMORY;
	regions->list = list;
	spare = mem_realloc(regions->spare, room * sizeof *spare);
	if (!spare)
		return UN_ERR_NO_MEMORY;
	regions->spare = spare;
	regions->room = room;
	return UN_OK;
}

/* Puts `next` behind the regions of `list`, which begin no later; *count is their number. */
static void
put(struct region *list, size_t *count, struct region next)
{
	struct region *last = *count ? &list[*count - 1] : NULL;

	if (!last || last->end < next.start) {
		list[(*count)++] = next;
		return;
	}
	if (next.start == last->start && compare(&next, last) < 0) {
		last->lead = next.lead;
		last->name = next.name;
		last->form = next.form;
	}
	if (last->end < next.end)
		last->end = next.end;
}

enum un_err
regions_join(struct regions *regions, struct region *found, size_t count)
{
	const struct region *old;
	size_t joined = 0, at = 0, i = 0;
	struct region *list;
	enum un_err err;

	if (!count)
		return UN_OK;
	err = make_room(regions, regions->head + regions->count + count);
	if (err)
		return err;
	old = regions->list + regions->head;
	for (size_t k = 0; k < count; k++) /* what was handed out already is so for good */
		if (found[k].start < regions->emitted)
			found[k].start = regions->emitted;
	if (count > 1)
		qsort(found, count, sizeof *found, compare);
	while (at < regions->count || i < count) {
		bool from_old =
			i == count || (at < regions->count && old[at].start <= found[i].start);
		struct region next = from_old ? old[at++] : found[i++];

		if (next.end > regions->emitted)
			put(regions->spare, &joined, next);
	}
	list = regions->spare;
	regions->spare = regions->list;
	regions->list = list;
	regions->head = 0;
	regions->count = joined;
	return UN_OK;
}

static enum un_err
release_clean(struct regions *regions, uint64_t until, const struct region_sink *sink)
{
	enum un_err err = UN_OK;

	if (regions->emitted < until) {
		err = sink->clean(sink->ctx, regions->emitted, until);
		if (!err)
			regions->emitted = until;
	}
	return err;
}

enum un_err
regions_release(struct regions *regions, uint64_t decided, const struct region_sink *sink)
{
	while (regions->count && regions->list[regions->head].start < decided) {
		const struct region *region = &regions->list[regions->head];
		bool goes_on = regions->marked && region->start <= regions->mark_end;
		enum un_err err = release_clean(regions, region->start, sink);

		if (!err && !goes_on)
			err = sink->mark(sink->ctx, region);
		if (err)
			return err;
		regions->marked = true;
		if (regions->emitted < region->end)
			regions->emitted = region->end;
		regions->mark_end = regions->emitted;
		regions->head++;
		regions->count--;
	}
	if (!regions->count)
		regions->head = 0;
	return release_clean(regions, decided, sink);
}

void
regions_fini(struct regions *regions)
{
	mem_free(regions->list);
	mem_free(regions->spare);
}

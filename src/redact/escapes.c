/* The text once more with its escapes decoded, one kind after the other, and only around them.
 *
 *   text:      ... l o g i n   % 6 8 u % 6 e t e r 2 2 ...          (percent)
 *   in shape:      l o g i n     h   u   n t e r 2 2                 a stretch
 *
 * A stretch has what is left in shape of the text before its first escape, as much as an anchor
 * has, of what escapes stand for, of what is between them, and of the text behind the last one. It
 * is looked up as the text itself is. An escape that changes nothing of the shape needs no
 * stretch; what no value has ends one. */
#include "redact/filter.h"

#include <string.h>

#define STRETCH_LOOK 128 /* so many are looked up at once */

#define ANCHOR_ROOM 16 /* gram + stride, at most */
_Static_assert(ANCHOR_MAX < ANCHOR_ROOM, "an anchor and one more fit");

enum mixed { BASE64_BACKSLASH = 1, BASE64_PERCENT = 2, BASE64_BOTH = 3 };

struct stretch {
	const struct filter *filter;
	struct scan *scan;
	const uint8_t *bytes;
	const uint8_t *canon; /* of the text as it is */
	enum view view;       /* VIEW_BASE64: escapes of two kinds between its digits */
	uint8_t *shape;
	size_t count;
	size_t plain; /* of `canon` this much is taken, or left out */
	size_t wall;  /* no match begins before and goes on behind it */
	bool open;
	size_t first;    /* the text's place where it began */
	size_t before;   /* where the part before this one began; SIZE_MAX: none */
	size_t here;     /* and this one */
	size_t last;     /* the end of the last escape */
	unsigned kinds;  /* enum mixed: of base64, what it has */
	unsigned base64; /* enum mixed: escapes of digits and line ends, anywhere */
	enum un_err err; /* sticky */
};

static size_t
canon_at(const struct scan *scan, size_t at)
{
	const struct block *block;

	if (at >= scan->len)
		return scan->count;
	block = &scan->blocks[at / BLOCK];
	return block->canon + bit_count(block->keep & (((uint64_t)1 << at % BLOCK) - 1));
}

static void
found(struct stretch *stretch, uint32_t views)
{
	struct hint hint = {.latest = (uint32_t)stretch->last, .until = (uint32_t)stretch->last};
	size_t behind = stretch->filter->gram + stretch->filter->stride;

	if (stretch->view == VIEW_BASE64)
		hint.views = stretch->kinds == BASE64_BOTH ? views & 1u << VIEW_BASE64 : 0;
	else
		hint.views = (views & 1u << VIEW_TEXT ? 1u << stretch->view : 0) |
		             (views & 1u << VIEW_BASE64);
	if (!hint.views)
		return;
	hint.from = (uint32_t)(stretch->before != SIZE_MAX
	                               ? stretch->before
	                               : filter_walk_back(stretch->filter, stretch->scan,
	                                                  stretch->bytes, stretch->first, behind));
	stretch->err = hints_add(&stretch->scan->escaped, hint);
}

/* Looks up what is there, and keeps what begins a piece that is not whole yet. */
static void
look(struct stretch *stretch)
{
	const struct filter *filter = stretch->filter;
	uint64_t mask = filter_gram_mask(filter);
	uint32_t views = 0;
	size_t at = 0;

	memset(stretch->shape + stretch->count, 0, GRAM_MAX);
	for (; at + filter->gram <= stretch->count; at += filter->stride)
		views |= filter_look(filter, stretch->shape + at, mask);
	if (views)
		found(stretch, views);
	memmove(stretch->shape, stretch->shape + at, stretch->count - at);
	stretch->count -= at;
	stretch->before = stretch->here;
	stretch->here = stretch->last;
}

static void
take_plain(struct stretch *stretch, size_t until)
{
	/* At most that many; a length that is known needs no call. */
	memcpy(stretch->shape + stretch->count, stretch->canon + stretch->plain, 2 * ANCHOR_ROOM);
	stretch->count += until - stretch->plain;
}

/* Ends the stretch with the text behind it, up to byte `until` in shape. */
static void
close_stretch(struct stretch *stretch, size_t until)
{
	size_t behind = stretch->filter->gram + stretch->filter->stride;

	if (!stretch->open)
		return;
	take_plain(stretch, until - stretch->plain < behind ? until : stretch->plain + behind);
	look(stretch);
	stretch->open = false;
}

/* What of the text is left out at [from, until) in shape is replaced by `len` bytes. */
static void
replace(struct stretch *stretch, size_t at, size_t from, size_t until, const uint8_t *fold,
        size_t len)
{
	size_t behind = stretch->filter->gram + stretch->filter->stride;

	if (stretch->open && from - stretch->plain > 2 * behind)
		close_stretch(stretch, from);
	if (!stretch->open) {
		stretch->open = true;
		stretch->count = 0;
		stretch->before = SIZE_MAX;
		stretch->first = stretch->here = at;
		stretch->kinds = 0;
		stretch->plain = from > behind ? from - behind : 0;
		if (stretch->plain < stretch->wall)
			stretch->plain = stretch->wall;
	}
	take_plain(stretch, from);
	memcpy(stretch->shape + stretch->count, fold, len);
	stretch->count += len;
	stretch->plain = until;
}

/* Line ends and digits of base64 that are escaped themselves. */
static bool
is_in_base64(const struct unit *unit, const uint8_t *at)
{
	return unit->count == 1 &&
	       (unit->bytes[0] == '/' || unit->bytes[0] == '\n' || unit->bytes[0] == '\r' ||
	        unit->bytes[0] == '+' || unit->bytes[0] == '=') &&
	       (*at == '%' || (*at == '\\' && unit->len == 2));
}

/* Of what an escape stands for some is in a value, or may be left out between what is. */
static bool
is_in_values(const struct filter *filter, const struct unit *unit)
{
	const struct filter_tables *tables = filter->tables;
	bool any = !unit->count;

	for (uint32_t i = 0; i < unit->count; i++)
		any |= !(tables->class[unit->bytes[i]] & CLASS_SYMBOL) ||
		       tables->used[unit->bytes[i]];
	return any;
}

/* The bytes in shape of [at, at + len) do not count, `added` others do: for where the next scan
 * must begin. */
static void
note_change(struct stretch *stretch, size_t at, size_t len, size_t added)
{
	size_t view = (size_t)(stretch->view - VIEW_BACKSLASH), end = at + len;
	struct block *block = &stretch->scan->blocks[at / BLOCK];

	if (stretch->view == VIEW_BASE64)
		return;
	block->change[view] = (int8_t)(block->change[view] + (int)added);
	for (; at < end; block++) {
		size_t first = at % BLOCK,
		       part = BLOCK - first < end - at ? BLOCK - first : end - at;
		uint64_t bits = part < BLOCK ? (((uint64_t)1 << part) - 1) << first : UINT64_MAX;

		block->change[view] =
			(int8_t)(block->change[view] - (int)bit_count(block->keep & bits));
		at += part;
	}
}

/* One escape. False: no match can hold it. */
static bool
take_escape(struct stretch *stretch, size_t at, const struct unit *unit)
{
	const struct filter *filter = stretch->filter;
	size_t from = canon_at(stretch->scan, at), len = 0;
	size_t until = canon_at(stretch->scan, at + unit->len);
	bool in_base64 = is_in_base64(unit, stretch->bytes + at);
	uint8_t fold[sizeof unit->bytes];

	if (stretch->view == VIEW_BASE64 ? !in_base64 : !in_base64 && !is_in_values(filter, unit)) {
		close_stretch(stretch, from);
		stretch->wall = until;
		return false;
	}
	for (uint32_t i = 0; i < unit->count; i++) {
		fold[len] = filter->tables->fold[unit->bytes[i]];
		len += fold[len] != 0;
	}
	if (len || until != from)
		note_change(stretch, at, unit->len, len);
	if (in_base64 && stretch->view <= VIEW_PERCENT) {
		stretch->base64 |= 1u << (stretch->view - VIEW_BACKSLASH);
		if (stretch->scan->base64_last == UINT32_MAX || stretch->scan->base64_last < at)
			stretch->scan->base64_last = (uint32_t)at;
	}
	if (len || until != from) {
		replace(stretch, at, from, until, fold, len);
		stretch->last = at + unit->len;
		stretch->kinds |= stretch->bytes[at] == '%' ? BASE64_PERCENT : BASE64_BACKSLASH;
		if (stretch->count > STRETCH_LOOK)
			look(stretch);
	}
	return true;
}

/* A backslash before a mark that has no place in shape, as JSON is full of: nothing to look up. */
static bool
passes(struct stretch *stretch, size_t at)
{
	const uint8_t *bytes = stretch->bytes + at;

	if (*bytes != '\\' || at + 1 >= stretch->scan->len ||
	    (bytes[1] != '"' && bytes[1] != '/' && bytes[1] != '\\'))
		return false;
	if (bytes[1] == '/') {
		stretch->base64 |= BASE64_BACKSLASH;
		stretch->scan->base64_last = (uint32_t)at;
	}
	return true;
}

/* The escapes of a view in one block. *done: the end of the last one. Returns those that a match
 * may hold. */
static uint64_t
read_block(struct stretch *stretch, size_t start, uint64_t escapes, size_t *done)
{
	enum escape_kind kind =
		(enum escape_kind)(stretch->view - VIEW_BACKSLASH + ESCAPE_BACKSLASH);
	const struct scan *scan = stretch->scan;
	uint64_t kept = 0;

	for (; escapes; escapes &= escapes - 1) {
		size_t at = start + (unsigned)__builtin_ctzll(escapes);
		const uint8_t *bytes = stretch->bytes + at;
		struct unit unit;

		if (at < *done)
			continue;
		if (at >= scan->len)
			break;
		if (stretch->view == VIEW_BASE64)
			kind = *bytes == '%' ? ESCAPE_PERCENT : ESCAPE_BACKSLASH;
		if (stretch->view == VIEW_BACKSLASH && passes(stretch, at)) {
			kept |= escapes & -escapes;
			*done = at + 2;
			continue;
		}
		unit.len = decode_usual(kind, bytes, scan->len - at, &unit.bytes[0]);
		unit.count = 1;
		if (!unit.len)
			unit = decode_unit(kind, bytes, scan->len - at, false);
		*done = at + unit.len;
		if (unit.len == 1 && unit.count) /* it stands for itself */
			continue;
		if (!unit.len) { /* nobody knows yet: it may be an escape */
			kept |= escapes & -escapes;
			note_change(stretch, at, scan->len - at, 0);
			*done = scan->len;
			break;
		}
		if (take_escape(stretch, at, &unit))
			kept |= escapes & -escapes;
	}
	return kept;
}

static void
read_view(struct stretch *stretch, enum view view)
{
	struct scan *scan = stretch->scan;
	size_t number = (size_t)(view - VIEW_BACKSLASH), done = scan->enter[number];

	stretch->view = view;
	for (size_t b = 0; b < scan->block_count && !stretch->err; b++) {
		struct block *block = &scan->blocks[b];
		size_t start = b * BLOCK;

		block->enter[number] = (uint16_t)(done > start ? done - start : 0);
		if (block->escapes[number])
			block->escapes[number] =
				read_block(stretch, start, block->escapes[number], &done);
	}
	close_stretch(stretch, scan->count);
}

/* Base64 with escapes of both kinds. */
static void
read_mixed(struct stretch *stretch)
{
	size_t done = 0;

	stretch->view = VIEW_BASE64;
	for (size_t b = 0; b < stretch->scan->block_count && !stretch->err; b++) {
		const struct block *block = &stretch->scan->blocks[b];
		uint64_t escapes = block->escapes[0] | block->escapes[1];

		if (escapes)
			(void)read_block(stretch, b * BLOCK, escapes, &done);
	}
	close_stretch(stretch, stretch->scan->count);
}

enum un_err
filter_escapes(const struct filter *filter, struct scan *scan, const uint8_t *bytes)
{
	struct stretch stretch = {.filter = filter,
	                          .scan = scan,
	                          .bytes = bytes,
	                          .canon = secbuf_peek(scan->buffer),
	                          .shape = secbuf_edit(scan->stretch_buffer)};

	scan->base64_last = UINT32_MAX;
	for (enum view view = VIEW_BACKSLASH; view <= VIEW_TERMINAL; view++) {
		stretch.wall = stretch.plain = 0;
		if (scan->any[view - VIEW_BACKSLASH])
			read_view(&stretch, view);
	}
	stretch.wall = stretch.plain = 0;
	if (stretch.base64 == BASE64_BOTH)
		read_mixed(&stretch);
	return stretch.err;
}

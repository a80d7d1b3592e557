/* The scan of filter.h: the text brought into shape block by block, and looked up. */
#include "redact/filter.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define WALK_MAX 192                /* bytes looked through one by one */
#define QUIET (GAP_MAX / BLOCK + 2) /* blocks without a symbol that no match spans */

static enum un_err
make_room(struct scan *scan, size_t len)
{
	size_t room = len < 4096 ? 4000 - 2 * BLOCK : len;

	if (len + BLOCK <= scan->room)
		return UN_OK;
	while (room < len + BLOCK)
		room *= 2;
	secbuf_free(scan->buffer);
	secbuf_free(scan->block_buffer);
	scan->buffer = scan->block_buffer = NULL;
	scan->room = 0;
	if (!scan->stretch_buffer && secbuf_new(STRETCH_ROOM, &scan->stretch_buffer))
		return UN_ERR_NO_MEMORY;
	if (secbuf_new(room + 2 * BLOCK, &scan->buffer) ||
	    secbuf_new((room / BLOCK + 2) * sizeof *scan->blocks, &scan->block_buffer))
		return UN_ERR_NO_MEMORY;
	scan->blocks = (void *)secbuf_edit(scan->block_buffer);
	scan->room = room;
	return UN_OK;
}

static enum un_err
hints_push(struct hints *hints, struct hint hint)
{
	if (!hints->list || hints->count == hints->room) {
		size_t room = hints->room ? hints->room * 2 : 64;
		struct hint *list = mem_realloc(hints->list, room * sizeof *list);

		if (!list)
			return UN_ERR_NO_MEMORY;
		hints->list = list;
		hints->room = room;
	}
	hints->list[hints->count++] = hint;
	return UN_OK;
}

enum un_err
hints_add(struct hints *hints, struct hint hint)
{
	struct hint *last = hints->count ? &hints->list[hints->count - 1] : NULL;

	if (!last || last->views != hint.views || last->views == 1u << VIEW_DEFLATE ||
	    hint.from < last->from || hint.from > last->until)
		return hints_push(hints, hint);
	last->latest = hint.latest;
	last->until = hint.until;
	return UN_OK;
}

static int
by_from(const void *a, const void *b)
{
	const struct hint *one = a, *other = b;

	return (one->from > other->from) - (one->from < other->from);
}

static void
hints_sort(struct hints *hints)
{
	for (size_t i = 1; i < hints->count; i++) {
		if (hints->list[i].from < hints->list[i - 1].from) {
			qsort(hints->list, hints->count, sizeof *hints->list, by_from);
			break;
		}
	}
}

/* ---- places ---- */

/* The start of a block that begins before the byte number `canon` in shape, before the lead of a
 * pattern that begins with it, and outside of a terminal sequence. */
static size_t
place_before(const struct filter *filter, const struct scan *scan, size_t canon)
{
	size_t low = 0, high = scan->block_count;
	uint32_t symbols;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (scan->blocks[middle].canon <= canon)
			low = middle;
		else
			high = middle;
	}
	symbols = scan->blocks[low].symbols;
	while (low &&
	       (scan->blocks[low].inside ||
	        (filter->lead_max && scan->blocks[low].symbols + filter->lead_max > symbols)))
		low--;
	return low * BLOCK;
}

size_t
filter_sync(const struct filter *filter, const uint8_t *bytes, size_t at)
{
	size_t low = at > WALK_MAX ? at - WALK_MAX : 0;

	for (size_t i = at; i > low && at - i <= CSI_MAX; i--) {
		uint8_t class = filter->tables->class[bytes[i - 1]];

		if ((class & CLASS_ESC) || ((class & CLASS_SPECIAL) && at - i <= UNIT_MAX))
			at = i - 1;
	}
	return at;
}

size_t
filter_walk_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
                 size_t at, size_t canon)
{
	const struct filter_tables *tables = filter->tables;
	size_t kept = 0, symbols = 0, block = at / BLOCK, low = at > WALK_MAX ? at - WALK_MAX : 0;
	size_t i = at;

	for (; i > low && (kept < canon || symbols < filter->lead_max); i--) {
		if (kept < canon)
			kept += tables->fold[bytes[i - 1]] != 0;
		else
			symbols += tables->class[bytes[i - 1]] & CLASS_SYMBOL;
	}
	low = i > CSI_MAX ? i - CSI_MAX : 0;
	if (kept == canon && symbols == filter->lead_max && !memchr(bytes + low, 0x1b, at - low))
		return filter_sync(filter, bytes, i);
	if (block >= scan->block_count)
		block = scan->block_count - 1;
	kept = scan->blocks[block].canon;
	if (at == scan->len)
		kept = scan->count;
	i = place_before(filter, scan, kept > canon ? kept - canon : 0);
	return filter_sync(filter, bytes, i);
}

size_t
filter_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
            size_t canon)
{
	if (!scan->block_count)
		return 0;
	if (!scan->skipping)
		return filter_walk_back(filter, scan, bytes, scan->len, canon);
	return place_before(filter, scan, scan->count > canon ? scan->count - canon : 0);
}

size_t
filter_escape(const struct scan *scan, size_t at, uint32_t *ret_views)
{
	for (size_t b = at / BLOCK; b < scan->block_count; b++) {
		const struct block *block = &scan->blocks[b];
		uint64_t all = 0;
		unsigned bit;

		for (unsigned i = 0; i < ESCAPED; i++)
			all |= block->escapes[i];
		if (b == at / BLOCK)
			all = all >> at % BLOCK << at % BLOCK;
		if (!all)
			continue;
		bit = (unsigned)__builtin_ctzll(all);
		*ret_views = 0;
		for (unsigned i = 0; i < ESCAPED; i++)
			*ret_views |= (uint32_t)(block->escapes[i] >> bit & 1)
			              << (VIEW_BACKSLASH + i);
		return b * BLOCK + bit;
	}
	*ret_views = 0;
	return scan->len;
}

bool
filter_has_escape(const struct scan *scan, enum view view, size_t from, size_t until)
{
	if (!scan->any[view - VIEW_BACKSLASH])
		return false;
	for (size_t b = from / BLOCK; b < scan->block_count && b * BLOCK < until; b++)
		if (scan->blocks[b].escapes[view - VIEW_BACKSLASH])
			return true;
	return false;
}

/* ---- where the next scan begins ---- */

/* The block where whoever reads the text with escapes of `views` (bits) decoded must begin, so that
 * an anchor that goes on behind the end is seen whole; no farther back than a match can reach.
 * *ret_any: there are such escapes in that part. */
static size_t
tail_block(const struct filter *filter, const struct scan *scan, unsigned views, bool *ret_any)
{
	uint32_t most = (filter->reach + 1) * UNIT_MAX, canon_end = (uint32_t)scan->count;
	uint32_t last = scan->blocks[scan->block_count - 1].symbols;
	size_t b = scan->block_count, quiet = 0;
	int canon = 0, wanted = (int)(filter->gram + filter->stride);

	*ret_any = false;
	while (b > 0 && canon < wanted) {
		const struct block *block = &scan->blocks[--b];

		canon += (int)(canon_end - block->canon);
		canon_end = block->canon;
		for (size_t view = 0; view < ESCAPED; view++) {
			if (!(views >> view & 1))
				continue;
			canon += block->change[view];
			*ret_any |= block->escapes[view] != 0;
		}
		quiet = b + 1 < scan->block_count && block->symbols == block[1].symbols ? quiet + 1
		                                                                        : 0;
		if (quiet > QUIET || last - block->symbols > most ||
		    (scan->block_count - b) * BLOCK > (filter->reach + 1) * (size_t)GAP_MAX)
			break;
	}
	while (b > 0 && scan->blocks[b].inside)
		b--;
	return b;
}

static enum un_err
note_tail(struct scan *scan, enum view view, size_t from)
{
	struct hint hint = {.from = (uint32_t)from,
	                    .latest = (uint32_t)scan->len,
	                    .until = (uint32_t)scan->len,
	                    .views = 1u << view};

	return hints_push(&scan->escaped, hint);
}

/* Escapes near the end: how far back those who know them must read, and the next scan (*first: a
 * block). */
static enum un_err
tails(const struct filter *filter, struct scan *scan, size_t *first)
{
	size_t block;
	enum un_err err = UN_OK;
	bool any;

	*first = SIZE_MAX;
	for (size_t view = 0; view < ESCAPED && !err; view++) {
		if (!scan->any[view])
			continue;
		block = tail_block(filter, scan, 1u << view, &any);
		if (!any)
			continue;
		err = note_tail(scan, (enum view)(VIEW_BACKSLASH + view),
		                block * BLOCK + scan->blocks[block].enter[view]);
		*first = block < *first ? block : *first;
	}
	if (scan->base64_last == UINT32_MAX || err)
		return err;
	block = tail_block(filter, scan, 3, &any); /* of both kinds */
	if (!any || scan->base64_last < block * BLOCK)
		return err;
	*first = block < *first ? block : *first;
	return note_tail(scan, VIEW_BASE64, block * BLOCK);
}

static enum un_err
set_next(const struct filter *filter, struct scan *scan, const uint8_t *bytes)
{
	size_t next, block;
	bool any;
	enum un_err err;

	memset(scan->enter, 0, sizeof scan->enter);
	scan->next = 0;
	if (!scan->block_count)
		return UN_OK;
	next = filter_back(filter, scan, bytes, filter->gram + filter->stride);
	err = tails(filter, scan, &block);
	if (block == SIZE_MAX && scan->len - next > QUIET * BLOCK) { /* there may be no need */
		block = tail_block(filter, scan, 0, &any);
		if (block * BLOCK < next)
			block = SIZE_MAX;
	} else if (block != SIZE_MAX && next < block * BLOCK) {
		size_t bound = tail_block(filter, scan, 0, &any);

		block = bound < block ? bound : block;
	}
	if (block == SIZE_MAX) {
		scan->next = (uint32_t)next;
		return err;
	}
	while (block > 0 && scan->blocks[block].inside)
		block--;
	memcpy(scan->enter, scan->blocks[block].enter, sizeof scan->enter);
	scan->next = (uint32_t)(block * BLOCK);
	return err;
}

/* ---- the scan ---- */

static enum un_err
note_inside(struct scan *scan, size_t at, size_t len)
{
	struct hint hint = {.from = (uint32_t)at,
	                    .latest = (uint32_t)(at + len),
	                    .until = (uint32_t)(at + len),
	                    .views = 1u << VIEW_INSIDE};

	return hints_add(&scan->escaped, hint);
}

/* The terminal sequence at `at`, *ret_len bytes, 0: only more input can tell. Notes where text is
 * to be read in another way than all views read it: a string for the terminal, a sequence longer
 * than most (*ret_other), or one that has swallowed the beginning of a value. */
static enum un_err
note_terminal(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t at,
              size_t *ret_len, bool *ret_other)
{
	const uint8_t *sequence = bytes + at, *used = filter->tables->used;
	size_t left = scan->len - at, i = 2, len;
	bool begins = false;

	*ret_other = false;
	if (left > 2 && sequence[1] == '[') { /* most are: parameters and a final byte */
		for (; i < left && i < CSI_MAX && (sequence[i] & 0xf0) == 0x30; i++)
			begins |= used[sequence[i]] & USE_FIRST &&
			          filter_may_begin(filter, sequence + i, left - i);
		if (i < left && i + 1 < CSI_MAX && sequence[i] >= 0x40 && sequence[i] <= 0x7e) {
			*ret_len = i + 1;
			begins |= filter_may_begin(filter, sequence + i, left - i);
			return begins ? note_inside(scan, at, i + 1) : UN_OK;
		}
	}
	*ret_len = len = decode_terminal(sequence, left, false);
	*ret_other = !len || decode_unit(ESCAPE_TERMINAL, sequence, left, false).len != len;
	return !len || (len > 1 && sequence[1] == '[') ? note_inside(scan, at, CSI_MAX) : UN_OK;
}

/* Takes the bytes of terminal sequences out of a block that has some, or begins within one. *skip:
 * the end of the last one, where that is behind the block. */
static enum un_err
drop_terminal(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t *skip,
              struct shaped *shaped)
{
	size_t block = (scan->block_count - 1) * BLOCK;
	uint64_t drop = 0, esc = shaped->esc, all;
	enum un_err err = UN_OK;

	if (*skip > block)
		drop = *skip - block < BLOCK ? ((uint64_t)1 << (*skip - block)) - 1 : UINT64_MAX;
	for (; (esc & ~drop) && !err;) {
		unsigned bit = (unsigned)__builtin_ctzll(esc & ~drop);
		size_t at = block + bit, sequence;
		bool other;

		if (at >= scan->len)
			break;
		err = note_terminal(filter, scan, bytes, at, &sequence, &other);
		*skip = at + (sequence ? sequence : scan->len - at);
		all = *skip - block < BLOCK ? ((uint64_t)1 << (*skip - block)) - 1 : UINT64_MAX;
		drop |= all >> bit << bit;
		if (!other)
			esc &= ~((uint64_t)1 << bit);
	}
	shaped->keep &= ~drop;
	shaped->symbols &= ~drop;
	for (size_t view = 0; view < ESCAPED; view++)
		shaped->escapes[view] &= ~drop;
	shaped->escapes[VIEW_TERMINAL - VIEW_BACKSLASH] |= esc;
	return err;
}

/* A member begins where a run of digits begins: behind a byte that is none. */
static enum un_err
note_members(struct scan *scan, const uint8_t *bytes, size_t block, uint64_t members, size_t news)
{
	enum un_err err = UN_OK;

	for (; members && !err; members &= members - 1) {
		size_t at = block + (unsigned)__builtin_ctzll(members);
		struct hint hint = {.from = (uint32_t)at,
		                    .latest = (uint32_t)at,
		                    .until = (uint32_t)at,
		                    .views = 1u << VIEW_DEFLATE};

		if (at >= scan->len)
			break;
		if (at >= news && !(at && text_base64_digit((char)bytes[at - 1]) >= 0))
			err = hints_add(&scan->members, hint);
	}
	return err;
}

/* At the end of what is there, whatever follows, an escape may begin. */
static void
note_last(const uint8_t *block, size_t len, struct shaped *shaped)
{
	for (size_t i = len > UNIT_MAX ? len - UNIT_MAX : 0; i < len; i++) {
		uint64_t bit = (uint64_t)1 << i;

		if (memchr("%&='", block[i], 4) || block[i] == 0x9b)
			shaped->escapes[filter_view_of(block[i]) - VIEW_BACKSLASH] |= bit;
	}
}

static enum un_err
shape_all(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t news)
{
	uint8_t *canon = secbuf_edit(scan->buffer), *tail = canon + scan->room + BLOCK;
	size_t skip = 0, count = 0, len = scan->len;
	uint32_t symbols = 0;
	enum un_err err = UN_OK;
	uint64_t any[ESCAPED] = {0};

	for (size_t start = 0; start < len && !err; start += BLOCK) {
		struct block *block = &scan->blocks[scan->block_count++];
		const uint8_t *at = bytes + start;
		struct shaped shaped;

		if (len - start < BLOCK) {
			memset(tail, '\n', BLOCK); /* whatever follows, it may go on */
			memcpy(tail, at, len - start);
			at = tail;
		}
		*block = (struct block){
			.canon = (uint32_t)count, .symbols = symbols, .inside = skip > start};
		filter->path->shape(filter->tables, at, &shaped, canon + count);
		if (len - start < BLOCK && (bytes[len - 1] == 'e' || bytes[len - 1] == 'H'))
			shaped.members |= (uint64_t)1 << (len - 1 - start);
		if (len - start < BLOCK)
			note_last(at, len - start, &shaped);
		if (shaped.members)
			err = note_members(scan, bytes, start, shaped.members, news);
		if (!err && (shaped.esc || skip > start)) {
			err = drop_terminal(filter, scan, bytes, &skip, &shaped);
			filter->path->squeeze(filter->tables, at, shaped.keep, canon + count);
		}
		block->keep = shaped.keep;
		for (size_t view = 0; view < ESCAPED; view++)
			any[view] |= block->escapes[view] = shaped.escapes[view];
		count += bit_count(shaped.keep);
		symbols += (uint32_t)bit_count(shaped.symbols);
	}
	for (size_t view = 0; view < ESCAPED; view++)
		scan->any[view] = any[view] != 0;
	scan->count = count;
	scan->skipping = skip >= len && skip > 0;
	memset(canon + count, 0, GRAM_MAX);
	return err;
}

static enum un_err
note_gram(const struct filter *filter, struct scan *scan, size_t at, uint32_t views)
{
	size_t end = at + filter->gram - 1, low;
	struct hint hint = {.views = views};

	hint.from =
		(uint32_t)place_before(filter, scan, at > filter->stride ? at - filter->stride : 0);
	low = hint.from / BLOCK;
	while (low + 1 < scan->block_count && scan->blocks[low + 1].canon <= at)
		low++;
	hint.latest = (uint32_t)((low + 1) * BLOCK);
	while (low + 1 < scan->block_count && scan->blocks[low + 1].canon <= end)
		low++;
	hint.until = (uint32_t)((low + 1) * BLOCK);
	if (hint.latest > scan->len)
		hint.latest = (uint32_t)scan->len;
	if (hint.until > scan->len)
		hint.until = (uint32_t)scan->len;
	return hints_add(&scan->hints, hint);
}

enum un_err
filter_scan(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t len,
            size_t news)
{
	uint64_t mask = filter_gram_mask(filter);
	const uint8_t *canon;
	enum un_err err = make_room(scan, len);

	if (err)
		return err;
	scan->len = len;
	scan->hints.count = scan->escaped.count = scan->members.count = 0;
	scan->block_count = scan->count = 0;
	err = shape_all(filter, scan, bytes, news);
	canon = secbuf_peek(scan->buffer);
	for (size_t at = 0; at + filter->gram <= scan->count && !err; at += filter->stride) {
		uint32_t views = filter_look(filter, canon + at, mask);

		if (views)
			err = note_gram(filter, scan, at, views);
	}
	if (!err)
		err = filter_escapes(filter, scan, bytes);
	if (!err)
		err = set_next(filter, scan, bytes);
	hints_sort(&scan->escaped);
	return err;
}

/* The last character may be a digit that the shape leaves out. */
static bool
ends_in_mark(const struct filter *filter, const struct scan *scan, const uint8_t *bytes)
{
	for (size_t i = filter_back(filter, scan, bytes, 1); i < scan->len; i++)
		if (strchr("+/-_", bytes[i]) && bytes[i])
			return true;
	return false;
}

size_t
filter_tail(const struct filter *filter, const struct scan *scan, const uint8_t *bytes)
{
	const uint8_t *canon = secbuf_peek(scan->buffer);
	size_t most = filter->gram + filter->stride - 2;

	if (most > scan->count)
		most = scan->count;
	for (size_t len = most; len; len--) {
		uint64_t hash = 0;

		for (size_t i = scan->count - len; i < scan->count; i++)
			hash = (hash ^ canon[i]) * 0x100000001b3u + 1;
		if (filter_begins(filter, hash))
			return len + 1;
	}
	if (scan->count && filter->tables->edge[canon[scan->count - 1]])
		return 1;
	return ends_in_mark(filter, scan, bytes) ? 1 : 0;
}

void
scan_fini(struct scan *scan)
{
	secbuf_free(scan->buffer);
	secbuf_free(scan->block_buffer);
	secbuf_free(scan->stretch_buffer);
	mem_free(scan->hints.list);
	mem_free(scan->escaped.list);
	mem_free(scan->members.list);
}

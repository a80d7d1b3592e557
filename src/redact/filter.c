#include "redact/filter.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <string.h>

#define TAG_BITS 26
#define BITS_LEAST 15 /* of a table of bits: 4 KiB */
#define BITS_MOST 22
#define WALK_MAX 192     /* bytes looked through one by one */
#define SYMBOLS_ENOUGH 8 /* a value with fewer letters and digits lends its punctuation */

static uint64_t
mix(uint64_t hash, uint64_t key)
{
	return (hash ^ hash >> 29) * key;
}

enum un_err
filter_init(struct filter *filter)
{
	struct filter_tables *tables;
	enum un_err err = secbuf_new(sizeof *tables, &filter->lock);

	if (err)
		return err;
	tables = filter->tables = (void *)secbuf_edit(filter->lock);
	for (unsigned c = 0; c < 256; c++) {
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 128;
		bool space = c == ' ' || (c >= '\t' && c <= '\r');

		if (letter || (c >= '0' && c <= '9') || c >= 128)
			tables->fold[c] = (uint8_t)(letter ? c | 0x20 : c);
		tables->class[c] = c && !space && c != 0x1b ? CLASS_SYMBOL : 0;
		if (text_hex_digit((char)c) >= 0 || c == '\n' || c == '\r')
			tables->class[c] |= CLASS_CODE;
	}
	tables->class[0x1b] |= CLASS_ESC;
	tables->class['\\'] |= CLASS_BACKSLASH;
	tables->class['%'] |= CLASS_PERCENT;
	tables->class['&'] |= CLASS_AND;
	tables->class['='] |= CLASS_EQUALS;
	tables->class['\''] |= CLASS_QUOTE;
	tables->class[0x0e] |= CLASS_QUOTE;
	tables->class[0x0f] |= CLASS_QUOTE;
	tables->class[0x9b] |= CLASS_QUOTE;
	random_bytes(tables->keys, sizeof tables->keys);
	tables->keys[0] |= 1;
	tables->keys[1] |= 1;
	filter->shaper = filter_shaper_here();
	filter->least = ANCHOR_MAX;
	return UN_OK;
}

/* Punctuation that no form uses between the bytes of a value, and that is no digit of base64. */
static bool
is_lendable(uint8_t byte)
{
	return byte && strchr("!@$^*(){}|~`<>?", byte) != NULL;
}

void
filter_shape(struct filter *filter, const uint8_t *value, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len && kept < SYMBOLS_ENOUGH; i++)
		kept += filter->tables->fold[value[i]] != 0;
	if (kept >= SYMBOLS_ENOUGH)
		return;
	for (size_t i = 0; i < len; i++)
		if (is_lendable(value[i]))
			filter->tables->fold[value[i]] = value[i];
}

size_t
filter_canon(const struct filter *filter, const uint8_t *bytes, size_t len, uint8_t *ret_canon,
             size_t max)
{
	size_t kept = 0;

	for (size_t i = 0; i < len && kept < max; i++) {
		ret_canon[kept] = filter->tables->fold[bytes[i]];
		kept += ret_canon[kept] != 0;
	}
	return kept;
}

void
filter_measure(struct filter *filter, size_t len, size_t *anchors)
{
	if (len < filter->least)
		filter->least = len;
	(*anchors)++;
}

static unsigned
bits_for(size_t count, unsigned least, unsigned most)
{
	unsigned bits = least;

	while (bits < most && (size_t)1 << bits < count)
		bits++;
	return bits;
}

enum un_err
filter_allocate(struct filter *filter, size_t anchors)
{
	size_t least = filter->least < ANCHOR_LEAST ? ANCHOR_LEAST : filter->least;
	size_t grams;
	enum un_err err;

	if (least >= 11)
		filter->gram = GRAM_MAX;
	else if (least > 8)
		filter->gram = least - 3;
	else
		filter->gram = least < 5 ? least : 5;
	filter->stride = least - filter->gram + 1;
	grams = anchors * filter->stride;
	filter->bit_bits = bits_for(grams * 16, BITS_LEAST, BITS_MOST);
	filter->entry_bits = bits_for(grams * 2, 8, 31);
	filter->begin_bits = bits_for(anchors * 16 * 8, BITS_LEAST, BITS_MOST);
	err = secbuf_new((size_t)1 << (filter->bit_bits - 3), &filter->bits);
	if (!err)
		err = secbuf_new(sizeof(uint32_t) << filter->entry_bits, &filter->entries);
	if (!err)
		err = secbuf_new((size_t)1 << (filter->begin_bits - 3), &filter->begins);
	if (err)
		return err;
	filter->bit = secbuf_edit(filter->bits);
	filter->entry = (void *)secbuf_edit(filter->entries);
	filter->begin = secbuf_edit(filter->begins);
	return UN_OK;
}

static inline uint64_t
gram_mask(const struct filter *filter)
{
	return filter->gram == 8 ? UINT64_MAX : ((uint64_t)1 << filter->gram * 8) - 1;
}

static inline uint64_t
gram_at(const uint8_t *canon, uint64_t mask)
{
	uint64_t gram;

	memcpy(&gram, canon, sizeof gram);
	return gram & mask;
}

/* One bit for each view that anchors have: plain text, and the coded ones. */
static uint32_t
pack_view(uint32_t view)
{
	return view == VIEW_TEXT ? 1 : 2u << (view - VIEW_HEX);
}

static uint32_t
unpack_views(uint32_t packed)
{
	return (packed & 1) << VIEW_TEXT | packed >> 1 << VIEW_HEX;
}

static void
put_gram(struct filter *filter, uint64_t gram, uint32_t packed)
{
	uint64_t hash = gram * filter->tables->keys[0];
	size_t bit = hash >> (64 - filter->bit_bits);
	uint32_t slots = (1u << filter->entry_bits) - 1, slot, tag;

	filter->bit[bit / 8] |= (uint8_t)(1u << bit % 8);
	hash = mix(hash, filter->tables->keys[1]);
	slot = (uint32_t)(hash >> (64 - filter->entry_bits));
	tag = (uint32_t)hash >> (32 - TAG_BITS);
	while (filter->entry[slot] && filter->entry[slot] >> 6 != tag)
		slot = (slot + 1) & slots;
	filter->entry[slot] |= tag << 6 | packed;
}

static uint32_t
find_gram(const struct filter *filter, uint64_t hash)
{
	uint32_t slots = (1u << filter->entry_bits) - 1, slot, tag;

	hash = mix(hash, filter->tables->keys[1]);
	slot = (uint32_t)(hash >> (64 - filter->entry_bits));
	tag = (uint32_t)hash >> (32 - TAG_BITS);
	for (; filter->entry[slot]; slot = (slot + 1) & slots)
		if (filter->entry[slot] >> 6 == tag)
			return unpack_views(filter->entry[slot] & 63);
	return 0;
}

static size_t
begin_bit(const struct filter *filter, uint64_t hash)
{
	return mix(hash * filter->tables->keys[0], filter->tables->keys[1]) >>
	       (64 - filter->begin_bits);
}

void
filter_put(struct filter *filter, const uint8_t *anchor, size_t len, uint32_t view)
{
	uint8_t padded[ANCHOR_MAX + GRAM_MAX] = {0};
	uint64_t hash = 0;

	memcpy(padded, anchor, len < ANCHOR_MAX ? len : ANCHOR_MAX);
	for (size_t i = 0; i < filter->stride; i++)
		put_gram(filter, gram_at(padded + i, gram_mask(filter)), pack_view(view));
	for (size_t i = 0; view != VIEW_TEXT && i + 1 < filter->gram + filter->stride - 1; i++) {
		size_t bit;

		hash = (hash ^ padded[i]) * 0x100000001b3u + 1;
		bit = begin_bit(filter, hash);
		filter->begin[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
	explicit_bzero(padded, sizeof padded);
}

void
filter_edge(struct filter *filter, uint8_t first, unsigned width, unsigned skip, const char *digits)
{
	for (unsigned digit = 0; digit < 1u << width; digit++)
		if ((digit & ((1u << skip) - 1)) == (unsigned)first >> (8 - skip))
			filter->tables->edge[filter->tables->fold[(uint8_t)digits[digit]]] = 1;
	for (unsigned count = 1; count < 8; count++)
		filter->tables->lead[count][first >> (8 - count)] = 1;
}

void
filter_fini(struct filter *filter)
{
	secbuf_free(filter->lock);
	secbuf_free(filter->bits);
	secbuf_free(filter->entries);
	secbuf_free(filter->begins);
}

/* ---- scanning ---- */

static enum un_err
make_room(struct scan *scan, size_t len)
{
	size_t room = len < 4096 ? 4000 - 2 * BLOCK : len;
	struct block *blocks;

	if (len + BLOCK <= scan->room)
		return UN_OK;
	while (room < len + BLOCK)
		room *= 2;
	secbuf_free(scan->buffer);
	scan->buffer = NULL;
	scan->room = 0;
	if (secbuf_new(room + 2 * BLOCK, &scan->buffer))
		return UN_ERR_NO_MEMORY;
	blocks = mem_realloc(scan->blocks, (room / BLOCK + 2) * sizeof *blocks);
	if (!blocks)
		return UN_ERR_NO_MEMORY;
	scan->blocks = blocks;
	scan->room = room;
	return UN_OK;
}

static enum un_err
add_hint(struct hint **list, size_t *count, size_t *room, struct hint hint)
{
	struct hint *last = *count ? &(*list)[*count - 1] : NULL;

	if (last && last->views == hint.views && last->views != 1u << VIEW_DEFLATE &&
	    hint.from <= last->until && last->deep == hint.deep) {
		last->latest = hint.latest;
		last->until = hint.until;
		return UN_OK;
	}
	if (!*list || *count == *room) {
		size_t bigger = *room ? *room * 2 : 64;
		struct hint *hints = mem_realloc(*list, bigger * sizeof *hints);

		if (!hints)
			return UN_ERR_NO_MEMORY;
		*list = hints;
		*room = bigger;
	}
	(*list)[(*count)++] = hint;
	return UN_OK;
}

/* A block with terminal sequences in it, or that begins within one, byte by byte. *skip: the end of
 * the sequence, where that is behind the block. */
static struct shaped
shape_slowly(const struct filter *filter, const uint8_t *bytes, size_t len, size_t block,
             size_t *skip, uint8_t *out)
{
	struct shaped shaped = {0};
	size_t end = block + BLOCK < len ? block + BLOCK : len;

	for (size_t i = block < *skip ? *skip : block; i < end; i++) {
		uint8_t fold = filter->tables->fold[bytes[i]];

		if (bytes[i] == 0x1b) {
			size_t sequence = decode_terminal(bytes + i, len - i, false);

			*skip = i + (sequence ? sequence : len - i);
			i = *skip - 1;
			continue;
		}
		out[shaped.kept] = fold;
		shaped.kept += fold != 0;
		shaped.symbols += filter->tables->class[bytes[i]] & CLASS_SYMBOL;
	}
	return shaped;
}

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
filter_string(const uint8_t *bytes, size_t at)
{
	for (size_t i = at; i > 0 && at - i < STRING_MAX; i--) {
		uint8_t byte = bytes[i - 1];

		if ((byte == 0x1b && bytes[i] != '\\') || (byte == 0x9b && at - i < CSI_MAX))
			return i - 1;
		if (byte < 0x20 && byte != 0x1b)
			break;
	}
	return at;
}

/* A place before `at` with at least `canon` bytes in shape between them, and before the lead of a
 * pattern that begins there. */
static size_t
walk_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes, size_t at,
          size_t canon)
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

static enum view
escape_view(uint8_t byte)
{
	switch (byte) {
	case '%':
		return VIEW_PERCENT;
	case '&':
		return VIEW_ENTITY;
	case '=':
		return VIEW_QUOTED;
	case 0x1b:
	case 0x0e:
	case 0x0f:
	case 0x9b:
		return VIEW_TERMINAL;
	default:
		return VIEW_BACKSLASH;
	}
}

/* Line ends and digits of base64 that are escaped themselves. */
static bool
is_in_base64(const uint8_t *at, size_t left)
{
	if (at[0] == '\\')
		return left < 2 || at[1] == 'n' || at[1] == 'r' || at[1] == '/';
	return at[0] == '%' && (left < 3 || at[1] == '2' || at[1] == '0');
}

static size_t
joint_bit(const struct filter *filter, unsigned kind, uint8_t a, uint8_t b, uint8_t c)
{
	return begin_bit(filter, (uint64_t)kind << 32 | (uint64_t)a << 16 | (uint64_t)b << 8 | c);
}

static bool
has_joint(const struct filter *filter, unsigned kind, uint8_t a, uint8_t b, uint8_t c)
{
	size_t bit = joint_bit(filter, kind, a, b, c);

	return filter->begin[bit / 8] & 1u << bit % 8;
}

static void
put_joint(struct filter *filter, unsigned kind, uint8_t a, uint8_t b, uint8_t c)
{
	size_t bit = joint_bit(filter, kind, a, b, c);

	filter->begin[bit / 8] |= (uint8_t)(1u << bit % 8);
}

void
filter_joints(struct filter *filter, const uint8_t *symbols, size_t len)
{
	uint8_t *place = filter->tables->place;
	size_t kept = 0;

	for (size_t i = 0; i < len; i++)
		place[symbols[i]] |= PLACE_ANY;
	for (size_t i = 0; i < len && kept <= filter->gram + filter->stride; i++) {
		uint8_t last = i > 0 ? symbols[i - 1] : 0, one = symbols[i];

		place[one] |= !i ? PLACE_FIRST : i == 1 ? PLACE_SECOND : PLACE_LATER;
		if (i == 1)
			filter->tables->pair[last][one / 8] |= (uint8_t)(1u << one % 8);
		put_joint(filter, 1u + (i > 0) + (i > 1), i > 1 ? symbols[i - 2] : 0, last, one);
		put_joint(filter, 4u + (i > 0), 0, last, one);
		if (i + 1 == len)
			put_joint(filter, 6, 0, last, one);
		kept += filter->tables->fold[one] != 0;
	}
}

/* The first escape of a match that is near its beginning: what it stands for follows, in some
 * pattern, the two symbols before it, or begins one. False: no such match has its first escape
 * here. */
static bool
joins_pattern(const struct filter *filter, struct unit unit, const uint8_t *bytes, size_t at,
              size_t len)
{
	uint8_t before[2], symbol, next, place;
	bool starts, second, later;
	size_t count = 0, i = at, low;

	for (; count < 2; i--) {
		if (!i || at - i > WALK_MAX)
			return true;
		if (filter->tables->class[bytes[i - 1]] & CLASS_SYMBOL)
			before[count++] = bytes[i - 1];
	}
	low = i > CSI_MAX ? i - CSI_MAX : 0;
	if (memchr(bytes + low, 0x1b, at - low)) /* they may be part of a terminal sequence */
		return true;
	if (!unit.len || unit.count != 1) /* a pattern may begin with the second byte, too */
		return true;
	symbol = unit.bytes[0];
	if (!(filter->tables->class[symbol] & CLASS_SYMBOL) && symbol != 0x1b)
		return has_joint(filter, 4, 0, 0, before[0]) ||
		       has_joint(filter, 5, 0, before[1], before[0]);
	place = filter->tables->place[symbol];
	starts = place & PLACE_FIRST;
	second = (place & PLACE_SECOND) && has_joint(filter, 2, 0, before[0], symbol);
	later = (place & PLACE_LATER) && has_joint(filter, 3, before[1], before[0], symbol);
	at += unit.len;
	if (!(starts || second || later) || at >= len)
		return starts || second || later;
	next = bytes[at];
	if ((filter->tables->class[next] & (CLASS_SYMBOL | CLASS_SPECIAL)) != CLASS_SYMBOL)
		return true;
	return (starts && has_joint(filter, 2, 0, symbol, next)) ||
	       ((second || later) && (has_joint(filter, 3, before[0], symbol, next) ||
	                              has_joint(filter, 6, 0, before[0], symbol)));
}

/* Of what an escape stands for some is in a value, or may be left out between what is. */
static bool
is_in_values(const struct filter *filter, const struct unit *unit)
{
	const struct filter_tables *tables = filter->tables;
	bool any = !unit->count;

	for (uint32_t i = 0; i < unit->count; i++)
		any |= !(tables->class[unit->bytes[i]] & CLASS_SYMBOL) ||
		       tables->place[unit->bytes[i]];
	return any;
}

/* Right behind another escape of its kind that is looked at anyway: then so is this one. */
static bool
goes_on(struct scan *scan, const struct hint *hint, bool in_base64)
{
	struct hint *last = scan->escape_count ? &scan->escapes[scan->escape_count - 1] : NULL;

	if (!last || last->deep || last->views != hint->views || in_base64 ||
	    hint->first - last->latest > UNIT_MAX)
		return false;
	last->latest = last->until = hint->latest;
	return true;
}

static enum un_err
note_escape(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t at)
{
	size_t behind = filter->gram + filter->stride;
	struct hint hint = {.first = (uint32_t)at, .latest = (uint32_t)at};
	enum view view = escape_view(bytes[at]);
	enum escape_kind kind = (enum escape_kind)(view - VIEW_BACKSLASH + ESCAPE_BACKSLASH);
	struct unit unit;
	bool in_base64;

	if (!decode_begins(kind, bytes + at, scan->len - at))
		return UN_OK;
	unit = decode_unit(kind, bytes + at, scan->len - at, false);
	if (unit.len == 1 && unit.count) /* it stands for itself: text is read so, too */
		return UN_OK;
	in_base64 = is_in_base64(bytes + at, scan->len - at);
	if (!in_base64 && !is_in_values(filter, &unit))
		return UN_OK;
	hint.views = 1u << view;
	if (goes_on(scan, &hint, in_base64))
		return UN_OK;
	if (in_base64)
		hint.views |= 1u << VIEW_BASE64;
	hint.deep = !joins_pattern(filter, unit, bytes, at, scan->len);
	hint.from = hint.until = hint.latest;
	if (!hint.deep || in_base64)
		hint.from = (uint32_t)walk_back(filter, scan, bytes, at, behind);
	if (view == VIEW_TERMINAL)
		hint.from = (uint32_t)filter_string(bytes, hint.from);
	return add_hint(&scan->escapes, &scan->escape_count, &scan->escape_room, hint);
}

/* A pattern may begin with what is at `at`, as far as that is text. */
static inline bool
may_begin(const struct filter *filter, const uint8_t *at, size_t left)
{
	const struct filter_tables *tables = filter->tables;

	if (left > 1 && tables->class[at[1]] & CLASS_SYMBOL &&
	    !(tables->pair[at[0]][at[1] / 8] & 1u << at[1] % 8))
		return false;
	if (!(tables->place[at[0]] & PLACE_FIRST) || (left > 1 && at[1] == 0x1b))
		return false;
	return left < 3 || !(tables->class[at[1]] & tables -> class[at[2]] & CLASS_SYMBOL) ||
	       has_joint(filter, 3, at[0], at[1], at[2]) || has_joint(filter, 6, 0, at[0], at[1]);
}

static enum un_err
note_inside(struct scan *scan, size_t at, size_t len)
{
	struct hint hint = {.from = (uint32_t)at,
	                    .first = (uint32_t)at,
	                    .latest = (uint32_t)(at + len),
	                    .until = (uint32_t)(at + len),
	                    .views = 1u << VIEW_INSIDE};

	return add_hint(&scan->escapes, &scan->escape_count, &scan->escape_room, hint);
}

/* Where text is to be read in another way than all views read it: a string for the terminal, a
 * sequence longer than most, or one that has swallowed the beginning of a value. */
static enum un_err
note_terminal(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t at)
{
	size_t left = scan->len - at, i = 2, len;
	const uint8_t *sequence = bytes + at;
	enum un_err err = UN_OK;
	bool begins = false;

	if (left > 2 && sequence[1] == '[') { /* most are: parameters and a final byte */
		for (; i < left && i < CSI_MAX && sequence[i] >= 0x30 && sequence[i] <= 0x3f; i++)
			begins |= may_begin(filter, sequence + i, left - i);
		if (i < left && i + 1 < CSI_MAX && sequence[i] >= 0x40 && sequence[i] <= 0x7e)
			return begins || may_begin(filter, sequence + i, left - i)
			               ? note_inside(scan, at, i + 1)
			               : UN_OK;
	}
	len = decode_terminal(sequence, left, false);
	if (!len || (len > 1 && sequence[1] == '['))
		err = note_inside(scan, at, CSI_MAX);
	if (!err && (!len || decode_unit(ESCAPE_TERMINAL, sequence, left, false).len != len))
		err = note_escape(filter, scan, bytes, at);
	return err;
}

/* A member begins where a run of digits begins: behind a byte that is none. */
static enum un_err
note_member(struct scan *scan, const uint8_t *bytes, size_t at)
{
	struct hint hint = {.from = (uint32_t)at,
	                    .first = (uint32_t)at,
	                    .latest = (uint32_t)at,
	                    .until = (uint32_t)at,
	                    .views = 1u << VIEW_DEFLATE};

	if (at && text_base64_digit((char)bytes[at - 1]) >= 0)
		return UN_OK;
	return add_hint(&scan->escapes, &scan->escape_count, &scan->escape_room, hint);
}

/* Those of one block from `news` on, in the order in which they stand there. */
static enum un_err
note_block(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t block,
           const struct shaped *shaped, size_t news)
{
	uint64_t places = shaped->escapes | shaped->members | shaped->esc;
	enum un_err err = UN_OK;

	if (block < news)
		places = places >> (news - block) << (news - block);
	for (; places && !err; places &= places - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(places);

		if (block + bit >= scan->len)
			break;
		if (shaped->members >> bit & 1)
			err = note_member(scan, bytes, block + bit);
		else if (shaped->esc >> bit & 1)
			err = note_terminal(filter, scan, bytes, block + bit);
		else
			err = note_escape(filter, scan, bytes, block + bit);
	}
	return err;
}

static enum un_err
shape_all(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t news)
{
	uint8_t *canon = secbuf_edit(scan->buffer), *tail = canon + scan->room + BLOCK;
	size_t skip = 0, count = 0, len = scan->len;
	uint32_t symbols = 0;
	enum un_err err = UN_OK;

	for (size_t block = 0; block < len && !err; block += BLOCK) {
		const uint8_t *at = bytes + block;
		struct shaped shaped;

		scan->blocks[block / BLOCK] = (struct block){
			.canon = (uint32_t)count, .symbols = symbols, .inside = skip > block};
		scan->block_count = block / BLOCK + 1;
		if (len - block < BLOCK) {
			memset(tail, '\n', BLOCK); /* whatever follows, it may go on */
			memcpy(tail, at, len - block);
			at = tail;
		}
		shaped = filter->shaper(filter->tables, at, canon + count);
		if (len - block < BLOCK && (bytes[len - 1] == 'e' || bytes[len - 1] == 'H'))
			shaped.members |= (uint64_t)1 << (len - 1 - block);
		if ((shaped.members | shaped.escapes | shaped.esc) && block + BLOCK > news)
			err = note_block(filter, scan, bytes, block, &shaped, news);
		if (shaped.esc || skip > block)
			shaped = shape_slowly(filter, bytes, len, block, &skip, canon + count);
		count += shaped.kept;
		symbols += shaped.symbols;
	}
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
	return add_hint(&scan->hints, &scan->hint_count, &scan->hint_room, hint);
}

enum un_err
filter_scan(const struct filter *filter, struct scan *scan, const uint8_t *bytes, size_t len,
            size_t news)
{
	uint64_t mask = gram_mask(filter), key = filter->tables->keys[0];
	unsigned shift = 64 - filter->bit_bits;
	const uint8_t *canon, *bit = filter->bit;
	enum un_err err = make_room(scan, len);

	if (err)
		return err;
	scan->len = len;
	scan->hint_count = scan->escape_count = scan->block_count = scan->count = 0;
	err = shape_all(filter, scan, bytes, news);
	canon = secbuf_peek(scan->buffer);
	for (size_t at = 0; at + filter->gram <= scan->count && !err; at += filter->stride) {
		uint64_t hash = gram_at(canon + at, mask) * key;
		uint32_t views;

		if (!(bit[hash >> shift >> 3] & 1u << (hash >> shift & 7)))
			continue;
		views = find_gram(filter, hash);
		if (views)
			err = note_gram(filter, scan, at, views);
	}
	return err;
}

size_t
filter_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
            size_t canon)
{
	if (!scan->block_count)
		return 0;
	if (!scan->skipping)
		return walk_back(filter, scan, bytes, scan->len, canon);
	return place_before(filter, scan, scan->count > canon ? scan->count - canon : 0);
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
		size_t bit;

		for (size_t i = scan->count - len; i < scan->count; i++)
			hash = (hash ^ canon[i]) * 0x100000001b3u + 1;
		bit = begin_bit(filter, hash);
		if (filter->begin[bit / 8] & 1u << bit % 8)
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
	mem_free(scan->blocks);
	mem_free(scan->hints);
	mem_free(scan->escapes);
}

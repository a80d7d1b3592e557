#include "redact/filter.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <string.h>

#define TAG_BITS 26
#define BITS_LEAST 15 /* of a table of bits: 4 KiB */
#define BITS_MOST 22
#define REACH_LEAST 96   /* digits that coded anchors are made of */
#define SYMBOLS_ENOUGH 8 /* a value with fewer letters and digits lends its punctuation */
#define LENDABLE "!@$^*(){}|~`<>?"
_Static_assert(sizeof LENDABLE - 1 <= LENT_MAX, "room for all of them");

static uint64_t
mix(uint64_t hash, uint64_t key)
{
	return (hash ^ hash >> 29) * key;
}

static void
put_low(struct filter_tables *tables, enum low set, uint8_t byte)
{
	if (byte < 0x80)
		tables->low[set][byte & 15] |= (uint8_t)(1u << (byte >> 4));
}

/* An escape that stands for `byte` matters: by its first digit. */
static void
note_lead(struct filter_tables *tables, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	for (size_t i = byte >> 4; i < sizeof digits - 1; i += 16) {
		tables->class[(uint8_t)digits[i]] |= CLASS_LEAD;
		put_low(tables, LOW_LEAD, (uint8_t)digits[i]);
	}
}

/* What is left of a byte in shape. Letters, digits and bytes from 0x80 on are all but `lent`. */
static void
note_fold(struct filter_tables *tables, uint8_t byte, uint8_t fold)
{
	tables->fold[byte] = fold;
	put_low(tables, LOW_KEEP, byte);
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
			note_fold(tables, (uint8_t)c, (uint8_t)(letter ? c | 0x20 : c));
		tables->class[c] = c && !space && c != 0x1b ? CLASS_SYMBOL : 0;
		if (text_hex_digit((char)c) >= 0)
			tables->class[c] |= CLASS_HEX;
	}
	note_lead(tables, 0); /* NUL and white space */
	note_lead(tables, ' ');
	note_lead(tables, '/'); /* digits of base64 */
	note_lead(tables, '=');
	tables->class[0x1b] |= CLASS_ESC;
	tables->class['\\'] |= CLASS_BACKSLASH;
	tables->class['%'] |= CLASS_MARK;
	tables->class['&'] |= CLASS_MARK;
	tables->class['='] |= CLASS_MARK;
	tables->class['\''] |= CLASS_MARK;
	tables->class[0x0e] |= CLASS_MARK;
	tables->class[0x0f] |= CLASS_MARK;
	tables->class[0x9b] |= CLASS_MARK;
	random_bytes(tables->keys, sizeof tables->keys);
	tables->keys[0] |= 1;
	tables->keys[1] |= 1;
	filter->path = filter_path_here();
	filter->reach = REACH_LEAST;
	filter->least = ANCHOR_MAX;
	return UN_OK;
}

/* Punctuation that no form uses between the bytes of a value, and that is no digit of base64. */
static bool
is_lendable(uint8_t byte)
{
	return byte && strchr(LENDABLE, byte) != NULL;
}

void
filter_shape(struct filter *filter, const uint8_t *value, size_t len)
{
	struct filter_tables *tables = filter->tables;
	size_t kept = 0;

	for (size_t i = 0; i < len && kept < SYMBOLS_ENOUGH; i++)
		kept += tables->fold[value[i]] != 0;
	if (kept >= SYMBOLS_ENOUGH)
		return;
	for (size_t i = 0; i < len; i++) {
		if (!is_lendable(value[i]) || tables->fold[value[i]])
			continue;
		note_fold(tables, value[i], value[i]);
		tables->lent[tables->lent_count++] = value[i];
	}
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

uint32_t
filter_find(const struct filter *filter, uint64_t hash)
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

static void
put_begin(struct filter *filter, uint64_t hash)
{
	size_t bit = begin_bit(filter, hash);

	filter->begin[bit / 8] |= (uint8_t)(1u << bit % 8);
}

bool
filter_begins(const struct filter *filter, uint64_t hash)
{
	size_t bit = begin_bit(filter, hash);

	return filter->begin[bit / 8] & 1u << bit % 8;
}

void
filter_put(struct filter *filter, const uint8_t *anchor, size_t len, uint32_t view)
{
	uint8_t padded[ANCHOR_MAX + GRAM_MAX] = {0};
	uint64_t hash = 0;

	memcpy(padded, anchor, len < ANCHOR_MAX ? len : ANCHOR_MAX);
	for (size_t i = 0; i < filter->stride; i++)
		put_gram(filter, gram_at(padded + i, filter_gram_mask(filter)), pack_view(view));
	for (size_t i = 0; view != VIEW_TEXT && i + 1 < filter->gram + filter->stride - 1; i++) {
		hash = (hash ^ padded[i]) * 0x100000001b3u + 1;
		put_begin(filter, hash);
	}
	explicit_bzero(padded, sizeof padded);
}

/* Of the first symbols of a pattern, as they are. */
static uint64_t
three_hash(const uint8_t *symbols, size_t len)
{
	uint64_t hash = (uint64_t)len << 32;

	for (size_t i = 0; i < len; i++)
		hash |= (uint64_t)symbols[i] << 8 * i;
	return hash;
}

bool
filter_may_begin(const struct filter *filter, const uint8_t *at, size_t left)
{
	const struct filter_tables *tables = filter->tables;

	if (!(tables->used[at[0]] & USE_FIRST))
		return false;
	if (left < 2 || !(tables->class[at[1]] & CLASS_SYMBOL))
		return left < 2 || at[1] != 0x1b;
	if (!(tables->pair[at[0]][at[1] / 8] & 1u << at[1] % 8))
		return false;
	return left < 3 || !(tables->class[at[2]] & CLASS_SYMBOL) ||
	       filter_begins(filter, three_hash(at, 3)) || filter_begins(filter, three_hash(at, 2));
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

void
filter_symbols(struct filter *filter, const uint8_t *symbols, size_t len)
{
	size_t kept = 0, reach = 0;

	for (size_t i = 0; i < len; i++) {
		filter->tables->used[symbols[i]] |= i ? USE_ANY : USE_ANY | USE_FIRST;
		note_lead(filter->tables, symbols[i]);
	}
	if (len > 1)
		filter->tables->pair[symbols[0]][symbols[1] / 8] |= (uint8_t)(1u << symbols[1] % 8);
	put_begin(filter, three_hash(symbols, len < 3 ? len : 3));
	for (; reach < len && kept < ANCHOR_MAX; reach++)
		kept += filter->tables->fold[symbols[reach]] != 0;
	if (reach > filter->reach)
		filter->reach = (uint32_t)reach;
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

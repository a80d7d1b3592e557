/* msgpack.c - texts, blobs and numbers of a msgpack document, by their places. */
#include "guard/inside.h"
#include "guard/span.h"

#define NESTING_MAX 64

enum kind {
	KIND_BAD,
	KIND_NUMBER,
	KIND_TEXT,
	KIND_BYTES, /* and extension types */
	KIND_ARRAY,
	KIND_MAP,
	KIND_OTHER, /* nil, bool, float */
};

struct item {
	enum kind kind;
	uint64_t count; /* bytes of a text or blob, parts of an array or map */
	int64_t number;
	const uint8_t *bytes;
};

static struct item
sized(struct span *in, enum kind kind, uint64_t count)
{
	struct item item = {.kind = kind, .count = count};

	if (kind == KIND_TEXT || kind == KIND_BYTES)
		item.bytes = span_take(in, count);
	return item;
}

static struct item
number_of(struct span *in, unsigned size, bool is_signed)
{
	uint64_t bits = span_be(in, size);
	struct item item = {.kind = KIND_NUMBER, .number = (int64_t)bits};

	if (is_signed && size < 8 && bits >> (8 * size - 1))
		item.number = -1;
	return item;
}

static struct item
skipped(struct span *in, uint64_t len)
{
	(void)span_take(in, len);
	return (struct item){.kind = KIND_OTHER};
}

/* Those from 0xc0 to 0xdf, one byte each. */
static struct item
read_marked(struct span *in, uint8_t mark)
{
	uint64_t len;

	switch (mark) {
	case 0xc0:
	case 0xc2:
	case 0xc3:
		return (struct item){.kind = KIND_OTHER};
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return sized(in, KIND_BYTES, span_be(in, 1u << (mark - 0xc4)));
	case 0xc7:
	case 0xc8:
	case 0xc9:
		len = span_be(in, 1u << (mark - 0xc7));
		(void)span_byte(in); /* its type */
		return sized(in, KIND_BYTES, len);
	case 0xca:
		return skipped(in, 4);
	case 0xcb:
		return skipped(in, 8);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return number_of(in, 1u << (mark - 0xcc), false);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return number_of(in, 1u << (mark - 0xd0), true);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		(void)span_byte(in);
		return sized(in, KIND_BYTES, 1u << (mark - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return sized(in, KIND_TEXT, span_be(in, 1u << (mark - 0xd9)));
	case 0xdc:
	case 0xdd:
		return sized(in, KIND_ARRAY, span_be(in, mark == 0xdc ? 2 : 4));
	case 0xde:
	case 0xdf:
		return sized(in, KIND_MAP, span_be(in, mark == 0xde ? 2 : 4));
	default:
		return (struct item){.kind = KIND_BAD};
	}
}

static struct item
read_item(struct span *in)
{
	uint8_t mark = span_byte(in);
	struct item item;

	if (mark < 0x80)
		item = (struct item){.kind = KIND_NUMBER, .number = mark};
	else if (mark >= 0xe0)
		item = (struct item){.kind = KIND_NUMBER, .number = -1};
	else if (mark < 0x90)
		item = sized(in, KIND_MAP, mark & 0x0f);
	else if (mark < 0xa0)
		item = sized(in, KIND_ARRAY, mark & 0x0f);
	else if (mark < 0xc0)
		item = sized(in, KIND_TEXT, mark & 0x1f);
	else
		item = read_marked(in, mark);
	/* each part has a byte at least */
	if ((item.kind == KIND_ARRAY && item.count > in->left) ||
	    (item.kind == KIND_MAP && item.count > in->left / 2))
		in->bad = true;
	if (in->bad)
		item.kind = KIND_BAD;
	return item;
}

bool
msgpack_is_whole(const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	uint64_t left = 1;

	if (len < 4 || !((bytes[0] & 0xe0) == 0x80 || (bytes[0] >= 0xdc && bytes[0] <= 0xdf)))
		return false;
	for (; left; left--) {
		struct item item = read_item(&in);

		if (item.kind == KIND_BAD)
			return false;
		if (item.kind == KIND_ARRAY)
			left += item.count;
		if (item.kind == KIND_MAP)
			left += 2 * item.count;
		if (left > in.left + 1)
			return false;
	}
	return in.left == 0;
}

static enum un_err look_item(struct guard *guard, struct span *in, const struct item *item,
                             unsigned nesting);

static size_t
enter_key(struct guard *guard, const struct item *key)
{
	if (key->kind == KIND_TEXT)
		return guard_enter_name(guard, ".", key->bytes, (size_t)key->count, "");
	if (key->kind == KIND_NUMBER)
		return guard_enter(guard, "[%lld]", (long long)key->number);
	return guard_enter(guard, "[?]");
}

static enum un_err
look_parts(struct guard *guard, struct span *in, const struct item *item, unsigned nesting)
{
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (uint64_t i = 0; !err && !in->bad && !guard->over && i < item->count; i++) {
		struct item part = read_item(in);
		size_t mark = item->kind == KIND_MAP
		                      ? enter_key(guard, &part)
		                      : guard_enter(guard, "[%llu]", (unsigned long long)i);

		err = look_item(guard, in, &part, nesting + 1);
		if (!err && item->kind == KIND_MAP) {
			part = read_item(in);
			err = look_item(guard, in, &part, nesting + 1);
		}
		guard_leave(guard, mark);
	}
	return err ? err : guard_list_end(guard, list);
}

static enum un_err
look_item(struct guard *guard, struct span *in, const struct item *item, unsigned nesting)
{
	switch (item->kind) {
	case KIND_NUMBER:
		return guard_join_number(guard, item->number);
	case KIND_TEXT:
		return guard_text(guard, item->bytes, (size_t)item->count);
	case KIND_BYTES:
		return guard_part(guard, item->bytes, (size_t)item->count, false);
	case KIND_ARRAY:
	case KIND_MAP:
		if (nesting < NESTING_MAX && !guard_tick(guard))
			return look_parts(guard, in, item, nesting);
		in->bad = true;
		return UN_OK;
	default:
		return UN_OK;
	}
}

enum un_err
walk_msgpack(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	enum un_err err = UN_OK;

	while (!err && in.left && !in.bad && !guard->over) {
		struct item item = read_item(&in);

		err = look_item(guard, &in, &item, 0);
	}
	if (!err && in.bad)
		guard_blind_here(guard, "is damaged, or no msgpack");
	return err;
}

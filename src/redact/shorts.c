#include "redact/shorts.h"

#include "base/text.h"

#include <string.h>

enum un_err
shorts_init(struct shorts *shorts, size_t count)
{
	enum un_err err;

	if (!count)
		return UN_OK;
	err = secbuf_new(sizeof *shorts->tables + count * sizeof *shorts->tables->values,
	                 &shorts->lock);
	if (!err)
		shorts->tables = (void *)secbuf_edit(shorts->lock);
	return err;
}

static size_t
hash_of(const uint8_t *bytes)
{
	uint32_t four;

	memcpy(&four, bytes, sizeof four);
	return four * 0x9E3779B1u >> (32 - SHORT_BITS);
}

void
shorts_add(struct shorts *shorts, const uint8_t *bytes, size_t len, uint32_t name)
{
	struct short_value *value = &shorts->tables->values[shorts->count++];
	uint32_t *link = &shorts->tables->head[hash_of(bytes)];

	memcpy(value->bytes, bytes, len);
	value->len = (uint8_t)len;
	value->name = name;
	while (*link)
		link = &shorts->tables->values[*link - 1].next;
	*link = (uint32_t)shorts->count;
}

static bool
is_word(int byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
	       byte == '_' || byte >= 128;
}

/* The values that begin at `at`, which is `left` bytes before the end. True: one may, but what
 * follows must be seen first. */
static bool
search_at(const struct shorts *shorts, struct reader *reader, const uint8_t *at, size_t left,
          bool ended)
{
	uint32_t number = shorts->tables->head[hash_of(at)];
	bool open = false;

	for (; number; number = shorts->tables->values[number - 1].next) {
		const struct short_value *value = &shorts->tables->values[number - 1];
		uint64_t start = reader->base + (uint64_t)(at - reader->bytes);
		bool ends_word = is_word(value->bytes[value->len - 1]);

		if (left < value->len || !text_equal(at, value->bytes, value->len))
			continue;
		if (ends_word && left == value->len && !ended)
			open = true;
		else if (!ends_word || left == value->len || !is_word(at[value->len]))
			reader_found(reader, start, start + value->len, value->name,
			             REDACT_FORM_PLAIN);
	}
	return open;
}

/* `at` may be the beginning of a value that goes on behind the end. */
static bool
begins_at(const struct shorts *shorts, const uint8_t *at, size_t left)
{
	for (size_t i = 0; i < shorts->count; i++)
		if (left < shorts->tables->values[i].len &&
		    text_equal(at, shorts->tables->values[i].bytes, left))
			return true;
	return false;
}

uint64_t
shorts_search(const struct shorts *shorts, struct reader *reader, uint64_t from, bool ended)
{
	const uint8_t *bytes = reader->bytes;
	size_t i = from > reader->base ? (size_t)(from - reader->base) : 0;
	uint64_t hold = UINT64_MAX;

	if (!shorts->count)
		return hold;
	for (; i < reader->len; i++) {
		size_t left = reader->len - i;
		bool open = false;
		int before;

		if (left >= REDACT_VALUE_MIN && !shorts->tables->head[hash_of(bytes + i)] &&
		    left > SHORT_MAX)
			continue;
		before = i ? bytes[i - 1] : reader->before;
		if (before >= 0 && is_word(before) && is_word(bytes[i]))
			continue;
		if (left >= REDACT_VALUE_MIN)
			open = search_at(shorts, reader, bytes + i, left, ended);
		if (left < SHORT_MAX && !ended)
			open = open || begins_at(shorts, bytes + i, left);
		if (open && reader->base + i < hold)
			hold = reader->base + i;
	}
	return hold;
}

void
shorts_fini(struct shorts *shorts)
{
	secbuf_free(shorts->lock);
}

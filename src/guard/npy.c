/* npy.c - arrays of numpy: texts lie in them as UTF-32, objects as a pickle. */
#include "guard/inside.h"
#include "guard/span.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

#define HEADER_MAX (1u << 20)
#define PIECE (1u << 20) /* characters converted at once */

static bool
has(const uint8_t *text, size_t len, const char *part)
{
	return memmem(text, len, part, strlen(part)) != NULL;
}

static size_t
put_utf8(uint8_t *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return code != 0; /* cells are filled up with these */
	}
	if (code < 0x800) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code & 0x3f));
		return 3;
	}
	if (code > 0x10ffff) {
		out[0] = '?';
		return 1;
	}
	out[0] = (uint8_t)(0xf0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (code & 0x3f));
	return 4;
}

/* Searches UTF-32 as the UTF-8 that it means, in pieces with an overlap. */
static enum un_err
search_utf32(struct guard *guard, const uint8_t *bytes, size_t len, bool big)
{
	struct span in = span_of(bytes, len);
	size_t room = 4u * PIECE + guard->overlap, used = 0;
	uint8_t *text = mem_alloc(room);
	enum un_err err = UN_OK;

	if (!text)
		return UN_ERR_NO_MEMORY;
	while (!err && in.left >= 4 && !guard->over) {
		size_t keep = used < guard->overlap ? used : guard->overlap;

		memmove(text, text + used - keep, keep);
		used = keep;
		for (size_t i = 0; i < PIECE && in.left >= 4; i++)
			used += put_utf8(text + used,
			                 (uint32_t)(big ? span_be(&in, 4) : span_le(&in, 4)));
		err = guard_search(guard, text, used);
	}
	mem_wipe_free(text, room);
	return err;
}

enum un_err
walk_npy(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	const uint8_t *header;
	size_t header_len;
	uint8_t version;
	bool little, big, fields;
	enum un_err err = UN_OK;

	(void)span_take(&in, 6);
	version = span_byte(&in);
	(void)span_byte(&in);
	header_len = (size_t)span_le(&in, version == 1 ? 2 : 4);
	header = header_len <= HEADER_MAX ? span_take(&in, header_len) : NULL;
	if (!header || version < 1 || version > 3) {
		guard_blind_here(guard, "is a damaged array");
		return UN_OK;
	}
	little = has(header, header_len, "<U") || has(header, header_len, "|U");
	big = has(header, header_len, ">U");
	fields = has(header, header_len, "[("); /* which may begin anywhere */
	if (has(header, header_len, "|O"))
		return guard_part(guard, in.at, in.left, true);
	for (size_t phase = 0; !err && phase < (fields ? 4u : 1u) && phase < in.left; phase++) {
		if (little)
			err = search_utf32(guard, in.at + phase, in.left - phase, false);
		if (!err && big)
			err = search_utf32(guard, in.at + phase, in.left - phase, true);
	}
	return err;
}

/* documents.c - safetensors, and what can be read of PNG and PDF: their texts, not what they show.
 */
#include "guard/inside.h"
#include "guard/span.h"
#include "guard/unpack.h"

#include "base/text.h"

#include <string.h>

#define SAFETENSORS_HEAD 8u
#define PNG_HEAD 8u

/* 8 bytes length, that much JSON, then numbers. */
bool
safetensors_begins(const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	uint64_t header = span_le(&in, SAFETENSORS_HEAD);
	const uint8_t *text = span_take(&in, header);

	return text && header > 2 && text[0] == '{' && text[1] == '"' &&
	       (text[header - 1] == '}' || text[header - 1] == ' ');
}

enum un_err
walk_safetensors(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	uint64_t len_of_it = span_le(&in, SAFETENSORS_HEAD);
	const uint8_t *header = span_take(&in, len_of_it);

	return header ? guard_part(guard, header, (size_t)len_of_it, true) : UN_OK;
}

/* The bytes behind the next NUL. */
static bool
skip_text(struct span *in)
{
	const uint8_t *end = memchr(in->at, 0, in->left);

	return end && span_take(in, (uint64_t)(end - in->at) + 1);
}

static enum un_err
look_png_chunk(struct guard *guard, const uint8_t *type, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	bool packed = text_equal(type, "zTXt", 4) || text_equal(type, "iCCP", 4);

	if (!packed && !text_equal(type, "iTXt", 4))
		return UN_OK;
	if (!skip_text(&in))
		return UN_OK;
	if (!packed) {
		packed = span_byte(&in) == 1;
		(void)span_byte(&in);
		packed = packed && skip_text(&in) && skip_text(&in);
	} else {
		(void)span_byte(&in);
	}
	return packed && in.left ? guard_unpack(guard, CODEC_ZLIB, false, in.at, in.left) : UN_OK;
}

/* 8 bytes mark, then chunks: 4 length, 4 type, bytes, 4 checksum. */
enum un_err
walk_png(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	enum un_err err = UN_OK;

	(void)span_take(&in, PNG_HEAD);
	while (!err && in.left && !guard_step(guard)) {
		uint64_t size = span_be(&in, 4);
		const uint8_t *type = span_take(&in, 4), *data = span_take(&in, size);

		(void)span_take(&in, 4);
		if (in.bad)
			break;
		err = look_png_chunk(guard, type, data, (size_t)size);
	}
	if (!err)
		guard_blind_here(guard, "is an image, of which only the texts are looked at");
	return err;
}

/* Streams that zlib packed, wherever they are. */
enum un_err
walk_pdf(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	const uint8_t *at;
	enum un_err err = UN_OK;

	while (!err && (at = memmem(in.at, in.left, "stream", 6)) != NULL && !guard_step(guard)) {
		const uint8_t *end;

		(void)span_take(&in, (uint64_t)(at - in.at) + 6);
		if (in.left && *in.at == '\r')
			(void)span_byte(&in);
		if (in.left && *in.at == '\n')
			(void)span_byte(&in);
		end = memmem(in.at, in.left, "endstream", 9);
		if (!end)
			break;
		if (zlib_begins(in.at, (size_t)(end - in.at)))
			err = guard_unpack(guard, CODEC_ZLIB, false, in.at, (size_t)(end - in.at));
		(void)span_take(&in, (uint64_t)(end - in.at) + 9);
	}
	if (!err)
		guard_blind_here(guard, "is a PDF, whose letters may be drawn one by one");
	return err;
}

#include "base/pack.h"

#include <string.h>

static enum un_err
pack_number(struct buf *out, uint64_t number, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(number >> (8 * (width - 1 - i)));
	return buf_append(out, bytes, width);
}

enum un_err
pack_u8(struct buf *out, uint8_t number)
{
	return pack_number(out, number, 1);
}

enum un_err
pack_u16(struct buf *out, uint16_t number)
{
	return pack_number(out, number, 2);
}

enum un_err
pack_u32(struct buf *out, uint32_t number)
{
	return pack_number(out, number, 4);
}

enum un_err
pack_u64(struct buf *out, uint64_t number)
{
	return pack_number(out, number, 8);
}

enum un_err
pack_bytes(struct buf *out, const void *bytes, size_t len)
{
	enum un_err err;

	if (len > UINT32_MAX)
		return UN_ERR_TOO_LARGE;
	err = pack_u32(out, (uint32_t)len);
	if (err)
		return err;
	return buf_append(out, bytes, len);
}

enum un_err
pack_text(struct buf *out, const char *text)
{
	return pack_bytes(out, text, strlen(text));
}

void
unpack_init(struct unpack *in, const void *bytes, size_t len)
{
	*in = (struct unpack){.at = bytes, .left = len};
}

const uint8_t *
unpack_fixed(struct unpack *in, size_t len)
{
	const uint8_t *bytes = in->at;

	if (in->bad || len > in->left) {
		in->bad = true;
		return NULL;
	}
	in->at += len;
	in->left -= len;
	return bytes;
}

static uint64_t
unpack_number(struct unpack *in, size_t width)
{
	const uint8_t *bytes = unpack_fixed(in, width);
	uint64_t number = 0;

	for (size_t i = 0; bytes && i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

uint8_t
unpack_u8(struct unpack *in)
{
	return (uint8_t)unpack_number(in, 1);
}

uint16_t
unpack_u16(struct unpack *in)
{
	return (uint16_t)unpack_number(in, 2);
}

uint32_t
unpack_u32(struct unpack *in)
{
	return (uint32_t)unpack_number(in, 4);
}

uint64_t
unpack_u64(struct unpack *in)
{
	return unpack_number(in, 8);
}

const uint8_t *
unpack_bytes(struct unpack *in, size_t max, size_t *ret_len)
{
	uint32_t len = unpack_u32(in);
	const uint8_t *bytes;

	*ret_len = 0;
	if (len > max)
		in->bad = true;
	bytes = unpack_fixed(in, len);
	if (bytes)
		*ret_len = len;
	return bytes;
}

void
unpack_text(struct unpack *in, char *text, size_t size)
{
	size_t len;
	const uint8_t *bytes = unpack_bytes(in, size - 1, &len);

	text[0] = '\0';
	if (!bytes)
		return;
	if (memchr(bytes, 0, len)) {
		in->bad = true;
		return;
	}
	memcpy(text, bytes, len);
	text[len] = '\0';
}

enum un_err
unpack_end(const struct unpack *in)
{
	return in->bad || in->left ? UN_ERR_PROTOCOL : UN_OK;
}

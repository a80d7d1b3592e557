#include "base/text.h"

#include <string.h>

#define WORD_MAX 64

enum un_err
text_append_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	enum un_err err;

	if (len > out->max / 2)
		return UN_ERR_TOO_LARGE;
	err = buf_reserve(out, len * 2);
	if (err)
		return err;
	for (size_t i = 0; i < len; i++) {
		out->data[out->len + 2 * i] = (uint8_t)digits[bytes[i] >> 4];
		out->data[out->len + 2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
	}
	buf_added(out, len * 2);
	return UN_OK;
}

enum un_err
text_append_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16;
		char four[4];
		enum un_err err;

		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		four[0] = alphabet[group >> 18];
		four[1] = alphabet[(group >> 12) & 63];
		four[2] = left > 1 ? alphabet[(group >> 6) & 63] : '=';
		four[3] = left > 2 ? alphabet[group & 63] : '=';
		err = buf_append(out, four, 4);
		if (err)
			return err;
	}
	return UN_OK;
}

int
text_base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

enum un_err
text_decode_base64(const char *text, size_t len, struct buf *out)
{
	uint32_t group = 0;
	unsigned bits = 0;

	if (len && len % 4 == 0) { /* padding only makes up whole groups */
		for (unsigned pad = 0; pad < 2 && text[len - 1] == '='; pad++)
			len--;
	}
	if (len % 4 == 1)
		return UN_ERR_PROTOCOL;
	for (size_t i = 0; i < len; i++) {
		int digit = text_base64_digit(text[i]);
		enum un_err err;

		if (digit < 0)
			return UN_ERR_PROTOCOL;
		group = (group << 6 | (uint32_t)digit) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		err = buf_append_byte(out, (uint8_t)(group >> bits));
		if (err)
			return err;
	}
	return UN_OK;
}

int
text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum un_err
text_decode_hex(const char *text, size_t len, struct buf *out)
{
	if (len % 2)
		return UN_ERR_PROTOCOL;
	for (size_t i = 0; i < len; i += 2) {
		int high = text_hex_digit(text[i]), low = text_hex_digit(text[i + 1]);
		enum un_err err;

		if (high < 0 || low < 0)
			return UN_ERR_PROTOCOL;
		err = buf_append_byte(out, (uint8_t)(high << 4 | low));
		if (err)
			return err;
	}
	return UN_OK;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual table. */
unsigned
text_distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned rows[3][WORD_MAX + 1];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = before[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = least(change, least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], two_before[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

const char *
text_nearest(const char *word, const char *const *words, size_t count)
{
	size_t len = strlen(word);
	unsigned best = (unsigned)(len / 3 ? len / 3 : 1) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = text_distance(word, words[i]);

		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

size_t
text_utf8_len(const char *text, size_t len)
{
	static const uint32_t least_point[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *bytes = (const uint8_t *)text;
	uint32_t point;
	size_t more;

	if (!len)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	more = bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : 1;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || more >= len)
		return 0;
	point = bytes[0] & (0x3fu >> more);
	for (size_t i = 1; i <= more; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3f);
	}
	if (point < least_point[more + 1] || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return more + 1;
}

bool
text_is_utf8(const char *text, size_t len)
{
	while (len) {
		size_t one = text_utf8_len(text, len);

		if (!one)
			return false;
		text += one;
		len -= one;
	}
	return true;
}

enum un_err
text_parse_u64(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return UN_ERR_INVALID;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return UN_ERR_INVALID;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
			return UN_ERR_RANGE;
	}
	*ret_number = number;
	return UN_OK;
}

bool
text_equal(const void *a, const void *b, size_t len)
{
	return !memcmp(a, b, len); /* check-source: allow memcmp, this is the one for public text */
}

#include "crypto/base64.h"

#include "base/text.h"

size_t
base64_len(size_t len, enum base64_kind kind)
{
	return kind == BASE64_STANDARD ? (len + 2) / 3 * 4 : (len * 4 + 2) / 3;
}

void
base64_encode(const void *bytes, size_t len, enum base64_kind kind, uint8_t *ret_text)
{
	static const char *const alphabets[] = {
		[BASE64_STANDARD] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		[BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	};
	const char *alphabet = alphabets[kind];
	const uint8_t *in = bytes;
	size_t text_len = base64_len(len, kind), full = (len * 8 + 5) / 6;

	for (size_t i = 0; i < text_len; i++) {
		size_t at = i * 6 / 8;
		unsigned pair;

		if (i >= full) {
			ret_text[i] = '=';
			continue;
		}
		pair = (unsigned)in[at] << 8 | (at + 1 < len ? in[at + 1] : 0u);
		ret_text[i] = (uint8_t)alphabet[pair >> (10 - i * 6 % 8) & 63];
	}
}

/* The 6 bits of one character of this alphabet; -1: it is none of its. */
static int
digit_of(uint8_t c, enum base64_kind kind)
{
	int digit = text_base64_digit((char)c);
	int last[2] = {kind == BASE64_URL ? '-' : '+', kind == BASE64_URL ? '_' : '/'};

	return digit >= 62 && c != last[digit - 62] ? -1 : digit;
}

enum un_err
base64_decode(const void *text, size_t len, enum base64_kind kind, uint8_t *ret_bytes,
              size_t *ret_len)
{
	const uint8_t *in = text;
	uint32_t group = 0;
	unsigned bits = 0;
	size_t count = 0;

	if (kind == BASE64_STANDARD) {
		if (len % 4)
			return UN_ERR_PROTOCOL;
		for (int i = 0; i < 2 && len && in[len - 1] == '='; i++)
			len--;
	}
	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(in[i], kind);

		if (digit < 0)
			return UN_ERR_PROTOCOL;
		group = (group << 6 | (uint32_t)digit) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			ret_bytes[count++] = (uint8_t)(group >> bits);
		}
	}
	/* a lone character at the end, or stray bits in the last one */
	if (bits >= 6 || group & ((1u << bits) - 1))
		return UN_ERR_PROTOCOL;
	*ret_len = count;
	return UN_OK;
}

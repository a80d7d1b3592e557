#include "base/md5.h"

#include <string.h>

static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee,
	0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
	0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039,
	0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t shifts[4][4] = {
	{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t
load(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* The non-linear function of step `i`, and which word of the block it takes. */
static uint32_t
mix(unsigned i, uint32_t b, uint32_t c, uint32_t d, unsigned *ret_word)
{
	switch (i / 16) {
	case 0: *ret_word = i; return (b & c) | (~b & d);
	case 1: *ret_word = (5 * i + 1) % 16; return (d & b) | (~d & c);
	case 2: *ret_word = (3 * i + 5) % 16; return b ^ c ^ d;
	default: *ret_word = 7 * i % 16; return c ^ (b | ~d);
	}
}

static void
digest_block(struct md5 *md5, const uint8_t block[64])
{
	uint32_t a = md5->state[0], b = md5->state[1], c = md5->state[2], d = md5->state[3];

	for (unsigned i = 0; i < 64; i++) {
		unsigned word, shift = shifts[i / 16][i % 4];
		uint32_t sum = mix(i, b, c, d, &word) + a + sines[i];

		sum += load(block + 4 * (size_t)word);
		a = d;
		d = c;
		c = b;
		b += sum << shift | sum >> (32 - shift);
	}
	md5->state[0] += a;
	md5->state[1] += b;
	md5->state[2] += c;
	md5->state[3] += d;
}

void
md5_init(struct md5 *md5)
{
	*md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void
md5_push(struct md5 *md5, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t used = md5->len % 64;

	md5->len += len;
	if (used > 0) {
		size_t take = len < 64 - used ? len : 64 - used;

		memcpy(md5->block + used, at, take);
		at += take;
		len -= take;
		if (used + take < 64)
			return;
		digest_block(md5, md5->block);
	}
	for (; len >= 64; at += 64, len -= 64)
		digest_block(md5, at);
	if (len > 0)
		memcpy(md5->block, at, len);
}

void
md5_end(struct md5 *md5, uint8_t ret_digest[MD5_LEN])
{
	uint64_t bits = md5->len * 8;
	uint8_t tail[72] = {0x80};
	size_t used = md5->len % 64;
	size_t pad = used < 56 ? 56 - used : 120 - used;

	for (unsigned i = 0; i < 8; i++)
		tail[pad + i] = (uint8_t)(bits >> (8 * i));
	md5_push(md5, tail, pad + 8);
	for (unsigned i = 0; i < MD5_LEN; i++)
		ret_digest[i] = (uint8_t)(md5->state[i / 4] >> (8 * (i % 4)));
}

/* span.h - reads numbers and pieces from the front of bytes, never past their end.
 *
 * After one read too many a span is `bad`: it stays empty and everything read from it is 0. So a
 * walk may read a whole header and ask once. */
#ifndef GUARD_SPAN_H
#define GUARD_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static inline struct span
span_of(const uint8_t *bytes, size_t len)
{
	return (struct span){.at = bytes, .left = len};
}

/* The next `len` bytes; NULL when there are not so many. */
static inline const uint8_t *
span_take(struct span *span, uint64_t len)
{
	const uint8_t *taken = span->at;

	if (span->bad || len > span->left) {
		span->bad = true;
		span->left = 0;
		return NULL;
	}
	span->at += len;
	span->left -= (size_t)len;
	return taken;
}

static inline uint64_t
span_le(struct span *span, unsigned size)
{
	const uint8_t *at = span_take(span, size);
	uint64_t number = 0;

	for (unsigned i = size; at && i-- > 0;)
		number = number << 8 | at[i];
	return number;
}

static inline uint64_t
span_be(struct span *span, unsigned size)
{
	const uint8_t *at = span_take(span, size);
	uint64_t number = 0;

	for (unsigned i = 0; at && i < size; i++)
		number = number << 8 | at[i];
	return number;
}

static inline uint8_t
span_byte(struct span *span)
{
	const uint8_t *at = span_take(span, 1);

	return at ? *at : 0;
}

/* Seven bits a byte, the lowest first; at most 10 bytes. */
static inline uint64_t
span_varint(struct span *span)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = span_byte(span);

		if (shift == 63 && byte > 1)
			break;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return number;
	}
	span->bad = true;
	span->left = 0;
	return 0;
}

static inline int64_t
span_zigzag(struct span *span)
{
	uint64_t number = span_varint(span);

	return (int64_t)(number >> 1 ^ (~(number & 1) + 1));
}

/* `len` bytes from `from` on of bytes that have `all`; NULL when they do not lie in them. */
static inline const uint8_t *
span_within(const uint8_t *bytes, size_t all, uint64_t from, uint64_t len)
{
	return from <= all && len <= all - from ? bytes + from : NULL;
}

#endif

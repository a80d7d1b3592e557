/* snappy.c - unpacks one block of snappy. Its library is C++, which a static launcher of 1.5 MB
 * would have to carry along for this page; the format is frozen since 2011. */
#include "guard/span.h"
#include "guard/unpack.h"

#include <string.h>

/* A copy of `len` bytes from `back` bytes before the end; the two may overlap. */
static bool
copy_back(uint8_t *out, size_t room, size_t *used, uint64_t back, size_t len)
{
	if (back == 0 || back > *used || len > room - *used)
		return false;
	if (back >= len) {
		memcpy(out + *used, out + *used - back, len);
	} else {
		for (size_t i = 0; i < len; i++)
			out[*used + i] = out[*used + i - back];
	}
	*used += len;
	return true;
}

static bool
literal(struct span *in, uint8_t *out, size_t room, size_t *used, unsigned head)
{
	uint64_t len = head < 60 ? head : span_le(in, head - 59);
	const uint8_t *bytes = span_take(in, ++len);

	if (!bytes || len > room - *used)
		return false;
	memcpy(out + *used, bytes, (size_t)len);
	*used += (size_t)len;
	return true;
}

bool
snappy_unpack(const uint8_t *bytes, size_t len, uint8_t *out, size_t room)
{
	struct span in = span_of(bytes, len);
	size_t used = 0;
	bool good = span_varint(&in) == room;

	/* the low two bits of each head: a literal, or how many bytes tell how far back */
	while (good && in.left) {
		uint8_t head = span_byte(&in);
		uint64_t back;

		switch (head & 3) {
		case 0:
			good = literal(&in, out, room, &used, head >> 2);
			break;
		case 1:
			back = (uint64_t)(head >> 5) << 8 | span_byte(&in);
			good = !in.bad && copy_back(out, room, &used, back, 4 + (head >> 2 & 7));
			break;
		default:
			back = span_le(&in, (head & 3) == 2 ? 2 : 4);
			good = !in.bad && copy_back(out, room, &used, back, 1 + (head >> 2));
		}
	}
	return good && !in.bad && used == room;
}

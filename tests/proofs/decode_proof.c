/* What src/redact/decode.c holds for every text of up to LENGTH bytes, for one KIND of escape:
 *
 * - It reads nothing behind the bytes that it is told of (sanitizers here, CBMC's pointer checks).
 * - A unit is no longer than what is there, and stands for 4 bytes at most.
 * - What it says once, it says for good: whatever follows later, the unit is the same. On this
 *   rests that the output of a stream does not depend on how its input was cut.
 * - At the end of the input it always says something, so no stream waits for ever.
 * - The short way (decode_usual) says the same, or nothing.
 * - Where no escape begins, the unit is that byte and stands for itself.
 *
 * CBMC takes every byte; without it, bytes are those that the escapes of KIND are made of, and one
 * of no meaning. */
#include "nondet.h"

#include "redact/decode.h"

#include <string.h>

#ifndef LENGTH
#define LENGTH 5
#endif
#ifndef KIND
#define KIND ESCAPE_BACKSLASH
#endif

static uint8_t
choose_byte(void)
{
#ifdef __CPROVER
	return (uint8_t)choose(256);
#else
	static const char *const of_kind[] = {
		[ESCAPE_NONE] = "a\x1b",       [ESCAPE_BACKSLASH] = "\\'\"ux1d{}\n",
		[ESCAPE_PERCENT] = "%1fG\x1b", [ESCAPE_ENTITY] = "&#x1;lt ",
		[ESCAPE_QUOTED] = "=\r\n1fG",  [ESCAPE_TERMINAL] = "\x1b[]1 m\a\\\x9b\x0e",
		[ESCAPE_INSIDE] = "a\x1b[m",
	};
	const char *bytes = of_kind[KIND];

	return (uint8_t)bytes[choose((unsigned)strlen(bytes))];
#endif
}

static bool
same(const struct unit *a, const struct unit *b)
{
	if (a->len != b->len || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->bytes[i] != b->bytes[i])
			return false;
	return true;
}

/* The unit of the first `left` bytes: they end where their object does. */
static struct unit
unit_of(const uint8_t text[LENGTH], unsigned left, bool final)
{
	static const char *const begins_with[] = {
		[ESCAPE_NONE] = "",       [ESCAPE_BACKSLASH] = "\\'",
		[ESCAPE_PERCENT] = "%",   [ESCAPE_ENTITY] = "&",
		[ESCAPE_QUOTED] = "=",    [ESCAPE_TERMINAL] = "\x1b\x0e\x0f\x9b",
		[ESCAPE_INSIDE] = "\x1b",
	};
	const char *begins = begins_with[KIND];
	uint8_t copy[LENGTH], byte;
	struct unit unit;
	uint32_t usual;

	for (unsigned i = 0; i < left; i++)
		copy[LENGTH - left + i] = text[i];
	unit = decode_unit(KIND, copy + LENGTH - left, left, final);
	HOLDS(unit.len <= left);
	HOLDS(unit.count <= sizeof unit.bytes);
	HOLDS(unit.len || !final);
	usual = decode_usual(KIND, copy + LENGTH - left, left, &byte);
	if (usual)
		HOLDS(unit.len == usual && unit.count == 1 && unit.bytes[0] == byte);
	if (!strchr(begins, (char)text[0]) || !text[0])
		HOLDS(unit.len == 1 && unit.count == 1 && unit.bytes[0] == text[0]);
	return unit;
}

void
proof(void)
{
	uint8_t text[LENGTH];
	unsigned left = 1 + choose(LENGTH - 1);
	struct unit first, later;

	for (unsigned i = 0; i < LENGTH; i++)
		text[i] = choose_byte();
	first = unit_of(text, left, false);
	later = unit_of(text, left + 1, choose(2));
	if (first.len) {
		HOLDS(same(&first, &later));
		later = unit_of(text, left, true);
		HOLDS(same(&first, &later));
	}
}

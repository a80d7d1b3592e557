/* decode.h - one unit of a text that is escaped in some way, and what it stands for.
 *
 * A unit is one byte, or one escape of the kind asked for. Pure and without state: where a unit
 * begins and ends depends on the bytes from its first one on. Any thread. */
#ifndef REDACT_DECODE_H
#define REDACT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNIT_MAX 16     /* bytes of the longest escape; a longer one is none */
#define CSI_MAX 48      /* bytes of the longest terminal sequence that every view passes over */
#define STRING_MAX 1024 /* and of the longest one that ESCAPE_TERMINAL does */

enum escape_kind {
	ESCAPE_NONE,
	ESCAPE_BACKSLASH, /* C, Go, Python, JSON, shells; also '\'' and '"'"' */
	ESCAPE_PERCENT,   /* %41 */
	ESCAPE_ENTITY,    /* &amp; &#65; &#x41; */
	ESCAPE_QUOTED,    /* quoted-printable: =41 and = at the end of a line */
	ESCAPE_TERMINAL,  /* all that a terminal does not show stands for nothing: titles, too */
	ESCAPE_INSIDE,    /* nothing does but ESC: text that begins within a sequence */
};

struct unit {
	uint32_t len;   /* 0: only more input can tell */
	uint32_t count; /* of bytes; 0: it stands for nothing */
	uint8_t bytes[4];
};

/* The length of the terminal sequence at `at` (which is ESC): colours, cursor movement, character
 * sets. 1 when it is none (then ESC alone is passed over), 0 when only more input can tell. What a
 * sequence carries as text (a title) is not part of it. */
size_t decode_terminal(const uint8_t *at, size_t left, bool final);

/* The unit at `at`; `left` is at least 1. `final`: no more input will come. */
struct unit decode_unit(enum escape_kind kind, const uint8_t *at, size_t left, bool final);

/* It begins with ESC, and with others than those of decode_terminal, which for the kinds before
 * ESCAPE_TERMINAL is asked first. */
static inline bool
decode_has_terminal(enum escape_kind kind)
{
	return kind >= ESCAPE_TERMINAL;
}

/* UTF-8 of a code point; 0 when there is none. */
uint32_t decode_utf8(uint32_t point, uint8_t ret_bytes[4]);

/* The digits of base 16, from 1; 0: none. */
extern const uint8_t decode_hex_from_1[256];

static inline bool
decode_is_hex(uint8_t byte)
{
	return decode_hex_from_1[byte] != 0;
}

static inline uint8_t
decode_hex_pair(const uint8_t *at)
{
	return (uint8_t)((decode_hex_from_1[at[0]] - 1u) << 4 | (decode_hex_from_1[at[1]] - 1u));
}

/* The escapes that most texts consist of, of one byte each: the length, or 0: ask decode_unit. */
static inline uint32_t
decode_usual(enum escape_kind kind, const uint8_t *at, size_t left, uint8_t *ret_byte)
{
	uint8_t first = at[0];

	if (left < 6)
		return 0;
	if ((first == '%' && kind == ESCAPE_PERCENT) || (first == '=' && kind == ESCAPE_QUOTED)) {
		if (!decode_is_hex(at[1]) || !decode_is_hex(at[2]))
			return 0;
		*ret_byte = decode_hex_pair(at + 1);
		return 3;
	}
	if (kind == ESCAPE_BACKSLASH && first == '\\') {
		if (at[1] == 'x' && decode_is_hex(at[2]) && decode_is_hex(at[3])) {
			*ret_byte = decode_hex_pair(at + 2);
			return 4;
		}
		if (at[1] == 'u' && at[2] == '0' && at[3] == '0' && at[4] >= '0' && at[4] <= '7' &&
		    decode_is_hex(at[5])) {
			*ret_byte = decode_hex_pair(at + 4);
			return 6;
		}
		if (at[1] >= '0' && at[1] <= '3' && (at[2] & 0xf8) == '0' &&
		    (at[3] & 0xf8) == '0') {
			*ret_byte =
				(uint8_t)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			return 4;
		}
		return 0;
	}
	if (kind == ESCAPE_ENTITY && first == '&' && at[1] == '#') {
		uint32_t number = (uint32_t)(at[2] - '0') * 10 + (uint32_t)(at[3] - '0');

		if (at[2] < '0' || at[2] > '9' || at[3] < '0' || at[3] > '9')
			return 0;
		if (at[4] == ';') {
			*ret_byte = (uint8_t)number;
			return 5;
		}
		number = number * 10 + (uint32_t)(at[4] - '0');
		if (at[4] < '0' || at[4] > '9' || at[5] != ';' || number >= 128)
			return 0;
		*ret_byte = (uint8_t)number;
		return 6;
	}
	return 0;
}

#endif

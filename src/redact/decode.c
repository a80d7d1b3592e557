#include "redact/decode.h"

#include "base/text.h"

#include <string.h>

#define ESC 0x1b
#define BETWEEN_MAX 2 /* intermediate bytes of a terminal sequence; those in use have one */

size_t
decode_terminal(const uint8_t *at, size_t left, bool final)
{
	size_t i = 2, between = 0;

	if (left < 2)
		return final ? 1 : 0;
	if (at[1] == '[') { /* parameters, then what is between, then one final byte */
		while (i < left && i < CSI_MAX && at[i] >= 0x30 && at[i] <= 0x3f)
			i++;
		while (i < left && i < CSI_MAX && between < BETWEEN_MAX && at[i] >= 0x20 &&
		       at[i] <= 0x2f) {
			i++;
			between++;
		}
		if (i == left)
			return final || i >= CSI_MAX ? 1 : 0;
		return i < CSI_MAX && at[i] >= 0x40 && at[i] <= 0x7e ? i + 1 : 1;
	}
	if (at[1] >= 0x20 && at[1] <= 0x2f) { /* ESC ( B and its kin */
		if (left < 3)
			return final ? 1 : 0;
		return at[2] >= 0x30 && at[2] <= 0x7e ? 3 : 1;
	}
	if (at[1] == '=' || at[1] == '>' || at[1] == '7' || at[1] == '8' || at[1] == 'M')
		return 2;
	return 1;
}

uint32_t
decode_utf8(uint32_t point, uint8_t ret_bytes[4])
{
	if (point < 0x80) {
		ret_bytes[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		ret_bytes[0] = (uint8_t)(0xc0 | point >> 6);
		ret_bytes[1] = (uint8_t)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		if (point >= 0xd800 && point < 0xe000)
			return 0;
		ret_bytes[0] = (uint8_t)(0xe0 | point >> 12);
		ret_bytes[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
		ret_bytes[2] = (uint8_t)(0x80 | (point & 0x3f));
		return 3;
	}
	if (point > 0x10ffff)
		return 0;
	ret_bytes[0] = (uint8_t)(0xf0 | point >> 18);
	ret_bytes[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	ret_bytes[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	ret_bytes[3] = (uint8_t)(0x80 | (point & 0x3f));
	return 4;
}

static const struct unit more = {0}, nothing = {.len = 1};

const uint8_t decode_hex_from_1[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static struct unit
one_byte(uint8_t byte, uint32_t len)
{
	return (struct unit){.len = len, .count = 1, .bytes = {byte}};
}

/* What an escape of `len` bytes says is code point `point`. */
static struct unit
one_point(uint32_t point, uint32_t len)
{
	struct unit unit = {.len = len};

	unit.count = decode_utf8(point, unit.bytes);
	return unit;
}

/* Up to `most` digits of base 8, 10 or 16. *ret_count: how many there were. */
static uint32_t
digits(const uint8_t *at, size_t left, uint32_t base, size_t most, size_t *ret_count)
{
	uint32_t number = 0;
	size_t count = 0;

	for (; count < left && count < most; count++) {
		uint32_t digit = decode_hex_from_1[at[count]] - 1u;

		if (digit >= base)
			break;
		number = number * base + digit;
	}
	*ret_count = count;
	return number;
}

/* \u and four digits at `at`, which may be the first half of a pair. */
static struct unit
utf16_escape(const uint8_t *at, size_t left, bool final)
{
	size_t count;
	uint32_t low, high = digits(at + 2, left - 2, 16, 4, &count);

	if (count < 4)
		return count == left - 2 && !final ? more : one_byte('u', 2);
	/* Half a pair stands for nothing. */
	if (high < 0xd800 || high > 0xdbff)
		return one_point(high, 6);
	if (left > 6 && at[6] != '\\')
		return one_point(high, 6);
	if (left > 7 && at[7] != 'u')
		return one_point(high, 6);
	if (left < 12)
		return final ? one_point(high, 6) : more;
	low = digits(at + 8, 4, 16, 4, &count);
	if (count < 4 || low < 0xdc00 || low > 0xdfff)
		return one_point(high, 6);
	return one_point(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
}

/* \x41, \101 and their kin: digits that give one byte. */
static struct unit
numeric_escape(const uint8_t *at, size_t left, bool final)
{
	bool hex = at[1] == 'x';
	size_t skip = hex ? 2 : 1, most = hex ? 2 : 3, count;
	uint32_t number;

	if (hex && left >= 4 && decode_is_hex(at[2]) && decode_is_hex(at[3]))
		return one_byte(decode_hex_pair(at + 2), 4);
	number = digits(at + skip, left - skip, hex ? 16 : 8, most, &count);
	if (count < most && count == left - skip && !final)
		return more;
	if (!count)
		return one_byte(at[1], 2);
	return one_byte((uint8_t)number, (uint32_t)(skip + count));
}

/* \u{1f600} */
static struct unit
braced_escape(const uint8_t *at, size_t left, bool final)
{
	size_t count;
	uint32_t number = digits(at + 3, left - 3, 16, 6, &count);

	if (count + 3 == left)
		return final ? one_byte('u', 2) : more;
	if (!count || at[count + 3] != '}')
		return one_byte('u', 2);
	return one_point(number, (uint32_t)count + 4);
}

static struct unit
long_escape(const uint8_t *at, size_t left, bool final)
{
	size_t count;
	uint32_t number = digits(at + 2, left - 2, 16, 8, &count);

	if (count < 8)
		return count == left - 2 && !final ? more : one_byte('U', 2);
	return one_point(number, 10);
}

/* Shells leave a quoted text for one quote: '\'' and '"'"'. */
static struct unit
quote(const uint8_t *at, size_t left, bool final)
{
	static const char *const ways[] = {"'\\''", "'\"'\"'"};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(ways[i]), seen = left < len ? left : len;

		if (!text_equal(at, ways[i], seen))
			continue;
		if (seen == len)
			return one_byte('\'', (uint32_t)len);
		if (!final)
			return more;
	}
	return one_byte('\'', 1);
}

static struct unit
backslash(const uint8_t *at, size_t left, bool final)
{
	/* What one letter stands for; LONGER: more follows; 0: itself. */
	enum { LONGER = 1 };
	static const uint8_t codes[256] = {
		['a'] = '\a',    ['b'] = '\b',   ['t'] = '\t',   ['n'] = '\n',   ['v'] = '\v',
		['f'] = '\f',    ['r'] = '\r',   ['e'] = 0x1b,   ['x'] = LONGER, ['u'] = LONGER,
		['U'] = LONGER,  ['0'] = LONGER, ['1'] = LONGER, ['2'] = LONGER, ['3'] = LONGER,
		['4'] = LONGER,  ['5'] = LONGER, ['6'] = LONGER, ['7'] = LONGER, [ESC] = LONGER,
		['\n'] = LONGER,
	};
	uint8_t code;

	if (at[0] == '\'')
		return quote(at, left, final);
	if (at[0] != '\\')
		return one_byte(at[0], 1);
	if (left < 2)
		return final ? one_byte('\\', 1) : more;
	code = codes[at[1]];
	if (code != LONGER)
		return one_byte(code ? code : at[1], 2);
	if (at[1] == ESC) /* begins a terminal sequence, whatever stands before */
		return one_byte('\\', 1);
	if (at[1] == '\n')
		return (struct unit){.len = 2};
	if (at[1] == 'u' && left > 2 && at[2] == '{')
		return braced_escape(at, left, final);
	if (at[1] == 'u')
		return utf16_escape(at, left, final);
	if (at[1] == 'U')
		return long_escape(at, left, final);
	return numeric_escape(at, left, final);
}

static struct unit
percent(const uint8_t *at, size_t left, bool final)
{
	size_t count;
	uint32_t number;

	if (at[0] != '%')
		return one_byte(at[0], 1);
	if (left >= 3 && decode_is_hex(at[1]) && decode_is_hex(at[2]))
		return one_byte(decode_hex_pair(at + 1), 3);
	number = digits(at + 1, left - 1, 16, 2, &count);
	if (count == 2)
		return one_byte((uint8_t)number, 3);
	return count == left - 1 && !final ? more : one_byte('%', 1);
}

/* The characters of ASCII that have names in HTML, as encoders write them; the usual ones first. */
static const struct {
	char name[8]; /* padded with NUL */
	char byte;
} entities[] = {
	{"amp", '&'},    {"lt", '<'},     {"gt", '>'},      {"quot", '"'},   {"apos", '\''},
	{"nbsp", ' '},   {"excl", '!'},   {"num", '#'},     {"dollar", '$'}, {"percnt", '%'},
	{"lpar", '('},   {"rpar", ')'},   {"ast", '*'},     {"plus", '+'},   {"comma", ','},
	{"period", '.'}, {"sol", '/'},    {"colon", ':'},   {"semi", ';'},   {"equals", '='},
	{"quest", '?'},  {"commat", '@'}, {"lsqb", '['},    {"bsol", '\\'},  {"rsqb", ']'},
	{"Hat", '^'},    {"lowbar", '_'}, {"grave", '`'},   {"lcub", '{'},   {"verbar", '|'},
	{"rcub", '}'},   {"Tab", '\t'},   {"NewLine", '\n'}};

static struct unit
entity(const uint8_t *at, size_t left, bool final)
{
	uint64_t name = 0, known;
	size_t end = 1, count;
	uint32_t number;

	if (at[0] != '&')
		return one_byte(at[0], 1);
	while (end < left && end < UNIT_MAX && at[end] != ';' && at[end] != '&' && at[end] > ' ')
		end++;
	if (end == left)
		return final || end >= UNIT_MAX ? one_byte('&', 1) : more;
	if (end == UNIT_MAX || at[end] != ';')
		return one_byte('&', 1);
	if (end > 2 && at[1] == '#') {
		bool hex = at[2] == 'x' || at[2] == 'X';
		size_t skip = hex ? 3 : 2;

		number = digits(at + skip, end - skip, hex ? 16 : 10, 7, &count);
		if (!count || skip + count != end)
			return one_byte('&', 1);
		return one_point(number, (uint32_t)end + 1);
	}
	if (end - 1 > sizeof name)
		return one_byte('&', 1);
	memcpy(&name, at + 1, end - 1);
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
		memcpy(&known, entities[i].name, sizeof known);
		if (known == name)
			return one_byte((uint8_t)entities[i].byte, (uint32_t)end + 1);
	}
	return one_byte('&', 1);
}

static struct unit
quoted(const uint8_t *at, size_t left, bool final)
{
	size_t count;
	uint32_t number;

	if (at[0] != '=')
		return one_byte(at[0], 1);
	if (left < 2)
		return final ? one_byte('=', 1) : more;
	if (left >= 3 && decode_is_hex(at[1]) && decode_is_hex(at[2]))
		return one_byte(decode_hex_pair(at + 1), 3);
	if (at[1] == '\n')
		return (struct unit){.len = 2};
	if (at[1] == '\r') {
		if (left < 3)
			return final ? one_byte('=', 1) : more;
		if (at[2] == '\n')
			return (struct unit){.len = 3};
		return one_byte('=', 1);
	}
	number = digits(at + 1, left - 1, 16, 2, &count);
	if (count == 2)
		return one_byte((uint8_t)number, 3);
	return count == left - 1 && !final ? more : one_byte('=', 1);
}

/* Parameters, what is between, and the final byte from at[skip] on. 0: none; SIZE_MAX: only more
 * input can tell. */
static size_t
control_sequence(const uint8_t *at, size_t left, size_t skip)
{
	size_t i = skip;

	while (i < left && i < STRING_MAX && at[i] >= 0x30 && at[i] <= 0x3f)
		i++;
	while (i < left && i < STRING_MAX && at[i] >= 0x20 && at[i] <= 0x2f)
		i++;
	if (i >= STRING_MAX)
		return 0;
	if (i >= left)
		return SIZE_MAX;
	return at[i] >= 0x40 && at[i] <= 0x7e ? i + 1 : 0;
}

/* The text of a title, a link, ... on one line, and its end: BEL, or ESC and a backslash. */
static size_t
control_string(const uint8_t *at, size_t left)
{
	size_t i = 2;

	while (i < left && i < STRING_MAX && at[i] >= 0x20)
		i++;
	if (i >= STRING_MAX)
		return 0;
	if (i >= left)
		return SIZE_MAX;
	if (at[i] == '\a')
		return i + 1;
	if (at[i] != ESC || i + 2 > STRING_MAX)
		return 0;
	if (i + 1 >= left)
		return SIZE_MAX;
	return at[i + 1] == '\\' ? i + 2 : 0;
}

static struct unit
terminal(const uint8_t *at, size_t left, bool final)
{
	size_t len = 0;

	if (at[0] == 0x0e || at[0] == 0x0f) /* other character sets */
		return (struct unit){.len = 1};
	if (at[0] == 0x9b) /* ESC [ in one byte */
		len = control_sequence(at, left, 1);
	else if (at[0] != ESC)
		return one_byte(at[0], 1);
	else if (left < 2)
		len = SIZE_MAX;
	else if (at[1] == '[')
		len = control_sequence(at, left, 2);
	else if (strchr("]P^_X", at[1]) && at[1])
		len = control_string(at, left);
	else if (at[1] >= 0x20 && at[1] <= 0x2f)
		len = left < 3 ? SIZE_MAX : at[2] >= 0x30 && at[2] <= 0x7e ? 3 : 0;
	else if (at[1] >= 0x30 && at[1] <= 0x7e && at[1] != '\\')
		len = 2;
	if (len == SIZE_MAX && !final)
		return more;
	if (!len || len == SIZE_MAX)
		return at[0] == ESC ? nothing : one_byte(at[0], 1);
	return (struct unit){.len = (uint32_t)len};
}

struct unit
decode_unit(enum escape_kind kind, const uint8_t *at, size_t left, bool final)
{
	switch (kind) {
	case ESCAPE_BACKSLASH:
		return backslash(at, left, final);
	case ESCAPE_PERCENT:
		return percent(at, left, final);
	case ESCAPE_ENTITY:
		return entity(at, left, final);
	case ESCAPE_QUOTED:
		return quoted(at, left, final);
	case ESCAPE_TERMINAL:
		return terminal(at, left, final);
	case ESCAPE_INSIDE:
		if (at[0] == ESC)
			return (struct unit){.len = 1};
		break;
	case ESCAPE_NONE:
		break;
	}
	return one_byte(at[0], 1);
}

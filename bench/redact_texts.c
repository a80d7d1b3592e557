#include "redact_texts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint64_t state;

static uint32_t
chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

static const char *
word(void)
{
	static const char *const words[] = {
		"INFO",  "worker",    "queued", "partition", "dependency", "state",   "of",
		"the",   "scheduler", "run_id", "executor",  "attempt",    "marking", "rows",
		"total", "retry",     "table",  "finished",  "loading",    "epoch",   "with"};

	return words[chance(sizeof words / sizeof *words)];
}

static size_t
digits(char *out, const char *alphabet, uint32_t base, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[chance(base)];
	return len;
}

static size_t
hex(char *out, size_t len)
{
	return digits(out, "0123456789abcdef", 16, len);
}

#define SAY(...) used += (size_t)snprintf(out + used, TEXT_PIECE - used, __VA_ARGS__)

/* ---- what programs print ---- */

static size_t
json_line(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value;
	SAY("{\"ts\":\"2026-11-23T13:%02u:%02u.%03uZ\",\"level\":\"info\",\"msg\":\"%s \\\"%s\\\" "
	    "%s\\n\\t%s\","
	    "\"path\":\"\\/srv\\/%s\\/%s\",\"took\":%u.%03u,\"turn\":%zu}\n",
	    chance(60), chance(60), chance(1000), word(), word(), word(), word(), word(), word(),
	    chance(100), chance(1000), turn);
	return used;
}

static size_t
access_line(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value, (void)turn;
	SAY("10.%u.%u.%u - - [23/Nov/2026:13:%02u:%02u +0000] \"GET "
	    "/api/%s/%u?q=%s%%20%s&next=%%2F%s%%2F%s"
	    "&page=%u HTTP/1.1\" 200 %u \"https://host.example/%s?id=%u\" \"Mozilla/5.0 (X11; "
	    "Linux)\"\n",
	    chance(256), chance(256), chance(256), chance(60), chance(60), word(), chance(10000),
	    word(), word(), word(), word(), chance(50), chance(100000), word(), chance(1000000));
	return used;
}

static size_t
pairs_line(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value;
	SAY("time=%zu level=info step=%u loss=0.%04u host=node-%u msg='%s %s' done=%u%% a&b x\\y\n",
	    turn, chance(100000), chance(10000), chance(64), word(), word(), chance(100));
	return used;
}

static size_t
stack_trace(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value, (void)turn;
	SAY("Traceback (most recent call last):\n");
	for (size_t i = 0; i < 6; i++)
		SAY("  File \"/usr/lib/python3/dist-packages/%s/%s.py\", line %u, in %s\n"
		    "    return self.%s(%s=%s, *args, **kwargs) & 0x%02x\n",
		    word(), word(), chance(2000), word(), word(), word(), word(), chance(256));
	SAY("ValueError: cannot convert %s to '%s' (b'\\x%02x\\x%02x')\n", word(), word(),
	    chance(256), chance(256));
	return used;
}

static size_t
base64_blob(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value, (void)turn;
	SAY("data:image/png;base64,");
	used += digits(out + used, base64, 64, 900);
	SAY("==\n%s token=eyJ", word());
	used += digits(out + used, base64, 62, 200);
	out[used++] = '\n';
	return used;
}

static size_t
hex_dump(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value;
	SAY("%08zx ", turn * 16);
	for (size_t i = 0; i < 16; i++)
		SAY(" %02x", chance(256));
	SAY("  |%c%c%c%c.%c%c..|\n", 'a' + (char)chance(26), 'a' + (char)chance(26),
	    'A' + (char)chance(26), '0' + (char)chance(10), 'a' + (char)chance(26),
	    'a' + (char)chance(26));
	return used;
}

static size_t
uuid_line(const char *value, size_t turn, char *out)
{
	static const uint8_t parts[] = {8, 4, 4, 4, 12};
	size_t used = 0;

	(void)value, (void)turn;
	SAY("request ");
	for (size_t i = 0; i < sizeof parts; i++) {
		used += hex(out + used, parts[i]);
		out[used++] = i + 1 < sizeof parts ? '-' : ' ';
	}
	SAY("commit ");
	used += hex(out + used, 40);
	SAY(" sha256:");
	used += hex(out + used, 64);
	out[used++] = '\n';
	return used;
}

static size_t
progress_bar(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value;
	SAY("\r\x1b[2K\x1b[32m%s\x1b[0m %3zu%%|\x1b[1;34m", word(), turn % 100);
	for (size_t i = 0; i < 20; i++)
		SAY("%s", i < turn % 20 ? "\xe2\x96\x88" : " ");
	SAY("\x1b[0m| %zu/5000 [00:%02u<01:%02u, %u.%02uit/s]", turn % 5000, chance(60), chance(60),
	    chance(100), chance(100));
	return used;
}

static size_t
markup(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value, (void)turn;
	SAY("<tr class=\"row\"><td>%s &amp; %s</td><td>&lt;%s&gt;</td><td>%u&nbsp;%%</td>"
	    "<a href=\"?a=%u&amp;b=%s\">%s&#39;s</a></tr>\n",
	    word(), word(), word(), chance(100), chance(1000), word(), word());
	return used;
}

static size_t
number_table(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value, (void)turn;
	SAY("[");
	for (size_t i = 0; i < 32; i++)
		SAY("%u, ", chance(256));
	SAY("%u] %u.%06u,%u.%06u\n", chance(256), chance(10), chance(1000000), chance(10),
	    chance(1000000));
	return used;
}

static size_t
random_bytes_(const char *value, size_t turn, char *out)
{
	(void)value, (void)turn;
	for (size_t i = 0; i < TEXT_PIECE; i++)
		out[i] = (char)chance(256);
	return TEXT_PIECE;
}

/* Numbers of 8 bytes with small exponents, as arrays of them lie in results. */
static size_t
doubles(const char *value, size_t turn, char *out)
{
	(void)value, (void)turn;
	for (size_t i = 0; i < TEXT_PIECE; i += sizeof(double)) {
		double number = (double)chance(2000000) / 1000.0 - 1000.0;

		memcpy(out + i, &number, sizeof number);
	}
	return TEXT_PIECE;
}

/* Small numbers of 4 bytes: three of four bytes are NUL. */
static size_t
integers(const char *value, size_t turn, char *out)
{
	(void)value, (void)turn;
	for (size_t i = 0; i < TEXT_PIECE; i += sizeof(uint32_t)) {
		uint32_t number = chance(1000);

		memcpy(out + i, &number, sizeof number);
	}
	return TEXT_PIECE;
}

const struct text_kind real_texts[] = {
	{"JSON lines", json_line},
	{"access log", access_line},
	{"key=value lines", pairs_line},
	{"stack traces", stack_trace},
	{"base64 blobs", base64_blob},
	{"hex dump", hex_dump},
	{"UUIDs, hashes", uuid_line},
	{"progress bars", progress_bar},
	{"HTML", markup},
	{"lists of numbers", number_table},
	{"random bytes", random_bytes_},
	{"binary doubles", doubles},
	{"binary integers", integers},
};
const size_t real_text_count = sizeof real_texts / sizeof *real_texts;

/* ---- near misses ---- */

/* The value but its last byte, each of its bytes as `format` has it. */
static size_t
each(const char *value, const char *format, char *out)
{
	size_t used = 0, len = strlen(value) - 1;

	for (size_t i = 0; i < len; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		SAY(format, (unsigned char)value[i]);
#pragma GCC diagnostic pop
	}
	out[used++] = '~';
	return used;
}

#define EACH(name, format)                                                                         \
	static size_t name(const char *value, size_t turn, char *out)                              \
	{                                                                                          \
		(void)turn;                                                                        \
		return each(value, format, out);                                                   \
	}

EACH(near_plain, "%c")
EACH(near_spaced, "%c ")
EACH(near_coloured, "%c\x1b[0m")
EACH(near_hex, "%02x")
EACH(near_hex_colon, "%02X:")
EACH(near_hex_0x, "0x%02x, ")
EACH(near_percent, "%%%02X")
EACH(near_hex_escape, "\\x%02x")
EACH(near_octal, "\\%03o")
EACH(near_json, "\\u%04x")
EACH(near_entity, "&#%u;")
EACH(near_entity_hex, "&#x%x;")
EACH(near_quoted, "=%02X")
EACH(near_decimal, "%u, ")

static size_t
near_wide(const char *value, size_t turn, char *out)
{
	size_t used = 0, len = strlen(value) - 1;

	(void)turn;
	for (size_t i = 0; i < len; i++) {
		out[used++] = value[i];
		out[used++] = '\0';
	}
	out[used++] = '~';
	out[used++] = '\0';
	return used;
}

static size_t
near_reversed(const char *value, size_t turn, char *out)
{
	size_t used = 0, len = strlen(value);

	(void)turn;
	for (size_t i = len - 1; i > 0; i--)
		out[used++] = value[i];
	out[used++] = '~';
	return used;
}

/* In base64 or base32, behind 0, 1 or 2 other bytes. */
static size_t
near_digits(const char *value, size_t turn, const char *alphabet, char *out)
{
	size_t len = strlen(value) - 1, used = 0, width = alphabet == base64 ? 6 : 5, bits = 0;
	uint32_t kept = 0;
	char text[TEXT_PIECE];

	memset(text, 'x', 3);
	memcpy(text + turn % 3, value, len);
	len += turn % 3;
	for (size_t i = 0; i < len; i++) {
		kept = kept << 8 | (uint8_t)text[i];
		for (bits += 8; bits >= width; bits -= width)
			out[used++] = alphabet[kept >> (bits - width) & ((1u << width) - 1)];
	}
	out[used++] = '~';
	return used;
}

static size_t
near_base64(const char *value, size_t turn, char *out)
{
	return near_digits(value, turn, base64, out);
}

static size_t
near_base32(const char *value, size_t turn, char *out)
{
	return near_digits(value, turn, base32, out);
}

/* The escape of the first byte alone, in each way, and no other byte of the value. */
static size_t
near_begin(const char *value, size_t turn, char *out)
{
	static const char *const formats[] = {"%%%02x", "\\x%02x", "\\u%04x",
	                                      "&#%u;",  "=%02X",   "\\%03o"};
	const char *format = formats[turn % (sizeof formats / sizeof *formats)];
	size_t used = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	SAY(format, (unsigned char)value[0]);
#pragma GCC diagnostic pop
	return used;
}

/* The same with one more byte of the value, as it is. */
static size_t
near_begin_two(const char *value, size_t turn, char *out)
{
	size_t used = near_begin(value, turn, out);

	out[used++] = value[1];
	return used;
}

/* A part of the value of any length, each byte in any form. */
static size_t
near_mixed(const char *value, size_t turn, char *out)
{
	static const char *const formats[] = {"%c", "%%%02x", "%c", "%%%02x"};
	size_t used = 0, len = 1 + chance((uint32_t)strlen(value) - 1);

	(void)turn;
	for (size_t i = 0; i < len; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		SAY(formats[chance(4)], (unsigned char)value[i]);
#pragma GCC diagnostic pop
	}
	return used;
}

/* Its first bytes, as they are. */
static size_t
near_prefix(const char *value, size_t turn, char *out)
{
	size_t len = 1 + chance((uint32_t)strlen(value) - 1);

	(void)turn;
	memcpy(out, value, len);
	return len;
}

/* What a gzip member in base64 begins with, and then what is none. */
static size_t
near_gzip(const char *value, size_t turn, char *out)
{
	size_t used = 0;

	(void)value;
	SAY("%s", turn % 2 ? "H4sIAAAAAAAAA" : "eJw");
	used += digits(out + used, base64, 64, chance(40));
	out[used++] = ' ';
	return used;
}

const struct text_kind near_texts[] = {
	{"plain", near_plain},
	{"prefixes", near_prefix},
	{"reversed", near_reversed},
	{"spaced", near_spaced},
	{"coloured", near_coloured},
	{"UTF-16", near_wide},
	{"hex", near_hex},
	{"hex with colons", near_hex_colon},
	{"0x list", near_hex_0x},
	{"decimal list", near_decimal},
	{"percent", near_percent},
	{"\\x", near_hex_escape},
	{"octal", near_octal},
	{"\\u", near_json},
	{"entities", near_entity},
	{"hex entities", near_entity_hex},
	{"quoted-printable", near_quoted},
	{"base64", near_base64},
	{"base32", near_base32},
	{"first byte escaped", near_begin},
	{"one escape, one byte", near_begin_two},
	{"half percent", near_mixed},
	{"gzip heads", near_gzip},
};
const size_t near_text_count = sizeof near_texts / sizeof *near_texts;

size_t
text_fill(const struct text_kind *kind, const char *const *values, size_t count, char *out,
          size_t room)
{
	size_t used = 0;

	state = 88172645463325252u;
	for (size_t turn = 0; used + TEXT_PIECE <= room; turn++)
		used += kind->make(values[turn % count], turn / count, out + used);
	return used;
}

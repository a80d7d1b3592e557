/* The engine against the obvious way (tests/redact/reference.c), over generated values and texts
 * that hold them in every form, whole and nearly, cut in many ways. */
#include "redact/reference.h"
#include "test.h"

#include "base/buf.h"
#include "redact/redact.h"

#include <stdlib.h>

#define TEXT_MAX 6000
#define VALUES 5

struct round {
	uint32_t seed;
	uint8_t bytes[VALUES][80];
	char names[VALUES][8];
	struct ref_value values[VALUES];
	size_t count;
	uint8_t text[TEXT_MAX];
	size_t len;
};

static uint32_t
next(struct round *round, uint32_t below)
{
	round->seed = round->seed * 1664525u + 1013904223u;
	return (round->seed >> 8) % below;
}

static void
put(struct round *round, const void *bytes, size_t len)
{
	if (round->len + len > TEXT_MAX)
		return;
	memcpy(round->text + round->len, bytes, len);
	round->len += len;
}

static void
put_text(struct round *round, const char *text)
{
	put(round, text, strlen(text));
}

PRINTF_LIKE(2, 3) static void putf(struct round *round, const char *format, ...)
{
	char text[32];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put_text(round, text);
}

/* ---- forms, each with the freedom that an encoder has ---- */

typedef void form(struct round *round, const uint8_t *bytes, size_t len);

static void
as_it_is(struct round *round, const uint8_t *bytes, size_t len)
{
	put(round, bytes, len);
}

static void
turned(struct round *round, const uint8_t *bytes, size_t len)
{
	while (len--)
		put(round, bytes + len, 1);
}

static void
spaced(struct round *round, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		put(round, bytes + i, 1);
		put_text(round, i + 1 < len ? " " : "");
	}
}

static void
folded(struct round *round, const uint8_t *bytes, size_t len)
{
	static const char *const gaps[] = {" ", "\n", "\r\n  ", "\n\t", "  "};

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == ' ' || bytes[i] == '\n')
			put_text(round, gaps[next(round, 5)]);
		else
			put(round, bytes + i, 1);
	}
}

static void
wrapped(struct round *round, const uint8_t *bytes, size_t len)
{
	size_t column = 1 + next(round, 12);

	for (size_t i = 0; i < len; i++) {
		put(round, bytes + i, 1);
		put_text(round, (i + 1) % column == 0 && i + 1 < len ? "\n  " : "");
	}
}

static void
utf16(struct round *round, const uint8_t *bytes, size_t len)
{
	uint32_t big = next(round, 2);

	for (size_t i = 0; i < len; i++) {
		put(round, big ? "\0" : (const char *)bytes + i, 1);
		put(round, big ? (const char *)bytes + i : "\0", 1);
	}
}

static void
hex(struct round *round, const uint8_t *bytes, size_t len)
{
	static const char *const seps[] = {"", ":", " ", "-", ", ", "\n"};
	const char *sep = seps[next(round, 6)];
	bool upper = next(round, 2);

	for (size_t i = 0; i < len; i++)
		putf(round, upper ? "%02X%s" : "%02x%s", bytes[i], i + 1 < len ? sep : "");
}

static void
hex_0x(struct round *round, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		putf(round, "0x%02x%s", bytes[i],
		     i + 1 == len   ? ""
		     : i % 12 == 11 ? ",\n  "
		                    : ", ");
}

static void
decimal(struct round *round, const uint8_t *bytes, size_t len)
{
	uint32_t tight = next(round, 2);

	put_text(round, "[");
	for (size_t i = 0; i < len; i++)
		putf(round, "%d%s", bytes[i], i + 1 == len ? "]" : tight ? "," : ", ");
}

/* Bits of a longer text in digits of `width`: some of it before, some behind. */
static void
in_digits(struct round *round, const uint8_t *bytes, size_t len, unsigned width, const char *digits)
{
	uint8_t all[160];
	size_t before = next(round, 6), behind = next(round, 6), count;
	size_t column = next(round, 3) ? 0 : 1 + next(round, 76);

	for (size_t i = 0; i < before; i++)
		all[i] = (uint8_t)next(round, 256);
	memcpy(all + before, bytes, len);
	for (size_t i = 0; i < behind; i++)
		all[before + len + i] = (uint8_t)next(round, 256);
	count = before + len + behind;
	for (size_t bit = 0, digit = 0; bit < count * 8; bit += width, digit++) {
		unsigned value = 0;

		for (size_t b = bit; b < bit + width; b++)
			value = value << 1 |
			        (b < count * 8 ? (unsigned)all[b / 8] >> (7 - b % 8) & 1u : 0);
		put(round, digits + value, 1);
		if (column && digit % column == column - 1)
			put_text(round, "\n");
	}
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void
base64(struct round *round, const uint8_t *bytes, size_t len)
{
	static const char *const ends[] = {"+/", "-_"};
	char digits[65];

	(void)snprintf(digits, sizeof digits, LETTERS "abcdefghijklmnopqrstuvwxyz0123456789%s",
	               ends[next(round, 2)]);
	in_digits(round, bytes, len, 6, digits);
}

static void
base32(struct round *round, const uint8_t *bytes, size_t len)
{
	in_digits(round, bytes, len, 5,
	          next(round, 2) ? LETTERS "234567" : "abcdefghijklmnopqrstuvwxyz234567");
}

static void
percent(struct round *round, const uint8_t *bytes, size_t len)
{
	uint32_t often = next(round, 4);

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '%' || next(round, 4) < often)
			putf(round, next(round, 2) ? "%%%02X" : "%%%02x", bytes[i]);
		else
			put(round, bytes + i, 1);
	}
}

static void
quoted(struct round *round, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '=' || bytes[i] >= 128 || next(round, 5) == 0)
			putf(round, "=%02X", bytes[i]);
		else
			put(round, bytes + i, 1);
		put_text(round, next(round, 20) ? "" : next(round, 2) ? "=\n" : "=\r\n");
	}
}

static void
entity(struct round *round, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '&')
			put_text(round, "&amp;");
		else if (bytes[i] < 128 && next(round, 4) == 0)
			putf(round, next(round, 2) ? "&#%d;" : "&#x%x;", bytes[i]);
		else
			put(round, bytes + i, 1);
	}
}

static void
backslash(struct round *round, const uint8_t *bytes, size_t len)
{
	uint32_t often = next(round, 4);

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			put_text(round, "\\n");
		else if (bytes[i] == '\\' || bytes[i] == '"' || bytes[i] == '\'')
			putf(round, "\\%c", bytes[i]);
		else if (bytes[i] < 128 && next(round, 4) < often)
			putf(round, next(round, 2) ? "\\x%02x" : "\\u%04x", bytes[i]);
		else
			put(round, bytes + i, 1);
	}
}

static void
shell(struct round *round, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\'')
			put_text(round, next(round, 2) ? "'\\''" : "'\"'\"'");
		else
			put(round, bytes + i, 1);
	}
}

static form *const forms[] = {as_it_is, turned, spaced, folded,  wrapped, utf16,  hex,       hex_0x,
                              decimal,  base64, base32, percent, quoted,  entity, backslash, shell};
#define FORMS (sizeof forms / sizeof *forms)

/* What was put since `from`, with terminal sequences in it. */
static void
colour(struct round *round, size_t from)
{
	static const char *const sequences[] = {
		"\x1b[0m",
		"\x1b[1;31m",
		"\x1b(B",
		"\x1b[K",
		"\x1b[",
		"\x1b]8;;http://a.b/ab\x1b\\",
		"\x1b]0;ab\a",
		"\x0f",
		"\x9b"
		"1m",
		"\x1b"
		"c",
		"\x1bPab\x1b\\",
		"\x1b]",
		"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21m"};
	uint32_t kinds = next(round, 8) ? 4 : sizeof sequences / sizeof *sequences;
	uint8_t plain[TEXT_MAX];
	size_t len = round->len - from, every = 1 + next(round, 6);

	memcpy(plain, round->text + from, len);
	round->len = from;
	for (size_t i = 0; i < len; i++) {
		if (i && i % every == 0)
			put_text(round, sequences[next(round, kinds)]);
		put(round, plain + i, 1);
	}
}

/* ---- values and texts ---- */

static void
make_value(struct round *round, size_t v, uint32_t letters)
{
	static const char *const alphabets[] = {"ab",
	                                        "abc",
	                                        "aAbB01",
	                                        "0123456789abcdef",
	                                        "ab c\nd",
	                                        "ab'\"\\%&",
	                                        "-._~!$()=+/",
	                                        "x\xc3\xa9y",
	                                        "abcdefghijklmnopqrstuvwxyzABCDEF0123456789"};
	const char *alphabet = alphabets[letters];
	uint8_t *bytes = round->bytes[v];
	size_t len = next(round, 6) ? 8 + next(round, 30) : 4 + next(round, 4);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)alphabet[next(round, (uint32_t)strlen(alphabet))];
	if (v && next(round, 4) == 0) { /* a part of another one, or it and more */
		const struct ref_value *other = &round->values[next(round, (uint32_t)v)];
		size_t part = 1 + next(round, (uint32_t)other->len);

		memcpy(bytes, other->bytes + other->len - part, part);
		len = part > len ? part : len;
	}
	if (v && next(round, 8) == 0 && round->values[v - 1].len < 40) { /* another one's code */
		len = 0;
		for (size_t i = 0; i < round->values[v - 1].len; i++, len += 2)
			(void)snprintf((char *)bytes + len, 3, "%02x",
			               round->values[v - 1].bytes[i]);
	}
	(void)snprintf(round->names[v], sizeof round->names[v], "n%zu", v);
	round->values[v] = (struct ref_value){.name = round->names[v], .bytes = bytes, .len = len};
}

static void
filler(struct round *round)
{
	static const char *const words[] = {"INFO ", "a",     "ab",     "\n",   "=",     "%",
	                                    "\\",    "&",     "'",      "0x61", " 97",   ",",
	                                    "YW",    "\x1b[", "\x1b[m", "6162", "\x1b]", "aaaa",
	                                    " ",     ":",     "\0",     "3D",   "%2",    "&#9"};

	for (uint32_t i = next(round, 6); i; i--) {
		const char *word = words[next(round, sizeof words / sizeof *words)];

		put(round, word, *word ? strlen(word) : 1);
	}
}

static void
make_text(struct round *round)
{
	for (uint32_t i = 1 + next(round, 8); i; i--) {
		const struct ref_value *value = &round->values[next(round, (uint32_t)round->count)];
		size_t from, len = value->len;
		uint8_t bytes[80];

		filler(round);
		from = round->len;
		memcpy(bytes, value->bytes, len);
		if (next(round, 5) == 0) /* nearly */
			bytes[next(round, (uint32_t)len)] ^= 1;
		if (next(round, 8) == 0)
			len = next(round, (uint32_t)len);
		forms[next(round, FORMS)](round, bytes, len);
		if (next(round, 4) == 0)
			colour(round, from);
	}
	filler(round);
}

/* ---- the comparison ---- */

static enum un_err
collect(void *ctx, const uint8_t *bytes, size_t len)
{
	return buf_append(ctx, bytes, len);
}

static struct redact_set *
make_set(const struct round *round)
{
	struct redact_set *set;

	EXPECT_OK(redact_set_new(&set));
	for (size_t v = 0; v < round->count; v++) {
		struct secbuf *value;
		bool too_short;

		EXPECT_OK(secbuf_copy(round->values[v].bytes, round->values[v].len, &value));
		EXPECT_OK(redact_set_add(set, round->names[v], value, &too_short));
		secbuf_free(value);
	}
	EXPECT_OK(redact_set_compile(set));
	return set;
}

static void
show(const char *what, const uint8_t *bytes, size_t len)
{
	(void)fprintf(stderr, "%s, %zu bytes: ", what, len);
	for (size_t i = 0; i < len; i++)
		(void)fprintf(stderr, bytes[i] >= ' ' && bytes[i] < 127 ? "%c" : "<%02x>",
		              bytes[i]);
	(void)fprintf(stderr, "\n");
}

static void
expect_same(const struct round *round, uint32_t seed, size_t piece, const struct buf *out,
            const uint8_t *expected, size_t expected_len)
{
	if (out->len == expected_len && memcmp(buf_text(out), expected, expected_len) == 0)
		return;
	(void)fprintf(stderr, "seed %u, pieces of %zu\n", seed, piece);
	for (size_t v = 0; v < round->count; v++)
		show("value", round->values[v].bytes, round->values[v].len);
	show("text", round->text, round->len);
	show("expected", expected, expected_len);
	show("seen", out->data, out->len);
	EXPECT(false);
}

/* Pieces of `piece` bytes; 0: of random lengths. */
static void
redact(struct round *round, const struct redact_set *set, size_t piece, struct buf *out)
{
	struct redact_stream *stream;

	buf_init(out, 1 << 20, BUF_PLAIN);
	EXPECT_OK(redact_stream_new(set, collect, out, &stream));
	for (size_t at = 0, len; at < round->len; at += len) {
		len = piece ? piece : 1 + next(round, 200);
		len = len < round->len - at ? len : round->len - at;
		EXPECT_OK(redact_push(stream, round->text + at, len));
	}
	EXPECT_OK(redact_flush(stream));
	EXPECT_INT(0, redact_held(stream));
	redact_stream_free(stream);
}

static void
run_round(uint32_t seed)
{
	static const size_t pieces[] = {TEXT_MAX, 1, 2, 7, 64, 0};
	static struct round round;
	struct redact_set *set;
	uint8_t *expected;
	size_t expected_len;

	round = (struct round){.seed = seed};
	round.count = 1 + next(&round, VALUES);
	for (size_t v = 0, letters = next(&round, 9); v < round.count; v++)
		make_value(&round, v, (uint32_t)(next(&round, 3) ? letters : next(&round, 9)));
	make_text(&round);
	set = make_set(&round);
	expected =
		reference_redact(round.values, round.count, round.text, round.len, &expected_len);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct buf out;

		redact(&round, set, pieces[i], &out);
		expect_same(&round, seed, pieces[i], &out, expected, expected_len);
		buf_fini(&out);
	}
	free(expected);
	redact_set_free(set);
}

TEST(reference, agrees_for_values_and_texts_of_all_kinds_however_they_are_cut)
{
	const char *from = getenv("ROUND"), *count = getenv("ROUNDS");
	uint32_t first = from ? (uint32_t)strtoul(from, NULL, 10) : 1;
	uint32_t rounds = count ? (uint32_t)strtoul(count, NULL, 10) : from ? 1 : 1500;

	for (uint32_t seed = first; seed < first + rounds; seed++)
		run_round(seed);
}

TEST(reference, agrees_where_it_once_did_not)
{
	static const uint32_t seeds[] = {109058};

	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
		run_round(seeds[i]);
}

TEST(reference, agrees_for_every_place_where_the_text_can_be_parted)
{
	static struct round round;

	for (uint32_t seed = 1; seed <= 12; seed++) {
		struct redact_set *set;
		uint8_t *expected;
		size_t expected_len;

		round = (struct round){.seed = seed * 7919, .count = 3};
		for (size_t v = 0; v < round.count; v++)
			make_value(&round, v, (uint32_t)(seed % 9));
		make_text(&round);
		set = make_set(&round);
		expected = reference_redact(round.values, round.count, round.text, round.len,
		                            &expected_len);
		for (size_t part = 1; part < round.len; part++) {
			struct redact_stream *stream;
			struct buf out;

			buf_init(&out, 1 << 20, BUF_PLAIN);
			EXPECT_OK(redact_stream_new(set, collect, &out, &stream));
			EXPECT_OK(redact_push(stream, round.text, part));
			EXPECT_OK(redact_push(stream, round.text + part, round.len - part));
			EXPECT_OK(redact_flush(stream));
			expect_same(&round, seed, part, &out, expected, expected_len);
			redact_stream_free(stream);
			buf_fini(&out);
		}
		free(expected);
		redact_set_free(set);
	}
}

TEST_MAIN()

#include "redact/redact.h"
#include "test.h"

#include "base/buf.h"

#include <stdlib.h>

#define OUT_MAX 65536

struct named_value {
	const char *name;
	const char *bytes;
	size_t len;
};

static enum un_err
collect(void *ctx, const uint8_t *bytes, size_t len)
{
	return buf_append(ctx, bytes, len);
}

static enum un_err
fill_set(struct redact_set *set, const struct named_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct secbuf *value;
		bool too_short;
		enum un_err err = secbuf_copy(values[i].bytes, values[i].len, &value);

		if (err)
			return err;
		err = redact_set_add(set, values[i].name, value, &too_short);
		secbuf_free(value);
		if (err)
			return err;
	}
	return redact_set_compile(set);
}

static struct redact_set *
set_of(const struct named_value *values, size_t count)
{
	struct redact_set *set;

	EXPECT_OK(redact_set_new(&set));
	EXPECT_OK(fill_set(set, values, count));
	return set;
}

/* Pushes in pieces of `piece` bytes. */
static void
redact_in_pieces(const struct redact_set *set, const char *bytes, size_t len, size_t piece,
                 struct buf *out)
{
	struct redact_stream *stream;

	buf_init(out, OUT_MAX, BUF_PLAIN);
	EXPECT_OK(redact_stream_new(set, collect, out, &stream));
	for (size_t at = 0; at < len; at += piece)
		EXPECT_OK(redact_push(stream, (const uint8_t *)bytes + at,
		                      len - at < piece ? len - at : piece));
	EXPECT_OK(redact_flush(stream));
	EXPECT_INT(0, redact_held(stream));
	redact_stream_free(stream);
}

static void
expect_redacted(const struct redact_set *set, const char *input, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(input) + 1; piece++) {
		struct buf out;

		redact_in_pieces(set, input, strlen(input), piece, &out);
		EXPECT_STR(expected, buf_text(&out));
		buf_fini(&out);
	}
}

TEST(redact, a_value_is_found_at_every_place_and_every_cut)
{
	static const struct named_value values[] = {{"db", "hunter22-swordfish", 18}};
	struct redact_set *set = set_of(values, 1);

	for (size_t before = 0; before < 12; before++) {
		char input[64], expected[64];

		(void)snprintf(input, sizeof input, "%.*shunter22-swordfish tail", (int)before,
		               "hunter2hunte");
		(void)snprintf(expected, sizeof expected, "%.*s[secret db] tail", (int)before,
		               "hunter2hunte");
		expect_redacted(set, input, expected);
	}
	redact_set_free(set);
}

TEST(redact, overlapping_and_touching_values_become_one_mark)
{
	static const struct named_value values[] = {{"one", "abcdefghij", 10},
	                                            {"two", "ghijklmnop", 10},
	                                            {"three", "hijklmno", 8},
	                                            {"four", "opqrstuv", 8}};
	struct redact_set *set = set_of(values, 4);

	expect_redacted(set, "-abcdefghijklmnop-", "-[secret one]-");
	expect_redacted(set, "-abcdefghijabcdefghij-", "-[secret one]-");
	expect_redacted(set, "-ghijklmnopqrstuv-", "-[secret two]-");
	expect_redacted(set, "-hijklmnoopqrstuv-", "-[secret three]-"); /* they touch */
	expect_redacted(set, "-hijklmno-opqrstuv-", "-[secret three]-[secret four]-");
	expect_redacted(set, "-abcdefghi-hijklmn-", "-abcdefghi-hijklmn-");
	redact_set_free(set);
}

TEST(redact, the_longest_of_values_that_begin_together_gives_its_name)
{
	static const struct named_value values[] = {{"short", "tokenize", 8},
	                                            {"long", "tokenize-1234", 13}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "tokenize-1234", "[secret long]");
	expect_redacted(set, "tokenize-123", "[secret short]-123");
	expect_redacted(set, "tokenizetokenize-1234", "[secret short]");
	redact_set_free(set);
}

TEST(redact, a_value_of_4_to_7_bytes_is_found_as_it_is_and_as_a_word_only)
{
	static const struct named_value values[] = {{"pin", "1234", 4}, {"word", "s3cr3t!", 7}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "1234", "[secret pin]");
	expect_redacted(set, "pin=1234, s3cr3t!x", "pin=[secret pin], [secret word]x");
	expect_redacted(set, "12345 x1234 1234_ 123", "12345 x1234 1234_ 123");
	expect_redacted(set, "31323334 MTIzNA==", "31323334 MTIzNA==");
	redact_set_free(set);
}

TEST(redact, white_space_around_a_value_is_not_part_of_it)
{
	static const struct named_value values[] = {{"file", "\n  line one\nline two\n\n", 22},
	                                            {"wide", "\xc2\xa0secret\xe2\x80\x83", 11}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "x line one\nline two\ny", "x [secret file]\ny");
	expect_redacted(set, "(secret)", "([secret wide])");
	redact_set_free(set);
}

TEST(redact, says_that_a_value_is_too_short_and_leaves_it)
{
	struct redact_set *set;
	struct secbuf *value;
	bool too_short = false;

	EXPECT_OK(redact_set_new(&set));
	EXPECT_OK(secbuf_copy(" abc\n", 5, &value));
	EXPECT_OK(redact_set_add(set, "tiny", value, &too_short));
	EXPECT(too_short);
	EXPECT_OK(redact_set_compile(set));
	expect_redacted(set, "abc abc", "abc abc");
	secbuf_free(value);
	redact_set_free(set);
}

TEST(redact, of_equal_values_the_first_name_is_shown)
{
	static const struct named_value values[] = {{"first", "same-value", 10},
	                                            {"second", "same-value", 10}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "same-value", "[secret first]");
	redact_set_free(set);
}

static size_t
held_after(const struct redact_set *set, const char *input, bool idle, struct buf *out)
{
	struct redact_stream *stream;
	size_t held;

	buf_init(out, OUT_MAX, BUF_PLAIN);
	EXPECT_OK(redact_stream_new(set, collect, out, &stream));
	EXPECT_OK(redact_push(stream, (const uint8_t *)input, strlen(input)));
	if (idle)
		EXPECT_OK(redact_idle(stream));
	held = redact_held(stream);
	redact_stream_free(stream);
	return held;
}

TEST(redact, holds_back_only_what_may_still_become_a_value)
{
	static const struct named_value values[] = {{"a", "abcdefgh", 8}, {"b", "xyzw", 4}};
	static const struct {
		const char *input;
		size_t held;
	} cases[] = {{"plain line.\n", 0}, {"Password: ", 0}, {"abcdefg", 7},  {"abcdefgh.", 0},
	             {"abcabc", 3},        {"abcdefgx.", 0},  {"!xyz", 4 - 1}, {"!xyzw", 4},
	             {"!xyzw.", 0},        {"100%", 1},       {"100%.", 0},    {"\x1b[31", 4},
	             {"\x1b[31m", 0},      {"[61 62", 5},     {"%61%6", 5},    {"a\nb", 1}};
	struct redact_set *set = set_of(values, 2);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out;

		EXPECT_INT(cases[i].held, held_after(set, cases[i].input, false, &out));
		buf_fini(&out);
	}
	redact_set_free(set);
}

TEST(redact, silence_lets_a_prompt_through_but_no_beginning_of_four_bytes)
{
	static const struct named_value values[] = {{"a", "abcdefgh", 8}, {"b", "xyzw", 4}};
	static const struct {
		const char *input;
		size_t held;
	} cases[] = {{"Password: ", 0}, {"100%", 0}, {"go on? a", 0}, {"abc", 0},
	             {"x abcd", 4},     {"6162", 0}, {"616263", 0},   {"61626364", 8},
	             {"YWJjZG", 6},     {"xyz", 0},  {"pin xyzw", 0}};
	struct redact_set *set = set_of(values, 2);
	struct buf out;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		EXPECT_INT(cases[i].held, held_after(set, cases[i].input, true, &out));
		buf_fini(&out);
	}
	EXPECT_INT(0, held_after(set, "pin xyzw", true, &out));
	EXPECT_STR("pin [secret b]", buf_text(&out));
	buf_fini(&out);
	redact_set_free(set);
}

/* Who pauses between two parts gets three bytes at most. */
TEST(redact, a_value_with_silence_in_it_is_redacted_from_its_fourth_byte_at_the_latest)
{
	static const struct named_value values[] = {{"a", "abcdefghijkl", 12}};
	struct redact_set *set = set_of(values, 1);

	for (size_t pause = 1; pause < 12; pause++) {
		struct redact_stream *stream;
		struct buf out;

		buf_init(&out, OUT_MAX, BUF_PLAIN);
		EXPECT_OK(redact_stream_new(set, collect, &out, &stream));
		for (size_t at = 0; at < 12; at += pause) {
			size_t len = 12 - at < pause ? 12 - at : pause;

			EXPECT_OK(redact_push(stream, (const uint8_t *)"abcdefghijkl" + at, len));
			EXPECT_OK(redact_idle(stream));
			EXPECT_OK(redact_idle(stream));
		}
		EXPECT_OK(redact_push(stream, (const uint8_t *)".", 1));
		EXPECT_STR(pause > 3    ? "[secret a]."
		           : pause == 2 ? "ab[secret a]."
		                        : "abc[secret a].",
		           buf_text(&out));
		redact_stream_free(stream);
		buf_fini(&out);
	}
	redact_set_free(set);
}

TEST(redact, bytes_of_any_kind_and_many_marks_in_one_push)
{
	static const struct named_value values[] = {{"bin", "\xff\1\xfe\2\xfd\3\xfc\4", 8},
	                                            {"low", "\1\1\1\1\1\1\2\1", 8}};
	struct redact_set *set = set_of(values, 2);
	struct buf in, out, expected;

	buf_init(&in, OUT_MAX, BUF_PLAIN);
	buf_init(&expected, OUT_MAX, BUF_PLAIN);
	for (size_t i = 0; i < 500; i++) {
		EXPECT_OK(buf_append(&in, values[i % 3 == 0].bytes, 8));
		EXPECT_OK(buf_append_text(&in, "-"));
		EXPECT_OK(buf_appendf(&expected, "[secret %s]-", values[i % 3 == 0].name));
	}
	for (size_t piece = 1; piece <= in.len; piece = piece * 3 + 1) {
		redact_in_pieces(set, (const char *)in.data, in.len, piece, &out);
		EXPECT_STR(buf_text(&expected), buf_text(&out));
		buf_fini(&out);
	}
	buf_fini(&in);
	buf_fini(&expected);
	redact_set_free(set);
}

TEST(redact, many_held_marks_inside_a_long_value_that_does_not_come)
{
	enum { TIMES = 1200 };
	static char longer[TIMES * 9 + 2], text[TIMES * 18 + 8];
	struct named_value values[] = {{"long", longer, sizeof longer - 1}, {"s", "abcdefgh", 8}};
	struct redact_set *set;
	struct buf out, expected;

	for (size_t i = 0; i < TIMES * 9; i += 9)
		memcpy(longer + i, "abcdefghX", 9);
	longer[TIMES * 9] = 'Y';
	for (size_t i = 0; i < TIMES * 18; i += 9)
		memcpy(text + i, "abcdefghX", 9);
	set = set_of(values, 2);
	for (size_t tail = 0; tail < 2; tail++) {
		if (tail)
			text[TIMES * 18] = 'Y';
		for (size_t piece = 7; piece <= sizeof text; piece *= 31) {
			buf_init(&expected, 1 << 20, BUF_PLAIN);
			for (size_t i = 0; i < (tail ? TIMES : 2 * TIMES); i++)
				EXPECT_OK(buf_append_text(&expected, "[secret s]X"));
			EXPECT_OK(buf_append_text(&expected, tail ? "[secret long]" : ""));
			redact_in_pieces(set, text, TIMES * 18 + tail, piece, &out);
			EXPECT_STR(buf_text(&expected), buf_text(&out));
			buf_fini(&out);
			buf_fini(&expected);
		}
	}
	redact_set_free(set);
}

TEST(redact, an_error_of_the_receiver_ends_the_stream)
{
	static const struct named_value values[] = {{"a", "abcdefgh", 8}};
	struct redact_set *set = set_of(values, 1);
	struct redact_stream *stream;
	struct buf out;

	buf_init(&out, 4, BUF_PLAIN);
	EXPECT_OK(redact_stream_new(set, collect, &out, &stream));
	EXPECT_ERR(UN_ERR_TOO_LARGE, redact_push(stream, (const uint8_t *)"12345678", 8));
	EXPECT_ERR(UN_ERR_TOO_LARGE, redact_push(stream, (const uint8_t *)"1", 1));
	EXPECT_ERR(UN_ERR_TOO_LARGE, redact_flush(stream));
	redact_stream_free(stream);
	buf_fini(&out);
	redact_set_free(set);
}

TEST(redact, find_names_the_value_wherever_it_lies)
{
	static const struct named_value values[] = {{"a", "abcdefghij", 10}, {"b", "ghijkl-1", 8}};
	struct redact_set *set = set_of(values, 2);
	struct redact_hit hit;

	EXPECT_STR("a", redact_find(set, (const uint8_t *)"--abcdefghij", 12));
	EXPECT_STR("b", redact_find(set, (const uint8_t *)"abcdefghghijkl-1", 16));
	EXPECT_NULL(redact_find(set, (const uint8_t *)"abcdefghi", 9));
	EXPECT_NULL(redact_find(set, NULL, 0));
	EXPECT_ERR(UN_ERR_NOT_FOUND, redact_locate(set, (const uint8_t *)"abc", 3, &hit));
	EXPECT_OK(redact_locate(set, (const uint8_t *)"x 6162636465666768696a y", 24, &hit));
	EXPECT_STR("a", hit.name);
	EXPECT_INT(REDACT_FORM_HEX, hit.form);
	EXPECT_INT(2, hit.offset);
	EXPECT_INT(20, hit.len);
	EXPECT_STR("hex", redact_form_name(hit.form));
	redact_set_free(set);
}

/* "some text before the value, ..." with the value in it: gzip with and without a time, zlib at
 * three levels, the value alone. */
static const char *const members[] = {
	"H4sIAAAAAAACA52LSwrAIAwFr/"
	"IOYDfeSJtIhNaAif3cvkL3XXQ3zDCmO8P5cmQu2icL40jb4AD72WQ05x7jYqd2KtVkycmnupEavWtmqY0CXCdiVWLC"
	"d30AaffsG6oAAAA=",
	"H4sIAIA7sWoC/52LSwrAIAwFr/"
	"IOYDfeSJtIhNaAif3cvkL3XXQ3zDCmO8P5cmQu2icL40jb4AD72WQ05x7jYqd2KtVkycmnupEavWtmqY0CXCdiVWLC"
	"d30AaffsG6oAAAA=",
	"eNqdi0sKwCAMBa/"
	"yDmA33kibSITWgIn93L5C9110N8wwpjvD+XJkLtonC+NI2+AA+"
	"9lkNOce42KndirVZMnJp7qRGr1rZqmNAlwnYlViwnd9AJMzPHc=",
	"eAGdjUsKwCAMBa/yDmA33kibSITWgIn93L5C9110N7yBN6Y7w/"
	"lyZC7aJwvjSNvgAPvpZDTnHuNip3Yq1WTJyed0IzV6bzNLbRTgOsNYlZjwbR+TMzx3",
	"eJydi0sKwCAMBa/"
	"yDmA33kibSITWgIn93L5C9110N8wwpjvD+XJkLtonC+NI2+AA+"
	"9lkNOce42KndirVZMnJp7qRGr1rZqmNAlwnYlViwnd9AJMzPHc=",
	"eJzLKM0rSS0yMtItLs8vSknLLM7QTUosAQpVAgCG9Aop"};

/* What stands before the members may look like the beginning of one itself. */
static const char *const before_members[] = {"data: ", "e ", "the e\n", "eJ ", "eJw\nH4 "};

TEST(redact, a_value_in_a_gzip_or_zlib_member_in_base64_takes_the_rest_of_it_away)
{
	static const struct named_value values[] = {{"z", "hunter22-swordfish-battery", 26}};
	enum { BEFORE = sizeof before_members / sizeof *before_members };
	struct redact_set *set = set_of(values, 1);

	for (size_t i = 0; i < BEFORE * sizeof members / sizeof *members; i++) {
		const char *member = members[i / BEFORE];
		char input[512];
		struct buf first;

		(void)snprintf(input, sizeof input, "%s%s.", before_members[i % BEFORE], member);
		redact_in_pieces(set, input, strlen(input), sizeof input, &first);
		EXPECT(strstr(buf_text(&first), "[secret z]") != NULL);
		EXPECT(first.len >= 2 && first.data[first.len - 1] == '.');
		EXPECT_NULL(strstr(buf_text(&first), member + strlen(member) - 12));
		expect_redacted(set, input, buf_text(&first));
		buf_fini(&first);
	}
	redact_set_free(set);
}

TEST(redact, silence_within_a_member_does_not_let_the_rest_of_it_out)
{
	static const struct named_value values[] = {{"z", "hunter22-swordfish-battery", 26}};
	struct redact_set *set = set_of(values, 1);

	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const uint8_t *member = (const uint8_t *)members[i];
		size_t len = strlen(members[i]);

		for (size_t part = 1; part < len; part++) {
			struct redact_stream *stream;
			struct buf out;

			buf_init(&out, OUT_MAX, BUF_PLAIN);
			EXPECT_OK(redact_stream_new(set, collect, &out, &stream));
			EXPECT_OK(redact_push(stream, member, part));
			EXPECT_OK(redact_idle(stream));
			EXPECT_OK(redact_push(stream, member + part, len - part));
			EXPECT_OK(redact_flush(stream));
			EXPECT(strstr(buf_text(&out), "[secret z]") != NULL);
			EXPECT_NULL(strstr(buf_text(&out), members[i] + len - 12));
			redact_stream_free(stream);
			buf_fini(&out);
		}
	}
	redact_set_free(set);
}

TEST(redact, what_may_begin_a_member_does_not_hide_an_escape_before_it)
{
	static const struct named_value values[] = {{"a", "abcdefghijklmnopqr%stuvwxyz", 27}};
	struct redact_set *set = set_of(values, 1);

	expect_redacted(set, "x abcdefghijklmnopqr%25stuvwxyz eJ.", "x [secret a] eJ.");
	expect_redacted(set, "x abcdefghijklmnopqr%25stuvwxyz H4.", "x [secret a] H4.");
	redact_set_free(set);
}

TEST(redact, a_value_with_terminal_sequences_of_its_own_is_found_escaped_too)
{
	static const struct named_value values[] = {
		{"key", "AAAABBBBCCCC\x1b[1mDDDD\x1b\x93 EE", 25}, {"early", "\x1bxyzzy-1234", 11}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "-AAAABBBBCCCC\x1b[1mDDDD\x1b\x93 EE-", "-[secret key]-");
	expect_redacted(set, "b'AAAABBBBCCCC\\x1b[1mDDDD\\x1b\\x93 EE'", "b'[secret key]'");
	expect_redacted(set, "AAAABBBBCCCC%1B%5B1mDDDD%1b%93%20EE.", "[secret key].");
	expect_redacted(set, "-\\u001bxyzzy-1234-", "-[secret early]-");
	redact_set_free(set);
}

TEST(redact, a_value_with_long_white_space_is_found_in_escapes_of_several_bytes_each)
{
	static const struct named_value values[] = {
		{"raw", "\xa9\n\n\n\na\n\n\n\n\n\n\\m1--u", 18}};
	struct redact_set *set = set_of(values, 1);

	expect_redacted(set,
	                "x &#169;&#10;&#10;&#10;&#10;&#97;&#10;&#10;&#10;&#10;&#10;&#10;"
	                "&#92;&#109;&#49;&#45;&#45;&#117; y",
	                "x [secret raw] y");
	expect_redacted(set, "x &#169;&#10;&#97;&#10;&#92;m1--u y", "x [secret raw] y");
	expect_redacted(set, "x &#169;&#97;&#10;&#92;m1--u y", "x &#169;&#97;&#10;&#92;m1--u y");
	redact_set_free(set);
}

TEST(redact, white_space_behind_a_nul_at_the_end_of_a_value_is_not_part_of_it_either)
{
	static const struct named_value values[] = {{"raw", "\0 \0/\0\0\0\0\0/a#b1Am=#", 18},
	                                            {"end", "/b#c1Dn=#/\0 \0", 13}};
	struct redact_set *set = set_of(values, 2);
	struct buf out;

	for (size_t piece = 1; piece < 34; piece++) {
		redact_in_pieces(set, "(\0 \0/\0\0\0\0\0/a#b1Am=#)(/b#c1Dn=#/\0 \0)", 35, piece,
		                 &out);
		EXPECT_INT(34, out.len);
		EXPECT(out.len == 34 &&
		       memcmp(out.data, "(\0 \0[secret raw])([secret end]\0 \0)", 34) == 0);
		buf_fini(&out);
	}
	redact_set_free(set);
}

TEST(redact, the_lines_around_a_key_are_not_looked_for_by_themselves)
{
	static const char key[] = "-----BEGIN KEY-----\nMIIEvQIBADANBg+A/x\n-----END KEY-----\n";
	static const struct named_value values[] = {{"pem", key, sizeof key - 1}};
	struct redact_set *set = set_of(values, 1);

	expect_redacted(set, key, "[secret pem]\n");
	expect_redacted(set, "-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n",
	                "-----BEGIN KEY-----\nMIIE\n-----END KEY-----\n");
	expect_redacted(set, "1: -----BEGIN KEY-----\n2: MIIEvQIBADANBg+A/x\n3: -----END KEY-----",
	                "1: -----BEGIN KEY-----\n2: [secret pem]\n3: -----END KEY-----");
	redact_set_free(set);
}

TEST(redact, what_a_terminal_does_not_show_does_not_hide_a_value)
{
	static const struct named_value values[] = {{"v", "hunter22-swordfish", 18}};
	static const char *const between[] = {
		"\x1b]8;;https://example.org/a?b=c\x1b\\",
		"\x1b]0;hunter22\a",
		"\x0f",
		"\x0e",
		"\x9b"
		"1;31m",
		"\x1bP1$r0m\x1b\\",
		"\x1b"
		"c",
		"\x1b)0",
		"\x1b%G",
		"\x1b[38;2;100;100;100;48;2;200;200;200;1;3;4;5;6;7;8;9;21m"};
	struct redact_set *set = set_of(values, 1);

	for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
		char input[2000] = "x ";

		for (size_t at = 0; at < 18; at++) {
			strcat(input, (char[]){values[0].bytes[at], 0});
			strcat(input, at < 17 ? between[i] : " y");
		}
		expect_redacted(set, input, "x [secret v] y");
	}
	redact_set_free(set);
}

TEST(redact, a_value_within_what_a_terminal_does_not_show_is_found_there)
{
	static const struct named_value values[] = {{"v", "hunter22-swordfish", 18}};
	struct redact_set *set = set_of(values, 1);

	expect_redacted(set, "\x1b]0;hunter22-swordfish\a$ ", "\x1b]0;[secret v]\a$ ");
	expect_redacted(set, "\x1b]8;;http://a/?hunter22-swordfish\x1b\\x", /* a link */
	                "\x1b]8;;http://a/?[secret v]\x1b\\x");
	expect_redacted(set, "\x1b]0;it never ends hunter22-swordfish\n",
	                "\x1b]0;it never ends [secret v]\n");
	expect_redacted(set, "a\x1b[hunter22-swordfish b", "a\x1b[[secret v] b");
	expect_redacted(set, "a\x1b[0;1hunter22-swordfish b", "a\x1b[0;1[secret v] b");
	expect_redacted(set, "\x1b[h\x1b[hunter22-swordfish", "\x1b[h\x1b[[secret v]");
	redact_set_free(set);
}

TEST(redact, a_sequence_longer_than_1024_bytes_is_text)
{
	static const struct named_value values[] = {{"v", "hunter22-swordfish", 18}};
	struct redact_set *set = set_of(values, 1);

	for (size_t len = 1022; len <= 1026; len++) {
		char input[1100] = "hunter22\x1b]0;", text[1100];
		struct buf out;

		memset(input + 12, 'x', len - 5);
		(void)snprintf(input + 12 + len - 5, 20, "\a-swordfish.");
		(void)snprintf(text, sizeof text, "%s", len <= 1024 ? "[secret v]." : input);
		for (size_t piece = 1; piece < 2000; piece += 333) {
			redact_in_pieces(set, input, strlen(input), piece, &out);
			EXPECT_STR(text, buf_text(&out));
			buf_fini(&out);
		}
	}
	redact_set_free(set);
}

TEST(redact, what_only_looks_like_a_member_passes)
{
	static const struct named_value values[] = {{"z", "hunter22-swordfish-battery", 26}};
	static const char *const texts[] = {"eJwhatever is this H4sIAAAA. eNo",
	                                    "H4sIAAAAAAAA=", "eA"};
	struct redact_set *set = set_of(values, 1);

	for (size_t i = 0; i < 3; i++)
		expect_redacted(set, texts[i], texts[i]);
	redact_set_free(set);
}

TEST(redact, an_empty_set_changes_nothing)
{
	struct redact_set *set = set_of(NULL, 0);

	expect_redacted(set, "anything at all", "anything at all");
	EXPECT_NULL(redact_find(set, (const uint8_t *)"x", 1));
	redact_set_free(set);
}

TORTURE(redact, works_or_fails_whole)
{
	static const struct named_value values[] = {{"a", "abc\ndefgh\nijklmnopq", 19},
	                                            {"b", "cdef", 4}};
	struct redact_set *set = NULL;
	struct redact_stream *stream = NULL;
	struct buf out;
	enum un_err err;

	buf_init(&out, OUT_MAX, BUF_PLAIN);
	err = redact_set_new(&set);
	if (!err)
		err = fill_set(set, values, 2);
	if (!err)
		err = redact_stream_new(set, collect, &out, &stream);
	if (!err)
		err = redact_push(stream, (const uint8_t *)"xijklmnopqx cdef cdef abcde", 27);
	if (!err)
		err = redact_idle(stream);
	if (!err)
		err = redact_flush(stream);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT_NULL(strstr(buf_text(&out), "ijklmnopq"));
	EXPECT_NULL(strstr(buf_text(&out), "cdef "));
	redact_stream_free(stream);
	redact_set_free(set);
	buf_fini(&out);
}

TEST_MAIN()

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

/* The obvious way: every value at every place, then one mark for each run of covered bytes. */
static void
reference(const struct named_value *values, size_t count, const char *bytes, size_t len,
          struct buf *out)
{
	char *covered = calloc(len + 1, 1);

	EXPECT(covered != NULL);
	buf_init(out, OUT_MAX, BUF_PLAIN);
	for (size_t v = 0; v < count; v++)
		for (size_t at = 0; at + values[v].len <= len; at++)
			if (memcmp(bytes + at, values[v].bytes, values[v].len) == 0)
				memset(covered + at, 1, values[v].len);
	for (size_t at = 0; at < len; at++) {
		const struct named_value *best = NULL;

		if (!covered[at]) {
			EXPECT_OK(buf_append(out, bytes + at, 1));
			continue;
		}
		if (at && covered[at - 1])
			continue;
		for (size_t v = 0; v < count; v++)
			if (at + values[v].len <= len && (!best || values[v].len > best->len) &&
			    memcmp(bytes + at, values[v].bytes, values[v].len) == 0)
				best = &values[v];
		EXPECT(best != NULL);
		EXPECT_OK(buf_appendf(out, "[secret %s]", best->name));
	}
	free(covered);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void
random_word(uint32_t *seed, char *word, size_t len, unsigned letters)
{
	for (size_t i = 0; i < len; i++)
		word[i] = (char)('a' + next_random(seed) % letters);
}

/* One round of the comparison: values and text over few letters, so that everything overlaps. */
static void
compare_round(uint32_t seed)
{
	static char names[6][16], words[6][24];
	struct named_value values[6];
	size_t count = 1 + next_random(&seed) % 6, len = 20 + next_random(&seed) % 200;
	unsigned letters = 1 + next_random(&seed) % 3;
	char text[256];
	struct redact_set *set;
	struct buf expected;

	for (size_t v = 0; v < count; v++) {
		values[v].len = REDACT_VALUE_MIN + next_random(&seed) % 16;
		random_word(&seed, words[v], values[v].len, letters);
		(void)snprintf(names[v], sizeof names[v], "n%zu", v);
		values[v].name = names[v];
		values[v].bytes = words[v];
	}
	random_word(&seed, text, len, letters);
	if (letters == 1) /* something to part the runs */
		for (size_t at = 5; at < len; at += 11)
			text[at] = 'Z';
	set = set_of(values, count);
	reference(values, count, text, len, &expected);
	for (size_t piece = 1; piece <= len; piece += 1 + piece / 8) {
		struct buf out;

		redact_in_pieces(set, text, len, piece, &out);
		EXPECT_STR(buf_text(&expected), buf_text(&out));
		buf_fini(&out);
	}
	EXPECT((redact_find(set, (const uint8_t *)text, len) != NULL) ==
	       (strchr(buf_text(&expected), '[') != NULL));
	buf_fini(&expected);
	redact_set_free(set);
}

TEST(redact, is_what_the_obvious_way_gives_however_the_input_is_cut)
{
	for (uint32_t seed = 1; seed <= 400; seed++)
		compare_round(seed);
}

TEST(redact, a_value_is_found_at_every_place_and_every_cut)
{
	static const struct named_value values[] = {{"db", "hunter22-swordfish", 18}};
	struct redact_set *set = set_of(values, 1);

	for (size_t before = 0; before < 12; before++) {
		char input[64], expected[64];

		(void)snprintf(input, sizeof input, "%.*shunter22-swordfish tail",
		               (int)before, "hunter2hunte");
		(void)snprintf(expected, sizeof expected, "%.*s[secret db] tail", (int)before,
		               "hunter2hunte");
		expect_redacted(set, input, expected);
	}
	redact_set_free(set);
}

TEST(redact, overlapping_and_touching_values_become_one_mark)
{
	static const struct named_value values[] = {{"one", "abcdef", 6},
	                                            {"two", "defghi", 6},
	                                            {"three", "efgh", 4},
	                                            {"four", "ijkl", 4}};
	struct redact_set *set = set_of(values, 4);

	expect_redacted(set, "-abcdefghi-", "-[secret one]-");
	expect_redacted(set, "-abcdefabcdef-", "-[secret one]-");
	expect_redacted(set, "-defghijkl-", "-[secret two]-");
	expect_redacted(set, "-efghijkl-", "-[secret three]-"); /* they touch */
	expect_redacted(set, "-efgh-ijkl-", "-[secret three]-[secret four]-");
	expect_redacted(set, "-abcde-fghi-ijk-", "-abcde-fghi-ijk-");
	redact_set_free(set);
}

TEST(redact, the_longest_of_values_that_begin_together_gives_its_name)
{
	static const struct named_value values[] = {{"short", "token", 5},
	                                            {"long", "token-1234", 10}};
	struct redact_set *set = set_of(values, 2);

	expect_redacted(set, "token-1234", "[secret long]");
	expect_redacted(set, "token-123", "[secret short]-123");
	expect_redacted(set, "tokentoken-1234", "[secret short]");
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

TEST(redact, holds_back_only_what_may_still_become_a_value)
{
	static const struct named_value values[] = {{"a", "abcdefgh", 8}, {"b", "xyzw", 4}};
	static const struct {
		const char *input;
		size_t held;
	} cases[] = {{"plain line\n", 0}, {"Password: ", 0}, {"abcdefg", 7}, {"abcdefgh", 0},
	             {"abcabc", 3},       {"abcdefgx", 1},   {"xyz", 3},     {"xyzw", 0}};
	struct redact_set *set = set_of(values, 2);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct redact_stream *stream;
		struct buf out;

		buf_init(&out, OUT_MAX, BUF_PLAIN);
		EXPECT_OK(redact_stream_new(set, collect, &out, &stream));
		EXPECT_OK(redact_push(stream, (const uint8_t *)cases[i].input,
		                      strlen(cases[i].input)));
		EXPECT_INT(cases[i].held, redact_held(stream));
		redact_stream_free(stream);
		buf_fini(&out);
	}
	redact_set_free(set);
}

TEST(redact, bytes_of_any_kind_and_many_marks_in_one_push)
{
	static const struct named_value values[] = {{"bin", "\0\xff\0\xfe", 4},
	                                            {"nul", "\0\0\0\0\1", 5}};
	struct redact_set *set = set_of(values, 2);
	struct buf in, out, expected;

	buf_init(&in, OUT_MAX, BUF_PLAIN);
	for (size_t i = 0; i < 500; i++)
		EXPECT_OK(buf_append(&in, i % 3 ? "\0\xff\0\xfe-" : "\0\0\0\0\1-", i % 3 ? 5 : 6));
	reference(values, 2, (const char *)in.data, in.len, &expected);
	for (size_t piece = 1; piece <= in.len; piece = piece * 3 + 1) {
		redact_in_pieces(set, (const char *)in.data, in.len, piece, &out);
		EXPECT_INT(expected.len, out.len);
		EXPECT_BYTES(expected.data, out.data, expected.len);
		buf_fini(&out);
	}
	buf_fini(&in);
	buf_fini(&expected);
	redact_set_free(set);
}

TEST(redact, many_held_marks_inside_a_long_value_that_does_not_come)
{
	enum { TIMES = 2000 };
	static char longer[TIMES * 5 + 2], text[TIMES * 10 + 8];
	struct named_value values[] = {{"long", longer, sizeof longer - 1}, {"s", "abcd", 4}};
	struct redact_set *set;
	struct buf out, expected;

	for (size_t i = 0; i < TIMES * 5; i += 5)
		memcpy(longer + i, "abcdX", 5);
	longer[TIMES * 5] = 'Y';
	for (size_t i = 0; i < TIMES * 10; i += 5)
		memcpy(text + i, "abcdX", 5);
	set = set_of(values, 2);
	for (size_t tail = 0; tail < 2; tail++) {
		if (tail)
			text[TIMES * 10] = 'Y';
		for (size_t piece = 7; piece <= sizeof text; piece *= 31) {
			buf_init(&expected, 1 << 20, BUF_PLAIN);
			for (size_t i = 0; i < (tail ? TIMES : 2 * TIMES); i++)
				EXPECT_OK(buf_append_text(&expected, "[secret s]X"));
			EXPECT_OK(buf_append_text(&expected, tail ? "[secret long]" : ""));
			redact_in_pieces(set, text, TIMES * 10 + tail, piece, &out);
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
	static const struct named_value values[] = {{"a", "abcdefgh", 8}, {"b", "efgh-1", 6}};
	struct redact_set *set = set_of(values, 2);

	EXPECT_STR("a", redact_find(set, (const uint8_t *)"--abcdefgh", 10));
	EXPECT_STR("b", redact_find(set, (const uint8_t *)"abcdefefgh-1", 12));
	EXPECT_NULL(redact_find(set, (const uint8_t *)"abcdefg", 7));
	EXPECT_NULL(redact_find(set, NULL, 0));
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
	static const struct named_value values[] = {{"a", "abcdefgh", 8}, {"b", "cdef", 4}};
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
		err = redact_push(stream, (const uint8_t *)"xabcdefghx cdef cdef abcde", 26);
	if (!err)
		err = redact_flush(stream);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT_NULL(strstr(buf_text(&out), "cdef"));
	redact_stream_free(stream);
	redact_set_free(set);
	buf_fini(&out);
}

TEST_MAIN()

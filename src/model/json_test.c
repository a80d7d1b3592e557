#include "model/json.h"

#include "test.h"

/* Reads any value; what is written depends on the value alone. */
static enum un_err
read_any(struct json_reader *in, struct buf *out)
{
	char number[JSON_NUMBER_MAX];
	bool object;
	enum un_err err;

	switch (json_reader_peek(in)) {
	case JSON_STRING:
		return json_reader_string(in, out);
	case JSON_NUMBER:
		err = json_reader_number(in, number);
		return err ? err : buf_append_text(out, number);
	case JSON_ARRAY:
	case JSON_OBJECT:
		object = json_reader_peek(in) == JSON_OBJECT;
		err = json_reader_enter(in);
		while (!err && json_reader_next(in)) {
			err = buf_append_byte(out, '(');
			if (!err && object)
				err = json_reader_key(in, out);
			err = err ? err : read_any(in, out);
			err = err ? err : buf_append_byte(out, ')');
		}
		return err ? err : json_reader_error(in);
	default:
		return json_reader_word(in);
	}
}

static enum un_err
read_text(const char *text, struct buf *out)
{
	struct json_reader in;
	enum un_err err;

	json_reader_init(&in, text, strlen(text));
	buf_init(out, 4096, BUF_PLAIN);
	err = read_any(&in, out);
	return err ? err : json_reader_end(&in);
}

static void
expect_read(const char *expected, const char *text)
{
	struct buf out;

	EXPECT_OK(read_text(text, &out));
	EXPECT_STR(expected, buf_text(&out));
	buf_fini(&out);
}

TEST(json, reads_every_kind_of_value)
{
	expect_read("", " null ");
	expect_read("", "true");
	expect_read("-12.5e+3", "-12.5e+3");
	expect_read("9223372036854775807", "9223372036854775807");
	expect_read("", "[]");
	expect_read("", "{}");
	expect_read("(1)((2)())(a)", " [ 1 , [2 , {}] , \"a\" ] ");
	expect_read("(a1)(b(2))", "{\"a\":1,\"b\":[2]}");
}

TEST(json, decodes_escapes_and_surrogate_pairs)
{
	expect_read("\"\\/\b\f\n\r\t", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"");
	expect_read("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\\u00e9\\u20AC\\ud83d\\ude00\"");
}

TEST(json, refuses_what_the_standard_does_not_allow)
{
	static const char *const bad[] = {"",
	                                  " ",
	                                  "nul",
	                                  "tru",
	                                  "nullx",
	                                  "[1,]",
	                                  "[,1]",
	                                  "[1 2]",
	                                  "{\"a\"}",
	                                  "{\"a\":}",
	                                  "{a:1}",
	                                  "{\"a\":1,}",
	                                  "01",
	                                  "+1",
	                                  "1.",
	                                  ".5",
	                                  "1e",
	                                  "1e+",
	                                  "-",
	                                  "0x10",
	                                  "NaN",
	                                  "Infinity",
	                                  "\"a",
	                                  "\"\\x\"",
	                                  "\"\\u12\"",
	                                  "\"\\ud800\"",
	                                  "\"\\udc00\"",
	                                  "\"\\ud800\\u0041\"",
	                                  "\"a\nb\"",
	                                  "'a'",
	                                  "[1]]",
	                                  "1 2",
	                                  "\"\xff\"",
	                                  "\"\xc0\x80\"",
	                                  "\"\xed\xa0\x80\"",
	                                  "\"\\u0000\"",
	                                  "[\"a\":1]",
	                                  "// x\n1",
	                                  "[1}",
	                                  "{]",
	                                  "[}",
	                                  "{\"a\":1]",
	                                  "[{]}",
	                                  "[1/**/]",
	                                  "\"\\",
	                                  "[",
	                                  "{\"a\":1"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buf out;

		if (read_text(bad[i], &out) != UN_ERR_PROTOCOL)
			fail_msg("%s", bad[i]);
		buf_fini(&out);
	}
}

TEST(json, refuses_values_nested_too_deep_and_numbers_too_long)
{
	char text[256];
	struct buf out;

	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		EXPECT_ERR(depth == JSON_DEPTH_MAX ? UN_OK : UN_ERR_PROTOCOL,
		           read_text(text, &out));
		buf_fini(&out);
	}
	memset(text, '1', 100);
	text[100] = '\0';
	EXPECT_ERR(UN_ERR_PROTOCOL, read_text(text, &out));
	buf_fini(&out);
}

TEST(json, fails_at_every_cut_of_a_good_text)
{
	static const char good[] = "{\"a\":[1,true,\"\\u00e9\"],\"b\":{\"c\":null}}";

	for (size_t len = 0; len < sizeof good - 1; len++) {
		char text[sizeof good];
		struct buf out;

		memcpy(text, good, len);
		text[len] = '\0';
		EXPECT_ERR(UN_ERR_PROTOCOL, read_text(text, &out));
		buf_fini(&out);
	}
}

TEST(json, writes_strings_that_read_back_and_cannot_drive_a_terminal)
{
	struct buf out;

	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(json_append_string(&out, "a\"\\\n\x1b\x7f\xc2\x9b\xc3\xa9\xff"));
	EXPECT_STR("\"a\\\"\\\\\\n\\u001b\\u007f\\u009b\xc3\xa9\\ufffd\"", buf_text(&out));
	buf_fini(&out);
}

TEST_MAIN()

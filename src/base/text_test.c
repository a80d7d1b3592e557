#include "base/text.h"
#include "test.h"

TEST(text, base64_of_the_rfc_vectors_both_ways)
{
	static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
	static const char *const coded[] = {"",     "Zg==",     "Zm8=",    "Zm9v",
	                                    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

	for (size_t i = 0; i < 7; i++) {
		struct buf text, bytes;

		buf_init(&text, 64, BUF_PLAIN);
		buf_init(&bytes, 64, BUF_PLAIN);
		EXPECT_OK(text_append_base64(&text, (const uint8_t *)plain[i], strlen(plain[i])));
		EXPECT_STR(coded[i], buf_text(&text));
		EXPECT_OK(text_decode_base64(coded[i], strlen(coded[i]), &bytes));
		EXPECT_STR(plain[i], buf_text(&bytes));
		buf_fini(&text);
		buf_fini(&bytes);
	}
}

TEST(text, finds_the_nearest_word_and_nothing_far_away)
{
	static const char *const words[] = {"create", "delete", "explain"};

	EXPECT_STR("create", text_nearest("craete", words, 3));
	EXPECT_STR("delete", text_nearest("delet", words, 3));
	EXPECT_NULL(text_nearest("backup", words, 3));
}

TEST(text, base64_takes_both_alphabets_and_refuses_the_rest)
{
	static const char *const bad[] = {"A",    "A*==",  "AA=A", "=",
	                                  "====", "AAAAA", "A A=", "AA\n="};
	struct buf out;

	buf_init(&out, 64, BUF_PLAIN);
	EXPECT_OK(text_decode_base64("-_-_", 4, &out));
	EXPECT_OK(text_decode_base64("+/+/", 4, &out));
	EXPECT_INT(6, out.len);
	EXPECT_BYTES(out.data, out.data + 3, 3);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (text_decode_base64(bad[i], strlen(bad[i]), &out) != UN_ERR_PROTOCOL)
			fail_msg("%s", bad[i]);
	}
	buf_fini(&out);
}

TEST(text, hex_both_ways_and_nothing_odd)
{
	struct buf text, bytes;

	buf_init(&text, 64, BUF_PLAIN);
	buf_init(&bytes, 64, BUF_PLAIN);
	EXPECT_OK(text_append_hex(&text, (const uint8_t *)"\x00\xfe\x10", 3));
	EXPECT_STR("00fe10", buf_text(&text));
	EXPECT_OK(text_decode_hex("00FE10", 6, &bytes));
	EXPECT_BYTES("\x00\xfe\x10", bytes.data, 3);
	EXPECT_ERR(UN_ERR_PROTOCOL, text_decode_hex("0", 1, &bytes));
	EXPECT_ERR(UN_ERR_PROTOCOL, text_decode_hex("0g", 2, &bytes));
	buf_fini(&text);
	buf_fini(&bytes);
}

TEST(text, numbers_are_whole_or_refused)
{
	uint64_t number;

	EXPECT_OK(text_parse_u64("18446744073709551615", &number));
	EXPECT(number == UINT64_MAX);
	EXPECT_ERR(UN_ERR_RANGE, text_parse_u64("18446744073709551616", &number));
	EXPECT_ERR(UN_ERR_RANGE, text_parse_u64("99999999999999999999999", &number));
	EXPECT_ERR(UN_ERR_INVALID, text_parse_u64("", &number));
	EXPECT_ERR(UN_ERR_INVALID, text_parse_u64("-1", &number));
	EXPECT_ERR(UN_ERR_INVALID, text_parse_u64("1 ", &number));
	EXPECT_ERR(UN_ERR_INVALID, text_parse_u64("0x1", &number));
}

TEST(text, knows_utf_8_from_what_only_looks_like_it)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xef\xbf\xbf",
	                                   "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",         "\xc0\x80", "\xc1\xbf",
	                                  "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
	                                  "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3",
	                                  "\xe2\x82",     "\xc3(", "a\xfe"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		EXPECT(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT(!text_is_utf8(bad[i], strlen(bad[i])));
}

TEST(text, counts_the_edits_between_words)
{
	char long_word[66];

	EXPECT_INT(0, text_distance("abc", "abc"));
	EXPECT_INT(1, text_distance("abc", "acb"));
	EXPECT_INT(3, text_distance("", "abc"));
	EXPECT_INT(3, text_distance("kitten", "sitting"));
	memset(long_word, 'x', sizeof long_word);
	long_word[65] = '\0';
	EXPECT_INT(64, text_distance(long_word, "x"));
}

TEST(text, digits_are_those_of_the_alphabet_and_no_others)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	static const char base64[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

	for (int c = 1; c < 256; c++) {
		const char *in_hex = strchr(hex, c), *in_base64 = strchr(base64, c);
		int hex_at = in_hex ? (int)(in_hex - hex) : -1;
		int base64_at = in_base64 ? (int)(in_base64 - base64) : -1;

		EXPECT_INT(hex_at > 15 ? hex_at - 6 : hex_at, text_hex_digit((char)c));
		EXPECT_INT(base64_at > 63 ? base64_at - 2 : base64_at, text_base64_digit((char)c));
	}
	EXPECT_INT(-1, text_hex_digit('\0'));
	EXPECT_INT(-1, text_base64_digit('\0'));
}

TEST_MAIN()

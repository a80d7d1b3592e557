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

TEST_MAIN()

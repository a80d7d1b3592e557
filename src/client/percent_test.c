#include "client/percent.h"

#include "test.h"

static enum un_err
decode(const char *text, char *out, size_t size)
{
	return percent_decode(text, strlen(text), out, size);
}

TEST(percent, decodes_and_cleans)
{
	char out[16];

	EXPECT_OK(decode("a%20b%C3%A9%0a", out, sizeof out));
	EXPECT_STR("a b\xc3\xa9 ", out);
	EXPECT_OK(decode("%", out, sizeof out));
	EXPECT_STR("", out);
	EXPECT_OK(decode("", out, sizeof out));
	EXPECT_STR("", out);
}

TEST(percent, cuts_what_does_not_fit)
{
	char out[4];

	EXPECT_OK(decode("abcdef", out, sizeof out));
	EXPECT_STR("abc", out);
}

TEST(percent, refuses_what_is_no_encoding)
{
	char out[8];

	EXPECT_ERR(UN_ERR_PROTOCOL, decode("a%", out, sizeof out));
	EXPECT_ERR(UN_ERR_PROTOCOL, decode("%2", out, sizeof out));
	EXPECT_ERR(UN_ERR_PROTOCOL, decode("%zz", out, sizeof out));
}

TEST_MAIN()

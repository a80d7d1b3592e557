#include "crypto/base64.h"

#include "test.h"

static const struct {
	const char *bytes, *standard, *url;
} pairs[] = {
	{"", "", ""},
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"\xfb\xff\xfe", "+//+", "-__-"},
	{"host:id:secret:None", "aG9zdDppZDpzZWNyZXQ6Tm9uZQ==", "aG9zdDppZDpzZWNyZXQ6Tm9uZQ"},
};

TEST(base64, is_what_the_rfc_says)
{
	uint8_t text[64];

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		size_t len = strlen(pairs[i].bytes);

		EXPECT_INT(strlen(pairs[i].standard), base64_len(len, BASE64_STANDARD));
		base64_encode(pairs[i].bytes, len, BASE64_STANDARD, text);
		EXPECT_BYTES(pairs[i].standard, text, strlen(pairs[i].standard));
		EXPECT_INT(strlen(pairs[i].url), base64_len(len, BASE64_URL));
		base64_encode(pairs[i].bytes, len, BASE64_URL, text);
		EXPECT_BYTES(pairs[i].url, text, strlen(pairs[i].url));
	}
}

TEST(base64, comes_back_whole_also_in_its_own_place)
{
	uint8_t bytes[100], text[140];
	size_t len;

	for (size_t n = 0; n < sizeof bytes; n++) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(i * 37 + n);
		for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
			size_t text_len = base64_len(n, (enum base64_kind)kind);

			base64_encode(bytes, n, (enum base64_kind)kind, text);
			EXPECT_OK(
				base64_decode(text, text_len, (enum base64_kind)kind, text, &len));
			EXPECT_INT(n, len);
			EXPECT_BYTES(bytes, text, n);
		}
	}
}

TEST(base64, refuses_every_other_text)
{
	static const char *const standard[] = {
		"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "-//+", "Zm 9", "Zm9v\n"};
	static const char *const url[] = {"Z", "Zg==", "Zh", "Zm9", "+__-", "Zm9v="};
	uint8_t out[16];
	size_t len;

	for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, base64_decode(standard[i], strlen(standard[i]),
		                                          BASE64_STANDARD, out, &len));
	for (size_t i = 0; i < sizeof url / sizeof url[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL,
		           base64_decode(url[i], strlen(url[i]), BASE64_URL, out, &len));
}

TEST_MAIN()

#include "base/md5.h"

#include "test.h"

static void
expect(const char *text, const char *hex)
{
	for (size_t piece = 1; piece < 70; piece += 23) {
		struct md5 md5;
		uint8_t digest[MD5_LEN];
		char got[2 * MD5_LEN + 1];
		size_t len = strlen(text);

		md5_init(&md5);
		for (size_t at = 0; at < len; at += piece)
			md5_push(&md5, text + at, len - at < piece ? len - at : piece);
		md5_end(&md5, digest);
		for (size_t i = 0; i < MD5_LEN; i++)
			(void)snprintf(got + 2 * i, 3, "%02x", digest[i]);
		EXPECT_STR(hex, got);
	}
}

TEST(md5, gives_the_digests_of_the_rfc_however_the_text_is_cut)
{
	expect("", "d41d8cd98f00b204e9800998ecf8427e");
	expect("abc", "900150983cd24fb0d6963f7d28e17f72");
	expect("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	       "57edf4a22be3c955ac49da2e2107b67a");
	expect("0123456789012345678901234567890123456789012345678901234",
	       "6e7a4fc92eb1c3f6e652425bcc8d44b5");
}

TEST_MAIN()

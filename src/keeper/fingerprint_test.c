#include "keeper/fingerprint.h"

#include "crypto/hash.h"
#include "test.h"

/* People compare it with what they wrote down: it never changes. */
TEST(fingerprint, of_a_known_key_is_as_documented)
{
	uint8_t key[BOX_PUBLIC_LEN];
	char text[FINGERPRINT_TEXT_MAX];

	EXPECT_OK(crypto_init());
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	fingerprint_format(key, text);
	EXPECT_STR("ee45-781f-6596-ca06-d41d-1852-8e8d-4d11", text);
}

TEST_MAIN()

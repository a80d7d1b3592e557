#include "keeper/fingerprint.h"

#include "crypto/hash.h"

#define SHOWN_BYTES 16
#define LABEL "union plane key 1"

void
fingerprint_format(const uint8_t public_key[BOX_PUBLIC_LEN], char text[FINGERPRINT_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	struct hash_part parts[] = {{LABEL, sizeof LABEL - 1}, {public_key, BOX_PUBLIC_LEN}};
	uint8_t hash[HASH_LEN];
	char *at = text;

	hash_parts(parts, 2, hash);
	for (size_t i = 0; i < SHOWN_BYTES; i++) {
		if (i && i % 2 == 0)
			*at++ = '-';
		*at++ = digits[hash[i] >> 4];
		*at++ = digits[hash[i] & 15];
	}
	*at = '\0';
}

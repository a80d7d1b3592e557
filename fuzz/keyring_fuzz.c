/* Foreign bytes as a key ring file, and as the ring inside one. */
#include "crypto/hash.h"
#include "keeper/keyring_file.h"

#include <assert.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct keyring_header header;
	struct keyring *ring = NULL, *again = NULL;
	struct secbuf *plain = NULL, *packed = NULL;

	if (crypto_init() != UN_OK)
		return 0;
	if (keyring_header_unpack(bytes, len, NULL, &header) == UN_OK) {
		char text[KEY_PROVIDER_TEXT_MAX];

		assert(header.bound_len < len);
		header.provider->describe(header.params, header.params_len, text);
	}
	if (len && len <= KEYRING_PLAIN_MAX && secbuf_copy(bytes, len, &plain) == UN_OK &&
	    keyring_unpack(plain, &ring) == UN_OK) {
		enum un_err err = keyring_pack(ring, &packed);

		assert(err == UN_OK && secbuf_equal(plain, packed)); /* one ring, one form */
		err = keyring_unpack(packed, &again);
		assert(err == UN_OK && keyring_newest(again) == keyring_newest(ring));
	}
	keyring_free(again);
	keyring_free(ring);
	secbuf_free(packed);
	secbuf_free(plain);
	return 0;
}

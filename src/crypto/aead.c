#include "crypto/aead.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(AEAD_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key length");
_Static_assert(AEAD_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
                                        crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "nonce and tag");

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

enum un_err
aead_seal(const struct secbuf *key, struct aead_ad ad, const void *plain, size_t len,
          uint8_t *sealed)
{
	assert(secbuf_len(key) == AEAD_KEY_LEN);
	if (len > SECBUF_MAX)
		return UN_ERR_TOO_LARGE;
	randombytes_buf(sealed, NONCE_LEN);
	if (crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_LEN, NULL, plain, len,
	                                               ad.bytes, ad.len, NULL, sealed,
	                                               secbuf_peek(key)) != 0)
		return UN_ERR_INTERNAL;
	return UN_OK;
}

enum un_err
aead_open(const struct secbuf *key, struct aead_ad ad, const uint8_t *sealed, size_t sealed_len,
          struct secbuf **ret_plain)
{
	struct secbuf *plain;
	enum un_err err;

	assert(secbuf_len(key) == AEAD_KEY_LEN);
	if (sealed_len < AEAD_OVERHEAD)
		return UN_ERR_NOT_AUTHENTIC;
	err = secbuf_new(sealed_len - AEAD_OVERHEAD, &plain);
	if (err)
		return err;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
	            secbuf_edit(plain), NULL, NULL, sealed + NONCE_LEN, sealed_len - NONCE_LEN,
	            ad.bytes, ad.len, sealed, secbuf_peek(key)) != 0) {
		secbuf_free(plain);
		return UN_ERR_NOT_AUTHENTIC;
	}
	*ret_plain = plain;
	return UN_OK;
}

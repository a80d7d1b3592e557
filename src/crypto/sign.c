#include "crypto/sign.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(SIGN_SEED_LEN == crypto_sign_ed25519_SEEDBYTES, "seed length");
_Static_assert(SIGN_PUBLIC_LEN == crypto_sign_ed25519_PUBLICKEYBYTES, "public key length");
_Static_assert(SIGNATURE_LEN == crypto_sign_ed25519_BYTES, "signature length");

enum un_err
sign_keypair(const struct secbuf *seed, struct secbuf **ret_secret,
             uint8_t ret_public[SIGN_PUBLIC_LEN])
{
	struct secbuf *secret;
	enum un_err err;

	assert(secbuf_len(seed) == SIGN_SEED_LEN);
	err = secbuf_new(crypto_sign_ed25519_SECRETKEYBYTES, &secret);
	if (err)
		return err;
	(void)crypto_sign_ed25519_seed_keypair(ret_public, secbuf_edit(secret), secbuf_peek(seed));
	*ret_secret = secret;
	return UN_OK;
}

void
sign_make(const struct secbuf *secret, const void *bytes, size_t len,
          uint8_t ret_signature[SIGNATURE_LEN])
{
	assert(secbuf_len(secret) == crypto_sign_ed25519_SECRETKEYBYTES);
	(void)crypto_sign_ed25519_detached(ret_signature, NULL, bytes, len, secbuf_peek(secret));
}

enum un_err
sign_check(const uint8_t public_key[SIGN_PUBLIC_LEN], const void *bytes, size_t len,
           const uint8_t signature[SIGNATURE_LEN])
{
	return crypto_sign_ed25519_verify_detached(signature, bytes, len, public_key) == 0
	               ? UN_OK
	               : UN_ERR_NOT_AUTHENTIC;
}

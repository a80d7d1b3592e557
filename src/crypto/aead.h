/* aead.h - XChaCha20-Poly1305 with a random nonce in front: nonce (24) | ciphertext | tag (16).
 *
 * Random 24-byte nonces need no counter; a key may seal as often as it likes. Any thread. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/err.h"
#include "crypto/secbuf.h"

#define AEAD_KEY_LEN 32
#define AEAD_OVERHEAD 40

struct aead_ad { /* associated data: bound, not stored. `bytes` NULL with len 0 is none */
	const void *bytes;
	size_t len;
};

/* Writes len + AEAD_OVERHEAD bytes to `sealed`, which must not overlap `plain`. */
MUST_CHECK enum un_err aead_seal(const struct secbuf *key, struct aead_ad ad, const void *plain,
                                 size_t len, uint8_t *sealed);
/* UN_ERR_NOT_AUTHENTIC when it does not open; then no byte of the plaintext is left anywhere. */
MUST_CHECK enum un_err aead_open(const struct secbuf *key, struct aead_ad ad, const uint8_t *sealed,
                                 size_t sealed_len, struct secbuf **ret_plain);

#endif

/* sign.h - Ed25519 signatures. Any thread. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/err.h"
#include "crypto/secbuf.h"

#define SIGN_SEED_LEN 32
#define SIGN_PUBLIC_LEN 32
#define SIGNATURE_LEN 64

/* The key pair that follows from a seed of SIGN_SEED_LEN bytes. The secret is in locked memory. */
MUST_CHECK enum un_err sign_keypair(const struct secbuf *seed, struct secbuf **ret_secret,
                                    uint8_t ret_public[SIGN_PUBLIC_LEN]);
void sign_make(const struct secbuf *secret, const void *bytes, size_t len,
               uint8_t ret_signature[SIGNATURE_LEN]);
/* UN_ERR_NOT_AUTHENTIC. Whoever signs says in the bytes what they are: a purpose comes first. */
MUST_CHECK enum un_err sign_check(const uint8_t public_key[SIGN_PUBLIC_LEN], const void *bytes,
                                  size_t len, const uint8_t signature[SIGNATURE_LEN]);

#endif

/* hash.h - BLAKE2b, key derivation, Argon2id, random bytes, comparison in constant time. Any
 * thread. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/err.h"
#include "crypto/secbuf.h"

#define HASH_LEN 32
#define KDF_SALT_LEN 16

struct hash_part {
	const void *bytes;
	size_t len;
};

/* BLAKE2b-256 over each part preceded by its length as u64 big-endian: no two lists collide. */
void hash_parts(const struct hash_part *parts, size_t count, uint8_t ret_hash[HASH_LEN]);
/* The same, keyed: a MAC. `key` has 32 bytes. */
void hash_mac(const struct secbuf *key, const struct hash_part *parts, size_t count,
              uint8_t ret_mac[HASH_LEN]);

/* An independent 32-byte key for `purpose` (a static word) from a 32-byte root. */
MUST_CHECK enum un_err kdf_derive(const struct secbuf *root, const char *purpose,
                                  struct secbuf **ret_key);

struct kdf_cost {
	uint32_t passes;     /* Argon2id t */
	uint32_t memory_kib; /* Argon2id m; at most 1 GiB is accepted */
};
#define KDF_COST_DEFAULT ((struct kdf_cost){.passes = 3, .memory_kib = 65536})
/* Argon2id of a passphrase: a 32-byte key. */
MUST_CHECK enum un_err kdf_passphrase(const struct secbuf *passphrase,
                                      const uint8_t salt[KDF_SALT_LEN], struct kdf_cost cost,
                                      struct secbuf **ret_key);

void random_bytes(void *bytes, size_t len); /* from the kernel; cannot fail */
bool bytes_equal(const void *a, const void *b, size_t len); /* constant time */

/* Once in each program, before anything else of this folder. */
MUST_CHECK enum un_err crypto_init(void);

#endif

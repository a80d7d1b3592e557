#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define ROOT_LEN 32
#define KDF_LABEL "union kdf 1"
#define PASSES_MAX 64
#define MEMORY_KIB_MIN 8
#define MEMORY_KIB_MAX (1u << 20)

_Static_assert(KDF_SALT_LEN == crypto_pwhash_argon2id_SALTBYTES, "salt length");

static void
hash_keyed(const uint8_t *key, size_t key_len, const struct hash_part *parts, size_t count,
           uint8_t *ret_hash)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, key, key_len, HASH_LEN);
	for (size_t i = 0; i < count; i++) {
		uint8_t len[8];

		for (unsigned b = 0; b < 8; b++)
			len[b] = (uint8_t)((uint64_t)parts[i].len >> (56 - 8 * b));
		(void)crypto_generichash_update(&state, len, sizeof len);
		if (parts[i].len)
			(void)crypto_generichash_update(&state, parts[i].bytes, parts[i].len);
	}
	(void)crypto_generichash_final(&state, ret_hash, HASH_LEN);
	sodium_memzero(&state, sizeof state);
}

void
hash_parts(const struct hash_part *parts, size_t count, uint8_t ret_hash[HASH_LEN])
{
	hash_keyed(NULL, 0, parts, count, ret_hash);
}

void
hash_mac(const struct secbuf *key, const struct hash_part *parts, size_t count,
         uint8_t ret_mac[HASH_LEN])
{
	assert(secbuf_len(key) == ROOT_LEN);
	hash_keyed(secbuf_peek(key), ROOT_LEN, parts, count, ret_mac);
}

enum un_err
kdf_derive(const struct secbuf *root, const char *purpose, struct secbuf **ret_key)
{
	struct hash_part parts[] = {{KDF_LABEL, sizeof KDF_LABEL - 1}, {purpose, strlen(purpose)}};
	struct secbuf *key;
	enum un_err err = secbuf_new(HASH_LEN, &key);

	if (err)
		return err;
	hash_mac(root, parts, 2, secbuf_edit(key));
	*ret_key = key;
	return UN_OK;
}

enum un_err
kdf_passphrase(const struct secbuf *passphrase, const uint8_t salt[KDF_SALT_LEN],
               struct kdf_cost cost, struct secbuf **ret_key)
{
	struct secbuf *key;
	enum un_err err;

	if (cost.passes < 1 || cost.passes > PASSES_MAX || cost.memory_kib < MEMORY_KIB_MIN ||
	    cost.memory_kib > MEMORY_KIB_MAX)
		return UN_ERR_RANGE;
	err = secbuf_new(HASH_LEN, &key);
	if (err)
		return err;
	if (crypto_pwhash_argon2id(secbuf_edit(key), HASH_LEN,
	                           (const char *)secbuf_peek(passphrase), secbuf_len(passphrase),
	                           salt, cost.passes, (size_t)cost.memory_kib * 1024,
	                           crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
		secbuf_free(key);
		return UN_ERR_NO_MEMORY; /* the only way to fail with limits checked above */
	}
	*ret_key = key;
	return UN_OK;
}

void
random_bytes(void *bytes, size_t len)
{
	randombytes_buf(bytes, len);
}

bool
bytes_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

enum un_err
crypto_init(void)
{
	return sodium_init() < 0 ? UN_ERR_INTERNAL : UN_OK;
}

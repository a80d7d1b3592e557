#include "crypto/sign.h"

#include "crypto/hash.h"
#include "test.h"

static struct secbuf *
seed_of(uint8_t fill)
{
	struct secbuf *seed;

	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_new(SIGN_SEED_LEN, &seed));
	memset(secbuf_edit(seed), fill, SIGN_SEED_LEN);
	return seed;
}

TEST(sign, makes_the_same_pair_from_the_same_seed)
{
	uint8_t one[SIGN_PUBLIC_LEN], two[SIGN_PUBLIC_LEN], other[SIGN_PUBLIC_LEN];
	struct secbuf *seed = seed_of(1), *foreign = seed_of(2), *secret;

	EXPECT_OK(sign_keypair(seed, &secret, one));
	secbuf_free(secret);
	EXPECT_OK(sign_keypair(seed, &secret, two));
	secbuf_free(secret);
	EXPECT_OK(sign_keypair(foreign, &secret, other));
	secbuf_free(secret);
	EXPECT_BYTES(one, two, SIGN_PUBLIC_LEN);
	EXPECT(!bytes_equal(one, other, SIGN_PUBLIC_LEN));
	secbuf_free(seed);
	secbuf_free(foreign);
}

TEST(sign, refuses_every_flipped_bit_of_bytes_signature_and_key)
{
	uint8_t key[SIGN_PUBLIC_LEN], signature[SIGNATURE_LEN], bytes[] = "what was said";
	struct secbuf *seed = seed_of(3), *secret;

	EXPECT_OK(sign_keypair(seed, &secret, key));
	sign_make(secret, bytes, sizeof bytes, signature);
	EXPECT_OK(sign_check(key, bytes, sizeof bytes, signature));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, sign_check(key, bytes, sizeof bytes - 1, signature));
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, sign_check(key, bytes, sizeof bytes, signature));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * SIGNATURE_LEN; bit++) {
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, sign_check(key, bytes, sizeof bytes, signature));
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * SIGN_PUBLIC_LEN; bit++) {
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, sign_check(key, bytes, sizeof bytes, signature));
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	secbuf_free(secret);
	secbuf_free(seed);
}

TEST_MAIN()

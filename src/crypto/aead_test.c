#include "crypto/aead.h"

#include "crypto/hash.h"
#include "test.h"

#define PLAIN "a value that nobody sees"
#define PLAIN_LEN (sizeof PLAIN - 1)
#define SEALED_LEN (PLAIN_LEN + AEAD_OVERHEAD)

static const struct aead_ad ad = {"identity", 8};

static struct secbuf *
key_of(uint8_t byte)
{
	struct secbuf *key;

	EXPECT_OK(secbuf_new(AEAD_KEY_LEN, &key));
	memset(secbuf_edit(key), byte, AEAD_KEY_LEN);
	return key;
}

static void
expect_shut(const struct secbuf *key, struct aead_ad with, const uint8_t *sealed, size_t len)
{
	struct secbuf *plain = NULL;

	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, aead_open(key, with, sealed, len, &plain));
	EXPECT_NULL(plain);
}

TEST(aead, opens_what_it_sealed_also_nothing_and_without_associated_data)
{
	struct secbuf *key = key_of(1), *plain;
	uint8_t sealed[SEALED_LEN];

	EXPECT_OK(aead_seal(key, ad, PLAIN, PLAIN_LEN, sealed));
	EXPECT_OK(aead_open(key, ad, sealed, sizeof sealed, &plain));
	EXPECT_INT(PLAIN_LEN, secbuf_len(plain));
	EXPECT_BYTES(PLAIN, secbuf_peek(plain), PLAIN_LEN);
	secbuf_free(plain);
	EXPECT_OK(aead_seal(key, (struct aead_ad){NULL, 0}, PLAIN, 0, sealed));
	EXPECT_OK(aead_open(key, (struct aead_ad){NULL, 0}, sealed, AEAD_OVERHEAD, &plain));
	EXPECT_INT(0, secbuf_len(plain));
	secbuf_free(plain);
	secbuf_free(key);
}

TEST(aead, never_seals_the_same_value_to_the_same_bytes)
{
	struct secbuf *key = key_of(1);
	uint8_t one[SEALED_LEN], two[SEALED_LEN];

	EXPECT_OK(aead_seal(key, ad, PLAIN, PLAIN_LEN, one));
	EXPECT_OK(aead_seal(key, ad, PLAIN, PLAIN_LEN, two));
	EXPECT(memcmp(one, two, 24) != 0);
	EXPECT(memcmp(one + 24, two + 24, PLAIN_LEN) != 0);
	secbuf_free(key);
}

TEST(aead, stays_shut_for_another_key_and_other_associated_data)
{
	struct secbuf *key = key_of(1), *other = key_of(2);
	uint8_t sealed[SEALED_LEN];

	EXPECT_OK(aead_seal(key, ad, PLAIN, PLAIN_LEN, sealed));
	expect_shut(other, ad, sealed, sizeof sealed);
	expect_shut(key, (struct aead_ad){"identitY", 8}, sealed, sizeof sealed);
	expect_shut(key, (struct aead_ad){"identity", 7}, sealed, sizeof sealed);
	expect_shut(key, (struct aead_ad){NULL, 0}, sealed, sizeof sealed);
	secbuf_free(key);
	secbuf_free(other);
}

TEST(aead, stays_shut_with_any_bit_flipped_and_cut_at_any_length)
{
	struct secbuf *key = key_of(1);
	uint8_t sealed[SEALED_LEN];

	EXPECT_OK(aead_seal(key, ad, PLAIN, PLAIN_LEN, sealed));
	for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		expect_shut(key, ad, sealed, sizeof sealed);
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t len = 0; len < sizeof sealed; len++)
		expect_shut(key, ad, sealed, len);
	secbuf_free(key);
}

TORTURE(aead, opens_whole_or_not_at_all)
{
	struct secbuf *key = NULL, *plain = NULL;
	uint8_t sealed[SEALED_LEN];
	enum un_err err = secbuf_new(AEAD_KEY_LEN, &key);

	if (!err)
		err = aead_seal(key, ad, PLAIN, PLAIN_LEN, sealed);
	if (!err)
		err = aead_open(key, ad, sealed, sizeof sealed, &plain);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (plain != NULL));
	secbuf_free(plain);
	secbuf_free(key);
}

TEST_MAIN()

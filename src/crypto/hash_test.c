#include "crypto/hash.h"

#include "base/text.h"
#include "test.h"

static struct secbuf *
counting_key(void)
{
	struct secbuf *key;

	EXPECT_OK(secbuf_new(32, &key));
	for (uint8_t i = 0; i < 32; i++)
		secbuf_edit(key)[i] = i;
	return key;
}

static void
expect_hex(const char *hex, const uint8_t *bytes)
{
	struct buf text;

	buf_init(&text, 64, BUF_PLAIN);
	EXPECT_OK(text_append_hex(&text, bytes, 32));
	EXPECT_STR(hex, buf_text(&text));
	buf_fini(&text);
}

/* The expected bytes were computed with another implementation of BLAKE2b. */
TEST(hash, is_blake2b_over_parts_with_their_lengths)
{
	struct hash_part parts[] = {{"ab", 2}, {"c", 1}};
	struct secbuf *key = counting_key();
	uint8_t hash[HASH_LEN];

	hash_parts(parts, 2, hash);
	expect_hex("9b29c83bca563845c8445a09a80da00b8193336d231891003eb004de0b9b1b5e", hash);
	hash_mac(key, parts, 2, hash);
	expect_hex("0aa50ec129b69bd95b11e2121d857efcd5d2f6210b73b9956037f7d93476714c", hash);
	secbuf_free(key);
}

TEST(hash, tells_lists_apart_that_hold_the_same_bytes)
{
	struct hash_part ab_c[] = {{"ab", 2}, {"c", 1}}, a_bc[] = {{"a", 1}, {"bc", 2}};
	struct hash_part abc[] = {{"abc", 3}}, abc_none[] = {{"abc", 3}, {NULL, 0}};
	uint8_t hashes[4][HASH_LEN];

	hash_parts(ab_c, 2, hashes[0]);
	hash_parts(a_bc, 2, hashes[1]);
	hash_parts(abc, 1, hashes[2]);
	hash_parts(abc_none, 2, hashes[3]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			EXPECT(!bytes_equal(hashes[i], hashes[j], HASH_LEN));
	}
}

TEST(kdf, derives_one_key_for_each_purpose)
{
	struct secbuf *root = counting_key(), *one, *same, *other;

	EXPECT_OK(kdf_derive(root, "testing", &one));
	EXPECT_OK(kdf_derive(root, "testing", &same));
	EXPECT_OK(kdf_derive(root, "testing2", &other));
	expect_hex("cd7ed0fc72da4f8b3ad1c533c402cc6a7f412c24862096929667d10be1819a71",
	           secbuf_peek(one));
	EXPECT(secbuf_equal(one, same));
	EXPECT(!secbuf_equal(one, other));
	secbuf_free(root);
	secbuf_free(one);
	secbuf_free(same);
	secbuf_free(other);
}

TEST(kdf, passphrase_salt_and_cost_all_matter)
{
	static const uint8_t salts[2][KDF_SALT_LEN] = {"0123456789abcde", "0123456789abcdf"};
	struct kdf_cost low = {1, 64}, higher = {2, 64};
	struct secbuf *pass, *other_pass, *keys[5];

	EXPECT_OK(secbuf_copy("correct horse", 13, &pass));
	EXPECT_OK(secbuf_copy("correct horsf", 13, &other_pass));
	EXPECT_OK(kdf_passphrase(pass, salts[0], low, &keys[0]));
	EXPECT_OK(kdf_passphrase(pass, salts[0], low, &keys[1]));
	EXPECT_OK(kdf_passphrase(pass, salts[1], low, &keys[2]));
	EXPECT_OK(kdf_passphrase(pass, salts[0], higher, &keys[3]));
	EXPECT_OK(kdf_passphrase(other_pass, salts[0], low, &keys[4]));
	EXPECT(secbuf_equal(keys[0], keys[1]));
	for (size_t i = 2; i < 5; i++)
		EXPECT(!secbuf_equal(keys[0], keys[i]));
	for (size_t i = 0; i < 5; i++)
		secbuf_free(keys[i]);
	secbuf_free(pass);
	secbuf_free(other_pass);
}

TEST(kdf, refuses_a_cost_that_a_bad_file_could_ask_for)
{
	static const uint8_t salt[KDF_SALT_LEN] = {0};
	static const struct kdf_cost costs[] = {
	        {0, 65536}, {65, 65536}, {UINT32_MAX, 65536}, {3, 7}, {3, (1u << 20) + 1}};
	struct secbuf *pass, *key = NULL;

	EXPECT_OK(secbuf_copy("x", 1, &pass));
	for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
		EXPECT_ERR(UN_ERR_RANGE, kdf_passphrase(pass, salt, costs[i], &key));
	EXPECT_NULL(key);
	secbuf_free(pass);
}

TEST(hash, random_bytes_do_not_repeat)
{
	uint8_t one[32], two[32];

	random_bytes(one, sizeof one);
	random_bytes(two, sizeof two);
	EXPECT(!bytes_equal(one, two, sizeof one));
}

TORTURE(kdf, derives_whole_or_not_at_all)
{
	static const uint8_t salt[KDF_SALT_LEN] = {0};
	struct secbuf *root = NULL, *key = NULL, *stretched = NULL;
	enum un_err err = secbuf_new(32, &root);

	if (!err)
		err = kdf_derive(root, "testing", &key);
	if (!err)
		err = kdf_passphrase(root, salt, (struct kdf_cost){1, 8}, &stretched);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (stretched != NULL));
	secbuf_free(root);
	secbuf_free(key);
	secbuf_free(stretched);
}

TEST_MAIN()

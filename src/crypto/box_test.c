#include "crypto/box.h"

#include "test.h"

struct pair {
	struct secbuf *private_key;
	uint8_t public_key[BOX_PUBLIC_LEN];
};

static struct pair
pair_new(void)
{
	struct pair pair;

	EXPECT_OK(box_keypair(&pair.private_key, pair.public_key));
	return pair;
}

TEST(box, both_ends_derive_the_same_key_and_a_third_does_not)
{
	struct pair sender = pair_new(), receiver = pair_new(), other = pair_new();
	struct secbuf *sent, *received, *third;

	EXPECT_OK(box_key_as_sender(sender.private_key, receiver.public_key, &sent));
	EXPECT_OK(box_key_as_receiver(receiver.private_key, sender.public_key, &received));
	EXPECT_OK(box_key_as_receiver(other.private_key, sender.public_key, &third));
	EXPECT(secbuf_equal(sent, received));
	EXPECT(!secbuf_equal(sent, third));
	secbuf_free(sent);
	secbuf_free(received);
	secbuf_free(third);
	secbuf_free(sender.private_key);
	secbuf_free(receiver.private_key);
	secbuf_free(other.private_key);
}

TEST(box, the_two_directions_have_different_keys)
{
	struct pair a = pair_new(), b = pair_new();
	struct secbuf *there, *back;

	EXPECT_OK(box_key_as_sender(a.private_key, b.public_key, &there));
	EXPECT_OK(box_key_as_sender(b.private_key, a.public_key, &back));
	EXPECT(!secbuf_equal(there, back));
	secbuf_free(there);
	secbuf_free(back);
	secbuf_free(a.private_key);
	secbuf_free(b.private_key);
}

TEST(box, finds_the_public_half_of_a_stored_key)
{
	/* RFC 7748, section 6.1: Alice. */
	static const uint8_t private_key[] =
	        "\x77\x07\x6d\x0a\x73\x18\xa5\x7d\x3c\x16\xc1\x72\x51\xb2\x66\x45"
	        "\xdf\x4c\x2f\x87\xeb\xc0\x99\x2a\xb1\x77\xfb\xa5\x1d\xb9\x2c\x2a";
	static const uint8_t public_key[] =
	        "\x85\x20\xf0\x09\x89\x30\xa7\x54\x74\x8b\x7d\xdc\xb4\x3e\xf7\x5a"
	        "\x0d\xbf\x3a\x0d\x26\x38\x1a\xf4\xeb\xa4\xa9\x8e\xaa\x9b\x4e\x6a";
	struct secbuf *stored;
	uint8_t found[BOX_PUBLIC_LEN];

	EXPECT_OK(secbuf_copy(private_key, BOX_PRIVATE_LEN, &stored));
	EXPECT_OK(box_public_of(stored, found));
	EXPECT_BYTES(public_key, found, BOX_PUBLIC_LEN);
	secbuf_free(stored);
}

TEST(box, refuses_public_keys_of_low_order)
{
	/* 0, 1 and the two points of order 8: they would make the key known to everyone. */
	static const uint8_t low[4][BOX_PUBLIC_LEN] = {
	        {0},
	        {1},
	        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
	         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
	         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
	         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
	         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	};
	struct pair own = pair_new();

	for (size_t i = 0; i < 4; i++) {
		struct secbuf *key = NULL;

		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC,
		           box_key_as_sender(own.private_key, low[i], &key));
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC,
		           box_key_as_receiver(own.private_key, low[i], &key));
		EXPECT_NULL(key);
	}
	secbuf_free(own.private_key);
}

TORTURE(box, agrees_whole_or_not_at_all)
{
	struct secbuf *own = NULL, *key = NULL;
	uint8_t public_key[BOX_PUBLIC_LEN];
	enum un_err err = box_keypair(&own, public_key);

	if (!err)
		err = box_key_as_sender(own, public_key, &key);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (key != NULL));
	secbuf_free(key);
	secbuf_free(own);
}

TEST_MAIN()

#include "client/sealing.h"

#include "crypto/hash.h"

#include "test.h"

#define CANARY "CANARY-sealing-7f3a"

TEST(sealing, only_the_planes_key_opens_what_a_client_sends)
{
	struct secbuf *value = NULL, *plane_private = NULL, *dek = NULL, *opened = NULL;
	uint8_t plane_public[BOX_PUBLIC_LEN];
	struct box_receiver *receiver = NULL;
	struct secret_id id;
	struct sealed sealed;

	EXPECT_OK(crypto_init());
	sealed_init(&sealed);
	EXPECT_OK(secret_id_init(&id, "p", "d", "name", NULL));
	EXPECT_OK(secbuf_copy(CANARY, sizeof CANARY - 1, &value));
	EXPECT_OK(box_keypair(&plane_private, plane_public));
	EXPECT_OK(seal_for_plane(plane_public, &id, value, &sealed));
	EXPECT_NULL(memmem(sealed.value.data, sealed.value.len, CANARY, sizeof CANARY - 1));

	EXPECT_OK(box_receiver_new(plane_private, &receiver));
	EXPECT_OK(envelope_open_travel(receiver, &id, sealed.dek, sizeof sealed.dek, &dek));
	EXPECT_OK(envelope_open_value(dek, &id, sealed.value.data, sealed.value.len, &opened));
	EXPECT(secbuf_equal(value, opened));
	secbuf_free(opened);
	secbuf_free(dek);

	EXPECT_OK(secret_id_init(&id, "p", "other", "name", NULL));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC,
	           envelope_open_travel(receiver, &id, sealed.dek, sizeof sealed.dek, &dek));
	box_receiver_free(receiver);
	secbuf_free(plane_private);
	secbuf_free(value);
	sealed_fini(&sealed);
}

TORTURE(sealing, seals_whole_or_not_at_all)
{
	static const uint8_t plane_key[BOX_PUBLIC_LEN] = {9}; /* the base point: a valid key */
	struct secbuf *value = NULL;
	struct secret_id id;
	struct sealed sealed;
	enum un_err err;

	EXPECT_OK(crypto_init());
	sealed_init(&sealed);
	EXPECT_OK(secret_id_init(&id, "p", "d", "name", NULL));
	err = secbuf_copy(CANARY, sizeof CANARY - 1, &value);
	if (!err)
		err = seal_for_plane(plane_key, &id, value, &sealed);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	secbuf_free(value);
	sealed_fini(&sealed);
}

TEST_MAIN()

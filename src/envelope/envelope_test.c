#include "envelope/envelope.h"

#include "crypto/hash.h"
#include "test.h"

#define VALUE "canary-value-of-the-envelope"
#define VALUE_LEN (sizeof VALUE - 1)

struct fixture {
	struct secret_id id;
	struct secbuf *dek, *kek, *value, *private_key;
	struct buf sealed; /* value */
	struct box_sender *sender;
	struct box_receiver *receiver;
	uint8_t travel[TRAVEL_DEK_LEN], stored[STORED_DEK_LEN], delivered[DELIVERED_DEK_LEN];
	struct delivery to;
};

static void
fixture_init(struct fixture *f)
{
	uint8_t public_key[BOX_PUBLIC_LEN];

	memset(f, 0, sizeof *f);
	EXPECT_OK(secret_id_init(&f->id, "fraud", "production", "db_url", NULL));
	EXPECT_OK(dek_new(&f->dek));
	EXPECT_OK(dek_new(&f->kek));
	EXPECT_OK(secbuf_copy(VALUE, VALUE_LEN, &f->value));
	buf_init(&f->sealed, SECRET_VALUE_MAX + SEALED_VALUE_OVERHEAD, BUF_PLAIN);
	EXPECT_OK(box_keypair(&f->private_key, public_key));
	EXPECT_OK(box_sender_new(public_key, &f->sender));
	EXPECT_OK(box_receiver_new(f->private_key, &f->receiver));
	f->to = (struct delivery){.id = &f->id, .version = 7, .attempt = "attempt-number-"};
	EXPECT_OK(envelope_seal_value(f->dek, &f->id, f->value, &f->sealed));
	EXPECT_OK(envelope_seal_travel(f->sender, &f->id, f->dek, f->travel));
	EXPECT_OK(envelope_seal_stored(f->kek, 3, &f->id, 7, f->dek, f->stored));
	EXPECT_OK(envelope_seal_delivery(f->sender, &f->to, f->dek, f->delivered));
}

static void
fixture_fini(struct fixture *f)
{
	secbuf_free(f->dek);
	secbuf_free(f->kek);
	secbuf_free(f->value);
	secbuf_free(f->private_key);
	buf_fini(&f->sealed);
	box_sender_free(f->sender);
	box_receiver_free(f->receiver);
}

enum kind { VALUE_KIND, TRAVEL_KIND, STORED_KIND, DELIVERY_KIND, KINDS };

static enum un_err
open_kind(struct fixture *f, enum kind kind, const uint8_t *sealed, size_t len,
          struct secbuf **ret_plain)
{
	switch (kind) {
	case VALUE_KIND:
		return envelope_open_value(f->dek, &f->id, sealed, len, ret_plain);
	case TRAVEL_KIND:
		return envelope_open_travel(f->receiver, &f->id, sealed, len, ret_plain);
	case STORED_KIND:
		return envelope_open_stored(f->kek, &f->id, f->to.version, sealed, len, ret_plain);
	default:
		return envelope_open_delivery(f->receiver, &f->to, sealed, len, ret_plain);
	}
}

/* The bytes of a kind as the fixture sealed them. */
static uint8_t *
sealed_kind(struct fixture *f, enum kind kind, size_t *ret_len)
{
	uint8_t *all[] = {f->sealed.data, f->travel, f->stored, f->delivered};
	size_t lens[] = {f->sealed.len, sizeof f->travel, sizeof f->stored, sizeof f->delivered};

	*ret_len = lens[kind];
	return all[kind];
}

static void
expect_open(struct fixture *f, enum kind kind)
{
	size_t len;
	uint8_t *sealed = sealed_kind(f, kind, &len);
	struct secbuf *plain = NULL;

	EXPECT_OK(open_kind(f, kind, sealed, len, &plain));
	EXPECT(secbuf_equal(plain, kind == VALUE_KIND ? f->value : f->dek));
	secbuf_free(plain);
}

static void
expect_shut(struct fixture *f, enum kind kind, const uint8_t *sealed, size_t len)
{
	struct secbuf *plain = NULL;

	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, open_kind(f, kind, sealed, len, &plain));
	EXPECT_NULL(plain);
}

static void
expect_all_shut(struct fixture *f)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		size_t len;
		uint8_t *sealed = sealed_kind(f, kind, &len);

		expect_shut(f, kind, sealed, len);
	}
}

TEST(envelope, opens_what_it_sealed)
{
	struct fixture f;

	fixture_init(&f);
	for (enum kind kind = 0; kind < KINDS; kind++)
		expect_open(&f, kind);
	EXPECT_INT(VALUE_LEN + SEALED_VALUE_OVERHEAD, f.sealed.len);
	fixture_fini(&f);
}

TEST(envelope, refuses_a_row_moved_under_another_name_scope_or_organization)
{
	struct fixture f;
	struct secret_id id;

	fixture_init(&f);
	id = f.id;
	EXPECT_OK(secret_id_init(&f.id, "fraud", "production", "db_urL", NULL));
	expect_all_shut(&f);
	EXPECT_OK(secret_id_init(&f.id, "fraud2", "production", "db_url", NULL));
	expect_all_shut(&f);
	EXPECT_OK(secret_id_init(&f.id, "fraud", "", "db_url", NULL));
	expect_all_shut(&f);
	EXPECT_OK(secret_id_init(&f.id, "", "production", "db_url", NULL));
	expect_all_shut(&f);
	EXPECT_OK(secret_id_init(&f.id, "production", "fraud", "db_url", NULL));
	expect_all_shut(&f);
	f.id = id;
	f.id.org[0] = 'o';
	expect_all_shut(&f);
	fixture_fini(&f);
}

/* Fields that run into each other: "ab" + "c" must not be "a" + "bc". */
TEST(envelope, refuses_an_identity_whose_parts_only_join_to_the_same_text)
{
	struct fixture f;
	struct secbuf *plain = NULL;
	struct secret_id other;

	fixture_init(&f);
	EXPECT_OK(secret_id_init(&other, "fraudp", "roduction", "db_url", NULL));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC,
	           envelope_open_value(f.dek, &other, f.sealed.data, f.sealed.len, &plain));
	fixture_fini(&f);
}

TEST(envelope, refuses_a_version_rolled_back_or_an_attempt_replayed)
{
	struct fixture f;

	fixture_init(&f);
	f.to.version = 6;
	expect_shut(&f, STORED_KIND, f.stored, sizeof f.stored);
	expect_shut(&f, DELIVERY_KIND, f.delivered, sizeof f.delivered);
	f.to.version = 7;
	f.to.attempt[15] ^= 1;
	expect_shut(&f, DELIVERY_KIND, f.delivered, sizeof f.delivered);
	expect_open(&f, STORED_KIND);
	fixture_fini(&f);
}

TEST(envelope, refuses_one_kind_given_as_another)
{
	struct fixture f;

	fixture_init(&f);
	expect_shut(&f, TRAVEL_KIND, f.delivered, sizeof f.delivered);
	expect_shut(&f, DELIVERY_KIND, f.travel, sizeof f.travel);
	expect_shut(&f, STORED_KIND, f.sealed.data, f.sealed.len);
	expect_shut(&f, VALUE_KIND, f.stored, sizeof f.stored);
	fixture_fini(&f);
}

TEST(envelope, refuses_another_key_or_receiver)
{
	struct fixture f;
	struct secbuf *dek, *kek, *private_key, *swap;
	struct box_receiver *receiver;
	uint8_t public_key[BOX_PUBLIC_LEN];

	fixture_init(&f);
	EXPECT_OK(dek_new(&dek));
	EXPECT_OK(dek_new(&kek));
	EXPECT_OK(box_keypair(&private_key, public_key));
	EXPECT_OK(box_receiver_new(private_key, &receiver));
	swap = f.dek, f.dek = dek, dek = swap;
	swap = f.kek, f.kek = kek, kek = swap;
	box_receiver_free(f.receiver);
	f.receiver = receiver;
	expect_all_shut(&f);
	secbuf_free(dek);
	secbuf_free(kek);
	secbuf_free(private_key);
	fixture_fini(&f);
}

TEST(envelope, stays_shut_with_any_bit_flipped_and_cut_or_stretched_to_any_length)
{
	struct fixture f;

	fixture_init(&f);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		uint8_t copy[256];
		size_t len;
		uint8_t *sealed = sealed_kind(&f, kind, &len);

		for (size_t bit = 0; bit < len * 8; bit++) {
			sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			expect_shut(&f, kind, sealed, len);
			sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		memset(copy, 0, sizeof copy);
		memcpy(copy, sealed, len);
		for (size_t cut = 0; cut < sizeof copy; cut++) {
			if (cut != len)
				expect_shut(&f, kind, copy, cut);
		}
		expect_open(&f, kind);
	}
	fixture_fini(&f);
}

TEST(envelope, takes_values_of_1_byte_to_1_mib)
{
	struct fixture f;
	struct secbuf *value, *opened;

	fixture_init(&f);
	EXPECT_OK(secbuf_new(0, &value));
	EXPECT_ERR(UN_ERR_EMPTY_VALUE, envelope_seal_value(f.dek, &f.id, value, &f.sealed));
	secbuf_free(value);
	EXPECT_OK(secbuf_new(SECRET_VALUE_MAX + 1, &value));
	EXPECT_ERR(UN_ERR_VALUE_TOO_LARGE, envelope_seal_value(f.dek, &f.id, value, &f.sealed));
	secbuf_shrink(value, SECRET_VALUE_MAX);
	buf_clear(&f.sealed);
	EXPECT_OK(envelope_seal_value(f.dek, &f.id, value, &f.sealed));
	EXPECT_OK(envelope_check_value(f.sealed.data, f.sealed.len));
	EXPECT_OK(envelope_open_value(f.dek, &f.id, f.sealed.data, f.sealed.len, &opened));
	EXPECT(secbuf_equal(value, opened));
	secbuf_free(value);
	secbuf_free(opened);
	fixture_fini(&f);
}

TEST(envelope, judges_a_sealed_value_by_its_length_and_version_without_the_key)
{
	static uint8_t sealed[SECRET_VALUE_MAX + SEALED_VALUE_OVERHEAD + 1] = {ENVELOPE_VERSION};

	EXPECT_ERR(UN_ERR_PROTOCOL, envelope_check_value(sealed, 0));
	EXPECT_ERR(UN_ERR_PROTOCOL, envelope_check_value(sealed, SEALED_VALUE_OVERHEAD - 1));
	EXPECT_ERR(UN_ERR_EMPTY_VALUE, envelope_check_value(sealed, SEALED_VALUE_OVERHEAD));
	EXPECT_OK(envelope_check_value(sealed, SEALED_VALUE_OVERHEAD + 1));
	EXPECT_OK(envelope_check_value(sealed, sizeof sealed - 1));
	EXPECT_ERR(UN_ERR_VALUE_TOO_LARGE, envelope_check_value(sealed, sizeof sealed));
	sealed[0] = ENVELOPE_VERSION + 1;
	EXPECT_ERR(UN_ERR_PROTOCOL, envelope_check_value(sealed, 100));
	sealed[0] = ENVELOPE_VERSION;
}

TEST(envelope, tells_the_generation_of_a_stored_dek_and_refuses_it_changed)
{
	struct fixture f;
	uint32_t generation = 0;

	fixture_init(&f);
	EXPECT_OK(envelope_stored_generation(f.stored, sizeof f.stored, &generation));
	EXPECT_INT(3, generation);
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           envelope_stored_generation(f.stored, sizeof f.stored - 1, &generation));
	f.stored[4] = 4;
	EXPECT_OK(envelope_stored_generation(f.stored, sizeof f.stored, &generation));
	EXPECT_INT(4, generation);
	expect_shut(&f, STORED_KIND, f.stored, sizeof f.stored);
	fixture_fini(&f);
}

TEST(envelope, a_receiver_serves_more_senders_than_it_remembers_and_comes_back_to_the_first)
{
	struct fixture f;
	uint8_t public_key[BOX_PUBLIC_LEN], first[TRAVEL_DEK_LEN];

	fixture_init(&f);
	EXPECT_OK(box_public_of(f.private_key, public_key));
	memcpy(first, f.travel, sizeof first);
	for (unsigned i = 0; i < 150; i++) {
		expect_open(&f, TRAVEL_KIND);
		box_sender_free(f.sender);
		EXPECT_OK(box_sender_new(public_key, &f.sender));
		EXPECT_OK(envelope_seal_travel(f.sender, &f.id, f.dek, f.travel));
	}
	memcpy(f.travel, first, sizeof first);
	expect_open(&f, TRAVEL_KIND);
	fixture_fini(&f);
}

TEST(envelope, refuses_a_sender_of_low_order_and_a_receiver_of_low_order)
{
	static const uint8_t zero[BOX_PUBLIC_LEN];
	struct fixture f;
	struct box_sender *sender = NULL;

	fixture_init(&f);
	memset(f.travel + 1, 0, BOX_PUBLIC_LEN);
	expect_shut(&f, TRAVEL_KIND, f.travel, sizeof f.travel);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, box_sender_new(zero, &sender));
	EXPECT_NULL(sender);
	fixture_fini(&f);
}

/* The way of a value from a client to a task, with each allocation failing once. */
TORTURE(envelope, carries_a_value_whole_or_not_at_all)
{
	static const struct secret_id id = {.name = "db_url"};
	struct delivery to = {.id = &id, .version = 1};
	struct secbuf *dek = NULL, *kek = NULL, *value = NULL, *private_key = NULL, *opened = NULL;
	struct secbuf *stored_dek = NULL, *last_dek = NULL;
	struct box_sender *sender = NULL;
	struct box_receiver *receiver = NULL;
	uint8_t public_key[BOX_PUBLIC_LEN], stored[STORED_DEK_LEN], delivered[DELIVERED_DEK_LEN];
	struct buf sealed;
	enum un_err err;

	buf_init(&sealed, 1024, BUF_PLAIN);
	err = dek_new(&dek);
	err = err ? err : dek_new(&kek);
	err = err ? err : secbuf_copy(VALUE, VALUE_LEN, &value);
	err = err ? err : envelope_seal_value(dek, &id, value, &sealed);
	err = err ? err : envelope_seal_stored(kek, 1, &id, 1, dek, stored);
	err = err ? err : envelope_open_stored(kek, &id, 1, stored, sizeof stored, &stored_dek);
	err = err ? err : box_keypair(&private_key, public_key);
	err = err ? err : box_sender_new(public_key, &sender);
	err = err ? err : box_receiver_new(private_key, &receiver);
	err = err ? err : envelope_seal_delivery(sender, &to, stored_dek, delivered);
	err = err ? err
	          : envelope_open_delivery(receiver, &to, delivered, sizeof delivered, &last_dek);
	err = err ? err : envelope_open_value(last_dek, &id, sealed.data, sealed.len, &opened);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (opened != NULL));
	if (opened)
		EXPECT(secbuf_equal(value, opened));
	secbuf_free(dek);
	secbuf_free(kek);
	secbuf_free(value);
	secbuf_free(private_key);
	secbuf_free(opened);
	secbuf_free(stored_dek);
	secbuf_free(last_dek);
	box_sender_free(sender);
	box_receiver_free(receiver);
	buf_fini(&sealed);
}

TEST_MAIN()

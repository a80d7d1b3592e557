#include "envelope/envelope.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

/* docs/formats/envelope.md has the bytes of all four kinds. What is sealed with each of them is
 * bound to a label and to fields; both are only associated data and are not stored:
 *
 *   u32 length | label | version byte | u32 length | org | ... project | ... domain | ... name |
 *   further fields of the kind, of fixed width
 */
#define VALUE_LABEL "union value"
#define TRAVEL_LABEL "union travel"
#define STORED_LABEL "union stored"
#define DELIVERY_LABEL "union delivery"
#define BINDING_MAX 512
#define AGREEMENTS 64 /* senders a receiver remembers */

_Static_assert(DEK_LEN == AEAD_KEY_LEN, "a DEK is a key");

struct binding {
	uint8_t bytes[BINDING_MAX];
	size_t len;
};

static void
bind_bytes(struct binding *to, const void *bytes, size_t len)
{
	assert(len <= sizeof to->bytes - to->len);
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

static void
bind_u32(struct binding *to, uint32_t number)
{
	uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
	                    (uint8_t)(number >> 8), (uint8_t)number};

	bind_bytes(to, bytes, sizeof bytes);
}

static void
bind_text(struct binding *to, const char *text)
{
	size_t len = strlen(text);

	bind_u32(to, (uint32_t)len);
	bind_bytes(to, text, len);
}

static void
binding_init(struct binding *to, const char *label, const struct secret_id *id)
{
	static const uint8_t version = ENVELOPE_VERSION;

	to->len = 0;
	bind_text(to, label);
	bind_bytes(to, &version, 1);
	bind_text(to, id->org);
	bind_text(to, id->scope.project);
	bind_text(to, id->scope.domain);
	bind_text(to, id->name);
}

static struct aead_ad
ad_of(const struct binding *binding)
{
	return (struct aead_ad){binding->bytes, binding->len};
}

enum un_err
dek_new(struct secbuf **ret_dek)
{
	struct secbuf *dek;
	enum un_err err = secbuf_new(DEK_LEN, &dek);

	if (err)
		return err;
	random_bytes(secbuf_edit(dek), DEK_LEN);
	*ret_dek = dek;
	return UN_OK;
}

static enum un_err
check_value_len(size_t len)
{
	if (!len)
		return UN_ERR_EMPTY_VALUE;
	return len > SECRET_VALUE_MAX ? UN_ERR_VALUE_TOO_LARGE : UN_OK;
}

enum un_err
envelope_seal_value(const struct secbuf *dek, const struct secret_id *id,
                    const struct secbuf *value, struct buf *out)
{
	size_t sealed_len = secbuf_len(value) + SEALED_VALUE_OVERHEAD;
	struct binding binding;
	enum un_err err = check_value_len(secbuf_len(value));

	if (err)
		return err;
	err = buf_reserve(out, sealed_len);
	if (err)
		return err;
	binding_init(&binding, VALUE_LABEL, id);
	out->data[out->len] = ENVELOPE_VERSION;
	err = aead_seal(dek, ad_of(&binding), secbuf_peek(value), secbuf_len(value),
	                out->data + out->len + 1);
	if (err)
		return err;
	buf_added(out, sealed_len);
	return UN_OK;
}

enum un_err
envelope_check_value(const uint8_t *sealed, size_t len)
{
	if (len < SEALED_VALUE_OVERHEAD || sealed[0] != ENVELOPE_VERSION)
		return UN_ERR_PROTOCOL;
	return check_value_len(len - SEALED_VALUE_OVERHEAD);
}

enum un_err
envelope_open_value(const struct secbuf *dek, const struct secret_id *id, const uint8_t *sealed,
                    size_t len, struct secbuf **ret_value)
{
	struct binding binding;

	if (envelope_check_value(sealed, len))
		return UN_ERR_NOT_AUTHENTIC;
	binding_init(&binding, VALUE_LABEL, id);
	return aead_open(dek, ad_of(&binding), sealed + 1, len - 1, ret_value);
}

struct box_sender {
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct secbuf *key;
};

enum un_err
box_sender_new(const uint8_t receiver_public[BOX_PUBLIC_LEN], struct box_sender **ret_sender)
{
	struct box_sender *sender = mem_zalloc(1, sizeof *sender);
	struct secbuf *private_key = NULL;
	enum un_err err;

	if (!sender)
		return UN_ERR_NO_MEMORY;
	err = box_keypair(&private_key, sender->public_key);
	if (err)
		goto out;
	err = box_key_as_sender(private_key, receiver_public, &sender->key);
	if (err)
		goto out;
	*ret_sender = sender;
	sender = NULL;
out:
	secbuf_free(private_key); /* served its one agreement */
	box_sender_free(sender);
	return err;
}

void
box_sender_free(struct box_sender *sender)
{
	if (!sender)
		return;
	secbuf_free(sender->key);
	mem_free(sender);
}

struct agreement {
	uint8_t sender[BOX_PUBLIC_LEN];
	struct secbuf *key; /* NULL: the place is free */
	uint64_t last_used;
};

struct box_receiver {
	struct secbuf *private_key;
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct agreement agreements[AGREEMENTS];
	uint64_t uses;
};

enum un_err
box_receiver_new(const struct secbuf *private_key, struct box_receiver **ret_receiver)
{
	struct box_receiver *receiver = mem_zalloc(1, sizeof *receiver);
	enum un_err err;

	if (!receiver)
		return UN_ERR_NO_MEMORY;
	err = box_public_of(private_key, receiver->public_key);
	if (!err)
		err = secbuf_copy(secbuf_peek(private_key), secbuf_len(private_key),
		                  &receiver->private_key);
	if (err) {
		box_receiver_free(receiver);
		return err;
	}
	*ret_receiver = receiver;
	return UN_OK;
}

void
box_receiver_free(struct box_receiver *receiver)
{
	if (!receiver)
		return;
	for (size_t i = 0; i < AGREEMENTS; i++)
		secbuf_free(receiver->agreements[i].key);
	secbuf_free(receiver->private_key);
	mem_free(receiver);
}

/* The key agreed with `sender`, remembered or computed anew in the place used longest ago. Lent. */
static enum un_err
agreed_key(struct box_receiver *receiver, const uint8_t *sender, const struct secbuf **ret_key)
{
	struct agreement *oldest = &receiver->agreements[0];
	struct secbuf *key;
	enum un_err err;

	for (size_t i = 0; i < AGREEMENTS; i++) {
		struct agreement *one = &receiver->agreements[i];

		if (one->key && bytes_equal(one->sender, sender, BOX_PUBLIC_LEN)) {
			one->last_used = ++receiver->uses;
			*ret_key = one->key;
			return UN_OK;
		}
		if (one->last_used < oldest->last_used)
			oldest = one;
	}
	err = box_key_as_known(receiver->private_key, receiver->public_key, sender, &key);
	if (err)
		return err;
	secbuf_free(oldest->key);
	memcpy(oldest->sender, sender, BOX_PUBLIC_LEN);
	oldest->key = key;
	oldest->last_used = ++receiver->uses;
	*ret_key = key;
	return UN_OK;
}

/* version (1) | sender's public key (32) | nonce (24) | DEK (32) | tag (16) */
static enum un_err
seal_boxed(const struct box_sender *sender, const struct binding *binding, const struct secbuf *dek,
           uint8_t *ret_sealed)
{
	assert(secbuf_len(dek) == DEK_LEN);
	ret_sealed[0] = ENVELOPE_VERSION;
	memcpy(ret_sealed + 1, sender->public_key, BOX_PUBLIC_LEN);
	return aead_seal(sender->key, ad_of(binding), secbuf_peek(dek), DEK_LEN,
	                 ret_sealed + 1 + BOX_PUBLIC_LEN);
}

static enum un_err
open_boxed(struct box_receiver *receiver, const struct binding *binding, const uint8_t *sealed,
           size_t len, struct secbuf **ret_dek)
{
	const struct secbuf *key;
	enum un_err err;

	if (len != TRAVEL_DEK_LEN || sealed[0] != ENVELOPE_VERSION)
		return UN_ERR_NOT_AUTHENTIC;
	err = agreed_key(receiver, sealed + 1, &key);
	if (err)
		return err;
	return aead_open(key, ad_of(binding), sealed + 1 + BOX_PUBLIC_LEN, len - 1 - BOX_PUBLIC_LEN,
	                 ret_dek);
}

enum un_err
envelope_seal_travel(const struct box_sender *sender, const struct secret_id *id,
                     const struct secbuf *dek, uint8_t ret_sealed[TRAVEL_DEK_LEN])
{
	struct binding binding;

	binding_init(&binding, TRAVEL_LABEL, id);
	return seal_boxed(sender, &binding, dek, ret_sealed);
}

enum un_err
envelope_open_travel(struct box_receiver *receiver, const struct secret_id *id,
                     const uint8_t *sealed, size_t len, struct secbuf **ret_dek)
{
	struct binding binding;

	binding_init(&binding, TRAVEL_LABEL, id);
	return open_boxed(receiver, &binding, sealed, len, ret_dek);
}

static void
binding_of_stored(struct binding *to, uint32_t generation, const struct secret_id *id,
                  uint32_t version)
{
	binding_init(to, STORED_LABEL, id);
	bind_u32(to, generation);
	bind_u32(to, version);
}

/* version (1) | generation (4) | nonce (24) | DEK (32) | tag (16) */
enum un_err
envelope_seal_stored(const struct secbuf *kek, uint32_t generation, const struct secret_id *id,
                     uint32_t version, const struct secbuf *dek, uint8_t ret_sealed[STORED_DEK_LEN])
{
	struct binding binding;

	assert(secbuf_len(dek) == DEK_LEN);
	binding_of_stored(&binding, generation, id, version);
	ret_sealed[0] = ENVELOPE_VERSION;
	for (unsigned i = 0; i < 4; i++)
		ret_sealed[1 + i] = (uint8_t)(generation >> (24 - 8 * i));
	return aead_seal(kek, ad_of(&binding), secbuf_peek(dek), DEK_LEN, ret_sealed + 5);
}

enum un_err
envelope_stored_generation(const uint8_t *sealed, size_t len, uint32_t *ret_generation)
{
	if (len != STORED_DEK_LEN || sealed[0] != ENVELOPE_VERSION)
		return UN_ERR_PROTOCOL;
	*ret_generation = (uint32_t)sealed[1] << 24 | (uint32_t)sealed[2] << 16 |
	                  (uint32_t)sealed[3] << 8 | sealed[4];
	return UN_OK;
}

enum un_err
envelope_open_stored(const struct secbuf *kek, const struct secret_id *id, uint32_t version,
                     const uint8_t *sealed, size_t len, struct secbuf **ret_dek)
{
	struct binding binding;
	uint32_t generation;

	if (envelope_stored_generation(sealed, len, &generation))
		return UN_ERR_NOT_AUTHENTIC;
	binding_of_stored(&binding, generation, id, version);
	return aead_open(kek, ad_of(&binding), sealed + 5, len - 5, ret_dek);
}

static void
binding_of_delivery(struct binding *to, const struct delivery *delivery)
{
	binding_init(to, DELIVERY_LABEL, delivery->id);
	bind_u32(to, delivery->version);
	bind_bytes(to, delivery->attempt, ATTEMPT_ID_LEN);
}

enum un_err
envelope_seal_delivery(const struct box_sender *sender, const struct delivery *to,
                       const struct secbuf *dek, uint8_t ret_sealed[DELIVERED_DEK_LEN])
{
	struct binding binding;

	binding_of_delivery(&binding, to);
	return seal_boxed(sender, &binding, dek, ret_sealed);
}

enum un_err
envelope_open_delivery(struct box_receiver *receiver, const struct delivery *to,
                       const uint8_t *sealed, size_t len, struct secbuf **ret_dek)
{
	struct binding binding;

	binding_of_delivery(&binding, to);
	return open_boxed(receiver, &binding, sealed, len, ret_dek);
}

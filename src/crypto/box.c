#include "crypto/box.h"

#include "crypto/aead.h"

#include <assert.h>
#include <sodium.h>

#define LABEL "union box 1"

_Static_assert(BOX_PUBLIC_LEN == crypto_scalarmult_BYTES, "point length");
_Static_assert(BOX_PRIVATE_LEN == crypto_scalarmult_SCALARBYTES, "scalar length");

enum un_err
box_public_of(const struct secbuf *private_key, uint8_t ret_public[BOX_PUBLIC_LEN])
{
	assert(secbuf_len(private_key) == BOX_PRIVATE_LEN);
	if (crypto_scalarmult_base(ret_public, secbuf_peek(private_key)) != 0)
		return UN_ERR_NOT_AUTHENTIC;
	return UN_OK;
}

enum un_err
box_keypair(struct secbuf **ret_private, uint8_t ret_public[BOX_PUBLIC_LEN])
{
	struct secbuf *private_key;
	enum un_err err = secbuf_new(BOX_PRIVATE_LEN, &private_key);

	if (err)
		return err;
	randombytes_buf(secbuf_edit(private_key), BOX_PRIVATE_LEN);
	err = box_public_of(private_key, ret_public);
	if (err) {
		secbuf_free(private_key);
		return err;
	}
	*ret_private = private_key;
	return UN_OK;
}

/* The public keys go into the hash: a key agreed with one pair opens nothing of another. */
static void
hash_agreement(const struct secbuf *point, const uint8_t *sender_public,
               const uint8_t *receiver_public, struct secbuf *key)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, secbuf_peek(point), secbuf_len(point), AEAD_KEY_LEN);
	(void)crypto_generichash_update(&state, (const uint8_t *)LABEL, sizeof LABEL - 1);
	(void)crypto_generichash_update(&state, sender_public, BOX_PUBLIC_LEN);
	(void)crypto_generichash_update(&state, receiver_public, BOX_PUBLIC_LEN);
	(void)crypto_generichash_final(&state, secbuf_edit(key), AEAD_KEY_LEN);
	sodium_memzero(&state, sizeof state);
}

static enum un_err
agree(const struct secbuf *own_private, const uint8_t *own_public, const uint8_t *peer_public,
      bool own_is_sender, struct secbuf **ret_key)
{
	struct secbuf *point = NULL, *key = NULL;
	enum un_err err;

	err = secbuf_new(crypto_scalarmult_BYTES, &point);
	if (err)
		goto out;
	err = secbuf_new(AEAD_KEY_LEN, &key);
	if (err)
		goto out;
	if (crypto_scalarmult(secbuf_edit(point), secbuf_peek(own_private), peer_public) != 0) {
		err = UN_ERR_NOT_AUTHENTIC;
		goto out;
	}
	hash_agreement(point, own_is_sender ? own_public : peer_public,
	               own_is_sender ? peer_public : own_public, key);
	*ret_key = key;
	key = NULL;
out:
	secbuf_free(point);
	secbuf_free(key);
	return err;
}

enum un_err
box_key_as_sender(const struct secbuf *sender_private,
                  const uint8_t receiver_public[BOX_PUBLIC_LEN], struct secbuf **ret_key)
{
	uint8_t sender_public[BOX_PUBLIC_LEN];
	enum un_err err = box_public_of(sender_private, sender_public);

	if (err)
		return err;
	return agree(sender_private, sender_public, receiver_public, true, ret_key);
}

enum un_err
box_key_as_known(const struct secbuf *receiver_private,
                 const uint8_t receiver_public[BOX_PUBLIC_LEN],
                 const uint8_t sender_public[BOX_PUBLIC_LEN], struct secbuf **ret_key)
{
	return agree(receiver_private, receiver_public, sender_public, false, ret_key);
}

enum un_err
box_key_as_receiver(const struct secbuf *receiver_private,
                    const uint8_t sender_public[BOX_PUBLIC_LEN], struct secbuf **ret_key)
{
	uint8_t receiver_public[BOX_PUBLIC_LEN];
	enum un_err err = box_public_of(receiver_private, receiver_public);

	if (err)
		return err;
	return box_key_as_known(receiver_private, receiver_public, sender_public, ret_key);
}

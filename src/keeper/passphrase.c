#include "keeper/passphrase.h"

#include "base/pack.h"
#include "crypto/hash.h"
#include "keeper/secret_buf.h"

#define SEALED_VERSION 1
#define AD_LABEL "union passphrase 1 "

struct purpose_ad {
	char text[sizeof AD_LABEL];
};

/* The label with the purpose as its last byte: '1' or '2'. */
static struct aead_ad
bind_purpose(enum passphrase_purpose purpose, struct purpose_ad *ad)
{
	*ad = (struct purpose_ad){AD_LABEL};
	ad->text[sizeof AD_LABEL - 1] = (char)('0' + (int)purpose);
	return (struct aead_ad){ad->text, sizeof ad->text};
}

enum un_err
passphrase_check(const struct secbuf *passphrase, struct un_detail *detail)
{
	size_t len = secbuf_len(passphrase);

	if (len >= PASSPHRASE_MIN && len <= PASSPHRASE_MAX)
		return UN_OK;
	return un_fail(detail, UN_ERR_RANGE, "a passphrase has %d to %d bytes", PASSPHRASE_MIN,
	               PASSPHRASE_MAX);
}

/* Salt, cost and the root that follows: what the ring of a backup is sealed under. */
static enum un_err
derive_backup_root(const struct secbuf *passphrase, struct secbuf **ret_plain)
{
	struct secbuf *plain = NULL, *root = NULL;
	struct kdf_cost cost = KDF_COST_DEFAULT;
	uint8_t salt[KDF_SALT_LEN];
	struct buf out;
	enum un_err err = secbuf_new(BACKUP_PARAMS_LEN + BACKUP_ROOT_LEN + 1, &plain);

	if (err)
		return err;
	random_bytes(salt, sizeof salt);
	err = kdf_passphrase(passphrase, salt, cost, &root);
	if (err)
		goto out;
	out = secret_buf_over(plain);
	err = buf_append(&out, salt, sizeof salt);
	if (err == UN_OK)
		err = pack_u32(&out, cost.passes);
	if (err == UN_OK)
		err = pack_u32(&out, cost.memory_kib);
	if (err == UN_OK)
		err = buf_append(&out, secbuf_peek(root), BACKUP_ROOT_LEN);
	if (err)
		goto out;
	secbuf_shrink(plain, out.len);
	*ret_plain = plain;
	plain = NULL;
out:
	secbuf_free(root);
	secbuf_free(plain);
	return err;
}

static enum un_err
seal_plain(const uint8_t start_public[BOX_PUBLIC_LEN], enum passphrase_purpose purpose,
           const struct secbuf *plain, struct buf *out)
{
	struct secbuf *private_key = NULL, *key = NULL;
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct purpose_ad ad;
	size_t start = out->len, len = secbuf_len(plain);
	enum un_err err = box_keypair(&private_key, public_key);

	if (err)
		return err;
	err = box_key_as_sender(private_key, start_public, &key);
	if (err)
		goto out;
	err = buf_append_byte(out, SEALED_VERSION);
	if (err)
		goto out;
	err = buf_append(out, public_key, sizeof public_key);
	if (err)
		goto out;
	err = buf_reserve(out, len + AEAD_OVERHEAD);
	if (err)
		goto out;
	err = aead_seal(key, bind_purpose(purpose, &ad), secbuf_peek(plain), len,
	                out->data + out->len);
	if (err)
		goto out;
	buf_added(out, len + AEAD_OVERHEAD);
out:
	if (err)
		out->len = start;
	secbuf_free(key);
	secbuf_free(private_key);
	return err;
}

enum un_err
passphrase_seal(const uint8_t start_public[BOX_PUBLIC_LEN], enum passphrase_purpose purpose,
                const struct secbuf *passphrase, struct buf *out)
{
	size_t len = secbuf_len(passphrase);
	struct secbuf *plain = NULL;
	enum un_err err;

	if (purpose == PASSPHRASE_UNLOCK)
		return len && len <= PASSPHRASE_MAX
		               ? seal_plain(start_public, purpose, passphrase, out)
		               : UN_ERR_RANGE;
	err = passphrase_check(passphrase, NULL);
	if (err)
		return err;
	err = derive_backup_root(passphrase, &plain);
	if (err)
		return err;
	err = seal_plain(start_public, purpose, plain, out);
	secbuf_free(plain);
	return err;
}

enum un_err
passphrase_open(const struct secbuf *start_private, enum passphrase_purpose purpose,
                const uint8_t *sealed, size_t len, struct secbuf **ret_plain)
{
	struct secbuf *key = NULL;
	struct purpose_ad ad;
	enum un_err err;

	if (len < SEALED_PASSPHRASE_OVERHEAD + 1 || len > SEALED_PASSPHRASE_MAX ||
	    sealed[0] != SEALED_VERSION)
		return UN_ERR_PROTOCOL;
	if (purpose == PASSPHRASE_BACKUP && len != BACKUP_SEALED_LEN)
		return UN_ERR_PROTOCOL;
	err = box_key_as_receiver(start_private, sealed + 1, &key);
	if (err)
		return err;
	err = aead_open(key, bind_purpose(purpose, &ad), sealed + 1 + BOX_PUBLIC_LEN,
	                len - 1 - BOX_PUBLIC_LEN, ret_plain);
	secbuf_free(key);
	return err;
}

#include "keeper/keyring.h"

#include "base/alloc.h"
#include "base/pack.h"
#include "crypto/hash.h"
#include "keeper/secret_buf.h"

#include <string.h>

#define PLAIN_VERSION 1

struct generation {
	uint32_t number;
	int64_t created_us;
	struct secbuf *kek;
};

struct keyring {
	struct secbuf *plane_private;
	struct secbuf *ticket_root;
	struct secbuf *derived[KEYRING_PURPOSES]; /* from the ticket root */
	uint8_t plane_public[BOX_PUBLIC_LEN];
	size_t count;
	struct generation generations[KEYRING_GENERATIONS_MAX]; /* rising numbers */
};

void
keyring_free(struct keyring *ring)
{
	if (!ring)
		return;
	for (size_t i = 0; i < ring->count; i++)
		secbuf_free(ring->generations[i].kek);
	for (size_t i = 0; i < KEYRING_PURPOSES; i++)
		secbuf_free(ring->derived[i]);
	secbuf_free(ring->ticket_root);
	secbuf_free(ring->plane_private);
	mem_free(ring);
}

static enum un_err
random_key(struct secbuf **ret_key)
{
	enum un_err err = secbuf_new(KEYRING_KEY_LEN, ret_key);

	if (err == UN_OK)
		random_bytes(secbuf_edit(*ret_key), KEYRING_KEY_LEN);
	return err;
}

/* What follows from the stored keys. */
static enum un_err
derive_rest(struct keyring *ring)
{
	static const char *const purposes[KEYRING_PURPOSES] = {
	        [KEYRING_TICKETS] = "union ticket key 1",
	        [KEYRING_CREDENTIALS] = "union credential key 1",
	        [KEYRING_HEADS] = "union audit key 1",
	};
	enum un_err err = box_public_of(ring->plane_private, ring->plane_public);

	for (size_t i = 0; err == UN_OK && i < KEYRING_PURPOSES; i++)
		err = kdf_derive(ring->ticket_root, purposes[i], &ring->derived[i]);
	return err;
}

static enum un_err
add_generation(struct keyring *ring, int64_t now_us)
{
	struct generation *one = &ring->generations[ring->count];
	enum un_err err;

	if (ring->count == KEYRING_GENERATIONS_MAX)
		return UN_ERR_TOO_LARGE;
	err = random_key(&one->kek);
	if (err)
		return err;
	one->number = ring->count ? one[-1].number + 1 : 1;
	one->created_us = now_us;
	ring->count++;
	return UN_OK;
}

enum un_err
keyring_new(int64_t now_us, struct keyring **ret_ring)
{
	struct keyring *ring = mem_zalloc(1, sizeof *ring);
	uint8_t unused[BOX_PUBLIC_LEN];
	enum un_err err;

	if (!ring)
		return UN_ERR_NO_MEMORY;
	err = box_keypair(&ring->plane_private, unused);
	if (err)
		goto out;
	err = random_key(&ring->ticket_root);
	if (err)
		goto out;
	err = derive_rest(ring);
	if (err)
		goto out;
	err = add_generation(ring, now_us);
	if (err)
		goto out;
	*ret_ring = ring;
	ring = NULL;
out:
	keyring_free(ring);
	return err;
}

static enum un_err
pack_ring(const struct keyring *ring, struct buf *out)
{
	enum un_err err = pack_u8(out, PLAIN_VERSION);

	if (err == UN_OK)
		err = buf_append(out, secbuf_peek(ring->plane_private), KEYRING_KEY_LEN);
	if (err == UN_OK)
		err = buf_append(out, secbuf_peek(ring->ticket_root), KEYRING_KEY_LEN);
	if (err == UN_OK)
		err = pack_u16(out, (uint16_t)ring->count);
	for (size_t i = 0; err == UN_OK && i < ring->count; i++) {
		const struct generation *one = &ring->generations[i];

		err = pack_u32(out, one->number);
		if (err == UN_OK)
			err = pack_u64(out, (uint64_t)one->created_us);
		if (err == UN_OK)
			err = buf_append(out, secbuf_peek(one->kek), KEYRING_KEY_LEN);
	}
	return err;
}

enum un_err
keyring_pack(const struct keyring *ring, struct secbuf **ret_plain)
{
	struct secbuf *plain = NULL;
	struct buf out;
	enum un_err err = secbuf_new(KEYRING_PLAIN_MAX + 1, &plain);

	if (err)
		return err;
	out = secret_buf_over(plain);
	err = pack_ring(ring, &out);
	if (err == UN_OK) {
		secbuf_shrink(plain, out.len);
		*ret_plain = plain;
		plain = NULL;
	}
	secbuf_free(plain);
	return err;
}

static enum un_err
take_key(struct unpack *in, struct secbuf **ret_key)
{
	const uint8_t *bytes = unpack_fixed(in, KEYRING_KEY_LEN);

	return bytes ? secbuf_copy(bytes, KEYRING_KEY_LEN, ret_key) : UN_ERR_PROTOCOL;
}

static enum un_err
unpack_generations(struct unpack *in, struct keyring *ring)
{
	size_t count = unpack_u16(in);
	uint32_t last = 0;
	enum un_err err;

	if (count == 0 || count > KEYRING_GENERATIONS_MAX)
		return UN_ERR_PROTOCOL;
	for (size_t i = 0; i < count; i++) {
		struct generation *one = &ring->generations[i];

		one->number = unpack_u32(in);
		one->created_us = (int64_t)unpack_u64(in);
		if (one->number <= last)
			return UN_ERR_PROTOCOL;
		last = one->number;
		err = take_key(in, &one->kek);
		if (err)
			return err;
		ring->count++;
	}
	return UN_OK;
}

enum un_err
keyring_unpack(const struct secbuf *plain, struct keyring **ret_ring)
{
	struct keyring *ring = mem_zalloc(1, sizeof *ring);
	struct unpack in;
	enum un_err err;

	if (!ring)
		return UN_ERR_NO_MEMORY;
	unpack_init(&in, secbuf_peek(plain), secbuf_len(plain));
	err = unpack_u8(&in) == PLAIN_VERSION ? UN_OK : UN_ERR_PROTOCOL;
	if (err == UN_OK)
		err = take_key(&in, &ring->plane_private);
	if (err == UN_OK)
		err = take_key(&in, &ring->ticket_root);
	if (err == UN_OK)
		err = unpack_generations(&in, ring);
	if (err == UN_OK)
		err = unpack_end(&in);
	if (err == UN_OK)
		err = derive_rest(ring);
	if (err == UN_OK) {
		*ret_ring = ring;
		ring = NULL;
	}
	keyring_free(ring);
	return err;
}

enum un_err
keyring_grown(const struct keyring *ring, int64_t now_us, struct keyring **ret_ring)
{
	struct secbuf *plain = NULL;
	struct keyring *grown = NULL;
	enum un_err err = keyring_pack(ring, &plain);

	if (err)
		return err;
	err = keyring_unpack(plain, &grown);
	if (err)
		goto out;
	err = add_generation(grown, now_us);
	if (err)
		goto out;
	*ret_ring = grown;
	grown = NULL;
out:
	keyring_free(grown);
	secbuf_free(plain);
	return err;
}

uint32_t
keyring_newest(const struct keyring *ring)
{
	return ring->generations[ring->count - 1].number;
}

const struct secbuf *
keyring_kek(const struct keyring *ring, uint32_t generation)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ring->generations[middle].number == generation)
			return ring->generations[middle].kek;
		if (ring->generations[middle].number < generation)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct secbuf *
keyring_plane_private(const struct keyring *ring)
{
	return ring->plane_private;
}

void
keyring_plane_public(const struct keyring *ring, uint8_t ret_public[BOX_PUBLIC_LEN])
{
	memcpy(ret_public, ring->plane_public, BOX_PUBLIC_LEN);
}

const struct secbuf *
keyring_derived(const struct keyring *ring, enum keyring_purpose purpose)
{
	return ring->derived[purpose];
}

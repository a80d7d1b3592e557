/* keyring.h - the keys of a plane: one KEK a generation, the plane's X25519 key, the ticket root.
 *
 * A ring always has at least one generation; the newest seals, all of them open. Bytes are
 * specified in docs/formats/keyring.md. Not thread safe: a ring belongs to the keeper's loop. */
#ifndef KEEPER_KEYRING_H
#define KEEPER_KEYRING_H

#include "base/err.h"
#include "crypto/box.h"
#include "crypto/secbuf.h"

#include <stdint.h>

#define KEYRING_GENERATIONS_MAX 512
#define KEYRING_KEY_LEN 32
#define KEYRING_PLAIN_MAX (1 + 2 * KEYRING_KEY_LEN + 2 + KEYRING_GENERATIONS_MAX * (4 + 8 + 32))

struct keyring;

/* A fresh ring with generation 1. */
MUST_CHECK enum un_err keyring_new(int64_t now_us, struct keyring **ret_ring);
void keyring_free(struct keyring *ring); /* wipes; NULL is fine */

/* The plain bytes of a ring, to be sealed. */
MUST_CHECK enum un_err keyring_pack(const struct keyring *ring, struct secbuf **ret_plain);
/* UN_ERR_PROTOCOL unless it is exactly one ring with generations in rising order. */
MUST_CHECK enum un_err keyring_unpack(const struct secbuf *plain, struct keyring **ret_ring);

/* A copy with one more generation, so that the old ring stays in use until the new one is durable.
 * UN_ERR_TOO_LARGE at KEYRING_GENERATIONS_MAX. */
MUST_CHECK enum un_err keyring_grown(const struct keyring *ring, int64_t now_us,
                                     struct keyring **ret_ring);

uint32_t keyring_newest(const struct keyring *ring);
/* Lends the KEK of `generation`; NULL when the ring has none. */
const struct secbuf *keyring_kek(const struct keyring *ring, uint32_t generation);
const struct secbuf *keyring_plane_private(const struct keyring *ring);
void keyring_plane_public(const struct keyring *ring, uint8_t ret_public[BOX_PUBLIC_LEN]);
/* Lends a key that follows from the root in the ring. The root never changes, so neither do these:
 * a rotation of KEKs leaves tickets, hashes of credentials and signatures good. */
enum keyring_purpose {
	KEYRING_TICKETS,
	KEYRING_CREDENTIALS, /* hashes the secrets of API keys, and nothing else */
	KEYRING_HEADS,       /* the seed of the key that signs heads of the audit trail */
	KEYRING_PURPOSES,
};
const struct secbuf *keyring_derived(const struct keyring *ring, enum keyring_purpose purpose);

#endif

/* passphrase.h - a passphrase, or what follows from it, on its way from a person to the keeper.
 *
 * Sealed by the person's client to the X25519 key that the keeper made at this start, so uniond
 * carries what it cannot open, and a recorded message is worth nothing after the keeper's end. The
 * purpose is bound: what was meant for a backup does not unlock. To unlock, the passphrase itself
 * travels; for a backup only the root that follows from it, so that it never leaves the client and
 * the keeper, which serves everybody, does not stop for Argon2id. docs/formats/keyring.md. */
#ifndef KEEPER_PASSPHRASE_H
#define KEEPER_PASSPHRASE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/box.h"
#include "crypto/hash.h"
#include "crypto/secbuf.h"

#define PASSPHRASE_MIN 8
#define PASSPHRASE_MAX 1024
#define SEALED_PASSPHRASE_OVERHEAD (1 + BOX_PUBLIC_LEN + AEAD_OVERHEAD)
#define SEALED_PASSPHRASE_MAX (SEALED_PASSPHRASE_OVERHEAD + PASSPHRASE_MAX)

enum passphrase_purpose {
	PASSPHRASE_UNLOCK = 1,
	PASSPHRASE_BACKUP = 2,
};

#define BACKUP_PARAMS_LEN (KDF_SALT_LEN + 8) /* salt, passes u32, memory in KiB u32 */
#define BACKUP_ROOT_LEN 32
#define BACKUP_SEALED_LEN (SEALED_PASSPHRASE_OVERHEAD + BACKUP_PARAMS_LEN + BACKUP_ROOT_LEN)

/* For one that shall protect a ring from now on: UN_ERR_RANGE unless it has PASSPHRASE_MIN to
 * PASSPHRASE_MAX bytes. */
MUST_CHECK enum un_err passphrase_check(const struct secbuf *passphrase, struct un_detail *detail);
/* Appends the sealed passphrase. Runs in the client; takes the time of an Argon2id for a backup.
 * UN_ERR_RANGE for one that passphrase_check refuses; to unlock, only for an empty one or one over
 * PASSPHRASE_MAX: one that is merely short may be tried, it is wrong like any other. */
MUST_CHECK enum un_err passphrase_seal(const uint8_t start_public[BOX_PUBLIC_LEN],
                                       enum passphrase_purpose purpose,
                                       const struct secbuf *passphrase, struct buf *out);
/* What was sealed: the passphrase, or for a backup params and root, one behind the other.
 * UN_ERR_NOT_AUTHENTIC; UN_ERR_PROTOCOL for wrong lengths or version. */
MUST_CHECK enum un_err passphrase_open(const struct secbuf *start_private,
                                       enum passphrase_purpose purpose, const uint8_t *sealed,
                                       size_t len, struct secbuf **ret_plain);

#endif

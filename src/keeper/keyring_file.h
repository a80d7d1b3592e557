/* keyring_file.h - the key ring at rest: <data>/keys/ring, sealed under a provider's root.
 *
 * The file is replaced at one instant, so a crash at any step leaves the old ring or the new one,
 * whole. An export for a backup has the same bytes under the passphrase provider.
 * docs/formats/keyring.md. Runs in the keeper, and in `uniond` only for import. Not thread safe. */
#ifndef KEEPER_KEYRING_FILE_H
#define KEEPER_KEYRING_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/box.h"
#include "crypto/secbuf.h"
#include "keeper/key_provider.h"
#include "keeper/keyring.h"

#define KEYRING_FILE "ring"
#define KEYRING_FILE_MAX (64 * 1024)

/* What the header says in the clear, and where the sealed ring is. Lent from the file's bytes. */
struct keyring_header {
	const struct key_provider *provider;
	uint32_t newest;
	uint8_t plane_public[BOX_PUBLIC_LEN];
	const uint8_t *params;
	size_t params_len;
	const uint8_t *sealed;
	size_t sealed_len;
	size_t bound_len; /* bytes of the header, bound as associated data */
};

/* UN_ERR_NOT_AUTHENTIC: not a key ring, or damaged. UN_ERR_UNSUPPORTED: a newer version or a
 * provider this build does not have. */
MUST_CHECK enum un_err keyring_header_unpack(const uint8_t *bytes, size_t len,
                                             struct un_detail *detail,
                                             struct keyring_header *ret_header);

/* How a ring is sealed: made by create or open, kept to seal the ring again after a rotation. */
struct keyring_seal {
	const struct key_provider *provider;
	struct buf params;
	struct secbuf *root;
};
void keyring_seal_fini(struct keyring_seal *seal); /* wipes; zero-initialised is fine */

/* A new root of `provider`. On failure nothing is left in *ret_seal. */
MUST_CHECK enum un_err keyring_seal_create(const struct key_provider *provider,
                                           const struct key_provider_env *env,
                                           struct keyring_seal *ret_seal);
/* From a root that its owner derived, as an export's is: `params` and `root` are copied.
 * UN_ERR_INVALID unless the provider could find the root by `params` again. */
MUST_CHECK enum un_err keyring_seal_from(const struct key_provider *provider,
                                         const uint8_t *params, size_t params_len,
                                         const uint8_t root[KEYRING_KEY_LEN],
                                         struct keyring_seal *ret_seal);
/* Opens a ring. UN_ERR_WRONG_PASSPHRASE (only where a passphrase is what opens it),
 * UN_ERR_NOT_AUTHENTIC, UN_ERR_SEALED when there is no passphrase. */
MUST_CHECK enum un_err keyring_file_open(const uint8_t *bytes, size_t len,
                                         const struct key_provider_env *env,
                                         struct keyring_seal *ret_seal, struct keyring **ret_ring);
/* Appends the file's bytes. */
MUST_CHECK enum un_err keyring_file_pack(const struct keyring *ring,
                                         const struct keyring_seal *seal, struct buf *out);
/* Makes it the ring of the folder: durable when it returns UN_OK, the old one otherwise. */
MUST_CHECK enum un_err keyring_file_write(int dir_fd, const struct keyring *ring,
                                          const struct keyring_seal *seal,
                                          struct un_detail *detail);
/* UN_ERR_NOT_FOUND when there is none; checks owner and mode. */
MUST_CHECK enum un_err keyring_file_read(int dir_fd, struct un_detail *detail, struct buf *out);

/* Removes what a crash left of half-written files. */
void keyring_dir_clean(int dir_fd);
/* The folder of the keys: made with mode 0700 if missing; UN_ERR_DENIED when others may write into
 * it or it is somebody else's. The caller closes *ret_dir_fd. */
MUST_CHECK enum un_err keyring_dir_open(const char *path, struct un_detail *detail,
                                        int *ret_dir_fd);

/* How an exported ring becomes the ring of a plane, at `union restore`. */
struct keyring_import {
	int dir_fd;
	const struct key_provider *provider; /* that shall keep it from now on */
	const struct secbuf *passphrase;     /* new one of the passphrase provider, else NULL */
	bool replace;                        /* else UN_ERR_EXISTS when the folder has a ring */
};
MUST_CHECK enum un_err keyring_import(const struct keyring_import *to, const uint8_t *bytes,
                                      size_t len, const struct secbuf *backup_passphrase,
                                      struct un_detail *detail);

#endif

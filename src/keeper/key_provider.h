/* key_provider.h - who keeps the unseal root, the one key that the key ring file is sealed under.
 *
 * A provider makes a root, and finds it again from the few bytes (`params`) that stand in the clear
 * in the ring file's header: a salt, a label, a blob that a TPM or a PKCS#11 token has sealed, the
 * name of a systemd credential. It never sees the ring. Runs in the keeper only, before its sandbox
 * closes, except that a provider which needs a passphrase may run later and then touches no file.
 */
#ifndef KEEPER_KEY_PROVIDER_H
#define KEEPER_KEY_PROVIDER_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/secbuf.h"

#include <stdbool.h>

#define KEY_PROVIDER_PARAMS_MAX 2048
#define KEY_PROVIDER_TEXT_MAX 64

enum key_provider_id { /* in files: never renumbered */
	KEY_PROVIDER_FILE = 1,
	KEY_PROVIDER_PASSPHRASE = 2,
};

/* What a provider may use. All lent. */
struct key_provider_env {
	int dir_fd;                      /* the folder of the keys */
	const struct secbuf *passphrase; /* NULL: not given (yet) */
	struct un_detail *detail;
};

struct key_provider {
	enum key_provider_id id;
	const char *name; /* "file"; in configuration and `union info` */
	bool needs_passphrase;
	/* A new root, durable where the provider keeps it; appends the params to find it by. */
	enum un_err (*create)(const struct key_provider_env *env, struct buf *params,
	                      struct secbuf **ret_root);
	/* The root again. A wrong passphrase cannot be told here: the ring does not open then. */
	enum un_err (*load)(const struct key_provider_env *env, const uint8_t *params, size_t len,
	                    struct secbuf **ret_root);
	bool (*accepts)(const uint8_t *params, size_t len); /* whether load could use them */
	/* For people: "file, mode 0600", "passphrase (Argon2id, 64 MiB, 3 passes)". */
	void (*describe)(const uint8_t *params, size_t len, char text[KEY_PROVIDER_TEXT_MAX]);
};

/* NULL when there is none. */
const struct key_provider *key_provider_by_name(const char *name);
const struct key_provider *key_provider_by_id(uint8_t id);

/* Opens a file of the keys folder for reading. UN_ERR_DENIED, with the way out as a hint, unless it
 * is a regular file of this user that nobody else may read or write. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err key_file_open(int dir_fd, const char *name, struct un_detail *detail,
                                     int *ret_fd);

#endif

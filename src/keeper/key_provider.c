#include "keeper/key_provider.h"

#include "base/io.h"
#include "base/pack.h"
#include "crypto/hash.h"
#include "keeper/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_LEN 32
#define ROOT_FILE "root"
#define COST_PASSES_MAX 64
#define COST_MEMORY_MIN_KIB 8192
#define COST_MEMORY_MAX_KIB (1024 * 1024)

static enum un_err
check_key_file(int fd, const char *name, struct un_detail *detail)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return un_fail_errno(detail, errno, "cannot examine key file '%s'", name);
	if (!S_ISREG(st.st_mode))
		return un_fail(detail, UN_ERR_DENIED, "key file '%s' is not a regular file", name);
	if (st.st_uid != geteuid()) {
		un_hint(detail, "give it to the user that runs the control plane: chown %ld %s",
		        (long)geteuid(), name);
		return un_fail(detail, UN_ERR_DENIED, "key file '%s' belongs to user %ld", name,
		               (long)st.st_uid);
	}
	if (st.st_mode & 077) {
		un_hint(detail, "chmod 600 %s, and rotate: others could have read it", name);
		return un_fail(detail, UN_ERR_DENIED, "key file '%s' is open to others (mode %04o)",
		               name, (unsigned)(st.st_mode & 07777));
	}
	return UN_OK;
}

enum un_err
key_file_open(int dir_fd, const char *name, struct un_detail *detail, int *ret_fd)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum un_err err;

	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open key file '%s'", name);
	err = check_key_file(fd, name, detail);
	if (err) {
		io_close(&fd);
		return err;
	}
	*ret_fd = fd;
	return UN_OK;
}

/* --- file: 32 random bytes in <data>/keys/root, mode 0600 --- */

static enum un_err
file_load(const struct key_provider_env *env, const uint8_t *params, size_t len,
          struct secbuf **ret_root)
{
	struct secbuf *root = NULL;
	int fd = -1;
	enum un_err err;

	(void)params;
	if (len != 0)
		return un_fail(env->detail, UN_ERR_PROTOCOL, "the key ring's header is damaged");
	err = key_file_open(env->dir_fd, ROOT_FILE, env->detail, &fd);
	if (err == UN_ERR_NOT_FOUND) {
		un_hint(env->detail, "put it back, or take it from a backup that has it: "
		                     "union restore --with-keys --replace-keys FILE");
		return un_fail(env->detail, UN_ERR_NOT_AUTHENTIC,
		               "key file '%s', which opens the key ring, is missing", ROOT_FILE);
	}
	if (err)
		return err;
	err = secbuf_read(fd, ROOT_LEN, &root);
	io_close(&fd);
	if (err == UN_OK && secbuf_len(root) != ROOT_LEN)
		err = UN_ERR_NOT_AUTHENTIC;
	if (err == UN_ERR_TOO_LARGE || err == UN_ERR_NOT_AUTHENTIC)
		err = un_fail(env->detail, UN_ERR_NOT_AUTHENTIC,
		              "key file '%s' is damaged: it has not %d bytes", ROOT_FILE, ROOT_LEN);
	if (err) {
		secbuf_free(root);
		return err;
	}
	*ret_root = root;
	return UN_OK;
}

/* A root without a ring is what a crash between the two left: it is used again. */
static enum un_err
file_create(const struct key_provider_env *env, struct buf *params, struct secbuf **ret_root)
{
	struct secbuf *root = NULL;
	enum un_err err;

	(void)params;
	if (faccessat(env->dir_fd, ROOT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return file_load(env, NULL, 0, ret_root);
	err = secbuf_new(ROOT_LEN, &root);
	if (err)
		return err;
	random_bytes(secbuf_edit(root), ROOT_LEN);
	err = io_replace_file(env->dir_fd, ROOT_FILE, secbuf_peek(root), ROOT_LEN, 0600);
	if (err) {
		secbuf_free(root);
		return un_fail(env->detail, err, "cannot write key file '%s'", ROOT_FILE);
	}
	*ret_root = root;
	return UN_OK;
}

static bool
file_accepts(const uint8_t *params, size_t len)
{
	(void)params;
	return len == 0;
}

static void
file_describe(const uint8_t *params, size_t len, char text[KEY_PROVIDER_TEXT_MAX])
{
	(void)params;
	(void)len;
	(void)snprintf(text, KEY_PROVIDER_TEXT_MAX, "file, readable by its owner only");
}

/* --- passphrase: Argon2id; params are the salt and the cost --- */

struct argon_params {
	const uint8_t *salt;
	struct kdf_cost cost;
};

static enum un_err
unpack_argon(const uint8_t *params, size_t len, struct argon_params *ret_params)
{
	struct unpack in;

	unpack_init(&in, params, len);
	ret_params->salt = unpack_fixed(&in, KDF_SALT_LEN);
	ret_params->cost.passes = unpack_u32(&in);
	ret_params->cost.memory_kib = unpack_u32(&in);
	if (unpack_end(&in) || ret_params->cost.passes == 0 ||
	    ret_params->cost.passes > COST_PASSES_MAX ||
	    ret_params->cost.memory_kib < COST_MEMORY_MIN_KIB ||
	    ret_params->cost.memory_kib > COST_MEMORY_MAX_KIB)
		return UN_ERR_PROTOCOL;
	return UN_OK;
}

static enum un_err
passphrase_load(const struct key_provider_env *env, const uint8_t *params, size_t len,
                struct secbuf **ret_root)
{
	struct argon_params argon;
	enum un_err err;

	if (!env->passphrase)
		return UN_ERR_SEALED;
	err = unpack_argon(params, len, &argon);
	if (err)
		return un_fail(env->detail, err, "the key ring's header is damaged");
	return kdf_passphrase(env->passphrase, argon.salt, argon.cost, ret_root);
}

static enum un_err
passphrase_create(const struct key_provider_env *env, struct buf *params, struct secbuf **ret_root)
{
	struct kdf_cost cost = KDF_COST_DEFAULT;
	uint8_t salt[KDF_SALT_LEN];
	enum un_err err;

	if (!env->passphrase)
		return UN_ERR_SEALED;
	err = passphrase_check(env->passphrase, env->detail);
	if (err)
		return err;
	random_bytes(salt, sizeof salt);
	err = buf_append(params, salt, sizeof salt);
	if (err == UN_OK)
		err = pack_u32(params, cost.passes);
	if (err == UN_OK)
		err = pack_u32(params, cost.memory_kib);
	if (err == UN_OK)
		err = kdf_passphrase(env->passphrase, salt, cost, ret_root);
	return err;
}

static bool
passphrase_accepts(const uint8_t *params, size_t len)
{
	struct argon_params argon;

	return unpack_argon(params, len, &argon) == UN_OK;
}

static void
passphrase_describe(const uint8_t *params, size_t len, char text[KEY_PROVIDER_TEXT_MAX])
{
	struct argon_params argon;

	if (unpack_argon(params, len, &argon))
		(void)snprintf(text, KEY_PROVIDER_TEXT_MAX, "passphrase");
	else
		(void)snprintf(text, KEY_PROVIDER_TEXT_MAX,
		               "passphrase (Argon2id, %u MiB, %u passes)",
		               argon.cost.memory_kib / 1024, argon.cost.passes);
}

static const struct key_provider providers[] = {
	{KEY_PROVIDER_FILE, "file", false, file_create, file_load, file_accepts, file_describe},
	{KEY_PROVIDER_PASSPHRASE, "passphrase", true, passphrase_create, passphrase_load,
         passphrase_accepts, passphrase_describe},
};
#define PROVIDER_COUNT (sizeof providers / sizeof providers[0])

const struct key_provider *
key_provider_by_name(const char *name)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

const struct key_provider *
key_provider_by_id(uint8_t id)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if ((uint8_t)providers[i].id == id)
			return &providers[i];
	return NULL;
}

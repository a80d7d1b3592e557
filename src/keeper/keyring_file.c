#include "keeper/keyring_file.h"

#include "base/io.h"
#include "base/pack.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "union key ring\n"
#define MAGIC_LEN (sizeof MAGIC - 1)
#define FILE_VERSION 1

static enum un_err
damaged(struct un_detail *detail, const char *what)
{
	un_hint(detail, "restore the last backup: union restore FILE");
	return un_fail(detail, UN_ERR_NOT_AUTHENTIC, "the key ring is damaged: %s", what);
}

enum un_err
keyring_header_unpack(const uint8_t *bytes, size_t len, struct un_detail *detail,
                      struct keyring_header *ret_header)
{
	struct keyring_header header = {0};
	const uint8_t *magic, *public_key;
	struct unpack in;
	uint8_t version, provider;

	unpack_init(&in, bytes, len);
	magic = unpack_fixed(&in, MAGIC_LEN);
	if (!magic || !bytes_equal(magic, MAGIC, MAGIC_LEN))
		return damaged(detail, "it does not begin like one");
	version = unpack_u8(&in);
	if (!in.bad && version != FILE_VERSION)
		return un_fail(detail, UN_ERR_UNSUPPORTED, "the key ring has format version %u",
		               version);
	provider = unpack_u8(&in);
	header.newest = unpack_u32(&in);
	public_key = unpack_fixed(&in, BOX_PUBLIC_LEN);
	if (public_key)
		memcpy(header.plane_public, public_key, BOX_PUBLIC_LEN);
	header.params = unpack_bytes(&in, KEY_PROVIDER_PARAMS_MAX, &header.params_len);
	header.bound_len = len - in.left;
	header.sealed = unpack_bytes(&in, KEYRING_PLAIN_MAX + AEAD_OVERHEAD, &header.sealed_len);
	if (unpack_end(&in) || header.sealed_len <= AEAD_OVERHEAD)
		return damaged(detail, "its length is wrong");
	header.provider = key_provider_by_id(provider);
	if (!header.provider)
		return un_fail(detail, UN_ERR_UNSUPPORTED,
		               "the key ring is kept by provider %u, which this "
		               "build does not have",
		               provider);
	*ret_header = header;
	return UN_OK;
}

void
keyring_seal_fini(struct keyring_seal *seal)
{
	secbuf_free(seal->root);
	buf_fini(&seal->params);
	*seal = (struct keyring_seal){0};
}

enum un_err
keyring_seal_create(const struct key_provider *provider, const struct key_provider_env *env,
                    struct keyring_seal *ret_seal)
{
	struct keyring_seal seal = {.provider = provider};
	enum un_err err;

	buf_init(&seal.params, KEY_PROVIDER_PARAMS_MAX, BUF_PLAIN);
	err = provider->create(env, &seal.params, &seal.root);
	if (err) {
		keyring_seal_fini(&seal);
		return err;
	}
	*ret_seal = seal;
	return UN_OK;
}

enum un_err
keyring_seal_from(const struct key_provider *provider, const uint8_t *params, size_t params_len,
                  const uint8_t root[KEYRING_KEY_LEN], struct keyring_seal *ret_seal)
{
	struct keyring_seal seal = {.provider = provider};
	enum un_err err;

	if (!provider->accepts(params, params_len))
		return UN_ERR_INVALID;
	buf_init(&seal.params, KEY_PROVIDER_PARAMS_MAX, BUF_PLAIN);
	err = buf_append(&seal.params, params, params_len);
	if (err == UN_OK)
		err = secbuf_copy(root, KEYRING_KEY_LEN, &seal.root);
	if (err) {
		keyring_seal_fini(&seal);
		return err;
	}
	*ret_seal = seal;
	return UN_OK;
}

/* The ring says itself what its header says about it. */
static enum un_err
check_agrees(const struct keyring *ring, const struct keyring_header *header,
             struct un_detail *detail)
{
	uint8_t public_key[BOX_PUBLIC_LEN];

	keyring_plane_public(ring, public_key);
	if (keyring_newest(ring) != header->newest ||
	    !bytes_equal(public_key, header->plane_public, sizeof public_key))
		return damaged(detail, "header and content differ");
	return UN_OK;
}

static enum un_err
open_sealed(const uint8_t *bytes, const struct keyring_header *header, const struct secbuf *root,
            struct un_detail *detail, struct keyring **ret_ring)
{
	struct aead_ad ad = {bytes, header->bound_len};
	struct secbuf *plain = NULL;
	struct keyring *ring = NULL;
	enum un_err err;

	err = aead_open(root, ad, header->sealed, header->sealed_len, &plain);
	if (err == UN_ERR_NOT_AUTHENTIC && header->provider->needs_passphrase)
		return un_fail(detail, UN_ERR_WRONG_PASSPHRASE, "wrong passphrase");
	if (err == UN_ERR_NOT_AUTHENTIC)
		return damaged(detail, "it does not open with this key file");
	if (err)
		return err;
	err = keyring_unpack(plain, &ring);
	secbuf_free(plain);
	if (err == UN_ERR_PROTOCOL)
		return damaged(detail, "its content is malformed");
	if (err == UN_OK)
		err = check_agrees(ring, header, detail);
	if (err) {
		keyring_free(ring);
		return err;
	}
	*ret_ring = ring;
	return UN_OK;
}

enum un_err
keyring_file_open(const uint8_t *bytes, size_t len, const struct key_provider_env *env,
                  struct keyring_seal *ret_seal, struct keyring **ret_ring)
{
	struct keyring_seal seal = {0};
	struct keyring_header header = {0};
	enum un_err err;

	err = keyring_header_unpack(bytes, len, env->detail, &header);
	if (err)
		return err;
	seal.provider = header.provider;
	buf_init(&seal.params, KEY_PROVIDER_PARAMS_MAX, BUF_PLAIN);
	err = buf_append(&seal.params, header.params, header.params_len);
	if (err)
		goto out;
	err = header.provider->load(env, header.params, header.params_len, &seal.root);
	if (err)
		goto out;
	err = open_sealed(bytes, &header, seal.root, env->detail, ret_ring);
	if (err)
		goto out;
	*ret_seal = seal;
	seal = (struct keyring_seal){0};
out:
	keyring_seal_fini(&seal);
	return err;
}

static enum un_err
pack_header(const struct keyring *ring, const struct keyring_seal *seal, struct buf *out)
{
	uint8_t public_key[BOX_PUBLIC_LEN];
	enum un_err err = buf_append(out, MAGIC, MAGIC_LEN);

	keyring_plane_public(ring, public_key);
	if (err == UN_OK)
		err = pack_u8(out, FILE_VERSION);
	if (err == UN_OK)
		err = pack_u8(out, (uint8_t)seal->provider->id);
	if (err == UN_OK)
		err = pack_u32(out, keyring_newest(ring));
	if (err == UN_OK)
		err = buf_append(out, public_key, sizeof public_key);
	if (err == UN_OK)
		err = pack_bytes(out, seal->params.data, seal->params.len);
	return err;
}

enum un_err
keyring_file_pack(const struct keyring *ring, const struct keyring_seal *seal, struct buf *out)
{
	struct secbuf *plain = NULL;
	size_t start = out->len, bound, sealed_len;
	enum un_err err;

	err = pack_header(ring, seal, out);
	if (err)
		goto out;
	bound = out->len - start;
	err = keyring_pack(ring, &plain);
	if (err)
		goto out;
	sealed_len = secbuf_len(plain) + AEAD_OVERHEAD;
	err = pack_u32(out, (uint32_t)sealed_len);
	if (err)
		goto out;
	err = buf_reserve(out, sealed_len);
	if (err)
		goto out;
	err = aead_seal(seal->root, (struct aead_ad){out->data + start, bound}, secbuf_peek(plain),
	                secbuf_len(plain), out->data + out->len);
	if (err)
		goto out;
	buf_added(out, sealed_len);
out:
	if (err)
		out->len = start;
	secbuf_free(plain);
	return err;
}

enum un_err
keyring_file_write(int dir_fd, const struct keyring *ring, const struct keyring_seal *seal,
                   struct un_detail *detail)
{
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, KEYRING_FILE_MAX, BUF_PLAIN);
	err = keyring_file_pack(ring, seal, &bytes);
	if (err == UN_OK)
		err = io_replace_file(dir_fd, KEYRING_FILE, bytes.data, bytes.len, 0600);
	buf_fini(&bytes);
	if (err)
		return un_fail(detail, err, "cannot write the key ring: %s", un_err_text(err));
	return UN_OK;
}

enum un_err
keyring_file_read(int dir_fd, struct un_detail *detail, struct buf *out)
{
	int fd = -1;
	enum un_err err = key_file_open(dir_fd, KEYRING_FILE, detail, &fd);

	if (err)
		return err;
	err = io_read_all(fd, out);
	io_close(&fd);
	if (err == UN_ERR_TOO_LARGE)
		return damaged(detail, "it is too large");
	return err;
}

static bool
is_leftover(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' && len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

void
keyring_dir_clean(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (is_leftover(entry->d_name))
			(void)unlinkat(dir_fd, entry->d_name, 0);
	(void)closedir(dir);
}

enum un_err
keyring_dir_open(const char *path, struct un_detail *detail, int *ret_dir_fd)
{
	enum un_err err = io_make_dirs(path, 0700);
	struct stat st;
	int fd;

	if (err)
		return un_fail(detail, err, "cannot make folder '%s': %s", path, un_err_text(err));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open folder '%s'", path);
	if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		io_close(&fd);
		un_hint(detail, "chown %ld '%s'; chmod 700 '%s'", (long)geteuid(), path, path);
		return un_fail(detail, UN_ERR_DENIED,
		               "folder '%s' of the keys belongs to another user or others may "
		               "write into it",
		               path);
	}
	*ret_dir_fd = fd;
	return UN_OK;
}

static enum un_err
write_imported(const struct keyring_import *to, const struct keyring *ring,
               struct un_detail *detail)
{
	struct key_provider_env env = {to->dir_fd, to->passphrase, detail};
	struct keyring_seal seal = {0};
	enum un_err err = keyring_seal_create(to->provider, &env, &seal);

	if (err)
		return err;
	err = keyring_file_write(to->dir_fd, ring, &seal, detail);
	keyring_seal_fini(&seal);
	return err;
}

enum un_err
keyring_import(const struct keyring_import *to, const uint8_t *bytes, size_t len,
               const struct secbuf *backup_passphrase, struct un_detail *detail)
{
	struct key_provider_env env = {to->dir_fd, backup_passphrase, detail};
	struct keyring_header header = {0};
	struct keyring_seal seal = {0};
	struct keyring *ring = NULL;
	enum un_err err;

	if (!to->replace && faccessat(to->dir_fd, KEYRING_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return un_fail(detail, UN_ERR_EXISTS, "there is a key ring already");
	err = keyring_header_unpack(bytes, len, detail, &header);
	if (err)
		return err;
	if (!header.provider || header.provider->id != KEY_PROVIDER_PASSPHRASE)
		return un_fail(detail, UN_ERR_UNSUPPORTED, "this key ring is not an export");
	err = keyring_file_open(bytes, len, &env, &seal, &ring);
	if (err)
		return err;
	err = write_imported(to, ring, detail);
	keyring_seal_fini(&seal);
	keyring_free(ring);
	return err;
}

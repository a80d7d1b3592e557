#include "runs/bundles.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <md5.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct waiting {
	uint8_t token[UPLOAD_TOKEN_LEN];
	struct upload_grant grant;
	bool used; /* the slot */
};

struct bundles {
	pthread_mutex_t lock; /* of waiting */
	struct waiting waiting[UPLOADS_WAITING_MAX];
	int dir_fd;
};

struct upload {
	struct bundles *bundles;
	struct upload_grant grant;
	MD5_CTX md5;
	uint64_t len;
	int fd;
	char temporary[64];
};

enum un_err
bundles_open(const char *data_dir, struct bundles **ret_bundles, struct un_detail *detail)
{
	struct bundles *bundles;
	char path[4200];
	enum un_err err;

	if ((size_t)snprintf(path, sizeof path, "%s/bundles", data_dir) >= sizeof path)
		return UN_ERR_TOO_LARGE;
	err = io_make_dirs(path, 0700);
	if (err)
		return un_fail(detail, err, "cannot make '%s'", path);
	bundles = mem_zalloc(1, sizeof *bundles);
	if (bundles == NULL)
		return UN_ERR_NO_MEMORY;
	bundles->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bundles->dir_fd < 0) {
		err = un_fail_errno(detail, errno, "cannot open '%s'", path);
		mem_free(bundles);
		return err;
	}
	pthread_mutex_init(&bundles->lock, NULL);
	*ret_bundles = bundles;
	return UN_OK;
}

void
bundles_close(struct bundles *bundles)
{
	if (bundles == NULL)
		return;
	io_close(&bundles->dir_fd);
	pthread_mutex_destroy(&bundles->lock);
	mem_free(bundles);
}

int
bundles_fd(const struct bundles *bundles)
{
	return bundles->dir_fd;
}

/* ---- addresses ---- */

static void
hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void
bundles_url(const struct upload_grant *grant, char ret_url[BUNDLE_URL_MAX])
{
	char md5[2 * BUNDLE_MD5_LEN + 1];

	hex(grant->md5, BUNDLE_MD5_LEN, md5);
	snprintf(ret_url, BUNDLE_URL_MAX, BUNDLE_URL_PREFIX "%s/%s/%s.tar.gz", grant->at.project,
	         grant->at.domain, md5);
}

enum un_err
bundles_grant(struct bundles *bundles, const struct upload_grant *grant,
              char ret_token[UPLOAD_TOKEN_TEXT])
{
	int64_t now_ms = clock_mono_ms();
	struct waiting *free_slot = NULL;
	size_t of_project = 0;

	pthread_mutex_lock(&bundles->lock);
	for (size_t i = 0; i < UPLOADS_WAITING_MAX; i++) {
		struct waiting *slot = &bundles->waiting[i];

		if (!slot->used || slot->grant.deadline_ms <= now_ms)
			free_slot = slot;
		else if (strcmp(slot->grant.at.project, grant->at.project) == 0)
			of_project++;
	}
	if (of_project >= UPLOADS_OF_A_PROJECT_MAX)
		free_slot = NULL;
	if (free_slot != NULL) {
		random_bytes(free_slot->token, sizeof free_slot->token);
		free_slot->grant = *grant;
		free_slot->used = true;
		hex(free_slot->token, UPLOAD_TOKEN_LEN, ret_token);
	}
	pthread_mutex_unlock(&bundles->lock);
	return free_slot == NULL ? UN_ERR_AGAIN : UN_OK;
}

static enum un_err
take(struct bundles *bundles, const char *text, struct upload_grant *ret_grant)
{
	enum un_err err = UN_ERR_DENIED;
	struct buf token;

	buf_init(&token, UPLOAD_TOKEN_LEN, BUF_PLAIN);
	if (text_decode_hex(text, strnlen(text, UPLOAD_TOKEN_TEXT), &token) != UN_OK ||
	    token.len != UPLOAD_TOKEN_LEN) {
		buf_fini(&token);
		return UN_ERR_DENIED;
	}
	pthread_mutex_lock(&bundles->lock);
	for (size_t i = 0; i < UPLOADS_WAITING_MAX; i++) {
		struct waiting *slot = &bundles->waiting[i];

		if (!slot->used || !bytes_equal(slot->token, token.data, UPLOAD_TOKEN_LEN))
			continue;
		slot->used = false;
		*ret_grant = slot->grant;
		if (slot->grant.deadline_ms > clock_mono_ms())
			err = UN_OK;
	}
	pthread_mutex_unlock(&bundles->lock);
	buf_fini(&token);
	return err;
}

/* ---- uploads ---- */

enum un_err
upload_begin(struct bundles *bundles, const char *token, struct upload **ret_upload)
{
	struct upload *upload = mem_zalloc(1, sizeof *upload);
	uint8_t random[8];
	char name[2 * sizeof random + 1];
	enum un_err err;

	if (upload == NULL)
		return UN_ERR_NO_MEMORY;
	upload->fd = -1;
	upload->bundles = bundles;
	err = take(bundles, token, &upload->grant);
	if (!err) {
		random_bytes(random, sizeof random);
		hex(random, sizeof random, name);
		snprintf(upload->temporary, sizeof upload->temporary, ".upload-%s", name);
		upload->fd = openat(bundles->dir_fd, upload->temporary,
		                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (upload->fd < 0)
			err = un_err_from_errno(errno);
	}
	if (err) {
		upload_free(upload);
		return err;
	}
	MD5Init(&upload->md5);
	*ret_upload = upload;
	return UN_OK;
}

const uint8_t *
upload_md5(const struct upload *upload)
{
	return upload->grant.md5;
}

uint64_t
upload_len(const struct upload *upload)
{
	return upload->grant.len;
}

enum un_err
upload_push(struct upload *upload, const uint8_t *bytes, size_t len)
{
	uint64_t most = upload->grant.len < BUNDLE_MAX ? upload->grant.len : BUNDLE_MAX;

	if (len > most - upload->len)
		return UN_ERR_TOO_LARGE;
	MD5Update(&upload->md5, bytes, len);
	upload->len += len;
	return io_write_all(upload->fd, bytes, len);
}

static void
file_name(const struct scope *at, const char *md5, char name[BUNDLE_FILE_MAX])
{
	snprintf(name, BUNDLE_FILE_MAX, "%s.%s.%s.tar.gz", at->project, at->domain, md5);
}

enum un_err
upload_end(struct upload *upload, struct un_detail *detail)
{
	uint8_t md5[BUNDLE_MD5_LEN];
	char text[2 * BUNDLE_MD5_LEN + 1], name[BUNDLE_FILE_MAX];
	enum un_err err;

	MD5Final(md5, &upload->md5);
	if (!bytes_equal(md5, upload->grant.md5, BUNDLE_MD5_LEN) ||
	    (upload->grant.len != UINT64_MAX && upload->len != upload->grant.len))
		return un_fail(detail, UN_ERR_BUNDLE_REFUSED,
		               "the upload is not what was announced: its MD5 or length differs");
	hex(md5, BUNDLE_MD5_LEN, text);
	file_name(&upload->grant.at, text, name);
	err = io_fsync(upload->fd);
	if (!err)
		err = io_rename_at(upload->bundles->dir_fd, upload->temporary, name);
	if (!err)
		err = io_fsync(upload->bundles->dir_fd);
	if (err)
		return un_fail(detail, err, "cannot keep the bundle");
	upload->temporary[0] = '\0';
	return UN_OK;
}

void
upload_free(struct upload *upload)
{
	if (upload == NULL)
		return;
	io_close(&upload->fd);
	if (upload->temporary[0] != '\0')
		(void)unlinkat(upload->bundles->dir_fd, upload->temporary, 0);
	mem_free(upload);
}

/* ---- reading ---- */

enum un_err
bundles_file_of(const char *url, char name[BUNDLE_FILE_MAX])
{
	const size_t prefix = sizeof BUNDLE_URL_PREFIX - 1;
	char project[SCOPE_PART_MAX + 1], domain[SCOPE_PART_MAX + 1], md5[2 * BUNDLE_MD5_LEN + 1];
	struct scope at;
	int end = -1;

	if (strlen(url) >= BUNDLE_URL_MAX || strncmp(url, BUNDLE_URL_PREFIX, prefix) != 0)
		return UN_ERR_INVALID;
	if (sscanf(url + prefix, "%63[-a-z0-9_]/%63[-a-z0-9_]/%32[0-9a-f].tar.gz%n", project,
	           domain, md5, &end) != 3 ||
	    end < 0 || url[prefix + (size_t)end] != '\0' || strlen(md5) != 2 * BUNDLE_MD5_LEN)
		return UN_ERR_INVALID;
	if (scope_init(&at, project, domain, NULL) != UN_OK)
		return UN_ERR_INVALID;
	file_name(&at, md5, name);
	return UN_OK;
}

enum un_err
bundles_open_url(int dir_fd, const char *url, int *ret_fd, uint64_t *ret_len)
{
	char name[BUNDLE_FILE_MAX];
	struct stat st;
	enum un_err err;
	int fd;

	err = bundles_file_of(url, name);
	if (err)
		return err;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return un_err_from_errno(errno);
	if (fstat(fd, &st) < 0) {
		err = un_err_from_errno(errno);
		io_close(&fd);
		return err;
	}
	*ret_fd = fd;
	*ret_len = (uint64_t)st.st_size;
	return UN_OK;
}

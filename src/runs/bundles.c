#include "runs/bundles.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <md5.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each has a file of its own, so that it outlives this process; named by a hash of the token, which
 * is nowhere but with whoever asked for it. */
struct waiting {
	uint8_t hash[UPLOAD_TOKEN_LEN];
	struct upload_grant grant;
	bool used; /* the slot */
	bool busy; /* an upload goes on */
};

struct bundles {
	pthread_mutex_t lock; /* of waiting */
	struct waiting waiting[UPLOADS_WAITING_MAX];
	int dir_fd;
};

#define GRANT_PREFIX ".grant-"
#define GRANT_FILE_MAX (sizeof GRANT_PREFIX + 2 * UPLOAD_TOKEN_LEN)
#define GRANT_LINE_MAX 256

struct upload {
	struct bundles *bundles;
	struct upload_grant grant;
	struct waiting *slot; /* NULL: it has been given back, or is used up */
	MD5_CTX md5;
	uint64_t len;
	int fd;
	char temporary[64];
};

static void
hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- addresses that outlive a restart ---- */

static void
hash_token(const uint8_t token[UPLOAD_TOKEN_LEN], uint8_t ret_hash[UPLOAD_TOKEN_LEN])
{
	static const char purpose[] = "union upload 1";
	const struct hash_part parts[] = {{purpose, sizeof purpose - 1}, {token, UPLOAD_TOKEN_LEN}};
	uint8_t hash[HASH_LEN];

	hash_parts(parts, 2, hash);
	memcpy(ret_hash, hash, UPLOAD_TOKEN_LEN);
}

static void
grant_file(const struct waiting *slot, char name[GRANT_FILE_MAX])
{
	memcpy(name, GRANT_PREFIX, sizeof GRANT_PREFIX);
	hex(slot->hash, UPLOAD_TOKEN_LEN, name + sizeof GRANT_PREFIX - 1);
}

/* Without its file (the disk is full) an address is good until this process ends. */
static void
remember(const struct bundles *bundles, const struct waiting *slot)
{
	const struct upload_grant *grant = &slot->grant;
	int64_t left_ms = grant->deadline_ms - clock_mono_ms();
	char name[GRANT_FILE_MAX], md5[2 * BUNDLE_MD5_LEN + 1], line[GRANT_LINE_MAX];
	int len, fd;

	grant_file(slot, name);
	hex(grant->md5, BUNDLE_MD5_LEN, md5);
	len = snprintf(line, sizeof line, "%s %s %s %" PRIu64 " %" PRId64 "\n", grant->at.project,
	               grant->at.domain, md5, grant->len, clock_wall_us() / 1000 + left_ms);
	fd = openat(bundles->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (io_write_all(fd, line, (size_t)len) != UN_OK)
		(void)unlinkat(bundles->dir_fd, name, 0);
	(void)close(fd);
}

/* With the lock held: the slot is free. */
static void
forget(const struct bundles *bundles, struct waiting *slot)
{
	char name[GRANT_FILE_MAX];

	grant_file(slot, name);
	(void)unlinkat(bundles->dir_fd, name, 0);
	slot->used = slot->busy = false;
}

static enum un_err
parse_hex(const char *text, uint8_t *ret_bytes, size_t len)
{
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, len, BUF_PLAIN);
	err = text_decode_hex(text, strlen(text), &bytes);
	if (!err && bytes.len != len)
		err = UN_ERR_INVALID;
	if (!err)
		memcpy(ret_bytes, bytes.data, len);
	buf_fini(&bytes);
	return err;
}

/* The next of the words that blanks part. NULL: there is no other. */
static char *
next_word(char **at)
{
	char *word = strsep(at, " \n");

	return word && *word ? word : NULL;
}

/* `line` is taken to pieces. */
static enum un_err
parse_grant(char *line, struct upload_grant *ret_grant)
{
	const char *project = next_word(&line), *domain = next_word(&line);
	const char *md5 = next_word(&line), *len = next_word(&line), *until = next_word(&line);
	uint64_t until_ms;
	int64_t left_ms;

	if (!project || !domain || !md5 || !len || !until ||
	    scope_init(&ret_grant->at, project, domain, NULL) != UN_OK ||
	    parse_hex(md5, ret_grant->md5, BUNDLE_MD5_LEN) != UN_OK ||
	    text_parse_u64(len, &ret_grant->len) != UN_OK ||
	    text_parse_u64(until, &until_ms) != UN_OK || until_ms > INT64_MAX)
		return UN_ERR_INVALID;
	left_ms = (int64_t)until_ms - clock_wall_us() / 1000;
	if (left_ms <= 0 || left_ms > UPLOAD_SECONDS_MAX * 1000ll)
		return UN_ERR_TIMEOUT;
	ret_grant->deadline_ms = clock_mono_ms() + left_ms;
	return UN_OK;
}

static enum un_err
recall(const struct bundles *bundles, const char *name, struct waiting *slot)
{
	struct buf line;
	enum un_err err = parse_hex(name + sizeof GRANT_PREFIX - 1, slot->hash, UPLOAD_TOKEN_LEN);

	if (err)
		return err;
	buf_init(&line, GRANT_LINE_MAX, BUF_PLAIN);
	err = io_read_file(bundles->dir_fd, name, &line);
	if (!err && *buf_text(&line)) /* which ends it with a NUL */
		err = parse_grant((char *)line.data, &slot->grant);
	else if (!err)
		err = UN_ERR_INVALID;
	buf_fini(&line);
	return err;
}

/* Nobody else is there yet. What is over or malformed is removed. */
static void
recall_all(struct bundles *bundles)
{
	int fd = openat(bundles->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t count = 0;

	if (folder == NULL) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		struct waiting *slot = &bundles->waiting[count];

		if (strncmp(entry->d_name, GRANT_PREFIX, sizeof GRANT_PREFIX - 1) != 0)
			continue;
		if (count == UPLOADS_WAITING_MAX || recall(bundles, entry->d_name, slot) != UN_OK) {
			(void)unlinkat(bundles->dir_fd, entry->d_name, 0);
			continue;
		}
		slot->used = true;
		count++;
	}
	(void)closedir(folder);
}

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
	recall_all(bundles);
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

		if (!slot->used || (!slot->busy && slot->grant.deadline_ms <= now_ms))
			free_slot = slot;
		else if (strcmp(slot->grant.at.project, grant->at.project) == 0)
			of_project++;
	}
	if (of_project >= UPLOADS_OF_A_PROJECT_MAX)
		free_slot = NULL;
	if (free_slot != NULL) {
		uint8_t token[UPLOAD_TOKEN_LEN];

		if (free_slot->used)
			forget(bundles, free_slot);
		random_bytes(token, sizeof token);
		hash_token(token, free_slot->hash);
		free_slot->grant = *grant;
		free_slot->used = true;
		hex(token, UPLOAD_TOKEN_LEN, ret_token);
		explicit_bzero(token, sizeof token);
		remember(bundles, free_slot);
	}
	pthread_mutex_unlock(&bundles->lock);
	return free_slot == NULL ? UN_ERR_AGAIN : UN_OK;
}

/* The slot of an address, marked as busy; whoever gets it gives it back, or uses it up. */
static enum un_err
take(struct bundles *bundles, const char *text, struct waiting **ret_slot)
{
	uint8_t token[UPLOAD_TOKEN_LEN], hash[UPLOAD_TOKEN_LEN];
	enum un_err err = UN_ERR_DENIED;

	if (strnlen(text, UPLOAD_TOKEN_TEXT) != UPLOAD_TOKEN_TEXT - 1 ||
	    parse_hex(text, token, sizeof token) != UN_OK)
		return UN_ERR_DENIED;
	hash_token(token, hash);
	explicit_bzero(token, sizeof token);
	pthread_mutex_lock(&bundles->lock);
	for (size_t i = 0; i < UPLOADS_WAITING_MAX && err; i++) {
		struct waiting *slot = &bundles->waiting[i];

		if (!slot->used || slot->busy || !bytes_equal(slot->hash, hash, sizeof hash))
			continue;
		if (slot->grant.deadline_ms <= clock_mono_ms()) {
			forget(bundles, slot);
			break;
		}
		slot->busy = true;
		*ret_slot = slot;
		err = UN_OK;
	}
	pthread_mutex_unlock(&bundles->lock);
	return err;
}

/* `used_up`: what came was judged, for good or bad. Else the connection has ended, or this process
 * does: the same may be sent again. */
static void
give_back(struct upload *upload, bool used_up)
{
	struct waiting *slot = upload->slot;

	if (slot == NULL)
		return;
	upload->slot = NULL;
	pthread_mutex_lock(&upload->bundles->lock);
	if (used_up)
		forget(upload->bundles, slot);
	else
		slot->busy = false;
	pthread_mutex_unlock(&upload->bundles->lock);
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
	err = take(bundles, token, &upload->slot);
	if (!err) {
		upload->grant = upload->slot->grant;
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
	    (upload->grant.len != UINT64_MAX && upload->len != upload->grant.len)) {
		give_back(upload, true);
		return un_fail(detail, UN_ERR_BUNDLE_REFUSED,
		               "the upload is not what was announced: its MD5 or length differs");
	}
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
	give_back(upload, true);
	return UN_OK;
}

void
upload_free(struct upload *upload)
{
	if (upload == NULL)
		return;
	give_back(upload, false);
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

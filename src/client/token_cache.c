#include "client/token_cache.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "union token 1 UNTIL\n", then the token. */
#define HEAD "union token 1 "
#define HEAD_MAX 64
#define NAME_SIZE (2 * 16 + 1)
#define OLD_S 86400

static void
name_of(const struct token_place *place, char name[NAME_SIZE])
{
	const struct hash_part parts[] = {
		{"union token cache 1", 19},
		{place->url, strlen(place->url)},
		{place->client, strlen(place->client)},
		{secbuf_peek(place->secret), secbuf_len(place->secret)},
	};
	uint8_t hash[HASH_LEN];

	hash_parts(parts, sizeof parts / sizeof parts[0], hash);
	for (size_t i = 0; i < NAME_SIZE / 2; i++)
		(void)snprintf(name + 2 * i, 3, "%02x", hash[i]);
}

static bool
is_ours_alone(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & S_IFMT) == type &&
	       !(st.st_mode & 077);
}

static enum un_err
refuse(const char *folder, const char *name, struct un_detail *detail)
{
	un_hint(detail, "someone may have read it: delete it, and make the folder yours alone");
	return un_fail(detail, UN_ERR_DENIED, "the token in %.400s%s%s is open to others", folder,
	               name ? "/" : "", name ? name : "");
}

static enum un_err
open_folder(const struct token_place *place, bool make, int *ret_fd, struct un_detail *detail)
{
	enum un_err err = make ? io_make_dirs(place->folder, 0700) : UN_OK;
	int fd;

	if (err)
		return un_fail(detail, err, "cannot make the folder %.400s", place->folder);
	fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return UN_ERR_NOT_FOUND;
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the folder %.400s", place->folder);
	if (!is_ours_alone(fd, S_IFDIR)) {
		(void)close(fd);
		return refuse(place->folder, NULL, detail);
	}
	*ret_fd = fd;
	return UN_OK;
}

/* Tokens of keys and servers that are not used any more; none lasts a day. */
static void
drop_old(int folder)
{
	int fd = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!dir) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) == NAME_SIZE - 1 &&
		    strspn(entry->d_name, "0123456789abcdef") == NAME_SIZE - 1 &&
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < clock_wall_us() / 1000000 - OLD_S)
			(void)unlinkat(folder, entry->d_name, 0);
	}
	(void)closedir(dir);
}

/* Takes the file apart; UN_ERR_NOT_FOUND: it is none of ours, or over. */
static enum un_err
read_token(const struct secbuf *file, int64_t now_us, struct secbuf **ret_token,
           int64_t *ret_until_us)
{
	const char *text = (const char *)secbuf_peek(file);
	size_t len = secbuf_len(file);
	const char *eol = len ? memchr(text, '\n', len < HEAD_MAX ? len : HEAD_MAX) : NULL;
	size_t skip = sizeof HEAD - 1;
	char number[HEAD_MAX];
	uint64_t until;

	if (!eol || (size_t)(eol - text) <= skip || strncmp(text, HEAD, skip) != 0)
		return UN_ERR_NOT_FOUND;
	memcpy(number, text + skip, (size_t)(eol - text) - skip);
	number[(size_t)(eol - text) - skip] = '\0';
	if (text_parse_u64(number, &until) || until > INT64_MAX || (int64_t)until <= now_us ||
	    text + len == eol + 1)
		return UN_ERR_NOT_FOUND;
	*ret_until_us = (int64_t)until;
	return secbuf_copy(eol + 1, len - (size_t)(eol + 1 - text), ret_token);
}

enum un_err
token_cache_get(const struct token_place *place, int64_t now_us, struct secbuf **ret_token,
                int64_t *ret_until_us, struct un_detail *detail)
{
	struct secbuf *file = NULL;
	char name[NAME_SIZE];
	int folder = -1, fd;
	enum un_err err = open_folder(place, false, &folder, detail);

	if (err)
		return err;
	name_of(place, name);
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		err = errno == ENOENT ? UN_ERR_NOT_FOUND : refuse(place->folder, name, detail);
	else if (!is_ours_alone(fd, S_IFREG))
		err = refuse(place->folder, name, detail);
	if (!err)
		err = secbuf_read(fd, TOKEN_TEXT_MAX + HEAD_MAX, &file);
	if (!err)
		err = read_token(file, now_us, ret_token, ret_until_us);
	if (err == UN_ERR_TOO_LARGE)
		err = UN_ERR_NOT_FOUND;
	secbuf_free(file);
	io_close(&fd);
	io_close(&folder);
	return err;
}

enum un_err
token_cache_put(const struct token_place *place, const struct secbuf *token, int64_t until_us,
                struct un_detail *detail)
{
	char name[NAME_SIZE], head[HEAD_MAX];
	struct secbuf *file = NULL;
	int folder = -1, head_len;
	enum un_err err = open_folder(place, true, &folder, detail);

	if (err)
		return err;
	drop_old(folder);
	name_of(place, name);
	head_len = snprintf(head, sizeof head, HEAD "%lld\n", (long long)until_us);
	err = secbuf_new((size_t)head_len + secbuf_len(token), &file);
	if (!err) {
		memcpy(secbuf_edit(file), head, (size_t)head_len);
		memcpy(secbuf_edit(file) + head_len, secbuf_peek(token), secbuf_len(token));
		err = io_replace_file(folder, name, secbuf_peek(file), secbuf_len(file), 0600);
		if (err)
			err = un_fail(detail, err, "cannot keep the token in %.400s",
			              place->folder);
	}
	secbuf_free(file);
	io_close(&folder);
	return err;
}

void
token_cache_drop(const struct token_place *place)
{
	char name[NAME_SIZE];
	int folder = -1;

	if (open_folder(place, false, &folder, NULL))
		return;
	name_of(place, name);
	(void)unlinkat(folder, name, 0);
	io_close(&folder);
}

#include "bundle_check.h"

#include "base/io.h"
#include "guard/tokens.h"
#include "launch/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define STEP 65536
#define PIECE (1u << 20) /* bytes of a file that are searched at once */
#define FINDS_SHOWN 5
#define PATTERN_MAX 256

struct check {
	struct cli *cli;
	char path[TAR_PATH_MAX + 1];
	bool allowed;
	bool named;         /* the file's name was judged */
	struct buf content; /* of the file, from `line` on */
	size_t from;        /* searched up to here */
	size_t line;
	size_t found;
	char first[TAR_SHOWN_MAX]; /* file with a find */
	char finds[UN_DETAIL_MAX - 100];
};

/* Whether a path fits one of the patterns of --allow-secrets-in-bundle, whole or by its name. */
static bool
is_allowed(const struct cli *cli, const char *path)
{
	const char *at = cli->option[OPT_ALLOW_SECRETS_IN_BUNDLE], *name = strrchr(path, '/');
	char pattern[PATTERN_MAX];

	for (; at && *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");

		if (len < sizeof pattern) {
			memcpy(pattern, at, len);
			pattern[len] = '\0';
			if (fnmatch(pattern, path, 0) == 0 ||
			    (name && fnmatch(pattern, name + 1, 0) == 0))
				return true;
		}
		at += len;
	}
	return false;
}

static void
report(struct check *check, size_t line, const char *kind)
{
	char shown[TAR_SHOWN_MAX];
	size_t len = strlen(check->finds), room = sizeof check->finds - len;

	if (check->found == 0)
		(void)tar_show(check->path, check->first);
	if (check->found++ >= FINDS_SHOWN)
		return;
	if (line)
		(void)snprintf(check->finds + len, room, "%s%s:%zu: %s", len ? "; " : "",
		               tar_show(check->path, shown), line, kind);
	else
		(void)snprintf(check->finds + len, room, "%s%s: %s", len ? "; " : "",
		               tar_show(check->path, shown), kind);
}

static size_t
lines_in(const uint8_t *bytes, size_t len)
{
	size_t lines = 0;

	for (size_t at = 0; at < len; at++)
		lines += bytes[at] == '\n';
	return lines;
}

/* Searches what is there; unless it is the end, a token may still go on in what comes. */
static void
search(struct check *check, bool end)
{
	struct buf *content = &check->content;
	size_t until = end || content->len < TOKEN_MAX ? content->len : content->len - TOKEN_MAX;
	struct token token;

	if (!content->len)
		return;
	if (!check->named) {
		const char *kind = token_file(check->path, content->data, content->len);

		check->named = true;
		if (kind)
			report(check, 0, kind);
	}
	while (check->from < until &&
	       token_find(content->data, content->len, check->from, &token) && token.at < until) {
		report(check, check->line + lines_in(content->data, token.at), token.kind);
		check->from = token.at + token.len;
	}
	if (end)
		return;
	if (check->from < until)
		check->from = until;
	if (check->from > content->len)
		check->from = content->len;
	/* one byte stays in front: a token begins a word */
	until = check->from ? check->from - 1 : 0;
	check->line += lines_in(content->data, until);
	buf_drop_front(content, until);
	check->from -= until;
}

static enum un_err
begin_file(void *ctx, const struct tar_entry *entry, struct un_detail *detail)
{
	struct check *check = ctx;

	(void)snprintf(check->path, sizeof check->path, "%s", entry->path);
	check->allowed = entry->directory || is_allowed(check->cli, entry->path);
	check->named = false;
	check->from = 0;
	check->line = 1;
	buf_clear(&check->content);
	return UN_OK;
}

static enum un_err
take_data(void *ctx, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	struct check *check = ctx;
	enum un_err err;

	if (check->allowed)
		return UN_OK;
	err = buf_append(&check->content, bytes, len);
	if (!err && check->content.len >= PIECE)
		search(check, false);
	return err;
}

static enum un_err
end_file(void *ctx, struct un_detail *detail)
{
	struct check *check = ctx;

	if (!check->allowed)
		search(check, true);
	return UN_OK;
}

static enum un_err
unpack(struct check *check, int fd, z_stream *zip, struct tar_reader *reader)
{
	uint8_t packed[STEP], plain[STEP];
	int state = Z_OK;

	while (state == Z_OK) {
		ssize_t got = read(fd, packed, sizeof packed);
		enum un_err err = UN_OK;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		zip->next_in = packed;
		zip->avail_in = (unsigned)got;
		do {
			zip->next_out = plain;
			zip->avail_out = sizeof plain;
			state = inflate(zip, Z_NO_FLUSH);
			if (state == Z_OK || state == Z_STREAM_END)
				err = tar_push(reader, plain, sizeof plain - zip->avail_out,
				               &check->cli->detail);
		} while (!err && state == Z_OK && (zip->avail_in || !zip->avail_out));
		if (err)
			return err;
		if (state == Z_BUF_ERROR) /* all of this piece is used */
			state = Z_OK;
	}
	return state == Z_STREAM_END ? tar_end(reader, &check->cli->detail)
	                             : un_fail(&check->cli->detail, UN_ERR_BUNDLE_REFUSED,
	                                       "the code bundle cannot be read");
}

static enum un_err
judge(struct check *check)
{
	char more[64] = "";

	if (!check->found)
		return UN_OK;
	if (check->found > FINDS_SHOWN)
		(void)snprintf(more, sizeof more, "; and %zu more", check->found - FINDS_SHOWN);
	un_hint(&check->cli->detail,
	        "keep it out of the code (union create secret), or if it is none: "
	        "--allow-secrets-in-bundle '%.200s'",
	        check->first);
	return un_fail(&check->cli->detail, UN_ERR_BUNDLE_HAS_SECRET,
	               "the code would carry secrets: %s%s", check->finds, more);
}

enum un_err
bundle_check(struct cli *cli, const char *path)
{
	struct check check = {.cli = cli};
	struct tar_sink sink = {
		.begin = begin_file, .data = take_data, .end = end_file, .ctx = &check};
	struct tar_reader *reader = NULL;
	z_stream zip = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum un_err err;

	if (fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot read the code bundle %s", path);
	buf_init(&check.content, 2 * PIECE, BUF_WIPE);
	err = inflateInit2(&zip, 15 + 16) == Z_OK ? tar_reader_new(sink, &reader)
	                                          : UN_ERR_NO_MEMORY;
	if (!err)
		err = unpack(&check, fd, &zip, reader);
	if (!err)
		err = judge(&check);
	(void)inflateEnd(&zip);
	tar_reader_free(reader);
	buf_fini(&check.content);
	io_close(&fd);
	return err;
}

#include "client/verified_head.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "union verified head 1\n", then URL, count, time, hash and key, a line each. */
#define FIRST_LINE "union verified head 1"
#define FOLDER "/verified"
#define FILE_MAX (VERIFIED_HEAD_PATH_MAX + 512)
#define NAME_SIZE (2 * 16 + 1)

struct place {
	char folder[VERIFIED_HEAD_PATH_MAX];
	char name[NAME_SIZE];
};

static enum un_err
find_place(const char *state_dir, const char *url, struct place *ret_place,
           struct un_detail *detail)
{
	const struct hash_part parts[] = {{"union verified head 1", 21}, {url, strlen(url)}};
	uint8_t hash[HASH_LEN];
	int len = snprintf(ret_place->folder, sizeof ret_place->folder, "%s" FOLDER, state_dir);

	if (len < 0 || (size_t)len >= sizeof ret_place->folder || strchr(url, '\n') ||
	    strlen(url) >= VERIFIED_HEAD_PATH_MAX)
		return un_fail(detail, UN_ERR_INVALID, "not a usable path: %.400s", state_dir);
	hash_parts(parts, sizeof parts / sizeof parts[0], hash);
	for (size_t i = 0; i < NAME_SIZE / 2; i++)
		(void)snprintf(ret_place->name + 2 * i, 3, "%02x", hash[i]);
	return UN_OK;
}

/* The next line of the file, which ends with a newline. */
static const char *
next_line(const char **at, const char *end, size_t *ret_len)
{
	const char *line = *at;
	const char *eol = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

	if (!eol)
		return NULL;
	*ret_len = (size_t)(eol - line);
	*at = eol + 1;
	return line;
}

static enum un_err
parse_number(const char *line, size_t len, uint64_t *ret_number)
{
	char text[24];

	if (!line || len >= sizeof text)
		return UN_ERR_DAMAGED;
	memcpy(text, line, len);
	text[len] = '\0';
	if (text_parse_u64(text, ret_number) || *ret_number > INT64_MAX)
		return UN_ERR_DAMAGED;
	return UN_OK;
}

static enum un_err
parse_bytes(const char *line, size_t len, uint8_t *ret_bytes, size_t wanted)
{
	struct buf bytes;
	enum un_err err;

	if (!line)
		return UN_ERR_DAMAGED;
	buf_init(&bytes, wanted, BUF_PLAIN);
	err = text_decode_hex(line, len, &bytes);
	if (!err && bytes.len == wanted)
		memcpy(ret_bytes, bytes.data, wanted);
	else if (err != UN_ERR_NO_MEMORY)
		err = UN_ERR_DAMAGED;
	buf_fini(&bytes);
	return err;
}

static enum un_err
parse(const struct buf *file, const char *url, struct verified_head *ret_head)
{
	const char *at = buf_text(file), *end = at + file->len, *line;
	uint64_t at_us = 0;
	size_t len = 0;
	enum un_err err;

	line = next_line(&at, end, &len);
	if (!line || len != sizeof FIRST_LINE - 1 || !text_equal(line, FIRST_LINE, len))
		return UN_ERR_DAMAGED;
	line = next_line(&at, end, &len);
	if (!line || len != strlen(url) || !text_equal(line, url, len))
		return UN_ERR_DAMAGED;
	line = next_line(&at, end, &len);
	err = parse_number(line, len, &ret_head->count);
	if (!err) {
		line = next_line(&at, end, &len);
		err = parse_number(line, len, &at_us);
	}
	if (!err) {
		line = next_line(&at, end, &len);
		err = parse_bytes(line, len, ret_head->hash, HASH_LEN);
	}
	if (!err) {
		line = next_line(&at, end, &len);
		err = parse_bytes(line, len, ret_head->key, SIGN_PUBLIC_LEN);
	}
	ret_head->at_us = (int64_t)at_us;
	return err || (at == end && ret_head->count) ? err : UN_ERR_DAMAGED;
}

enum un_err
verified_head_read(const char *state_dir, const char *url, struct verified_head *ret_head,
                   struct un_detail *detail)
{
	char path[VERIFIED_HEAD_PATH_MAX + NAME_SIZE + 1];
	struct place place = {.name = ""};
	struct buf file;
	enum un_err err = find_place(state_dir, url, &place, detail);

	if (err)
		return err;
	(void)snprintf(path, sizeof path, "%s/%s", place.folder, place.name);
	buf_init(&file, FILE_MAX, BUF_PLAIN);
	err = io_read_file(AT_FDCWD, path, &file);
	if (!err)
		err = parse(&file, url, ret_head);
	buf_fini(&file);
	if (!err || err == UN_ERR_NOT_FOUND || err == UN_ERR_NO_MEMORY)
		return err;
	un_hint(detail, "if you know why, delete it: what is verified next is then the first");
	return un_fail(detail, UN_ERR_DAMAGED,
	               "what was verified before is not to be read from %.400s", path);
}

static enum un_err
format(struct buf *out, const char *url, const struct verified_head *head)
{
	enum un_err err = buf_appendf(out, FIRST_LINE "\n%s\n%" PRIu64 "\n%" PRId64 "\n", url,
	                              head->count, head->at_us);

	if (!err)
		err = text_append_hex(out, head->hash, HASH_LEN);
	if (!err)
		err = buf_append_byte(out, '\n');
	if (!err)
		err = text_append_hex(out, head->key, SIGN_PUBLIC_LEN);
	return err ? err : buf_append_byte(out, '\n');
}

enum un_err
verified_head_write(const char *state_dir, const char *url, const struct verified_head *head,
                    struct un_detail *detail)
{
	struct place place = {.name = ""};
	struct buf file;
	int folder = -1;
	enum un_err err = find_place(state_dir, url, &place, detail);

	if (err)
		return err;
	err = io_make_dirs(place.folder, 0700);
	if (err)
		return un_fail(detail, err, "cannot make the folder %.400s", place.folder);
	folder = open(place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return un_fail_errno(detail, errno, "cannot open the folder %.400s", place.folder);
	buf_init(&file, FILE_MAX, BUF_PLAIN);
	err = format(&file, url, head);
	if (!err)
		err = io_replace_file(folder, place.name, file.data, file.len, 0600);
	buf_fini(&file);
	io_close(&folder);
	return err ? un_fail(detail, err, "cannot write in %.400s", place.folder) : UN_OK;
}

#include "client/known_planes.h"

#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "keeper/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* The folder of `path`, made when it is not there, and the name in it. */
static enum un_err
open_folder(const char *path, int *ret_fd, const char **ret_name, struct un_detail *detail)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_SIZE];
	enum un_err err;
	int fd;

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
		return un_fail(detail, UN_ERR_INVALID, "not a usable path: %.400s", path);
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		err = io_make_dirs(folder, 0700);
		if (err)
			return un_fail(detail, err, "cannot make the folder %.400s", folder);
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the folder %.400s", folder);
	*ret_fd = fd;
	*ret_name = slash + 1;
	return UN_OK;
}

/* The line of `url`: its start, and its length with the newline. */
static const char *
find_line(const struct buf *file, const char *url, size_t *ret_len)
{
	const char *at = buf_text(file), *end = at + file->len;
	size_t url_len = strlen(url);

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((eol ? eol + 1 : end) - at);

		if (len > url_len && strncmp(at, url, url_len) == 0 && at[url_len] == ' ') {
			*ret_len = len;
			return at;
		}
		at += len;
	}
	return NULL;
}

static enum un_err
read_file(int folder, const char *name, struct buf *file, struct un_detail *detail)
{
	enum un_err err = io_read_file(folder, name, file);

	if (err == UN_ERR_NOT_FOUND)
		return UN_OK;
	return err ? un_fail(detail, err, "cannot read the file of pinned keys '%s'", name) : UN_OK;
}

/* Writes the file again with the line of `url` replaced or added. */
static enum un_err
write_line(int folder, const char *name, const struct buf *file, const char *url,
           const uint8_t key[BOX_PUBLIC_LEN])
{
	size_t old_len = 0;
	const char *old = find_line(file, url, &old_len), *text = buf_text(file);
	size_t before = old ? (size_t)(old - text) : file->len;
	struct buf out;
	enum un_err err;

	buf_init(&out, KNOWN_PLANES_FILE_MAX, BUF_PLAIN);
	err = buf_append(&out, text, before);
	if (!err && before && text[before - 1] != '\n')
		err = buf_append_byte(&out, '\n');
	if (!err)
		err = buf_appendf(&out, "%s ", url);
	if (!err)
		err = text_append_hex(&out, key, BOX_PUBLIC_LEN);
	if (!err)
		err = buf_append_byte(&out, '\n');
	if (!err && old)
		err = buf_append(&out, old + old_len, file->len - before - old_len);
	if (!err)
		err = io_replace_file(folder, name, out.data, out.len, 0600);
	buf_fini(&out);
	return err;
}

static enum un_err
compare(const char *line, size_t len, const char *url, const uint8_t key[BOX_PUBLIC_LEN],
        struct un_detail *detail)
{
	size_t skip = strlen(url) + 1;
	char now[FINGERPRINT_TEXT_MAX], then[FINGERPRINT_TEXT_MAX] = "unreadable";
	struct buf pinned;
	enum un_err err;

	while (len > skip && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	buf_init(&pinned, BOX_PUBLIC_LEN, BUF_PLAIN);
	err = text_decode_hex(line + skip, len - skip, &pinned);
	if (err == UN_ERR_NO_MEMORY)
		return err; /* nothing is known about the key */
	if (!err && pinned.len == BOX_PUBLIC_LEN) {
		bool same = bytes_equal(pinned.data, key, BOX_PUBLIC_LEN);

		fingerprint_format(pinned.data, then);
		buf_fini(&pinned);
		if (same)
			return UN_OK;
	}
	buf_fini(&pinned);
	fingerprint_format(key, now);
	un_hint(detail,
	        "if it was set up anew, see the fingerprint there with 'union info', then: union "
	        "trust %s",
	        now);
	return un_fail(
		detail, UN_ERR_PLANE_KEY_CHANGED,
		"the control plane %.200s has another key than before: pinned %s, now %s; nothing "
		"was sent",
		url, then, now);
}

enum un_err
known_planes_check(const char *path, const char *url, const uint8_t key[BOX_PUBLIC_LEN],
                   struct un_detail *detail)
{
	const char *name, *line;
	struct buf file;
	size_t len = 0;
	int folder;
	enum un_err err = open_folder(path, &folder, &name, detail);

	if (err)
		return err;
	buf_init(&file, KNOWN_PLANES_FILE_MAX, BUF_PLAIN);
	err = read_file(folder, name, &file, detail);
	if (!err) {
		line = find_line(&file, url, &len);
		if (line)
			err = compare(line, len, url, key, detail);
		else
			err = write_line(folder, name, &file, url, key);
	}
	buf_fini(&file);
	(void)close(folder);
	return err;
}

enum un_err
known_planes_pin(const char *path, const char *url, const uint8_t key[BOX_PUBLIC_LEN],
                 struct un_detail *detail)
{
	const char *name;
	struct buf file;
	int folder;
	enum un_err err = open_folder(path, &folder, &name, detail);

	if (err)
		return err;
	buf_init(&file, KNOWN_PLANES_FILE_MAX, BUF_PLAIN);
	err = read_file(folder, name, &file, detail);
	if (!err)
		err = write_line(folder, name, &file, url, key);
	buf_fini(&file);
	(void)close(folder);
	return err;
}

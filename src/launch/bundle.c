#include "launch/bundle.h"

#include "base/alloc.h"
#include "base/io.h"
#include "launch/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define STEP 32768

struct bundle_reader {
	int dir_fd;
	int file_fd; /* being written; -1: none */
	z_stream zip;
	bool zip_open;
	bool zip_ended;
	uint64_t packed;
	uint64_t unpacked;
	struct tar_reader *tar;
	uint8_t plain[STEP];
};

static void *
zip_alloc(void *unused, unsigned count, unsigned len)
{
	return mem_zalloc(count, len);
}

static void
zip_free(void *unused, void *block)
{
	mem_free(block);
}

static enum un_err
refuse(struct un_detail *detail, const char *why)
{
	return un_fail(detail, UN_ERR_BUNDLE_REFUSED, "the code bundle is refused: %s", why);
}

static enum un_err
refuse_entry(struct un_detail *detail, const char *path, int saved_errno)
{
	char shown[TAR_SHOWN_MAX];

	if (saved_errno == EEXIST || saved_errno == ENOTDIR || saved_errno == ELOOP ||
	    saved_errno == EISDIR)
		return un_fail(detail, UN_ERR_BUNDLE_REFUSED,
		               "the code bundle is refused: '%s' is there already",
		               tar_show(path, shown));
	return un_fail_errno(detail, saved_errno, "cannot unpack '%s'", tar_show(path, shown));
}

/* Opens the directory `part` of `fd`, making it when it is not there; closes `fd` unless it is the
 * bundle's own. -1 and errno. */
static int
descend(const struct bundle_reader *reader, int fd, const char *part)
{
	int next = -1, saved_errno;

	if (mkdirat(fd, part, 0700) == 0 || errno == EEXIST)
		next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	saved_errno = errno;
	if (fd != reader->dir_fd)
		(void)close(fd);
	errno = saved_errno;
	return next;
}

static enum un_err
begin_entry(void *ctx, const struct tar_entry *entry, struct un_detail *detail)
{
	struct bundle_reader *reader = ctx;
	char part[TAR_PART_MAX + 1];
	const char *at = entry->path;
	int fd = reader->dir_fd, saved_errno;

	for (;;) {
		size_t len = strcspn(at, "/");

		memcpy(part, at, len);
		part[len] = '\0';
		if (!at[len] && !entry->directory)
			break;
		fd = descend(reader, fd, part);
		if (fd < 0)
			return refuse_entry(detail, entry->path, errno);
		if (!at[len])
			break;
		at += len + 1;
	}
	if (!entry->directory)
		reader->file_fd = openat(fd, part,
		                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		                         entry->executable ? 0700 : 0600);
	saved_errno = errno;
	if (fd != reader->dir_fd)
		(void)close(fd);
	if (!entry->directory && reader->file_fd < 0)
		return refuse_entry(detail, entry->path, saved_errno);
	return UN_OK;
}

static enum un_err
write_data(void *ctx, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	struct bundle_reader *reader = ctx;
	enum un_err err = io_write_all(reader->file_fd, bytes, len);

	return err ? un_fail(detail, err, "cannot unpack the code bundle: %s", un_err_text(err))
	           : UN_OK;
}

static enum un_err
end_entry(void *ctx, struct un_detail *detail)
{
	struct bundle_reader *reader = ctx;

	io_close(&reader->file_fd);
	return UN_OK;
}

enum un_err
bundle_new(int dir_fd, struct bundle_reader **ret_reader)
{
	struct bundle_reader *reader = mem_zalloc(1, sizeof *reader);
	struct tar_sink sink = {
	        .begin = begin_entry, .data = write_data, .end = end_entry, .ctx = reader};
	enum un_err err;

	if (!reader)
		return UN_ERR_NO_MEMORY;
	reader->dir_fd = dir_fd;
	reader->file_fd = -1;
	reader->zip.zalloc = zip_alloc;
	reader->zip.zfree = zip_free;
	reader->zip_open = inflateInit2(&reader->zip, 15 + 16) == Z_OK; /* gzip only */
	err = reader->zip_open ? tar_reader_new(sink, &reader->tar) : UN_ERR_NO_MEMORY;
	if (err) {
		bundle_free(reader);
		return err;
	}
	*ret_reader = reader;
	return UN_OK;
}

/* Inflates once; what comes out goes to the tar reader. */
static enum un_err
inflate_step(struct bundle_reader *reader, struct un_detail *detail)
{
	size_t got;
	int state;

	reader->zip.next_out = reader->plain;
	reader->zip.avail_out = STEP;
	state = inflate(&reader->zip, Z_NO_FLUSH);
	if (state == Z_MEM_ERROR)
		return UN_ERR_NO_MEMORY;
	if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
		return refuse(detail, "it is not gzip, or damaged");
	reader->zip_ended = state == Z_STREAM_END;
	got = STEP - reader->zip.avail_out;
	reader->unpacked += got;
	if (reader->unpacked > BUNDLE_FREE && reader->unpacked / BUNDLE_RATIO > reader->packed)
		return refuse(detail, "it unpacks to far more than code does");
	return tar_push(reader->tar, reader->plain, got, detail);
}

enum un_err
bundle_push(struct bundle_reader *reader, const uint8_t *bytes, size_t len,
            struct un_detail *detail)
{
	reader->packed += len;
	while (len) {
		size_t piece = len < STEP ? len : STEP;

		reader->zip.next_in =
			(uint8_t *)(uintptr_t)bytes; /* zlib's old signature; only read */
		reader->zip.avail_in = (unsigned)piece;
		do {
			enum un_err err;

			if (reader->zip_ended)
				return refuse(detail, "something follows its end");
			err = inflate_step(reader, detail);
			if (err)
				return err;
		} while (reader->zip.avail_in || (!reader->zip.avail_out && !reader->zip_ended));
		bytes += piece;
		len -= piece;
	}
	return UN_OK;
}

enum un_err
bundle_end(struct bundle_reader *reader, struct un_detail *detail)
{
	if (!reader->zip_ended)
		return refuse(detail, "it stops before its end");
	return tar_end(reader->tar, detail);
}

void
bundle_free(struct bundle_reader *reader)
{
	if (!reader)
		return;
	if (reader->zip_open)
		(void)inflateEnd(&reader->zip);
	tar_reader_free(reader->tar);
	io_close(&reader->file_fd);
	mem_free(reader);
}

enum un_err
bundle_unpack(int fd, int dir_fd, struct un_detail *detail)
{
	struct bundle_reader *reader;
	uint8_t bytes[STEP];
	ssize_t got;
	enum un_err err = bundle_new(dir_fd, &reader);

	if (err)
		return err;
	while (!err && (got = read(fd, bytes, sizeof bytes)) != 0) {
		if (got > 0)
			err = bundle_push(reader, bytes, (size_t)got, detail);
		else if (errno != EINTR)
			err = un_fail_errno(detail, errno, "cannot read the code bundle");
	}
	if (!err)
		err = bundle_end(reader, detail);
	bundle_free(reader);
	return err;
}

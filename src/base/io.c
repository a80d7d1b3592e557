#include "base/io.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536
#define WRITE_WAIT_MS 30000

#ifdef UN_FAULTS
#define FAULT(kind) fault_now(kind)
#else
#define FAULT(kind) false
#endif

enum un_err
io_write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	if (FAULT(FAULT_WRITE))
		return UN_ERR_DISK_FULL;
	while (len) {
		ssize_t done = write(fd, at, len);

		if (done >= 0) {
			at += done;
			len -= (size_t)done;
		} else if (errno == EAGAIN) {
			enum un_err err = io_wait(fd, POLLOUT, clock_mono_ms() + WRITE_WAIT_MS);

			if (err)
				return err;
		} else if (errno != EINTR) {
			return un_err_from_errno(errno);
		}
	}
	return UN_OK;
}

enum un_err
io_read_exact(int fd, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len) {
		ssize_t got = read(fd, at, len);

		if (got > 0) {
			at += got;
			len -= (size_t)got;
		} else if (got == 0) {
			return UN_ERR_PROTOCOL;
		} else if (errno != EINTR) {
			return un_err_from_errno(errno);
		}
	}
	return UN_OK;
}

enum un_err
io_read_all(int fd, struct buf *out)
{
	for (;;) {
		size_t room = out->max - out->len;
		uint8_t extra;
		ssize_t got;
		enum un_err err;

		if (room) {
			err = buf_reserve(out, room < READ_STEP ? room : READ_STEP);
			if (err)
				return err;
			got = read(fd, out->data + out->len, room < READ_STEP ? room : READ_STEP);
			if (got > 0)
				buf_added(out, (size_t)got);
		} else {
			got = read(fd, &extra, 1); /* full: one byte more is too much */
			if (got > 0)
				return UN_ERR_TOO_LARGE;
		}
		if (got == 0)
			return UN_OK;
		if (got < 0 && errno != EINTR)
			return un_err_from_errno(errno);
	}
}

enum un_err
io_fsync(int fd)
{
	if (FAULT(FAULT_FSYNC))
		return UN_ERR_IO;
	return fsync(fd) == 0 ? UN_OK : un_err_from_errno(errno);
}

enum un_err
io_write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
	const uint8_t *at = bytes;

	if (FAULT(FAULT_WRITE))
		return UN_ERR_DISK_FULL;
	while (len) {
		ssize_t done = pwrite(fd, at, len, (off_t)offset);

		if (done >= 0) {
			at += done;
			len -= (size_t)done;
			offset += (uint64_t)done;
		} else if (errno != EINTR) {
			return un_err_from_errno(errno);
		}
	}
	return UN_OK;
}

enum un_err
io_fdatasync(int fd)
{
	if (FAULT(FAULT_FSYNC))
		return UN_ERR_IO;
	return fdatasync(fd) == 0 ? UN_OK : un_err_from_errno(errno);
}

enum un_err
io_rename_at(int dir_fd, const char *from, const char *to)
{
	if (FAULT(FAULT_RENAME))
		return UN_ERR_IO;
	return renameat(dir_fd, from, dir_fd, to) == 0 ? UN_OK : un_err_from_errno(errno);
}

static enum un_err
sync_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum un_err err;

	if (fd < 0)
		return un_err_from_errno(errno);
	err = io_fsync(fd);
	io_close(&fd);
	return err;
}

enum un_err
io_replace_file(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
{
	char temporary[NAME_MAX + 1];
	enum un_err err;
	int fd, wrote;

	wrote = snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", name, (long)getpid());
	if (wrote < 0 || (size_t)wrote >= sizeof temporary)
		return UN_ERR_TOO_LARGE;
	(void)unlinkat(dir_fd, temporary, 0); /* left by a crash under the same process id */
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return un_err_from_errno(errno);
	err = io_write_all(fd, bytes, len);
	if (err)
		goto out;
	err = io_fsync(fd);
	if (err)
		goto out;
	err = io_rename_at(dir_fd, temporary, name);
	if (err)
		goto out;
	err = sync_dir(dir_fd);
out:
	io_close(&fd);
	if (err)
		(void)unlinkat(dir_fd, temporary, 0);
	return err;
}

enum un_err
io_read_file(int dir_fd, const char *name, struct buf *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	enum un_err err;

	if (fd < 0)
		return un_err_from_errno(errno);
	err = io_read_all(fd, out);
	io_close(&fd);
	return err;
}

enum un_err
io_make_dirs(const char *path, mode_t mode)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof partial)
		return UN_ERR_INVALID;
	memcpy(partial, path, len + 1);
	for (char *p = partial + 1;; p++) {
		char kept = *p;

		if (kept != '/' && kept != '\0')
			continue;
		*p = '\0';
		if (mkdir(partial, mode) != 0 && errno != EEXIST)
			return un_err_from_errno(errno);
		if (kept == '\0')
			return UN_OK;
		*p = kept;
	}
}

enum un_err
io_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd one = {.fd = fd, .events = events};

	for (;;) {
		int ready = poll(&one, 1, clock_left_ms(deadline_ms));

		if (ready > 0)
			return UN_OK;
		if (ready == 0 && clock_mono_ms() >= deadline_ms)
			return UN_ERR_TIMEOUT;
		if (ready < 0 && errno != EINTR)
			return un_err_from_errno(errno);
	}
}

void
io_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

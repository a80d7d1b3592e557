#include "base/io.h"
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PID_TEXT_MAX 24

/* The text is for people; the lock is what counts. */
static enum un_err
fail_busy(int fd, const char *dir, struct un_detail *detail)
{
	char text[PID_TEXT_MAX];
	ssize_t len = pread(fd, text, sizeof text - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	text[strspn(text, "0123456789")] = '\0';
	un_hint(detail, "stop it first, or use the one that runs");
	if (!text[0])
		return un_fail(detail, UN_ERR_BUSY, "%s is in use by another process", dir);
	return un_fail(detail, UN_ERR_BUSY, "%s is in use by process %s", dir, text);
}

enum un_err
store_lock(const char *dir, int dir_fd, int *ret_fd, struct un_detail *detail)
{
	char text[PID_TEXT_MAX];
	enum un_err err;
	int fd, len;

	fd = openat(dir_fd, STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open %s/%s", dir, STORE_LOCK);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err = errno == EWOULDBLOCK
		              ? fail_busy(fd, dir, detail)
		              : un_fail_errno(detail, errno, "cannot lock %s/%s", dir, STORE_LOCK);
		io_close(&fd);
		return err;
	}
	len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len) {
		/* only people miss it */
	}
	*ret_fd = fd;
	return UN_OK;
}

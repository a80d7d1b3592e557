#include "runs/logs.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum un_err
logs_open_dir(const char *data_dir, int *ret_fd, struct un_detail *detail)
{
	char path[4200];
	enum un_err err;

	if ((size_t)snprintf(path, sizeof path, "%s/logs", data_dir) >= sizeof path)
		return UN_ERR_TOO_LARGE;
	err = io_make_dirs(path, 0700);
	if (err)
		return un_fail(detail, err, "cannot make '%s'", path);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? un_fail_errno(detail, errno, "cannot open '%s'", path) : UN_OK;
}

static void
folder_of(const struct log_name *name, char path[LOG_PATH_MAX])
{
	snprintf(path, LOG_PATH_MAX, "%s.%lld", name->execution, (long long)name->execution_id);
}

static void
path_of(const struct log_name *name, char path[LOG_PATH_MAX])
{
	snprintf(path, LOG_PATH_MAX, "%s.%lld/%s.%u.log", name->execution,
	         (long long)name->execution_id, name->node, name->attempt);
}

static enum un_err
write_at(int fd, const struct log_piece *piece)
{
	size_t len = piece->len;

	if (piece->offset >= piece->max)
		return UN_OK;
	if (len > piece->max - piece->offset)
		len = (size_t)(piece->max - piece->offset);
	if (lseek(fd, (off_t)piece->offset, SEEK_SET) < 0)
		return un_err_from_errno(errno);
	return io_write_all(fd, piece->bytes, len);
}

static int
open_log(int logs_fd, const struct log_name *name)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	char path[LOG_PATH_MAX], folder[LOG_PATH_MAX];
	int fd;

	path_of(name, path);
	fd = openat(logs_fd, path, flags, 0600);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	folder_of(name, folder);
	if (mkdirat(logs_fd, folder, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(logs_fd, path, flags, 0600);
}

enum un_err
logs_write(int logs_fd, const struct log_name *name, const struct log_piece *piece,
           uint64_t *ret_len, struct un_detail *detail)
{
	int fd = open_log(logs_fd, name);
	struct stat st;
	enum un_err err;

	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot write the log");
	err = write_at(fd, piece);
	if (!err && fstat(fd, &st) < 0)
		err = un_err_from_errno(errno);
	if (!err)
		*ret_len = (uint64_t)st.st_size;
	io_close(&fd);
	return err ? un_fail(detail, err, "cannot write the log") : UN_OK;
}

enum un_err
logs_open(int logs_fd, const struct log_name *name, int *ret_fd)
{
	char path[LOG_PATH_MAX];

	path_of(name, path);
	*ret_fd = openat(logs_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd < 0 ? un_err_from_errno(errno) : UN_OK;
}

void
logs_tell(const struct log_name *name, enum un_err err, bool *waiting)
{
	bool is_full = err == UN_ERR_DISK_FULL;

	if (is_full == *waiting || (err && !is_full))
		return;
	*waiting = is_full;
	if (is_full)
		log_error(
			"runs",
			"the disk is full: logs wait, first the one of %s, node %s; a minute after "
			"the end of its task a log is cut",
			name->execution, name->node);
	else
		log_notice("runs", "logs are written again");
}

#include "net/unix.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The address of a path, and the folder that must stay open while it is used. */
struct place {
	struct sockaddr_un address;
	int dir_fd;
};

static enum un_err
place_open(const char *path, struct place *place)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int len;

	place->dir_fd = -1;
	place->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) < sizeof place->address.sun_path) {
		memcpy(place->address.sun_path, path, strlen(path) + 1);
		return UN_OK;
	}
	if (!slash || (size_t)(slash - path) >= sizeof dir)
		return UN_ERR_TOO_LARGE;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	place->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0)
		return un_err_from_errno(errno);
	len = snprintf(place->address.sun_path, sizeof place->address.sun_path,
	               "/proc/self/fd/%d/%s", place->dir_fd, slash + 1);
	if (len < 0 || (size_t)len >= sizeof place->address.sun_path) {
		io_close(&place->dir_fd);
		return UN_ERR_TOO_LARGE;
	}
	return UN_OK;
}

/* Starts to connect; UN_ERR_UNREACHABLE says that nobody listens there. */
static enum un_err
connect_to(const struct place *place, int fd, int timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	/* a full backlog is EAGAIN on Unix sockets, and nothing tells when there is room */
	while (connect(fd, (const struct sockaddr *)&place->address, sizeof place->address)) {
		struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};

		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			return UN_ERR_UNREACHABLE;
		if (errno != EAGAIN && errno != EINTR)
			return un_err_from_errno(errno);
		if (clock_mono_ms() >= deadline)
			return UN_ERR_TIMEOUT;
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return UN_OK;
}

enum un_err
net_unix_connect(const char *path, int timeout_ms, int *ret_fd)
{
	struct place place;
	enum un_err err = place_open(path, &place);
	int fd;

	if (err == UN_ERR_NOT_FOUND)
		return UN_ERR_UNREACHABLE;
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? un_err_from_errno(errno) : connect_to(&place, fd, timeout_ms);
	if (!err && fcntl(fd, F_SETFL, 0))
		err = un_err_from_errno(errno);
	io_close(&place.dir_fd);
	if (err) {
		io_close(&fd);
		return err;
	}
	*ret_fd = fd;
	return UN_OK;
}

/* Removes a socket on which nobody answers. */
static enum un_err
remove_stale(const char *path)
{
	struct stat info;
	int fd = -1;
	enum un_err err;

	if (lstat(path, &info))
		return errno == ENOENT ? UN_OK : un_err_from_errno(errno);
	if (!S_ISSOCK(info.st_mode))
		return UN_ERR_EXISTS;
	err = net_unix_connect(path, 0, &fd);
	io_close(&fd);
	if (err != UN_ERR_UNREACHABLE)
		return err == UN_ERR_DENIED ? err : UN_ERR_BUSY;
	return unlink(path) && errno != ENOENT ? un_err_from_errno(errno) : UN_OK;
}

enum un_err
net_unix_listen(const char *path, int *ret_fd, struct un_detail *detail)
{
	struct place place;
	enum un_err err = remove_stale(path);
	int fd = -1, saved;

	if (err == UN_ERR_BUSY)
		return un_fail(detail, err, "another server answers on %s", path);
	if (err)
		return un_fail(detail, err, "cannot listen on %s: %s", path, un_err_text(err));
	err = place_open(path, &place);
	if (err)
		return un_fail(detail, err, "cannot listen on %s: %s", path, un_err_text(err));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* the mode of the socket file is that of the descriptor, less the umask: no moment is open
	 */
	if (fd < 0 || fchmod(fd, 0600) ||
	    bind(fd, (const struct sockaddr *)&place.address, sizeof place.address) ||
	    listen(fd, SOMAXCONN)) {
		saved = errno;
		io_close(&fd);
		io_close(&place.dir_fd);
		return un_fail_errno(detail, saved, "cannot listen on %s", path);
	}
	io_close(&place.dir_fd);
	*ret_fd = fd;
	return UN_OK;
}

enum un_err
net_unix_peer(int fd, struct net_peer *ret_peer)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return un_err_from_errno(errno);
	ret_peer->family = NET_UNIX;
	ret_peer->uid = cred.uid;
	ret_peer->gid = cred.gid;
	ret_peer->pid = cred.pid;
	(void)snprintf(ret_peer->address, sizeof ret_peer->address, "unix");
	return UN_OK;
}

#include "client/wire.h"

#include "base/clock.h"
#include "base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_RETRY_MS 5

enum un_err
wire_wait(int fd, short events, int wake_fd, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd polls[2] = {{.fd = fd, .events = events},
		                          {.fd = wake_fd, .events = POLLIN}};
		int left = clock_left_ms(deadline_ms);
		int ready = poll(polls, wake_fd >= 0 ? 2 : 1, left);

		if (ready < 0 && errno != EINTR)
			return un_err_from_errno(errno);
		if (ready > 0 && polls[1].revents)
			return UN_ERR_INTERRUPTED;
		if (ready > 0)
			return UN_OK;
		if (ready == 0 && clock_left_ms(deadline_ms) == 0)
			return UN_ERR_TIMEOUT;
	}
}

static enum un_err
plain_read(struct wire *wire, void *bytes, size_t len, int64_t deadline_ms, size_t *ret_len)
{
	for (;;) {
		enum un_err err = wire_wait(wire->fd, POLLIN, wire->wake_fd, deadline_ms);
		ssize_t got;

		if (err)
			return err;
		got = recv(wire->fd, bytes, len, 0);
		if (got >= 0) {
			*ret_len = (size_t)got;
			return UN_OK;
		}
		if (errno != EAGAIN && errno != EINTR)
			return UN_ERR_UNREACHABLE;
	}
}

static enum un_err
plain_write(struct wire *wire, const void *bytes, size_t len, int64_t deadline_ms)
{
	const uint8_t *at = bytes;

	while (len) {
		ssize_t done = send(wire->fd, at, len, MSG_NOSIGNAL);
		enum un_err err;

		if (done >= 0) {
			at += done;
			len -= (size_t)done;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return UN_ERR_UNREACHABLE;
		err = wire_wait(wire->fd, POLLOUT, wire->wake_fd, deadline_ms);
		if (err)
			return err;
	}
	return UN_OK;
}

static void
plain_close(struct wire *wire)
{
	io_close(&wire->fd);
}

static bool
plain_is_stale(struct wire *wire)
{
	struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN | POLLRDHUP};

	return poll(&poll_fd, 1, 0) != 0;
}

static const struct wire_ops plain_ops = {
        .read = plain_read,
        .write = plain_write,
        .is_stale = plain_is_stale,
        .close = plain_close,
};

static enum un_err
finish_connect(int fd, int wake_fd, int64_t deadline_ms)
{
	int failure = 0;
	socklen_t len = sizeof failure;
	enum un_err err = wire_wait(fd, POLLOUT, wake_fd, deadline_ms);

	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0 && failure) {
		errno = failure;
		return UN_ERR_UNREACHABLE;
	}
	return UN_OK;
}

enum un_err
wire_connect_address(const struct sockaddr *address, socklen_t len, int wake_fd,
                     int64_t deadline_ms, int *ret_fd)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum un_err err = UN_OK;
	int saved, on = 1;

	if (fd < 0)
		return UN_ERR_UNREACHABLE;
	while (connect(fd, address, len) != 0) {
		if (errno == EINPROGRESS) {
			err = finish_connect(fd, wake_fd, deadline_ms);
			break;
		}
		if (errno == EAGAIN) { /* Unix: the backlog is full at this moment */
			if (clock_left_ms(deadline_ms) == 0) {
				err = UN_ERR_TIMEOUT;
				break;
			}
			err = wire_wait(-1, 0, wake_fd, clock_mono_ms() + BACKLOG_RETRY_MS);
			if (err == UN_ERR_TIMEOUT)
				continue;
		} else if (errno != EINTR) {
			err = UN_ERR_UNREACHABLE;
		}
		if (err)
			break;
	}
	if (err) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return err;
	}
	if (address->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*ret_fd = fd;
	return UN_OK;
}

/* sun_path has 108 bytes; a longer path goes through a descriptor of its folder. */
static enum un_err
connect_long(const char *path, int wake_fd, int64_t deadline_ms, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[ENDPOINT_PATH_MAX];
	int folder_fd, len, saved;
	enum un_err err;

	if (!slash || (size_t)(slash - path) >= sizeof folder) {
		errno = ENAMETOOLONG;
		return UN_ERR_UNREACHABLE;
	}
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	folder_fd = open(folder[0] ? folder : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return UN_ERR_UNREACHABLE;
	len = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder_fd,
	               slash + 1);
	if (len < 0 || (size_t)len >= sizeof address.sun_path) {
		err = UN_ERR_UNREACHABLE;
		errno = ENAMETOOLONG;
	} else {
		err = wire_connect_address((struct sockaddr *)&address, sizeof address, wake_fd,
		                           deadline_ms, ret_fd);
	}
	saved = errno;
	(void)close(folder_fd);
	errno = saved;
	return err;
}

enum un_err
wire_connect_unix(const char *path, int wake_fd, int64_t deadline_ms, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof address.sun_path)
		return connect_long(path, wake_fd, deadline_ms, ret_fd);
	memcpy(address.sun_path, path, len + 1);
	return wire_connect_address((struct sockaddr *)&address, sizeof address, wake_fd,
	                            deadline_ms, ret_fd);
}

static enum un_err
connect_numeric(const struct endpoint *endpoint, int wake_fd, int64_t deadline_ms, int *ret_fd)
{
	const char *host = strcmp(endpoint->host, "localhost") == 0 ? "127.0.0.1" : endpoint->host;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};

	if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
		return wire_connect_address((struct sockaddr *)&four, sizeof four, wake_fd,
		                            deadline_ms, ret_fd);
	if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
		return wire_connect_address((struct sockaddr *)&six, sizeof six, wake_fd,
		                            deadline_ms, ret_fd);
	errno = EADDRNOTAVAIL;
	return UN_ERR_UNREACHABLE;
}

static enum un_err
explain(const struct endpoint *endpoint, enum un_err err, int saved, struct un_detail *detail)
{
	const char *why = err == UN_ERR_TIMEOUT ? "no answer in time" : strerrordesc_np(saved);

	if (err != UN_ERR_TIMEOUT && err != UN_ERR_UNREACHABLE)
		return err;
	if (endpoint->kind == ENDPOINT_UNIX)
		return un_fail(detail, err, "cannot reach the control plane at %.400s: %s",
		               endpoint->path, why);
	return un_fail(detail, err, "cannot reach the control plane at %s port %u: %s",
	               endpoint->host, endpoint->port, why);
}

static enum un_err
connect_tls(struct wire *wire, const struct endpoint *endpoint, const struct wire_remote *remote,
            int64_t deadline_ms, struct un_detail *detail)
{
	int fd = -1;
	enum un_err err =
		remote->connect(remote, endpoint, wire->wake_fd, deadline_ms, &fd, detail);

	if (err)
		return err;
	wire_adopt(wire, fd);
	err = remote->start_tls(remote, wire, endpoint, deadline_ms, detail);
	if (err)
		wire_close(wire);
	return err;
}

enum un_err
wire_connect(struct wire *wire, const struct endpoint *endpoint, const struct wire_remote *remote,
             int64_t deadline_ms, struct un_detail *detail)
{
	enum un_err err;
	int fd = -1;

	errno = 0;
	if (endpoint->kind == ENDPOINT_HTTPS && !remote)
		return un_fail(detail, UN_ERR_UNSUPPORTED, "this program cannot speak TLS");
	if (endpoint->kind == ENDPOINT_UNIX)
		err = wire_connect_unix(endpoint->path, wire->wake_fd, deadline_ms, &fd);
	else if (endpoint->kind == ENDPOINT_HTTP)
		err = connect_numeric(endpoint, wire->wake_fd, deadline_ms, &fd);
	else
		return connect_tls(wire, endpoint, remote, deadline_ms, detail);
	if (err)
		return explain(endpoint, err, errno, detail);
	wire_adopt(wire, fd);
	return UN_OK;
}

void
wire_adopt(struct wire *wire, int fd)
{
	wire->fd = fd;
	wire->ops = &plain_ops;
}

void
wire_close(struct wire *wire)
{
	if (wire->fd >= 0)
		wire->ops->close(wire);
	wire->fd = -1;
}

bool
wire_is_stale(struct wire *wire)
{
	return wire->ops->is_stale(wire);
}

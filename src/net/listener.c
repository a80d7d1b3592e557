#include "net/listener.h"

#include "base/io.h"
#include "net/unix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

static bool
parse_host(const char *host, uint16_t port, union address *ret_address, socklen_t *ret_len)
{
	memset(ret_address, 0, sizeof *ret_address);
	if (inet_pton(AF_INET, host, &ret_address->in4.sin_addr) == 1) {
		ret_address->in4.sin_family = AF_INET;
		ret_address->in4.sin_port = htons(port);
		*ret_len = sizeof ret_address->in4;
		return true;
	}
	if (inet_pton(AF_INET6, host, &ret_address->in6.sin6_addr) == 1) {
		ret_address->in6.sin6_family = AF_INET6;
		ret_address->in6.sin6_port = htons(port);
		*ret_len = sizeof ret_address->in6;
		return true;
	}
	return false;
}

static bool
is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->in4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}

static enum un_err
listen_tcp(const struct net_listener_config *config, bool share, int *ret_fd,
           struct un_detail *detail)
{
	union address address;
	socklen_t len = 0;
	int one = 1, fd, saved;

	if (!parse_host(config->host, config->port, &address, &len))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' is not a numeric address",
		               config->host);
	if (!config->beyond_loopback && !is_loopback(&address))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'%s' is not a loopback address, and the configuration does not "
		               "allow others",
		               config->host);
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
	    (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one)) ||
	    (address.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one)) ||
	    bind(fd, &address.any, len) || listen(fd, SOMAXCONN)) {
		saved = errno;
		io_close(&fd);
		if (saved == EADDRINUSE)
			return un_fail(detail, UN_ERR_BUSY, "%s port %u is in use", config->host,
			               config->port);
		return un_fail_errno(detail, saved, "cannot listen on %s port %u", config->host,
		                     config->port);
	}
	*ret_fd = fd;
	return UN_OK;
}

static enum un_err
take_passed(const struct net_listener_config *config, int *ret_fd, struct un_detail *detail)
{
	int fd = config->passed_fd, listens = 0;
	socklen_t len = sizeof listens, address_len = sizeof(union address);
	union address address = {0};

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens ||
	    getsockname(fd, &address.any, &address_len))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "descriptor %d is not a listening socket",
		               fd);
	if (address.any.sa_family != AF_UNIX && address.any.sa_family != AF_INET &&
	    address.any.sa_family != AF_INET6)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "descriptor %d is neither a Unix nor a TCP socket", fd);
	if (address.any.sa_family != AF_UNIX && !config->beyond_loopback && !is_loopback(&address))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "descriptor %d listens beyond loopback, and the configuration does "
		               "not allow it",
		               fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL)))
		return un_fail_errno(detail, errno, "descriptor %d", fd);
	*ret_fd = fd;
	return UN_OK;
}

enum un_err
net_listen(const struct net_listener_config *config, bool share, int *ret_fd,
           struct un_detail *detail)
{
	if (config->unix_path)
		return net_unix_listen(config->unix_path, ret_fd, detail);
	if (config->host)
		return listen_tcp(config, share, ret_fd, detail);
	return take_passed(config, ret_fd, detail);
}

bool
net_is_unix(int fd)
{
	union address address = {0};
	socklen_t len = sizeof address;

	return getsockname(fd, &address.any, &len) == 0 && address.any.sa_family == AF_UNIX;
}

uint16_t
net_local_port(int fd)
{
	union address address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len))
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.in4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.in6.sin6_port) : 0;
}

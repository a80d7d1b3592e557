/* tcp_owner.h - which user is at the other end of a TCP connection from this machine.
 *
 * A loopback port is open to every user of the machine. Until a client can log in, the kernel is
 * asked who owns the other socket (sock_diag(7)), which is for TCP what SO_PEERCRED is for a Unix
 * socket. Both ends must be in this network namespace. Any thread. */
#ifndef NET_TCP_OWNER_H
#define NET_TCP_OWNER_H

#include "base/err.h"

#include <sys/types.h>

/* The owner of the socket that `fd` (connected, IPv4 or IPv6) talks to. UN_ERR_NOT_FOUND: it is not
 * a socket of this machine, or has gone. */
MUST_CHECK enum un_err net_tcp_owner(int fd, uid_t *ret_uid);

#endif

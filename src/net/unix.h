/* unix.h - Unix sockets whose paths may be longer than sun_path, and who is at the other end.
 *
 * A long path is reached through /proc/self/fd of its folder. Any thread. */
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include "base/err.h"
#include "net/peer.h"

/* A listening stream socket at `path`, mode 0600 from its first instant, O_CLOEXEC and
 * non-blocking. A socket left behind there (nobody answers on it) is replaced; UN_ERR_BUSY:
 * somebody answers. The caller owns *ret_fd. */
MUST_CHECK enum un_err net_unix_listen(const char *path, int *ret_fd, struct un_detail *detail);
/* Connects, blocking at most `timeout_ms`; the descriptor is O_CLOEXEC and blocking.
 * UN_ERR_UNREACHABLE: no such socket or nobody listens. UN_ERR_TIMEOUT, UN_ERR_DENIED. */
MUST_CHECK enum un_err net_unix_connect(const char *path, int timeout_ms, int *ret_fd);
/* Fills uid, gid and pid of `ret_peer` from SO_PEERCRED. */
MUST_CHECK enum un_err net_unix_peer(int fd, struct net_peer *ret_peer);

#endif

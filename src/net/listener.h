/* listener.h - where a server can be reached: a Unix socket, a TCP port, or a socket passed in. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/err.h"
#include "net/peer.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stdint.h>

enum net_tls_mode {
	NET_TLS_OFF,      /* cleartext only */
	NET_TLS_REQUIRED, /* TLS only */
	NET_TLS_BOTH,     /* decided by the first byte */
};

/* Exactly one of `unix_path`, `host` and `passed_fd` > 0 is set. Texts are copied. */
struct net_listener_config {
	const char *unix_path; /* made with mode 0600 */
	const char *host;      /* numeric: "127.0.0.1", "::1", "0.0.0.0" */
	uint16_t port;         /* 0: any; see server_port */
	int passed_fd;         /* a listening stream socket; the server owns it then */
	bool beyond_loopback;  /* without it an address outside 127.0.0.0/8 and ::1 is refused */
	enum net_tls_mode tls_mode;
	/* Unix sockets: who may connect. NULL: only the uid of this process, and root. */
	bool (*allow)(void *ctx, const struct net_peer *peer);
	void *allow_ctx;
};

/* Opens one listening socket of a config; `share` sets SO_REUSEPORT. UN_ERR_BUSY: the address is in
 * use; UN_ERR_BAD_CONFIG: not a numeric address, or not loopback without `beyond_loopback`. */
MUST_CHECK enum un_err net_listen(const struct net_listener_config *config, bool share, int *ret_fd,
                                  struct un_detail *detail);
/* The port a TCP listener got. */
uint16_t net_local_port(int fd);
bool net_is_unix(int fd); /* a Unix socket */

#endif

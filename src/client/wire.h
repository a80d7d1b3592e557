/* wire.h - bytes to and from one peer, with a deadline on every wait and a way to be woken.
 *
 * A wire belongs to one thread. What it costs to speak TLS or to ask a name server is not linked in
 * here: a program that needs it hands in a struct wire_remote (client/remote.h has one). */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#include "base/err.h"
#include "client/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct wire;

struct wire_remote {
	/* Connects a non-blocking socket to host and port; names included. */
	enum un_err (*connect)(const struct wire_remote *remote, const struct endpoint *endpoint,
	                       int wake_fd, int64_t deadline_ms, int *ret_fd,
	                       struct un_detail *detail);
	/* Makes `wire`, which is connected, speak TLS: sets its ops. */
	enum un_err (*start_tls)(const struct wire_remote *remote, struct wire *wire,
	                         const struct endpoint *endpoint, int64_t deadline_ms,
	                         struct un_detail *detail);
	const char *ca_file; /* PEM; NULL: the system's; lent */
	/* PEM of a certificate of the client's own (leaf first) and its key; lent; NULL: none */
	const char *certificate_file, *key_file;
	bool skip_verify;    /* whoever answers is taken for the server; asked for by name only */
};

struct wire_ops {
	/* At least one byte, or *ret_len 0 at the end. */
	enum un_err (*read)(struct wire *wire, void *bytes, size_t len, int64_t deadline_ms,
	                    size_t *ret_len);
	enum un_err (*write)(struct wire *wire, const void *bytes, size_t len, int64_t deadline_ms);
	/* There are bytes although nothing was asked for, or the end. */
	bool (*is_stale)(struct wire *wire);
	void (*close)(struct wire *wire);
};

struct wire {
	const struct wire_ops *ops;
	int fd;      /* -1: not connected */
	int wake_fd; /* readable: every wait ends with UN_ERR_INTERRUPTED; -1: none */
	void *tls;
	const char *refusal; /* what the other side said of our certificate at its end, or NULL */
};

/* UN_ERR_UNREACHABLE with the reason in `detail`. `remote` may be NULL: then Unix sockets and
 * numeric loopback addresses only. */
MUST_CHECK enum un_err wire_connect(struct wire *wire, const struct endpoint *endpoint,
                                    const struct wire_remote *remote, int64_t deadline_ms,
                                    struct un_detail *detail);
void wire_adopt(struct wire *wire, int fd); /* a connected socket: plain bytes */
void wire_close(struct wire *wire);
/* The peer has closed, or sent what nobody asked for: not to be used for another request. */
bool wire_is_stale(struct wire *wire);

/* Waits for `events` on `fd` or for `wake_fd`. UN_ERR_TIMEOUT, UN_ERR_INTERRUPTED. */
MUST_CHECK enum un_err wire_wait(int fd, short events, int wake_fd, int64_t deadline_ms);
/* Connects a non-blocking stream socket to an address. */
MUST_CHECK enum un_err wire_connect_address(const struct sockaddr *address, socklen_t len,
                                            int wake_fd, int64_t deadline_ms, int *ret_fd);
/* Connects to a Unix socket whose path may be longer than sun_path. On UN_ERR_UNREACHABLE errno
 * says why (ENOENT, ECONNREFUSED, ...). */
MUST_CHECK enum un_err wire_connect_unix(const char *path, int wake_fd, int64_t deadline_ms,
                                         int *ret_fd);

#endif

/* systemd.h - what a service manager hands over and wants to hear (sd_listen_fds(3), sd_notify(3),
 * "Credentials" in systemd.exec(5)), without its library. One thread. */
#ifndef SYSTEMD_SYSTEMD_H
#define SYSTEMD_SYSTEMD_H

#include "config.h"
#include "services/plane.h"

struct systemd {
	int sockets[PLANE_PASSED_MAX];
	size_t socket_count;
	bool has_unix;          /* one of them is a Unix socket, and config->listen_unix its path */
	unsigned alive_every_s; /* for the watchdog; 0: none */
	int notify_fd;          /* -1: nobody listens */
	char notify_path[108];  /* as in sun_path; '@' for the abstract one's NUL */
};

/* Takes what the environment says and removes it, so that no child believes it is meant. Changes
 * `config->listen_unix` when that socket was passed in. UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err systemd_take(struct systemd *systemd, struct config *config,
                                    struct un_detail *detail);
void systemd_release(struct systemd *systemd); /* the sockets are the plane's */

/* "READY=1", "STATUS=...": lines as sd_notify takes them. Nobody listening is fine. */
void systemd_tell(const struct systemd *systemd, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts the file's path in the place of "credential:NAME" in the keys that name a file.
 * UN_ERR_BAD_CONFIG: no credentials were given. */
MUST_CHECK enum un_err systemd_find_credentials(struct config *config, struct un_detail *detail);

#endif

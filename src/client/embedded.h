/* embedded.h - the control plane that a user has without setting anything up.
 *
 * It is a uniond of this user's own, on a Unix socket in their data folder. It is started when a
 * command finds nobody there, by exactly one of the commands that find that at the same time, and
 * it stops by itself. What starts it knows from one descriptor whether it is ready or why it is
 * not. Any thread, one call at a time. */
#ifndef CLIENT_EMBEDDED_H
#define CLIENT_EMBEDDED_H

#include "base/err.h"
#include "client/channel.h"

#include <stdint.h>

#define EMBEDDED_SOCKET "uniond.sock"
#define EMBEDDED_START_MS 30000

struct embedded {              /* all lent; paths are absolute */
	const char *data_dir;
	const char *log_path;  /* appended to; its folder is made */
	const char *uniond;    /* the program */
	char *const *environment; /* for it; what the user's shell holds is none of its business */
};

/* A connected channel; starts the plane when nobody answers. The errors of a uniond that does not
 * start come back with its message and hint. */
MUST_CHECK enum un_err embedded_connect(const struct embedded *embedded, int wake_fd,
                                        int64_t deadline_ms, struct channel **ret_channel,
                                        struct un_detail *detail);
/* The same, but UN_ERR_UNREACHABLE instead of starting one. */
MUST_CHECK enum un_err embedded_find(const struct embedded *embedded, int wake_fd,
                                     int64_t deadline_ms, struct channel **ret_channel,
                                     struct un_detail *detail);
/* Reads the line a starting uniond wrote. UN_OK for "ready"; pure, for tests. */
MUST_CHECK enum un_err embedded_read_line(const char *line, size_t len, struct un_detail *detail);

#endif

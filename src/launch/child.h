/* child.h - starts the task's process: arguments, environment, output pipes.
 *
 * Started as vfork does, sharing memory until exec: so the environment, values included, goes from
 * locked memory straight into the new process, and no copy of this process ever exists. The child
 * has its own session, default signals, /dev/null as input, pipes as outputs and nothing else open.
 */
#ifndef LAUNCH_CHILD_H
#define LAUNCH_CHILD_H

#include "base/err.h"
#include "launch/confine.h"

#include <sys/types.h>

struct child_plan {
	const char *program; /* an absolute path */
	char *const *args;
	char *const *environment;
	int dir_fd; /* where it starts */
	const struct confinement *confinement;
};

struct child {
	pid_t pid;
	int pid_fd;
	int out_fd; /* our ends, non-blocking */
	int err_fd;
};

/* UN_ERR_NOT_FOUND, UN_ERR_DENIED: it cannot be executed; UN_ERR_TOO_LARGE: arguments and
 * environment are more than the kernel takes; UN_ERR_UNSUPPORTED: no network of its own. */
MUST_CHECK enum un_err child_start(const struct child_plan *plan, struct child *ret_child,
                                   struct un_detail *detail);
void child_close(struct child *child); /* the descriptors; does not kill */

/* Finds `name` (absolute, or below the folders of `path`) as a file that `uid` (0: we) can execute.
 * An absolute name that is not there is looked for by its last part: an interpreter of another
 * machine's. ret_found has PATH_MAX bytes. */
MUST_CHECK enum un_err child_find(const char *name, const char *path, uid_t uid, char ret_found[],
                                  struct un_detail *detail);

#endif

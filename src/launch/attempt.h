/* attempt.h - one attempt from its ticket to its end: what union-exec does.
 *
 * Claims the attempt, opens its secrets, builds the sandbox, runs the task, redacts its output,
 * checks its results, reports, and removes everything it made. Once in a process. */
#ifndef LAUNCH_ATTEMPT_H
#define LAUNCH_ATTEMPT_H

#include "base/err.h"
#include "client/wire.h"
#include "launch/sandbox.h"

#include <stdbool.h>

struct attempt_options {
	const char *endpoint;             /* of the control plane */
	const struct wire_remote *remote; /* lent; NULL: Unix sockets and loopback only */
	int ticket_fd;                    /* the ticket is all that can be read from it */
	const char *workdir; /* for all attempts; each makes a folder of its own in it */
	const char *hidden;  /* a folder that the task shall not see, but for its own; or NULL */
	const char *concealed; /* paths that it shall not see either, with colons; or NULL */
	const char *sdk;     /* a folder for PYTHONPATH; NULL: none */
	int ready_fd;        /* gets one byte when the attempt is claimed; -1: none */
	const char
		*readable; /* folders that the task shall see, with colons between them; or NULL */
	const char *writable;     /* and change */
	const char *cgroups;      /* as cgroup.h says; or NULL */
	const char *offline;      /* projects without network, see project_list.h; or NULL */
	uid_t uid;                /* of the task; 0: ours */
	uint64_t processes;       /* that the task may have; 0: any number */
	unsigned without;         /* enum sandbox_part: what to do without */
	char *const *environment; /* of this process: a few names are passed on to the task */
};

struct attempt_outcome {
	int exit_status;               /* the task's; 0 or 1 where it ended otherwise */
	bool unneeded; /* no ticket came: it was started ahead, for an attempt that never began */
	char notes[SANDBOX_NOTES_MAX]; /* what the kernel refused; "" when nothing */
};

/* UN_OK: the task ran (well or not) and its end was acknowledged, or its failure to start was. */
MUST_CHECK enum un_err attempt_run(const struct attempt_options *options,
                                   struct attempt_outcome *ret_outcome, struct un_detail *detail);

#endif

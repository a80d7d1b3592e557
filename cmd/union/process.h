/* process.h - starting another program and waiting for it. One thread. */
#ifndef UNION_PROCESS_H
#define UNION_PROCESS_H

#include "base/err.h"

#include <sys/types.h>

#define PROCESS_FDS_MAX 4

struct process {
	const char *file; /* looked up in PATH when it has no '/' */
	char *const *argv;
	char *const *environment;
	/* Descriptors the child gets: ours[i] becomes theirs[i]; 0, 1, 2 stay unless named. */
	int ours[PROCESS_FDS_MAX];
	int theirs[PROCESS_FDS_MAX];
	size_t fd_count;
};

/* Signals as new for the child. UN_ERR_NOT_FOUND, UN_ERR_DENIED, ... */
MUST_CHECK enum un_err process_start(const struct process *process, pid_t *ret_pid);
/* The exit status, or 128 + signal. */
int process_wait(pid_t pid);

#endif

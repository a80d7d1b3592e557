#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_FD 64 /* above all that children are told to use */

/* dup2 in an order that no descriptor is overwritten before it was copied: first all out of the
 * way, then to their places. */
static int
place_descriptors(const struct process *process, posix_spawn_file_actions_t *actions,
                  int parked[PROCESS_FDS_MAX])
{
	int failure = 0;

	for (size_t i = 0; i < process->fd_count; i++) {
		parked[i] = fcntl(process->ours[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (parked[i] < 0)
			return errno;
	}
	for (size_t i = 0; i < process->fd_count && !failure; i++)
		failure = posix_spawn_file_actions_adddup2(actions, parked[i], process->theirs[i]);
	return failure;
}

enum un_err
process_start(const struct process *process, pid_t *ret_pid)
{
	int parked[PROCESS_FDS_MAX] = {-1, -1, -1, -1}, failure;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	failure = place_descriptors(process, &actions, parked);
	if (!failure)
		failure = posix_spawnp(ret_pid, process->file, &actions, &attributes, process->argv,
		                       process->environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	for (size_t i = 0; i < process->fd_count; i++) {
		if (parked[i] >= 0)
			(void)close(parked[i]);
	}
	return failure ? un_err_from_errno(failure) : UN_OK;
}

int
process_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* sandbox.h - the namespaces of one attempt and its private place for secret files.
 *
 * The launcher itself moves into new user (unless it is root), mount and IPC namespaces and makes a
 * new PID namespace for its children, whose process 1 is a small init that reaps and nothing else.
 * So the launcher stays the parent of the task, and one SIGKILL to the init ends everything in
 * there; so does the end of the launcher, whatever it dies of. What must not reach a disk has a
 * private folder in memory that only these processes see and that vanishes with the last of them: a
 * small tmpfs for inputs and results, and in it a ramfs (which never swaps) for the secret files.
 *
 * Where the kernel refuses, each part falls back on its own and `notes` says so: the
 * private folder is then one of mode 0700 on a tmpfs of the machine, wiped and removed at the end,
 * or by the next launcher of this user. One sandbox a process, entered before any thread is made
 * and before anything secret is read. */
#ifndef LAUNCH_SANDBOX_H
#define LAUNCH_SANDBOX_H

#include "base/err.h"
#include "launch/tree.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define SANDBOX_NOTES_MAX 512

struct sandbox {
	bool mounts; /* own mount namespace; the private folder is a mount of its own */
	bool proc;   /* a /proc of the task's own */
	bool hidden; /* the folder to hide is hidden */
	pid_t init;  /* process 1 of the task's PID namespace; 0: there is none */
	int init_fd;
	int ready_fd; /* from the init, until sandbox_settle */
	int private_fd;
	char private_path[PATH_MAX];
	int secrets_fd; /* the folder "secrets" in it */
	char secrets_path[PATH_MAX];
	int shared_fd;          /* fallback: the folder of this user on a tmpfs */
	char shared_name[TREE_NAME_LEN]; /* and ours in it */
	char notes[SANDBOX_NOTES_MAX]; /* what was refused; "" when nothing was */
};

/* `workdir` is absolute and exists; the private folder is workdir/private, which is made. `hidden`
 * (or NULL): a folder of which nothing but `workdir` is to be seen in there; where that works,
 * sandbox->hidden is set, it is the current folder as it was before, and `workdir` must be opened
 * again by its path. Also sets no_new_privs, RLIMIT_CORE 1 (no core, not
 * even to a program) and makes the process undumpable. UN_ERR_IO, UN_ERR_DENIED: there is no place
 * for secret files at all. */
MUST_CHECK enum un_err sandbox_enter(struct sandbox *sandbox, const char *workdir,
                                     const char *hidden, struct un_detail *detail);
/* For tests and --no-namespaces: as if the kernel refused everything. */
MUST_CHECK enum un_err sandbox_enter_plain(struct sandbox *sandbox, const char *workdir,
                                           struct un_detail *detail);
/* Waits until the init is ready; `notes` is complete then, but for what sandbox_seal adds. */
void sandbox_settle(struct sandbox *sandbox);
/* From now on, children of the calling thread are made inside; it can make no more threads. */
MUST_CHECK enum un_err sandbox_join(struct sandbox *sandbox, struct un_detail *detail);
/* After the last secret file: nothing can be changed there any more (where there is a ramfs). */
void sandbox_seal(struct sandbox *sandbox);
/* Kills everything that runs in the sandbox. `leader` is the task while it is not reaped; 0 after
 * that (or when there was none): then what it left behind is reaped too. */
void sandbox_kill(struct sandbox *sandbox, pid_t leader);
/* Ends it: kills, and removes the secret files. Harmless when entering failed. */
void sandbox_end(struct sandbox *sandbox);

#endif

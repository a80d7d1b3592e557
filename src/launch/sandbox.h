/* sandbox.h - the namespaces of one attempt and its private place for secret files.
 *
 * The launcher itself moves into new user (unless it is root), mount, IPC, UTS and cgroup
 * namespaces and makes a new PID namespace for its children, whose process 1 is a small init that
 * reaps and nothing else. So the launcher stays the parent of the task, and one SIGKILL to the init
 * ends everything in there; so does the end of the launcher, whatever it dies of. What must not
 * reach a disk has a private folder in memory that only these processes see and that vanishes with
 * the last of them: a small tmpfs for inputs and results, and in it a ramfs (which never swaps) for
 * the secret files. What else is to be seen in there, mounts.h says.
 *
 * A launcher that may (root, or with CAP_SETUID and CAP_SETGID) gives the task a uid of its own.
 *
 * Where the kernel refuses, each part falls back on its own and `notes` says so: the
 * private folder is then one of mode 0700 on a tmpfs of the machine, wiped and removed at the end,
 * or by the next launcher of this user. One sandbox a process, entered before any thread is made
 * and before anything secret is read. */
#ifndef LAUNCH_SANDBOX_H
#define LAUNCH_SANDBOX_H

#include "base/err.h"
#include "launch/mounts.h"
#include "launch/tree.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define SANDBOX_NOTES_MAX 1024

/* Parts that can be left out, as if the kernel refused them. */
enum sandbox_part {
	SANDBOX_NAMESPACES = 1, /* all of them */
	SANDBOX_MOUNTS = 2,
	SANDBOX_PROCESSES = 4, /* the PID namespace */
	SANDBOX_USER = 8,      /* a uid of its own */
	SANDBOX_FILES = 16,    /* Landlock */
	SANDBOX_CALLS = 32,    /* seccomp */
	SANDBOX_NETWORK = 64,  /* a network namespace, for a task that shall have none */
	SANDBOX_CGROUPS = 128,
};
#define SANDBOX_EVERYTHING 255u

struct sandbox_options {
	const char *workdir; /* of the attempt: absolute, exists, and has a folder "tmp" */
	const char *hidden;  /* a folder of which nothing but `workdir` is to be seen; or NULL */
	const char *concealed; /* paths that it shall not see: a list with colons; or NULL */
	const char *socket;  /* in our current folder, not to be reached by the task; or NULL */
	const char *sdk;     /* a folder that is to be seen; or NULL */
	const char *authorities; /* a file for our own connection; or NULL */
	const char *readable;    /* and others: a list with colons; or NULL */
	const char *writable;    /* and such as may be changed; or NULL */
	uid_t uid;               /* of the task; 0: ours */
	unsigned without;        /* enum sandbox_part */
};

struct sandbox {
	bool mounts; /* own mount namespace; the private folder is a mount of its own */
	uid_t uid;   /* the task's own, and its group; 0: it has ours */
	unsigned without;
	struct mounts view;
	bool proc;   /* a /proc of the task's own */
	bool hidden; /* the folder to hide is hidden */
	pid_t init;  /* process 1 of the task's PID namespace; 0: there is none */
	int init_fd;
	int ready_fd; /* from the init, until sandbox_settle */
	int mounts_fd; /* the mount namespace, if it is ours */
	int private_fd;
	char private_path[PATH_MAX];
	int secrets_fd; /* the folder "secrets" in it */
	char secrets_path[PATH_MAX];
	int shared_fd;                   /* fallback: the folder of this user on a tmpfs */
	char shared_name[TREE_NAME_LEN]; /* and ours in it */
	char notes[SANDBOX_NOTES_MAX];   /* what was refused; "" when nothing was */
};

/* `sandbox` is zeroed: it is large, and most of it is never touched. */
void sandbox_init(struct sandbox *sandbox);
/* The private folder is workdir.private, in the memory that covers the other attempts; it vanishes
 * with the mounts. Where there are mounts, `workdir` must be opened again by its path. Also sets
 * no_new_privs, RLIMIT_CORE 1 (no core, not even to a program) and makes the process undumpable.
 * UN_ERR_IO, UN_ERR_DENIED: there is no place for secret files at all. */
MUST_CHECK enum un_err sandbox_enter(struct sandbox *sandbox, const struct sandbox_options *options,
                                     struct un_detail *detail);
/* One more thing that the kernel refused. */
void sandbox_note(struct sandbox *sandbox, const char *what, int saved_errno);
/* What was made for the task becomes the task's, where it has a uid of its own. */
MUST_CHECK enum un_err sandbox_give(const struct sandbox *sandbox, int dir_fd,
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

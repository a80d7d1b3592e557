#include "launch/child.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_LEN ((size_t)256 << 10)
#define LAST_SIGNAL 64

#if defined(__clang__) || defined(__GNUC__)
#define NO_ASAN __attribute__((no_sanitize("address")))
#endif

struct launch {
	const struct child_plan *plan;
	int null_fd;
	int out_fd;
	int err_fd;
	int saved_errno;  /* written by the child: it shares our memory until it execs */
	const char *what; /* likewise: of the confinement; NULL: the program itself */
};

/* Runs in the child on a stack of its own, with our memory: system calls only. */
NO_ASAN static int
in_child(void *ctx)
{
	struct launch *launch = ctx;
	const struct child_plan *plan = launch->plan;
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number <= LAST_SIGNAL; number++)
		(void)sigaction(number, &plain, NULL);
	(void)setsid();
	(void)umask(022);
	if (fchdir(plan->dir_fd) != 0 || dup2(launch->null_fd, 0) < 0 ||
	    dup2(launch->out_fd, 1) < 0 || dup2(launch->err_fd, 2) < 0 ||
	    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
		goto failed;
	if (plan->confinement->network == CONFINE_NETWORK_OWN)
		confine_loopback();
	launch->saved_errno = confine_apply(plan->confinement, &launch->what);
	if (launch->saved_errno)
		_exit(127);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(plan->program, plan->args, plan->environment);
failed:
	launch->saved_errno = errno;
	_exit(127);
}

static enum un_err
explain(int saved_errno, const struct launch *launch, struct un_detail *detail)
{
	const struct child_plan *plan = launch->plan;

	if (launch->what)
		return un_fail(detail, UN_ERR_IO, "cannot confine the task to %s: %s", launch->what,
		               strerror(saved_errno));
	if (saved_errno == E2BIG) {
		(void)un_fail(detail, UN_ERR_TOO_LARGE,
		              "arguments and environment are larger than the kernel takes");
		un_hint(detail, "mount large secrets as files");
		return UN_ERR_TOO_LARGE;
	}
	if (saved_errno == EACCES && plan->confinement->uid) {
		(void)un_fail(detail, UN_ERR_DENIED, "the task's own user may not run '%s'",
		              plan->program);
		un_hint(detail, "make it readable for all, or see tasks.uid_range of uniond");
		return UN_ERR_DENIED;
	}
	return un_fail_errno(detail, saved_errno, "cannot run '%s'", plan->program);
}

static enum un_err
start(struct launch *launch, struct child *child, struct un_detail *detail)
{
	uint8_t *stack = mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int saved_errno, flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
	sigset_t all, before;

	if (stack == MAP_FAILED)
		return UN_ERR_NO_MEMORY;
	if (launch->plan->confinement->network == CONFINE_NETWORK_OWN)
		flags |= CLONE_NEWNET;
	/* No handler of ours may run in the child while it shares our memory. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	child->pid = clone(in_child, stack + STACK_LEN, flags, launch, &child->pid_fd);
	saved_errno = child->pid < 0 ? errno : launch->saved_errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)munmap(stack, STACK_LEN);
	if (child->pid < 0 && flags & CLONE_NEWNET)
		return un_fail(detail, UN_ERR_UNSUPPORTED, "cannot make a network: %s",
		               strerror(saved_errno));
	if (child->pid < 0)
		return un_fail_errno(detail, saved_errno, "cannot make a process");
	if (saved_errno) {
		siginfo_t unused;

		(void)waitid(P_PIDFD, (id_t)child->pid_fd, &unused, WEXITED);
		return explain(saved_errno, launch, detail);
	}
	return UN_OK;
}

enum un_err
child_start(const struct child_plan *plan, struct child *ret_child, struct un_detail *detail)
{
	struct launch launch = {.plan = plan, .null_fd = -1, .out_fd = -1, .err_fd = -1};
	struct child child = {.pid_fd = -1, .out_fd = -1, .err_fd = -1};
	int out[2] = {-1, -1}, err_pipe[2] = {-1, -1};
	enum un_err err;

	launch.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (launch.null_fd < 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0) {
		err = un_fail_errno(detail, errno, "cannot make the task's pipes");
		goto out;
	}
	child.out_fd = out[0];
	child.err_fd = err_pipe[0];
	launch.out_fd = out[1];
	launch.err_fd = err_pipe[1];
	(void)fcntl(child.out_fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(child.err_fd, F_SETFL, O_NONBLOCK);
	err = start(&launch, &child, detail);
out:
	io_close(&launch.null_fd);
	io_close(&out[1]);
	io_close(&err_pipe[1]);
	if (err) {
		io_close(&out[0]);
		io_close(&err_pipe[0]);
		io_close(&child.pid_fd);
	} else {
		*ret_child = child;
	}
	return err;
}

void
child_close(struct child *child)
{
	io_close(&child->pid_fd);
	io_close(&child->out_fd);
	io_close(&child->err_fd);
}

/* access() asks for the real ids: they are the task's for a moment, of this thread alone. */
static bool
is_executable(const char *path, uid_t uid)
{
	struct stat facts;
	bool able;

	if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
		return false;
	if (!uid)
		return access(path, X_OK) == 0;
	able = syscall(SYS_setresgid, uid, -1, -1) == 0 &&
	       syscall(SYS_setresuid, uid, -1, -1) == 0 && access(path, X_OK) == 0;
	if (syscall(SYS_setresuid, geteuid(), -1, -1) != 0 ||
	    syscall(SYS_setresgid, getegid(), -1, -1) != 0)
		abort(); /* never go on half as somebody else */
	return able;
}

enum un_err
child_find(const char *name, const char *path, uid_t uid, char ret_found[],
           struct un_detail *detail)
{
	const char *last = strrchr(name, '/'), *wanted = last ? last + 1 : name;

	if (name[0] == '/' && strlen(name) < PATH_MAX && is_executable(name, uid)) {
		memcpy(ret_found, name, strlen(name) + 1);
		return UN_OK;
	}
	if (!wanted[0] || (last && name[0] != '/'))
		return un_fail(detail, UN_ERR_NOT_FOUND, "cannot run '%.200s'", name);
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, ":");
		int wrote = snprintf(ret_found, PATH_MAX, "%.*s/%s", (int)len, at, wanted);

		if (len && at[0] == '/' && wrote > 0 && wrote < PATH_MAX &&
		    is_executable(ret_found, uid))
			return UN_OK;
		at += len;
		at += *at == ':';
	}
	return un_fail(detail, UN_ERR_NOT_FOUND, "no program '%.200s' in %.500s", wanted, path);
}

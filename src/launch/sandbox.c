#include "launch/sandbox.h"

#include "base/io.h"
#include "launch/confine.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAMFS_KIND 0x858458f6
#define TMPFS_KIND 0x01021994
#define PROC_IS_NEW 'p'
#define PROC_IS_OLD 'o'
#define SHARED_PATH_MAX 128
#define SHARED_NAMES 8
#define PRIVATE_SIZE "256m" /* inputs and results; a result over 8 MiB is refused anyway */
#define ROUNDS_MAX 8

void
sandbox_init(struct sandbox *sandbox)
{
	sandbox->private_fd = sandbox->secrets_fd = sandbox->shared_fd = sandbox->init_fd =
		sandbox->ready_fd = sandbox->mounts_fd = -1;
}

void
sandbox_note(struct sandbox *sandbox, const char *what, int saved_errno)
{
	size_t len = strlen(sandbox->notes);

	(void)snprintf(sandbox->notes + len, sizeof sandbox->notes - len, "%s%s (%s)",
	               len ? "; " : "", what, strerror(saved_errno));
}

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved_errno = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved_errno;
	return done;
}

/* Maps our own ids to themselves, and `task`, which is also a group, to itself where it is not 0:
 * files keep their owners, and exec drops every capability. Of process `pid`. */
static bool
map_ids(pid_t pid, uid_t uid, gid_t gid, uid_t task)
{
	char path[64], uids[64], gids[64];
	int len = snprintf(uids, sizeof uids, "%u %u 1\n", uid, uid);

	if (task)
		(void)snprintf(uids + len, sizeof uids - (size_t)len, "%u %u 1\n", task, task);
	len = snprintf(gids, sizeof gids, "%u %u 1\n", gid, gid);
	if (task)
		(void)snprintf(gids + len, sizeof gids - (size_t)len, "%u %u 1\n", task, task);
	(void)snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
	if (!task && !write_text(path, "deny"))
		return false;
	(void)snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	if (!write_text(path, uids))
		return false;
	(void)snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
	return write_text(path, gids);
}

static bool
has_capability(unsigned number)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[number / 32].effective & (1u << number % 32)) != 0;
}

/* Two ids can only be mapped by a process outside, which must have the right; it waits until there
 * is something to map. */
struct mapper {
	pid_t pid;
	int go_fd; /* closed when the namespace is there */
	int done_fd;
};

static void
start_mapper(struct mapper *mapper, uid_t task)
{
	int go[2], done[2];
	char byte;

	mapper->pid = -1;
	if (pipe2(go, O_CLOEXEC) != 0)
		return;
	if (pipe2(done, O_CLOEXEC) != 0) {
		(void)close(go[0]);
		(void)close(go[1]);
		return;
	}
	mapper->pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (mapper->pid == 0) {
		(void)close(go[1]);
		(void)!read(go[0], &byte, 1);
		if (map_ids(getppid(), geteuid(), getegid(), task))
			(void)!write(done[1], "y", 1);
		_exit(0);
	}
	(void)close(go[0]);
	(void)close(done[1]);
	mapper->go_fd = go[1];
	mapper->done_fd = done[0];
}

static bool
finish_mapper(struct mapper *mapper)
{
	char byte;
	bool done;

	if (mapper->pid < 0)
		return false;
	(void)close(mapper->go_fd);
	done = read(mapper->done_fd, &byte, 1) == 1;
	(void)close(mapper->done_fd);
	(void)waitpid(mapper->pid, NULL, 0);
	return done;
}

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWIPC)

/* A user namespace with the others. The task has a uid of its own in it if we may map two. */
static bool
unshare_as_user(struct sandbox *sandbox)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct mapper mapper = {.pid = -1};
	bool two = sandbox->uid && has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
	int failed;

	if (two)
		start_mapper(&mapper, sandbox->uid);
	failed = unshare(CLONE_NEWUSER | NAMESPACES) != 0 ? errno : 0;
	two = finish_mapper(&mapper) && !failed;
	if (sandbox->uid && !two) {
		sandbox_note(sandbox, "no user of its own", EPERM);
		sandbox->uid = 0;
	}
	if (!failed && !two && !map_ids(getpid(), uid, gid, 0))
		sandbox_note(sandbox, "no user map", errno);
	errno = failed;
	return !failed;
}

static void
unshare_all(struct sandbox *sandbox)
{
	bool done = geteuid() == 0 && unshare(NAMESPACES) == 0;

	/* root of a container often lacks the capability */
	if (!done && !unshare_as_user(sandbox)) {
		sandbox_note(sandbox, "no namespaces", errno);
		return;
	}
	/* the least of them, each by itself: a service manager may allow only some kinds */
	(void)unshare(CLONE_NEWUTS);
	(void)unshare(CLONE_NEWCGROUP);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		sandbox->mounts = true;
		sandbox->mounts_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	} else {
		sandbox_note(sandbox, "no mounts", errno);
	}
}

/* Whether every folder on the way to `path` can be passed by anybody. */
static bool
is_open_way(const char *path)
{
	char folder[PATH_MAX];

	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		struct stat facts;

		memcpy(folder, path, (size_t)(at - path));
		folder[at - path] = '\0';
		if (stat(folder, &facts) != 0 || !(facts.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* The attempt's folder gets the task's group, which may pass it: so it is also seen whose uid is
 * still in use. Where that cannot be, the task stays who we are. */
static void
open_for_task(struct sandbox *sandbox, const char *workdir)
{
	static const unsigned needed[] = {CAP_SETUID,       CAP_SETGID, CAP_CHOWN,
	                                  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL};
	int saved_errno = EPERM;
	bool able = true;

	if (!sandbox->uid)
		return;
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		able = able && has_capability(needed[i]);
	if (able && !sandbox->mounts && !is_open_way(workdir)) {
		saved_errno = EACCES; /* it could not reach its own folder */
		able = false;
	}
	if (able && (chown(workdir, (uid_t)-1, sandbox->uid) != 0 || chmod(workdir, 0710) != 0)) {
		saved_errno = errno;
		able = false;
	}
	if (!able) {
		sandbox_note(sandbox, "no user of its own", saved_errno);
		sandbox->uid = 0;
	}
}

/* Covers what the task shall not see. */
static void
set_view(struct sandbox *sandbox, const struct sandbox_options *options)
{
	struct mounts *view = &sandbox->view;
	char base[PATH_MAX], temporary[PATH_MAX];
	bool fine;

	(void)snprintf(base, sizeof base, "%s", options->workdir);
	*strrchr(base, '/') = '\0';
	(void)snprintf(temporary, sizeof temporary, "%s/tmp", options->workdir);
	view->point = sandbox->private_path;
	fine = (!options->hidden || mounts_hide(view, options->hidden)) &&
	       mounts_hide(view, base) && mounts_keep(view, options->workdir, true) &&
	       (!options->sdk || mounts_keep(view, options->sdk, false)) &&
	       (!options->authorities || mounts_keep(view, options->authorities, false)) &&
	       (!options->readable || mounts_keep_list(view, options->readable, false)) &&
	       (!options->writable || mounts_keep_list(view, options->writable, true)) &&
	       mounts_cover_run(view) && mounts_apply(view);
	sandbox->hidden = fine && options->hidden;
	if (!fine)
		sandbox_note(sandbox, "the control plane's files stay in sight", errno);
	if (options->socket && !mounts_hide_socket(options->socket))
		sandbox_note(sandbox, "the control plane's socket stays in sight", errno);
	if (!mounts_private_tmp(view, temporary))
		sandbox_note(sandbox, "no /tmp of its own", errno);
	if (!mounts_private_dev(view))
		sandbox_note(sandbox, "no /dev of its own", errno);
	if (options->concealed && !mounts_conceal_list(view, options->concealed))
		sandbox_note(sandbox, "files of the control plane stay in sight", errno);
}

/* Makes `path` a mount point of its own and opens it. -1 and a note. */
static int
mount_memory(struct sandbox *sandbox, const char *kind, const char *path, const char *options)
{
	int fd = -1;

	if (mount("union", path, kind, MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		sandbox_note(sandbox, kind, errno);
	return fd;
}

static void
mount_private(struct sandbox *sandbox)
{
	char options[80];

	sandbox->mounts = false;
	if (!sandbox->view.has_point && mkdir(sandbox->private_path, 0700) != 0) {
		sandbox_note(sandbox, "no private folder", errno);
		return;
	}
	(void)snprintf(options, sizeof options, "mode=%s,gid=%u,size=" PRIVATE_SIZE,
	               sandbox->uid ? "0710" : "0700", sandbox->uid ? sandbox->uid : getegid());
	sandbox->private_fd = mount_memory(sandbox, "tmpfs", sandbox->private_path, options);
	if (sandbox->private_fd < 0)
		return;
	if (mkdir(sandbox->secrets_path, 0700) != 0) {
		sandbox_note(sandbox, "no folder for secrets", errno);
		return;
	}
	sandbox->secrets_fd = mount_memory(sandbox, "ramfs", sandbox->secrets_path, "mode=0700");
	sandbox->mounts = sandbox->secrets_fd >= 0;
}

/* After mount_private has failed half-way, or where its folder is on a disk. */
static void
forget_private(struct sandbox *sandbox)
{
	io_close(&sandbox->secrets_fd);
	io_close(&sandbox->private_fd);
	(void)umount2(sandbox->private_path, MNT_DETACH);
	(void)rmdir(sandbox->private_path);
}

/* Taking a mount namespace apart makes its last user wait for every processor, longer than a small
 * task runs. A descriptor of it goes into a socket that holds itself, which the kernel finds to be
 * garbage: newer kernels close it on a thread of their own, older ones here. */
static void
leave_mounts(struct sandbox *sandbox)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof control.bytes};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int pair[2];

	if (sandbox->mounts_fd >= 0 &&
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0) {
		int both[2] = {sandbox->mounts_fd, pair[1]};

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof both);
		memcpy(CMSG_DATA(head), both, sizeof both);
		(void)!sendmsg(pair[0], &message, MSG_NOSIGNAL);
		io_close(&pair[1]);
		io_close(&pair[0]);
	}
	io_close(&sandbox->mounts_fd);
}

/* What else was in the private folder nobody can reach any more, and goes with the mounts. */
static void
wipe_secrets(struct sandbox *sandbox)
{
	if (mount(NULL, sandbox->secrets_path, NULL,
	          MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		tree_wipe(sandbox->secrets_fd);
}

/* Process 1 of the namespace. It was forked before anything secret was read. */
static _Noreturn void
run_init(int ready_fd)
{
	sigset_t all, child;
	char proc = PROC_IS_OLD;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "union-init");
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2") == 0)
		proc = PROC_IS_NEW;
	/* A parent that died before PDEATHSIG was set is noticed here: nobody reads. */
	if (write(ready_fd, &proc, 1) != 1)
		_exit(1);
	(void)close_range(0, ~0u, 0);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	for (;;) {
		(void)sigwaitinfo(&child, NULL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void
start_init(struct sandbox *sandbox)
{
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) != 0) {
		sandbox_note(sandbox, "no init", errno);
		return;
	}
	/* As fork, but into a new PID namespace: we ourselves stay where we are, so that this
	 * process may still make threads. */
	sandbox->init = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_PIDFD | SIGCHLD, NULL,
	                               &sandbox->init_fd, NULL, NULL);
	if (sandbox->init == 0) {
		(void)close(ready[0]);
		run_init(ready[1]);
	}
	(void)close(ready[1]);
	if (sandbox->init < 0) {
		sandbox_note(sandbox, "no PID namespace", errno);
		sandbox->init = 0;
		sandbox->init_fd = -1;
		(void)close(ready[0]);
	} else {
		sandbox->ready_fd = ready[0];
	}
}

void
sandbox_settle(struct sandbox *sandbox)
{
	char proc = 0;

	if (sandbox->ready_fd < 0)
		return;
	if (read(sandbox->ready_fd, &proc, 1) != 1)
		sandbox_note(sandbox, "no init", ECHILD);
	else if (proc != PROC_IS_NEW)
		sandbox_note(sandbox, "no /proc of its own", EPERM);
	sandbox->proc = proc == PROC_IS_NEW;
	io_close(&sandbox->ready_fd);
}

static bool
is_in_memory(int fd)
{
	struct statfs facts;

	return fstatfs(fd, &facts) == 0 &&
	       (facts.f_type == TMPFS_KIND || facts.f_type == RAMFS_KIND);
}

/* The folder dir_fd/name: ours, and others can at most pass it; -1 when it cannot be. */
static int
open_own(int dir_fd, const char *name)
{
	struct stat facts;
	int fd = -1;

	if (mkdirat(dir_fd, name, 0711) == 0 || errno == EEXIST)
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 &&
	    (fstat(fd, &facts) != 0 || facts.st_uid != geteuid() || (facts.st_mode & 066) != 0))
		io_close(&fd);
	return fd;
}

/* The folder of this user below `base`, which must be in memory. Where somebody else was first (out
 * of malice, or under another mapping of ids), one of a few other names serves. */
static int
open_shared(const char *base, char path[SHARED_PATH_MAX])
{
	int base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

	for (int i = 0; base_fd >= 0 && is_in_memory(base_fd) && fd < 0 && i < SHARED_NAMES; i++) {
		int len = snprintf(path, SHARED_PATH_MAX, "%s/union-exec-%u", base, geteuid());

		if (i)
			(void)snprintf(path + len, SHARED_PATH_MAX - (size_t)len, "-%d", i);
		fd = open_own(base_fd, strrchr(path, '/') + 1);
	}
	io_close(&base_fd);
	return fd;
}

static void
remove_wiped(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) {
		tree_wipe(fd);
		(void)close(fd);
	}
	(void)!tree_remove(dir_fd, name);
}

static enum un_err
set_paths(struct sandbox *sandbox, const char *private_path, struct un_detail *detail)
{
	int len = snprintf(sandbox->private_path, sizeof sandbox->private_path, "%s", private_path);

	if (len > 0 && (size_t)len < sizeof sandbox->private_path)
		len = snprintf(sandbox->secrets_path, sizeof sandbox->secrets_path, "%s/secrets",
		               sandbox->private_path);
	if (len < 0 || (size_t)len >= sizeof sandbox->secrets_path)
		return un_fail(detail, UN_ERR_INVALID, "'%.200s' is too long a path", private_path);
	return UN_OK;
}

/* The fallback: a private folder on a tmpfs, locked as long as we live. */
static enum un_err
make_shared(struct sandbox *sandbox, struct un_detail *detail)
{
	char runtime[64], shared[SHARED_PATH_MAX] = "", path[SHARED_PATH_MAX + TREE_NAME_LEN];
	const char *const bases[] = {runtime, "/dev/shm", "/run/shm"};
	enum un_err err;

	(void)snprintf(runtime, sizeof runtime, "/run/user/%u", geteuid());
	for (size_t at = 0; at < sizeof bases / sizeof *bases && sandbox->shared_fd < 0; at++)
		sandbox->shared_fd = open_shared(bases[at], shared);
	if (sandbox->shared_fd < 0)
		return un_fail(
			detail, UN_ERR_DENIED,
			"no memory-backed place for secret files: neither namespaces nor a tmpfs");
	err = tree_claim(sandbox->shared_fd, true, sandbox->shared_name, &sandbox->private_fd,
	                 detail);
	if (!err && sandbox->uid &&
	    (fchown(sandbox->private_fd, (uid_t)-1, sandbox->uid) != 0 ||
	     fchmod(sandbox->private_fd, 0710) != 0))
		err = un_fail_errno(detail, errno, "cannot open the private folder for the task");
	if (!err)
		err = tree_make(sandbox->private_fd, "secrets", &sandbox->secrets_fd, detail);
	(void)snprintf(path, sizeof path, "%s/%s", shared, sandbox->shared_name);
	return err ? err : set_paths(sandbox, path, detail);
}

static enum un_err
restrict_self(struct un_detail *detail)
{
	/* A core that is piped to a program (core(5)) is made at 0 as well; 1 stops it. Where 0 is
	 * all that we are given, it has to do. */
	struct rlimit least = {1, 1}, none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &least) != 0 && setrlimit(RLIMIT_CORE, &none) != 0)
		return un_fail_errno(detail, errno, "cannot switch core dumps off");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return un_fail_errno(detail, errno, "cannot give up new privileges");
	/* After the user namespace: an undumpable process may not write its own id map. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return un_fail_errno(detail, errno, "cannot make the launcher undumpable");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return UN_OK;
}

static enum un_err
begin(struct sandbox *sandbox, const struct sandbox_options *options, struct un_detail *detail)
{
	const char *workdir = options->workdir;
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s.private", workdir);

	sandbox->without = options->without;
	if (workdir[0] != '/' || len < 0 || (size_t)len >= sizeof path)
		return un_fail(detail, UN_ERR_INVALID, "'%.200s' is not a usable folder", workdir);
	return set_paths(sandbox, path, detail);
}

static void
enter_namespaces(struct sandbox *sandbox, const struct sandbox_options *options)
{
	bool own;

	if (sandbox->without & SANDBOX_NAMESPACES)
		sandbox_note(sandbox, "no namespaces", ECANCELED);
	else
		unshare_all(sandbox);
	if (sandbox->without & SANDBOX_MOUNTS)
		sandbox->mounts = false;
	own = sandbox->mounts;
	open_for_task(sandbox, options->workdir);
	mounts_init(&sandbox->view, sandbox->uid);
	if (own) {
		set_view(sandbox, options);
		mount_private(sandbox);
		if (!sandbox->mounts)
			forget_private(sandbox);
	}
	if (own && !(sandbox->without & SANDBOX_PROCESSES))
		start_init(sandbox); /* it changes /proc: not where others would see it */
}

enum un_err
sandbox_enter(struct sandbox *sandbox, const struct sandbox_options *options,
              struct un_detail *detail)
{
	enum un_err err = begin(sandbox, options, detail);

	if (err)
		return err;
	if (options->uid && options->without & SANDBOX_USER)
		sandbox_note(sandbox, "no user of its own", ECANCELED);
	else
		sandbox->uid = options->uid;
	enter_namespaces(sandbox, options);
	if (!sandbox->mounts)
		err = make_shared(sandbox, detail);
	return err ? err : restrict_self(detail);
}

enum un_err
sandbox_give(const struct sandbox *sandbox, int dir_fd, struct un_detail *detail)
{
	return sandbox->uid ? tree_give(dir_fd, sandbox->uid, detail) : UN_OK;
}

enum un_err
sandbox_join(struct sandbox *sandbox, struct un_detail *detail)
{
	if (sandbox->init > 0 && setns(sandbox->init_fd, CLONE_NEWPID) != 0)
		return un_fail_errno(detail, errno, "cannot enter the task's PID namespace");
	return UN_OK;
}

void
sandbox_seal(struct sandbox *sandbox)
{
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (sandbox->mounts && mount(NULL, sandbox->secrets_path, NULL, flags, NULL) != 0)
		sandbox_note(sandbox, "secret files stay writable", errno);
}

/* Without a PID namespace: what has left the task's process group has become our own child. */
static void
kill_adopted(void)
{
	char path[64], list[4096];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = read(fd, list, sizeof list - 1);
	(void)close(fd);
	if (len <= 0)
		return;
	list[len] = '\0';
	for (char *at = list, *end; *at; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
	}
}

void
sandbox_kill(struct sandbox *sandbox, pid_t leader)
{
	if (leader > 1)
		(void)kill(-leader, SIGKILL);
	if (sandbox->init > 0) {
		(void)kill(sandbox->init, SIGKILL);
		return;
	}
	if (sandbox->uid)
		confine_kill_all_of(sandbox->uid);
	for (int round = 0; round < ROUNDS_MAX;
	     round++) { /* each may have had children of its own */
		kill_adopted();
		if (leader == 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
	}
}

void
sandbox_end(struct sandbox *sandbox)
{
	sandbox_kill(sandbox, 0);
	if (sandbox->init > 0)
		(void)waitpid(sandbox->init, NULL, 0);
	sandbox->init = 0;
	io_close(&sandbox->init_fd);
	io_close(&sandbox->ready_fd);
	if (sandbox->mounts)
		wipe_secrets(sandbox);
	if (sandbox->mounts && !sandbox->view.has_point)
		forget_private(sandbox);
	io_close(&sandbox->secrets_fd);
	io_close(&sandbox->private_fd);
	leave_mounts(sandbox);
	if (sandbox->shared_fd >= 0 && sandbox->shared_name[0])
		remove_wiped(sandbox->shared_fd, sandbox->shared_name);
	io_close(&sandbox->shared_fd);
	mounts_fini(&sandbox->view);
}

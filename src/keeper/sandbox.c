/* Two walls. Seccomp lets through the calls below; a call that nothing in the keeper makes but an
 * intruder would (exec, fork, socket, ptrace ...) kills the process, any other is refused with
 * EPERM. Landlock, where the kernel has it, confines the paths: seccomp can see the folder's
 * descriptor in openat, not the name behind it. */
#include "keeper/sandbox.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum un_err
sandbox_harden(struct un_detail *detail)
{
	struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return un_fail_errno(detail, errno, "cannot become undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return un_fail_errno(detail, errno, "cannot give up new privileges");
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return un_fail_errno(detail, errno, "cannot forbid core dumps");
	return UN_OK;
}

static const int allowed[] = {
        SCMP_SYS(read),          SCMP_SYS(write),          SCMP_SYS(recvfrom),
        SCMP_SYS(sendto),        SCMP_SYS(recvmsg),        SCMP_SYS(sendmsg),
        SCMP_SYS(poll),          SCMP_SYS(ppoll),          SCMP_SYS(close),
        SCMP_SYS(fstat),         SCMP_SYS(newfstatat),     SCMP_SYS(fsync),
        SCMP_SYS(fdatasync),     SCMP_SYS(pwrite64),     SCMP_SYS(munmap),         SCMP_SYS(mremap),
        SCMP_SYS(madvise),       SCMP_SYS(mlock),          SCMP_SYS(mlock2),
        SCMP_SYS(munlock),       SCMP_SYS(brk),            SCMP_SYS(ftruncate),
        SCMP_SYS(getrandom),     SCMP_SYS(clock_gettime),  SCMP_SYS(clock_nanosleep),
        SCMP_SYS(gettimeofday),  SCMP_SYS(futex),          SCMP_SYS(exit),
        SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn),   SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigaction),  SCMP_SYS(sigaltstack),    SCMP_SYS(restart_syscall),
        SCMP_SYS(getpid),        SCMP_SYS(gettid),         SCMP_SYS(geteuid),
        SCMP_SYS(sched_yield),   SCMP_SYS(memfd_secret),
};

static const int deadly[] = {
        SCMP_SYS(execve),        SCMP_SYS(execveat),       SCMP_SYS(fork),
        SCMP_SYS(vfork),         SCMP_SYS(clone),          SCMP_SYS(clone3),
        SCMP_SYS(ptrace),        SCMP_SYS(socket),         SCMP_SYS(socketpair),
        SCMP_SYS(connect),       SCMP_SYS(bind),           SCMP_SYS(listen),
        SCMP_SYS(accept),        SCMP_SYS(accept4),        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev), SCMP_SYS(open_by_handle_at), SCMP_SYS(mount),
        SCMP_SYS(bpf),           SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
        SCMP_SYS(keyctl),        SCMP_SYS(add_key),        SCMP_SYS(unshare),
        SCMP_SYS(setns),         SCMP_SYS(pidfd_getfd),    SCMP_SYS(memfd_create),
        SCMP_SYS(io_uring_setup), SCMP_SYS(init_module),   SCMP_SYS(finit_module),
        SCMP_SYS(kexec_load),    SCMP_SYS(pidfd_open),
};

static int
add_plain_rules(scmp_filter_ctx filter)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof allowed / sizeof allowed[0]; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; rc == 0 && i < sizeof deadly / sizeof deadly[0]; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	return rc;
}

/* Memory, never executable; own limits, read only; files, only relative to the folder of the keys;
 * signals, only to itself (abort). */
static int
add_argument_rules(scmp_filter_ctx filter, int dir_fd)
{
	const scmp_datum_t dir = (scmp_datum_t)dir_fd;
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
		                      SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		                      SCMP_A0(SCMP_CMP_EQ, dir));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 1,
		                      SCMP_A0(SCMP_CMP_EQ, dir));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 2,
		                      SCMP_A0(SCMP_CMP_EQ, dir), SCMP_A2(SCMP_CMP_EQ, dir));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat2), 2,
		                      SCMP_A0(SCMP_CMP_EQ, dir), SCMP_A2(SCMP_CMP_EQ, dir));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		                      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return rc;
}

static enum un_err
close_calls(int dir_fd, struct un_detail *detail)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!filter)
		return UN_ERR_NO_MEMORY;
	rc = add_plain_rules(filter);
	if (rc == 0)
		rc = add_argument_rules(filter, dir_fd);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc != 0) {
		un_hint(detail, "the keeper does not run on a kernel without seccomp");
		(void)un_fail_errno(detail, -rc, "cannot confine the keeper");
		return UN_ERR_UNSUPPORTED;
	}
	return UN_OK;
}

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define FS_ABI_1 (LANDLOCK_ACCESS_FS_REFER - 1)
#define FS_NEEDED                                                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                              \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_REG)

/* No path but those below the folder of the keys. */
static bool
close_paths(int dir_fd)
{
	struct landlock_path_beneath_attr below = {.parent_fd = dir_fd};
	struct landlock_ruleset_attr attr = {.handled_access_fs = FS_ABI_1};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset;
	bool closed;

	if (abi < 1)
		return false;
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	below.allowed_access = FS_NEEDED & attr.handled_access_fs;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return false;
	closed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0) ==
	                 0 &&
	         syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	io_close(&ruleset);
	return closed;
}

enum un_err
sandbox_close(int dir_fd, struct un_detail *detail, bool *ret_landlocked)
{
	*ret_landlocked = close_paths(dir_fd);
	return close_calls(dir_fd, detail);
}

#include "launch/confine.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__clang__) || defined(__GNUC__)
#define NO_ASAN __attribute__((no_sanitize("address", "undefined")))
#endif

void
confine_init(struct confinement *confinement)
{
	memset(confinement, 0, sizeof *confinement);
	confinement->ruleset_fd = -1;
}

void
confine_fini(struct confinement *confinement)
{
	io_close(&confinement->ruleset_fd);
}

/* ---- Landlock ---- */

/* The headers of Debian 12 end at ABI 2. */
#define FS_ABI_1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_READ                                                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_DEVICES                                                                                 \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                              \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_OF_A_FILE                                                                               \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                               \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define SCOPE_ABSTRACT_SOCKETS 1ULL
#define SCOPE_SIGNALS 2ULL

struct ruleset {
	uint64_t files;
	uint64_t network;
	uint64_t scope;
};

static uint64_t
rights_of(long abi)
{
	uint64_t rights = FS_ABI_1;

	if (abi >= 2)
		rights |= FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV;
	return rights;
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool
confine_files(struct confinement *confinement, int *ret_abi)
{
	long abi = landlock_abi();
	struct ruleset attr = {.files = rights_of(abi)};
	size_t len = abi >= 6 ? sizeof attr : offsetof(struct ruleset, network);

	*ret_abi = 0;
	if (abi < 1)
		return false;
	if (abi >= 6)
		attr.scope = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	confinement->abi = abi;
	confinement->ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &attr, len, 0);
	*ret_abi = (int)abi;
	return confinement->ruleset_fd >= 0;
}

static bool
allow_below(const struct confinement *confinement, int dir_fd, uint64_t rights)
{
	struct landlock_path_beneath_attr below = {
		.parent_fd = dir_fd, .allowed_access = rights & rights_of(confinement->abi)};
	struct stat facts;

	if (fstat(dir_fd, &facts) == 0 && !S_ISDIR(facts.st_mode))
		below.allowed_access &= FS_OF_A_FILE;
	return syscall(SYS_landlock_add_rule, confinement->ruleset_fd, LANDLOCK_RULE_PATH_BENEATH,
	               &below, 0) == 0;
}

bool
confine_writable(struct confinement *confinement, int dir_fd, bool devices)
{
	return allow_below(confinement, dir_fd, devices ? FS_DEVICES : ~FS_IOCTL_DEV);
}

bool
confine_readable(struct confinement *confinement, int dir_fd)
{
	return allow_below(confinement, dir_fd, FS_READ);
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name the architecture of this machine for seccomp"
#endif
#define FOREIGN_CALLS 0x40000000 /* of the x32 ABI, on x86-64 */

#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

/* Into other processes; into the kernel; and around the mounts. A task has no right to most of them
 * anyway: here is the second wall, and the smaller kernel. */
static const int refused[] = {
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_process_madvise,
	SYS_kcmp,
	SYS_pidfd_getfd,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_perf_event_open,
	SYS_bpf,
	SYS_userfaultfd,
	SYS_fanotify_init,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_mount_setattr,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_unshare,
	SYS_setns,
	SYS_open_by_handle_at,
	SYS_quotactl,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_reboot,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_syslog,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_vhangup,
	SYS_lookup_dcookie,
	SYS_nfsservctl,
#ifdef __x86_64__
	SYS_iopl,
	SYS_ioperm,
	SYS_modify_ldt,
#endif
};

/* "No such call" instead: libraries then take the older way. clone3 keeps its flags in memory,
 * where a filter cannot look; io_uring does what it is asked past every filter. */
static const int absent[] = {SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter,
                             SYS_io_uring_register};

/* The calls in the order of their numbers, so that the filter is a tree of comparisons: the kernel
 * walks it once for each number there is when it is set, to know what is always allowed. */
enum verdict { ALLOW, REFUSE, ABSENT, LOOK_AT_CLONE, LOOK_AT_IOCTL, LOOK_AT_SOCKET, VERDICTS };

struct judged {
	uint32_t number;
	enum verdict verdict;
};

#define JUDGED_MAX 80

struct writer {
	struct confinement *to;
	bool full;
	struct judged calls[JUDGED_MAX];
	size_t count;
	/* jumps to what is done, which comes last */
	struct {
		uint16_t at;
		enum verdict hit, miss;
	} jumps[JUDGED_MAX];
	size_t jump_count;
};

static void
put(struct writer *writer, struct sock_filter instruction)
{
	struct confinement *to = writer->to;

	if (to->filter_len == CONFINE_FILTER_MAX)
		writer->full = true;
	else
		to->filter[to->filter_len++] = instruction;
}

static void
put_load(struct writer *writer, size_t offset)
{
	put(writer, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void
put_return(struct writer *writer, uint32_t action)
{
	put(writer, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* If what is loaded equals `value` (`bits`: has one of its bits), this action. */
static void
put_if(struct writer *writer, uint32_t value, bool bits, uint32_t action)
{
	uint16_t code = BPF_JMP | BPF_K;

	code |= bits ? BPF_JSET : BPF_JEQ;
	put(writer, (struct sock_filter)BPF_JUMP(code, value, 0, 1));
	put_return(writer, action);
}

#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#define REFUSED_AS(number) (SECCOMP_RET_ERRNO | (number))

/* In the order of their numbers: a few dozen. */
static void
judge(struct writer *writer, int number, enum verdict verdict)
{
	size_t at = writer->count;

	if (at == JUDGED_MAX) {
		writer->full = true;
		return;
	}
	for (; at > 0 && writer->calls[at - 1].number > (uint32_t)number; at--)
		writer->calls[at] = writer->calls[at - 1];
	writer->calls[at] = (struct judged){(uint32_t)number, verdict};
	writer->count++;
}

/* Asks for the calls from `first` up to `end`, with the number loaded. */
static void
put_tree(struct writer *writer, size_t first, size_t end)
{
	size_t middle = first + (end - first) / 2;
	const struct judged *call = &writer->calls[middle];
	uint16_t at = writer->to->filter_len;

	if (writer->full)
		return;
	if (end - first == 1) {
		put(writer,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 0));
		writer->jumps[writer->jump_count].at = at;
		writer->jumps[writer->jump_count].hit = call->verdict;
		writer->jumps[writer->jump_count++].miss = ALLOW;
		return;
	}
	put(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, call->number, 0, 0));
	put_tree(writer, first, middle);
	writer->to->filter[at].jt = (uint8_t)(writer->to->filter_len - at - 1);
	put_tree(writer, middle, end);
}

static void
put_socket(struct writer *writer, bool only_unix)
{
	put_load(writer, ARGUMENT(0));
	if (only_unix) {
		put_if(writer, AF_UNIX, false, SECCOMP_RET_ALLOW);
		put_return(writer, REFUSED_AS(EAFNOSUPPORT));
		return;
	}
	put_if(writer, AF_VSOCK, false, REFUSED_AS(EAFNOSUPPORT));
	put_if(writer, AF_ALG, false, REFUSED_AS(EAFNOSUPPORT));
	put_if(writer, AF_KEY, false, REFUSED_AS(EAFNOSUPPORT));
	put_return(writer, SECCOMP_RET_ALLOW);
}

static void
put_verdict(struct writer *writer, enum verdict verdict)
{
	switch (verdict) {
	case REFUSE:
		put_return(writer, REFUSED_AS(EPERM));
		return;
	case ABSENT:
		put_return(writer, REFUSED_AS(ENOSYS));
		return;
	case LOOK_AT_CLONE:
		put_load(writer, ARGUMENT(0));
		put_if(writer, NEW_NAMESPACES, true, REFUSED_AS(EPERM));
		break;
	case LOOK_AT_IOCTL:
		/* Terminals take typed input from these: into the shell that started a control
		 * plane. */
		put_load(writer, ARGUMENT(1));
		put_if(writer, TIOCSTI, false, REFUSED_AS(EPERM));
		put_if(writer, TIOCLINUX, false, REFUSED_AS(EPERM));
		break;
	case LOOK_AT_SOCKET:
		put_socket(writer, writer->to->network == CONFINE_NETWORK_CALLS);
		return;
	default:
		break;
	}
	put_return(writer, SECCOMP_RET_ALLOW);
}

/* What is done with each, and the jumps there. */
static void
put_verdicts(struct writer *writer)
{
	struct sock_filter *filter = writer->to->filter;
	uint16_t starts[VERDICTS];

	for (int verdict = ALLOW; verdict < VERDICTS; verdict++) {
		starts[verdict] = writer->to->filter_len;
		put_verdict(writer, (enum verdict)verdict);
	}
	for (size_t i = 0; i < writer->jump_count && !writer->full; i++) {
		uint16_t at = writer->jumps[i].at;
		int hit = starts[writer->jumps[i].hit] - at - 1;
		int miss = starts[writer->jumps[i].miss] - at - 1;

		writer->full = hit > UINT8_MAX || miss > UINT8_MAX;
		filter[at].jt = (uint8_t)hit;
		filter[at].jf = (uint8_t)miss;
	}
}

static void
put_calls(struct writer *writer)
{
	put_load(writer, offsetof(struct seccomp_data, arch));
	put(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	put_return(writer, SECCOMP_RET_KILL_PROCESS);
	put_load(writer, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	put(writer, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1));
	put_return(writer, REFUSED_AS(ENOSYS));
#endif
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		judge(writer, absent[i], ABSENT);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		judge(writer, refused[i], REFUSE);
	judge(writer, SYS_clone, LOOK_AT_CLONE);
	judge(writer, SYS_ioctl, LOOK_AT_IOCTL);
	judge(writer, SYS_socket, LOOK_AT_SOCKET);
	put_tree(writer, 0, writer->count);
	put_verdicts(writer);
}

bool
confine_calls(struct confinement *confinement)
{
	struct writer writer = {.to = confinement};
	uint32_t action = SECCOMP_RET_ERRNO;

	confinement->filter_len = 0;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
		return false;
	put_calls(&writer);
	if (writer.full) {
		confinement->filter_len = 0;
		errno = E2BIG;
		return false;
	}
	return true;
}

/* ---- in the new process ---- */

NO_ASAN void
confine_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		(void)syscall(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
		(void)syscall(SYS_close, fd);
	}
}

NO_ASAN static int
apply_limits(const struct confinement *confinement)
{
	struct rlimit processes = {confinement->processes, confinement->processes};
	struct rlimit data = {confinement->data, confinement->data};

	for (size_t i = 0; i < confinement->cgroup_count; i++)
		if (syscall(SYS_write, confinement->cgroup_fds[i], "0", 1) != 1)
			return errno;
	if (confinement->processes &&
	    syscall(SYS_prlimit64, 0, RLIMIT_NPROC, &processes, NULL) != 0)
		return errno;
	if (confinement->data && syscall(SYS_prlimit64, 0, RLIMIT_DATA, &data, NULL) != 0)
		return errno;
	if (confinement->few_cpus)
		(void)syscall(SYS_sched_setaffinity, 0, sizeof confinement->cpus,
		              &confinement->cpus);
	return 0;
}

/* Raw calls: those of the C library would change all threads of the launcher, whose memory this
 * is. Capabilities go by an empty bounding set and by an empty set of our own, so that also a task
 * that is root in its namespace has none. */
NO_ASAN static int
drop_rights(const struct confinement *confinement)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};
	long uid = (long)confinement->uid;

	(void)syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (long cap = 0; cap < 64; cap++)
		if (syscall(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno == EINVAL)
			break;
	if (uid &&
	    (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, uid, uid, uid) != 0 ||
	     syscall(SYS_setresuid, uid, uid, uid) != 0))
		return errno;
	return syscall(SYS_capset, &head, none) == 0 ? 0 : errno;
}

NO_ASAN int
confine_apply(const struct confinement *confinement, const char **ret_what)
{
	struct sock_fprog program = {.len = confinement->filter_len,
	                             .filter =
	                                     (struct sock_filter *)(uintptr_t)confinement->filter};
	int failed;

	*ret_what = "its limits";
	failed = apply_limits(confinement);
	if (failed)
		return failed;
	*ret_what = "its user";
	failed = drop_rights(confinement);
	if (failed)
		return failed;
	/* a change of ids forgets this */
	(void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	*ret_what = "its folders (Landlock)";
	if (confinement->ruleset_fd >= 0 &&
	    syscall(SYS_landlock_restrict_self, confinement->ruleset_fd, 0) != 0)
		return errno;
	*ret_what = "its system calls (seccomp)";
	if (confinement->filter_len &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		return errno;
	*ret_what = NULL;
	return 0;
}

NO_ASAN static int
kill_all_of(void *arg)
{
	const uid_t *uid = arg;

	if (syscall(SYS_setresuid, *uid, *uid, *uid) == 0)
		(void)syscall(SYS_kill, -1, SIGKILL);
	_exit(0);
}

/* As vfork does, but on a stack of its own: no copy of the launcher is made, which has values in
 * its memory. */
void
confine_kill_all_of(uid_t uid)
{
	_Alignas(16) uint8_t stack[16384];
	pid_t pid =
		clone(kill_all_of, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &uid);

	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

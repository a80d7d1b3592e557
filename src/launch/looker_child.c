/* looker_child.c - the process that looks: gives up everything, then answers until nobody asks. */
#include "launch/looker_wire.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "guard/crew.h"
#include "model/wire.h"
#include "redact/redact.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NESTING_MAX 64 /* of messages in messages */
#define OUTPUTS_MAX (64u << 20)
#define VALUE_MAX SECBUF_MAX

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name the architecture of this machine for seccomp"
#endif

struct looking {
	const struct looker_options *options;
	struct redact_set *set;
	struct crew *crew;
	struct guard *guard;
	size_t longest;
};

/* ---- what is given up ---- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* Only on the socket; only memory that cannot be run. */
#define ALLOW_ON_SOCKET(number)                                                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), LOAD(args[0]),                          \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOOKER_FD, 0, 1), RETURN(SECCOMP_RET_ALLOW),   \
		RETURN(REST)
#define ALLOW_DATA(number)                                                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), LOAD(args[2]),                          \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), RETURN(SECCOMP_RET_ALLOW),  \
		RETURN(REST)
/* A sanitizer asks for more, and takes no for an answer. */
#define REST (SANITIZED ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS)

static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	ALLOW(SYS_futex),
	ALLOW_ON_SOCKET(SYS_read),
	ALLOW_ON_SOCKET(SYS_write),
	ALLOW_ON_SOCKET(SYS_recvmsg),
	ALLOW_DATA(SYS_mmap),
	ALLOW_DATA(SYS_mprotect),
	ALLOW(SYS_munmap),
	ALLOW(SYS_mremap),
	ALLOW(SYS_madvise),
	ALLOW(SYS_mlock2),
	ALLOW(SYS_brk),
	ALLOW(SYS_close),
	ALLOW(SYS_clock_gettime),
	ALLOW(SYS_restart_syscall),
	ALLOW(SYS_exit_group),
#ifdef SYS_memfd_secret
	/* secbufs then lie in memory that is only locked */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
	RETURN(SECCOMP_RET_ERRNO | ENOSYS),
#endif
	RETURN(REST),
};

/* Of all threads. Capabilities would help nobody who may call nothing; they go all the same. */
static bool
give_up_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};
	struct sock_fprog program = {.len = sizeof filter / sizeof *filter,
	                             .filter = (struct sock_filter *)(uintptr_t)filter};

	(void)syscall(SYS_capset, &head, none);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
	               0;
}

static void
limit(int what, rlim_t most)
{
	struct rlimit limits;

	if (getrlimit(what, &limits) != 0)
		return;
	limits.rlim_cur = limits.rlim_max < most ? limits.rlim_max : most;
	limits.rlim_max = limits.rlim_cur;
	(void)setrlimit(what, &limits);
}

static void
give_up_the_rest(const struct looker_options *options, int fd, pid_t parent)
{
	int64_t left_ms = options->deadline_ms - clock_mono_ms();

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "union-look"); /* from here on it ends with its launcher */
	if (fd != LOOKER_FD && dup2(fd, LOOKER_FD) != LOOKER_FD)
		_exit(1);
	(void)close_range(LOOKER_FD + 1, ~0u, 0);
	(void)close_range(0, SANITIZED ? 1 : 2, 0);
	limit(RLIMIT_CPU,
	      (rlim_t)((left_ms > 0 ? left_ms : 0) + LOOKER_GRACE_MS) / 1000 * (CREW_MAX + 1));
	if (!SANITIZED)
		limit(RLIMIT_DATA, LOOKER_MEMORY);
}

/* ---- what is asked ---- */

/* False: nobody asks any more. *ret_fd: -1 when no descriptor came. */
static bool
hear(struct ask *ask, int *ret_fd)
{
	struct iovec part = {.iov_base = ask, .iov_len = sizeof *ask};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof control};
	struct cmsghdr *head;

	*ret_fd = -1;
	if (recvmsg(LOOKER_FD, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *ask)
		return false;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(head), sizeof *ret_fd);
	return true;
}

static enum un_err
take_value(struct looking *looking, const struct ask *ask)
{
	char name[SECRET_NAME_MAX + 1] = "";
	struct secbuf *value;
	bool too_short;
	enum un_err err;

	if (ask->text_len >= sizeof name || ask->len > VALUE_MAX)
		return UN_ERR_PROTOCOL;
	err = io_read_exact(LOOKER_FD, name, ask->text_len);
	if (err)
		return err;
	err = secbuf_new((size_t)ask->len, &value);
	if (err)
		return err;
	err = io_read_exact(LOOKER_FD, secbuf_edit(value), (size_t)ask->len);
	if (!err)
		err = redact_set_add(looking->set, name, value, &too_short);
	if (ask->len > looking->longest)
		looking->longest = (size_t)ask->len;
	secbuf_free(value);
	return err;
}

static enum un_err
take_values(struct looking *looking)
{
	struct ask ask;
	int fd;
	enum un_err err = redact_set_new(&looking->set);

	while (!err) {
		if (!hear(&ask, &fd))
			return UN_ERR_PROTOCOL;
		if (ask.kind == ASK_BEGIN)
			return redact_set_compile(looking->set);
		err = take_value(looking, &ask);
	}
	return err;
}

/* The launcher looks after those. */
static enum un_err
pass_reference(void *ctx, struct guard *guard, const char *uri)
{
	(void)ctx;
	(void)guard;
	(void)uri;
	return UN_OK;
}

static enum un_err
look_at_outputs(struct looking *looking, const struct ask *ask)
{
	Flyteidl__Core__LiteralMap *outputs = NULL;
	uint8_t *bytes;
	enum un_err err;

	if (ask->len > OUTPUTS_MAX)
		return UN_ERR_PROTOCOL;
	bytes = mem_alloc((size_t)ask->len);
	if (!bytes)
		return UN_ERR_NO_MEMORY;
	err = io_read_exact(LOOKER_FD, bytes, (size_t)ask->len);
	if (!err && wire_can_unpack(&flyteidl__core__literal_map__descriptor, bytes,
	                            (size_t)ask->len, NESTING_MAX))
		outputs = flyteidl__core__literal_map__unpack(NULL, (size_t)ask->len, bytes);
	if (!err)
		err = outputs ? guard_outputs(looking->guard, outputs) : UN_ERR_PROTOCOL;
	flyteidl__core__literal_map__free_unpacked(outputs, NULL);
	mem_wipe_free(bytes, (size_t)ask->len);
	return err;
}

static enum un_err
look_at_file(struct looking *looking, const struct ask *ask, int fd)
{
	looker_fn *look = looking->options->look ? looking->options->look : guard_at;
	char path[GUARD_PATH_MAX + 1] = "";
	void *map = NULL;
	enum un_err err;

	if (ask->text_len >= sizeof path || fd < 0)
		return UN_ERR_PROTOCOL;
	err = io_read_exact(LOOKER_FD, path, ask->text_len);
	if (err || ask->len == 0)
		return err;
	map = mmap(NULL, (size_t)ask->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return errno == ENOMEM ? UN_ERR_NO_MEMORY : UN_ERR_IO;
	(void)madvise(map, (size_t)ask->len, MADV_SEQUENTIAL);
	err = look(looking->guard, path, ask->kind == ASK_FLAT, map, (size_t)ask->len);
	(void)munmap(map, (size_t)ask->len);
	return err;
}

static bool
tell(struct looking *looking, enum un_err err)
{
	struct guard *guard = looking->guard;
	struct told told = {.err = err, .blind_count = (uint32_t)guard_blind_count(guard)};

	if (err == UN_ERR_RESULT_HAS_SECRET) {
		(void)snprintf(told.secret, sizeof told.secret, "%s", guard_secret(guard));
		(void)snprintf(told.path, sizeof told.path, "%s", guard_path(guard));
	}
	for (size_t i = 0; i < told.blind_count && i < GUARD_BLIND_SHOWN; i++)
		(void)snprintf(told.blind[i], sizeof told.blind[i], "%s", guard_blind(guard, i));
	guard_blind_clear(guard);
	return write(LOOKER_FD, &told, sizeof told) == (ssize_t)sizeof told;
}

static enum un_err
make_guard(struct looking *looking)
{
	struct guard_options options = {.values = looking->set,
	                                .longest = looking->longest,
	                                .strict = looking->options->strict,
	                                .deadline_ms = looking->options->deadline_ms,
	                                .crew = looking->crew,
	                                .refers = pass_reference};

	return guard_new(&options, &looking->guard);
}

_Noreturn void
looker_run(const struct looker_options *options, int fd, pid_t parent)
{
	struct looking looking = {.options = options};
	struct ask ask;
	enum un_err err;

	give_up_the_rest(options, fd, parent);
	err = take_values(&looking);
	if (!err)
		err = crew_new(&looking.crew);
	if (!err)
		err = make_guard(&looking);
	if (err || !give_up_rights())
		_exit(1);
	while (hear(&ask, &fd)) {
		if (ask.kind == ASK_OUTPUTS)
			err = look_at_outputs(&looking, &ask);
		else if (ask.kind == ASK_FILE || ask.kind == ASK_FLAT)
			err = look_at_file(&looking, &ask, fd);
		else
			err = UN_ERR_PROTOCOL;
		io_close(&fd);
		if (!tell(&looking, err))
			break;
	}
	_exit(0);
}

#include "launch/looker_wire.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 100 /* between two questions whether to stop */

struct looker {
	struct looker_options options;
	pid_t pid; /* 0: there is none */
	int fd;
	unsigned deaths;
	struct told told;
	char death[96];
	const char *why; /* of the last refusal */
};

/* ---- the helper ---- */

struct looker_helper {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t asked, done;
	const struct looker_options *options; /* of a looker to be made; NULL: none */
	int fds[2];
	pid_t pid;
	bool end;
};

static pid_t
start_here(const struct looker_options *options, const int fds[2])
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		looker_run(options, fds[1], parent);
	return pid;
}

static void *
help(void *arg)
{
	struct looker_helper *helper = arg;

	(void)pthread_mutex_lock(&helper->mutex);
	while (!helper->end) {
		if (helper->options) {
			helper->pid = start_here(helper->options, helper->fds);
			helper->options = NULL;
			(void)pthread_cond_signal(&helper->done);
		}
		if (!helper->end)
			(void)pthread_cond_wait(&helper->asked, &helper->mutex);
	}
	(void)pthread_mutex_unlock(&helper->mutex);
	return NULL;
}

struct looker_helper *
looker_helper_new(void)
{
	struct looker_helper *helper = mem_zalloc(1, sizeof *helper);
	sigset_t all, before;
	bool made;

	if (!helper)
		return NULL;
	(void)pthread_mutex_init(&helper->mutex, NULL);
	(void)pthread_cond_init(&helper->asked, NULL);
	(void)pthread_cond_init(&helper->done, NULL);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	made = pthread_create(&helper->thread, NULL, help, helper) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!made) {
		mem_free(helper);
		return NULL;
	}
	return helper;
}

void
looker_helper_free(struct looker_helper *helper)
{
	if (!helper)
		return;
	(void)pthread_mutex_lock(&helper->mutex);
	helper->end = true;
	(void)pthread_cond_signal(&helper->asked);
	(void)pthread_mutex_unlock(&helper->mutex);
	(void)pthread_join(helper->thread, NULL);
	(void)pthread_cond_destroy(&helper->asked);
	(void)pthread_cond_destroy(&helper->done);
	(void)pthread_mutex_destroy(&helper->mutex);
	mem_free(helper);
}

static pid_t
start_there(struct looker_helper *helper, const struct looker_options *options, const int fds[2])
{
	pid_t pid;

	(void)pthread_mutex_lock(&helper->mutex);
	helper->options = options;
	helper->fds[0] = fds[0];
	helper->fds[1] = fds[1];
	(void)pthread_cond_signal(&helper->asked);
	while (helper->options)
		(void)pthread_cond_wait(&helper->done, &helper->mutex);
	pid = helper->pid;
	(void)pthread_mutex_unlock(&helper->mutex);
	return pid;
}

/* ---- what is asked ---- */

static enum un_err
send_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len) {
		ssize_t done = send(fd, at, len, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return UN_ERR_IO;
		at += done;
		len -= (size_t)done;
	}
	return UN_OK;
}

static enum un_err
ask(int fd, enum ask_kind kind, const char *text, uint64_t len, int file_fd)
{
	struct ask question = {.kind = kind, .text_len = (uint32_t)strlen(text), .len = len};
	struct iovec part = {.iov_base = &question, .iov_len = sizeof question};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (file_fd >= 0) {
		struct cmsghdr *head;

		message.msg_control = control;
		message.msg_controllen = sizeof control;
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &file_fd, sizeof file_fd);
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)sizeof question)
		return UN_ERR_IO;
	return send_all(fd, text, question.text_len);
}

/* The kernel's buffers between two processes are never swapped. */
static enum un_err
tell_values(const struct looker *looker)
{
	const struct task_secrets *secrets = looker->options.secrets;
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < secrets->count; i++) {
		const struct secbuf *value = secrets->values[i];

		err = ask(looker->fd, ASK_VALUE, secrets->requests[i].name, secbuf_len(value), -1);
		if (!err)
			err = send_all(looker->fd, secbuf_peek(value), secbuf_len(value));
	}
	return err ? err : ask(looker->fd, ASK_BEGIN, "", 0, -1);
}

static void
end(struct looker *looker)
{
	int status;

	io_close(&looker->fd);
	if (looker->pid <= 0)
		return;
	(void)kill(looker->pid, SIGKILL);
	while (waitpid(looker->pid, &status, 0) < 0 && errno == EINTR)
		;
	looker->pid = 0;
}

static enum un_err
begin(struct looker *looker)
{
	int fds[2];

	if (looker->pid)
		return UN_OK;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return UN_ERR_NO_MEMORY;
	looker->pid = looker->options.helper
	                      ? start_there(looker->options.helper, &looker->options, fds)
	                      : start_here(&looker->options, fds);
	(void)close(fds[1]);
	looker->fd = fds[0];
	if (looker->pid <= 0) {
		looker->pid = 0;
		io_close(&looker->fd);
		return UN_ERR_NO_MEMORY;
	}
	/* what it does not take, it will not answer */
	(void)!tell_values(looker);
	return UN_OK;
}

/* ---- what is told ---- */

/* It is gone, or has to go: says why. */
static enum un_err
bury(struct looker *looker, const char *why)
{
	siginfo_t info = {0};
	int pid_fd = (int)syscall(SYS_pidfd_open, looker->pid, 0);

	looker->deaths++;
	/* what closed its socket and lives on is killed like everything else */
	if (!why && pid_fd >= 0 &&
	    io_wait(pid_fd, POLLIN, clock_mono_ms() + LOOKER_GRACE_MS) == UN_OK &&
	    waitid(P_PID, (id_t)looker->pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0) {
		const char *name = info.si_code == CLD_EXITED ? NULL : sigabbrev_np(info.si_status);

		(void)snprintf(looker->death, sizeof looker->death,
		               "cannot be looked into: the process that did died%s%s",
		               name ? " of SIG" : "", name ? name : "");
		why = looker->death;
	}
	io_close(&pid_fd);
	end(looker);
	looker->why = why ? why : "cannot be looked into";
	return UN_ERR_RESULT_UNSEEN;
}

static const char *
known_name(const struct looker *looker, const char *name)
{
	const struct task_secrets *secrets = looker->options.secrets;

	for (size_t i = 0; i < secrets->count; i++)
		if (strncmp(secrets->requests[i].name, name, sizeof looker->told.secret) == 0)
			return secrets->requests[i].name;
	return "?";
}

/* Its answer, or its end. */
static enum un_err
await(struct looker *looker, struct guard *guard, int64_t deadline_ms)
{
	struct told *told = &looker->told;
	struct pollfd socket = {.fd = looker->fd, .events = POLLIN};
	int ready;

	while ((ready = poll(&socket, 1, POLL_MS)) <= 0) {
		if (ready < 0 && errno != EINTR)
			return bury(looker, NULL);
		if (looker->options.stop && looker->options.stop(looker->options.ctx)) {
			end(looker);
			return UN_ERR_ABORTED;
		}
		if (clock_mono_ms() > deadline_ms + LOOKER_GRACE_MS)
			return bury(looker, "takes too long to look into");
	}
	/* all of it is written at once: what is less is no answer, and not waited for */
	if (recv(looker->fd, told, sizeof *told, MSG_DONTWAIT) != (ssize_t)sizeof *told)
		return bury(looker, NULL);
	if (told->err == UN_ERR_NO_MEMORY)
		return bury(looker, "needs more memory to be looked into than it may have");
	for (uint32_t i = 0; i < told->blind_count && i < GUARD_MEMBERS_MAX; i++)
		guard_blind_add(guard, i < GUARD_BLIND_SHOWN ? told->blind[i] : "");
	if (told->err == UN_ERR_RESULT_HAS_SECRET)
		return guard_found(guard, known_name(looker, told->secret), told->path);
	return told->err ? bury(looker, "cannot be looked into") : UN_OK;
}

/* Whether there is one to ask. */
static enum un_err
prepare(struct looker *looker)
{
	looker->why = "cannot be looked into: too many before it could not";
	return looker->deaths >= LOOKER_DEATHS_MAX ? UN_ERR_RESULT_UNSEEN : begin(looker);
}

enum un_err
looker_outputs(struct looker *looker, const Flyteidl__Core__LiteralMap *outputs,
               struct guard *guard)
{
	size_t len = protobuf_c_message_get_packed_size(&outputs->base);
	uint8_t *bytes;
	enum un_err err = prepare(looker);

	if (err)
		return err;
	bytes = mem_alloc(len);
	if (!bytes)
		return UN_ERR_NO_MEMORY;
	(void)protobuf_c_message_pack(&outputs->base, bytes);
	err = ask(looker->fd, ASK_OUTPUTS, "", len, -1);
	if (!err)
		err = send_all(looker->fd, bytes, len);
	mem_wipe_free(bytes, len);
	return err ? bury(looker, NULL) : await(looker, guard, looker->options.deadline_ms);
}

enum un_err
looker_file(struct looker *looker, const char *path, bool flat, int fd, uint64_t size,
            struct guard *guard)
{
	int64_t deadline_ms = looker->options.deadline_ms, now_ms = clock_mono_ms();
	enum un_err err = prepare(looker);

	if (err)
		return err;
	if (flat && deadline_ms < now_ms + LOOKER_GRACE_MS)
		deadline_ms = now_ms + LOOKER_GRACE_MS;
	err = ask(looker->fd, flat ? ASK_FLAT : ASK_FILE, path, size, fd);
	return err ? bury(looker, NULL) : await(looker, guard, deadline_ms);
}

const char *
looker_why(const struct looker *looker)
{
	return looker->why;
}

enum un_err
looker_new(const struct looker_options *options, struct looker **ret_looker)
{
	struct looker *looker = mem_zalloc(1, sizeof *looker);

	if (!looker)
		return UN_ERR_NO_MEMORY;
	looker->options = *options;
	looker->fd = -1;
	*ret_looker = looker;
	return UN_OK;
}

void
looker_free(struct looker *looker)
{
	if (!looker)
		return;
	end(looker);
	mem_free(looker);
}

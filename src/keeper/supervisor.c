/* Keeps one keeper process alive.
 *
 * Its descriptor is an epoll set of three: the process (pidfd), the lifeline (the keeper's report,
 * then its signs of life), and a timer for the next start, for the time a start may take, or for
 * the next sign of life. A keeper that gives none PINGS_MISSED_MAX times is killed; only
 * expirations that this process has seen count, so that both may be stopped together. The first
 * restart comes at once, further ones after 10 ms doubling to 5 s; a keeper that ran for 10 s
 * starts the count again. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "keeper/keyring_file.h"
#include "keeper/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 10000
#define DERIVED_TIMEOUT_MS 120000 /* Argon2id on an emulated or very busy processor */
#define STOP_TIMEOUT_MS 2000
#define PING_MS 2000
#define PINGS_MISSED_MAX 5 /* more than opening a ring by passphrase takes, on a busy machine */
#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS 5000
#define STEADY_MS 10000
#define FD_SAFE 128 /* descriptors to hand over are moved above those of the child's table */
#define ARGUMENTS_MAX 8

struct keeper_supervisor {
	struct keeper_options options; /* strings owned */
	int dir_fd, epoll_fd, timer_fd;
	int pid_fd, lifeline_fd;
	pid_t pid;
	bool ready;
	int64_t started_ms, backoff_ms;
	unsigned restarts;
	unsigned missed; /* signs of life, since the last one */
	int sockets[KEEPER_SOCKETS_MAX]; /* our ends, until the keeper is ready */
};

static void
close_sockets(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		io_close(&fds[i]);
}

/* A descriptor that dup2 in the child cannot run over. */
static enum un_err
move_up(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, FD_SAFE);
	int saved_errno = errno;

	io_close(fd);
	if (moved < 0)
		return un_err_from_errno(saved_errno);
	*fd = moved;
	return UN_OK;
}

static enum un_err
make_pair(int type, int *ret_ours, int *ret_theirs)
{
	int pair[2];
	enum un_err err;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0)
		return un_err_from_errno(errno);
	err = move_up(&pair[1]);
	if (err) {
		io_close(&pair[0]);
		return err;
	}
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return UN_OK;
}

/* What the child gets; closed here once it has it. */
struct handover {
	int lifeline, dir, passphrase;
	int sockets[KEEPER_SOCKETS_MAX];
	unsigned count;
};

static void
handover_fini(struct handover *over)
{
	io_close(&over->lifeline);
	io_close(&over->dir);
	io_close(&over->passphrase);
	close_sockets(over->sockets, over->count);
}

static enum un_err
open_passphrase(const struct keeper_options *options, struct un_detail *detail, int *ret_fd)
{
	const char *path = options->passphrase_path;
	int fd;

	if (options->passphrase_fd > 0) { /* one offset for all keepers: back to the start */
		*ret_fd = lseek(options->passphrase_fd, 0, SEEK_SET) == 0
		                  ? fcntl(options->passphrase_fd, F_DUPFD_CLOEXEC, FD_SAFE)
		                  : -1;
		return *ret_fd >= 0 ? UN_OK
		                    : un_fail_errno(detail, errno, "cannot read the passphrase");
	}
	if (!path)
		return UN_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open passphrase file '%s'", path);
	*ret_fd = fd;
	return move_up(ret_fd);
}

static enum un_err
handover_init(struct keeper_supervisor *sup, struct handover *over, struct un_detail *detail)
{
	enum un_err err;

	*over = (struct handover){.lifeline = -1, .dir = -1, .passphrase = -1};
	err = open_passphrase(&sup->options, detail, &over->passphrase);
	if (err)
		return err;
	over->dir = fcntl(sup->dir_fd, F_DUPFD_CLOEXEC, FD_SAFE);
	if (over->dir < 0)
		return un_err_from_errno(errno);
	err = make_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, &sup->lifeline_fd, &over->lifeline);
	for (unsigned i = 0; err == UN_OK && i < sup->options.sockets; i++) {
		err = make_pair(SOCK_STREAM, &sup->sockets[i], &over->sockets[i]);
		over->count += err == UN_OK;
	}
	return err;
}

static int
add_actions(posix_spawn_file_actions_t *actions, const struct handover *over)
{
	int rc = posix_spawn_file_actions_adddup2(actions, over->lifeline, PROCESS_FD_LIFELINE);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, over->dir, PROCESS_FD_DIR);
	if (rc == 0 && over->passphrase >= 0)
		rc = posix_spawn_file_actions_adddup2(actions, over->passphrase,
		                                      PROCESS_FD_PASSPHRASE);
	for (unsigned i = 0; rc == 0 && i < over->count; i++)
		rc = posix_spawn_file_actions_adddup2(actions, over->sockets[i],
		                                      PROCESS_FD_SOCKETS + (int)i);
	return rc;
}

/* Its own session: a Ctrl-C for uniond must not end the keeper before uniond has finished. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int rc;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	rc = posix_spawnattr_setsigmask(attributes, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attributes, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
		                              POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	return rc;
}

/* The environment stays behind: nothing in it is the keeper's business. */
static int
spawn_with(const struct keeper_supervisor *sup, const struct handover *over, char *const *argv,
           pid_t *ret_pid)
{
	const char *exe = sup->options.exe ? sup->options.exe : "/proc/self/exe";
	char *const no_environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		rc = add_actions(&actions, over);
		if (rc == 0)
			rc = set_attributes(&attributes);
		if (rc == 0)
			rc = posix_spawn(ret_pid, exe, &actions, &attributes, argv, no_environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static enum un_err
spawn(struct keeper_supervisor *sup, const struct handover *over, struct un_detail *detail)
{
	char count[16], provider[32];
	char name[] = "uniond", keeper[] = "keeper", create[] = "create",
	     passphrase[] = "passphrase";
	char *argv[ARGUMENTS_MAX] = {name, keeper, count, provider};
	size_t argc = 4;
	int rc;

	(void)snprintf(count, sizeof count, "%u", sup->options.sockets);
	(void)snprintf(provider, sizeof provider, "%s", sup->options.provider);
	if (sup->options.may_create)
		argv[argc++] = create;
	if (over->passphrase >= 0)
		argv[argc++] = passphrase;
	rc = spawn_with(sup, over, argv, &sup->pid);
	if (rc != 0) {
		sup->pid = 0;
		return un_fail_errno(detail, rc, "cannot start the keeper");
	}
	sup->pid_fd = (int)syscall(SYS_pidfd_open, sup->pid, 0);
	if (sup->pid_fd < 0)
		return un_fail_errno(detail, errno, "cannot watch the keeper");
	return UN_OK;
}

static enum un_err
watch(struct keeper_supervisor *sup, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(sup->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? UN_OK
	                                                                : un_err_from_errno(errno);
}

/* Forgets a process that has ended or that was never there. */
static void
forget_process(struct keeper_supervisor *sup)
{
	io_close(&sup->pid_fd); /* closing takes them out of the epoll set */
	io_close(&sup->lifeline_fd);
	close_sockets(sup->sockets, sup->options.sockets);
	sup->pid = 0;
	sup->ready = false;
}

static void
kill_and_reap(struct keeper_supervisor *sup)
{
	if (sup->pid) {
		(void)kill(sup->pid, SIGKILL);
		while (waitpid(sup->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	forget_process(sup);
}

static enum un_err
start_process(struct keeper_supervisor *sup, struct un_detail *detail)
{
	struct handover over;
	enum un_err err = handover_init(sup, &over, detail);

	if (err == UN_OK)
		err = spawn(sup, &over, detail);
	handover_fini(&over);
	if (err == UN_OK)
		err = watch(sup, sup->pid_fd);
	if (err == UN_OK)
		err = watch(sup, sup->lifeline_fd);
	if (err)
		kill_and_reap(sup);
	else
		sup->started_ms = clock_mono_ms();
	return err;
}

/* The keeper's report. UN_ERR_AGAIN: not there yet. UN_ERR_UNREACHABLE: it ended without one. */
static enum un_err
read_report(struct keeper_supervisor *sup, struct un_detail *detail)
{
	uint8_t bytes[PROCESS_REPORT_MAX];
	ssize_t got = recv(sup->lifeline_fd, bytes, sizeof bytes, MSG_DONTWAIT);
	enum un_err result, err;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return UN_ERR_AGAIN;
	if (got <= 0)
		return un_fail(detail, UN_ERR_UNREACHABLE, "the keeper ended before it was ready");
	err = process_report_unpack(bytes, (size_t)got, &result, detail);
	return err ? err : result;
}

static void
set_timer(struct keeper_supervisor *sup, int64_t delay_ms)
{
	struct itimerspec when = {0};

	when.it_value.tv_sec = delay_ms / 1000;
	when.it_value.tv_nsec = (delay_ms % 1000) * 1000000 + 1; /* all zeros would disarm */
	(void)timerfd_settime(sup->timer_fd, 0, &when, NULL);
}

static int64_t
ready_timeout_ms(const struct keeper_supervisor *sup)
{
	const struct keeper_options *options = &sup->options;

	return options->passphrase_path || options->passphrase_fd > 0 ? DERIVED_TIMEOUT_MS
	                                                              : READY_TIMEOUT_MS;
}

static void
become_ready(struct keeper_supervisor *sup)
{
	sup->ready = true;
	sup->missed = 0;
	sup->options.may_create = false; /* there is a ring now: a missing one is a loss */
	set_timer(sup, PING_MS);
	for (unsigned i = 0; i < sup->options.sockets; i++) {
		int fd = sup->sockets[i];

		sup->sockets[i] = -1;
		sup->options.give(sup->options.context, i, fd);
	}
}

static void
schedule_restart(struct keeper_supervisor *sup)
{
	int64_t delay_ms;

	if (sup->started_ms && clock_mono_ms() - sup->started_ms >= STEADY_MS)
		sup->backoff_ms = 0;
	delay_ms = sup->backoff_ms;
	sup->backoff_ms = delay_ms == 0 ? BACKOFF_FIRST_MS : delay_ms * 2;
	if (sup->backoff_ms > BACKOFF_MAX_MS)
		sup->backoff_ms = BACKOFF_MAX_MS;
	set_timer(sup, delay_ms);
}

/* Its end is told by the pidfd as well. */
static void
take_signs(struct keeper_supervisor *sup)
{
	uint8_t sign[PROCESS_PING_LEN];
	ssize_t got;

	while ((got = recv(sup->lifeline_fd, sign, sizeof sign, MSG_DONTWAIT)) > 0)
		sup->missed = 0;
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		(void)epoll_ctl(sup->epoll_fd, EPOLL_CTL_DEL, sup->lifeline_fd, NULL);
}

/* Asks for a sign of life, unless too many have been missed: then its end starts the next one. */
static void
ping(struct keeper_supervisor *sup)
{
	static const uint8_t sign[PROCESS_PING_LEN] = {0};

	take_signs(sup);
	if (sup->missed >= PINGS_MISSED_MAX) {
		log_error("keeper", "the keeper hangs: it is ended, and started again");
		(void)kill(sup->pid, SIGKILL);
		return;
	}
	sup->missed++;
	(void)send(sup->lifeline_fd, sign, sizeof sign, MSG_DONTWAIT | MSG_NOSIGNAL);
	set_timer(sup, PING_MS);
}

static void
pump_lifeline(struct keeper_supervisor *sup)
{
	struct un_detail detail = {0};
	enum un_err err;

	if (sup->ready) {
		take_signs(sup);
		return;
	}
	err = read_report(sup, &detail);
	if (err == UN_ERR_AGAIN)
		return;
	if (err == UN_OK) {
		become_ready(sup);
		log_notice("keeper", "the keeper is ready again, process %ld", (long)sup->pid);
		return;
	}
	log_error("keeper", "the keeper does not start: %s", un_message(err, &detail));
	(void)epoll_ctl(sup->epoll_fd, EPOLL_CTL_DEL, sup->lifeline_fd, NULL);
}

static void
pump_process(struct keeper_supervisor *sup)
{
	int status;
	pid_t ended = waitpid(sup->pid, &status, WNOHANG);

	if (ended == 0 || (ended < 0 && errno == EINTR))
		return;
	if (WIFSIGNALED(status))
		log_warn("keeper", "the keeper was ended by signal %d", WTERMSIG(status));
	else
		log_warn("keeper", "the keeper has ended with status %d", WEXITSTATUS(status));
	forget_process(sup);
	sup->restarts++;
	schedule_restart(sup);
}

static void
pump_timer(struct keeper_supervisor *sup)
{
	struct un_detail detail = {0};
	uint64_t ticks;
	enum un_err err;

	if (read(sup->timer_fd, &ticks, sizeof ticks) < 0)
		return;
	if (sup->ready) {
		ping(sup);
		return;
	}
	if (sup->pid) { /* started, and not ready in all that time; its end starts the next */
		log_error("keeper", "the keeper does not become ready");
		(void)kill(sup->pid, SIGKILL);
		return;
	}
	err = start_process(sup, &detail);
	if (err) {
		log_error("keeper", "the keeper does not start: %s", un_message(err, &detail));
		schedule_restart(sup);
		return;
	}
	set_timer(sup, ready_timeout_ms(sup));
}

void
keeper_supervisor_pump(struct keeper_supervisor *sup)
{
	struct epoll_event event;

	/* one at a time: each may close the others' descriptors */
	while (epoll_wait(sup->epoll_fd, &event, 1, 0) == 1) {
		if (event.data.fd == sup->timer_fd)
			pump_timer(sup);
		else if (event.data.fd == sup->lifeline_fd)
			pump_lifeline(sup);
		else if (event.data.fd == sup->pid_fd)
			pump_process(sup);
	}
}

int
keeper_supervisor_fd(const struct keeper_supervisor *sup)
{
	return sup->epoll_fd;
}

pid_t
keeper_supervisor_pid(const struct keeper_supervisor *sup)
{
	return sup->pid;
}

unsigned
keeper_supervisor_restarts(const struct keeper_supervisor *sup)
{
	return sup->restarts;
}

static void
supervisor_free(struct keeper_supervisor *sup)
{
	forget_process(sup);
	io_close(&sup->timer_fd);
	io_close(&sup->epoll_fd);
	io_close(&sup->dir_fd);
	mem_free((char *)sup->options.exe);
	mem_free((char *)sup->options.provider);
	mem_free((char *)sup->options.passphrase_path);
	mem_free(sup);
}

void
keeper_supervisor_stop(struct keeper_supervisor *sup)
{
	if (!sup)
		return;
	io_close(&sup->lifeline_fd); /* this is what tells it */
	if (sup->pid && sup->pid_fd >= 0)
		(void)!io_wait(sup->pid_fd, POLLIN, clock_mono_ms() + STOP_TIMEOUT_MS);
	kill_and_reap(sup); /* one that has ended does not mind the signal */
	supervisor_free(sup);
}

static bool
copy_text(const char **text)
{
	if (*text)
		*text = mem_strdup(*text);
	return *text != NULL;
}

/* Descriptors and owned strings. */
static enum un_err
supervisor_init(struct keeper_supervisor *sup, const struct keeper_options *options,
                struct un_detail *detail)
{
	bool copied = true;
	enum un_err err;

	sup->options = *options;
	sup->options.keys_dir = NULL;
	if (options->exe)
		copied = copy_text(&sup->options.exe);
	copied = copy_text(&sup->options.provider) && copied;
	if (options->passphrase_path)
		copied = copy_text(&sup->options.passphrase_path) && copied;
	if (!copied)
		return UN_ERR_NO_MEMORY;
	err = keyring_dir_open(options->keys_dir, detail, &sup->dir_fd);
	if (err)
		return err;
	sup->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sup->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sup->epoll_fd < 0 || sup->timer_fd < 0)
		return un_fail_errno(detail, errno, "cannot watch the keeper");
	return watch(sup, sup->timer_fd);
}

static enum un_err
wait_ready(struct keeper_supervisor *sup, struct un_detail *detail)
{
	int64_t deadline_ms = clock_mono_ms() + ready_timeout_ms(sup);
	enum un_err err;

	do {
		err = io_wait(sup->lifeline_fd, POLLIN, deadline_ms);
		if (err)
			return un_fail(detail, err, "the keeper does not become ready");
		err = read_report(sup, detail);
	} while (err == UN_ERR_AGAIN);
	return err;
}

enum un_err
keeper_supervisor_start(const struct keeper_options *options, struct un_detail *detail,
                        struct keeper_supervisor **ret_supervisor)
{
	struct keeper_supervisor *sup = mem_zalloc(1, sizeof *sup);
	enum un_err err;

	assert(options->sockets >= 1 && options->sockets <= KEEPER_SOCKETS_MAX);
	if (!sup)
		return UN_ERR_NO_MEMORY;
	sup->dir_fd = sup->epoll_fd = sup->timer_fd = sup->pid_fd = sup->lifeline_fd = -1;
	for (unsigned i = 0; i < KEEPER_SOCKETS_MAX; i++)
		sup->sockets[i] = -1;
	err = supervisor_init(sup, options, detail);
	if (err == UN_OK)
		err = start_process(sup, detail);
	if (err == UN_OK)
		err = wait_ready(sup, detail);
	if (err) {
		kill_and_reap(sup);
		supervisor_free(sup);
		return err;
	}
	become_ready(sup);
	*ret_supervisor = sup;
	return UN_OK;
}

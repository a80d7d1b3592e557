#include "launch/supervise.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE 65536
#define FOREVER_MS 3600000
#define IDLE_MS 40        /* a prompt appears within 50 */
#define FROZEN_MS 50      /* between looks whether the control plane is back */
#define DRAIN_ROUNDS 1024 /* of PIECE each: what can be in a pipe is far less */
#define DRAIN_MS 5000     /* somebody outside the sandbox may hold the other end */

enum { AT_OUT, AT_ERR, AT_CHILD, AT_SIGNAL, AT_REPORT, AT_GROUP, AT_COUNT };

struct watch {
	const struct supervision *plan;
	struct redact_stream *streams[2];
	struct redact_stream *log; /* of both: half of a value may be in each */
	uint8_t *piece;            /* of PIECE bytes */
	int64_t timeout_at_ms;     /* INT64_MAX: never */
	int64_t kill_at_ms;
	int64_t idle_at_ms; /* then what is held back goes out, as far as it may */
	int64_t thaw_at_ms; /* the task is frozen until the control plane is back */
	int group_fd;
	struct ending ending;
	bool killed;
	bool reaped;
};

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

void
supervise_signals(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set);
	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		(void)sigaddset(ret_set, forwarded[i]);
}

static enum un_err
emit_clean(void *ctx, const uint8_t *bytes, size_t len)
{
	const struct supervision *plan = ctx;
	enum un_err err = UN_OK;

	if (plan->reporter)
		err = report_log(plan->reporter, bytes, len);
	if (!err && plan->emit)
		err = plan->emit(plan->ctx, bytes, len);
	return err;
}

static enum un_err
push_log(void *ctx, const uint8_t *bytes, size_t len)
{
	return redact_push(ctx, bytes, len);
}

static enum un_err
open_streams(struct watch *watch)
{
	const struct supervision *plan = watch->plan;
	enum un_err err =
		redact_stream_new(plan->values, emit_clean, (void *)(uintptr_t)plan, &watch->log);

	for (int i = 0; i < 2 && !err; i++)
		err = redact_stream_new(plan->values, push_log, watch->log, &watch->streams[i]);
	if (!err) {
		watch->piece = mem_alloc(PIECE);
		err = watch->piece ? UN_OK : UN_ERR_NO_MEMORY;
	}
	return err;
}

/* One read. *ret_open: there may be more, now or later. */
static enum un_err
take_output(struct watch *watch, int fd, struct redact_stream *stream, bool *ret_open,
            bool *ret_any)
{
	uint8_t *bytes = watch->piece;
	ssize_t got = read(fd, bytes, PIECE);
	enum un_err err = UN_OK;

	*ret_any = got > 0;
	*ret_open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
	if (got > 0) {
		err = redact_push(stream, bytes, (size_t)got);
		explicit_bzero(bytes, (size_t)got); /* it may be a value that the task printed */
		if (redact_held(stream) || redact_held(watch->log))
			watch->idle_at_ms = clock_mono_ms() + IDLE_MS;
	}
	return err;
}

static void
kill_all(struct watch *watch)
{
	sandbox_kill(watch->plan->sandbox, watch->reaped ? 0 : watch->plan->child->pid);
	watch->killed = true;
	watch->kill_at_ms = INT64_MAX;
}

/* Asks the task to end; the first cause is the one that is told,
 * but a signal may turn out to be the cancel that the control plane speaks of. */
static void
end_task(struct watch *watch, enum ending_cause cause, int signal_number)
{
	if (watch->ending.cause == ENDED_ITSELF ||
	    (watch->ending.cause == ENDED_TOLD && cause == ENDED_CANCELLED))
		watch->ending.cause = cause;
	watch->timeout_at_ms = INT64_MAX;
	if (watch->killed || watch->reaped)
		return;
	if (cause == ENDED_LEASE_LOST) {
		kill_all(watch);
		return;
	}
	(void)kill(-watch->plan->child->pid, signal_number);
	if (watch->kill_at_ms == INT64_MAX)
		watch->kill_at_ms = clock_mono_ms() + SUPERVISE_GRACE_MS;
}

static void
take_signal(struct watch *watch)
{
	struct signalfd_siginfo info;
	int number;

	if (read(watch->plan->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	number = (int)info.ssi_signo;
	if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) {
		watch->ending.told_signal = number;
		if (watch->plan->reporter) /* an engine may be quicker than the heartbeat */
			report_ask(watch->plan->reporter);
		end_task(watch, ENDED_TOLD, number);
	} else if (!watch->reaped) {
		(void)kill(-watch->plan->child->pid, number);
	}
}

static void
take_report(struct watch *watch)
{
	enum report_state state = report_state(watch->plan->reporter);

	if (state == REPORT_LOST)
		end_task(watch, ENDED_LEASE_LOST, SIGKILL);
	else if (state == REPORT_CANCEL)
		end_task(watch, ENDED_CANCELLED, SIGTERM);
}

static void
reap(struct watch *watch)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)watch->plan->child->pid_fd, &info, WEXITED) != 0)
		return;
	watch->reaped = true;
	watch->ending.by_signal = info.si_code != CLD_EXITED;
	watch->ending.status = info.si_status;
}

static int
next_wait_ms(struct watch *watch)
{
	int64_t next = clock_mono_ms() + FOREVER_MS;

	if (watch->timeout_at_ms < next)
		next = watch->timeout_at_ms;
	if (watch->kill_at_ms < next)
		next = watch->kill_at_ms;
	if (watch->idle_at_ms < next)
		next = watch->idle_at_ms;
	if (watch->thaw_at_ms < next)
		next = watch->thaw_at_ms;
	if (watch->plan->reporter && !watch->killed) {
		int64_t fence = clock_mono_ms() + report_left_ms(watch->plan->reporter);

		if (fence < next)
			next = fence;
	}
	return clock_left_ms(next);
}

static void
check_times(struct watch *watch)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms >= watch->timeout_at_ms)
		end_task(watch, ENDED_TIMEOUT, SIGTERM);
	if (now_ms >= watch->kill_at_ms)
		kill_all(watch);
	if (watch->plan->reporter && !watch->killed && report_left_ms(watch->plan->reporter) == 0)
		end_task(watch, ENDED_LEASE_LOST, SIGKILL);
}

/* What a control plane froze for the time that it is away goes on when it is back. */
static void
look_at_group(struct watch *watch)
{
	bool thawed = cgroup_resume(watch->plan->cgroup, watch->group_fd);

	watch->thaw_at_ms = thawed ? INT64_MAX : clock_mono_ms() + FROZEN_MS;
}

/* The task has been silent for a while: perhaps it waits for an answer to what is held back. */
static enum un_err
let_out(struct watch *watch)
{
	enum un_err err = UN_OK;

	if (clock_mono_ms() < watch->idle_at_ms)
		return UN_OK;
	watch->idle_at_ms = INT64_MAX;
	for (int i = 0; i < 2 && !err; i++)
		err = redact_idle(watch->streams[i]);
	return err ? err : redact_idle(watch->log);
}

/* Until the task's process has ended. */
static enum un_err
follow(struct watch *watch)
{
	const struct supervision *plan = watch->plan;
	struct pollfd fds[AT_COUNT] = {
		[AT_OUT] = {.fd = plan->child->out_fd, .events = POLLIN},
		[AT_ERR] = {.fd = plan->child->err_fd, .events = POLLIN},
		[AT_CHILD] = {.fd = plan->child->pid_fd, .events = POLLIN},
		[AT_SIGNAL] = {.fd = plan->signal_fd, .events = POLLIN},
		[AT_REPORT] = {.fd = plan->reporter ? report_event_fd(plan->reporter) : -1,
	                       .events = POLLIN},
		[AT_GROUP] = {.fd = watch->group_fd, .events = POLLPRI},
	};

	while (!watch->reaped) {
		enum un_err err;

		if (poll(fds, AT_COUNT, next_wait_ms(watch)) < 0 && errno != EINTR)
			return un_err_from_errno(errno);
		for (int i = AT_OUT; i <= AT_ERR; i++) {
			bool open = true, any;

			err = UN_OK;
			if (fds[i].revents)
				err = take_output(watch, fds[i].fd, watch->streams[i], &open, &any);
			if (err)
				return err;
			if (!open)
				fds[i].fd = -1;
		}
		err = let_out(watch);
		if (err)
			return err;
		if (fds[AT_SIGNAL].revents)
			take_signal(watch);
		if (fds[AT_REPORT].revents)
			take_report(watch);
		if (fds[AT_GROUP].revents || clock_mono_ms() >= watch->thaw_at_ms)
			look_at_group(watch);
		check_times(watch);
		if (fds[AT_CHILD].revents)
			reap(watch);
	}
	return UN_OK;
}

/* What is still in the pipe. Nothing that could write is alive any more, so it is finite; where a
 * process has got away (no PID namespace), only what is there now is taken. */
static enum un_err
drain(struct watch *watch, int fd, struct redact_stream *stream)
{
	bool wait_for_end = watch->plan->sandbox->init > 0;
	int64_t deadline_ms = clock_mono_ms() + DRAIN_MS;

	for (int round = 0; round < DRAIN_ROUNDS; round++) {
		bool open, any;
		enum un_err err = take_output(watch, fd, stream, &open, &any);

		if (err)
			return err;
		if (!open)
			break;
		if (!any && (!wait_for_end || io_wait(fd, POLLIN, deadline_ms)))
			break;
	}
	return redact_flush(stream);
}

enum un_err
supervise(const struct supervision *plan, struct ending *ret_ending)
{
	struct watch watch = {
		.plan = plan,
		.timeout_at_ms = plan->timeout_ms ? clock_mono_ms() + plan->timeout_ms : INT64_MAX,
		.kill_at_ms = INT64_MAX,
		.idle_at_ms = INT64_MAX,
		.thaw_at_ms = INT64_MAX,
		.group_fd = plan->cgroup ? cgroup_events(plan->cgroup) : -1,
	};
	enum un_err err = open_streams(&watch);

	if (!err)
		err = follow(&watch);
	if (!watch.reaped) { /* an error: nothing may go on unseen */
		kill_all(&watch);
		reap(&watch);
	}
	io_close(&watch.group_fd);
	sandbox_kill(plan->sandbox, 0);
	if (!err)
		err = drain(&watch, plan->child->out_fd, watch.streams[0]);
	if (!err)
		err = drain(&watch, plan->child->err_fd, watch.streams[1]);
	if (!err)
		err = redact_flush(watch.log);
	redact_stream_free(watch.log);
	redact_stream_free(watch.streams[0]);
	redact_stream_free(watch.streams[1]);
	mem_free(watch.piece);
	*ret_ending = watch.ending;
	return err;
}

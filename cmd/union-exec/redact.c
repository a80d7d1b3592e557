/* union-exec redact - a command whose output shows no value of the variables named; without a
 * command, a filter from standard input to standard output. */
#include "redact.h"

#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "redact/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_OURS 125
#define EXIT_USAGE 2
#define EXIT_NOT_RUN 126
#define EXIT_NOT_FOUND 127
#define NAMES_MAX 1000
#define PIECE 65536
#define IDLE_MS 40
#define SILENT_MS 500 /* after the command's end: somebody it has left behind holds its output */

static const char help[] =
	"usage: union-exec redact --from-env VAR... [--pty] [-- COMMAND ARGS...]\n"
	"\n"
	"Runs a command and passes its output on, with each value of the variables replaced by\n"
	"[secret VAR], in whatever everyday form it is printed. Without a command: a filter from\n"
	"standard input to standard output.\n"
	"\n"
	"  --from-env VAR...  variables whose values are secret; the command still has them\n"
	"  --pty              give the command a terminal; its output and errors become one\n"
	"  --help\n"
	"\n"
	"Exit status: the command's, 128 and the number of the signal that ended it; 125 when\n"
	"redact itself failed, 126 and 127 when the command could not be run; 2 for wrong usage.\n"
	"\n"
	"example: union-exec redact --from-env DEPLOY_TOKEN DB_URL -- make deploy\n";

struct plan {
	const char *names[NAMES_MAX];
	size_t count;
	bool pty;
	char **command; /* NULL: a filter */
};

/* One way that output takes. */
struct way {
	int from; /* -1: it has ended */
	int to;
	struct redact_stream *stream;
	int64_t idle_at_ms; /* INT64_MAX: nothing is held back */
};

struct run {
	struct way ways[2];
	size_t way_count;
	int keys;     /* standard input, for the terminal; -1: none */
	int terminal; /* the master; -1: none */
	int signals;
	pid_t child; /* 0: none, or it has ended */
	int status;
	int64_t end_at_ms; /* INT64_MAX: the command has not ended */
	struct secbuf *bytes;
};

static int
complain(int status, const char *what, const char *about)
{
	(void)fprintf(stderr, "union-exec: error: %s%s%s\n", what, about ? ": " : "",
	              about ? about : "");
	if (status == EXIT_USAGE)
		(void)fputs("union-exec: hint: see union-exec redact --help\n", stderr);
	return status;
}

/* A name that is no variable and could not be one: a list with commas, an assignment. The secret
 * that was meant would be shown. */
static bool
is_mistaken(const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return !getenv(name) && (!*name || name[strspn(name, letters)]);
}

/* -1: go on. */
static int
check_names(const struct plan *plan)
{
	bool doubtful = false;

	for (size_t i = 0; i < plan->count; i++) {
		if (is_mistaken(plan->names[i]))
			return complain(EXIT_USAGE, "not the name of a variable", plan->names[i]);
		doubtful = doubtful || (i > 0 && !plan->command && !getenv(plan->names[i]));
	}
	if (doubtful)
		(void)fputs("union-exec: hint: this filters standard input; a command comes after "
		            "--\n",
		            stderr);
	return -1;
}

/* -1: go on. */
static int
parse(char **args, struct plan *plan)
{
	bool names = false;

	for (; *args && strcmp(*args, "--") != 0; args++) {
		if (strcmp(*args, "--help") == 0 || strcmp(*args, "-h") == 0) {
			(void)fputs(help, stdout);
			return 0;
		}
		if (strcmp(*args, "--from-env") == 0) {
			names = true;
		} else if (strcmp(*args, "--pty") == 0) {
			plan->pty = true;
			names = false;
		} else if (**args == '-' || !names) {
			return complain(EXIT_USAGE, "unknown option or argument", *args);
		} else if (plan->count == NAMES_MAX) {
			return complain(EXIT_USAGE, "too many variables", NULL);
		} else {
			plan->names[plan->count++] = *args;
		}
	}
	plan->command = *args && args[1] ? args + 1 : NULL;
	if (!plan->count)
		return complain(EXIT_USAGE, "--from-env needs the name of a variable", NULL);
	if (*args && !args[1])
		return complain(EXIT_USAGE, "no command after --", NULL);
	if (plan->pty && !plan->command)
		return complain(EXIT_USAGE, "--pty needs a command", NULL);
	return check_names(plan);
}

static enum un_err
add_value(struct redact_set *set, const char *name)
{
	const char *text = getenv(name);
	struct secbuf *value;
	bool too_short = false;
	enum un_err err;

	if (!text || !*text) {
		(void)fprintf(stderr, "union-exec: warning: %s is %s: nothing to look for\n", name,
		              text ? "empty" : "not set");
		return UN_OK;
	}
	err = secbuf_copy(text, strlen(text), &value);
	if (err)
		return err;
	err = redact_set_add(set, name, value, &too_short);
	secbuf_free(value);
	if (!err && too_short)
		(void)fprintf(
			stderr,
			"union-exec: warning: %s is shorter than %d bytes and not looked for\n",
			name, REDACT_VALUE_MIN);
	return err;
}

static enum un_err
make_set(const struct plan *plan, struct redact_set **ret_set)
{
	struct redact_set *set = NULL;
	enum un_err err = redact_set_new(&set);

	for (size_t i = 0; i < plan->count && !err; i++)
		err = add_value(set, plan->names[i]);
	if (!err)
		err = redact_set_compile(set);
	if (err)
		redact_set_free(set);
	else
		*ret_set = set;
	return err;
}

static enum un_err
write_out(void *ctx, const uint8_t *bytes, size_t len)
{
	return io_write_all(*(const int *)ctx, bytes, len);
}

/* ---- the command ---- */

static const int passed_on[] = {SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

static bool
watch_signals(struct run *run)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
		(void)sigaddset(&set, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals >= 0;
}

_Noreturn static void
become(char **command)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execvp(command[0], command);
	(void)fprintf(stderr, "union-exec: error: cannot run '%s': %s\n", command[0],
	              strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

static bool
start_piped(struct run *run, char **command)
{
	int out[2], errors[2];

	if (pipe2(out, O_CLOEXEC) != 0)
		return false;
	if (pipe2(errors, O_CLOEXEC) != 0)
		return false;
	run->child = fork();
	if (run->child < 0)
		return false;
	if (run->child == 0) {
		if (dup2(out[1], 1) < 0 || dup2(errors[1], 2) < 0)
			_exit(EXIT_OURS);
		become(command);
	}
	(void)close(out[1]);
	(void)close(errors[1]);
	run->ways[0].from = out[0];
	run->ways[1].from = errors[0];
	run->way_count = 2;
	return true;
}

static struct termios before;

static void
restore_terminal(void)
{
	(void)tcsetattr(0, TCSANOW, &before);
}

static bool
start_on_terminal(struct run *run, char **command)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	bool is_terminal = tcgetattr(0, &before) == 0;
	struct termios raw = before;

	(void)ioctl(is_terminal ? 0 : 1, TIOCGWINSZ, &size);
	run->child = forkpty(&run->terminal, NULL, is_terminal ? &before : NULL, &size);
	if (run->child < 0)
		return false;
	if (run->child == 0)
		become(command);
	(void)fcntl(run->terminal, F_SETFD, FD_CLOEXEC);
	run->ways[0].from = run->terminal;
	run->way_count = 1;
	run->keys = 0;
	if (is_terminal) {
		cfmakeraw(&raw);
		if (tcsetattr(0, TCSANOW, &raw) == 0)
			(void)atexit(restore_terminal);
	}
	return true;
}

static void
take_signals(struct run *run)
{
	struct signalfd_siginfo info;
	struct winsize size;

	while (read(run->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD) {
			if (run->child > 0 &&
			    waitpid(run->child, &run->status, WNOHANG) == run->child) {
				run->child = 0;
				run->end_at_ms = clock_mono_ms() + SILENT_MS;
			}
		} else if (number == SIGWINCH && run->terminal >= 0) {
			if (ioctl(0, TIOCGWINSZ, &size) == 0)
				(void)ioctl(run->terminal, TIOCSWINSZ, &size);
		} else if (run->child > 0 && (info.ssi_code == SI_USER || run->terminal >= 0)) {
			(void)kill(run->child,
			           number); /* what a terminal sends goes to both anyway */
		}
	}
}

/* ---- passing on ---- */

static enum un_err
take(struct run *run, struct way *way)
{
	uint8_t *bytes = secbuf_edit(run->bytes);
	ssize_t got = read(way->from, bytes, PIECE);
	enum un_err err;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return UN_OK;
	if (got <= 0) { /* a terminal whose other end is closed gives EIO */
		way->from = -1;
		return redact_flush(way->stream);
	}
	err = redact_push(way->stream, bytes, (size_t)got);
	way->idle_at_ms = redact_held(way->stream) ? clock_mono_ms() + IDLE_MS : INT64_MAX;
	if (!run->child)
		run->end_at_ms = clock_mono_ms() + SILENT_MS;
	return err;
}

static void
take_keys(struct run *run)
{
	uint8_t *bytes = secbuf_edit(run->bytes);
	ssize_t got = read(run->keys, bytes, 4096);
	const uint8_t end = 4; /* what a terminal takes for the end of input */

	if (got > 0 && !io_write_all(run->terminal, bytes, (size_t)got))
		return;
	if (got == 0)
		(void)!io_write_all(run->terminal, &end, 1);
	run->keys = -1;
}

static int
wait_ms(const struct run *run)
{
	int64_t next = run->child ? INT64_MAX : run->end_at_ms;

	for (size_t i = 0; i < run->way_count; i++)
		if (run->ways[i].from >= 0 && run->ways[i].idle_at_ms < next)
			next = run->ways[i].idle_at_ms;
	return next == INT64_MAX ? -1 : clock_left_ms(next);
}

static enum un_err
let_out(struct way *way)
{
	if (way->from < 0 || clock_mono_ms() < way->idle_at_ms)
		return UN_OK;
	way->idle_at_ms = INT64_MAX;
	return redact_idle(way->stream);
}

static enum un_err
pass_on(struct run *run)
{
	enum un_err err = UN_OK;

	for (;;) {
		bool open = run->ways[0].from >= 0 || run->ways[1].from >= 0;
		struct pollfd fds[4] = {{.fd = run->ways[0].from, .events = POLLIN},
		                        {.fd = run->ways[1].from, .events = POLLIN},
		                        {.fd = run->signals, .events = POLLIN},
		                        {.fd = open ? run->keys : -1, .events = POLLIN}};

		if (!open && !run->child)
			return UN_OK;
		if (poll(fds, 4, wait_ms(run)) < 0 && errno != EINTR)
			return un_err_from_errno(errno);
		if (fds[2].revents)
			take_signals(run);
		if (fds[3].revents)
			take_keys(run);
		for (size_t i = 0; i < run->way_count && !err; i++) {
			if (run->ways[i].from >= 0 && fds[i].revents)
				err = take(run, &run->ways[i]);
			if (!err)
				err = let_out(&run->ways[i]);
		}
		if (err)
			return err;
		if (!run->child && open && clock_mono_ms() >= run->end_at_ms) {
			for (size_t i = 0; i < run->way_count && !err; i++)
				if (run->ways[i].from >= 0)
					err = redact_flush(run->ways[i].stream);
			return err;
		}
	}
}

static int
finish(struct run *run, const struct plan *plan, enum un_err err)
{
	for (size_t i = 0; i < 2; i++)
		redact_stream_free(run->ways[i].stream);
	secbuf_free(run->bytes);
	if (err) { /* nothing may be shown unseen: the command cannot go on */
		if (run->child > 0)
			(void)kill(run->child, SIGTERM);
		return complain(EXIT_OURS, "cannot pass the output on", un_err_text(err));
	}
	if (!plan->command)
		return 0;
	return WIFSIGNALED(run->status) ? 128 + WTERMSIG(run->status) : WEXITSTATUS(run->status);
}

int
redact_command(char **args)
{
	static const int targets[] = {1, 2};
	static struct plan plan;
	struct redact_set *set = NULL;
	struct run run = {.keys = -1, .terminal = -1, .signals = -1, .end_at_ms = INT64_MAX};
	int status = parse(args, &plan);
	enum un_err err;

	if (status >= 0)
		return status;
	(void)prctl(PR_SET_DUMPABLE, 0);
	err = crypto_init();
	if (!err)
		err = make_set(&plan, &set);
	if (!err)
		err = secbuf_new(PIECE, &run.bytes);
	for (size_t i = 0; i < 2 && !err; i++) {
		run.ways[i] = (struct way){.from = -1, .to = targets[i], .idle_at_ms = INT64_MAX};
		err = redact_stream_new(set, write_out, (void *)(uintptr_t)&targets[i],
		                        &run.ways[i].stream);
	}
	if (err)
		return complain(EXIT_OURS, "cannot prepare", un_err_text(err));
	run.way_count = 1;
	if (!plan.command)
		run.ways[0].from = 0;
	else if (!watch_signals(&run) || !(plan.pty ? start_on_terminal(&run, plan.command)
	                                            : start_piped(&run, plan.command)))
		return complain(EXIT_OURS, "cannot start the command", strerror(errno));
	err = pass_on(&run);
	status = finish(&run, &plan, err);
	redact_set_free(set);
	return status;
}

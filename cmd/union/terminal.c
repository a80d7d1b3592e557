/* Asking on the terminal. Line editing of the kernel is off: it would cut a pasted value at 4096
 * bytes. So erasing is done here: the last character, or all of it.
 *
 * The signals that end or stop a program are blocked except inside ppoll(2), so that none is missed
 * between looking and waiting. Whatever comes, the terminal is put back first; then a stop stops,
 * and anything else but SIGINT is raised again with its usual effect. Leaving flushes what was
 * typed ahead: the rest of a pasted text must not reach the shell and its history. */
#include "base/clock.h"
#include "value_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define FIRST_ROOM 4096
#define END_OF_TEXT 4 /* Ctrl-D */

static const int caught_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU};
#define CAUGHT_COUNT (sizeof caught_signals / sizeof caught_signals[0])

static volatile sig_atomic_t caught;

static void
catch_signal(int number)
{
	caught = number;
}

struct question {
	int fd;
	struct termios before;
	sigset_t mask_before;
	struct sigaction actions[CAUGHT_COUNT];
};

static void
write_text(int fd, const char *text)
{
	ssize_t done = write(fd, text, strlen(text));

	(void)done; /* a terminal that is gone shows itself at the read */
}

static bool
echo_off(struct question *question)
{
	struct termios quiet = question->before;

	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON);
	quiet.c_lflag |= ISIG;
	quiet.c_iflag |= ICRNL;
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	return tcsetattr(question->fd, TCSAFLUSH, &quiet) == 0;
}

static bool
begin(struct question *question)
{
	struct sigaction action = {.sa_handler = catch_signal};
	sigset_t mask;

	if (tcgetattr(question->fd, &question->before) != 0)
		return false;
	(void)sigemptyset(&mask);
	for (size_t i = 0; i < CAUGHT_COUNT; i++)
		(void)sigaddset(&mask, caught_signals[i]);
	(void)sigprocmask(SIG_BLOCK, &mask, &question->mask_before);
	for (size_t i = 0; i < CAUGHT_COUNT; i++)
		(void)sigaction(caught_signals[i], &action, &question->actions[i]);
	caught = 0;
	return true;
}

static void
end(struct question *question)
{
	(void)tcsetattr(question->fd, TCSAFLUSH, &question->before);
	for (size_t i = 0; i < CAUGHT_COUNT; i++)
		(void)sigaction(caught_signals[i], &question->actions[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &question->mask_before, NULL);
}

/* Puts the terminal back and does what the signal asks for. True: ask again. */
static bool
obey_signal(struct question *question, int number)
{
	write_text(question->fd, "\r\n");
	end(question);
	if (number == SIGINT)
		return false;
	(void)raise(number); /* returns after a stop, when the person has come back */
	return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static enum un_err
make_room(struct secbuf **answer, size_t used)
{
	struct secbuf *larger = NULL;
	enum un_err err;

	if (used < secbuf_len(*answer))
		return UN_OK;
	err = secbuf_new(secbuf_len(*answer) * 2, &larger);
	if (err)
		return err;
	memcpy(secbuf_edit(larger), secbuf_peek(*answer), used);
	secbuf_free(*answer);
	*answer = larger;
	return UN_OK;
}

/* One more byte. 1: goes on, 0: the line is complete, -1: `err` or a signal. */
static int
take_byte(struct question *question, struct secbuf **answer, size_t *used, size_t max,
          enum un_err *err)
{
	struct pollfd poll_fd = {.fd = question->fd, .events = POLLIN};
	uint8_t *at;
	uint8_t c;

	*err = make_room(answer, *used);
	if (*err)
		return -1;
	if (ppoll(&poll_fd, 1, NULL, &question->mask_before) < 0)
		return errno == EINTR && !caught ? 1 : -1;
	at = secbuf_edit(*answer) + *used;
	if (read(question->fd, at, 1) != 1) {
		*err = UN_ERR_UNREACHABLE;
		return -1;
	}
	c = *at;
	if (c == '\n' || c == '\r' || (c == END_OF_TEXT && !*used)) {
		*at = 0;
		return 0;
	}
	if (c == question->before.c_cc[VERASE] || c == 0x7f || c == '\b') {
		*at = 0;
		/* a character of UTF-8 goes as a whole */
		while (*used && (secbuf_edit(*answer)[--*used] & 0xc0) == 0x80)
			;
		return 1;
	}
	if (c == question->before.c_cc[VKILL]) {
		explicit_bzero(secbuf_edit(*answer), *used + 1);
		*used = 0;
		return 1;
	}
	if (c == END_OF_TEXT) {
		*at = 0;
		return 0;
	}
	if (++*used > max) {
		*err = UN_ERR_VALUE_TOO_LARGE;
		return -1;
	}
	return 1;
}

/* Asks once. UN_ERR_AGAIN: it was stopped and continued. */
static enum un_err
ask_once(struct question *question, const char *prompt, size_t max, struct secbuf **answer)
{
	size_t used = 0;
	enum un_err err = UN_OK;
	int more = 1;

	if (!begin(question))
		return UN_ERR_UNSUPPORTED;
	if (!echo_off(question)) {
		end(question);
		return UN_ERR_UNSUPPORTED;
	}
	write_text(question->fd, prompt);
	while (more > 0)
		more = take_byte(question, answer, &used, max, &err);
	if (more < 0 && !err) {
		secbuf_shrink(*answer, 0);
		return obey_signal(question, caught) ? UN_ERR_AGAIN : UN_ERR_INTERRUPTED;
	}
	write_text(question->fd, "\r\n");
	end(question);
	if (!err)
		secbuf_shrink(*answer, used);
	return err;
}

static int
open_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && isatty(STDIN_FILENO))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd;
}

enum un_err
terminal_ask(const char *prompt, size_t max, struct secbuf **ret_answer, struct un_detail *detail)
{
	struct question question = {.fd = open_terminal()};
	struct secbuf *answer = NULL;
	enum un_err err;

	if (question.fd < 0) {
		un_hint(detail, "give it on standard input or with -f FILE");
		return un_fail(detail, UN_ERR_UNSUPPORTED, "there is no terminal to ask on");
	}
	do {
		secbuf_free(answer);
		answer = NULL;
		err = secbuf_new(FIRST_ROOM, &answer);
		if (!err)
			err = ask_once(&question, prompt, max, &answer);
	} while (err == UN_ERR_AGAIN);
	(void)close(question.fd);
	if (err)
		secbuf_free(answer);
	else
		*ret_answer = answer;
	return err;
}

enum un_err
terminal_confirm(const char *prompt, const char *wanted, bool *ret_agreed)
{
	int fd = open_terminal();
	char answer[64];
	ssize_t got;

	if (fd < 0)
		return UN_ERR_UNSUPPORTED;
	write_text(fd, prompt);
	got = read(fd, answer, sizeof answer - 1);
	(void)close(fd);
	if (got <= 0)
		return UN_ERR_INTERRUPTED;
	answer[got] = '\0';
	answer[strcspn(answer, "\r\n")] = '\0';
	*ret_agreed = strcmp(answer, wanted) == 0;
	return UN_OK;
}

/* Connecting comes first, so that the usual command makes one connect(2) and nothing else. Only
 * when that fails with ENOENT (never started, or stopped in good order) or ECONNREFUSED (killed)
 * the start lock is taken and the connect tried again under it: of ten commands that race, nine
 * find the plane that the first has started. uniond itself removes a stale socket, under its own
 * lock. */
#include "client/embedded.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "client/percent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define LOCK_RETRY_MS 5
#define READY_FD 3
#define WORD_SIZE 64
#define FOLDER_HINT \
	"your own files go below HOME, or where XDG_DATA_HOME and XDG_STATE_HOME say: " \
	"is that writable for you?"

static bool
nobody_is_there(enum un_err err, int saved_errno)
{
	return err == UN_ERR_UNREACHABLE && (saved_errno == ENOENT || saved_errno == ECONNREFUSED);
}

static enum un_err
make_folder(const char *path, struct un_detail *detail)
{
	int saved;

	if (io_make_dirs(path, 0700) == UN_OK)
		return UN_OK;
	saved = errno;
	un_hint(detail, FOLDER_HINT);
	return un_fail_errno(detail, saved, "cannot make the folder %.400s", path);
}

static enum un_err
check_peer(int fd, struct un_detail *detail)
{
	struct ucred peer = {0};
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return un_fail_errno(detail, errno,
		                     "cannot see who is at the other end of the socket");
	if (peer.uid == geteuid())
		return UN_OK;
	un_hint(detail, FOLDER_HINT);
	return un_fail(detail, UN_ERR_DENIED,
	               "the control plane of your own socket belongs to another user (uid %u)",
	               (unsigned)peer.uid);
}

enum un_err
embedded_find(const struct embedded *embedded, int wake_fd, int64_t deadline_ms,
              struct channel **ret_channel, struct un_detail *detail)
{
	char url[ENDPOINT_PATH_MAX + 8];
	struct channel *channel = NULL;
	int fd = -1, len;
	enum un_err err;

	len = snprintf(url, sizeof url, "unix://%s/%s", embedded->data_dir, EMBEDDED_SOCKET);
	if (len < 0 || (size_t)len >= sizeof url)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "the path of the data folder is too long");
	err = wire_connect_unix(url + 7, wake_fd, deadline_ms, &fd);
	if (err == UN_ERR_UNREACHABLE) {
		int saved = errno;

		if (nobody_is_there(err, saved)) {
			(void)un_fail(detail, err, "no control plane is running at %.400s",
			              url + 7);
			un_hint(detail, "the next command that needs one starts it");
		} else {
			(void)un_fail(detail, err, "cannot reach the control plane at %.400s: %s",
			              url + 7, strerrordesc_np(saved));
			un_hint(detail, FOLDER_HINT);
		}
		errno = saved;
	}
	if (err)
		return err;
	err = check_peer(fd, detail);
	if (!err)
		err = channel_new(url, NULL, &channel, detail);
	if (err) {
		(void)close(fd);
		return err;
	}
	channel_adopt(channel, fd);
	channel_set_wake(channel, wake_fd);
	*ret_channel = channel;
	return UN_OK;
}

static enum un_err
take_start_lock(const struct embedded *embedded, int wake_fd, int64_t deadline_ms, int *ret_fd,
                struct un_detail *detail)
{
	char path[ENDPOINT_PATH_MAX + 16];
	enum un_err err;
	int fd;

	(void)snprintf(path, sizeof path, "%s/start.lock", embedded->data_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int saved = errno;

		un_hint(detail, FOLDER_HINT);
		return un_fail_errno(detail, saved, "cannot open %s", path);
	}
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err = UN_ERR_TIMEOUT;
		if (clock_left_ms(deadline_ms))
			err = wire_wait(-1, 0, wake_fd, clock_mono_ms() + LOCK_RETRY_MS);
		if (err == UN_ERR_TIMEOUT && clock_left_ms(deadline_ms))
			continue;
		(void)close(fd);
		return err == UN_ERR_TIMEOUT
		               ? un_fail(detail, err,
		                         "another command has been starting the control plane "
		                         "for too long")
		               : err;
	}
	*ret_fd = fd;
	return UN_OK;
}

static enum un_err
open_log(const char *path, int *ret_fd, struct un_detail *detail)
{
	char folder[ENDPOINT_PATH_MAX];
	const char *slash = strrchr(path, '/');
	enum un_err err;

	if (!slash || (size_t)(slash - path) >= sizeof folder)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "the path of the log is not usable");
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	err = make_folder(folder, detail);
	if (err)
		return err;
	*ret_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*ret_fd < 0) {
		int saved = errno;

		un_hint(detail, FOLDER_HINT);
		return un_fail_errno(detail, saved, "cannot open the log %s", path);
	}
	return UN_OK;
}

/* A session of its own, signals as new, no descriptor but the log and the one for readiness. */
static int
spawn_uniond(const struct embedded *embedded, int ready_fd, int log_fd, pid_t *ret_pid)
{
	char *const argv[] = {"uniond",  "--embedded", "--data", (char *)embedded->data_dir,
	                      "--ready-fd", "3",       NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int failure;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	failure = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (!failure)
		failure = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (!failure)
		failure = posix_spawn_file_actions_adddup2(&actions, log_fd, 2);
	if (!failure)
		failure = posix_spawn_file_actions_adddup2(&actions, ready_fd, READY_FD);
	if (!failure)
		failure = posix_spawn_file_actions_addclosefrom_np(&actions, READY_FD + 1);
	if (!failure)
		failure = posix_spawn_file_actions_addchdir_np(&actions, "/");
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
	                                                    POSIX_SPAWN_SETSIGMASK);
	if (!failure)
		failure = posix_spawn(ret_pid, embedded->uniond, &actions, &attributes, argv,
		                      embedded->environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return failure;
}

static const char *
next_word(const char *at, const char *end, size_t *ret_len)
{
	const char *blank = memchr(at, ' ', (size_t)(end - at));

	*ret_len = (size_t)((blank ? blank : end) - at);
	return blank ? blank + 1 : end;
}

enum un_err
embedded_read_line(const char *line, size_t len, struct un_detail *detail)
{
	const char *at = line, *end = line + len, *word;
	char message[UN_DETAIL_MAX], hint[UN_DETAIL_MAX], slug[WORD_SIZE];
	size_t word_len;

	if (!len || line[len - 1] != '\n')
		return UN_ERR_PROTOCOL;
	end--;
	if (end - at == 5 && strncmp(at, "ready", 5) == 0)
		return UN_OK;
	at = next_word(at, end, &word_len);
	if (word_len != 5 || strncmp(line, "error", 5) != 0)
		return UN_ERR_PROTOCOL;
	word = at;
	at = next_word(at, end, &word_len);
	if (word_len >= sizeof slug)
		return UN_ERR_PROTOCOL;
	memcpy(slug, word, word_len);
	slug[word_len] = '\0';
	word = at;
	at = next_word(at, end, &word_len);
	if (percent_decode(word, word_len, message, sizeof message))
		return UN_ERR_PROTOCOL;
	word = at;
	(void)next_word(at, end, &word_len);
	if (percent_decode(word, word_len, hint, sizeof hint))
		return UN_ERR_PROTOCOL;
	if (message[0])
		(void)un_fail(detail, UN_OK, "the control plane does not start: %s", message);
	if (hint[0])
		un_hint(detail, "%s", hint);
	return un_err_from_slug(slug);
}

/* The child has closed its end without a line: it is dead, or about to be. */
static enum un_err
explain_death(const struct embedded *embedded, pid_t pid, struct un_detail *detail)
{
	int status = 0;

	un_hint(detail, "see its log: %s", embedded->log_path);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		return un_fail(detail, UN_ERR_UNREACHABLE,
		               "the control plane was killed at its start: %s",
		               strsignal(WTERMSIG(status)));
	if (WIFEXITED(status))
		return un_fail(detail, UN_ERR_UNREACHABLE,
		               "the control plane ended at its start with status %d",
		               WEXITSTATUS(status));
	return un_fail(detail, UN_ERR_UNREACHABLE, "the control plane does not start");
}

static enum un_err
await_ready(const struct embedded *embedded, pid_t pid, int fd, int wake_fd, int64_t deadline_ms,
            struct un_detail *detail)
{
	char line[LINE_MAX_BYTES];
	size_t len = 0;
	enum un_err err;

	for (;;) {
		ssize_t got;

		err = wire_wait(fd, POLLIN, wake_fd, deadline_ms);
		if (err == UN_ERR_TIMEOUT) {
			un_hint(detail, "see its log: %s", embedded->log_path);
			return un_fail(detail, err, "the control plane was not ready in time");
		}
		if (err)
			return err;
		got = read(fd, line + len, sizeof line - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return explain_death(embedded, pid, detail);
		len += (size_t)got;
		if (line[len - 1] == '\n')
			break;
		if (len == sizeof line)
			return un_fail(detail, UN_ERR_PROTOCOL,
			               "the control plane says too much at its start");
	}
	err = embedded_read_line(line, len, detail);
	if (err)
		(void)waitpid(pid, NULL, WNOHANG);
	return err;
}

static enum un_err
start(const struct embedded *embedded, int wake_fd, int64_t deadline_ms, struct un_detail *detail)
{
	int pipe_fds[2] = {-1, -1}, log_fd = -1, failure;
	enum un_err err = open_log(embedded->log_path, &log_fd, detail);
	pid_t pid = -1;

	if (err)
		return err;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
		err = un_fail_errno(detail, errno, "cannot make a pipe");
		goto out;
	}
	failure = spawn_uniond(embedded, pipe_fds[1], log_fd, &pid);
	io_close(&pipe_fds[1]);
	if (failure) {
		un_hint(detail, "it should lie beside 'union'; is the installation whole?");
		err = un_fail_errno(detail, failure, "cannot start the control plane %s",
		                    embedded->uniond);
		goto out;
	}
	err = await_ready(embedded, pid, pipe_fds[0], wake_fd, deadline_ms, detail);
out:
	io_close(&pipe_fds[0]);
	io_close(&pipe_fds[1]);
	io_close(&log_fd);
	return err;
}

enum un_err
embedded_connect(const struct embedded *embedded, int wake_fd, int64_t deadline_ms,
                 struct channel **ret_channel, struct un_detail *detail)
{
	struct un_detail first = {0};
	int lock_fd = -1;
	enum un_err err = embedded_find(embedded, wake_fd, deadline_ms, ret_channel, &first);

	if (!nobody_is_there(err, errno)) {
		if (err && detail)
			*detail = first;
		return err;
	}
	err = make_folder(embedded->data_dir, detail);
	if (err)
		return err;
	err = take_start_lock(embedded, wake_fd, deadline_ms, &lock_fd, detail);
	if (err)
		return err;
	err = embedded_find(embedded, wake_fd, deadline_ms, ret_channel, &first);
	if (nobody_is_there(err, errno)) {
		err = start(embedded, wake_fd, deadline_ms, detail);
		if (!err)
			err = embedded_find(embedded, wake_fd, deadline_ms, ret_channel, detail);
	} else if (err && detail) {
		*detail = first;
	}
	(void)close(lock_fd); /* with it goes the lock */
	return err;
}

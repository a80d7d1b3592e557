#include "runs/engine_local.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "model/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICKET_FD 3
#define WAITING_MAX 8   /* launchers that wait for an attempt */
#define WAITING_MS 5000 /* so long */
#define LEAVING_MS 2000 /* at our end, for them to leave nothing behind */

struct child {
	struct child *next;
	struct local *engine;
	uint8_t attempt[ATTEMPT_ID_LEN];
	pid_t pid;
	int64_t start;                    /* start_of it */
	uid_t uid;                        /* of its task; 0: none of its own */
	struct loop_watch watch;          /* of the pidfd */
	int ticket_fd;                    /* of one that waits for its attempt; else -1 */
	char project[SCOPE_PART_MAX + 1]; /* whose attempt it waits for: its uid is the project's */
	bool has_attempt;                 /* else: none yet, or it is not needed any more */
	bool adopted;                     /* not our child: it cannot be waited for */
};

struct local {
	struct engine engine; /* first: an engine is a local */
	struct loop *loop;
	char *launcher, *endpoint, *workdir, *data_dir, *sdk_dir;
	char *concealed, *readable, *writable, *offline;
	char processes[24];
	struct machine *machine;
	char *const *environment;
	struct child *children;
	struct loop_timer unneeded; /* ends those that wait in vain */
	engine_exited *exited;
	void *exited_ctx;
};

static struct local *
local_of(struct engine *engine)
{
	return (struct local *)(void *)engine;
}

/* ---- processes ---- */

/* When the process began, in clock ticks since boot: field 22 of its stat file, counted behind the
 * command, which may hold anything. 0: there is no such process. */
static int64_t
start_of(pid_t pid)
{
	char path[64];
	struct buf stat;
	const char *at;
	int64_t start = 0;
	int field = 2;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	buf_init(&stat, 4096, BUF_PLAIN);
	if (io_read_file(AT_FDCWD, path, &stat) == UN_OK &&
	    (at = strrchr(buf_text(&stat), ')')) != NULL) {
		while (field < 22 && (at = strchr(at + 1, ' ')) != NULL)
			field++;
		if (at != NULL)
			start = strtoll(at, NULL, 10);
	}
	buf_fini(&stat);
	return start;
}

static void
child_drop(struct child *child)
{
	struct child **at = &child->engine->children;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	loop_watch_remove(child->engine->loop, &child->watch);
	close(child->watch.fd);
	io_close(&child->ticket_fd);
	mem_free(child);
}

static void
child_ended(struct loop_watch *watch, uint32_t events)
{
	struct child *child = watch->ctx;
	struct local *local = child->engine;
	uint8_t attempt[ATTEMPT_ID_LEN];
	bool had_attempt = child->has_attempt;
	siginfo_t info = {0};

	(void)events;
	if (!child->adopted && waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) == 0 &&
	    info.si_pid == 0)
		return; /* not yet */
	if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
		log_warn("runs", "launcher %d was ended by signal %d", (int)child->pid,
		         info.si_status);
	/* A launcher that was killed may have left files of that user; it stays unused. */
	if (info.si_code == CLD_EXITED)
		machine_give_uid(local->machine, child->uid);
	memcpy(attempt, child->attempt, sizeof attempt);
	child_drop(child);
	if (had_attempt && local->exited != NULL)
		local->exited(local->exited_ctx, attempt);
}

static struct child *
child_find(const struct local *local, const uint8_t attempt[ATTEMPT_ID_LEN])
{
	struct child *child = local->children;

	while (child != NULL &&
	       !(child->has_attempt && bytes_equal(child->attempt, attempt, ATTEMPT_ID_LEN)))
		child = child->next;
	return child;
}

/* Takes `pidfd` over on UN_OK. */
static enum un_err
child_watch(struct local *local, const struct child *facts, int pidfd, struct child **ret_child)
{
	struct child *child = mem_zalloc(1, sizeof *child);
	enum un_err err;

	if (child == NULL)
		return UN_ERR_NO_MEMORY;
	*child = *facts;
	child->engine = local;
	child->watch = (struct loop_watch){
		.fd = pidfd, .events = EPOLLIN, .fn = child_ended, .ctx = child};
	err = loop_watch_add(local->loop, &child->watch);
	if (err) {
		mem_free(child);
		return err;
	}
	child->next = local->children;
	local->children = child;
	*ret_child = child;
	return UN_OK;
}

/* ---- start ---- */

static int
set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int ticket_fd)
{
	sigset_t none, all;
	int failed;

	sigemptyset(&none);
	sigfillset(&all);
	failed = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (!failed)
		failed = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(actions, ticket_fd, TICKET_FD);
	if (!failed)
		failed = posix_spawnattr_setsigmask(attributes, &none);
	if (!failed)
		failed = posix_spawnattr_setsigdefault(attributes, &all);
	if (!failed)
		failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
		                                                      POSIX_SPAWN_SETSIGMASK |
		                                                      POSIX_SPAWN_SETSIGDEF);
	return failed;
}

#define WORDS_MAX 32

struct words {
	char *list[WORDS_MAX + 1];
	size_t count;
};

/* An option, unless its text is empty. */
static void
add(struct words *words, const char *name, char *text)
{
	if (text[0] == '\0' || words->count + 2 > WORDS_MAX)
		return;
	words->list[words->count++] = (char *)(uintptr_t)name;
	words->list[words->count++] = text;
}

static int
spawn(const struct local *local, int ticket_fd, uid_t uid, pid_t *ret_pid)
{
	char number[] = {'0' + TICKET_FD, '\0'}, user[16] = "";
	struct words words = {.list = {local->launcher, (char *)"attempt"}, .count = 2};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int failed;

	if (uid != 0)
		snprintf(user, sizeof user, "%u", uid);
	add(&words, "--endpoint", local->endpoint);
	add(&words, "--ticket-fd", number);
	add(&words, "--workdir", local->workdir);
	add(&words, "--hide", local->data_dir);
	add(&words, "--conceal", local->concealed);
	add(&words, "--sdk", local->sdk_dir);
	add(&words, "--uid", user);
	add(&words, "--cgroups", (char *)(uintptr_t)machine_cgroups(local->machine));
	add(&words, "--show", local->readable);
	add(&words, "--writable", local->writable);
	add(&words, "--offline", local->offline);
	add(&words, "--processes", (char *)(uintptr_t)local->processes);
	failed = posix_spawn_file_actions_init(&actions);
	if (failed)
		return failed;
	failed = posix_spawnattr_init(&attributes);
	if (!failed) {
		failed = set_up(&actions, &attributes, ticket_fd);
		if (!failed)
			failed = posix_spawn(ret_pid, local->launcher, &actions, &attributes,
			                     words.list, local->environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* All that a launcher waits for. A ticket is smaller than a pipe: this does not block. False: it is
 * gone. */
static bool
give_ticket(struct child *child, const struct engine_start *start)
{
	enum un_err err = io_write_all(child->ticket_fd, secbuf_peek(start->ticket),
	                               secbuf_len(start->ticket));

	io_close(&child->ticket_fd);
	if (err)
		return false;
	memcpy(child->attempt, start->attempt, ATTEMPT_ID_LEN);
	child->has_attempt = true;
	return true;
}

/* It ends by itself, and leaves nothing behind. */
static void
dismiss_waiting(struct local *local)
{
	for (struct child *child = local->children; child != NULL; child = child->next)
		io_close(&child->ticket_fd);
}

/* A task never is who we are instead. Those that wait in vain have a uid, too. */
static enum un_err
no_uid(struct local *local, struct un_detail *detail)
{
	dismiss_waiting(local);
	(void)un_fail(detail, UN_ERR_AGAIN, "every user of tasks.uid_range is in use");
	un_hint(detail, "give tasks.uid_range more users than tasks that run at once");
	return UN_ERR_AGAIN;
}

/* Starts a launcher, which waits for its ticket where there is none yet (`start` is NULL). */
static enum un_err
launch(struct local *local, const char *project, const struct engine_start *start,
       struct child **ret_child, struct un_detail *detail)
{
	struct child facts = {.ticket_fd = -1};
	int ticket[2], pidfd, failed = 0;
	enum un_err err;

	if (pipe2(ticket, O_CLOEXEC) < 0)
		return un_err_from_errno(errno);
	facts.ticket_fd = ticket[1];
	if (start != NULL && !give_ticket(&facts, start))
		failed = EIO;
	facts.uid = machine_take_uid(local->machine, project);
	(void)snprintf(facts.project, sizeof facts.project, "%s", project ? project : "");
	if (!facts.uid && machine_has_uids(local->machine)) {
		io_close(&ticket[0]);
		io_close(&facts.ticket_fd);
		return no_uid(local, detail);
	}
	if (!failed)
		failed = spawn(local, ticket[0], facts.uid, &facts.pid);
	io_close(&ticket[0]);
	if (failed) {
		io_close(&facts.ticket_fd);
		machine_give_uid(local->machine, facts.uid);
		return un_fail_errno(detail, failed, "cannot start the launcher '%s'",
		                     local->launcher);
	}
	facts.start = start_of(facts.pid);
	/* not waited for yet, so the number is still this child's */
	pidfd = pidfd_open(facts.pid, 0);
	err = pidfd < 0 ? un_err_from_errno(errno) : child_watch(local, &facts, pidfd, ret_child);
	if (err) {
		kill(facts.pid, SIGKILL);
		while (waitpid(facts.pid, NULL, 0) < 0 && errno == EINTR)
			;
		io_close(&pidfd);
		io_close(&facts.ticket_fd);
		return un_fail(detail, err, "cannot watch a launcher");
	}
	return UN_OK;
}

/* The one that waits longest for an attempt of the project, or NULL. */
static struct child *
find_waiting(const struct local *local, const char *project, size_t *ret_count)
{
	struct child *found = NULL;

	*ret_count = 0;
	for (struct child *child = local->children; child != NULL; child = child->next) {
		if (child->ticket_fd < 0)
			continue;
		if (strcmp(child->project, project) == 0)
			found = child;
		++*ret_count;
	}
	return found;
}

static void
waited_in_vain(struct loop_timer *timer)
{
	dismiss_waiting(timer->ctx);
}

static void
local_expect(struct engine *engine, const char *project)
{
	struct local *local = local_of(engine);
	struct un_detail detail = {0};
	struct child *child;
	size_t count;

	(void)find_waiting(local, project, &count);
	if (count >= WAITING_MAX)
		return;
	if (loop_timer_set(local->loop, &local->unneeded, clock_mono_ms() + WAITING_MS) != UN_OK)
		return;
	/* the attempt itself will tell what is wrong */
	if (launch(local, project, NULL, &child, &detail) != UN_OK)
		log_debug("runs", "no launcher ahead: %s", detail.message);
}

static enum un_err
local_start(struct engine *engine, const struct engine_start *start, struct engine_place *ret_place,
            struct un_detail *detail)
{
	struct local *local = local_of(engine);
	struct child *child;
	enum un_err err = UN_OK;
	size_t count;

	do
		child = find_waiting(local, start->project ? start->project : "", &count);
	while (child != NULL && !give_ticket(child, start));
	if (child == NULL)
		err = launch(local, start->project, start, &child, detail);
	if (err || child == NULL)
		return err ? err : UN_ERR_AGAIN;
	*ret_place = (struct engine_place){.pid = child->pid, .start = child->start};
	log_debug("runs", "launcher %d runs %s", (int)child->pid, start->label);
	return UN_OK;
}

static bool
local_cancel(struct engine *engine, const uint8_t attempt[ATTEMPT_ID_LEN], bool force)
{
	struct child *child = child_find(local_of(engine), attempt);

	if (child == NULL)
		return false;
	(void)pidfd_send_signal(child->watch.fd, force ? SIGKILL : SIGTERM, NULL, 0);
	return true;
}

/* The number behind --uid in the command line of a launcher; 0: none. */
static uid_t
uid_of(pid_t pid)
{
	char path[64];
	struct buf line;
	uint64_t number = 0;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	buf_init(&line, 65536, BUF_PLAIN);
	if (io_read_file(AT_FDCWD, path, &line) == UN_OK) {
		const char *end = buf_text(&line) + line.len;

		for (const char *at = buf_text(&line); at < end; at += strlen(at) + 1)
			if (strcmp(at, "--uid") == 0 && at + 6 < end &&
			    text_parse_u64(at + 6, &number) != UN_OK)
				number = 0;
	}
	buf_fini(&line);
	return number < UINT32_MAX ? (uid_t)number : 0;
}

static bool
local_adopt(struct engine *engine, const uint8_t attempt[ATTEMPT_ID_LEN],
            const struct engine_place *place)
{
	struct local *local = local_of(engine);
	struct child facts = {.pid = (pid_t)place->pid,
	                      .start = place->start,
	                      .ticket_fd = -1,
	                      .has_attempt = true,
	                      .adopted = true};
	struct child *child;
	int pidfd;

	if (place->pid <= 0 || place->start <= 0)
		return false;
	pidfd = pidfd_open(facts.pid, 0);
	if (pidfd < 0)
		return false;
	memcpy(facts.attempt, attempt, ATTEMPT_ID_LEN);
	/* opened first: what is read now is of the process that the descriptor names, or it is gone
	 */
	facts.uid = uid_of(facts.pid);
	if (start_of(facts.pid) != place->start ||
	    child_watch(local, &facts, pidfd, &child) != UN_OK) {
		close(pidfd);
		return false;
	}
	machine_keep_uid(local->machine, child->uid);
	return true;
}

static void
local_listen(struct engine *engine, engine_exited *exited, void *ctx)
{
	struct local *local = local_of(engine);

	local->exited = exited;
	local->exited_ctx = ctx;
}

/* Those that wait for no attempt are gone when we are. */
static void
end_waiting(struct local *local)
{
	int64_t deadline_ms = clock_mono_ms() + LEAVING_MS;

	dismiss_waiting(local);
	for (struct child *child = local->children; child != NULL; child = child->next)
		if (!child->has_attempt && io_wait(child->watch.fd, POLLIN, deadline_ms) != UN_OK)
			(void)pidfd_send_signal(child->watch.fd, SIGKILL, NULL, 0);
}

static void
local_free(struct engine *engine)
{
	struct local *local = local_of(engine);

	loop_timer_cancel(local->loop, &local->unneeded);
	end_waiting(local);
	while (local->children != NULL)
		child_drop(local->children);
	mem_free(local->launcher);
	mem_free(local->endpoint);
	mem_free(local->workdir);
	mem_free(local->data_dir);
	mem_free(local->sdk_dir);
	mem_free(local->concealed);
	mem_free(local->readable);
	mem_free(local->writable);
	mem_free(local->offline);
	machine_free(local->machine);
	mem_free(local);
}

static const struct engine_ops local_ops = {
	.expect = local_expect,
	.start = local_start,
	.cancel = local_cancel,
	.adopt = local_adopt,
	.listen = local_listen,
	.free = local_free,
};

static char *
copy(const char *text)
{
	return mem_strdup(text != NULL ? text : "");
}

static enum un_err
copy_texts(struct local *local, const struct engine_local_options *options)
{
	local->launcher = copy(options->launcher);
	local->endpoint = copy(options->endpoint);
	local->workdir = copy(options->workdir);
	local->data_dir = copy(options->data_dir);
	local->sdk_dir = copy(options->sdk_dir);
	local->concealed = copy(options->tasks.concealed);
	local->readable = copy(options->tasks.readable);
	local->writable = copy(options->tasks.writable);
	local->offline = copy(options->tasks.offline);
	if (options->tasks.processes > 0)
		snprintf(local->processes, sizeof local->processes, "%llu",
		         (unsigned long long)options->tasks.processes);
	return local->launcher == NULL || local->endpoint == NULL || local->workdir == NULL ||
	                       local->data_dir == NULL || local->sdk_dir == NULL ||
	                       local->concealed == NULL || local->readable == NULL ||
	                       local->writable == NULL || local->offline == NULL
	               ? UN_ERR_NO_MEMORY
	               : UN_OK;
}

enum un_err
engine_local_new(const struct engine_local_options *options, struct engine **ret_engine,
                 struct un_detail *detail)
{
	struct local *local = mem_zalloc(1, sizeof *local);
	enum un_err err;

	if (local == NULL)
		return UN_ERR_NO_MEMORY;
	local->engine.ops = &local_ops;
	local->loop = options->loop;
	local->environment = options->environment;
	local->unneeded = (struct loop_timer){.fn = waited_in_vain, .ctx = local};
	err = copy_texts(local, options);
	if (!err)
		err = io_make_dirs(local->workdir, 0700);
	if (err)
		(void)un_fail(detail, err, "cannot make '%s'", options->workdir);
	else
		err = machine_new(&options->tasks, local->workdir, &local->machine, detail);
	if (err) {
		local_free(&local->engine);
		return err;
	}
	*ret_engine = &local->engine;
	return UN_OK;
}

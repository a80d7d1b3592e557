/* The launchers here are shell scripts that stand where union-exec would. */
#include "runs/engine_local.h"

#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char dir[64], script[128], out[128];
	struct loop *loop;
	struct engine *engine;
	const char *project;
	unsigned exits;
	uint8_t last[ATTEMPT_ID_LEN];
} f;

static void
exited(void *ctx, const uint8_t attempt[ATTEMPT_ID_LEN])
{
	(void)ctx;
	f.exits++;
	memcpy(f.last, attempt, sizeof f.last);
}

static void
open_engine_with(const char *uids)
{
	static char *environment[] = {"PATH=/usr/bin:/bin", "MARK=yes", NULL};
	const struct engine_local_options options = {
		.loop = f.loop,
		.launcher = f.script,
		.endpoint = "unix:///nowhere",
		.workdir = f.dir,
		.data_dir = "/data",
		.sdk_dir = "/sdk",
		.environment = environment,
		.tasks = {.uid_range = uids,
	                  .readable = "/some:/other",
	                  .offline = "p",
	                  .processes = 9},
	};

	EXPECT_OK(engine_local_new(&options, &f.engine, NULL));
	f.engine->ops->listen(f.engine, exited, NULL);
}

static void
open_engine(void)
{
	open_engine_with("none");
}

static void
begin(const char *script)
{
	int fd;

	memset(&f, 0, sizeof f);
	f.project = "p";
	EXPECT_OK(crypto_init());
	strcpy(f.dir, "/tmp/union-engine-XXXXXX");
	EXPECT(mkdtemp(f.dir) != NULL);
	snprintf(f.script, sizeof f.script, "%s/launcher", f.dir);
	snprintf(f.out, sizeof f.out, "%s/out", f.dir);
	fd = open(f.script, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	EXPECT_OK(io_write_all(fd, script, strlen(script)));
	close(fd);
	EXPECT_OK(loop_new(&f.loop));
	open_engine();
}

static void
end(void)
{
	f.engine->ops->free(f.engine);
	loop_free(f.loop);
	unlink(f.script);
	unlink(f.out);
	rmdir(f.dir);
}

static struct engine_place
start(uint8_t mark)
{
	struct engine_start what = {.attempt = {mark}, .label = "r/n0.0", .project = f.project};
	struct engine_place place = {0};
	struct secbuf *ticket;

	EXPECT_OK(secbuf_copy("the ticket", 10, &ticket));
	what.ticket = ticket;
	EXPECT_OK(f.engine->ops->start(f.engine, &what, &place, NULL));
	secbuf_free(ticket);
	return place;
}

static void
wait_for_exit(void)
{
	int64_t deadline = clock_mono_ms() + 20000;

	while (f.exits == 0 && clock_mono_ms() < deadline)
		EXPECT_OK(loop_step(f.loop, 100));
	EXPECT_INT(1, f.exits);
}

TEST(engine_local, a_launcher_gets_its_ticket_and_nothing_else_of_ours)
{
	struct buf out;

	begin("#!/bin/sh\n"
	      "cd \"$(dirname \"$0\")\"; exec >out\n"
	      "cat <&3; echo; echo \"$@\"; echo \"$MARK $HOME\"; ls /proc/self/fd | wc -l\n"
	      "[ \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ ] && echo own session\n");
	(void)start(7);
	wait_for_exit();
	EXPECT_INT(7, f.last[0]);
	buf_init(&out, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, f.out, &out));
	EXPECT(strstr(buf_text(&out), "the ticket\n") != NULL);
	EXPECT(strstr(buf_text(&out),
	              "attempt --endpoint unix:///nowhere --ticket-fd 3 --workdir") != NULL);
	EXPECT(strstr(buf_text(&out), " --hide /data --sdk /sdk") != NULL);
	EXPECT(strstr(buf_text(&out), " --show /some:/other --offline p --processes 9\nyes \n") !=
	       NULL);
	EXPECT_NULL(strstr(buf_text(&out), "--uid"));
	EXPECT(strstr(buf_text(&out), "own session") != NULL);
	buf_fini(&out);
	end();
}

static void
wait_for_file(const char *path)
{
	const int64_t deadline = clock_mono_ms() + 20000;

	while (access(path, F_OK) != 0 && clock_mono_ms() < deadline)
		EXPECT_OK(loop_step(f.loop, 10));
}

#define TELLS_ITS_PID                                                                              \
	"#!/bin/sh\ncd \"${0%/*}\"; echo $$ >pid; mv pid out\n"                                    \
	"ticket=$(cat <&3); echo \"$$ $ticket\" >pid; mv pid out\n"

TEST(engine_local, a_launcher_started_ahead_gets_the_next_ticket_and_only_that)
{
	struct engine_place place;
	char expected[64];
	struct buf out;

	begin(TELLS_ITS_PID);
	f.engine->ops->expect(f.engine, "p");
	wait_for_file(f.out); /* it waits, and nobody is told of it */
	buf_init(&out, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, f.out, &out));
	f.project = "another";
	EXPECT(start(6).pid != (pid_t)strtol(buf_text(&out), NULL, 10));
	wait_for_exit();
	f.exits = 0;
	f.project = "p";
	place = start(7);
	(void)snprintf(expected, sizeof expected, "%d\n", (int)place.pid);
	EXPECT_STR(expected, buf_text(&out));
	wait_for_exit();
	EXPECT_INT(7, f.last[0]);
	buf_clear(&out);
	EXPECT_OK(io_read_file(AT_FDCWD, f.out, &out));
	(void)snprintf(expected, sizeof expected, "%d the ticket\n", (int)place.pid);
	EXPECT_STR(expected, buf_text(&out));
	EXPECT(start(8).pid != place.pid); /* one attempt each */
	f.exits = 0;
	wait_for_exit();
	EXPECT_INT(8, f.last[0]);
	buf_fini(&out);
	end();
}

TEST(engine_local, launchers_that_nobody_needs_end_with_the_engine)
{
	struct buf out;
	pid_t pid;

	begin(TELLS_ITS_PID);
	f.engine->ops->expect(f.engine, "p");
	wait_for_file(f.out);
	buf_init(&out, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, f.out, &out));
	pid = (pid_t)strtol(buf_text(&out), NULL, 10);
	f.engine->ops->free(f.engine);
	EXPECT_INT(pid, waitpid(pid, NULL, WNOHANG));
	open_engine();
	EXPECT_INT(0, f.exits);
	buf_fini(&out);
	end();
}

TEST(engine_local, a_launcher_that_died_while_it_waited_is_replaced)
{
	struct engine_place place;

	begin("#!/bin/sh\n[ -e \"${0%/*}/out\" ] || { >\"${0%/*}/out\"; exit 1; }\ncat <&3\n");
	(void)signal(SIGPIPE, SIG_IGN); /* as the server does */
	f.engine->ops->expect(f.engine, "p");
	wait_for_file(f.out);
	place = start(7);
	EXPECT(place.pid > 0);
	wait_for_exit();
	EXPECT_INT(7, f.last[0]);
	end();
}

TEST(engine_local, a_cancelled_launcher_is_asked_and_then_ended)
{
	const uint8_t id[ATTEMPT_ID_LEN] = {7};

	const int64_t deadline = clock_mono_ms() + 20000;

	begin("#!/bin/sh\ntrap '' TERM\n>\"${0%/*}/out\"\nwhile :; do sleep 0.05; done\n");
	(void)start(7);
	while (access(f.out, F_OK) != 0 && clock_mono_ms() < deadline) /* it does not listen yet */
		EXPECT_OK(loop_step(f.loop, 10));
	EXPECT(f.engine->ops->cancel(f.engine, id, false));
	EXPECT_OK(loop_step(f.loop, 50));
	EXPECT_INT(0, f.exits);
	EXPECT(f.engine->ops->cancel(f.engine, id, true));
	wait_for_exit();
	EXPECT(!f.engine->ops->cancel(f.engine, id, true));
	end();
}

TEST(engine_local, a_new_engine_finds_the_launchers_of_the_old_one)
{
	const uint8_t id[ATTEMPT_ID_LEN] = {7}, other[ATTEMPT_ID_LEN] = {8};
	struct engine_place place, wrong;

	begin("#!/bin/sh\nexec sleep 60\n");
	place = start(7);
	f.engine->ops->free(f.engine);
	open_engine();
	wrong = place;
	wrong.start--;
	EXPECT(!f.engine->ops->adopt(f.engine, other,
	                             &wrong)); /* another process with its number */
	EXPECT(f.engine->ops->adopt(f.engine, id, &place));
	EXPECT_INT(0, kill((pid_t)place.pid, SIGKILL));
	wait_for_exit();
	EXPECT(!f.engine->ops->adopt(f.engine, id, &(struct engine_place){0}));
	end();
}

TEST(engine_local, no_task_is_started_without_a_user_of_its_own_where_tasks_have_them)
{
	struct engine_start what = {.attempt = {8}, .label = "r/n0.0", .project = "p"};
	struct engine_place place;
	struct un_detail detail = {0};
	const int64_t deadline = clock_mono_ms() + 20000;

	if (geteuid() != 0)
		return;
	begin("#!/bin/sh\ncat <&3\n");
	f.engine->ops->free(f.engine);
	open_engine_with("2000000000-2000000000");
	EXPECT_OK(secbuf_copy("t", 1, (struct secbuf **)&what.ticket));
	f.engine->ops->expect(f.engine, "another"); /* has the only one */
	EXPECT_ERR(UN_ERR_AGAIN, f.engine->ops->start(f.engine, &what, &place, &detail));
	EXPECT_STR("every user of tasks.uid_range is in use", detail.message);
	/* which is given back for this */
	while (f.engine->ops->start(f.engine, &what, &place, &detail) != UN_OK &&
	       clock_mono_ms() < deadline)
		EXPECT_OK(loop_step(f.loop, 10));
	wait_for_exit();
	EXPECT_INT(8, f.last[0]);
	secbuf_free((struct secbuf *)(uintptr_t)what.ticket);
	end();
}

TEST(engine_local, a_launcher_that_is_not_there_is_an_error)
{
	struct engine_start what = {.attempt = {1}, .label = "r/n0.0"};
	struct engine_place place;
	struct un_detail detail = {0};
	struct secbuf *ticket;

	begin("");
	unlink(f.script);
	EXPECT_OK(secbuf_copy("t", 1, &ticket));
	what.ticket = ticket;
	EXPECT(f.engine->ops->start(f.engine, &what, &place, &detail) != UN_OK);
	EXPECT(strstr(detail.message, f.script) != NULL);
	secbuf_free(ticket);
	end();
}

TEST_MAIN()

/* The uniond of these tests is this program itself, started with the same arguments: which part it
 * plays stands in its environment. So the race of many starters is tested without a control plane.
 */
#include "client/embedded.h"

#include "base/clock.h"

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RACERS 10

static char self[512];

static void
dummy_say(const char *line)
{
	if (write(3, line, strlen(line)) < 0)
		_exit(9);
	(void)close(3);
}

/* Counts its starts in DATA/starts, listens, says ready, and lives until its listener is shut. */
static int
dummy_serve(const char *data)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), starts, connection;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/starts", data);
	starts = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (starts < 0 || write(starts, "x", 1) != 1)
		return 8;
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", data, EMBEDDED_SOCKET);
	(void)unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
		return 7;
	dummy_say("ready\n");
	/* one byte "q" ends it */
	for (;;) {
		char byte = 0;

		connection = accept(fd, NULL, NULL);
		if (connection < 0)
			return 0;
		if (recv(connection, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'q') {
			(void)unlink(address.sun_path);
			return 0;
		}
		(void)close(connection);
	}
}

static int
dummy_main(char **argv, const char *part)
{
	if (strcmp(part, "serve") == 0)
		return dummy_serve(argv[3]);
	if (strcmp(part, "refuse") == 0)
		dummy_say("error damaged the%20database%20is%20damaged restore%20it\n");
	if (strcmp(part, "crash") == 0)
		(void)raise(SIGKILL);
	return 3;
}

struct fixture {
	char folder[64], data[96], log[128], part[64];
	char *environment[4];
	struct embedded embedded;
};

static void
begin(struct fixture *f, const char *part)
{
	*f = (struct fixture){.folder = "/tmp/union-emb-XXXXXX"};
	EXPECT(mkdtemp(f->folder));
	(void)snprintf(f->data, sizeof f->data, "%s/data", f->folder);
	(void)snprintf(f->log, sizeof f->log, "%s/state/uniond.log", f->folder);
	(void)snprintf(f->part, sizeof f->part, "DUMMY_PART=%s", part);
	f->environment[0] = f->part;
	f->environment[1] = "ASAN_OPTIONS=detect_leaks=0";
	f->embedded = (struct embedded){.data_dir = f->data,
	                                .log_path = f->log,
	                                .uniond = self,
	                                .environment = f->environment};
}

static void
end(struct fixture *f)
{
	static const char *const names[] = {"data/starts", "data/start.lock", "data/uniond.sock",
	                                    "data",        "state/uniond.log", "state", ""};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];

		(void)snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
		if (unlink(path) != 0)
			(void)rmdir(path);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void
stop_dummy(struct fixture *f)
{
	char path[128];
	int fd = -1;

	(void)snprintf(path, sizeof path, "%s/%s", f->data, EMBEDDED_SOCKET);
	/* until the byte is there when the dummy looks */
	for (int i = 0; i < 1000 && access(path, F_OK) == 0; i++) {
		if (wire_connect_unix(path, -1, clock_mono_ms() + 5000, &fd))
			break;
		(void)send(fd, "q", 1, MSG_NOSIGNAL);
		(void)close(fd);
	}
}

static size_t
starts(const struct fixture *f)
{
	char path[128], bytes[64];
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof path, "%s/starts", f->data);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
	if (fd >= 0)
		(void)close(fd);
	return got < 0 ? 0 : (size_t)got;
}

static void *
race(void *arg)
{
	struct fixture *f = arg;
	struct channel *channel = NULL;
	struct un_detail detail = {0};
	enum un_err err =
		embedded_connect(&f->embedded, -1, clock_mono_ms() + 20000, &channel, &detail);

	channel_free(channel);
	return err ? "failed" : NULL;
}

TEST(embedded, ten_racing_commands_start_exactly_one)
{
	pthread_t racers[RACERS];
	struct fixture f;

	begin(&f, "serve");
	for (int i = 0; i < RACERS; i++)
		EXPECT_INT(0, pthread_create(&racers[i], NULL, race, &f));
	for (int i = 0; i < RACERS; i++) {
		void *failure = NULL;

		EXPECT_INT(0, pthread_join(racers[i], &failure));
		EXPECT_NULL(failure);
	}
	EXPECT_INT(1, starts(&f));
	stop_dummy(&f);
	end(&f);
}

TEST(embedded, starts_again_where_a_killed_one_left_its_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fixture f;

	begin(&f, "serve");
	EXPECT_INT(0, mkdir(f.data, 0700));
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", f.data, EMBEDDED_SOCKET);
	EXPECT_INT(0, bind(stale, (struct sockaddr *)&address, sizeof address));
	(void)close(stale); /* nobody listens: ECONNREFUSED */
	EXPECT_NULL(race(&f));
	EXPECT_INT(1, starts(&f));
	stop_dummy(&f);
	end(&f);
}

TEST(embedded, shows_why_one_does_not_start)
{
	struct un_detail detail = {0};
	struct channel *channel = NULL;
	struct fixture f;

	begin(&f, "refuse");
	EXPECT_ERR(UN_ERR_DAMAGED,
	           embedded_connect(&f.embedded, -1, clock_mono_ms() + 20000, &channel, &detail));
	EXPECT_STR("the control plane does not start: the database is damaged", detail.message);
	EXPECT_STR("restore it", detail.hint);
	end(&f);
}

TEST(embedded, tells_a_death_from_a_silence)
{
	struct un_detail detail = {0};
	struct channel *channel = NULL;
	struct fixture f;

	begin(&f, "crash");
	EXPECT_ERR(UN_ERR_UNREACHABLE, embedded_connect(&f.embedded, -1, clock_mono_ms() + 20000,
	                                                &channel, &detail));
	EXPECT(strstr(detail.message, "was killed at its start"));
	EXPECT(strstr(detail.hint, "uniond.log"));
	end(&f);
	begin(&f, "status");
	EXPECT_ERR(UN_ERR_UNREACHABLE, embedded_connect(&f.embedded, -1, clock_mono_ms() + 20000,
	                                                &channel, &detail));
	EXPECT(strstr(detail.message, "with status 3"));
	end(&f);
}

TEST(embedded, finds_without_starting)
{
	struct channel *channel = NULL;
	struct fixture f;

	begin(&f, "serve");
	EXPECT_ERR(UN_ERR_UNREACHABLE,
	           embedded_find(&f.embedded, -1, clock_mono_ms() + 5000, &channel, NULL));
	EXPECT_INT(0, starts(&f));
	end(&f);
}

TEST(embedded, refuses_a_line_that_is_none)
{
	static const char *const bad[] = {"", "ready", "ready \n", "readyx\n", "error\n",
	                                  "error damaged %zz x\n", "warning x y z\n", "\n"};
	struct un_detail detail = {0};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT(embedded_read_line(bad[i], strlen(bad[i]), NULL) != UN_OK);
	EXPECT_OK(embedded_read_line("ready\n", 6, NULL));
	EXPECT_ERR(UN_ERR_DISK_FULL, embedded_read_line("error disk-full % %\n", 20, &detail));
	EXPECT_STR("", detail.message);
}

int
main(int argc, char **argv)
{
	const char *part = getenv("DUMMY_PART");
	ssize_t len;

	if (argc == 6 && part)
		return dummy_main(argv, part);
	len = readlink("/proc/self/exe", self, sizeof self - 1);
	if (len <= 0)
		return 1;
	self[len] = '\0';
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);
}

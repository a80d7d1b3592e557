/* The whole of union-exec against a control plane made for tests: tests/launch/plane.h. */
#include "launch/checks.h"
#include "test.h"

#include "base/clock.h"
#include "base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(attempt, a_task_that_asked_for_a_secret_has_it_and_the_log_does_not)
{
	struct plane plane;

	use_shell(&plane, "cat \"$FLYTE_SECRETS_DEFAULT_DIR/db_password\"; echo; "
	                  "printf 'again hunter22-sword'; sleep 0.1; echo fish >&2; echo '-end'");
	add_secret(&plane, "db_password", "hunter22-swordfish");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strncmp(task_log(&plane), "[secret db_password]\n", 21) == 0);
	EXPECT_NULL(strstr(buf_text(&plane.log), "hunter22-swordfish"));
	plane_fini(&plane);
}

TEST(attempt, values_too_short_to_be_looked_for_are_named_in_the_log)
{
	struct plane plane;

	use_shell(&plane, "echo abc 1234 x1234");
	add_secret(&plane, "pin", "abc");
	add_secret(&plane, "tag", " xyz\n");
	add_secret(&plane, "code", "1234");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strstr(buf_text(&plane.log), "shorter than 4 bytes and not looked for in the "
	                                    "output: pin, tag") != NULL);
	EXPECT(strstr(buf_text(&plane.log), "abc [secret code] x1234") != NULL);
	plane_fini(&plane);
}

TEST(attempt, a_value_in_two_halves_on_two_streams_is_not_in_the_log)
{
	struct plane plane;

	use_shell(&plane, "printf 'hunter22-h'; printf 'swordfish' >&2");
	add_secret(&plane, "db", "hunter22-swordfish");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT_NULL(strstr(buf_text(&plane.log), "hunter22-swordfish"));
	plane_fini(&plane);
	use_shell(&plane, "printf 'twice'; printf 'twice' >&2");
	add_secret(&plane, "db", "twicetwice");
	plane_run(&plane, UNION_EXEC);
	expect_log(&plane, "[secret db]");
	plane_fini(&plane);
}

TEST(attempt, every_way_to_mount_a_secret)
{
	struct plane plane;

	use_shell(&plane,
	          "cd \"$FLYTE_SECRETS_DEFAULT_DIR\"; for f in Any any file grp/deep deep; do "
	          "[ \"$(wc -c <$f)\" -gt 9 ] || echo missing $f; done; "
	          "[ \"$AS_ENV\" = env-value-1 ] || echo no AS_ENV; "
	          "[ \"$_UNION_ENV\" = env-value-1 ] || echo no _UNION_ENV; "
	          "[ \"$(cat $FILE_PATH)\" = file-value-1 ] || echo no FILE_PATH; "
	          "env | grep -q any-value-1 && echo any is in the environment; "
	          "echo x 2>/dev/null >new && echo writable; echo done");
	add_secret(&plane, "Any", "any-value-1");
	add_secret(&plane, "env", "env-value-1");
	plane.secrets[1].mount = 1;
	plane.secrets[1].env_var = "AS_ENV";
	add_secret(&plane, "file", "file-value-1");
	plane.secrets[2].mount = 2;
	plane.secrets[2].env_var = "FILE_PATH";
	add_secret(&plane, "deep", "deep-value-1");
	plane.secrets[3].group = "grp";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, is_sandboxed(&plane) ? "done\n" : "writable\ndone\n");
	plane_fini(&plane);
}

TEST(attempt, the_environment_is_clean_and_has_the_facts)
{
	struct plane plane;

	use_shell(&plane,
	          "env | sort | sed 's#=.*/#=#' | grep -v -e ^PWD -e ^_= -e ^SHLVL -e ^OLDPWD "
	          "-e ^USER -e ^LOGNAME -e ^SHELL -e ^TERM -e ^HOSTNAME -e ^LANG -e ^LC_ -e ^TZ "
	          "-e ^SSL -e ^HOME -e ^PATH; ls /proc/self/fd | wc -l; cat; umask");
	plane.envs[0][0] = "FROM_RUN";
	plane.envs[0][1] = "yes";
	plane.envs[1][0] = "FLYTE_ATTEMPT_NUMBER";
	plane.envs[1][1] = "99";
	plane.env_count = 2;
	plane.sdk = "/some/sdk";
	EXPECT_INT(0, setenv("LEAKED_BY_ENGINE", "1", 1));
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "FLYTE_ATTEMPT_NUMBER=2\nFLYTE_INTERNAL_EXECUTION_DOMAIN=d\n"
	                   "FLYTE_INTERNAL_EXECUTION_ID=e1\nFLYTE_INTERNAL_EXECUTION_PROJECT=p\n"
	                   "FLYTE_INTERNAL_TASK_DOMAIN=\nFLYTE_INTERNAL_TASK_NAME=t1\n"
	                   "FLYTE_INTERNAL_TASK_PROJECT=\nFLYTE_INTERNAL_TASK_VERSION=v1\n"
	                   "FLYTE_SECRETS_DEFAULT_DIR=secrets\nFLYTE_SECRETS_ENV_PREFIX=_UNION_\n"
	                   "FLYTE_SECRETS_FILE_PREFIX=\nFROM_RUN=yes\nPYTHONDONTWRITEBYTECODE=1\n"
	                   "PYTHONPATH=sdk\nPYTHONUNBUFFERED=1\nTMPDIR=tmp\n4\n0022\n");
	plane_fini(&plane);
}

TEST(attempt, the_task_sees_no_process_but_its_own)
{
	struct plane plane;

	use_shell(&plane, "ls /proc | grep -c '^[0-9]*$'; "
	                  "cat /proc/1/comm 2>/dev/null || echo union-init; "
	                  "{ tr '\\0' '\\n' </proc/1/environ | grep -c . ; } 2>/dev/null; "
	                  "kill -0 $PPID 2>/dev/null && echo parent is visible; "
	                  "grep -E '^(NoNewPrivs|Seccomp)' /proc/self/status | head -1; ulimit -c; "
	                  "grep -o 'core file size  *1  *1 ' /proc/self/limits | tr -d ' '");
	add_secret(&plane, "s", "value-of-secret");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(!is_sandboxed(&plane) || strstr(buf_text(&plane.log), "union-init\n") != NULL);
	EXPECT(strstr(buf_text(&plane.log), "NoNewPrivs:\t1\n0\ncorefilesize11\n") != NULL);
	EXPECT_NULL(strstr(task_log(&plane), "union-exec"));
	plane_fini(&plane);
}

TEST(attempt, the_task_sees_nothing_of_the_control_planes_folder_but_its_own)
{
	struct plane plane;

	use_shell(&plane,
	          "find \"$PLANE\" -maxdepth 2 | "
	          "grep -vx \"$PLANE\\(/work\\(/a-[0-9a-f]*\\(.private\\)\\?\\)\\?\\)\\?\"; "
	          "[ \"$PWD\" -ef \"$TMPDIR/../bundle\" ] && echo same; ls -A ../.. | grep -vF "
	          ".private; "
	          "ls -A ../../..; touch \"$PLANE/new\" 2>/dev/null && echo writable; "
	          "touch new \"$TMPDIR/new\" && echo done");
	plane.hidden = plane.folder;
	plane.envs[0][0] = "PLANE";
	plane.envs[0][1] = plane.folder;
	plane.env_count = 1;
	plane.drop_calls = 2; /* it finds its way to the socket again */
	add_secret(&plane, "s", "value-of-secret");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strncmp(buf_text(&plane.log), "same\na-", 7) == 0);
	EXPECT(strcmp(strchr(buf_text(&plane.log) + 7, '\n'), "\nwork\ndone\n") == 0);
	plane_fini(&plane);
}

/* The home of a service's user is its data folder, which is hidden already, or lies around it. */
TEST(attempt, what_is_concealed_may_be_the_hidden_folder_or_around_it)
{
	static const char *const ends[] = {"", "/work"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char hidden[PATH_MAX];
		struct plane plane;

		use_shell(&plane, "cat \"$FLYTE_SECRETS_DEFAULT_DIR/s\" | tr a-z A-Z; pwd; "
		                  "echo \"$FLYTE_SECRETS_DEFAULT_DIR\"");
		(void)snprintf(hidden, sizeof hidden, "%s%s", plane.folder, ends[i]);
		plane.hidden = hidden;
		plane.options[0] = "--conceal";
		plane.options[1] = plane.folder;
		add_secret(&plane, "s", "value-of-secret");
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		EXPECT(strstr(buf_text(&plane.log), "VALUE-OF-SECRET") != NULL);
		EXPECT_NULL(strstr(buf_text(&plane.log), "tmpfs (")); /* no fallback */
		plane_fini(&plane);
	}
}

/* An engine starts a launcher as soon as it expects an attempt. */
TEST(attempt, a_launcher_may_wait_for_its_ticket)
{
	struct plane plane;

	use_shell(&plane, "cat \"$FLYTE_SECRETS_DEFAULT_DIR/s\" | tr a-z A-Z");
	plane.hidden = plane.folder;
	add_secret(&plane, "s", "value-of-secret");
	plane_start_ahead(&plane, UNION_EXEC);
	EXPECT_INT(0, plane.claims);
	plane_give_ticket(&plane);
	plane_serve(&plane);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strstr(buf_text(&plane.log), "VALUE-OF-SECRET") != NULL);
	plane_fini(&plane);
}

TEST(attempt, a_launcher_without_an_attempt_ends_and_leaves_nothing)
{
	struct plane plane;

	use_shell(&plane, "true");
	plane.hidden = plane.folder;
	plane_start_ahead(&plane, UNION_EXEC);
	io_close(&plane.ticket_fd);
	plane_serve(&plane);
	EXPECT_INT(0, plane.exit_status);
	EXPECT_INT(0, plane.claims);
	EXPECT(!plane.finished);
	plane_fini(&plane); /* which finds the folder of attempts empty */
}

TEST(attempt, exit_statuses_and_signals_are_told_plainly)
{
	struct plane plane;

	use_shell(&plane, "exit 7");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, RETRYABLE, 7);
	expect_error(&plane, "task-failed", "exit status 7");
	plane_fini(&plane);
	use_shell(&plane, "kill -SEGV $$");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, RETRYABLE, 128 + 11);
	expect_error(&plane, "task-failed", "SIGSEGV");
	plane_fini(&plane);
	use_shell(&plane, "");
	plane.words[0] = "/no/such/program-anywhere";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "not-found", "program-anywhere");
	plane_fini(&plane);
}

TEST(attempt, an_interpreter_of_another_machine_is_found_by_its_name)
{
	struct plane plane;

	use_shell(&plane, "echo found");
	plane.words[0] = "/opt/elsewhere/bin/sh";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "found\n");
	plane_fini(&plane);
}

TEST(attempt, placeholders_of_the_command_are_filled_in)
{
	struct plane plane;

	use_shell(&plane,
	          "[ -s \"$1\" ] || echo inputs are empty; [ -d \"$2\" ] || echo no folder; "
	          "echo \"$3 $4\"; pwd | grep -o 'bundle$'");
	plane.words[3] = "sh";
	plane.words[4] = "{{.Input}}";
	plane.words[5] = "{{ $outputPrefix }}";
	plane.words[6] = "<{{.prevCheckpointPrefix}}>";
	plane.words[7] = "{{.unknown}}";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "inputs are empty\n<\"\"> {{.unknown}}\nbundle\n");
	plane_fini(&plane);
}

TEST(attempt, everything_the_task_leaves_behind_is_killed)
{
	struct plane plane;

	for (int plain = 0; plain < 2; plain++) {
		use_shell(&plane, "setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & sleep 1000 & "
		                  "echo started");
		plane.plain = plain;
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		EXPECT(plane.run_ms < 10000);
		plane_fini(&plane);
	}
}

/* A process outside the sandbox that takes a descriptor over a socket and writes to it now and
 * then, until nobody reads: what a task can arrange with a friend. */
static pid_t
start_friend(const char *path)
{
	static const char script[] = "import os, socket, time\n"
				     "peer = socket.socket(fileno=0).accept()[0]\n"
				     "fd = socket.recv_fds(peer, 1, 1)[1][0]\n"
				     "while os.write(fd, b'x'): time.sleep(0.2)\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	EXPECT_INT(0, bind(fd, (struct sockaddr *)&address, sizeof address));
	EXPECT_INT(0, listen(fd, 1));
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(fd, 0);
		(void)dup2(null, 2);
		(void)execl("/usr/bin/python3", "python3", "-c", script, (char *)NULL);
		_exit(127);
	}
	(void)close(fd);
	return pid;
}

TEST(attempt, a_friend_outside_who_has_its_output_does_not_keep_it_open)
{
	struct plane plane;
	char folder[96], path[128];
	pid_t friend;

	use_shell(&plane, "exec python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX); "
	                  "s.connect(os.environ[\"FRIEND\"]); socket.send_fds(s, [b\"x\"], [1])'");
	(void)snprintf(folder, sizeof folder, "%s/both", plane.folder);
	(void)snprintf(path, sizeof path, "%s/friend", folder);
	EXPECT_INT(0, mkdir(folder, 0700));
	plane.options[0] = "--writable";
	plane.options[1] = folder;
	plane.envs[0][0] = "FRIEND";
	plane.envs[0][1] = path;
	plane.env_count = 1;
	friend = start_friend(path);
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(plane.run_ms < 30000);
	EXPECT_INT(friend, waitpid(friend, NULL, 0));
	(void)unlink(path);
	(void)rmdir(folder);
	plane_fini(&plane);
}

TEST(attempt, runs_into_its_timeout_and_is_killed_when_it_does_not_listen)
{
	struct plane plane;

	use_shell(&plane, "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.02; done");
	plane.timeout_ms = 300;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, UNION__V1__FINISH_REQUEST__OUTCOME__TIMED_OUT, 1);
	expect_error(&plane, "task-timed-out", "0.300 seconds");
	EXPECT(strstr(buf_text(&plane.log), "told\n") != NULL);
	plane_fini(&plane);
}

TEST(attempt, a_cancel_ends_the_task)
{
	struct plane plane;

	use_shell(&plane, "echo up; exec sleep 1000");
	plane.lease_ms = 1000;
	plane.cancel = true;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, UNION__V1__FINISH_REQUEST__OUTCOME__CANCELLED, 128 + 15);
	EXPECT(plane.heartbeats > 0);
	plane_fini(&plane);
}

TEST(attempt, a_signal_to_the_launcher_reaches_the_task)
{
	struct plane plane;

	use_shell(&plane, "trap 'echo told; exit 3' TERM; echo up; while :; do sleep 0.02; done");
	plane.signal_at_log = 15;
	plane_run(&plane, UNION_EXEC);
	/* it had begun: only its own retries may begin it again */
	expect_outcome(&plane, RETRYABLE, 3);
	expect_error(&plane, "interrupted", "SIGTERM");
	EXPECT(strstr(buf_text(&plane.log), "told\n") != NULL);
	plane_fini(&plane);
}

TEST(attempt, a_control_plane_that_does_not_answer_ends_the_task_with_the_lease)
{
	struct plane plane;

	use_shell(&plane, "exec sleep 1000");
	plane.lease_ms = 1000;
	plane.silent_after_claim = true;
	plane_run(&plane, UNION_EXEC);
	EXPECT(!plane.finished);
	EXPECT_INT(125, plane.exit_status);
	plane_fini(&plane);
}

TEST(attempt, a_result_is_offered_for_longer_than_the_lease)
{
	struct plane plane;

	use_shell(&plane, "exit 0");
	plane.lease_ms = 1000;
	plane.drop_calls = 8; /* the pauses between them are longer than that */
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(plane.run_ms > 1000);
	plane_fini(&plane);
}

TEST(attempt, broken_connections_lose_and_double_nothing)
{
	struct plane plane;

	use_shell(&plane, "for i in 1 2 3 4 5; do echo line $i; sleep 0.08; done");
	plane.drop_calls = 4;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "line 1\nline 2\nline 3\nline 4\nline 5\n");
	plane_fini(&plane);
}

TEST(attempt, a_refused_claim_runs_nothing)
{
	struct plane plane;

	use_shell(&plane, "echo must not run");
	plane.claim_refused = true;
	plane_run(&plane, UNION_EXEC);
	EXPECT(!plane.finished);
	EXPECT_INT(125, plane.exit_status);
	EXPECT_STR("", task_log(&plane));
	plane_fini(&plane);
}

TEST(attempt, a_key_that_was_delivered_for_another_attempt_does_not_open)
{
	struct plane plane;

	use_shell(&plane, "echo must not run");
	add_secret(&plane, "s", "value-of-secret");
	plane.wrong_attempt = true;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, UNION__V1__FINISH_REQUEST__OUTCOME__SYSTEM_FAILED, 1);
	expect_error(&plane, "not-authentic", "'s' does not open");
	EXPECT_STR("", task_log(&plane));
	plane_fini(&plane);
}

TEST(attempt, a_binary_value_as_variable_fails_before_the_task_starts)
{
	struct plane plane;

	use_shell(&plane, "echo must not run");
	plane.secrets[plane.secret_count++] =
		(struct plane_secret){.name = "bin", .mount = 1, .value = "a\0bcdef", .len = 8};
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "not-for-environment", "bin");
	EXPECT_STR("", task_log(&plane));
	plane_fini(&plane);
}

TEST(attempt, without_namespaces_it_says_so_and_leaves_nothing)
{
	struct plane plane;

	use_shell(&plane,
	          "cat \"$FLYTE_SECRETS_DEFAULT_DIR/s\"; echo; ls -ld $FLYTE_SECRETS_DEFAULT_DIR | "
	          "cut -c1-10; echo at $FLYTE_SECRETS_DEFAULT_DIR");
	add_secret(&plane, "s", "value-of-secret");
	plane.plain = true;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strstr(buf_text(&plane.log), "refused part of the sandbox") != NULL);
	EXPECT(strstr(buf_text(&plane.log), "[secret s]\ndrwx------\nat /") != NULL);
	{
		char *path = strstr(buf_text(&plane.log), "at /") + 3;

		path[strcspn(path, "\n")] = '\0';
		EXPECT(access(path, F_OK) != 0);
	}
	plane_fini(&plane);
}

/* Whether any process has `word` in its command line. */
static bool
is_running(const char *word)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	EXPECT(proc != NULL);
	while (!found && (entry = readdir(proc)) != NULL) {
		char path[300], line[4096];
		ssize_t len = -1;
		int fd;

		(void)snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			len = read(fd, line, sizeof line);
			(void)close(fd);
		}
		found = len > 0 && memmem(line, (size_t)len, word, strlen(word)) != NULL;
	}
	(void)closedir(proc);
	return found;
}

/* Death is asynchronous; a deadline, not a pause, decides. */
static bool
is_gone(const char *word)
{
	int64_t deadline_ms = clock_mono_ms() + 10000;

	while (is_running(word))
		if (clock_mono_ms() > deadline_ms)
			return false;
	return true;
}

TEST(attempt, what_a_killed_launcher_leaves_dies_and_the_next_one_cleans_up)
{
	for (int plain = 0; plain < 2; plain++) {
		struct plane plane;
		char word[64], script[256];

		(void)snprintf(word, sizeof word, "98765.%d%d", (int)getpid(), plain);
		(void)snprintf(script, sizeof script, "echo up; exec sleep %s", word);
		use_shell(&plane, script);
		add_secret(&plane, "s", "value-of-secret");
		plane.plain = plain;
		plane_start(&plane, UNION_EXEC);
		EXPECT(plane_serve_until_log(&plane, "up\n"));
		EXPECT(is_running(word));
		EXPECT_INT(0, kill(plane.launcher, SIGKILL));
		plane_serve(&plane);
		EXPECT_INT(128 + SIGKILL, plane.exit_status);
		EXPECT(is_gone(word));
		plane.words[2] = "ls \"$FLYTE_SECRETS_DEFAULT_DIR/../..\" | grep -c '^a-'; true";
		buf_clear(&plane.log);
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		EXPECT(!plain || strstr(buf_text(&plane.log), "\n1\n") != NULL);
		plane_fini(&plane);
	}
}

/* Every readable byte of the memory of `pid`. */
__attribute__((unused)) static bool
memory_has(pid_t pid, const char *value)
{
	static uint8_t piece[1 << 20];
	size_t len = strlen(value);
	char path[64], line[512];
	bool found = false;
	FILE *maps;
	int mem;

	(void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	EXPECT(mem >= 0 && maps != NULL);
	while (!found && fgets(line, sizeof line, maps)) {
		unsigned long from = 0, to = 0;

		EXPECT_INT(2, sscanf(line, "%lx-%lx", &from, &to));
		for (; from < to && !found; from += sizeof piece - len) {
			ssize_t got = pread(mem, piece, sizeof piece, (off_t)from);

			if (got <= 0)
				break;
			found = memmem(piece, (size_t)got, value, len) != NULL;
		}
	}
	(void)fclose(maps);
	(void)close(mem);
	return found;
}

static size_t
count_files(const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		char path[600];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		count += strcmp(entry->d_name, name) == 0;
		count += count_files(path, name);
	}
	if (dir)
		(void)closedir(dir);
	return count;
}

TEST(attempt, nobody_outside_finds_the_value_while_the_task_runs)
{
	static const char value[] = "canary-5b1f-of-the-launcher";
	struct plane plane;
	struct secbuf *probe;
	char path[64], text[8192];
	ssize_t len;
	int fd;

	use_shell(&plane, "cat $FLYTE_SECRETS_DEFAULT_DIR/s; echo; echo up; exec sleep 1000");
	add_secret(&plane, "s", value);
	add_secret(&plane, "e", value);
	plane.secrets[1].mount = 1;
	plane_start(&plane, UNION_EXEC);
	EXPECT(plane_serve_until_log(&plane, "up\n"));
	(void)snprintf(path, sizeof path, "/proc/%d/environ", (int)plane.launcher);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0 || geteuid() != 0); /* undumpable: its own user may not read it either */
	len = fd >= 0 ? read(fd, text, sizeof text) : 0;
	EXPECT(len >= 0 && !memmem(text, (size_t)len, value, strlen(value)));
	if (fd >= 0)
		(void)close(fd);
	EXPECT_INT(0, count_files(plane.workdir, "s")); /* it is in another mount namespace */
	EXPECT_OK(secbuf_new(1, &probe));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they map terabytes */
	if (geteuid() == 0 && secbuf_protection() == SECBUF_SECRET_MEMORY) {
		EXPECT(memory_has(plane.launcher,
		                  "AttemptService/Heartbeat")); /* the search works */
		EXPECT(!memory_has(plane.launcher, value));
	}
#endif
	secbuf_free(probe);
	EXPECT_INT(0, kill(plane.launcher, SIGTERM));
	plane_serve(&plane);
	EXPECT(plane.finished);
	plane_fini(&plane);
}

TEST(attempt, a_signal_that_comes_with_a_cancel_is_a_cancel)
{
	struct plane plane;

	use_shell(&plane, "trap 'sleep 0.3; exit 3' TERM; echo up; while :; do sleep 0.02; done");
	plane.signal_at_log = SIGTERM;
	plane.cancel = true;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, UNION__V1__FINISH_REQUEST__OUTCOME__CANCELLED, 3);
	plane_fini(&plane);
}

TEST(attempt, attempts_share_a_working_folder_and_nothing_in_it)
{
	struct plane one, other;

	use_shell(&one,
	          "echo mine >x; echo up; trap 'cat x; exit 0' TERM; while :; do sleep 0.02; done");
	plane_start(&one, UNION_EXEC);
	EXPECT(plane_serve_until_log(&one, "up\n"));
	use_shell(&other, "ls; echo other >x; cat x");
	memcpy(other.workdir, one.workdir, sizeof one.workdir);
	plane_run(&other, UNION_EXEC);
	expect_outcome(&other, SUCCEEDED, 0);
	expect_log(&other, "other\n");
	plane_fini(&other);
	EXPECT_INT(0, kill(one.launcher, SIGTERM));
	plane_serve(&one);
	EXPECT(strstr(buf_text(&one.log), "mine\n") != NULL);
	plane_fini(&one);
}

/* Starts tests/launch/tls_proxy.py for the plane. Closing *ret_fd ends it. */
static pid_t
start_proxy(struct plane *plane, char *endpoint, size_t size, int *ret_fd)
{
	char port[16] = "";
	int in[2], out[2];
	ssize_t len;
	pid_t pid;

	EXPECT_INT(0, pipe2(in, O_CLOEXEC));
	EXPECT_INT(0, pipe2(out, O_CLOEXEC));
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)execl(TLS_PROXY, TLS_PROXY, plane->folder, plane->socket, NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	for (size_t at = 0; at < sizeof port - 1 && !strchr(port, '\n'); at++) {
		len = read(out[0], port + at, 1);
		EXPECT_INT(1, len);
	}
	(void)close(out[0]);
	port[strcspn(port, "\n")] = '\0';
	(void)snprintf(endpoint, size, "https://127.0.0.1:%s", port);
	*ret_fd = in[1];
	return pid;
}

TEST(attempt, over_tls_and_only_with_the_right_certificate)
{
	char endpoint[64], ca_file[96];
	struct plane plane;
	int fd;
	pid_t proxy;

	use_shell(&plane, "cat $FLYTE_SECRETS_DEFAULT_DIR/s");
	add_secret(&plane, "s", "value-of-secret");
	proxy = start_proxy(&plane, endpoint, sizeof endpoint, &fd);
	plane.endpoint = endpoint;
	plane_run(&plane, UNION_EXEC "-tls"); /* the system's authorities know nothing of it */
	EXPECT_INT(0, plane.claims);
	EXPECT_INT(125, plane.exit_status);
	(void)snprintf(ca_file, sizeof ca_file, "%s/cert.pem", plane.folder);
	plane.ca_file = ca_file;
	plane_run(&plane, UNION_EXEC "-tls");
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "[secret s]");
	plane_run(&plane, UNION_EXEC); /* which has no TLS, and says so */
	EXPECT_INT(125, plane.exit_status);
	EXPECT_INT(1, plane.claims);
	(void)close(fd);
	EXPECT_INT(proxy, waitpid(proxy, NULL, 0));
	EXPECT_INT(0, unlink(ca_file));
	plane_fini(&plane);
}

TEST(attempt, a_flood_of_output_is_cut_with_a_note_and_holds_nobody_up)
{
	struct plane plane;

	use_shell(&plane, "yes 0123456789 | head -c 20000000");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(plane.log.len < 17u << 20);
	EXPECT(strstr(buf_text(&plane.log), "over its limit") != NULL);
	plane_fini(&plane);
}

TEST(attempt, a_result_with_a_value_never_leaves)
{
	struct plane plane;

	/* A LiteralMap {"o0": "value-of-secret"}, as Python would write it. */
	use_shell(&plane,
	          "printf '\\n\\033\\n\\002o0\\022\\025\\n\\023\\n\\021\\032\\017' >$1/outputs.pb; "
	          "cat $FLYTE_SECRETS_DEFAULT_DIR/s >>$1/outputs.pb");
	plane.words[3] = "sh";
	plane.words[4] = "{{.outputPrefix}}";
	add_secret(&plane, "s", "value-of-secret");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "result-has-secret", "output 'o0' contains the value of secret 's'");
	EXPECT_NULL(strstr(plane.finish->error->message, "value-of-secret"));
	EXPECT_NULL(plane.finish->outputs);
	plane_fini(&plane);
}

TEST_MAIN()

/* launch_bench.c - what it costs to run a command through union-exec, over running it bare.
 *
 * usage: bench-launch UNION_EXEC [RUNS]
 *
 * Runs /bin/true bare and as a task with five secrets (two as variables, three as files), in turn.
 * The whole of the launcher counts: claim, keys, sandbox, task, log, result, and removing
 * everything, with a control plane on a Unix socket in this process that seals the secrets anew
 * each time. Prints ROW lines for bench/run, and what redaction costs. */
#include "base/clock.h"
#include "launch/plane.h"
#include "redact/redact.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUBBLEWRAP "/usr/bin/bwrap"
#define RUNS_MAX 2000
#define PROGRAMS_MAX 8
#define STREAM_LEN (64u << 20)
#define CHUNK 65536
#define TASK_UID "2000000000"

extern char **environ;

/* What one way of running the command cost, run by run. */
struct series {
	double wall_ms[RUNS_MAX];
	double cpu_ms[RUNS_MAX];  /* of its processes, in user and kernel */
	double over_ms[RUNS_MAX]; /* the command bare, just before */
};

static struct series bare, tasks[PROGRAMS_MAX], tasks_ahead, sandboxed;

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
children_ms(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_CHILDREN, &used) != 0)
		abort();
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static double
run_command(char *const args[])
{
	int64_t start_us = clock_mono_us();
	pid_t pid;
	int status;

	if (posix_spawn(&pid, args[0], NULL, NULL, args, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		abort();
	return (double)(clock_mono_us() - start_us) / 1000;
}

static double
run_bare(const char *unused)
{
	char *args[] = {"/bin/true", NULL};

	(void)unused;
	return run_command(args);
}

/* Bubblewrap with the namespaces and the mounts that a task has. It has no secrets to fetch, writes
 * no files, and leaves no log, no result and no folders behind: all it does is the sandbox. */
static double
run_sandboxed(const char *program)
{
	char *args[] = {(char *)(uintptr_t)program,
	                "--unshare-user",
	                "--unshare-pid",
	                "--unshare-ipc",
	                "--unshare-uts",
	                "--unshare-cgroup-try",
	                "--die-with-parent",
	                "--new-session",
	                "--ro-bind",
	                "/",
	                "/",
	                "--dev",
	                "/dev",
	                "--tmpfs",
	                "/dev/shm",
	                "--tmpfs",
	                "/run",
	                "--tmpfs",
	                "/tmp",
	                "--tmpfs",
	                "/var/tmp",
	                "--tmpfs",
	                "/mnt",
	                "--tmpfs",
	                "/media",
	                "--tmpfs",
	                "/srv",
	                "--proc",
	                "/proc",
	                "/bin/true",
	                NULL};

	return run_command(args);
}

/* Until it waits for its ticket, in its sandbox: it has slept for a while. */
static void
wait_until_idle(pid_t pid)
{
	char path[64], text[256];
	int idle = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	while (idle < 20) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
		const char *state;

		if (len <= 0)
			abort();
		(void)close(fd);
		text[len] = '\0';
		state = strrchr(text, ')');
		idle = state && strncmp(state, ") S", 3) == 0 ? idle + 1 : 0;
		(void)usleep(200);
	}
}

static double
run(const char *program, bool ahead)
{
	static const char *const names[] = {"db_password", "api_key", "tls_key", "ssh_key",
	                                    "token"};
	struct plane plane;
	size_t options = 0;
	double ms;

	plane_init(&plane);
	plane.hidden = plane.folder;
	plane.words[0] = "/bin/true";
	plane.options[options++] = "--processes";
	plane.options[options++] = "4096";
	if (geteuid() == 0) {
		plane.options[options++] = "--uid";
		plane.options[options++] = TASK_UID;
	}
	for (size_t i = 0; i < 5; i++)
		plane.secrets[plane.secret_count++] =
			(struct plane_secret){.name = names[i],
		                              .mount = i < 2 ? 1 : 2,
		                              .value = "0123456789abcdefghijklmnopqrstuvwxyz",
		                              .len = 32 + i};
	if (ahead) {
		plane_start_ahead(&plane, program);
		wait_until_idle(plane.launcher);
		plane_give_ticket(&plane);
	} else {
		plane_start(&plane, program);
	}
	plane_serve(&plane);
	if (plane.exit_status != 0 || !plane.finished)
		abort();
	ms = plane.run_ms;
	plane_fini(&plane);
	return ms;
}

static double
run_task(const char *program)
{
	return run(program, false);
}

static double
run_task_ahead(const char *program)
{
	return run(program, true);
}

static void
measure(struct series *series, long run, double (*one)(const char *program), const char *program)
{
	double before_ms = children_ms();

	series->wall_ms[run] = one(program);
	series->cpu_ms[run] = children_ms() - before_ms;
	series->over_ms[run] = series->wall_ms[run] - bare.wall_ms[run];
}

static void
sort_all(struct series *series, size_t runs)
{
	qsort(series->wall_ms, runs, sizeof *series->wall_ms, compare);
	qsort(series->cpu_ms, runs, sizeof *series->cpu_ms, compare);
	qsort(series->over_ms, runs, sizeof *series->over_ms, compare);
}

static void
print_series(const char *what, const char *wanted, struct series *series, size_t runs)
{
	sort_all(series, runs);
	(void)printf("ROW %s | %s | %.2f ms (best %.2f ms, p95 %.2f ms; whole %.2f ms, "
	             "%.2f ms of a core)\n",
	             what, wanted, series->over_ms[runs / 2], series->over_ms[0],
	             series->over_ms[runs * 95 / 100], series->wall_ms[runs / 2],
	             series->cpu_ms[runs / 2]);
}

static enum un_err
count_bytes(void *ctx, const uint8_t *bytes, size_t len)
{
	*(size_t *)ctx += len;
	return UN_OK;
}

/* A log as services write it, without a value in it. */
static double
redact_gb_per_s(size_t values)
{
	static const char line[] =
		"[2026-11-23T13:07:00.123+0000] {taskinstance.py:1157} INFO - step "
		"finished in 0.0312 s with 17 rows from partition 4\n";
	uint8_t *log = malloc(STREAM_LEN), secret[32];
	struct redact_stream *stream;
	struct redact_set *set;
	size_t seen = 0;
	int64_t start_us;

	if (!log || redact_set_new(&set))
		abort();
	for (size_t at = 0; at < STREAM_LEN; at++)
		log[at] = (uint8_t)line[at % (sizeof line - 1)];
	for (size_t i = 0; i < values; i++) {
		struct secbuf *value;
		bool too_short;

		for (size_t k = 0; k < sizeof secret; k++)
			secret[k] = (uint8_t)("abcdefghijklmnopqrstuvwxyz0123456789-_"
			                              [(i * 31 + k * 7 + k * k * i) % 38]);
		if (secbuf_copy(secret, sizeof secret, &value) ||
		    redact_set_add(set, "name", value, &too_short))
			abort();
		secbuf_free(value);
	}
	if (redact_set_compile(set) || redact_stream_new(set, count_bytes, &seen, &stream))
		abort();
	start_us = clock_mono_us();
	for (size_t at = 0; at < STREAM_LEN; at += CHUNK)
		if (redact_push(stream, log + at, CHUNK))
			abort();
	start_us = clock_mono_us() - start_us;
	redact_stream_free(stream);
	redact_set_free(set);
	free(log);
	return (double)STREAM_LEN / 1e3 / (double)start_us;
}

static void
run_all(char *const *programs, size_t count, long runs, const char *other)
{
	for (size_t i = 0; i < count; i++)
		(void)run_task(programs[i]); /* the first one warms the caches */
	for (long run = 0; run < runs; run++) {
		measure(&bare, run, run_bare, NULL);
		for (size_t i = 0; i < count; i++)
			measure(&tasks[i], run, run_task, programs[i]);
		measure(&tasks_ahead, run, run_task_ahead, programs[0]);
		if (other)
			measure(&sandboxed, run, run_sandboxed, other);
	}
}

int
main(int argc, char **argv)
{
	const char *other = access(BUBBLEWRAP, X_OK) == 0 ? BUBBLEWRAP : NULL;
	long runs = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	size_t count = argc > 2 ? (size_t)argc - 2 : 0;

	if (runs < 1 || runs > RUNS_MAX || count > PROGRAMS_MAX) {
		(void)fprintf(stderr, "usage: bench-launch RUNS UNION_EXEC...\n");
		return 2;
	}
	run_all(argv + 2, count, runs, other);
	print_series("a task with five secrets, over the same command bare", "< 2 ms", &tasks_ahead,
	             (size_t)runs);
	for (size_t i = 0; i < count; i++)
		print_series(i ? "the same by another build"
		               : "the same where its launcher was not started ahead",
		             "-", &tasks[i], (size_t)runs);
	if (other)
		print_series(
			"bubblewrap with the like namespaces and mounts and no secrets, over it",
			"more than ours", &sandboxed, (size_t)runs);
	sort_all(&bare, (size_t)runs);
	(void)printf("ROW the command bare | - | %.2f ms (best %.2f ms; %.2f ms of a core)\n",
	             bare.wall_ms[runs / 2], bare.wall_ms[0], bare.cpu_ms[runs / 2]);
	(void)printf("ROW redaction of an ordinary log, 1 / 10 / 100 values | - | %.2f / %.2f / "
	             "%.2f GB/s\n",
	             redact_gb_per_s(1), redact_gb_per_s(10), redact_gb_per_s(100));
	return 0;
}

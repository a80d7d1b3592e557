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

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define RUNS_MAX 2000
#define STREAM_LEN (64u << 20)
#define CHUNK 65536

extern char **environ;

static double bare_ms[RUNS_MAX], task_ms[RUNS_MAX], cost_ms[RUNS_MAX];

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
run_bare(void)
{
	char *args[] = {"/bin/true", NULL};
	int64_t start_us = clock_mono_us();
	pid_t pid;

	if (posix_spawn(&pid, args[0], NULL, NULL, args, environ) != 0 ||
	    waitpid(pid, NULL, 0) != pid)
		abort();
	return (double)(clock_mono_us() - start_us) / 1000;
}

static double
run_task(const char *program)
{
	static const char *const names[] = {"db_password", "api_key", "tls_key", "ssh_key",
	                                    "token"};
	struct plane plane;
	double ms;

	plane_init(&plane);
	plane.hidden = plane.folder;
	plane.words[0] = "/bin/true";
	for (size_t i = 0; i < 5; i++)
		plane.secrets[plane.secret_count++] =
		        (struct plane_secret){.name = names[i],
		                              .mount = i < 2 ? 1 : 2,
		                              .value = "0123456789abcdefghijklmnopqrstuvwxyz",
		                              .len = 32 + i};
	plane_run(&plane, program);
	if (plane.exit_status != 0 || !plane.finished)
		abort();
	ms = plane.run_ms;
	plane_fini(&plane);
	return ms;
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

int
main(int argc, char **argv)
{
	long runs = argc > 2 ? strtol(argv[2], NULL, 10) : 300;

	if (argc < 2 || runs < 1 || runs > RUNS_MAX) {
		(void)fprintf(stderr, "usage: bench-launch UNION_EXEC [RUNS]\n");
		return 2;
	}
	(void)run_task(argv[1]); /* the first one warms the caches */
	for (long i = 0; i < runs; i++) {
		bare_ms[i] = run_bare();
		task_ms[i] = run_task(argv[1]);
		cost_ms[i] = task_ms[i] - bare_ms[i];
	}
	qsort(bare_ms, (size_t)runs, sizeof *bare_ms, compare);
	qsort(task_ms, (size_t)runs, sizeof *task_ms, compare);
	qsort(cost_ms, (size_t)runs, sizeof *cost_ms, compare);
	(void)printf("ROW a task with five secrets, over the same command bare | < 2 ms | %.2f ms "
	             "(bare %.2f ms, p95 of the cost %.2f ms)\n",
	             cost_ms[runs / 2], bare_ms[runs / 2], cost_ms[runs * 95 / 100]);
	(void)printf("ROW redaction of an ordinary log, 1 / 10 / 100 values | - | %.2f / %.2f / "
	             "%.2f GB/s\n",
	             redact_gb_per_s(1), redact_gb_per_s(10), redact_gb_per_s(100));
	return 0;
}

/* spawn.c - times whole processes, in turn, so that ratios hold on a noisy machine.
 *
 * usage: spawn RUNS COMMAND [ARG...] [-- COMMAND [ARG...]]...
 *
 * Runs the commands A B A B ... RUNS times after one uncounted round, with stdin, stdout and stderr
 * on /dev/null. An argument "{}" becomes the number of the run, so that a command can create
 * something new each time; one "{file}=PATH" at the front gives that file as stdin. Prints one line
 * a command: median, p95 and least wall time in microseconds, and the median of the ratio to the
 * first command, pair by pair. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 8
#define ARGS_MAX 64
#define RUNS_MAX 10000

extern char **environ;

struct command {
	char *argv[ARGS_MAX + 1];
	const char *input;
	double us[RUNS_MAX];
	double ratio[RUNS_MAX];
};

static struct command commands[COMMANDS_MAX];

static double
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double
run_once(const struct command *command, size_t run)
{
	posix_spawn_file_actions_t actions;
	char *argv[ARGS_MAX + 1];
	char number[32];
	double start, end;
	int status = 0;
	pid_t pid;

	(void)snprintf(number, sizeof number, "run%zu", run);
	for (size_t i = 0; i <= ARGS_MAX; i++) {
		argv[i] = command->argv[i];
		if (!argv[i])
			break;
		if (strcmp(argv[i], "{}") == 0)
			argv[i] = number;
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, command->input, O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	start = now_us();
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0) {
		fprintf(stderr, "spawn: cannot start %s\n", argv[0]);
		exit(2);
	}
	(void)waitpid(pid, &status, 0);
	end = now_us();
	(void)posix_spawn_file_actions_destroy(&actions);
	if (status != 0) {
		fprintf(stderr, "spawn: %s %s ended with status %d\n", argv[0],
		        argv[1] ? argv[1] : "", status);
		exit(1);
	}
	return end - start;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t
split(int argc, char **argv)
{
	size_t count = 0, args = 0;

	commands[0].input = "/dev/null";
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			if (++count == COMMANDS_MAX)
				exit(2);
			commands[count].input = "/dev/null";
			args = 0;
		} else if (args == 0 && strncmp(argv[i], "{file}=", 7) == 0) {
			commands[count].input = argv[i] + 7;
		} else if (args < ARGS_MAX) {
			commands[count].argv[args++] = argv[i];
		}
	}
	return count + 1;
}

static void
print(struct command *command, size_t runs)
{
	qsort(command->us, runs, sizeof(double), by_size);
	qsort(command->ratio, runs, sizeof(double), by_size);
	printf("%.0f us median, %.0f us p95, %.0f us least, %.2f x the first:",
	       command->us[runs / 2], command->us[runs * 95 / 100], command->us[0],
	       command->ratio[runs / 2]);
	for (char **a = command->argv; *a; a++)
		printf(" %s", *a);
	printf("\n");
}

int
main(int argc, char **argv)
{
	size_t runs = argc > 2 ? (size_t)strtoul(argv[1], NULL, 10) : 0, count;

	if (runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: spawn RUNS COMMAND [ARG...] [-- COMMAND [ARG...]]...\n");
		return 2;
	}
	count = split(argc, argv);
	for (size_t i = 0; i < count; i++)
		(void)run_once(&commands[i], runs);
	for (size_t r = 0; r < runs; r++) {
		for (size_t i = 0; i < count; i++) {
			commands[i].us[r] = run_once(&commands[i], r);
			commands[i].ratio[r] = commands[i].us[r] / commands[0].us[r];
		}
	}
	for (size_t i = 0; i < count; i++)
		print(&commands[i], runs);
	return 0;
}

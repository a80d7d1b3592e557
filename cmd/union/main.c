/* union - keep secrets, and run workflows whose tasks receive them. */
#include "args.h"

#include "crypto/hash.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A program started with a standard descriptor closed would write messages into whatever it opens
 * next. */
static void
open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
			_exit(1);
	}
}

static void
settle_colors(struct cli *cli)
{
	const char *when = cli->option[OPT_COLOR];
	bool may = !when || strcmp(when, "auto") == 0;

	if (when && strcmp(when, "always") == 0) {
		cli->color_out = cli->color_err = true;
	} else if (may && !cli_env("NO_COLOR") && cli_env("TERM") &&
	           strcmp(cli_env("TERM"), "dumb") != 0) {
		cli->color_out = isatty(STDOUT_FILENO);
		cli->color_err = isatty(STDERR_FILENO);
	}
}

/* What begins with that word: usage and summary of each, as their help has them. */
static bool
show_group(const char *group)
{
	size_t len = strlen(group);
	bool any = false;

	for (size_t i = 0; i < command_count; i++) {
		const struct command_spec *spec = &commands[i];
		const char *summary = strstr(spec->help, "\n\n");

		if (strncmp(spec->name, group, len) != 0 || spec->name[len] != ' ' || !summary)
			continue;
		summary += 2;
		(void)printf("%s%s\n  %.*s\n", any ? "" : "usage:\n\n", spec->usage,
		             (int)strcspn(summary, "\n"), summary);
		any = true;
	}
	if (any)
		(void)printf("\nEach has a --help of its own.\n");
	return any;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	bool help = false;
	enum un_err err = crypto_init();

	if (!err)
		err = args_parse(cli, argc, argv, &help);
	settle_colors(cli);
	if (err)
		return cli_fail(cli, err);
	if (cli->option[OPT_VERSION] && !help)
		return command_version(cli);
	if (help && !cli->command && cli->group && show_group(cli->group))
		return cli_finish(cli);
	if (help || !cli->command) {
		(void)fputs(cli->command ? cli->command->help : command_top.help,
		            argc > 1 ? stdout : stderr);
		return argc > 1 ? cli_finish(cli) : 2;
	}
	return cli->command->run(cli);
}

int
main(int argc, char **argv)
{
	static struct cli cli = {.wake_fd = -1};
	int status;

	open_standard_descriptors();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a line is one write */
	status = run(&cli, argc, argv);
	cli_disconnect(&cli);
	secbuf_free(cli.value);
	return status;
}

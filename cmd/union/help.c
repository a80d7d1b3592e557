#include "args.h"

int
command_help(struct cli *cli)
{
	const struct command_spec *spec = &command_top;

	if (cli->arg_count) {
		spec = args_find_command(cli->args[0], cli->arg_count > 1 ? cli->args[1] : NULL);
		if (!spec) {
			un_hint(&cli->detail, "see: union --help");
			return cli_failf(cli, UN_ERR_USAGE, "unknown command '%.100s%s%.100s'",
			                 cli->args[0], cli->arg_count > 1 ? " " : "",
			                 cli->arg_count > 1 ? cli->args[1] : "");
		}
	}
	(void)fputs(spec->help, stdout);
	return cli_finish(cli);
}

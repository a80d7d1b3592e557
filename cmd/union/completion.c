#include "cli.h"

#include <string.h>

int
command_completion(struct cli *cli)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = {
		{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};

	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		if (strcmp(scripts[i].shell, cli->args[0]) == 0) {
			(void)fputs(scripts[i].script, stdout);
			return cli_finish(cli);
		}
	}
	un_hint(&cli->detail, "one of: bash, zsh, fish");
	return cli_failf(cli, UN_ERR_USAGE, "no completion for the shell '%.100s'", cli->args[0]);
}

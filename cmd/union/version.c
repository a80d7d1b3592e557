#include "cli.h"

int
command_version(struct cli *cli)
{
	(void)puts("union " UNION_VERSION);
	return cli_finish(cli);
}

#include "secret_write.h"

int
command_update_secret(struct cli *cli)
{
	return secret_write(cli, false);
}

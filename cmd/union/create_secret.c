#include "secret_write.h"

int
command_create_secret(struct cli *cli)
{
	return secret_write(cli, true);
}

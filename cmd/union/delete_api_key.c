#include "cli.h"
#include "model/name.h"
#include "proto-all.h"

int
command_delete_api_key(struct cli *cli)
{
	Union__V1__DeleteApiKeyRequest request = UNION__V1__DELETE_API_KEY_REQUEST__INIT;
	Union__V1__DeleteApiKeyResponse *reply = NULL;
	enum un_err err = name_check_api_key(cli->args[0], &cli->detail);

	request.name = (char *)(uintptr_t)cli->args[0];
	if (!err)
		err = cli_call(cli, "/union.v1.AccessService/DeleteApiKey", &request,
		               &union__v1__delete_api_key_response__descriptor, &reply);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Deleted API key '%s'; who was logged in with it is not any more\n",
	              cli->args[0]);
	channel_message_free(reply);
	return cli_finish(cli);
}

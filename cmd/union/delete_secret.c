#include "cli.h"
#include "model/scope.h"
#include "proto-all.h"

int
command_delete_secret(struct cli *cli)
{
	Cloudidl__Secret__SecretIdentifier wire_id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	Cloudidl__Secret__DeleteSecretRequest request =
		CLOUDIDL__SECRET__DELETE_SECRET_REQUEST__INIT;
	Cloudidl__Secret__DeleteSecretResponse *reply = NULL;
	char scope[SCOPE_TEXT_MAX];
	struct secret_id id;
	enum un_err err = secret_id_init(&id, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                                 cli->args[0], &cli->detail);

	if (err)
		return cli_fail(cli, err);
	wire_id.name = id.name;
	wire_id.project = id.scope.project;
	wire_id.domain = id.scope.domain;
	request.id = &wire_id;
	err = cli_call(cli, "/cloudidl.secret.SecretService/DeleteSecret", &request,
	               &cloudidl__secret__delete_secret_response__descriptor, &reply);
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	scope_format(&id.scope, scope);
	(void)fprintf(stderr, "Deleted secret '%s' for %s, with all its versions\n", id.name,
	              scope);
	return cli_finish(cli);
}

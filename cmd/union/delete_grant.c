#include "cli.h"
#include "model/scope.h"
#include "proto-all.h"

int
command_delete_grant(struct cli *cli)
{
	Union__V1__DeleteGrantRequest request = UNION__V1__DELETE_GRANT_REQUEST__INIT;
	Union__V1__DeleteGrantResponse *reply = NULL;
	char scope[SCOPE_TEXT_MAX];
	struct scope at;
	enum un_err err = scope_init(&at, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                             &cli->detail);

	if (!err && !cli->option[OPT_ROLE])
		return cli_failf(cli, UN_ERR_USAGE, "the role is missing: --role ROLE");
	if (err)
		return cli_fail(cli, err);
	request.principal = (char *)cli->args[0];
	request.role = (char *)cli->option[OPT_ROLE];
	request.project = at.project;
	request.domain = at.domain;
	err = cli_call(cli, "/union.v1.AccessService/DeleteGrant", &request,
	               &union__v1__delete_grant_response__descriptor, &reply);
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	scope_format(&at, scope);
	(void)fprintf(stderr, "Took %s at %s back from %s\n", request.role, scope,
	              request.principal);
	return cli_finish(cli);
}

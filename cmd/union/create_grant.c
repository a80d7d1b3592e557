#include "cli.h"
#include "model/scope.h"
#include "proto-all.h"

int
command_create_grant(struct cli *cli)
{
	Union__V1__CreateGrantRequest request = UNION__V1__CREATE_GRANT_REQUEST__INIT;
	Union__V1__CreateGrantResponse *reply = NULL;
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
	err = cli_call(cli, "/union.v1.AccessService/CreateGrant", &request,
	               &union__v1__create_grant_response__descriptor, &reply);
	if (!err && !reply->grant)
		err = UN_ERR_PROTOCOL;
	if (!err) {
		scope_format(&at, scope);
		(void)fprintf(stderr, "Granted %s to %s at %s\n", request.role, request.principal,
		              scope);
		if (reply->project_is_new)
			cli_note_new(cli, "project", at.project, reply->nearest_project);
		if (reply->domain_is_new)
			cli_note_new(cli, "domain", at.domain, reply->nearest_domain);
	}
	channel_message_free(reply);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

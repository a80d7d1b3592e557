#include "cli.h"
#include "grant_show.h"
#include "model/scope.h"
#include "proto-all.h"

#include <string.h>

/* A line of what the control plane says, which a terminal must not obey. */
static void
print_line(const char *text)
{
	print_clean(stdout, text, strlen(text));
	(void)fputc('\n', stdout);
}

static void
print_needed(const char *lead, const Union__V1__Grant *grant)
{
	char line[512];

	(void)snprintf(line, sizeof line, "%s: union create grant %s --role %s%s%s%s%s", lead,
	               grant->principal, grant->role, grant->project[0] ? " --project " : "",
	               grant->project, grant->domain[0] ? " --domain " : "", grant->domain);
	print_line(line);
}

static enum un_err
print_text(const Union__V1__ExplainAccessResponse *reply)
{
	char line[256];

	print_line(reply->text);
	if (reply->grant && reply->grant->created_by[0]) {
		(void)snprintf(line, sizeof line, "granted by %s", reply->grant->created_by);
		print_line(line);
	}
	for (size_t i = 0; i < reply->n_needed; i++)
		print_needed(i ? "or" : "this would allow it", reply->needed[i]);
	return UN_OK;
}

static enum un_err
print_json(const Union__V1__ExplainAccessResponse *reply)
{
	struct json_out json;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_text(&json, "principal", reply->principal);
	jout_bool(&json, "allowed", reply->allowed);
	jout_text(&json, "text", reply->text);
	if (reply->grant)
		grant_json(&json, "grant", reply->grant);
	else
		jout_null(&json, "grant");
	jout_open(&json, "needed", '[');
	for (size_t i = 0; i < reply->n_needed; i++)
		grant_json(&json, NULL, reply->needed[i]);
	jout_close(&json, ']');
	jout_close(&json, '}');
	return jout_print(&json);
}

int
command_explain_access(struct cli *cli)
{
	Union__V1__ExplainAccessRequest request = UNION__V1__EXPLAIN_ACCESS_REQUEST__INIT;
	Union__V1__ExplainAccessResponse *reply = NULL;
	struct scope at;
	bool allowed;
	int status;
	enum un_err err = scope_init(&at, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                             &cli->detail);

	if (err)
		return cli_fail(cli, err);
	request.principal = (char *)(strcmp(cli->args[0], "me") == 0 ? "" : cli->args[0]);
	request.action = (char *)cli->args[1];
	request.project = at.project;
	request.domain = at.domain;
	err = cli_call(cli, "/union.v1.AccessService/ExplainAccess", &request,
	               &union__v1__explain_access_response__descriptor, &reply);
	allowed = !err && reply->allowed;
	if (!err)
		err = cli_wants_json(cli) ? print_json(reply) : print_text(reply);
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	status = cli_finish(cli);
	return allowed ? status : 1;
}

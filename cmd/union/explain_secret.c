#include "cli.h"
#include "json_out.h"
#include "model/scope.h"
#include "proto-all.h"
#include "table.h"

#include <string.h>

static const char *
verdict(const Union__V1__ExplainedPlace *place)
{
	if (place->hidden)
		return "not yours to see";
	if (place->wins)
		return "wins";
	if (place->shadowed)
		return "hidden by a narrower one";
	return place->exists ? "exists" : "-";
}

static void
scope_text(const char *project, const char *domain, char text[SCOPE_TEXT_MAX])
{
	struct scope scope;

	if (scope_init(&scope, project, domain, NULL))
		(void)snprintf(text, SCOPE_TEXT_MAX, "?");
	else
		scope_format(&scope, text);
}

static enum un_err
print_table(struct cli *cli, const Union__V1__ExplainSecretResponse *reply)
{
	static const char *const titles[] = {"<PLACE", "VERSION", "RESULT"};
	struct table *table = NULL;
	enum un_err err = table_new(titles, 3, &table);
	char text[SCOPE_TEXT_MAX];

	for (size_t i = 0; !err && i < reply->n_places; i++) {
		const Union__V1__ExplainedPlace *place = reply->places[i];
		char version[16] = "-";

		if (place->exists)
			(void)snprintf(version, sizeof version, "%u", place->version);
		scope_text(place->project, place->domain, text);
		err = table_add(table, (const char *const[]){text, version, verdict(place)});
	}
	if (!err)
		err = table_print(table);
	table_free(table);
	for (size_t i = 0; !err && i < reply->n_elsewhere; i++) {
		scope_text(reply->elsewhere[i]->project, reply->elsewhere[i]->domain, text);
		cli_note(cli, "out of reach: it is also at %s", text);
	}
	return err;
}

static enum un_err
print_json(const char *name, const Union__V1__ExplainSecretResponse *reply)
{
	struct json_out json;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_text(&json, "name", name);
	jout_open(&json, "places", '[');
	for (size_t i = 0; i < reply->n_places; i++) {
		const Union__V1__ExplainedPlace *place = reply->places[i];

		jout_open(&json, NULL, '{');
		jout_text(&json, "project", place->project);
		jout_text(&json, "domain", place->domain);
		jout_bool(&json, "exists", place->exists);
		jout_bool(&json, "wins", place->wins);
		jout_bool(&json, "shadowed", place->shadowed);
		jout_number(&json, "version", place->version);
		jout_bool(&json, "hidden", place->hidden);
		jout_close(&json, '}');
	}
	jout_close(&json, ']');
	jout_open(&json, "elsewhere", '[');
	for (size_t i = 0; i < reply->n_elsewhere; i++) {
		jout_open(&json, NULL, '{');
		jout_text(&json, "project", reply->elsewhere[i]->project);
		jout_text(&json, "domain", reply->elsewhere[i]->domain);
		jout_close(&json, '}');
	}
	jout_close(&json, ']');
	jout_close(&json, '}');
	return jout_print(&json);
}

int
command_explain_secret(struct cli *cli)
{
	Union__V1__ExplainSecretRequest request = UNION__V1__EXPLAIN_SECRET_REQUEST__INIT;
	Union__V1__ExplainSecretResponse *reply = NULL;
	struct secret_id id;
	bool found = false, doubtful = false;
	int status;
	enum un_err err = secret_id_init(&id, cli_project(cli), cli_domain(cli), cli->args[0],
	                                 &cli->detail);

	if (err)
		return cli_fail(cli, err);
	request.name = id.name;
	request.project = id.scope.project;
	request.domain = id.scope.domain;
	err = cli_call(cli, "/union.v1.SecretService/ExplainSecret", &request,
	               &union__v1__explain_secret_response__descriptor, &reply);
	for (size_t i = 0; !err && i < reply->n_places; i++) {
		found = found || reply->places[i]->exists;
		doubtful = doubtful || reply->places[i]->hidden;
	}
	if (!err)
		err = cli_wants_json(cli) ? print_json(id.name, reply) : print_table(cli, reply);
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	status = cli_finish(cli);
	if (!found)
		cli_note(cli, doubtful ? "no place that you may see has '%s'" :
		                         "a task there would not find '%s'",
		         id.name);
	return found ? status : 1;
}

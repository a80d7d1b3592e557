/* union get secret NAME --used-by, and union get secret --unused-since WHEN. */
#include "get_secret.h"

#include "base/clock.h"
#include "json_out.h"
#include "model/scope.h"
#include "proto-all.h"
#include "show.h"
#include "table.h"
#include "when.h"

#include <inttypes.h>
#include <string.h>

#define PAGE_MAX 1000

/* One of both. */
struct output {
	struct table *table;
	struct json_out *json;
	size_t count;
};

/* ---- who used it ---- */

static enum un_err
add_use(struct output *out, const Union__V1__SecretUse *use)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX], version[16], releases[24];
	const char *execution = use->execution[0] ? use->execution : "(not shown)";

	out->count++;
	show_time(use->first_at, out->json != NULL, first);
	show_time(use->last_at, out->json != NULL, last);
	if (out->json) {
		jout_open(out->json, NULL, '{');
		jout_text(out->json, "execution", use->execution);
		jout_text(out->json, "project", use->project);
		jout_text(out->json, "domain", use->domain);
		jout_number(out->json, "version", use->version);
		jout_number(out->json, "releases", (int64_t)use->releases);
		jout_text(out->json, "first_at", first);
		jout_text(out->json, "last_at", last);
		jout_close(out->json, '}');
		return UN_OK;
	}
	(void)snprintf(version, sizeof version, "%u", use->version);
	(void)snprintf(releases, sizeof releases, "%" PRIu64, use->releases);
	return table_add(out->table, (const char *const[]){execution, use->project, use->domain,
	                                                   version, releases, first, last});
}

static enum un_err
list_uses(struct cli *cli, Cloudidl__Secret__SecretIdentifier *id, struct output *out)
{
	Union__V1__ListSecretUsesRequest request = UNION__V1__LIST_SECRET_USES_REQUEST__INIT;
	Union__V1__ListSecretUsesResponse *page = NULL, *before = NULL;
	enum un_err err;

	request.id = id;
	request.limit = PAGE_MAX;
	do {
		err = cli_call(cli, "/union.v1.AuditService/ListSecretUses", &request,
		               &union__v1__list_secret_uses_response__descriptor, &page);
		channel_message_free(before);
		before = NULL;
		for (size_t i = 0; !err && i < page->n_uses; i++)
			err = add_use(out, page->uses[i]);
		if (!err && page->token[0] && strcmp(page->token, request.token) == 0)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "the control plane repeats a page");
		if (!err)
			request.token = page->token;
		before = page;
		page = NULL;
	} while (!err && request.token[0]);
	channel_message_free(before);
	return err;
}

/* ---- what nobody used ---- */

static enum un_err
add_unused(struct output *out, const Union__V1__UnusedSecret *secret)
{
	char created[CLOCK_TEXT_MAX], used[CLOCK_TEXT_MAX], version[16];

	if (!secret->id)
		return UN_ERR_PROTOCOL;
	out->count++;
	show_time(secret->created_at, out->json != NULL, created);
	show_time(secret->last_used_at, out->json != NULL, used);
	if (out->json) {
		jout_open(out->json, NULL, '{');
		jout_text(out->json, "name", secret->id->name);
		jout_text(out->json, "project", secret->id->project);
		jout_text(out->json, "domain", secret->id->domain);
		jout_number(out->json, "version", secret->version);
		jout_text(out->json, "created_at", created);
		jout_text(out->json, "last_used_at", used);
		jout_close(out->json, '}');
		return UN_OK;
	}
	(void)snprintf(version, sizeof version, "%u", secret->version);
	return table_add(out->table,
	                 (const char *const[]){secret->id->name, show_any(secret->id->project),
	                                       show_any(secret->id->domain), version, created,
	                                       used[0] ? used : "never"});
}

static enum un_err
list_unused(struct cli *cli, Google__Protobuf__Timestamp *since, struct output *out)
{
	Union__V1__ListUnusedSecretsRequest request = UNION__V1__LIST_UNUSED_SECRETS_REQUEST__INIT;
	Union__V1__ListUnusedSecretsResponse *page = NULL, *before = NULL;
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];
	enum un_err err;

	request.project = (char *)(project ? project : "");
	request.domain = (char *)(domain ? domain : "");
	request.since = since;
	do {
		err = cli_call(cli, "/union.v1.AuditService/ListUnusedSecrets", &request,
		               &union__v1__list_unused_secrets_response__descriptor, &page);
		channel_message_free(before);
		before = NULL;
		for (size_t i = 0; !err && i < page->n_secrets; i++)
			err = add_unused(out, page->secrets[i]);
		if (!err && page->token[0] && strcmp(page->token, request.token) == 0)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "the control plane repeats a page");
		if (!err)
			request.token = page->token;
		before = page;
		page = NULL;
	} while (!err && request.token[0]);
	channel_message_free(before);
	return err;
}

/* ---- both ---- */

struct question {
	const char *const *titles;
	size_t title_count;
	const char *list;    /* its name in JSON */
	const char *nothing; /* said when there is none */
	Cloudidl__Secret__SecretIdentifier *id; /* who used this one; NULL: which were not used */
	Google__Protobuf__Timestamp *since;
};

static enum un_err
list(struct cli *cli, const struct question *question, struct output *out)
{
	return question->id ? list_uses(cli, question->id, out)
	                    : list_unused(cli, question->since, out);
}

static enum un_err
answer(struct cli *cli, const struct question *question)
{
	struct output out = {.count = 0};
	struct json_out json;
	enum un_err err;

	if (cli_wants_json(cli)) {
		jout_init(&json);
		out.json = &json;
		jout_open(&json, NULL, '{');
		jout_open(&json, question->list, '[');
		err = list(cli, question, &out);
		jout_close(&json, ']');
		jout_close(&json, '}');
		if (!err)
			return jout_print(&json);
		jout_fini(&json);
		return err;
	}
	err = table_new(question->titles, question->title_count, &out.table);
	if (!err)
		err = list(cli, question, &out);
	if (!err && out.count)
		err = table_print(out.table);
	else if (!err)
		(void)fprintf(stderr, "%s\n", question->nothing);
	table_free(out.table);
	return err;
}

enum un_err
get_secret_used_by(struct cli *cli)
{
	static const char *const titles[] = {"<EXECUTION", "<PROJECT", "<DOMAIN", "VERSION",
	                                     "?RELEASES",  "?FIRST",   "LAST"};
	Cloudidl__Secret__SecretIdentifier wire_id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	const struct question question = {titles, sizeof titles / sizeof titles[0], "uses",
	                                  "No execution has received it", &wire_id, NULL};
	struct secret_id id;
	enum un_err err = secret_id_init(&id, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                                 cli->args[0], &cli->detail);

	if (err)
		return err;
	wire_id.name = id.name;
	wire_id.project = id.scope.project;
	wire_id.domain = id.scope.domain;
	return answer(cli, &question);
}

enum un_err
get_secret_unused(struct cli *cli)
{
	static const char *const titles[] = {"<NAME",   "<PROJECT", "<DOMAIN",
	                                     "VERSION", "?CREATED", "LAST USED"};
	Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const struct question question = {titles, sizeof titles / sizeof titles[0], "secrets",
	                                  "Every secret was used since, or is younger", NULL,
	                                  &since};
	enum un_err err = when_past(cli, "--unused-since", cli->option[OPT_UNUSED_SINCE], &since);

	return err ? err : answer(cli, &question);
}

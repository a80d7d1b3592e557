#include "base/text.h"
#include "get_secret.h"
#include "listing.h"
#include "model/scope.h"
#include "proto-all.h"
#include "show.h"

#include <string.h>

#define PAGE_MAX 1000
#define KNOWN_MAX 256

/* Asks for the secrets of a scope; NULL: everywhere. */
static enum un_err
list_pages(struct cli *cli, const char *project, const char *domain, listing_each *each, void *arg)
{
	static const struct listing_method method = {
		"/union.v1.SecretService/ListSecretDescriptions",
		&union__v1__list_secret_descriptions_response__descriptor, "secrets"};
	Union__V1__ListSecretDescriptionsRequest request =
		UNION__V1__LIST_SECRET_DESCRIPTIONS_REQUEST__INIT;

	request.project = (char *)(project ? project : "");
	request.domain = (char *)(domain ? domain : "");
	request.limit = PAGE_MAX;
	return listing_pages(cli, &method, &request.base, each, arg);
}

static void
describe(struct json_out *json, const Union__V1__SecretDescription *secret)
{
	char created[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];

	show_time(secret->created_at, true, created);
	show_time(secret->updated_at, true, updated);
	jout_text(json, "name", secret->id->name);
	jout_text(json, "project", secret->id->project);
	jout_text(json, "domain", secret->id->domain);
	jout_text(json, "type", show_secret_type((int)secret->type));
	jout_number(json, "version", secret->version);
	jout_text(json, "created_at", created);
	jout_text(json, "updated_at", updated);
}

static enum un_err
add_to_listing(void *arg, const void *item)
{
	const Union__V1__SecretDescription *secret = item;
	struct listing *listing = arg;
	char version[16], created[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];

	if (!secret->id)
		return UN_ERR_PROTOCOL;
	listing->count++;
	if (listing->json) {
		jout_open(listing->json, NULL, '{');
		describe(listing->json, secret);
		jout_close(listing->json, '}');
		return UN_OK;
	}
	(void)snprintf(version, sizeof version, "%u", secret->version);
	show_time(secret->created_at, false, created);
	show_time(secret->updated_at, false, updated);
	return table_add(listing->table,
	                 (const char *const[]){secret->id->name, show_any(secret->id->project),
	                                       show_any(secret->id->domain),
	                                       show_secret_type((int)secret->type), version,
	                                       created, updated});
}

/* Distinct projects and domains, to find what a person may have meant. */
struct known {
	char projects[KNOWN_MAX][SCOPE_PART_MAX + 1];
	char domains[KNOWN_MAX][SCOPE_PART_MAX + 1];
	size_t project_count, domain_count;
};

static void
remember(char parts[KNOWN_MAX][SCOPE_PART_MAX + 1], size_t *count, const char *part)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(parts[i], part) == 0)
			return;
	}
	if (part[0] && *count < KNOWN_MAX)
		(void)snprintf(parts[(*count)++], SCOPE_PART_MAX + 1, "%s", part);
}

static enum un_err
collect_known(void *arg, const void *item)
{
	const Union__V1__SecretDescription *secret = item;
	struct known *known = arg;

	if (!secret->id)
		return UN_ERR_PROTOCOL;
	remember(known->projects, &known->project_count, secret->id->project);
	remember(known->domains, &known->domain_count, secret->id->domain);
	return UN_OK;
}

static void
suggest(struct cli *cli, const char *what, const char *given,
        char parts[KNOWN_MAX][SCOPE_PART_MAX + 1], size_t count)
{
	const char *words[KNOWN_MAX], *nearest;

	if (!given || !given[0])
		return;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(parts[i], given) == 0)
			return;
		words[i] = parts[i];
	}
	nearest = text_nearest(given, words, count);
	if (nearest)
		cli_note(cli, "no secret has the %s '%s'; did you mean '%s'?", what, given,
		         nearest);
	else
		cli_note(cli, "no secret has the %s '%s'", what, given);
}

/* A listing of a scope that has nothing: perhaps another was meant. */
static void
advise(struct cli *cli)
{
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];
	static struct known known;

	if (!project && !domain)
		return;
	if (list_pages(cli, NULL, NULL, collect_known, &known))
		return; /* the answer was given; this is extra */
	suggest(cli, "project", project, known.projects, known.project_count);
	suggest(cli, "domain", domain, known.domains, known.domain_count);
}

static enum un_err
fill(struct cli *cli, void *ctx, struct listing *listing)
{
	(void)ctx;
	return list_pages(cli, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN], add_to_listing,
	                  listing);
}

static enum un_err
list_secrets(struct cli *cli)
{
	static const char *const titles[] = {"<NAME",   "<PROJECT", "<DOMAIN", "?TYPE",
	                                     "VERSION", "?CREATED", "?UPDATED"};
	bool scoped = cli->option[OPT_PROJECT] || cli->option[OPT_DOMAIN];
	const struct listing_plan plan = {"secrets",
	                                  titles,
	                                  sizeof titles / sizeof titles[0],
	                                  fill,
	                                  scoped ? "No secrets at this scope" : "No secrets",
	                                  advise,
	                                  NULL};

	return listing_print(cli, &plan);
}

static enum un_err
print_versions(const Union__V1__SecretDescription *secret)
{
	static const char *const titles[] = {"VERSION", "CREATED"};
	struct table *table = NULL;
	enum un_err err = table_new(titles, 2, &table);

	for (size_t i = 0; !err && i < secret->n_versions; i++) {
		char version[16], created[CLOCK_TEXT_MAX];

		(void)snprintf(version, sizeof version, "%u", secret->versions[i]->version);
		show_time(secret->versions[i]->created_at, false, created);
		err = table_add(table, (const char *const[]){version, created});
	}
	if (!err)
		err = table_print(table);
	table_free(table);
	return err;
}

static enum un_err
print_one(const Union__V1__SecretDescription *secret)
{
	char created[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];

	show_time(secret->created_at, false, created);
	show_time(secret->updated_at, false, updated);
	(void)printf("Name:     %s\nProject:  %s\nDomain:   %s\nType:     %s\nVersion:  %u\n"
	             "Created:  %s\nUpdated:  %s\n\n",
	             secret->id->name, show_any(secret->id->project), show_any(secret->id->domain),
	             show_secret_type((int)secret->type), secret->version, created, updated);
	return print_versions(secret);
}

static enum un_err
print_one_json(const Union__V1__SecretDescription *secret)
{
	struct json_out json;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	describe(&json, secret);
	jout_open(&json, "versions", '[');
	for (size_t i = 0; i < secret->n_versions; i++) {
		char created[CLOCK_TEXT_MAX];

		show_time(secret->versions[i]->created_at, true, created);
		jout_open(&json, NULL, '{');
		jout_number(&json, "version", secret->versions[i]->version);
		jout_text(&json, "created_at", created);
		jout_close(&json, '}');
	}
	jout_close(&json, ']');
	jout_close(&json, '}');
	return jout_print(&json);
}

static enum un_err
get_one(struct cli *cli)
{
	Cloudidl__Secret__SecretIdentifier wire_id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	Union__V1__DescribeSecretRequest request = UNION__V1__DESCRIBE_SECRET_REQUEST__INIT;
	Union__V1__SecretDescription *secret = NULL;
	struct secret_id id;
	enum un_err err = secret_id_init(&id, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                                 cli->args[0], &cli->detail);

	if (err)
		return err;
	wire_id.name = id.name;
	wire_id.project = id.scope.project;
	wire_id.domain = id.scope.domain;
	request.id = &wire_id;
	err = cli_call(cli, "/union.v1.SecretService/DescribeSecret", &request,
	               &union__v1__secret_description__descriptor, &secret);
	if (!err && !secret->id)
		err = UN_ERR_PROTOCOL;
	if (!err)
		err = cli_wants_json(cli) ? print_one_json(secret) : print_one(secret);
	channel_message_free(secret);
	return err;
}

int
command_get_secret(struct cli *cli)
{
	struct scope scope;
	enum un_err err =
		scope_init(&scope, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN], &cli->detail);

	if (!err && cli->option[OPT_USED_BY] && !cli->arg_count)
		err = un_fail(&cli->detail, UN_ERR_USAGE, "--used-by needs the NAME of a secret");
	else if (!err && cli->option[OPT_UNUSED_SINCE] && cli->arg_count)
		err = un_fail(&cli->detail, UN_ERR_USAGE,
		              "--unused-since is about all secrets: it takes no NAME");
	else if (!err && cli->option[OPT_USED_BY])
		err = get_secret_used_by(cli);
	else if (!err && cli->option[OPT_UNUSED_SINCE])
		err = get_secret_unused(cli);
	else if (!err && cli->arg_count)
		err = get_one(cli);
	else if (!err)
		err = list_secrets(cli);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

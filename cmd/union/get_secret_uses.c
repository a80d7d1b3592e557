/* union get secret NAME --used-by, and union get secret --unused-since WHEN. */
#include "get_secret.h"

#include "base/clock.h"
#include "listing.h"
#include "model/scope.h"
#include "proto-all.h"
#include "show.h"
#include "when.h"

#include <inttypes.h>

#define PAGE_MAX 1000

/* ---- who used it ---- */

static enum un_err
add_use(void *arg, const void *item)
{
	struct listing *out = arg;
	const Union__V1__SecretUse *use = item;
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
fill_uses(struct cli *cli, void *ctx, struct listing *listing)
{
	static const struct listing_method method = {
		"/union.v1.AuditService/ListSecretUses",
		&union__v1__list_secret_uses_response__descriptor, "uses"};
	Union__V1__ListSecretUsesRequest request = UNION__V1__LIST_SECRET_USES_REQUEST__INIT;

	request.id = ctx;
	request.limit = PAGE_MAX;
	return listing_pages(cli, &method, &request.base, add_use, listing);
}

/* ---- what nobody used ---- */

static enum un_err
add_unused(void *arg, const void *item)
{
	struct listing *out = arg;
	const Union__V1__UnusedSecret *secret = item;
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
fill_unused(struct cli *cli, void *ctx, struct listing *listing)
{
	static const struct listing_method method = {
		"/union.v1.AuditService/ListUnusedSecrets",
		&union__v1__list_unused_secrets_response__descriptor, "secrets"};
	Union__V1__ListUnusedSecretsRequest request = UNION__V1__LIST_UNUSED_SECRETS_REQUEST__INIT;
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];

	request.project = (char *)(project ? project : "");
	request.domain = (char *)(domain ? domain : "");
	request.since = ctx;
	return listing_pages(cli, &method, &request.base, add_unused, listing);
}

enum un_err
get_secret_used_by(struct cli *cli)
{
	static const char *const titles[] = {"<EXECUTION", "<PROJECT", "<DOMAIN", "VERSION",
	                                     "?RELEASES",  "?FIRST",   "LAST"};
	Cloudidl__Secret__SecretIdentifier wire_id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	const struct listing_plan plan = {"uses",
	                                  titles,
	                                  sizeof titles / sizeof titles[0],
	                                  fill_uses,
	                                  "No execution has received it",
	                                  NULL,
	                                  &wire_id};
	struct secret_id id;
	enum un_err err = secret_id_init(&id, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                                 cli->args[0], &cli->detail);

	if (err)
		return err;
	wire_id.name = id.name;
	wire_id.project = id.scope.project;
	wire_id.domain = id.scope.domain;
	return listing_print(cli, &plan);
}

enum un_err
get_secret_unused(struct cli *cli)
{
	static const char *const titles[] = {"<NAME",   "<PROJECT", "<DOMAIN",
	                                     "VERSION", "?CREATED", "LAST USED"};
	Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const struct listing_plan plan = {"secrets",
	                                  titles,
	                                  sizeof titles / sizeof titles[0],
	                                  fill_unused,
	                                  "Every secret was used since, or is younger",
	                                  NULL,
	                                  &since};
	enum un_err err = when_past(cli, "--unused-since", cli->option[OPT_UNUSED_SINCE], &since);

	return err ? err : listing_print(cli, &plan);
}

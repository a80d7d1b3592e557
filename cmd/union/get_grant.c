#include "grant_show.h"
#include "listing.h"
#include "model/scope.h"
#include "show.h"

#define PAGE_MAX 1000

void
grant_json(struct json_out *json, const char *key, const Union__V1__Grant *grant)
{
	char created[CLOCK_TEXT_MAX];

	jout_open(json, key, '{');
	jout_text(json, "principal", grant->principal);
	jout_text(json, "role", grant->role);
	jout_text(json, "project", grant->project);
	jout_text(json, "domain", grant->domain);
	if (grant->created_at) {
		show_time(grant->created_at, true, created);
		jout_text(json, "created_at", created);
		jout_text(json, "created_by", grant->created_by);
	}
	jout_close(json, '}');
}

static enum un_err
add(void *arg, const void *item)
{
	struct listing *listing = arg;
	const Union__V1__Grant *grant = item;
	char created[CLOCK_TEXT_MAX];

	listing->count++;
	if (listing->json) {
		grant_json(listing->json, NULL, grant);
		return UN_OK;
	}
	show_time(grant->created_at, false, created);
	return table_add(listing->table,
	                 (const char *const[]){grant->principal, grant->role,
	                                       show_any(grant->project), show_any(grant->domain),
	                                       created, grant->created_by});
}

static enum un_err
fill(struct cli *cli, void *ctx, struct listing *listing)
{
	static const struct listing_method method = {"/union.v1.AccessService/ListGrants",
	                                             &union__v1__list_grants_response__descriptor,
	                                             "grants"};
	Union__V1__ListGrantsRequest request = UNION__V1__LIST_GRANTS_REQUEST__INIT;
	struct scope *within = ctx;

	request.principal = (char *)(cli->arg_count ? cli->args[0] : "");
	request.project = within->project;
	request.domain = within->domain;
	request.limit = PAGE_MAX;
	return listing_pages(cli, &method, &request.base, add, listing);
}

int
command_get_grant(struct cli *cli)
{
	static const char *const titles[] = {"<PRINCIPAL", "ROLE",     "<PROJECT",
	                                     "<DOMAIN",    "?CREATED", "?BY"};
	struct scope within;
	const struct listing_plan plan = {"grants", titles,      sizeof titles / sizeof titles[0],
	                                  fill,     "No grants", NULL,
	                                  &within};
	enum un_err err = scope_init(&within, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                             &cli->detail);

	if (!err)
		err = listing_print(cli, &plan);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

#include "cli.h"
#include "grant_show.h"
#include "model/scope.h"
#include "show.h"
#include "table.h"

#include <string.h>

#define PAGE_MAX 1000

/* Of a listing: one of both. */
struct listing {
	struct table *table;
	struct json_out *json;
	size_t count;
};

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
add(struct listing *listing, const Union__V1__Grant *grant)
{
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
list_pages(struct cli *cli, const struct scope *within, struct listing *listing)
{
	Union__V1__ListGrantsRequest request = UNION__V1__LIST_GRANTS_REQUEST__INIT;
	Union__V1__ListGrantsResponse *page = NULL, *before = NULL;
	enum un_err err;

	request.principal = (char *)(cli->arg_count ? cli->args[0] : "");
	request.project = (char *)within->project;
	request.domain = (char *)within->domain;
	request.limit = PAGE_MAX;
	do {
		err = cli_call(cli, "/union.v1.AccessService/ListGrants", &request,
		               &union__v1__list_grants_response__descriptor, &page);
		channel_message_free(before);
		before = NULL;
		for (size_t i = 0; !err && i < page->n_grants; i++)
			err = add(listing, page->grants[i]);
		if (!err && page->token[0] && strcmp(page->token, request.token) == 0)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "the control plane repeats a page");
		if (!err)
			request.token = page->token;
		before = page; /* the next request lends its token */
		page = NULL;
	} while (!err && request.token[0]);
	channel_message_free(before);
	return err;
}

static enum un_err
list_json(struct cli *cli, const struct scope *within)
{
	struct json_out json;
	struct listing listing = {.json = &json};
	enum un_err err;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_open(&json, "grants", '[');
	err = list_pages(cli, within, &listing);
	jout_close(&json, ']');
	jout_close(&json, '}');
	if (!err)
		return jout_print(&json);
	jout_fini(&json);
	return err;
}

static enum un_err
list_table(struct cli *cli, const struct scope *within)
{
	static const char *const titles[] = {"<PRINCIPAL", "ROLE",     "<PROJECT",
	                                     "<DOMAIN",    "?CREATED", "?BY"};
	struct listing listing = {0};
	enum un_err err = table_new(titles, sizeof titles / sizeof titles[0], &listing.table);

	if (!err)
		err = list_pages(cli, within, &listing);
	if (!err && listing.count)
		err = table_print(listing.table);
	else if (!err)
		(void)fprintf(stderr, "No grants\n");
	table_free(listing.table);
	return err;
}

int
command_get_grant(struct cli *cli)
{
	struct scope within;
	enum un_err err = scope_init(&within, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                             &cli->detail);

	if (!err)
		err = cli_wants_json(cli) ? list_json(cli, &within) : list_table(cli, &within);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

#include "cli.h"
#include "json_out.h"
#include "model/name.h"
#include "proto-all.h"
#include "show.h"
#include "table.h"

#include <string.h>

#define PAGE_MAX 1000

struct listing {
	struct table *table; /* one of both */
	struct json_out *json;
	const char *name; /* NULL: all */
	size_t count;
};

static enum un_err
add(struct listing *listing, const Union__V1__ApiKey *key)
{
	char created[CLOCK_TEXT_MAX], expires[CLOCK_TEXT_MAX], used[CLOCK_TEXT_MAX];
	bool exact = listing->json != NULL;

	if (listing->name && strcmp(listing->name, key->name) != 0)
		return UN_OK;
	listing->count++;
	show_time(key->created_at, exact, created);
	show_time(key->expires_at, exact, expires);
	show_time(key->last_used_at, exact, used);
	if (!listing->json)
		return table_add(listing->table,
		                 (const char *const[]){
					 key->name, show_any(key->project), show_any(key->domain),
					 key->expired ? "expired"
					 : expires[0] ? expires
						      : "never",
					 used[0] ? used : "never", created, key->created_by});
	jout_open(listing->json, NULL, '{');
	jout_text(listing->json, "name", key->name);
	jout_text(listing->json, "project", key->project);
	jout_text(listing->json, "domain", key->domain);
	jout_text(listing->json, "created_at", created);
	jout_text(listing->json, "created_by", key->created_by);
	jout_text(listing->json, "expires_at", expires);
	jout_bool(listing->json, "expired", key->expired);
	jout_text(listing->json, "last_used_at", used);
	jout_close(listing->json, '}');
	return UN_OK;
}

static enum un_err
list_pages(struct cli *cli, struct listing *listing)
{
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];
	Union__V1__ListApiKeysRequest request = UNION__V1__LIST_API_KEYS_REQUEST__INIT;
	Union__V1__ListApiKeysResponse *page = NULL, *before = NULL;
	enum un_err err;

	request.project = (char *)(uintptr_t)(project ? project : "");
	request.domain = (char *)(uintptr_t)(domain ? domain : "");
	request.limit = PAGE_MAX;
	do {
		err = cli_call(cli, "/union.v1.AccessService/ListApiKeys", &request,
		               &union__v1__list_api_keys_response__descriptor, &page);
		channel_message_free(before);
		before = NULL;
		for (size_t i = 0; !err && i < page->n_keys; i++)
			err = add(listing, page->keys[i]);
		if (!err && page->token[0] && strcmp(page->token, request.token) == 0)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "the control plane repeats a page");
		if (!err)
			request.token = page->token;
		before = page; /* the next request lends its token */
		page = NULL;
	} while (!err && request.token[0]);
	channel_message_free(before);
	if (!err && listing->name && !listing->count)
		err = un_fail(&cli->detail, UN_ERR_NOT_FOUND, "there is no API key '%s'",
		              listing->name);
	return err;
}

static enum un_err
list_json(struct cli *cli)
{
	struct json_out json;
	struct listing listing = {.json = &json, .name = cli->args[0]};
	enum un_err err;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_open(&json, "api_keys", '[');
	err = list_pages(cli, &listing);
	jout_close(&json, ']');
	jout_close(&json, '}');
	if (!err)
		return jout_print(&json);
	jout_fini(&json);
	return err;
}

static enum un_err
list_table(struct cli *cli)
{
	static const char *const titles[] = {"<NAME",     "<PROJECT", "<DOMAIN",    "EXPIRES",
	                                     "LAST USED", "?CREATED", "?CREATED BY"};
	struct listing listing = {.name = cli->args[0]};
	enum un_err err = table_new(titles, sizeof titles / sizeof titles[0], &listing.table);

	if (!err)
		err = list_pages(cli, &listing);
	if (!err && listing.count)
		err = table_print(listing.table);
	else if (!err)
		(void)fprintf(stderr, "No API keys\n");
	table_free(listing.table);
	return err;
}

int
command_get_api_key(struct cli *cli)
{
	enum un_err err = UN_OK;

	if (cli->arg_count)
		err = name_check_api_key(cli->args[0], &cli->detail);
	if (!err)
		err = cli_wants_json(cli) ? list_json(cli) : list_table(cli);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

#include "listing.h"
#include "model/name.h"
#include "proto-all.h"
#include "show.h"

#include <string.h>

#define PAGE_MAX 1000

struct wanted {
	struct listing *listing;
	const char *name; /* NULL: all */
};

static enum un_err
add(void *arg, const void *item)
{
	const struct wanted *wanted = arg;
	struct listing *listing = wanted->listing;
	const Union__V1__ApiKey *key = item;
	char created[CLOCK_TEXT_MAX], expires[CLOCK_TEXT_MAX], used[CLOCK_TEXT_MAX];
	bool exact = listing->json != NULL;

	if (wanted->name && strcmp(wanted->name, key->name) != 0)
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
fill(struct cli *cli, void *ctx, struct listing *listing)
{
	static const struct listing_method method = {"/union.v1.AccessService/ListApiKeys",
	                                             &union__v1__list_api_keys_response__descriptor,
	                                             "keys"};
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];
	Union__V1__ListApiKeysRequest request = UNION__V1__LIST_API_KEYS_REQUEST__INIT;
	struct wanted wanted = {listing, cli->args[0]};
	enum un_err err;

	(void)ctx;
	request.project = (char *)(uintptr_t)(project ? project : "");
	request.domain = (char *)(uintptr_t)(domain ? domain : "");
	request.limit = PAGE_MAX;
	err = listing_pages(cli, &method, &request.base, add, &wanted);
	if (!err && wanted.name && !listing->count)
		err = un_fail(&cli->detail, UN_ERR_NOT_FOUND, "there is no API key '%s'",
		              wanted.name);
	return err;
}

int
command_get_api_key(struct cli *cli)
{
	static const char *const titles[] = {"<NAME",     "<PROJECT", "<DOMAIN",    "EXPIRES",
	                                     "LAST USED", "?CREATED", "?CREATED BY"};
	static const struct listing_plan plan = {
		"api_keys", titles, sizeof titles / sizeof titles[0], fill, "No API keys",
		NULL,       NULL};
	enum un_err err = UN_OK;

	if (cli->arg_count)
		err = name_check_api_key(cli->args[0], &cli->detail);
	if (!err)
		err = listing_print(cli, &plan);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}

/* target.h - which control plane a command talks to, and what it logs in with. One thread.
 *
 * In this order: --endpoint, UNION_ENDPOINT; --config; an API key in the environment; UNION_CONFIG;
 * the user's configuration files; else the user's own plane. Credentials go to the host they were
 * made for and to no other: an endpoint given on the command line uses those of the API key or of
 * the configuration only if that is the host they name. */
#ifndef UNION_TARGET_H
#define UNION_TARGET_H

#include "cli.h"
#include "client/config.h"

struct target {
	char url[CLI_PATH_MAX]; /* "": the user's own plane */
	struct config config;   /* of authorities and of what belongs to a login */
	enum config_auth auth;
	char client[CONFIG_WORD_MAX];
	struct secbuf *secret;
	bool by_api_key;
};

/* Connects cli->channel; `target` (not one's own plane) is lent until cli_disconnect. */
MUST_CHECK enum un_err cli_connect_to(struct cli *cli, const struct target *target);

/* Fills cli->paths too. UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err target_find(struct cli *cli, struct target *ret_target);
void target_fini(struct target *target);
/* Whether credentials made for the endpoint `maker` may be sent to `url`: the same host, and the
 * same port unless `maker` names none. */
bool target_is_made_for(const char *maker, const char *url);
/* The configuration file that `union create login` writes. */
MUST_CHECK bool target_login_file(char path[CLI_PATH_MAX]);
/* Where tokens are kept; "" where there is no such place. */
void target_token_folder(char path[CLI_PATH_MAX]);
/* What admin.command prints: session_options.fetch; `ctx` is the struct target. */
MUST_CHECK enum un_err target_run_command(void *ctx, struct secbuf **ret_token,
                                          struct un_detail *detail);

#endif

/* login.h - the token endpoint: API key in, short-lived token out (OAuth2 client credentials).
 *
 *   form --> oauth_form --> budget --> keeper: hash --> directory: the same? --> audit --> token
 *
 * A name that nobody has takes the same way as a wrong secret, to the same answer. What was sent
 * lies in a wiping buffer until it is read, then in a secbuf until the keeper has it. A struct
 * login may be used from any thread; a call stays on its loop. docs/architecture/login.md. */
#ifndef SERVICES_LOGIN_H
#define SERVICES_LOGIN_H

#include "authz/authz.h"
#include "authz/directory.h"
#include "rpc/metrics.h"
#include "rpc/web.h"

#define LOGIN_TOKEN_SECONDS 900 /* unless configured; less when the API key ends before */

struct login;

/* `token_seconds` 0: LOGIN_TOKEN_SECONDS. */
MUST_CHECK enum un_err login_new(unsigned token_seconds, struct login **ret_login);
void login_free(struct login *login); /* after the server; NULL is fine */
/* Counts union_logins_total from here on. */
MUST_CHECK enum un_err login_add_metrics(struct login *login, struct metrics *metrics);

/* Who shows this token. UN_ERR_UNAUTHENTICATED: nobody, any more. */
MUST_CHECK enum un_err login_check(const struct login *login, const struct directory_view *access,
                                   const char *token, size_t len, struct principal *ret_principal);

/* POST DISCOVERY_TOKEN_PATH; its ctx is the struct login. */
extern const struct http_route login_route;

#endif

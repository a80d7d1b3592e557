#include "services/authenticate.h"

#include "services/audit_notes.h"
#include "services/login.h"
#include "services/plane.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HOST_MAX 64
#define TOKEN_HEADERS 2
#define PROXY_HEADERS (sizeof proxy_headers / sizeof proxy_headers[0])

static const char *const proxy_headers[] = {"forwarded", "x-forwarded-for", "via"};

static const char *const token_headers[TOKEN_HEADERS] = {"authorization", "flyte-authorization"};

/* What the decision is made of. */
struct evidence {
	const struct net_peer *peer;
	const char *authority;
	const char *header; /* NULL: none */
	bool two;           /* there is another one */
	bool forwarded;     /* a proxy says that it speaks for somebody else */
};

static void
take_tokens(struct evidence *evidence, const char *const values[TOKEN_HEADERS])
{
	evidence->header = values[0] ? values[0] : values[1];
	evidence->two = values[0] && values[1];
}

/* Does the client call this machine by a name that can be no other's? */
static bool
is_loopback(const char *authority)
{
	static const char *const names[] = {"localhost", "[::1]"};
	char host[HOST_MAX];
	size_t len = strcspn(authority, ":");
	struct in_addr v4;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t name_len = strlen(names[i]);

		if (strncasecmp(authority, names[i], name_len) == 0 &&
		    (authority[name_len] == '\0' || authority[name_len] == ':'))
			return true;
	}
	if (len >= sizeof host)
		return false;
	memcpy(host, authority, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static enum un_err
by_token(const struct login *login, struct plane_worker *worker, const char *header,
         struct principal *ret_principal, struct un_detail *detail)
{
	const char *token = header + 7;
	enum un_err err = UN_ERR_UNAUTHENTICATED;

	if (strncasecmp(header, "Bearer ", 7) == 0) {
		token += strspn(token, " ");
		err = login_check(login, directory_peek(&worker->access), token, strlen(token),
		                  ret_principal);
	}
	if (!err)
		return UN_OK;
	un_hint(detail, "log in again: union create login");
	return un_fail(detail, err, "the token is not valid (any more)");
}

static enum un_err
by_connection(const struct evidence *evidence, struct principal *ret_principal,
              struct un_detail *detail)
{
	const struct net_peer *peer = evidence->peer;
	struct principal principal;

	if (peer->tls) {
		un_hint(detail, "union create login, or set UNION_API_KEY to an API key of it");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane serves those who log in");
	}
	/* A browser of the user's is that user, too: a page from elsewhere whose name was made to
	 * point here still asks for its own name. */
	if (peer->family == NET_TCP && !is_loopback(evidence->authority))
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane is asked for by another machine's name");
	if (peer->family == NET_TCP && evidence->forwarded)
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "a request through a proxy needs a login");
	principal_of_uid(peer->uid, geteuid(), &principal);
	if (principal.kind == PRINCIPAL_NOBODY) {
		un_hint(detail, "union create login, or set UNION_API_KEY to an API key of it");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane serves the user that runs it, and those who "
		               "log in");
	}
	*ret_principal = principal;
	return UN_OK;
}

static enum un_err
decide(const struct login *login, struct plane_worker *worker, const struct evidence *evidence,
       struct principal *ret_principal, struct un_detail *detail)
{
	if (evidence->two)
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "the request comes with two tokens in two headers");
	if (evidence->header)
		return by_token(login, worker, evidence->header, ret_principal, detail);
	return by_connection(evidence, ret_principal, detail);
}

enum un_err
authenticate_call(struct rpc_call *call, void *ctx, struct un_detail *detail)
{
	struct evidence evidence = {.peer = rpc_peer(call), .authority = rpc_authority(call)};
	struct principal *principal = rpc_alloc(call, sizeof *principal);
	const char *values[TOKEN_HEADERS];
	enum un_err err;

	if (!principal)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < TOKEN_HEADERS; i++)
		values[i] = rpc_header(call, token_headers[i]);
	take_tokens(&evidence, values);
	for (size_t i = 0; i < PROXY_HEADERS && !evidence.header; i++)
		evidence.forwarded |= rpc_header(call, proxy_headers[i]) != NULL;
	err = decide(ctx, rpc_worker(call), &evidence, principal, detail);
	if (err)
		return err;
	for (size_t i = 0; i < TOKEN_HEADERS; i++)
		rpc_wipe_header(call, token_headers[i]);
	rpc_set_principal(call, principal, NULL);
	return UN_OK;
}

enum un_err
authenticate_web(struct web_call *call, struct principal *ret_principal, struct un_detail *detail)
{
	struct plane_worker *worker = web_worker(call);
	struct evidence evidence = {.peer = web_peer(call), .authority = web_authority(call)};
	const char *values[TOKEN_HEADERS];
	enum un_err err;

	for (size_t i = 0; i < TOKEN_HEADERS; i++)
		values[i] = web_header(call, token_headers[i]);
	take_tokens(&evidence, values);
	for (size_t i = 0; i < PROXY_HEADERS && !evidence.header; i++)
		evidence.forwarded |= web_header(call, proxy_headers[i]) != NULL;
	err = decide(plane_login(worker->plane), worker, &evidence, ret_principal, detail);
	if (err)
		audit_stranger_web(worker->notes, web_peer(call), err);
	return err;
}

bool
authenticate_is_welcome(const struct rpc_call *call, void *ctx)
{
	const struct principal *principal = rpc_principal(call);
	struct plane_worker *worker = rpc_worker(call);

	(void)ctx;
	return principal->kind != PRINCIPAL_API_KEY ||
	       directory_find_key_id(directory_peek(&worker->access), principal->key_id);
}

enum un_err
authenticate_metrics(struct web_call *call, void *ctx, struct un_detail *detail)
{
	static const struct scope everything;
	const struct authz_target target = {.scope = &everything};
	struct plane_worker *worker = web_worker(call);
	struct principal principal;
	enum un_err err = authenticate_web(call, &principal, detail);

	(void)ctx;
	if (err)
		return err;
	return authz_check(&principal, directory_peek(&worker->access), AUTHZ_PLANE_INSPECT,
	                   &target, detail);
}

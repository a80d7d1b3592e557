#include "services/discovery.h"

#include "flyteidl/service/auth.pb-c.h"
#include "model/json.h"
#include "services/authenticate.h"
#include "services/caller.h"
#include "services/own_url.h"

#include <stdio.h>
#include <string.h>

/* The client id and the redirection of a login with a browser, which this server does not offer.
 * Clients want some: these are what they know. */
#define PUBLIC_CLIENT "flytectl"
#define PUBLIC_REDIRECT "http://localhost:53593/callback"
#define JSON_MAX 4096

static char scope_all[] = "all", grant_type[] = "client_credentials";
static char method_basic[] = "client_secret_basic", method_post[] = "client_secret_post";
static char *scopes[] = {scope_all}, *grants[] = {grant_type};
static char *methods[] = {method_basic, method_post};

/* ---- the RPCs ---- */

static void
get_metadata(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Service__OAuth2MetadataResponse reply =
		FLYTEIDL__SERVICE__OAUTH2_METADATA_RESPONSE__INIT;
	char url[OWN_URL_MAX], token_url[OWN_URL_MAX + sizeof DISCOVERY_TOKEN_PATH];
	struct un_detail detail = {0};
	enum un_err err = own_url(rpc_peer(call), rpc_authority(call), url, &detail);

	(void)ctx;
	(void)message;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	(void)snprintf(token_url, sizeof token_url, "%s" DISCOVERY_TOKEN_PATH, url);
	reply.issuer = url;
	reply.token_endpoint = token_url;
	reply.scopes_supported = scopes;
	reply.n_scopes_supported = 1;
	reply.token_endpoint_auth_methods_supported = methods;
	reply.n_token_endpoint_auth_methods_supported = 2;
	reply.grant_types_supported = grants;
	reply.n_grant_types_supported = 1;
	rpc_reply(call, &reply.base);
}

static void
get_client_config(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Service__PublicClientAuthConfigResponse reply =
		FLYTEIDL__SERVICE__PUBLIC_CLIENT_AUTH_CONFIG_RESPONSE__INIT;
	char url[OWN_URL_MAX], client[] = PUBLIC_CLIENT, redirect[] = PUBLIC_REDIRECT;
	char header[] = "authorization"; /* one client family takes "" for it, the other does not */
	struct un_detail detail = {0};
	enum un_err err = own_url(rpc_peer(call), rpc_authority(call), url, &detail);

	(void)ctx;
	(void)message;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	reply.client_id = client;
	reply.redirect_uri = redirect;
	reply.scopes = scopes;
	reply.n_scopes = 1;
	reply.authorization_metadata_key = header;
	reply.service_http_endpoint = url;
	rpc_reply(call, &reply.base);
}

static const struct rpc_method metadata_methods[] = {
	{.name = "GetOAuth2Metadata",
         .input = &flyteidl__service__oauth2_metadata_request__descriptor,
         .output = &flyteidl__service__oauth2_metadata_response__descriptor,
         .handler = get_metadata,
         .flags = RPC_ANONYMOUS,
         .request_max = JSON_MAX},
	{.name = "GetPublicClientConfig",
         .input = &flyteidl__service__public_client_auth_config_request__descriptor,
         .output = &flyteidl__service__public_client_auth_config_response__descriptor,
         .handler = get_client_config,
         .flags = RPC_ANONYMOUS,
         .request_max = JSON_MAX},
};

static const char *const metadata_names[] = {"flyteidl.service.AuthMetadataService",
                                             "flyteidl2.auth.AuthMetadataService", NULL};

const struct rpc_service auth_metadata_service = {
	.names = metadata_names,
	.methods = metadata_methods,
	.method_count = sizeof metadata_methods / sizeof metadata_methods[0],
};

/* ---- who am I ---- */

static void
user_info(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Service__UserInfoResponse reply = FLYTEIDL__SERVICE__USER_INFO_RESPONSE__INIT;
	char text[PRINCIPAL_TEXT_MAX], *colon;
	struct principal principal;

	(void)ctx;
	(void)message;
	caller_principal(call, &principal);
	principal_format(&principal, text);
	colon = strchr(text, ':');
	reply.subject = text;
	reply.name = reply.preferred_username = colon ? colon + 1 : text;
	rpc_reply(call, &reply.base);
}

static const struct rpc_method identity_methods[] = {
	{.name = "UserInfo",
         .input = &flyteidl__service__user_info_request__descriptor,
         .output = &flyteidl__service__user_info_response__descriptor,
         .handler = user_info},
};

static const char *const identity_names[] = {"flyteidl.service.IdentityService",
                                             "flyteidl2.auth.IdentityService", NULL};

const struct rpc_service identity_service = {
	.names = identity_names,
	.methods = identity_methods,
	.method_count = 1,
};

/* ---- the same as JSON ---- */

static enum un_err
add_pair(struct buf *json, const char *separator, const char *key, const char *text)
{
	enum un_err err = buf_appendf(json, "%s\"%s\":", separator, key);

	return err ? err : json_append_string(json, text);
}

static void
answer(struct web_call *call, enum un_err err, const struct buf *json, struct un_detail *detail)
{
	if (err)
		web_fail(call, err, detail);
	else
		web_reply(call, 200, "application/json", json->data, json->len);
}

static void
serve_metadata(struct web_call *call, void *ctx)
{
	char url[OWN_URL_MAX], token_url[OWN_URL_MAX + sizeof DISCOVERY_TOKEN_PATH];
	struct un_detail detail = {0};
	struct buf json;
	enum un_err err = own_url(web_peer(call), web_authority(call), url, &detail);

	(void)ctx;
	buf_init(&json, JSON_MAX, BUF_PLAIN);
	if (!err) {
		(void)snprintf(token_url, sizeof token_url, "%s" DISCOVERY_TOKEN_PATH, url);
		err = add_pair(&json, "{", "issuer", url);
	}
	if (!err)
		err = add_pair(&json, ",", "token_endpoint", token_url);
	if (!err)
		err = buf_append_text(
			&json, ",\"response_types_supported\":[],\"scopes_supported\":[\"all\"],"
			       "\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\","
			       "\"client_secret_post\"],"
			       "\"grant_types_supported\":[\"client_credentials\"]}");
	answer(call, err, &json, &detail);
	buf_fini(&json);
}

static void
serve_client_config(struct web_call *call, void *ctx)
{
	struct un_detail detail = {0};
	char url[OWN_URL_MAX];
	struct buf json;
	enum un_err err = own_url(web_peer(call), web_authority(call), url, &detail);

	(void)ctx;
	buf_init(&json, JSON_MAX, BUF_PLAIN);
	if (!err)
		err = buf_append_text(&json, "{\"client_id\":\"" PUBLIC_CLIENT
		                             "\",\"redirect_uri\":\"" PUBLIC_REDIRECT
		                             "\",\"scopes\":[\"all\"],"
		                             "\"authorization_metadata_key\":\"authorization\"");
	if (!err)
		err = add_pair(&json, ",", "service_http_endpoint", url);
	if (!err)
		err = buf_append_text(&json, "}");
	answer(call, err, &json, &detail);
	buf_fini(&json);
}

static void
serve_me(struct web_call *call, void *ctx)
{
	char text[PRINCIPAL_TEXT_MAX], *colon;
	struct un_detail detail = {0};
	struct principal principal;
	struct buf json;
	enum un_err err = authenticate_web(call, &principal, &detail);

	buf_init(&json, JSON_MAX, BUF_PLAIN);
	if (!err) {
		principal_format(&principal, text);
		colon = strchr(text, ':');
		err = add_pair(&json, "{", "subject", text);
	}
	if (!err)
		err = add_pair(&json, ",", "name", colon ? colon + 1 : text);
	if (!err)
		err = add_pair(&json, ",", "preferred_username", colon ? colon + 1 : text);
	if (!err)
		err = buf_append_text(&json, "}");
	answer(call, err, &json, &detail);
	buf_fini(&json);
}

const struct http_route discovery_routes[DISCOVERY_ROUTE_COUNT] = {
	{.method = "GET",
         .path = "/.well-known/oauth-authorization-server",
         .on_request = serve_metadata},
	{.method = "GET", .path = "/config/v1/flyte_client", .on_request = serve_client_config},
	{.method = "GET", .path = "/me", .on_request = serve_me},
};

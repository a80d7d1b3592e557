#include "services/access_service.h"

#include "services/api_keys.h"
#include "services/grants.h"
#include "union/v1/access.pb-c.h"

#define METHOD(title, request, response, function)                                                 \
	{                                                                                          \
		.name = title, .input = &union__v1__##request##__descriptor,                       \
		.output = &union__v1__##response##__descriptor, .handler = function,               \
		.flags = RPC_SENSITIVE, .request_max = 16u << 10                                   \
	}

static const struct rpc_method methods[] = {
	METHOD("CreateApiKey", create_api_key_request, create_api_key_response, api_keys_create),
	METHOD("ListApiKeys", list_api_keys_request, list_api_keys_response, api_keys_list),
	METHOD("DeleteApiKey", delete_api_key_request, delete_api_key_response, api_keys_delete),
	METHOD("CreateGrant", create_grant_request, create_grant_response, grants_create),
	METHOD("ListGrants", list_grants_request, list_grants_response, grants_list),
	METHOD("DeleteGrant", delete_grant_request, delete_grant_response, grants_delete),
	METHOD("ExplainAccess", explain_access_request, explain_access_response,
	       explain_access),
};

static const char *const names[] = {"union.v1.AccessService", NULL};

const struct rpc_service access_service = {
	.names = names,
	.methods = methods,
	.method_count = sizeof methods / sizeof methods[0],
};

#include "services/caller.h"

#include <unistd.h>

void
caller_principal(const struct rpc_call *call, struct principal *ret_principal)
{
	principal_of_uid(rpc_peer(call)->uid, geteuid(), ret_principal);
}

bool
caller_may(struct rpc_call *call, enum authz_action action, const struct scope *scope)
{
	struct authz_target target = {.scope = scope};
	struct un_detail detail = {0};
	struct principal principal;
	enum un_err err;

	caller_principal(call, &principal);
	err = authz_check(&principal, action, &target, &detail);
	if (err)
		rpc_fail(call, err, &detail);
	return err == UN_OK;
}

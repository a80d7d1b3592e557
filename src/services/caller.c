#include "services/caller.h"

#include "services/audit_notes.h"
#include "services/plane.h"

#include <unistd.h>

void
caller_principal(const struct rpc_call *call, struct principal *ret_principal)
{
	const struct principal *authenticated = rpc_principal(call);

	if (authenticated)
		*ret_principal = *authenticated;
	else
		principal_of_uid(rpc_peer(call)->uid, geteuid(), ret_principal);
}

const struct directory_view *
caller_access(const struct rpc_call *call)
{
	struct plane_worker *worker = rpc_worker(call);

	return directory_peek(&worker->access);
}

bool
caller_may(struct rpc_call *call, enum authz_action action, const struct scope *scope)
{
	struct authz_target target = {.scope = scope};
	struct un_detail detail = {0};
	struct principal principal;
	enum un_err err;

	caller_principal(call, &principal);
	err = authz_check(&principal, caller_access(call), action, &target, &detail);
	if (err)
		audit_refuse(call, &principal, action, scope, err, &detail);
	else
		audit_allowed(call, &principal, action, scope);
	return err == UN_OK;
}

bool
caller_sees(const struct rpc_call *call, enum authz_action action, const struct scope *scope)
{
	struct authz_target target = {.scope = scope};
	struct authz_decision decision;
	struct principal principal;

	caller_principal(call, &principal);
	authz_decide(&principal, caller_access(call), action, &target, &decision);
	return decision.allowed;
}

static bool
filter_sees(void *ctx, const struct scope *scope)
{
	struct caller_filter *filter = ctx;

	if (!filter->has_last || !scope_equal(&filter->last, scope)) {
		filter->last = *scope;
		filter->last_seen = caller_sees(filter->call, filter->action, scope);
		filter->has_last = true;
	}
	return filter->last_seen;
}

enum authz_reach
caller_filter_init(struct caller_filter *filter, struct rpc_call *call, enum authz_action action,
                   const struct scope *within)
{
	static const struct scope everything;
	struct principal principal;
	enum authz_reach reach;

	caller_principal(call, &principal);
	reach = authz_reach(&principal, caller_access(call), action,
	                    within ? within : &everything);
	*filter = (struct caller_filter){.call = call, .action = action};
	if (reach != AUTHZ_REACH_ALL)
		filter->filter = (struct scope_filter){filter_sees, filter};
	return reach;
}

bool
caller_may_list(struct rpc_call *call, enum authz_action action, const struct scope *within,
                struct caller_filter *ret_filter)
{
	struct principal principal;

	if (caller_filter_init(ret_filter, call, action, within) == AUTHZ_REACH_NONE)
		return caller_may(call, action, within);
	caller_principal(call, &principal);
	audit_allowed(call, &principal, action, within);
	return true;
}

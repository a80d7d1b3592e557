/* caller.h - who makes a call, and whether she may. On the call's loop.
 *
 * A handler asks caller_may before it looks at anything, with the scope that the request names: a
 * refusal is the same whether there is something or not. Lists ask caller_may_list and leave out
 * what its filter does not see. */
#ifndef SERVICES_CALLER_H
#define SERVICES_CALLER_H

#include "authz/authz.h"
#include "authz/directory.h"
#include "rpc/service.h"
#include "store/scopes.h"

/* The principal: what the authenticate hook has set with rpc_set_principal (a struct principal), or
 * else the kernel's word on the uid behind the connection. */
void caller_principal(const struct rpc_call *call, struct principal *ret_principal);
/* The keys and grants there are now; lent until the next call of a function of this file. */
const struct directory_view *caller_access(const struct rpc_call *call);

/* Whether the caller may; ends the call with the refusal when not. Before anything is read. */
MUST_CHECK bool caller_may(struct rpc_call *call, enum authz_action action,
                           const struct scope *scope);
/* The same question; ends nothing. For what is left out of an answer. */
MUST_CHECK bool caller_sees(const struct rpc_call *call, enum authz_action action,
                            const struct scope *scope);

/* Which rows of a list the caller may see; lives as long as the call. */
struct caller_filter {
	struct rpc_call *call;
	enum authz_action action;
	struct scope_filter filter; /* for the store; all zero where she may see everything */
	struct scope last;          /* the scope asked for last: rows of one come together */
	bool has_last, last_seen;
};
/* Fills it for a list of what lies in `within` (an empty part does not filter; NULL: nothing is
 * filtered), and says how much the caller may see of it. */
enum authz_reach caller_filter_init(struct caller_filter *filter, struct rpc_call *call,
                                    enum authz_action action, const struct scope *within);
/* The same; ends the call when the caller can see nothing there, whatever there is. */
MUST_CHECK bool caller_may_list(struct rpc_call *call, enum authz_action action,
                                const struct scope *within, struct caller_filter *ret_filter);

#endif

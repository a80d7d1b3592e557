/* caller.h - who makes a call, and whether she may. On the call's loop. */
#ifndef SERVICES_CALLER_H
#define SERVICES_CALLER_H

#include "authz/authz.h"
#include "rpc/service.h"

/* The principal behind the connection: the kernel's word on its uid. */
void caller_principal(const struct rpc_call *call, struct principal *ret_principal);
/* Whether the caller may; ends the call with the refusal when not. */
MUST_CHECK bool caller_may(struct rpc_call *call, enum authz_action action,
                           const struct scope *scope);

#endif

/* grants.h - the methods of union.v1.AccessService that grant roles, take them back, list them, and
 * explain what follows from them.
 *
 * A grant is recorded in its own transaction, with its audit entry, and in force for every worker
 * before it is answered; one that was taken back is out of force as well. Nobody grants more than
 * she has: only a role that may do everything in a scope may grant there. */
#ifndef SERVICES_GRANTS_H
#define SERVICES_GRANTS_H

#include "authz/authz.h"
#include "rpc/service.h"
#include "store/access.h"
#include "union/v1/access.pb-c.h"

void grants_create(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void grants_list(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void grants_delete(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
/* explain_access.c */
void explain_access(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

/* A grant as it is shown, in the call's memory; NULL: no memory. A time of 0 is left out. */
Union__V1__Grant *grant_message(struct rpc_call *call, const struct grant_row *row) MUST_CHECK;

#endif

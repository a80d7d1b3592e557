/* admin_impl.h - what the reading handlers of executions and of their nodes share. */
#ifndef SERVICES_ADMIN_IMPL_H
#define SERVICES_ADMIN_IMPL_H

#include "rpc/service.h"
#include "runs/runs.h"
#include "store/runs.h"

/* An execution that the caller may read, in the view that the answer is made from. */
struct found {
	struct rpc_call *call;
	struct store_view *view;
	struct runs_name name;
	int64_t id;
	int64_t entity;
	int state;
};

/* The execution of an identifier; its row is lent. False: the call has failed. */
MUST_CHECK bool admin_find_row(struct rpc_call *call,
                               const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                               struct found *ret_found, struct run_row *ret_row);
/* NULL: there is no memory left for a message. */
void admin_reply(struct rpc_call *call, const ProtobufCMessage *message);

#endif

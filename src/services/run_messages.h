/* run_messages.h - records of runs as messages of the wire. Everything is made in the call's memory
 * and ends with it; NULL means that there is no more of it. */
#ifndef SERVICES_RUN_MESSAGES_H
#define SERVICES_RUN_MESSAGES_H

#include "proto-all.h"
#include "rpc/service.h"
#include "store/runs.h"

#define RUN_LIST_DEFAULT 100
#define RUN_LIST_MAX 1000

Flyteidl__Core__WorkflowExecution__Phase run_phase(int state);
Flyteidl__Core__NodeExecution__Phase run_node_phase(int state);
Flyteidl__Core__TaskExecution__Phase run_attempt_phase(const struct run_attempt_row *row);

Google__Protobuf__Timestamp *run_timestamp(struct rpc_call *call, int64_t us); /* NULL for 0 too */
Google__Protobuf__Duration *run_duration(struct rpc_call *call, int64_t us);
Flyteidl__Core__ExecutionError *run_error_message(struct rpc_call *call, int kind,
                                                  const char *code, const char *text);
Flyteidl__Core__Identifier *run_identifier(struct rpc_call *call, const struct entity_key *key);
Flyteidl__Core__WorkflowExecutionIdentifier *run_execution_id(struct rpc_call *call,
                                                              const char *project,
                                                              const char *domain,
                                                              const char *name);
/* Unpacks into the call's memory. */
void *run_unpack(struct rpc_call *call, const ProtobufCMessageDescriptor *descriptor,
                 struct run_bytes bytes);
/* The literal map of a value; an empty one when there is none. NULL: no memory. */
Flyteidl__Core__LiteralMap *run_value(struct rpc_call *call, struct store_view *view,
                                      int64_t execution, int64_t place, enum run_which which);

/* Pages: a token is the decimal id of the last row. */
unsigned run_page(uint32_t limit);
MUST_CHECK bool run_token_parse(struct rpc_call *call, const char *token, int64_t *ret_before);
char *run_token(struct rpc_call *call, int64_t id);

#endif

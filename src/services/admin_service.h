/* admin_service.h - the reading half of AdminService: handlers for its table of methods. */
#ifndef SERVICES_ADMIN_SERVICE_H
#define SERVICES_ADMIN_SERVICE_H

#include "rpc/service.h"

/* admin_entities.c */
void admin_get_task(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_tasks(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_workflow(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_workflows(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_launch_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
/* The newest version that is active. */
void admin_get_active_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_launch_plans(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

/* admin_executions.c */
void admin_get_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_execution_data(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_node_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_node_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_node_execution_data(struct rpc_call *call, void *ctx,
                                   const ProtobufCMessage *message);
void admin_get_task_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_list_task_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void admin_get_task_execution_data(struct rpc_call *call, void *ctx,
                                   const ProtobufCMessage *message);

#endif

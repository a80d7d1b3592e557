/* run_watch.h - the streams that follow an execution: its states, its logs, or both. */
#ifndef SERVICES_RUN_WATCH_H
#define SERVICES_RUN_WATCH_H

#include "rpc/service.h"

void run_watch(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void run_get_logs(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

#endif

/* api_keys.h - the methods of union.v1.AccessService that make, list and delete API keys.
 *
 * The secret is made here, hashed by the keeper, and shown in one reply. A deletion is in force for
 * every worker before it is answered: its tokens name a key that is not in the directory. */
#ifndef SERVICES_API_KEYS_H
#define SERVICES_API_KEYS_H

#include "rpc/service.h"

void api_keys_create(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void api_keys_list(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void api_keys_delete(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

#endif

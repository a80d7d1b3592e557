/* plane_service.h - union.v1.PlaneService, and what it asks of the plane. */
#ifndef SERVICES_PLANE_SERVICE_H
#define SERVICES_PLANE_SERVICE_H

#include "rpc/service.h"
#include "services/plane.h"

extern const struct rpc_service plane_service;

/* plane_keys.c */
void plane_service_rotate_keys(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void plane_service_get_rotation(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
void plane_service_unlock(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);
/* Streams a backup; plane_backup.c. */
void plane_service_backup(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

/* Any thread: stored DEKs of older generations are sealed again in the background. */
void plane_rewrap(struct plane *plane);
/* Any thread: the keeper has its keys now. */
void plane_unlocked(struct plane *plane);

#endif

/* audit_service.h - union.v1.AuditService: the trail, its export, and who used which secret. */
#ifndef SERVICES_AUDIT_SERVICE_H
#define SERVICES_AUDIT_SERVICE_H

#include "rpc/service.h"

extern const struct rpc_service audit_service;

/* audit_export.c */
void audit_service_export(struct rpc_call *call, void *ctx, const ProtobufCMessage *message);

#endif

/* access_service.h - union.v1.AccessService: API keys, grants, and why a decision is as it is. */
#ifndef SERVICES_ACCESS_SERVICE_H
#define SERVICES_ACCESS_SERVICE_H

#include "rpc/service.h"

extern const struct rpc_service access_service;

#endif

/* cluster_service.h - flyteidl2.cluster.ClusterService: newer clients ask it where a resource is
 * before every call about secrets, and fail when nobody answers. It is here. */
#ifndef SERVICES_CLUSTER_SERVICE_H
#define SERVICES_CLUSTER_SERVICE_H

#include "rpc/service.h"

extern const struct rpc_service cluster_service;

#endif

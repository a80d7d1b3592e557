#include "services/cluster_service.h"

#include "proto-all.h"

/* Only who is asked is told, not what: there is nothing to hide in it, and every call that follows
 * is decided by itself. */
static void
select_cluster(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl2__Cluster__SelectClusterRequest *request = (const void *)message;
	Flyteidl2__Cluster__SelectClusterResponse reply =
		FLYTEIDL2__CLUSTER__SELECT_CLUSTER_RESPONSE__INIT;

	(void)ctx;
	if (request->cluster_pool_id != NULL) /* the secret itself would come without its pool */
		rpc_failf(call, UN_ERR_NOT_FOUND,
		          "there are no cluster pools here; a secret belongs to the organization, "
		          "a domain, a project, or a project and domain");
	else if (request->operation !=
	         FLYTEIDL2__CLUSTER__SELECT_CLUSTER_REQUEST__OPERATION__OPERATION_USE_SECRETS)
		rpc_failf(call, UN_ERR_UNSUPPORTED,
		          "of flyte 2 this server serves secrets only; run tasks with union, "
		          "pyflyte or flytekit 1");
	else
		rpc_reply(call, &reply.base);
}

static const struct rpc_method methods[] = {
	{.name = "SelectCluster",
         .input = &flyteidl2__cluster__select_cluster_request__descriptor,
         .output = &flyteidl2__cluster__select_cluster_response__descriptor,
         .handler = select_cluster},
};

static const char *const names[] = {"flyteidl2.cluster.ClusterService", NULL};

const struct rpc_service cluster_service = {
	.names = names,
	.methods = methods,
	.method_count = sizeof methods / sizeof methods[0],
};

/* union.v1.PlaneService: what runs, its keys, stopping, backup. Every handler runs on a worker. */
#include "services/plane_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "keeper/fingerprint.h"
#include "rpc/service.h"
#include "services/caller.h"
#include "services/plane_service.h"
#include "store/rewrap.h"
#include "store/secrets.h"
#include "union/v1/plane.pb-c.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- GetInfo ---- */

static char *
hex_of(struct rpc_call *call, const uint8_t *bytes, size_t len)
{
	char *text = rpc_alloc(call, 2 * len + 1);

	for (size_t i = 0; text && i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

static char *
endpoint_of(struct rpc_call *call, const struct plane *plane)
{
	const struct net_peer *peer = rpc_peer(call);
	const char *scheme = peer->tls ? "https://" : "http://";
	const char *place = rpc_authority(call); /* listen.tcp may be "any address" */
	size_t size;
	char *text;

	if (peer->family == NET_UNIX) {
		scheme = "unix://";
		place = plane->options.listen_unix;
	}
	size = strlen(scheme) + strlen(place) + 1;
	text = rpc_alloc(call, size);
	if (text)
		(void)snprintf(text, size, "%s%s", scheme, place);
	return text;
}

/* Counts, paths and keys: for those who may inspect the plane. */
static enum un_err
fill_inside(struct rpc_call *call, const struct keeper_info *info,
            Union__V1__GetInfoResponse *reply, struct un_detail *detail)
{
	struct plane_worker *worker = rpc_worker(call);
	struct plane *plane = worker->plane;
	enum un_err err;

	reply->pid = getpid();
	reply->data_dir = (char *)plane->options.data_dir;
	reply->key_provider = (char *)info->provider;
	reply->kek_generation = info->generation;
	reply->active_executions = plane_active_runs(plane);
	reply->idle_timeout_seconds = plane->options.idle_timeout_s;
	err = store_read_begin(worker->reader, detail);
	if (!err)
		err = secret_count(store_reader_view(worker->reader), &reply->secrets, detail);
	if (!err)
		err = dek_count_stale(store_reader_view(worker->reader), info->generation,
		                      &reply->stale_deks, detail);
	return err;
}

static void
on_info(void *context, const struct keeper_answer *answer)
{
	struct rpc_call *call = context;
	struct plane_worker *worker = rpc_worker(call);
	struct plane *plane = worker->plane;
	Union__V1__GetInfoResponse reply = UNION__V1__GET_INFO_RESPONSE__INIT;
	Google__Protobuf__Timestamp started = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	char fingerprint[FINGERPRINT_TEXT_MAX] = "";
	struct un_detail detail = {0};
	enum un_err err = UN_OK;

	if (answer->err) {
		rpc_fail(call, answer->err, answer->detail);
		return;
	}
	started.seconds = plane->started_us / 1000000;
	started.nanos = (int32_t)(plane->started_us % 1000000 * 1000);
	reply.version = (char *)UNION_VERSION;
	reply.instance_id = hex_of(call, plane->instance_id, sizeof plane->instance_id);
	reply.started_at = &started;
	reply.endpoint = endpoint_of(call, plane);
	reply.sealed = answer->info->state != KEEPER_OPEN;
	if (answer->info->state != KEEPER_NEW) {
		fingerprint_format(answer->info->plane_public, fingerprint);
		reply.plane_key.data = (uint8_t *)answer->info->plane_public;
		reply.plane_key.len = BOX_PUBLIC_LEN;
	}
	reply.fingerprint = fingerprint;
	reply.unlock_key.data = (uint8_t *)answer->info->start_public;
	reply.unlock_key.len = BOX_PUBLIC_LEN;
	if (caller_sees(call, AUTHZ_PLANE_INSPECT, NULL))
		err = fill_inside(call, answer->info, &reply, &detail);
	if (!err && (!reply.instance_id || !reply.endpoint))
		err = UN_ERR_NO_MEMORY;
	if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

static void
get_info(struct rpc_call *call, void *ctx, const ProtobufCMessage *request)
{
	struct plane_worker *worker = rpc_worker(call);
	enum un_err err;

	(void)ctx;
	(void)request;
	if (!caller_may(call, AUTHZ_PLANE_READ, NULL))
		return;
	err = keeper_ask_info(worker->keeper,
	                      (struct keeper_call){.done = on_info, .context = call});
	if (err)
		rpc_fail(call, err, NULL);
}

/* ---- Shutdown ---- */

static void
shut_down(struct rpc_call *call, void *ctx, const ProtobufCMessage *request)
{
	struct plane_worker *worker = rpc_worker(call);
	Union__V1__ShutdownResponse reply = UNION__V1__SHUTDOWN_RESPONSE__INIT;
	struct principal principal;
	char who[PRINCIPAL_TEXT_MAX];

	(void)ctx;
	(void)request;
	if (!caller_may(call, AUTHZ_PLANE_STOP, NULL))
		return;
	caller_principal(call, &principal);
	principal_format(&principal, who);
	log_notice("uniond", "stopping: asked to by %s", who);
	plane_stop(worker->plane);
	rpc_reply(call, &reply.base);
}

static const struct rpc_method methods[] = {
	{.name = "GetInfo",
         .input = &union__v1__get_info_request__descriptor,
         .output = &union__v1__get_info_response__descriptor,
         .handler = get_info},
	{.name = "Shutdown",
         .input = &union__v1__shutdown_request__descriptor,
         .output = &union__v1__shutdown_response__descriptor,
         .handler = shut_down},
	{.name = "RotateKeys",
         .input = &union__v1__rotate_keys_request__descriptor,
         .output = &union__v1__rotate_keys_response__descriptor,
         .handler = plane_service_rotate_keys},
	{.name = "GetRotation",
         .input = &union__v1__get_rotation_request__descriptor,
         .output = &union__v1__get_rotation_response__descriptor,
         .handler = plane_service_get_rotation},
	{.name = "Unlock",
         .input = &union__v1__unlock_request__descriptor,
         .output = &union__v1__unlock_response__descriptor,
         .handler = plane_service_unlock,
         .flags = RPC_SENSITIVE},
	{.name = "Backup",
         .input = &union__v1__backup_request__descriptor,
         .output = &union__v1__backup_chunk__descriptor,
         .server_streaming = true,
         .handler = plane_service_backup},
};

static const char *const names[] = {"union.v1.PlaneService", NULL};

const struct rpc_service plane_service = {
	.names = names,
	.methods = methods,
	.method_count = sizeof methods / sizeof methods[0],
};

/* The part of union.v1.PlaneService that is about keys: rotate, how far it is, unlock. A rotation
 * is recorded before it happens; of an unlock, also each wrong passphrase. */
#include "services/plane_impl.h"

#include "base/log.h"
#include "rpc/service.h"
#include "services/audit_job.h"
#include "services/caller.h"
#include "services/plane_service.h"
#include "store/rewrap.h"
#include "union/v1/plane.pb-c.h"

#define UNLOCK_TIMEOUT_MS 30000 /* Argon2id takes its time on purpose */

static enum un_err
count_stale(struct rpc_call *call, uint32_t generation, uint64_t *ret_count,
            struct un_detail *detail)
{
	struct plane_worker *worker = rpc_worker(call);
	enum un_err err = store_read_begin(worker->reader, detail);

	return err ? err
	           : dek_count_stale(store_reader_view(worker->reader), generation, ret_count,
	                             detail);
}

/* --- rotate --- */

static void
on_rotated(void *context, const struct keeper_answer *answer)
{
	struct rpc_call *call = context;
	struct plane_worker *worker = rpc_worker(call);
	Union__V1__RotateKeysResponse reply = UNION__V1__ROTATE_KEYS_RESPONSE__INIT;
	struct un_detail detail = {0};
	enum un_err err;

	if (answer->err) {
		rpc_fail(call, answer->err, answer->detail);
		return;
	}
	log_notice("keeper", "key generation %u", answer->generation);
	plane_rewrap(worker->plane);
	reply.generation = answer->generation;
	err = count_stale(call, answer->generation, &reply.to_rewrap, &detail);
	if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

static void
on_rotation_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                     void *context)
{
	struct plane_worker *worker = rpc_worker(call);

	(void)context;
	if (err == UN_OK)
		err = keeper_rotate(worker->keeper, (struct keeper_call){on_rotated, call, 0});
	if (err)
		rpc_fail(call, err, detail);
}

void
plane_service_rotate_keys(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	(void)ctx;
	(void)message;
	if (caller_may(call, AUTHZ_KEYS_ROTATE, NULL))
		audit_job_start(call, AUDIT_KEYS_ROTATE, AUDIT_ALLOWED, NULL, on_rotation_recorded,
		                NULL);
}

static void
on_rotation_info(void *context, const struct keeper_answer *answer)
{
	struct rpc_call *call = context;
	Union__V1__GetRotationResponse reply = UNION__V1__GET_ROTATION_RESPONSE__INIT;
	struct un_detail detail = {0};
	enum un_err err;

	if (answer->err) {
		rpc_fail(call, answer->err, answer->detail);
		return;
	}
	reply.generation = answer->info->generation;
	err = count_stale(call, reply.generation, &reply.remaining, &detail);
	if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

void
plane_service_get_rotation(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct plane_worker *worker = rpc_worker(call);
	enum un_err err;

	(void)ctx;
	(void)message;
	if (!caller_may(call, AUTHZ_PLANE_INSPECT, NULL))
		return;
	err = keeper_ask_info(worker->keeper, (struct keeper_call){on_rotation_info, call, 0});
	if (err)
		rpc_fail(call, err, NULL);
}

/* --- unlock --- */

static void
on_refusal_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                    void *context)
{
	(void)err; /* the refusal stands either way */
	(void)detail;
	(void)context;
	rpc_fail(call, UN_ERR_WRONG_PASSPHRASE, NULL);
}

/* The ring is open by now; without a record the caller learns that much, and no success. */
static void
on_unlock_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                   void *context)
{
	Union__V1__UnlockResponse reply = UNION__V1__UNLOCK_RESPONSE__INIT;

	(void)context;
	if (err)
		rpc_fail(call, err, detail);
	else
		rpc_reply(call, &reply.base);
}

static void
on_unlocked(void *context, const struct keeper_answer *answer)
{
	struct rpc_call *call = context;
	struct plane_worker *worker = rpc_worker(call);
	struct principal principal;
	char who[PRINCIPAL_TEXT_MAX];

	caller_principal(call, &principal);
	principal_format(&principal, who);
	if (answer->err == UN_ERR_WRONG_PASSPHRASE) {
		log_warn("keeper", "a wrong passphrase from %s", who);
		audit_job_start(call, AUDIT_KEYS_UNLOCK, AUDIT_DENIED,
		                un_err_slug(UN_ERR_WRONG_PASSPHRASE), on_refusal_recorded, NULL);
		return;
	}
	if (answer->err) {
		rpc_fail(call, answer->err, answer->detail);
		return;
	}
	log_notice("keeper", "unlocked by %s", who);
	plane_unlocked(worker->plane);
	audit_job_start(call, AUDIT_KEYS_UNLOCK, AUDIT_ALLOWED, NULL, on_unlock_recorded, NULL);
}

void
plane_service_unlock(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__UnlockRequest *request = (const Union__V1__UnlockRequest *)message;
	struct plane_worker *worker = rpc_worker(call);
	struct keeper_call how = {on_unlocked, call, UNLOCK_TIMEOUT_MS};
	enum un_err err;

	(void)ctx;
	if (!caller_may(call, AUTHZ_KEYS_UNLOCK, NULL))
		return;
	err = keeper_unlock(worker->keeper, request->sealed_passphrase.data,
	                    request->sealed_passphrase.len, how);
	if (err)
		rpc_fail(call, err, NULL);
}

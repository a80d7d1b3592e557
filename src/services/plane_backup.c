/* union.v1.PlaneService/Backup: the snapshot is taken on a thread of its own, because it may take a
 * second a gigabyte; it is then streamed on the call's loop. One backup at a time. */
#include "services/plane_impl.h"
#include "services/plane_service.h"

#include "audit/audit.h"
#include "base/alloc.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "services/caller.h"
#include "store/backup.h"
#include "union/v1/plane.pb-c.h"

#include <pthread.h>
#include <stdio.h>

struct plane_backup {
	struct plane *plane;
	struct rpc_call *call;
	pthread_t thread;
	struct loop_task ready; /* the snapshot is there, or failed */
	char principal[PRINCIPAL_TEXT_MAX];
	char request_id[AUDIT_REQUEST_MAX + 1];
	struct backup *snapshot;
	struct buf keyring; /* sealed; empty without */
	enum un_err err;
	struct un_detail detail;
	size_t held; /* bytes of `frame` that the stream did not take yet */
	uint8_t frame[BACKUP_FRAME_MAX];
};

static void
finish(struct plane_backup *job)
{
	struct plane *plane = job->plane;

	store_backup_end(job->snapshot);
	buf_fini(&job->keyring);
	mem_free(job);
	atomic_store(&plane->backup_runs, false);
}

/* Sends one frame; UN_ERR_AGAIN keeps it. */
static enum un_err
send_frame(struct plane_backup *job, bool last)
{
	Union__V1__BackupChunk chunk = UNION__V1__BACKUP_CHUNK__INIT;

	chunk.data.data = job->frame;
	chunk.data.len = job->held;
	chunk.last = last;
	return rpc_stream_send(job->call, &chunk.base);
}

static void
send_more(struct rpc_call *call, void *ctx)
{
	struct plane_backup *job = ctx;
	enum un_err err = UN_OK;
	bool last = false;

	if (!caller_sees(call, AUTHZ_PLANE_BACKUP, NULL)) /* not any more */
		err = UN_ERR_DENIED;
	while (!err && !last) {
		if (!job->held)
			err = store_backup_read(job->snapshot, job->frame, sizeof job->frame,
			                        &job->held, &job->detail);
		last = !err && job->held == 0;
		if (!err)
			err = send_frame(job, last);
		if (err == UN_ERR_AGAIN)
			return; /* called again when there is room */
		job->held = 0;
	}
	if (err)
		rpc_fail(call, err, &job->detail);
	else
		rpc_stream_end(call);
	finish(job);
}

static void
on_snapshot(struct loop_task *task)
{
	struct plane_backup *job = task->ctx;
	struct rpc_call *call = job->call;

	(void)pthread_join(job->thread, NULL);
	if (!job->err && rpc_is_cancelled(call))
		job->err = UN_ERR_CANCELLED;
	if (job->err) {
		rpc_fail(call, job->err, &job->detail);
		finish(job);
		return;
	}
	rpc_on_writable(call, send_more, job);
	send_more(call, job);
}

static enum un_err
apply_record(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return audit_append(txn, ctx, detail);
}

static void *
take_snapshot(void *ctx)
{
	struct plane_backup *job = ctx;
	struct backup_header header = {0};
	const struct hash_part part = {job->plane->key, sizeof job->plane->key};
	struct audit_event event = {
		.action = AUDIT_BACKUP,
		.verdict = AUDIT_ALLOWED,
		.principal = job->principal,
		.request_id = job->request_id,
		.reason = job->keyring.len ? "with-keys" : NULL,
	};

	hash_parts(&part, 1, header.fingerprint);
	header.keyring = job->keyring.len ? job->keyring.data : NULL;
	header.keyring_len = job->keyring.len;
	job->err = store_write_wait(job->plane->store, apply_record, &event, &job->detail);
	if (!job->err)
		job->err = store_backup_begin(job->plane->store, &header, &job->snapshot,
		                              &job->detail);
	rpc_call_post(job->call, &job->ready);
	return NULL;
}

static void
begin(struct plane_backup *job)
{
	struct principal who;

	caller_principal(job->call, &who);
	principal_format(&who, job->principal);
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(job->call));
	job->ready = (struct loop_task){.fn = on_snapshot, .ctx = job};
	if (pthread_create(&job->thread, NULL, take_snapshot, job) == 0)
		return;
	rpc_fail(job->call, UN_ERR_NO_MEMORY, NULL);
	finish(job);
}

static void
on_exported(void *context, const struct keeper_answer *answer)
{
	struct plane_backup *job = context;
	enum un_err err = answer->err;

	if (!err)
		err = buf_append(&job->keyring, answer->bytes, answer->len);
	if (err) {
		rpc_fail(job->call, err, answer->detail);
		finish(job);
		return;
	}
	begin(job);
}

void
plane_service_backup(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__BackupRequest *request = (const Union__V1__BackupRequest *)message;
	struct plane_worker *worker = rpc_worker(call);
	struct plane *plane = worker->plane;
	struct plane_backup *job;
	enum un_err err;

	(void)ctx;
	if (!caller_may(call, AUTHZ_PLANE_BACKUP, NULL))
		return;
	if (atomic_exchange(&plane->backup_runs, true)) {
		rpc_failf(call, UN_ERR_BUSY, "another backup is being made");
		return;
	}
	job = mem_zalloc(1, sizeof *job);
	if (!job) {
		atomic_store(&plane->backup_runs, false);
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	job->plane = plane;
	job->call = call;
	buf_init(&job->keyring, BACKUP_KEYRING_MAX, BUF_WIPE);
	if (!request->sealed_passphrase.len) {
		begin(job);
		return;
	}
	err = keeper_export(
		worker->keeper, request->sealed_passphrase.data, request->sealed_passphrase.len,
		(struct keeper_call){.done = on_exported, .context = job, .timeout_ms = 30000});
	if (err) {
		rpc_fail(call, err, NULL);
		finish(job);
	}
}

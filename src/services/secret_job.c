#include "services/secret_job.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "keeper/keeper.h"
#include "services/caller.h"

#include <stdio.h>
#include <string.h>

#define CONFLICTS_MAX 16 /* another update each time: then the caller shall decide */
#define KEEPER_TRIES_MAX 3

struct secret_job {
	struct rpc_call *call;
	struct plane_worker *worker;
	struct secret_job_order order;
	struct secret_job_result result;
	struct secbuf *dek; /* of a plain value, until it is sealed for the keeper */
	struct buf sealed;  /* its sealed value */
	uint8_t travel[TRAVEL_DEK_LEN];
	uint8_t stored[STORED_DEK_LEN];
	unsigned conflicts, keeper_tries;
	char principal[PRINCIPAL_TEXT_MAX];
	char request_id[AUDIT_REQUEST_MAX + 1]; /* the writer thread must not ask the call */
	struct sealing_key_wait key_wait;
	struct store_write write;
	struct loop_task task;
	enum un_err err; /* of the write */
	struct un_detail detail;
};

/* Everything but the call. */
static void
release(struct secret_job *job)
{
	secbuf_free(job->order.value);
	secbuf_free(job->dek);
	buf_fini(&job->sealed);
	job->order.value = NULL;
	job->dek = NULL;
}

static void
fail(struct secret_job *job, enum un_err err, const struct un_detail *detail)
{
	struct un_detail copy = {0};

	release(job);
	if (detail)
		copy = *detail;
	secret_fail(job->call, &job->order.id, err, &copy);
}

void
secret_fail(struct rpc_call *call, const struct secret_id *id, enum un_err err,
            struct un_detail *detail)
{
	struct plane_worker *worker = rpc_worker(call);
	struct caller_filter may;

	if ((err == UN_ERR_SECRET_NOT_FOUND || err == UN_ERR_SECRET_EXISTS) &&
	    store_read_begin(worker->reader, NULL) == UN_OK) {
		(void)caller_filter_init(&may, call, AUTHZ_SECRET_READ, NULL);
		secret_hint_scopes(store_reader_view(worker->reader), id, err, &may.filter,
		                   detail);
	}
	rpc_fail(call, err, detail);
}

static void
succeed(struct secret_job *job)
{
	struct secret_job_result result = job->result;
	struct rpc_call *call = job->call;

	release(job);
	job->order.reply(call, &result);
}

/* --- on the writer thread --- */

static enum un_err
append_audit(struct store_txn *txn, const struct secret_job *job, struct un_detail *detail)
{
	static const enum audit_action actions[] = {
	        [SECRET_JOB_CREATE] = AUDIT_SECRET_CREATE,
	        [SECRET_JOB_UPDATE] = AUDIT_SECRET_UPDATE,
	        [SECRET_JOB_DELETE] = AUDIT_SECRET_DELETE,
	};
	struct audit_event event = {
	        .action = actions[job->order.kind],
	        .verdict = AUDIT_ALLOWED,
	        .principal = job->principal,
	        .secret = &job->order.id,
	        .version = job->result.version,
	        .request_id = job->request_id,
	};

	return audit_append(txn, &event, detail);
}

static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct secret_job *job = ctx;
	struct secret_write write = {
	        .id = &job->order.id,
	        .type = job->order.type,
	        .version = job->result.version,
	        .sealed_value = job->order.sealed_value,
	        .sealed_value_len = job->order.sealed_value_len,
	        .stored_dek = job->stored,
	        .at_us = clock_wall_us(),
	};
	struct secret_head head;
	enum un_err err;

	switch (job->order.kind) {
	case SECRET_JOB_CREATE:
		err = secret_insert(txn, &write, &job->result.novelty, detail);
		break;
	case SECRET_JOB_UPDATE:
		err = secret_add_version(txn, &write, detail);
		break;
	default:
		err = secret_delete(txn, &job->order.id, &head, detail);
		if (err == UN_OK)
			job->result.version = head.version;
		break;
	}
	return err ? err : append_audit(txn, job, detail);
}

/* The job is the loop's again from here on. */
static void
done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct secret_job *job = ctx;

	job->err = err;
	if (err)
		job->detail = *detail;
	rpc_call_post(job->call, &job->task);
}

/* --- on the worker's loop --- */

static void begin(struct secret_job *job);

static void
on_committed(struct loop_task *task)
{
	struct secret_job *job = task->ctx;

	if (job->err == UN_OK)
		succeed(job);
	else if (job->err == UN_ERR_CONFLICT && job->order.kind == SECRET_JOB_UPDATE &&
	         ++job->conflicts < CONFLICTS_MAX)
		begin(job);
	else
		fail(job, job->err, &job->detail);
}

static void
commit(struct secret_job *job)
{
	enum un_err err;

	job->detail = (struct un_detail){0};
	job->task = (struct loop_task){.fn = on_committed, .ctx = job};
	job->write = (struct store_write){.apply = apply, .done = done, .ctx = job};
	err = store_submit(plane_store(job->worker->plane), &job->write);
	if (err)
		fail(job, err, NULL);
}

static void ingest(struct secret_job *job);

static void
on_ingested(void *context, const struct keeper_answer *answer)
{
	struct secret_job *job = context;

	if (answer->err == UN_ERR_UNREACHABLE && ++job->keeper_tries < KEEPER_TRIES_MAX) {
		ingest(job); /* it died under this request: the next one may answer */
		return;
	}
	if (answer->err) {
		fail(job, answer->err, answer->detail);
		return;
	}
	memcpy(job->stored, answer->bytes, STORED_DEK_LEN);
	commit(job);
}

static void
ingest(struct secret_job *job)
{
	enum un_err err = keeper_ingest(job->worker->keeper, &job->order.id, job->result.version,
	                                job->travel, (struct keeper_call){on_ingested, job, 0});

	if (err)
		fail(job, err, NULL);
}

static enum un_err
choose_version(struct secret_job *job, struct un_detail *detail)
{
	struct store_reader *reader = job->worker->reader;
	struct secret_head head;
	enum un_err err;

	job->result.version = 1;
	if (job->order.kind == SECRET_JOB_CREATE)
		return UN_OK;
	err = store_read_begin(reader, detail);
	if (err == UN_OK)
		err = secret_get(store_reader_view(reader), &job->order.id, &head, detail);
	if (err == UN_OK)
		job->result.version = head.version + 1;
	return err;
}

static void
begin(struct secret_job *job)
{
	struct un_detail detail = {0};
	enum un_err err;

	if (job->order.kind == SECRET_JOB_DELETE) {
		commit(job);
		return;
	}
	err = choose_version(job, &detail);
	if (err)
		fail(job, err, &detail);
	else
		ingest(job);
}

/* The DEK of a plain value goes to the keeper as any client's would. */
static void
on_key(void *context, const struct sealing_key *key, enum un_err err,
       const struct un_detail *detail)
{
	struct secret_job *job = context;

	if (err == UN_OK)
		err = envelope_seal_travel(key->sender, &job->order.id, job->dek, job->travel);
	secbuf_free(job->dek);
	job->dek = NULL;
	if (err)
		fail(job, err, detail);
	else
		begin(job);
}

/* The value is gone from memory when this returns. */
static enum un_err
seal_value(struct secret_job *job)
{
	enum un_err err = dek_new(&job->dek);

	if (err == UN_OK)
		err = envelope_seal_value(job->dek, &job->order.id, job->order.value, &job->sealed);
	secbuf_free(job->order.value);
	job->order.value = NULL;
	job->order.sealed_value = job->sealed.data;
	job->order.sealed_value_len = job->sealed.len;
	return err;
}

static void
start_plain(struct secret_job *job)
{
	enum un_err err = seal_value(job);

	if (err) {
		fail(job, err, NULL);
		return;
	}
	job->key_wait = (struct sealing_key_wait){.done = on_key, .context = job};
	sealing_key_get(job->order.keys, job->worker, &job->key_wait);
}

void
secret_job_start(struct rpc_call *call, const struct secret_job_order *order)
{
	struct secret_job *job = rpc_alloc(call, sizeof *job);
	struct principal principal;

	if (!job) {
		secbuf_free(order->value);
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	job->call = call;
	job->worker = rpc_worker(call);
	job->order = *order;
	buf_init(&job->sealed, SECRET_SEALED_MAX, BUF_PLAIN);
	caller_principal(call, &principal);
	principal_format(&principal, job->principal);
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(call));
	if (order->value) {
		start_plain(job);
		return;
	}
	if (order->kind != SECRET_JOB_DELETE)
		memcpy(job->travel, order->travel_dek, TRAVEL_DEK_LEN);
	begin(job);
}

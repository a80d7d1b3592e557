#include "services/audit_job.h"

#include "services/caller.h"
#include "services/plane.h"

#include <stdio.h>

struct audit_job {
	struct rpc_call *call;
	struct audit_event event;
	char request_id[AUDIT_REQUEST_MAX + 1];
	audit_job_done *done;
	void *context;
	struct store_write write;
	struct loop_task task;
	enum un_err err;
	struct un_detail detail;
};

static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct audit_job *job = ctx;

	return audit_append(txn, &job->event, detail);
}

static void
on_durable(struct loop_task *task)
{
	struct audit_job *job = task->ctx;

	job->done(job->call, job->err, &job->detail, job->context);
}

/* On the writer thread. */
static void
written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct audit_job *job = ctx;

	job->err = err;
	if (err)
		job->detail = *detail;
	rpc_call_post(job->call, &job->task);
}

void
audit_job_record(struct rpc_call *call, const struct audit_event *event, audit_job_done *done,
                 void *context)
{
	struct plane_worker *worker = rpc_worker(call);
	struct audit_job *job = rpc_alloc(call, sizeof *job);
	enum un_err err;

	if (!job) {
		done(call, UN_ERR_NO_MEMORY, NULL, context);
		return;
	}
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(call));
	job->call = call;
	job->done = done;
	job->context = context;
	job->event = *event;
	job->event.request_id = job->request_id;
	job->task = (struct loop_task){.fn = on_durable, .ctx = job};
	job->write = (struct store_write){.apply = apply, .done = written, .ctx = job};
	err = store_submit(plane_store(worker->plane), &job->write);
	if (err)
		done(call, err, NULL, context);
}

void
audit_job_start(struct rpc_call *call, enum audit_action action, enum audit_verdict verdict,
                const char *reason, audit_job_done *done, void *context)
{
	char *text = rpc_alloc(call, PRINCIPAL_TEXT_MAX);
	struct audit_event event = {
		.action = action, .verdict = verdict, .principal = text, .reason = reason};
	struct principal principal;

	if (!text) {
		done(call, UN_ERR_NO_MEMORY, NULL, context);
		return;
	}
	caller_principal(call, &principal);
	principal_format(&principal, text);
	audit_job_record(call, &event, done, context);
}

/* union.v1.AttemptService: what launchers call. A ticket or a lease in the request is the
 * permission; who holds it needs no other, and who does not is told nothing but that. */
#include "services/audit_notes.h"
#include "services/plane.h"
#include "services/run_services_impl.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/text.h"

#include <string.h>

/* Whoever shows a ticket or a lease that is none is a stranger: recorded, summed by address, and
 * nothing of what was shown. */
static void
refuse_stranger(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	if (err == UN_ERR_BAD_TICKET)
		audit_stranger(call, err);
	rpc_fail(call, err, detail);
}

static void
refuse(struct run_job *job)
{
	refuse_stranger(job->call, job->err, &job->detail);
}

static void
start(struct rpc_call *call, struct run_services *services, const ProtobufCMessage *request,
      enum un_err (*work)(struct run_job *job, bool *later), void (*reply)(struct run_job *job))
{
	struct run_job *job = run_job_new(call, services, request);

	if (job == NULL)
		return;
	job->work = work;
	job->reply = reply;
	job->refuse = refuse;
	run_job_post(job);
}

/* ---- claim ---- */

static void
claimed(void *ctx, enum un_err err, const struct un_detail *detail, struct runs_claimed *result)
{
	struct run_job *job = ctx;

	job->claimed = result;
	run_job_done(job, err, detail);
}

static enum un_err
claim_work(struct run_job *job, bool *later)
{
	const Union__V1__ClaimRequest *request = (const void *)job->request;
	const struct runs_claim claim = {.ticket = job->ticket,
	                                 .public_key = request->public_key.data,
	                                 .request_id = job->request_id};

	*later = true;
	runs_claim(job->services->runs, &claim, claimed, job);
	return UN_OK;
}

static void
claim_reply(struct run_job *job)
{
	struct runs_claimed *result = job->claimed;

	secbuf_free(job->ticket);
	rpc_reply(job->call, &result->response.base);
	runs_claimed_free(result);
}

static void
claim_refuse(struct run_job *job)
{
	secbuf_free(job->ticket);
	refuse(job);
}

static void
claim(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ClaimRequest *request = (const void *)message;
	struct run_job *job;
	enum un_err err;

	if (request->public_key.len != BOX_PUBLIC_LEN || request->ticket.len < TICKET_LEN_MIN ||
	    request->ticket.len > TICKET_LEN_MAX) {
		refuse_stranger(call, UN_ERR_BAD_TICKET, NULL);
		return;
	}
	job = run_job_new(call, ctx, message);
	if (job == NULL)
		return;
	err = secbuf_copy(request->ticket.data, request->ticket.len, &job->ticket);
	if (err) {
		rpc_fail(call, err, NULL);
		return;
	}
	job->work = claim_work;
	job->reply = claim_reply;
	job->refuse = claim_refuse;
	run_job_post(job);
}

/* ---- heartbeat, logs, finish ---- */

static enum un_err
heartbeat_work(struct run_job *job, bool *later)
{
	const Union__V1__HeartbeatRequest *request = (const void *)job->request;

	(void)later;
	return runs_heartbeat(job->services->runs, request->lease.data, request->lease.len,
	                      &job->cancel);
}

static void
heartbeat_reply(struct run_job *job)
{
	Union__V1__HeartbeatResponse response = UNION__V1__HEARTBEAT_RESPONSE__INIT;

	response.cancel = job->cancel;
	rpc_reply(job->call, &response.base);
}

static void
heartbeat(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	start(call, ctx, message, heartbeat_work, heartbeat_reply);
}

static enum un_err
push_logs_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_push_logs(job->services->runs, (const void *)job->request, &job->detail);
}

static void
push_logs_reply(struct run_job *job)
{
	Union__V1__PushLogsResponse response = UNION__V1__PUSH_LOGS_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static void
push_logs(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	start(call, ctx, message, push_logs_work, push_logs_reply);
}

static enum un_err
finish_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_finish(job->services->runs, (const void *)job->request, &job->detail);
}

static void
finish_reply(struct run_job *job)
{
	Union__V1__FinishResponse response = UNION__V1__FINISH_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static void
finish(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	start(call, ctx, message, finish_work, finish_reply);
}

const struct rpc_method attempt_methods[] = {
	{.name = "Claim",
	 .input = &union__v1__claim_request__descriptor,
	 .output = &union__v1__claim_response__descriptor,
	 .handler = claim,
	 .flags = RPC_SENSITIVE},
	{.name = "Heartbeat",
	 .input = &union__v1__heartbeat_request__descriptor,
	 .output = &union__v1__heartbeat_response__descriptor,
	 .handler = heartbeat,
	 .flags = RPC_SENSITIVE},
	{.name = "PushLogs",
	 .input = &union__v1__push_logs_request__descriptor,
	 .output = &union__v1__push_logs_response__descriptor,
	 .handler = push_logs,
	 .flags = RPC_SENSITIVE},
	{.name = "Finish",
	 .input = &union__v1__finish_request__descriptor,
	 .output = &union__v1__finish_response__descriptor,
	 .handler = finish,
	 .flags = RPC_SENSITIVE,
	 .request_max = 16u << 20},
};
const size_t attempt_method_count = sizeof attempt_methods / sizeof attempt_methods[0];

/* ---- the code bundle ---- */

/* Lives from the request to whichever is later: the scheduler's answer, or the end of the call. All
 * on the call's loop but `work`. */
struct fetch {
	struct loop_task task;
	struct run_services *services;
	struct loop *loop;
	struct web_call *call; /* NULL once it has ended */
	struct secbuf *lease;
	bool answered;
	enum un_err err;
	struct un_detail detail;
	int fd;
	uint64_t len;
};

static void
fetch_free(struct fetch *fetch)
{
	secbuf_free(fetch->lease);
	io_close(&fetch->fd);
	mem_free(fetch);
}

/* A lease that is none is a stranger's. */
static void
fetch_refuse(struct web_call *call, enum un_err err, const struct un_detail *detail)
{
	struct plane_worker *worker = web_worker(call);

	if (err == UN_ERR_BAD_TICKET)
		audit_stranger_web(worker->notes, web_peer(call), err);
	web_fail(call, err, detail);
}

static void
fetch_back(struct loop_task *task)
{
	struct fetch *fetch = task->ctx;

	fetch->answered = true;
	if (fetch->call == NULL) {
		fetch_free(fetch);
		return;
	}
	if (fetch->err) {
		fetch_refuse(fetch->call, fetch->err, &fetch->detail);
		return;
	}
	web_reply_file(fetch->call, fetch->fd, fetch->len, "application/gzip");
	fetch->fd = -1; /* the call's now */
}

static void
fetch_work(struct loop_task *task)
{
	struct fetch *fetch = task->ctx;

	fetch->err = runs_open_bundle(fetch->services->runs, secbuf_peek(fetch->lease),
	                              secbuf_len(fetch->lease), &fetch->fd, &fetch->len,
	                              &fetch->detail);
	fetch->task = (struct loop_task){.fn = fetch_back, .ctx = fetch};
	loop_post_task(fetch->loop, &fetch->task);
}

static enum un_err
lease_of(const struct web_call *call, struct secbuf **ret_lease)
{
	const char *header = web_header(call, "authorization");
	struct buf decoded;
	enum un_err err;

	if (header == NULL || strncmp(header, "Bearer ", 7) != 0 || strlen(header) > 7 + 64)
		return UN_ERR_BAD_TICKET;
	buf_init(&decoded, LEASE_LEN, BUF_WIPE);
	err = text_decode_base64(header + 7, strlen(header + 7), &decoded);
	if (!err && decoded.len == LEASE_LEN)
		err = secbuf_copy(decoded.data, decoded.len, ret_lease);
	else
		err = UN_ERR_BAD_TICKET;
	buf_fini(&decoded);
	return err;
}

static void
fetch_request(struct web_call *call, void *ctx)
{
	struct fetch *fetch = mem_zalloc(1, sizeof *fetch);
	enum un_err err;

	if (fetch == NULL) {
		web_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	fetch->fd = -1;
	err = lease_of(call, &fetch->lease);
	if (err) {
		fetch_free(fetch);
		fetch_refuse(call, err, NULL);
		return;
	}
	fetch->services = ctx;
	fetch->loop = web_loop(call);
	fetch->call = call;
	web_set_state(call, fetch);
	fetch->task = (struct loop_task){.fn = fetch_work, .ctx = fetch};
	loop_post_task(fetch->services->loop, &fetch->task);
}

static void
fetch_close(struct web_call *call, void *ctx)
{
	struct fetch *fetch = web_state(call);

	(void)ctx;
	if (fetch == NULL)
		return;
	fetch->call = NULL;
	if (fetch->answered)
		fetch_free(fetch);
}

const struct http_route bundle_route = {
	.method = "GET",
	.path = RUNS_BUNDLE_PATH,
	.on_request = fetch_request,
	.on_close = fetch_close,
};

/* union.v1.AuditService/ExportAudit. A head is signed over what there is now; then the trail up to
 * there and the keeper's journal are streamed, each read as the stream takes it: entries do not
 * change. */
#include "services/audit_service.h"

#include "audit/export.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "keeper/journal_file.h"
#include "services/audit_job.h"
#include "services/caller.h"
#include "services/plane_impl.h"
#include "union/v1/audit.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PIECE_LEN (64u << 10)

struct export_job {
	struct rpc_call *call;
	struct plane *plane;
	struct plane_worker *worker;
	struct audit_clock_sign sign;
	struct loop_task signed_task;
	enum un_err err;
	struct un_detail detail;
	struct export_header header;
	struct signed_head head; /* at the end */
	struct journal_reader *journal;
	uint64_t seq; /* of the last entry in the export */
	struct buf piece;
	bool last; /* `piece` holds the end */
	bool accepts_restore;
};

static void
finish(struct export_job *job)
{
	journal_reader_free(job->journal);
	buf_fini(&job->piece);
	mem_free(job);
}

static void
fail(struct export_job *job, enum un_err err, const struct un_detail *detail)
{
	rpc_fail(job->call, err, detail);
	finish(job);
}

static bool
is_full(const struct export_job *job)
{
	return job->piece.len >= PIECE_LEN - EXPORT_FRAME_MAX;
}

/* The journal up to entry `count`, as far as the piece has room. */
static enum un_err
put_journal(struct export_job *job, uint64_t count, bool *ret_done)
{
	struct journal_entry entry;
	const uint8_t *bytes;
	size_t len = 1;
	enum un_err err = UN_OK;

	while (!err && len && journal_reader_peek(job->journal)->count < count && !is_full(job)) {
		err = journal_reader_next(job->journal, &entry, &bytes, &len);
		if (!err && len)
			err = export_frame_pack(&job->piece, EXPORT_JOURNAL_ENTRY, bytes, len);
	}
	/* a journal that ends too soon is for the checker to find */
	*ret_done = !len || journal_reader_peek(job->journal)->count >= count;
	return err;
}

static bool
is_of_this_journal(const struct export_job *job, const struct signed_head *head)
{
	return bytes_equal(journal_reader_peek(job->journal)->id, head->journal_id,
	                   JOURNAL_ID_LEN);
}

static bool
put_entry(void *ctx, const struct audit_record *record, const uint8_t *entry, size_t len)
{
	struct export_job *job = ctx;
	uint8_t bytes[EXPORT_FRAME_MAX];
	bool done = true;

	if (record->seq > job->head.count || is_full(job) || len > sizeof bytes - HASH_LEN - 16)
		return false;
	if (record->has_head && is_of_this_journal(job, &record->head))
		job->err = put_journal(job, record->head.journal_count, &done);
	if (job->err || !done)
		return false;
	memcpy(bytes, entry, len);
	memcpy(bytes + len, record->hash, HASH_LEN);
	job->err = export_frame_pack(&job->piece, EXPORT_ENTRY, bytes, len + HASH_LEN);
	job->seq = record->seq;
	return !job->err;
}

static enum un_err
put_end(struct export_job *job)
{
	uint8_t bytes[SIGNED_HEAD_LEN];
	bool done = true;
	enum un_err err = UN_OK;

	if (is_of_this_journal(job, &job->head))
		err = put_journal(job, job->head.journal_count, &done);
	if (err || !done)
		return err;
	head_pack(&job->head, bytes);
	job->last = true;
	return export_frame_pack(&job->piece, EXPORT_END, bytes, sizeof bytes);
}

/* Fills the piece that is sent next. */
static enum un_err
fill(struct export_job *job)
{
	uint64_t before = job->seq;
	size_t len = job->piece.len;
	enum un_err err;

	job->err = UN_OK;
	if (job->seq >= job->head.count)
		return put_end(job);
	err = store_read_begin(job->worker->reader, &job->detail);
	if (!err)
		err = audit_walk(store_reader_view(job->worker->reader), job->seq, put_entry, job,
		                 &job->detail);
	if (!err)
		err = job->err;
	if (!err && job->seq == before && job->piece.len == len)
		err = un_fail(&job->detail, UN_ERR_NOT_AUTHENTIC, "audit record %llu is missing",
		              (unsigned long long)before + 1);
	return err;
}

static enum un_err
send_piece(struct export_job *job)
{
	Union__V1__AuditChunk chunk = UNION__V1__AUDIT_CHUNK__INIT;
	enum un_err err;

	chunk.data.data = job->piece.data;
	chunk.data.len = job->piece.len;
	err = rpc_stream_send(job->call, &chunk.base);
	if (!err)
		buf_clear(&job->piece);
	return err;
}

static void
send_more(struct rpc_call *call, void *ctx)
{
	struct export_job *job = ctx;
	enum un_err err = UN_OK;

	while (!err && !(job->last && !job->piece.len)) {
		if (!is_full(job) && !job->last)
			err = fill(job);
		if (!err)
			err = send_piece(job);
		if (err == UN_ERR_AGAIN)
			return; /* called again when there is room */
	}
	if (err) {
		fail(job, err, &job->detail);
		return;
	}
	rpc_stream_end(call);
	finish(job);
}

static enum un_err
open_journal(struct export_job *job)
{
	char path[PLANE_PATH_MAX];
	enum un_err err;
	int fd;

	(void)snprintf(path, sizeof path, "%s/keys", plane_data_dir(job->plane));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return un_fail_errno(&job->detail, errno, "cannot open the folder of the keys");
	err = journal_reader_open(fd, &job->journal);
	io_close(&fd);
	return err;
}

static enum un_err
put_begin(struct export_job *job)
{
	uint8_t bytes[JOURNAL_HEADER_LEN];
	struct journal_position unused;
	enum un_err err = export_header_pack(&job->piece, &job->header);

	journal_header_pack(journal_reader_peek(job->journal)->id, bytes, &unused);
	return err ? err
	           : export_frame_pack(&job->piece, EXPORT_JOURNAL_HEADER, bytes, sizeof bytes);
}

static void
on_head(struct loop_task *task)
{
	struct export_job *job = task->ctx;
	enum un_err err = job->err;

	if (!err && rpc_is_cancelled(job->call))
		err = UN_ERR_CANCELLED;
	if (!err)
		err = open_journal(job);
	if (!err)
		err = put_begin(job);
	if (err) {
		fail(job, err, &job->detail);
		return;
	}
	rpc_on_writable(job->call, send_more, job);
	send_more(job->call, job);
}

/* On the control loop. */
static void
on_signed(void *ctx, enum un_err err, const struct un_detail *detail,
          const struct signed_head *head)
{
	struct export_job *job = ctx;

	job->err = err;
	if (err && detail)
		job->detail = *detail;
	if (head)
		job->head = *head;
	job->signed_task = (struct loop_task){.fn = on_head, .ctx = job};
	rpc_call_post(job->call, &job->signed_task);
}

static void
on_recorded(struct rpc_call *call, enum un_err err, const struct un_detail *detail, void *context)
{
	struct export_job *job = context;

	(void)call;
	if (err) {
		fail(job, err, detail);
		return;
	}
	job->sign = (struct audit_clock_sign){.done = on_signed, .ctx = job};
	audit_clock_sign(job->plane->audit, &job->sign);
}

static void
on_info(void *context, const struct keeper_answer *answer)
{
	struct export_job *job = context;

	if (answer->err || answer->info->state != KEEPER_OPEN) {
		fail(job, answer->err ? answer->err : UN_ERR_SEALED, answer->detail);
		return;
	}
	memcpy(job->header.plane_public, answer->info->plane_public, BOX_PUBLIC_LEN);
	memcpy(job->header.audit_public, answer->info->audit_public, SIGN_PUBLIC_LEN);
	job->header.created_us = clock_wall_us();
	audit_job_start(job->call, AUDIT_EXPORT, AUDIT_ALLOWED,
	                job->accepts_restore ? "restore-accepted" : NULL, on_recorded, job);
}

void
audit_service_export(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ExportAuditRequest *request = (const void *)message;
	struct plane_worker *worker = rpc_worker(call);
	struct export_job *job;
	enum un_err err;

	(void)ctx;
	if (!caller_may(call, AUTHZ_AUDIT_READ, NULL))
		return;
	job = mem_zalloc(1, sizeof *job);
	if (!job) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	job->call = call;
	job->worker = worker;
	job->plane = worker->plane;
	job->accepts_restore = request->accepts_restore;
	buf_init(&job->piece, 2 * PIECE_LEN, BUF_PLAIN);
	err = keeper_ask_info(worker->keeper, (struct keeper_call){on_info, job, 0});
	if (err)
		fail(job, err, NULL);
}

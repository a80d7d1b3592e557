#include "launch/report.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CALL_MS 10000
#define RETRY_FIRST_MS 20
#define RETRY_MOST_MS 2000
#define NOTE_ROOM 128 /* of the log, for the note that it was cut */

struct reporter {
	struct channel *channel;
	struct secbuf *lease;
	int64_t ttl_ms;
	void (*on_wait)(void *ctx); /* NULL: told, or nobody wants to know */
	void *ctx;
	int event_fd;
	int wake_fd; /* ends every wait of the channel */
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex; /* what is below */
	pthread_cond_t changed;
	struct buf pending;    /* log bytes from `sent` on */
	uint64_t sent;         /* acknowledged */
	int64_t pending_since_ms;
	bool cut;
	int64_t lease_start_ms;
	enum report_state state;
	bool stop;
	bool ask; /* a heartbeat now, whatever the time */
	Union__V1__FinishRequest *finish; /* lent by report_finish */
	int64_t keep_until_ms;            /* then nobody is offered it any more */
	int64_t full_until_ms;            /* then the log does not wait for room any more */
	bool finished;
	enum un_err result;
	struct un_detail detail;
};

enum un_err
report_new(const struct report_plan *plan, struct reporter **ret_reporter)
{
	struct reporter *reporter = mem_zalloc(1, sizeof *reporter);
	pthread_condattr_t attributes;

	if (!reporter) {
		channel_free(plan->channel);
		secbuf_free(plan->lease);
		return UN_ERR_NO_MEMORY;
	}
	reporter->channel = plan->channel;
	reporter->lease = plan->lease;
	reporter->ttl_ms = plan->lease_ttl_ms;
	reporter->lease_start_ms = plan->lease_start_ms;
	reporter->on_wait = plan->on_wait;
	reporter->ctx = plan->ctx;
	buf_init(&reporter->pending, REPORT_LOG_MAX, BUF_PLAIN);
	(void)pthread_mutex_init(&reporter->mutex, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&reporter->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	reporter->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	reporter->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reporter->event_fd < 0 || reporter->wake_fd < 0) {
		report_free(reporter);
		return UN_ERR_IO;
	}
	channel_set_wake(reporter->channel, reporter->wake_fd);
	*ret_reporter = reporter;
	return UN_OK;
}

static void
poke(int fd)
{
	static const uint64_t one = 1;

	(void)!write(fd, &one, sizeof one);
}

/* With a tenth of the lease as margin: killing takes a moment. */
static int64_t
left_ms(const struct reporter *reporter)
{
	int64_t left = reporter->lease_start_ms + reporter->ttl_ms - reporter->ttl_ms / 10 -
	               clock_mono_ms();

	return left > 0 ? left : 0;
}

static ProtobufCBinaryData
lease_field(const struct reporter *reporter)
{
	/* Only read: the generated type knows no const. */
	return (ProtobufCBinaryData){.len = secbuf_len(reporter->lease),
	                             .data = (uint8_t *)(uintptr_t)secbuf_peek(reporter->lease)};
}

static enum un_err
call(struct reporter *reporter, const char *method, const ProtobufCMessage *request,
     const ProtobufCMessageDescriptor *reply_type, ProtobufCMessage **ret_reply)
{
	struct un_detail detail = {0};
	struct channel_call one = {.method = method,
	                           .request = request,
	                           .reply = reply_type,
	                           .deadline_ms = clock_mono_ms() + CALL_MS};
	enum un_err err = channel_unary(reporter->channel, &one, ret_reply, &detail);

	if (err) {
		(void)pthread_mutex_lock(&reporter->mutex);
		reporter->detail = detail;
		(void)pthread_mutex_unlock(&reporter->mutex);
	}
	return err;
}

static void
set_state(struct reporter *reporter, enum report_state state)
{
	(void)pthread_mutex_lock(&reporter->mutex);
	if (reporter->state != REPORT_LOST && reporter->state != state) {
		reporter->state = state;
		poke(reporter->event_fd);
	}
	(void)pthread_mutex_unlock(&reporter->mutex);
}

static enum un_err
heartbeat(struct reporter *reporter)
{
	Union__V1__HeartbeatRequest request = UNION__V1__HEARTBEAT_REQUEST__INIT;
	ProtobufCMessage *reply;
	int64_t start_ms = clock_mono_ms();
	bool cancel;
	enum un_err err;

	(void)pthread_mutex_lock(&reporter->mutex);
	reporter->ask = false;
	(void)pthread_mutex_unlock(&reporter->mutex);
	request.lease = lease_field(reporter);
	err = call(reporter, "/union.v1.AttemptService/Heartbeat", &request.base,
	           &union__v1__heartbeat_response__descriptor, &reply);
	if (err)
		return err;
	cancel = ((Union__V1__HeartbeatResponse *)reply)->cancel;
	channel_message_free(reply);
	(void)pthread_mutex_lock(&reporter->mutex);
	reporter->lease_start_ms = start_ms;
	(void)pthread_mutex_unlock(&reporter->mutex);
	if (cancel)
		set_state(reporter, REPORT_CANCEL);
	return UN_OK;
}

/* Sends one batch. The bytes stay in `pending` until they are acknowledged. */
static enum un_err
push_log(struct reporter *reporter)
{
	Union__V1__PushLogsRequest request = UNION__V1__PUSH_LOGS_REQUEST__INIT;
	ProtobufCMessage *reply;
	uint8_t *copy;
	size_t len;
	enum un_err err;

	(void)pthread_mutex_lock(&reporter->mutex);
	len = reporter->pending.len < REPORT_BATCH_MAX ? reporter->pending.len : REPORT_BATCH_MAX;
	copy = mem_dup(reporter->pending.data, len);
	request.offset = reporter->sent;
	(void)pthread_mutex_unlock(&reporter->mutex);
	if (!copy)
		return UN_ERR_NO_MEMORY;
	request.lease = lease_field(reporter);
	request.data = (ProtobufCBinaryData){.len = len, .data = copy};
	err = call(reporter, "/union.v1.AttemptService/PushLogs", &request.base,
	           &union__v1__push_logs_response__descriptor, &reply);
	mem_free(copy);
	if (err)
		return err;
	channel_message_free(reply);
	(void)pthread_mutex_lock(&reporter->mutex);
	buf_drop_front(&reporter->pending, len);
	reporter->sent += len;
	reporter->pending_since_ms = clock_mono_ms();
	(void)pthread_mutex_unlock(&reporter->mutex);
	return UN_OK;
}

static enum un_err
send_finish(struct reporter *reporter)
{
	ProtobufCMessage *reply;
	enum un_err err;

	reporter->finish->lease = lease_field(reporter);
	err = call(reporter, "/union.v1.AttemptService/Finish", &reporter->finish->base,
	           &union__v1__finish_response__descriptor, &reply);
	if (!err)
		channel_message_free(reply);
	return err;
}

enum job {
	JOB_NONE,
	JOB_HEARTBEAT,
	JOB_LOG,
	JOB_FINISH,
	JOB_END,
};

/* What is to be done now; JOB_NONE: nothing for *ret_wait_ms. Called with the mutex held. */
static enum job
next_job(const struct reporter *reporter, int64_t *ret_wait_ms)
{
	int64_t now_ms = clock_mono_ms();
	int64_t third_ms = reporter->ttl_ms / 3;
	int64_t beat_ms = reporter->lease_start_ms - now_ms +
	                  (third_ms < REPORT_BEAT_MS ? third_ms : REPORT_BEAT_MS);
	int64_t batch_ms = reporter->pending_since_ms + REPORT_BATCH_WAIT_MS - now_ms;

	if (reporter->stop || reporter->finished || reporter->state == REPORT_LOST)
		return JOB_END;
	if (beat_ms <= 0 || reporter->ask)
		return JOB_HEARTBEAT;
	if (reporter->pending.len && (reporter->finish || batch_ms <= 0 ||
	                              reporter->pending.len >= REPORT_BATCH_FULL))
		return JOB_LOG;
	if (reporter->finish)
		return JOB_FINISH;
	*ret_wait_ms = reporter->pending.len && batch_ms < beat_ms ? batch_ms : beat_ms;
	return JOB_NONE;
}

/* Called with the mutex held. */
static void
wait_ms(struct reporter *reporter, int64_t time_ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += time_ms / 1000;
	until.tv_nsec += time_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&reporter->changed, &reporter->mutex, &until);
}

static enum un_err
do_job(struct reporter *reporter, enum job job)
{
	switch (job) {
	case JOB_HEARTBEAT:
		return heartbeat(reporter);
	case JOB_LOG:
		return push_log(reporter);
	case JOB_FINISH:
		return send_finish(reporter);
	default:
		return UN_OK;
	}
}

static void
say_waiting(struct reporter *reporter)
{
	void (*on_wait)(void *ctx) = reporter->on_wait;

	reporter->on_wait = NULL;
	if (on_wait)
		on_wait(reporter->ctx);
}

/* After a failed call: wait and try again, or give the attempt up. */
static void
after_failure(struct reporter *reporter, enum job job, enum un_err err, int *backoff_ms)
{
	bool is_waiting;

	if (err == UN_ERR_BAD_TICKET || err == UN_ERR_UNAUTHENTICATED)
		set_state(reporter, REPORT_LOST);
	(void)pthread_mutex_lock(&reporter->mutex);
	if (job == JOB_FINISH)
		reporter->result = err;
	if (job == JOB_FINISH && !un_err_may_retry(err) && err != UN_ERR_PROTOCOL)
		reporter->finished = true;
	else if (job == JOB_LOG && !un_err_may_retry(err) && err != UN_ERR_PROTOCOL)
		buf_clear(&reporter->pending); /* refused for good: the end matters more */
	else if (job == JOB_LOG && err == UN_ERR_DISK_FULL && reporter->finish &&
	         clock_mono_ms() >= reporter->full_until_ms)
		buf_clear(&reporter->pending); /* and so does it when nobody makes room */
	else if (reporter->finish && clock_mono_ms() >= reporter->keep_until_ms)
		reporter->finished = true;
	else if (!reporter->stop)
		wait_ms(reporter, *backoff_ms);
	is_waiting = reporter->finish && !reporter->finished && reporter->state != REPORT_LOST;
	(void)pthread_mutex_unlock(&reporter->mutex);
	if (is_waiting)
		say_waiting(reporter);
	*backoff_ms = *backoff_ms * 2 < RETRY_MOST_MS ? *backoff_ms * 2 : RETRY_MOST_MS;
}

static void *
run(void *ctx)
{
	struct reporter *reporter = ctx;
	int backoff_ms = RETRY_FIRST_MS;

	for (;;) {
		int64_t time_ms = 0;
		enum job job;
		enum un_err err;

		(void)pthread_mutex_lock(&reporter->mutex);
		while ((job = next_job(reporter, &time_ms)) == JOB_NONE)
			wait_ms(reporter, time_ms);
		(void)pthread_mutex_unlock(&reporter->mutex);
		if (job == JOB_END)
			return NULL;
		err = do_job(reporter, job);
		if (err) {
			after_failure(reporter, job, err, &backoff_ms);
			continue;
		}
		backoff_ms = RETRY_FIRST_MS;
		if (job == JOB_FINISH) {
			(void)pthread_mutex_lock(&reporter->mutex);
			reporter->finished = true;
			reporter->result = UN_OK;
			(void)pthread_mutex_unlock(&reporter->mutex);
		}
	}
}

enum un_err
report_fetch(struct reporter *reporter, struct channel_file *file, uint64_t *ret_size,
             struct un_detail *detail)
{
	file->credential = reporter->lease;
	return channel_get_file(reporter->channel, file, ret_size, detail);
}

enum un_err
report_start(struct reporter *reporter, struct un_detail *detail)
{
	int failed = pthread_create(&reporter->thread, NULL, run, reporter);

	if (failed)
		return un_fail_errno(detail, failed, "cannot start the reporting thread");
	reporter->started = true;
	return UN_OK;
}

/* Called with the mutex held: appends what fits, and a note where the log is cut. */
static enum un_err
append(struct reporter *reporter, const uint8_t *bytes, size_t len)
{
	static const char note[] =
		"\n[union-exec: the log is over its limit; the rest is dropped]\n";
	size_t used = (size_t)reporter->sent + reporter->pending.len, room, fits;
	enum un_err err;

	_Static_assert(sizeof note < NOTE_ROOM, "the note fits");
	if (reporter->cut)
		return UN_OK;
	room = REPORT_LOG_MAX - NOTE_ROOM - used;
	fits = len < room ? len : room;
	err = buf_append(&reporter->pending, bytes, fits);
	if (!err && fits < len) {
		reporter->cut = true;
		err = buf_append(&reporter->pending, note, sizeof note - 1);
	}
	return err;
}

enum un_err
report_log(struct reporter *reporter, const uint8_t *bytes, size_t len)
{
	enum un_err err;

	if (!len)
		return UN_OK;
	(void)pthread_mutex_lock(&reporter->mutex);
	if (!reporter->pending.len)
		reporter->pending_since_ms = clock_mono_ms();
	err = append(reporter, bytes, len);
	(void)pthread_cond_signal(&reporter->changed);
	(void)pthread_mutex_unlock(&reporter->mutex);
	return err;
}

enum report_state
report_state(struct reporter *reporter)
{
	enum report_state state;
	uint64_t count;

	(void)!read(reporter->event_fd, &count, sizeof count);
	(void)pthread_mutex_lock(&reporter->mutex);
	state = reporter->state;
	(void)pthread_mutex_unlock(&reporter->mutex);
	return state;
}

void
report_ask(struct reporter *reporter)
{
	(void)pthread_mutex_lock(&reporter->mutex);
	reporter->ask = true;
	(void)pthread_cond_signal(&reporter->changed);
	(void)pthread_mutex_unlock(&reporter->mutex);
}

int
report_event_fd(const struct reporter *reporter)
{
	return reporter->event_fd;
}

int64_t
report_left_ms(struct reporter *reporter)
{
	int64_t left;

	(void)pthread_mutex_lock(&reporter->mutex);
	left = left_ms(reporter);
	(void)pthread_mutex_unlock(&reporter->mutex);
	return left;
}

static void
join(struct reporter *reporter)
{
	if (reporter->started)
		(void)pthread_join(reporter->thread, NULL);
	reporter->started = false;
}

enum un_err
report_finish(struct reporter *reporter, Union__V1__FinishRequest *finish,
              struct un_detail *detail)
{
	(void)pthread_mutex_lock(&reporter->mutex);
	reporter->full_until_ms = clock_mono_ms() + REPORT_FULL_MS;
	reporter->keep_until_ms =
		clock_mono_ms() +
		(reporter->ttl_ms > REPORT_KEEP_MS ? reporter->ttl_ms : REPORT_KEEP_MS);
	reporter->finish = finish;
	reporter->result = UN_ERR_UNREACHABLE;
	(void)pthread_cond_signal(&reporter->changed);
	(void)pthread_mutex_unlock(&reporter->mutex);
	if (reporter->started)
		join(reporter);
	else
		(void)run(reporter); /* the task was never started: nothing to wait for */
	reporter->finish = NULL;
	if (reporter->state == REPORT_LOST)
		reporter->result = UN_ERR_BAD_TICKET;
	if (reporter->result && detail)
		*detail = reporter->detail;
	return reporter->result;
}

void
report_free(struct reporter *reporter)
{
	if (!reporter)
		return;
	(void)pthread_mutex_lock(&reporter->mutex);
	reporter->stop = true;
	(void)pthread_cond_signal(&reporter->changed);
	(void)pthread_mutex_unlock(&reporter->mutex);
	if (reporter->wake_fd >= 0)
		poke(reporter->wake_fd);
	join(reporter);
	channel_free(reporter->channel);
	secbuf_free(reporter->lease);
	buf_fini(&reporter->pending);
	io_close(&reporter->event_fd);
	io_close(&reporter->wake_fd);
	(void)pthread_cond_destroy(&reporter->changed);
	(void)pthread_mutex_destroy(&reporter->mutex);
	mem_free(reporter);
}

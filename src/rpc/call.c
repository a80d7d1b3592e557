#include "rpc/call.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define CALLS_UNUSED_MAX 64
#define ARENA_FACTOR 16 /* memory of a call, as a multiple of its largest request */
#define ARENA_LEAST (1u << 20)

/* ---- making and releasing ---- */

static void *
arena_take(void *ctx, size_t len)
{
	return arena_cut(ctx, len);
}

static void
arena_leave(void *ctx, void *block)
{
	(void)ctx; /* all of it goes at once, with the call */
	(void)block;
}

static struct rpc_call *
call_new(struct rpc_worker *worker, struct http_stream *stream, const struct rpc_target *target)
{
	struct rpc_call *call = worker->unused;

	if (call) {
		worker->unused = call->next;
		worker->unused_count--;
	} else {
		call = mem_zalloc(1, sizeof *call);
		if (!call)
			return NULL;
		call->worker = worker;
		call->allocator = (ProtobufCAllocator){arena_take, arena_leave, &call->arena};
	}
	call->exchange.kind = EXCHANGE_RPC;
	call->stream = stream;
	call->target = target;
	call->service_name = target->service_name;
	call->body_max = target->method->request_max ? target->method->request_max
	                                             : RPC_REQUEST_MAX_DEFAULT;
	arena_init(&call->arena, call->body_max * ARENA_FACTOR + ARENA_LEAST);
	call->peer = *http_peer(stream);
	call->next = worker->calls;
	call->prev = &worker->calls;
	if (call->next)
		call->next->prev = &call->next;
	worker->calls = call;
	return call;
}

static void
call_reset(struct rpc_call *call)
{
	outq_take(&call->body, outq_len(&call->body));
	outq_trim(&call->body, 16u << 10);
	arena_reset(&call->arena);
	call->stream = NULL;
	call->json = call->gzip_in = call->gzip_out = false;
	call->handling = call->busy = call->ended = call->cancelled = false;
	call->stranger = call->stream_begun = call->wants_room = false;
	call->on_cancel = NULL;
	call->on_writable = NULL;
	call->principal = NULL;
	call->principal_release = NULL;
	call->held = false;
	call->kept = NULL;
	call->request_id[0] = '\0';
}

static void
call_destroy(struct rpc_call *call)
{
	outq_fini(&call->body);
	mem_free(call);
}

void
call_free_unused(struct rpc_worker *worker)
{
	while (worker->unused) {
		struct rpc_call *call = worker->unused;

		worker->unused = call->next;
		call_destroy(call);
	}
}

static void
note_activity(struct rpc_worker *worker, int change)
{
	unsigned active = atomic_load_explicit(&worker->active, memory_order_relaxed);

	atomic_store_explicit(&worker->active, active + (unsigned)change, memory_order_relaxed);
	atomic_store_explicit(&worker->activity_ms, loop_now_ms(worker->loop),
	                      memory_order_relaxed);
}

/* The bytes of a request are counted while they are held. */
static void
drop_body(struct rpc_call *call)
{
	call->worker->body_bytes -= outq_len(&call->body);
	outq_take(&call->body, outq_len(&call->body));
}

static void
call_release(struct rpc_call *call)
{
	struct rpc_worker *worker = call->worker;

	if (call->principal && call->principal_release)
		call->principal_release(call->principal);
	loop_timer_cancel(worker->loop, &call->timer);
	if (call->handling) {
		metric_observe_us(call->target->seconds, clock_mono_us() - call->began_us);
		metric_add(call->target->active, -1);
		note_activity(worker, -1);
	}
	drop_body(call);
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call_reset(call);
	if (worker->unused_count >= CALLS_UNUSED_MAX) {
		call_destroy(call);
		return;
	}
	call->next = worker->unused;
	worker->unused = call;
	worker->unused_count++;
}

/* The client's side is over: what follows goes nowhere. */
static void
detach(struct rpc_call *call)
{
	if (call->stream)
		http_set_state(call->stream, NULL);
	call->stream = NULL;
}

static void
call_end(struct rpc_call *call)
{
	assert(!call->ended);
	detach(call);
	call->ended = true;
	if (!call->busy)
		call_release(call);
}

/* ---- errors ---- */

static void
count_error(const struct rpc_call *call, enum un_err err)
{
	struct metric_def def = {METRIC_COUNTER, "union_rpc_errors_total",
	                         "calls that failed, by method and error", NULL};
	struct metric *metric;
	char labels[320];

	(void)snprintf(labels, sizeof labels, "method=\"%s/%s\",error=\"%s\"",
	               call->target->service->names[0], call->target->method->name,
	               un_err_slug(err));
	def.labels = labels;
	if (!metrics_add(call->worker->server->metrics, &def, &metric))
		metric_add(metric, 1);
}

static void
send_error(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	count_error(call, err);
	if (err == UN_ERR_INTERNAL)
		log_error("rpc", "%s failed: %s", call->target->path, un_message(err, detail));
	if (call->stream)
		reply_error(call, err, detail);
}

/* Room for the end of a held call; NULL: it fails now. Its author is done with it. */
static struct call_kept *
keep(struct rpc_call *call)
{
	struct call_kept *kept = rpc_alloc(call, sizeof *kept);

	assert(!call->kept && !call->ended);
	call->on_cancel = NULL;
	call->on_writable = NULL;
	call->wants_room = false;
	if (!kept) {
		static struct call_kept no_memory = {.err = UN_ERR_NO_MEMORY};

		kept = &no_memory;
	}
	call->kept = kept;
	return kept->err ? NULL : kept;
}

void
rpc_fail(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	assert(err != UN_OK);
	if (call->held) {
		struct call_kept *kept = keep(call);

		if (kept) {
			kept->err = err;
			if (detail)
				kept->detail = *detail;
		}
		return;
	}
	send_error(call, err, detail);
	call_end(call);
}

void
rpc_failf(struct rpc_call *call, enum un_err err, const char *format, ...)
{
	struct un_detail detail = {.hint = ""};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(detail.message, sizeof detail.message, format, args);
	va_end(args);
	rpc_fail(call, err, &detail);
}

/* ---- cancellation ---- */

static void
cancel(struct rpc_call *call)
{
	void (*fn)(struct rpc_call *, void *) = call->on_cancel;

	detach(call);
	loop_timer_cancel(call->worker->loop, &call->timer);
	call->cancelled = true;
	call->on_cancel = NULL;
	if (!fn || call->ended)
		return;
	call->busy = true;
	fn(call, call->cancel_ctx);
	call->busy = false;
	if (call->ended)
		call_release(call);
}

static void
deadline_passed(struct loop_timer *timer)
{
	struct rpc_call *call = timer->ctx;
	const struct un_detail detail = {.message = "the call ran into its deadline"};

	send_error(call, UN_ERR_TIMEOUT, &detail);
	cancel(call);
}

void
call_on_close(struct rpc_call *call)
{
	call->stream = NULL;
	if (call->handling)
		cancel(call);
	else
		call_release(call);
}

void
call_cancel_all(struct rpc_worker *worker)
{
	struct rpc_call *call = worker->calls;

	while (call) {
		if (call->cancelled) {
			call = call->next;
			continue;
		}
		send_error(call, UN_ERR_SHUTTING_DOWN, NULL);
		if (call->handling)
			cancel(call);
		else
			call_end(call);
		call = worker->calls; /* what was called may have ended others too */
	}
}

/* Unary calls end soon anyway, and what they have begun may not be undone. */
static bool
is_unwelcome(const struct rpc_call *call)
{
	const struct server_options *options = &call->worker->server->options;

	return call->handling && !call->cancelled && !call->held && call->principal &&
	       call->target->method->server_streaming &&
	       !options->is_welcome(call, options->authenticate_ctx);
}

void
call_recheck_all(struct rpc_worker *worker)
{
	static const struct un_detail detail = {
		.message = "the login that asked for this has ended"};
	struct rpc_call *call = worker->server->options.is_welcome ? worker->calls : NULL;

	while (call) {
		if (!is_unwelcome(call)) {
			call = call->next;
			continue;
		}
		send_error(call, UN_ERR_UNAUTHENTICATED, &detail);
		cancel(call);
		call = worker->calls; /* what was called may have ended others too */
	}
}

/* ---- the request ---- */

static enum un_err
authenticate(struct rpc_call *call, struct un_detail *detail)
{
	const struct server_options *options = &call->worker->server->options;

	if (!options->authenticate || call->target->method->flags & RPC_ANONYMOUS)
		return UN_OK;
	return options->authenticate(call, options->authenticate_ctx, detail);
}

static void
run_handler(struct rpc_call *call, const ProtobufCMessage *message)
{
	const struct rpc_method *method = call->target->method;

	call->busy = true;
	method->handler(call, call->target->service->ctx, message);
	call->busy = false;
	if (call->ended) {
		call_release(call);
		return;
	}
	if (method->server_streaming && call->stream && !call->stream_begun && !call->held)
		reply_stream_begin(call);
	if (call->deadline_ms == INT64_MAX)
		return;
	call->timer = (struct loop_timer){.fn = deadline_passed, .ctx = call};
	if (loop_timer_set(call->worker->loop, &call->timer, call->deadline_ms)) {
		send_error(call, UN_ERR_NO_MEMORY, NULL);
		cancel(call);
	}
}

void
call_on_end(struct rpc_call *call)
{
	ProtobufCMessage *message = NULL;
	struct un_detail detail;
	enum un_err err;

	call->handling = true;
	call->began_us = clock_mono_us();
	metric_add(call->target->active, 1);
	note_activity(call->worker, 1);
	detail.message[0] = detail.hint[0] = '\0';
	if (call->stranger) {
		err = authenticate(call, &detail);
		err = err ? err : UN_ERR_UNAUTHENTICATED;
		if (call->worker->server->options.refused)
			call->worker->server->options.refused(call, err);
	} else {
		err = decode_body(call, &message, &detail);
	}
	drop_body(call);
	if (err) {
		if (err == UN_ERR_TOO_LARGE)
			http_count(call->stream, NET_LIMIT_BODY);
		rpc_fail(call, err, &detail);
		return;
	}
	run_handler(call, message);
}

void
call_on_body(struct rpc_call *call, const uint8_t *bytes, size_t len)
{
	struct rpc_worker *worker = call->worker;
	const struct net_limits *limits = http_worker_limits(worker->http);

	if (call->stranger)
		return;
	if (outq_len(&call->body) + len > call->body_max + RPC_ENVELOPE_LEN) {
		http_count(call->stream, NET_LIMIT_BODY);
		rpc_failf(call, UN_ERR_TOO_LARGE, "the request is larger than %zu bytes",
		          call->body_max);
		return;
	}
	if (worker->body_bytes + len > limits->body_total_max) {
		http_count(call->stream, NET_LIMIT_BODIES);
		rpc_failf(call, UN_ERR_BUSY, "too many large requests at once");
		return;
	}
	if (outq_put(&call->body, bytes, len)) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	worker->body_bytes += len;
}

static void
refuse_head(struct rpc_call *call, int status)
{
	struct http_stream *stream = call->stream;

	detach(call);
	call_release(call);
	switch (status) {
	case 415:
		web_refuse(stream, status, "unimplemented", "no such content type for this method");
		break;
	case 501:
		web_refuse(stream, status, "unimplemented", "this compression is not supported");
		break;
	case 505:
		web_refuse(stream, status, "unimplemented", "gRPC needs HTTP/2");
		break;
	default:
		web_refuse(stream, status, "invalid_argument", "malformed timeout");
		break;
	}
}

static void
name_service(struct rpc_call *call)
{
	size_t len = http_path_len(call->stream) - strlen(call->target->method->name) - 2;
	char *name;

	if (http_path_len(call->stream) == call->target->path_len &&
	    text_equal(http_path(call->stream), call->target->path, call->target->path_len))
		return;
	name = arena_cut(&call->arena, len + 1);
	if (!name)
		return;
	memcpy(name, http_path(call->stream) + 1, len);
	name[len] = '\0';
	call->service_name = name;
}

void
call_on_head(struct http_stream *stream, struct rpc_worker *worker, const struct rpc_target *target)
{
	struct rpc_call *call;
	struct un_detail unsaid;
	uint64_t len = http_body_len(stream);
	int status;

	if (strcmp(http_method(stream), "POST")) {
		web_refuse(stream, 405, "unimplemented", "this path takes POST only");
		return;
	}
	call = call_new(worker, stream, target);
	if (!call) {
		http_abort(stream);
		return;
	}
	http_set_state(stream, call);
	status = decode_head(call);
	if (status) {
		refuse_head(call, status);
		return;
	}
	name_service(call);
	call->stranger = authenticate(call, &unsaid) != UN_OK;
	if (worker->draining)
		rpc_fail(call, UN_ERR_SHUTTING_DOWN, NULL);
	else if (len != UINT64_MAX && len > call->body_max + RPC_ENVELOPE_LEN) {
		http_count(stream, NET_LIMIT_BODY);
		rpc_failf(call, UN_ERR_TOO_LARGE, "the request is larger than %zu bytes",
		          call->body_max);
	}
}

/* ---- what handlers call ---- */

static void
keep_message(struct rpc_call *call, const ProtobufCMessage *message)
{
	struct call_kept *kept = keep(call);

	if (!kept)
		return;
	kept->len = protobuf_c_message_get_packed_size(message);
	kept->packed = rpc_alloc(call, kept->len + 1);
	if (kept->packed)
		protobuf_c_message_pack(message, kept->packed);
	else
		kept->err = UN_ERR_NO_MEMORY;
}

static void
reply_kept(struct rpc_call *call, const struct call_kept *kept)
{
	ProtobufCMessage *message =
		protobuf_c_message_unpack(call->target->method->output, &call->allocator,
	                                  kept->len, kept->packed);

	if (message)
		rpc_reply(call, message);
	else
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
}

void
rpc_hold(struct rpc_call *call)
{
	assert(!call->held && !call->kept);
	call->held = true;
}

void
rpc_unhold(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	struct call_kept *kept = call->kept;

	call->held = false;
	if (!kept && err) {
		send_error(call, err, detail);
		cancel(call);
	} else if (!kept) {
		call_on_writable(call);
	} else if (err || kept->err) {
		rpc_fail(call, err ? err : kept->err, err ? detail : &kept->detail);
	} else if (kept->is_stream_end) {
		rpc_stream_end(call);
	} else {
		reply_kept(call, kept);
	}
}

void
rpc_reply(struct rpc_call *call, const ProtobufCMessage *message)
{
	if (call->held) {
		keep_message(call, message);
		return;
	}
	if (call->stream)
		reply_message(call, message);
	call_end(call);
}

enum un_err
rpc_stream_send(struct rpc_call *call, const ProtobufCMessage *message)
{
	const struct net_limits *limits = http_worker_limits(call->worker->http);

	if (!call->stream)
		return UN_ERR_CANCELLED;
	if (call->held || http_out_pending(call->stream) > limits->output_max) {
		call->wants_room = true;
		return UN_ERR_AGAIN;
	}
	return reply_stream_message(call, message);
}

void
rpc_stream_end(struct rpc_call *call)
{
	if (call->held) {
		struct call_kept *kept = keep(call);

		if (kept)
			kept->is_stream_end = true;
		return;
	}
	if (call->stream)
		reply_stream_end(call);
	call_end(call);
}

void
call_on_writable(struct rpc_call *call)
{
	if (!call->wants_room || !call->on_writable)
		return;
	call->wants_room = false;
	call->busy = true;
	call->on_writable(call, call->writable_ctx);
	call->busy = false;
	if (call->ended)
		call_release(call);
}

void
rpc_on_writable(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *ctx), void *ctx)
{
	call->on_writable = fn;
	call->writable_ctx = ctx;
}

void
rpc_on_cancel(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *ctx), void *ctx)
{
	call->on_cancel = fn;
	call->cancel_ctx = ctx;
}

bool
rpc_is_cancelled(const struct rpc_call *call)
{
	return call->cancelled;
}

int64_t
rpc_deadline_ms(const struct rpc_call *call)
{
	return call->deadline_ms;
}

void
rpc_call_post(struct rpc_call *call, struct loop_task *task)
{
	loop_post_task(call->worker->loop, task);
}

struct loop *
rpc_call_loop(const struct rpc_call *call)
{
	return call->worker->loop;
}

const struct net_peer *
rpc_peer(const struct rpc_call *call)
{
	return &call->peer;
}

void *
rpc_worker(const struct rpc_call *call)
{
	return call->worker->state;
}

const struct rpc_method *
rpc_call_method(const struct rpc_call *call)
{
	return call->target->method;
}

const char *
rpc_call_service(const struct rpc_call *call)
{
	return call->service_name;
}

const char *
rpc_request_id(const struct rpc_call *call)
{
	struct rpc_call *mutable = (struct rpc_call *)(uintptr_t)call;
	uint64_t number[2];

	if (call->request_id[0])
		return call->request_id;
	if (getrandom(number, sizeof number, 0) != (ssize_t)sizeof number)
		number[0] = number[1] = (uint64_t)clock_mono_us();
	(void)snprintf(mutable->request_id, sizeof mutable->request_id, "%016llx%016llx",
	               (unsigned long long)number[0], (unsigned long long)number[1]);
	return call->request_id;
}

const char *
rpc_header(const struct rpc_call *call, const char *name)
{
	return call->stream ? http_header(call->stream, name) : NULL;
}

void
rpc_wipe_header(struct rpc_call *call, const char *name)
{
	if (call->stream)
		http_wipe_header(call->stream, name);
}

const char *
rpc_authority(const struct rpc_call *call)
{
	return call->stream ? http_authority(call->stream) : "";
}

void
rpc_set_principal(struct rpc_call *call, void *principal, void (*release)(void *principal))
{
	call->principal = principal;
	call->principal_release = release;
}

void *
rpc_principal(const struct rpc_call *call)
{
	return call->principal;
}

void *
rpc_alloc(struct rpc_call *call, size_t len)
{
	void *room = arena_cut(&call->arena, len);

	if (room)
		memset(room, 0, len);
	return room;
}

char *
rpc_strdup(struct rpc_call *call, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = arena_cut(&call->arena, len);

	return copy ? memcpy(copy, text, len) : NULL;
}

ProtobufCAllocator *
rpc_allocator(struct rpc_call *call)
{
	return &call->allocator;
}

/* A watch lives on its call's loop and holds no history: how far it has come is one number for the
 * states (`seen`, a change of the execution) and one offset for each log. Whenever something is new
 * it reads from there what there is now. So a slow reader holds nothing but its place, skips states
 * that were over before it looked, and never misses the last one.
 *
 * Order: nodes, then logs, then the execution; its terminal event comes after every log has ended,
 * which is certain because an attempt's log is whole before its end is recorded. */
#include "services/run_watch.h"
#include "services/run_messages.h"
#include "services/run_services_impl.h"

#include "base/alloc.h"
#include "base/io.h"
#include "runs/logs.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PIECE_MAX (32u << 10)
#define PIECES_A_TURN 16

/* One attempt's log. */
struct tail {
	struct tail *next;
	char *node;
	uint32_t place, attempt;
	uint64_t offset;
	int fd;     /* -1: not opened, or done */
	bool whole; /* nothing more will be written */
	bool done;
};

struct watch {
	struct hub_listener listener;
	struct loop_task task;
	atomic_bool queued; /* `task` is on the loop */
	struct rpc_call *call;
	struct run_services *services;
	struct runs_name name;
	int64_t id;
	bool with_states, with_logs, follow;
	Union__V1__LogPosition *const *from; /* of the request, lent */
	size_t from_count;

	char **tasks; /* names of tasks by place; NULL until read */
	size_t node_count;
	int64_t seen;   /* changes up to here were sent */
	int64_t target; /* of the pass that is going on; 0: none */
	uint32_t place; /* in it */
	int sent_state; /* of the execution; -1: none yet */
	struct tail *tails;
	bool closing;
	enum un_err close_err;
	struct un_detail detail;
};

/* ---- life ---- */

static void
watch_free(struct watch *watch)
{
	struct tail *tail;

	while ((tail = watch->tails) != NULL) {
		watch->tails = tail->next;
		io_close(&tail->fd);
		mem_free(tail->node);
		mem_free(tail);
	}
	for (size_t i = 0; i < watch->node_count; i++)
		mem_free(watch->tasks[i]);
	mem_free(watch->tasks);
	mem_free(watch);
}

static void
no_matter(struct rpc_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
}

static void
watch_end(struct watch *watch)
{
	struct rpc_call *call = watch->call;
	struct runs_name name = watch->name;
	enum un_err err = watch->close_err;

	if (err == UN_ERR_DENIED) { /* recorded first: the call may outlive the watch */
		rpc_on_cancel(call, no_matter, NULL);
		rpc_on_writable(call, no_matter, NULL);
	} else if (err)
		rpc_fail(call, err, &watch->detail);
	else
		rpc_stream_end(call);
	watch_free(watch);
	if (err == UN_ERR_DENIED && caller_may(call, AUTHZ_EXECUTION_READ, &name.at) &&
	    caller_may(call, AUTHZ_EXECUTION_LOGS, &name.at))
		rpc_fail(call, err, NULL); /* granted again meanwhile */
}

/* The end, now or when the task that is queued has come round. */
static void
watch_close(struct watch *watch, enum un_err err)
{
	if (watch->closing)
		return;
	hub_remove(watch->services->hub, &watch->listener); /* no new task from here on */
	watch->closing = true;
	watch->close_err = err;
	if (!atomic_load(&watch->queued))
		watch_end(watch);
}

static void
watch_queue(struct watch *watch)
{
	if (!atomic_exchange(&watch->queued, true))
		rpc_call_post(watch->call, &watch->task);
}

static void
watch_woken(struct hub_listener *listener)
{
	watch_queue((struct watch *)(void *)listener);
}

/* ---- states ---- */

struct sending {
	struct watch *watch;
	uint32_t next; /* place after the last one sent */
};

static struct tail *
tail_find(const struct watch *watch, uint32_t place, uint32_t attempt)
{
	struct tail *tail = watch->tails;

	while (tail != NULL && (tail->place != place || tail->attempt != attempt))
		tail = tail->next;
	return tail;
}

static uint64_t
position_of(const struct watch *watch, const char *node, uint32_t attempt)
{
	for (size_t i = 0; i < watch->from_count; i++) {
		if (watch->from[i]->attempt == attempt &&
		    strcmp(watch->from[i]->node_id, node) == 0)
			return watch->from[i]->offset;
	}
	return 0;
}

static enum un_err
tail_add(struct watch *watch, const struct run_node_row *row, uint32_t attempt)
{
	struct tail *tail = mem_zalloc(1, sizeof *tail);
	struct tail **at = &watch->tails;

	if (tail == NULL)
		return UN_ERR_NO_MEMORY;
	tail->fd = -1;
	tail->place = row->place;
	tail->attempt = attempt;
	tail->offset = position_of(watch, row->node, attempt);
	tail->node = mem_strdup(row->node);
	if (tail->node == NULL) {
		mem_free(tail);
		return UN_ERR_NO_MEMORY;
	}
	while (*at != NULL && ((*at)->place < tail->place ||
	                       ((*at)->place == tail->place && (*at)->attempt < attempt)))
		at = &(*at)->next;
	tail->next = *at;
	*at = tail;
	return UN_OK;
}

/* A log for each attempt there has been; all but that of an active one are whole. */
static enum un_err
note_logs(struct watch *watch, const struct run_node_row *row)
{
	for (uint32_t i = 0; i < row->attempts; i++) {
		struct tail *tail = tail_find(watch, row->place, i);
		enum un_err err;

		if (tail == NULL) {
			err = tail_add(watch, row, i);
			if (err)
				return err;
			tail = tail_find(watch, row->place, i);
		}
		if (i + 1 < row->attempts || row->state != NODE_ACTIVE)
			tail->whole = true;
	}
	return UN_OK;
}

static enum un_err
send_node(struct watch *watch, const struct run_node_row *row)
{
	Union__V1__WatchEvent event = UNION__V1__WATCH_EVENT__INIT;
	Union__V1__NodeEvent node = UNION__V1__NODE_EVENT__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Flyteidl__Core__ExecutionError error = FLYTEIDL__CORE__EXECUTION_ERROR__INIT;

	node.node_id = (char *)(uintptr_t)row->node;
	if (row->place < watch->node_count && watch->tasks[row->place] != NULL)
		node.task_name = watch->tasks[row->place];
	node.phase = run_node_phase(row->state);
	node.attempt = row->attempts > 0 ? row->attempts - 1 : 0;
	node.max_attempts = row->max_attempts;
	at.seconds = row->updated_us / 1000000;
	at.nanos = (int32_t)(row->updated_us % 1000000) * 1000;
	node.at = &at;
	if (row->error_code[0] != '\0') {
		error.code = (char *)(uintptr_t)row->error_code;
		error.message = (char *)(uintptr_t)row->error_message;
		error.kind = (Flyteidl__Core__ExecutionError__ErrorKind)row->error_kind;
		node.error = &error;
	}
	event.event_case = UNION__V1__WATCH_EVENT__EVENT_NODE;
	event.node = &node;
	return rpc_stream_send(watch->call, &event.base);
}

static enum un_err
each_node(void *ctx, const struct run_node_row *row)
{
	struct sending *sending = ctx;
	enum un_err err = UN_OK;

	if (sending->watch->with_logs)
		err = note_logs(sending->watch, row);
	if (!err && sending->watch->with_states)
		err = send_node(sending->watch, row);
	if (!err)
		sending->next = row->place + 1;
	return err;
}

/* All nodes newer than `seen`, from where the last turn stopped. UN_ERR_AGAIN: not all yet. */
static enum un_err
send_nodes(struct watch *watch, struct store_view *view, const struct run_row *row)
{
	struct sending sending = {watch, watch->place};
	enum un_err err;

	if (watch->target == 0) {
		if (row->change <= watch->seen)
			return UN_OK;
		watch->target = row->change;
		sending.next = watch->place = 0;
	}
	err = run_node_list(view, watch->id, watch->seen, watch->place, GRAPH_NODES_MAX, each_node,
	                    &sending, &watch->detail);
	watch->place = sending.next;
	if (err)
		return err;
	watch->seen = watch->target;
	watch->target = 0;
	return UN_OK;
}

static enum un_err
send_execution(struct watch *watch, struct store_view *view, struct run_row *row)
{
	Union__V1__WatchEvent event = UNION__V1__WATCH_EVENT__INIT;
	Union__V1__ExecutionEvent execution = UNION__V1__EXECUTION_EVENT__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Flyteidl__Core__ExecutionError error = FLYTEIDL__CORE__EXECUTION_ERROR__INIT;
	Flyteidl__Core__LiteralMap *outputs = NULL;
	struct run_bytes bytes;
	enum un_err err;

	execution.phase = run_phase(row->state);
	at.seconds = row->updated_us / 1000000;
	at.nanos = (int32_t)(row->updated_us % 1000000) * 1000;
	execution.at = &at;
	if (row->error_code[0] != '\0') {
		error.code = (char *)(uintptr_t)row->error_code;
		error.message = (char *)(uintptr_t)row->error_message;
		error.kind = (Flyteidl__Core__ExecutionError__ErrorKind)row->error_kind;
		execution.error = &error;
	} else if (row->abort_cause[0] != '\0') {
		error.code = (char *)(uintptr_t)un_err_slug(UN_ERR_ABORTED);
		error.message = (char *)(uintptr_t)row->abort_cause;
		error.kind = FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__USER;
		execution.error = &error;
	}
	if (row->state == RUN_SUCCEEDED &&
	    run_value_get(view, watch->id, RUN_PLACE_SELF, RUN_OUTPUTS, &bytes, NULL) == UN_OK)
		outputs = flyteidl__core__literal_map__unpack(NULL, bytes.len, bytes.bytes);
	execution.outputs = outputs;
	event.event_case = UNION__V1__WATCH_EVENT__EVENT_EXECUTION;
	event.execution = &execution;
	err = rpc_stream_send(watch->call, &event.base);
	if (outputs != NULL)
		flyteidl__core__literal_map__free_unpacked(outputs, NULL);
	if (!err)
		watch->sent_state = row->state;
	return err;
}

/* ---- logs ---- */

static enum un_err
send_piece(struct watch *watch, const struct tail *tail, uint8_t *bytes, size_t len)
{
	Union__V1__WatchEvent event = UNION__V1__WATCH_EVENT__INIT;
	Union__V1__LogChunk chunk = UNION__V1__LOG_CHUNK__INIT;

	chunk.node_id = tail->node;
	chunk.attempt = tail->attempt;
	chunk.offset = tail->offset;
	chunk.data.data = bytes;
	chunk.data.len = len;
	if (!watch->with_states)
		return rpc_stream_send(watch->call, &chunk.base);
	event.event_case = UNION__V1__WATCH_EVENT__EVENT_LOG;
	event.log = &chunk;
	return rpc_stream_send(watch->call, &event.base);
}

/* *pieces goes down with each piece sent; at 0 the rest waits for the next turn. */
static enum un_err
send_log(struct watch *watch, struct tail *tail, unsigned *pieces)
{
	const struct log_name name = {watch->name.name, watch->id, tail->node, tail->attempt};
	uint8_t bytes[PIECE_MAX];

	if (tail->fd < 0 && logs_open(watch->services->logs_fd, &name, &tail->fd) != UN_OK) {
		tail->done = tail->whole; /* nothing was written (yet) */
		return UN_OK;
	}
	while (*pieces > 0) {
		ssize_t got = pread(tail->fd, bytes, sizeof bytes, (off_t)tail->offset);
		enum un_err err;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			tail->done = tail->whole || got < 0;
			if (tail->done)
				io_close(&tail->fd);
			return UN_OK;
		}
		err = send_piece(watch, tail, bytes, (size_t)got);
		if (err)
			return err;
		tail->offset += (uint64_t)got;
		(*pieces)--;
	}
	return UN_OK;
}

/* *ret_more: there is more for another turn. *ret_whole: every log has been sent to its end. */
static enum un_err
send_logs(struct watch *watch, bool *ret_more, bool *ret_whole)
{
	unsigned pieces = PIECES_A_TURN;

	*ret_whole = true;
	for (struct tail *tail = watch->tails; tail != NULL; tail = tail->next) {
		enum un_err err;

		if (!tail->done) {
			err = send_log(watch, tail, &pieces);
			if (err)
				return err;
		}
		*ret_whole = *ret_whole && tail->done;
	}
	*ret_more = pieces == 0;
	return UN_OK;
}

/* ---- turns ---- */

struct names {
	struct watch *watch;
	int64_t *tasks; /* entity by place */
	enum un_err err;
};

static enum un_err
note_task(void *ctx, const struct run_node_row *row)
{
	struct names *names = ctx;

	if (row->place >= GRAPH_NODES_MAX)
		return UN_ERR_DAMAGED;
	names->tasks[row->place] = row->task;
	if (row->place >= names->watch->node_count)
		names->watch->node_count = row->place + 1;
	return UN_OK;
}

/* The names of the tasks, once: they do not change. */
static enum un_err
read_names(struct watch *watch, struct store_view *view)
{
	struct names names = {.watch = watch};
	struct entity_row row;
	enum un_err err;

	watch->tasks = mem_zalloc(GRAPH_NODES_MAX, sizeof *watch->tasks);
	names.tasks = mem_zalloc(GRAPH_NODES_MAX, sizeof *names.tasks);
	if (watch->tasks == NULL || names.tasks == NULL)
		err = UN_ERR_NO_MEMORY;
	else
		err = run_node_list(view, watch->id, -1, 0, GRAPH_NODES_MAX, note_task, &names,
		                    &watch->detail);
	for (size_t i = 0; i < watch->node_count && !err; i++) {
		err = entity_get_by_id(view, names.tasks[i], &row, &watch->detail);
		if (!err && (watch->tasks[i] = mem_strdup(row.key.name)) == NULL)
			err = UN_ERR_NO_MEMORY;
	}
	mem_free(names.tasks);
	return err;
}

/* Sends what is new. *ret_over: the execution is, and all has been sent. */
static enum un_err
send_all(struct watch *watch, bool *ret_over, bool *ret_more)
{
	struct plane_worker *worker = rpc_worker(watch->call);
	struct store_view *view;
	struct run_row row;
	bool over, whole = true;
	enum un_err err;

	err = store_read_begin(worker->reader, &watch->detail);
	if (err)
		return err;
	view = store_reader_view(worker->reader);
	if (watch->tasks == NULL && watch->with_states)
		err = read_names(watch, view);
	if (!err)
		err = run_get_by_id(view, watch->id, &row, &watch->detail);
	if (!err)
		err = send_nodes(watch, view, &row);
	if (!err && watch->with_logs)
		err = send_logs(watch, ret_more, &whole);
	if (err)
		return err;
	err = run_get_by_id(view, watch->id, &row, &watch->detail); /* lent anew */
	if (err)
		return err;
	over = row.state >= RUN_SUCCEEDED;
	if (watch->with_states && row.state != watch->sent_state && (!over || whole))
		err = send_execution(watch, view, &row);
	*ret_over = !err && whole && (over || (!watch->follow && !*ret_more));
	return err;
}

/* A watch may outlive what allowed it. */
static bool
is_still_allowed(const struct watch *watch)
{
	return caller_sees(watch->call, AUTHZ_EXECUTION_READ, &watch->name.at) &&
	       (!watch->with_logs ||
	        caller_sees(watch->call, AUTHZ_EXECUTION_LOGS, &watch->name.at));
}

static void
watch_turn(struct watch *watch)
{
	bool over = false, more = false;
	enum un_err err = is_still_allowed(watch) ? send_all(watch, &over, &more) : UN_ERR_DENIED;

	/* Followers do not hold up a server that stops: they come again, and go on there. */
	if ((err == UN_ERR_AGAIN || (!err && !over)) && hub_has_stopped(watch->services->hub))
		err = UN_ERR_SHUTTING_DOWN;
	if (err == UN_ERR_AGAIN)
		return; /* on_writable goes on */
	if (err == UN_ERR_CANCELLED)
		watch_close(watch, UN_OK);
	else if (err)
		watch_close(watch, err);
	else if (over)
		watch_close(watch, UN_OK);
	else if (more)
		watch_queue(watch);
}

static void
watch_task(struct loop_task *task)
{
	struct watch *watch = task->ctx;

	atomic_store(&watch->queued, false);
	if (watch->closing)
		watch_end(watch);
	else
		watch_turn(watch);
}

static void
watch_writable(struct rpc_call *call, void *ctx)
{
	struct watch *watch = ctx;

	(void)call;
	if (!watch->closing)
		watch_queue(watch);
}

static void
watch_cancelled(struct rpc_call *call, void *ctx)
{
	(void)call;
	watch_close(ctx, UN_ERR_CANCELLED);
}

/* ---- begin ---- */

static struct watch *
watch_new(struct rpc_call *call, struct run_services *services,
          const Flyteidl__Core__WorkflowExecutionIdentifier *id, bool with_logs)
{
	struct un_detail detail = {0};
	struct runs_name name;
	struct store_view *view;
	struct watch *watch;
	struct run_row row;
	enum un_err err;

	if (!run_name_of(call, id, &name) || !caller_may(call, AUTHZ_EXECUTION_READ, &name.at) ||
	    (with_logs && !caller_may(call, AUTHZ_EXECUTION_LOGS, &name.at)))
		return NULL;
	view = run_view(call);
	if (view == NULL)
		return NULL;
	err = run_get(view, name.at.project, name.at.domain, name.name, &row, &detail);
	if (err == UN_ERR_EXECUTION_NOT_FOUND)
		(void)un_fail(&detail, err, "no execution '%s' in project '%s', domain '%s'",
		              name.name, name.at.project, name.at.domain);
	watch = err ? NULL : mem_zalloc(1, sizeof *watch);
	if (watch == NULL) {
		rpc_fail(call, err ? err : UN_ERR_NO_MEMORY, &detail);
		return NULL;
	}
	watch->call = call;
	watch->services = services;
	watch->name = name;
	watch->id = watch->listener.execution = row.id;
	watch->listener.wake = watch_woken;
	watch->task = (struct loop_task){.fn = watch_task, .ctx = watch};
	watch->sent_state = -1;
	watch->with_logs = with_logs;
	return watch;
}

static void
watch_start(struct watch *watch)
{
	rpc_on_cancel(watch->call, watch_cancelled, watch);
	rpc_on_writable(watch->call, watch_writable, watch);
	hub_add(watch->services->hub, &watch->listener); /* first: nothing comes in between */
	watch_queue(watch);
}

void
run_watch(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__WatchRequest *request = (const void *)message;
	struct watch *watch = watch_new(call, ctx, request->id, request->logs);

	if (watch == NULL)
		return;
	watch->with_states = watch->follow = true;
	watch->from = request->from;
	watch->from_count = request->n_from;
	watch_start(watch);
}

void
run_get_logs(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__GetLogsRequest *request = (const void *)message;
	struct watch *watch = watch_new(call, ctx, request->id, true);

	if (watch == NULL)
		return;
	watch->follow = request->follow;
	watch_start(watch);
}

/* Reading executions, their nodes and their attempts ("task executions"). */
#include "services/admin_service.h"
#include "services/run_messages.h"
#include "services/run_services_impl.h"

#include "runs/execution.h"

#include <string.h>

/* ---- one message from one row ---- */

/* Everything but what needs another read. Copies. */
static Flyteidl__Admin__Execution *
execution_of(struct rpc_call *call, const struct run_row *row)
{
	Flyteidl__Admin__Execution *execution = rpc_alloc(call, sizeof *execution);
	Flyteidl__Admin__ExecutionClosure *closure = rpc_alloc(call, sizeof *closure);
	Flyteidl__Admin__AbortMetadata *abort = rpc_alloc(call, sizeof *abort);

	if (execution == NULL || closure == NULL || abort == NULL)
		return NULL;
	flyteidl__admin__execution__init(execution);
	flyteidl__admin__execution_closure__init(closure);
	flyteidl__admin__abort_metadata__init(abort);
	execution->id = run_execution_id(call, row->project, row->domain, row->name);
	execution->spec = run_unpack(call, &flyteidl__admin__execution_spec__descriptor, row->spec);
	execution->closure = closure;
	closure->phase = run_phase(row->state);
	closure->created_at = closure->started_at = run_timestamp(call, row->created_us);
	closure->updated_at = run_timestamp(call, row->updated_us);
	if (row->ended_us != 0)
		closure->duration = run_duration(call, row->ended_us - row->created_us);
	if (row->state == RUN_ABORTED || row->state == RUN_ABORTING) {
		closure->output_result_case =
		        FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ABORT_METADATA;
		closure->abort_metadata = abort;
		abort->cause = rpc_strdup(call, row->abort_cause);
		if (abort->cause == NULL)
			return NULL;
	} else if (row->error_code[0] != '\0') {
		closure->output_result_case =
		        FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = run_error_message(call, row->error_kind, row->error_code,
		                                   row->error_message);
		if (closure->error == NULL)
			return NULL;
	}
	return execution->id == NULL || execution->spec == NULL ? NULL : execution;
}

static Flyteidl__Admin__NodeExecution *
node_of(struct rpc_call *call, const struct runs_name *name, const struct run_node_row *row)
{
	Flyteidl__Admin__NodeExecution *node = rpc_alloc(call, sizeof *node);
	Flyteidl__Admin__NodeExecutionClosure *closure = rpc_alloc(call, sizeof *closure);
	Flyteidl__Admin__NodeExecutionMetaData *metadata = rpc_alloc(call, sizeof *metadata);
	Flyteidl__Core__NodeExecutionIdentifier *id = rpc_alloc(call, sizeof *id);

	if (node == NULL || closure == NULL || metadata == NULL || id == NULL)
		return NULL;
	flyteidl__admin__node_execution__init(node);
	flyteidl__admin__node_execution_closure__init(closure);
	flyteidl__admin__node_execution_meta_data__init(metadata);
	flyteidl__core__node_execution_identifier__init(id);
	id->node_id = rpc_strdup(call, row->node);
	id->execution_id = run_execution_id(call, name->at.project, name->at.domain, name->name);
	metadata->spec_node_id = id->node_id;
	closure->phase = run_node_phase(row->state);
	closure->created_at = run_timestamp(call, row->created_us);
	closure->started_at = run_timestamp(call, row->started_us);
	closure->updated_at = run_timestamp(call, row->updated_us);
	if (row->ended_us != 0 && row->started_us != 0)
		closure->duration = run_duration(call, row->ended_us - row->started_us);
	if (row->error_code[0] != '\0') {
		closure->output_result_case =
		        FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = run_error_message(call, row->error_kind, row->error_code,
		                                   row->error_message);
		if (closure->error == NULL)
			return NULL;
	}
	node->id = id;
	node->closure = closure;
	node->metadata = metadata;
	return id->node_id == NULL || id->execution_id == NULL ? NULL : node;
}

/* An attempt; the error is the node's, which keeps that of its last failure. */
static Flyteidl__Admin__TaskExecution *
task_execution_of(struct rpc_call *call, const struct run_attempt_row *row,
                  Flyteidl__Core__NodeExecutionIdentifier *node_id,
                  Flyteidl__Core__Identifier *task_id, Flyteidl__Core__ExecutionError *error)
{
	Flyteidl__Admin__TaskExecution *task = rpc_alloc(call, sizeof *task);
	Flyteidl__Admin__TaskExecutionClosure *closure = rpc_alloc(call, sizeof *closure);
	Flyteidl__Core__TaskExecutionIdentifier *id = rpc_alloc(call, sizeof *id);

	if (task == NULL || closure == NULL || id == NULL)
		return NULL;
	flyteidl__admin__task_execution__init(task);
	flyteidl__admin__task_execution_closure__init(closure);
	flyteidl__core__task_execution_identifier__init(id);
	id->task_id = task_id;
	id->node_execution_id = node_id;
	id->retry_attempt = row->number;
	closure->phase = run_attempt_phase(row);
	closure->created_at = run_timestamp(call, row->created_us);
	closure->started_at = run_timestamp(call, row->claimed_us);
	closure->updated_at =
	        run_timestamp(call, row->ended_us != 0 ? row->ended_us : row->created_us);
	if (row->ended_us != 0 && row->claimed_us != 0)
		closure->duration = run_duration(call, row->ended_us - row->claimed_us);
	if (closure->phase == FLYTEIDL__CORE__TASK_EXECUTION__PHASE__FAILED && error != NULL) {
		closure->output_result_case =
		        FLYTEIDL__ADMIN__TASK_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = error;
	}
	task->id = id;
	task->closure = closure;
	return task;
}

/* ---- finding ---- */

struct found {
	struct rpc_call *call;
	struct store_view *view;
	struct runs_name name;
	int64_t id;
	int64_t entity;
	int state;
};

/* The execution of an identifier; its row is lent. False: the call has failed. */
static bool
find_row(struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
         struct found *ret_found, struct run_row *ret_row)
{
	struct un_detail detail = {0};
	enum un_err err;

	*ret_found = (struct found){.call = call};
	if (!run_name_of(call, id, &ret_found->name) ||
	    !caller_may(call, AUTHZ_EXECUTION_READ, &ret_found->name.at))
		return false;
	ret_found->view = run_view(call);
	if (ret_found->view == NULL)
		return false;
	err = run_get(ret_found->view, id->project, id->domain, id->name, ret_row, &detail);
	if (err == UN_ERR_EXECUTION_NOT_FOUND)
		(void)un_fail(&detail, err, "no execution '%s' in project '%s', domain '%s'",
		              id->name, id->project, id->domain);
	if (err) {
		rpc_fail(call, err, &detail);
		return false;
	}
	ret_found->id = ret_row->id;
	ret_found->entity = ret_row->entity;
	ret_found->state = ret_row->state;
	return true;
}

static bool
find_node(struct rpc_call *call, const Flyteidl__Core__NodeExecutionIdentifier *id,
          struct found *ret_found, struct run_node_row *ret_node)
{
	struct run_row row;
	enum un_err err;

	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the node is not named");
		return false;
	}
	if (!find_row(call, id->execution_id, ret_found, &row))
		return false;
	err = run_node_get(ret_found->view, ret_found->id, id->node_id, ret_node, NULL);
	if (err)
		rpc_failf(call, err, "execution '%s' has no node '%.191s'", ret_found->name.name,
		          id->node_id);
	return !err;
}

static void
reply_or_fail(struct rpc_call *call, const ProtobufCMessage *message)
{
	if (message == NULL)
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
	else
		rpc_reply(call, message);
}

/* ---- executions ---- */

/* Which workflow it runs, and where its outputs are told. */
static bool
complete_execution(const struct found *found, Flyteidl__Admin__Execution *execution)
{
	struct rpc_call *call = found->call;
	Flyteidl__Admin__ExecutionClosure *closure = execution->closure;
	struct entity_row entity;

	if (entity_get_by_id(found->view, found->entity, &entity, NULL) == UN_OK) {
		closure->workflow_id = run_identifier(call, &entity.key);
		if (closure->workflow_id == NULL)
			return false;
	}
	if (found->state == RUN_SUCCEEDED) {
		Flyteidl__Admin__LiteralMapBlob *blob = rpc_alloc(call, sizeof *blob);

		if (blob == NULL)
			return false;
		flyteidl__admin__literal_map_blob__init(blob);
		blob->data_case = FLYTEIDL__ADMIN__LITERAL_MAP_BLOB__DATA_VALUES;
		blob->values = run_value(call, found->view, found->id, RUN_PLACE_SELF, RUN_OUTPUTS);
		closure->output_result_case =
		        FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_OUTPUTS;
		closure->outputs = blob;
		return blob->values != NULL;
	}
	return true;
}

void
admin_get_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__WorkflowExecutionGetRequest *request = (const void *)message;
	Flyteidl__Admin__Execution *execution;
	struct found found;
	struct run_row row;

	(void)ctx;
	if (!find_row(call, request->id, &found, &row))
		return;
	execution = execution_of(call, &row);
	if (execution != NULL && !complete_execution(&found, execution))
		execution = NULL;
	reply_or_fail(call, execution == NULL ? NULL : &execution->base);
}

struct listing {
	struct rpc_call *call;
	const struct found *found; /* of nodes */
	void **items;
	size_t count;
	int64_t last;
};

static enum un_err
each_execution(void *ctx, const struct run_row *row)
{
	struct listing *listing = ctx;

	listing->items[listing->count] = execution_of(listing->call, row);
	if (listing->items[listing->count] == NULL)
		return UN_ERR_NO_MEMORY;
	listing->count++;
	listing->last = row->id;
	return UN_OK;
}

void
admin_list_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__ResourceListRequest *request = (const void *)message;
	Flyteidl__Admin__ExecutionList response = FLYTEIDL__ADMIN__EXECUTION_LIST__INIT;
	unsigned limit = run_page(request->limit);
	struct listing listing = {.call = call};
	int64_t before = INT64_MAX;
	struct un_detail detail = {0};
	struct store_view *view;
	enum un_err err;

	(void)ctx;
	if (!caller_may(call, AUTHZ_EXECUTION_READ, NULL) ||
	    !run_token_parse(call, request->token, &before))
		return;
	if (request->filters[0] != '\0') {
		rpc_failf(call, UN_ERR_UNSUPPORTED, "filters are not supported");
		return;
	}
	view = run_view(call);
	if (view == NULL)
		return;
	listing.items = rpc_alloc(call, (limit + 1) * sizeof *listing.items);
	if (listing.items == NULL)
		err = UN_ERR_NO_MEMORY;
	else
		err = run_list(view, request->id == NULL ? "" : request->id->project,
		               request->id == NULL ? "" : request->id->domain, before, limit,
		               each_execution, &listing, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	response.n_executions = listing.count;
	response.executions = (Flyteidl__Admin__Execution **)listing.items;
	if (listing.count == limit)
		response.token = run_token(call, listing.last);
	reply_or_fail(call, response.token == NULL ? NULL : &response.base);
}

void
admin_get_execution_data(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__WorkflowExecutionGetDataRequest *request = (const void *)message;
	Flyteidl__Admin__WorkflowExecutionGetDataResponse response =
	        FLYTEIDL__ADMIN__WORKFLOW_EXECUTION_GET_DATA_RESPONSE__INIT;
	struct found found;
	struct run_row row;

	(void)ctx;
	if (!find_row(call, request->id, &found, &row))
		return;
	response.full_inputs = run_value(call, found.view, found.id, RUN_PLACE_SELF, RUN_INPUTS);
	response.full_outputs = run_value(call, found.view, found.id, RUN_PLACE_SELF, RUN_OUTPUTS);
	reply_or_fail(call, response.full_inputs == NULL || response.full_outputs == NULL ?
	                            NULL :
	                            &response.base);
}

/* ---- nodes ---- */

void
admin_get_node_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionGetRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecution *node;
	struct run_node_row row;
	struct found found;

	(void)ctx;
	if (!find_node(call, request->id, &found, &row))
		return;
	node = node_of(call, &found.name, &row);
	reply_or_fail(call, node == NULL ? NULL : &node->base);
}

static enum un_err
each_node(void *ctx, const struct run_node_row *row)
{
	struct listing *listing = ctx;

	listing->items[listing->count] = node_of(listing->call, &listing->found->name, row);
	if (listing->items[listing->count] == NULL)
		return UN_ERR_NO_MEMORY;
	listing->count++;
	listing->last = row->place;
	return UN_OK;
}

void
admin_list_node_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionListRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecutionList response = FLYTEIDL__ADMIN__NODE_EXECUTION_LIST__INIT;
	unsigned limit = run_page(request->limit);
	struct found found;
	struct listing listing = {.call = call, .found = &found};
	struct un_detail detail = {0};
	struct run_row row;
	int64_t after = -1; /* the token: the last place seen */
	enum un_err err;

	(void)ctx;
	if (!find_row(call, request->workflow_execution_id, &found, &row) ||
	    !run_token_parse(call, request->token, &after))
		return;
	listing.items = rpc_alloc(call, (limit + 1) * sizeof *listing.items);
	if (request->unique_parent_id[0] != '\0' || after >= UINT32_MAX) {
		/* nodes of sub-workflows are nodes of the execution: nobody has children */
		reply_or_fail(call, &response.base);
		return;
	}
	if (listing.items == NULL)
		err = UN_ERR_NO_MEMORY;
	else
		err = run_node_list(found.view, found.id, -1, (uint32_t)(after + 1), limit,
		                    each_node, &listing, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	response.n_node_executions = listing.count;
	response.node_executions = (Flyteidl__Admin__NodeExecution **)listing.items;
	if (listing.count == limit)
		response.token = run_token(call, listing.last);
	reply_or_fail(call, response.token == NULL ? NULL : &response.base);
}

void
admin_get_node_execution_data(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionGetDataRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecutionGetDataResponse response =
	        FLYTEIDL__ADMIN__NODE_EXECUTION_GET_DATA_RESPONSE__INIT;
	struct run_node_row row;
	struct found found;

	(void)ctx;
	if (!find_node(call, request->id, &found, &row))
		return;
	response.full_inputs = run_value(call, found.view, found.id, row.place, RUN_INPUTS);
	response.full_outputs = run_value(call, found.view, found.id, row.place, RUN_OUTPUTS);
	reply_or_fail(call, response.full_inputs == NULL || response.full_outputs == NULL ?
	                            NULL :
	                            &response.base);
}

/* ---- attempts ---- */

/* A node, with what all messages about its attempts share. */
struct node_parts {
	struct found found;
	uint32_t place, attempts;
	Flyteidl__Core__NodeExecutionIdentifier *node_id;
	Flyteidl__Core__Identifier *task_id;
	Flyteidl__Core__ExecutionError *error; /* NULL: none */
};

static bool
find_parts(struct rpc_call *call, const Flyteidl__Core__NodeExecutionIdentifier *id,
           struct node_parts *ret_parts)
{
	Flyteidl__Admin__NodeExecution *node;
	struct run_node_row row;
	struct entity_row entity;
	int64_t task;

	*ret_parts = (struct node_parts){0};
	if (!find_node(call, id, &ret_parts->found, &row))
		return false;
	ret_parts->place = row.place;
	ret_parts->attempts = row.attempts;
	task = row.task;
	node = node_of(call, &ret_parts->found.name, &row);
	if (node != NULL) {
		ret_parts->node_id = node->id;
		if (node->closure->output_result_case ==
		    FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR)
			ret_parts->error = node->closure->error;
		if (entity_get_by_id(ret_parts->found.view, task, &entity, NULL) == UN_OK)
			ret_parts->task_id = run_identifier(call, &entity.key);
	}
	if (ret_parts->task_id == NULL)
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
	return ret_parts->task_id != NULL;
}

static Flyteidl__Admin__TaskExecution *
attempt_of(struct rpc_call *call, const struct node_parts *parts, uint32_t number)
{
	struct run_attempt_row row;

	if (run_attempt_get(parts->found.view, parts->found.id, parts->place, number, &row, NULL) !=
	    UN_OK)
		return NULL;
	return task_execution_of(call, &row, parts->node_id, parts->task_id, parts->error);
}

static bool
find_attempt(struct rpc_call *call, const Flyteidl__Core__TaskExecutionIdentifier *id,
             struct node_parts *ret_parts)
{
	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the attempt is not named");
		return false;
	}
	if (!find_parts(call, id->node_execution_id, ret_parts))
		return false;
	if (id->retry_attempt >= ret_parts->attempts) {
		rpc_failf(call, UN_ERR_NOT_FOUND, "the node has had %u attempts",
		          ret_parts->attempts);
		return false;
	}
	return true;
}

void
admin_get_task_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__TaskExecutionGetRequest *request = (const void *)message;
	Flyteidl__Admin__TaskExecution *task;
	struct node_parts parts;

	(void)ctx;
	if (!find_attempt(call, request->id, &parts))
		return;
	task = attempt_of(call, &parts, request->id->retry_attempt);
	reply_or_fail(call, task == NULL ? NULL : &task->base);
}

void
admin_list_task_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__TaskExecutionListRequest *request = (const void *)message;
	Flyteidl__Admin__TaskExecutionList response = FLYTEIDL__ADMIN__TASK_EXECUTION_LIST__INIT;
	unsigned limit = run_page(request->limit);
	int64_t from = 0; /* the token: the next number */
	struct node_parts parts;

	(void)ctx;
	if (!find_parts(call, request->node_execution_id, &parts) ||
	    !run_token_parse(call, request->token, &from))
		return;
	response.task_executions = rpc_alloc(call, (limit + 1) * sizeof *response.task_executions);
	if (response.task_executions == NULL) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	for (; from < parts.attempts && response.n_task_executions < limit; from++) {
		Flyteidl__Admin__TaskExecution *task = attempt_of(call, &parts, (uint32_t)from);

		if (task == NULL) {
			rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
			return;
		}
		response.task_executions[response.n_task_executions++] = task;
	}
	if (from < parts.attempts)
		response.token = run_token(call, from);
	reply_or_fail(call, response.token == NULL ? NULL : &response.base);
}

void
admin_get_task_execution_data(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__TaskExecutionGetDataRequest *request = (const void *)message;
	Flyteidl__Admin__TaskExecutionGetDataResponse response =
	        FLYTEIDL__ADMIN__TASK_EXECUTION_GET_DATA_RESPONSE__INIT;
	struct node_parts parts;
	int64_t id;

	(void)ctx;
	if (!find_attempt(call, request->id, &parts))
		return;
	id = parts.found.id;
	response.full_inputs = run_value(call, parts.found.view, id, parts.place, RUN_INPUTS);
	/* outputs are those of the attempt that succeeded, which is the last */
	response.full_outputs =
	        request->id->retry_attempt + 1 == parts.attempts ?
	                run_value(call, parts.found.view, id, parts.place, RUN_OUTPUTS) :
	                run_value(call, parts.found.view, id, -2, RUN_OUTPUTS);
	reply_or_fail(call, response.full_inputs == NULL || response.full_outputs == NULL ?
	                            NULL :
	                            &response.base);
}

/* Reading the nodes of executions, and their attempts ("task executions"). */
#include "services/admin_impl.h"
#include "services/admin_service.h"
#include "services/run_messages.h"
#include "services/run_services_impl.h"

#include "runs/execution.h"
#include "runs/outline.h"

#include <string.h>

/* ---- one message from one row ---- */

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
	metadata->spec_node_id = id->node_id; /* its id in its own workflow, where that is known */
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

/* One node that was asked for: of a task, or of a sub-workflow. */
struct node_found {
	struct found found;
	struct outline *outline; /* NULL: a task */
	int scope;               /* of the outline */
	struct run_node_row row; /* lent, or of the outline */
};

static bool
find_scope(struct rpc_call *call, const char *path, struct node_found *ret)
{
	struct un_detail detail = {0};
	struct outline_node node = {.path = path};
	enum un_err err;

	err = outline_new(ret->found.view, ret->found.id, ret->found.entity, &ret->outline,
	                  &detail);
	if (!err) {
		node.scope = ret->scope = outline_find(ret->outline, path);
		err = ret->scope <= OUTLINE_TOP ? UN_ERR_NOT_FOUND :
		                                  outline_row(ret->outline, &node, &ret->row,
		                                              &detail);
	}
	if (err == UN_ERR_NOT_FOUND)
		rpc_failf(call, err, "execution '%s' has no node '%.191s'", ret->found.name.name,
		          path);
	else if (err)
		rpc_fail(call, err, &detail);
	if (err)
		outline_free(ret->outline);
	return !err;
}

/* False: the call has failed. Otherwise node_found_fini. */
static bool
find_node(struct rpc_call *call, const Flyteidl__Core__NodeExecutionIdentifier *id,
          struct node_found *ret)
{
	struct un_detail detail = {0};
	struct run_row row;
	enum un_err err;

	*ret = (struct node_found){.scope = -1};
	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the node is not named");
		return false;
	}
	if (!admin_find_row(call, id->execution_id, &ret->found, &row))
		return false;
	err = run_node_get(ret->found.view, ret->found.id, id->node_id, &ret->row, &detail);
	if (err == UN_ERR_NOT_FOUND)
		return find_scope(call, id->node_id, ret);
	if (err)
		rpc_fail(call, err, &detail);
	return !err;
}

static void
node_found_fini(struct node_found *found)
{
	outline_free(found->outline);
}

static Flyteidl__Admin__NodeExecution *
node_of_found(struct rpc_call *call, const struct node_found *found)
{
	Flyteidl__Admin__NodeExecution *node = node_of(call, &found->found.name, &found->row);

	if (node != NULL)
		node->metadata->is_parent_node = found->scope >= 0;
	return node;
}

/* ---- nodes ---- */

void
admin_get_node_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionGetRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecution *node;
	struct node_found found;

	(void)ctx;
	if (!find_node(call, request->id, &found))
		return;
	node = node_of_found(call, &found);
	node_found_fini(&found);
	admin_reply(call, node == NULL ? NULL : &node->base);
}

/* A page of the nodes in one scope; the token is the place of the next one. */
struct node_page {
	struct outline *outline;
	int scope;
	size_t from;
	unsigned limit;
};

static enum un_err
list_nodes(struct rpc_call *call, const struct runs_name *name, const struct node_page *page,
           Flyteidl__Admin__NodeExecutionList *response, struct un_detail *detail)
{
	size_t count = outline_count(page->outline, page->scope), at = page->from;

	response->node_executions =
		rpc_alloc(call, (page->limit + 1) * sizeof *response->node_executions);
	if (response->node_executions == NULL)
		return UN_ERR_NO_MEMORY;
	for (; at < count && response->n_node_executions < page->limit; at++) {
		struct outline_node listed = outline_node(page->outline, page->scope, at);
		Flyteidl__Admin__NodeExecution *node;
		struct run_node_row row;
		enum un_err err = outline_row(page->outline, &listed, &row, detail);

		if (err)
			return err;
		node = node_of(call, name, &row);
		if (node == NULL)
			return UN_ERR_NO_MEMORY;
		node->metadata->is_parent_node = listed.scope >= 0;
		node->metadata->spec_node_id = rpc_strdup(call, listed.id);
		if (node->metadata->spec_node_id == NULL)
			return UN_ERR_NO_MEMORY;
		response->node_executions[response->n_node_executions++] = node;
	}
	if (at < count)
		response->token = run_token(call, (int64_t)at);
	return response->token == NULL ? UN_ERR_NO_MEMORY : UN_OK;
}

void
admin_list_node_executions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionListRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecutionList response = FLYTEIDL__ADMIN__NODE_EXECUTION_LIST__INIT;
	struct node_page page = {.limit = run_page(request->limit)};
	struct un_detail detail = {0};
	struct run_node_row child;
	struct found found;
	struct run_row row;
	int64_t from = 0;
	enum un_err err;

	(void)ctx;
	if (!admin_find_row(call, request->workflow_execution_id, &found, &row) ||
	    !run_token_parse(call, request->token, &from))
		return;
	page.from = (size_t)from;
	err = outline_new(found.view, found.id, found.entity, &page.outline, &detail);
	if (!err) {
		page.scope = outline_find(page.outline, request->unique_parent_id);
		if (page.scope >= 0) /* else it must be a task: nothing is in it */
			err = list_nodes(call, &found.name, &page, &response, &detail);
		else
			err = run_node_get(found.view, found.id, request->unique_parent_id, &child,
			                   &detail);
	}
	outline_free(page.outline);
	if (err == UN_ERR_NOT_FOUND)
		rpc_failf(call, err, "execution '%s' has no node '%.191s'", found.name.name,
		          request->unique_parent_id);
	else if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &response.base);
}

/* Of a sub-workflow; empty where something in it is not known yet. */
static Flyteidl__Core__LiteralMap *
scope_value(struct rpc_call *call, const struct node_found *found, enum run_which which)
{
	Flyteidl__Core__LiteralMap *map;
	struct buf packed;

	buf_init(&packed, RUN_SPEC_MAX, BUF_PLAIN);
	if ((which == RUN_OUTPUTS && found->row.state != NODE_SUCCEEDED) ||
	    outline_value(found->outline, found->scope, which, &packed, NULL) != UN_OK)
		buf_clear(&packed);
	map = run_unpack(call, &flyteidl__core__literal_map__descriptor,
	                 (struct run_bytes){packed.data, packed.len});
	buf_fini(&packed);
	return map;
}

void
admin_get_node_execution_data(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__NodeExecutionGetDataRequest *request = (const void *)message;
	Flyteidl__Admin__NodeExecutionGetDataResponse response =
	        FLYTEIDL__ADMIN__NODE_EXECUTION_GET_DATA_RESPONSE__INIT;
	struct node_found node;
	struct found *found = &node.found;

	(void)ctx;
	if (!find_node(call, request->id, &node))
		return;
	if (node.scope >= 0) {
		response.full_inputs = scope_value(call, &node, RUN_INPUTS);
		response.full_outputs = scope_value(call, &node, RUN_OUTPUTS);
	} else {
		int64_t place = node.row.place;

		response.full_inputs = run_value(call, found->view, found->id, place, RUN_INPUTS);
		response.full_outputs = run_value(call, found->view, found->id, place, RUN_OUTPUTS);
	}
	node_found_fini(&node);
	admin_reply(call, response.full_inputs == NULL || response.full_outputs == NULL ?
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
	struct node_found found;
	struct entity_row entity;
	int64_t task;

	*ret_parts = (struct node_parts){0};
	if (!find_node(call, id, &found))
		return false;
	ret_parts->found = found.found;
	ret_parts->place = found.row.place;
	ret_parts->attempts = found.row.attempts;
	task = found.row.task;
	node = node_of_found(call, &found);
	node_found_fini(&found);
	if (node != NULL) {
		ret_parts->node_id = node->id;
		if (node->closure->output_result_case ==
		    FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR)
			ret_parts->error = node->closure->error;
		if (ret_parts->attempts > 0 &&
		    entity_get_by_id(ret_parts->found.view, task, &entity, NULL) == UN_OK)
			ret_parts->task_id = run_identifier(call, &entity.key);
	}
	if (node == NULL || (ret_parts->attempts > 0 && ret_parts->task_id == NULL)) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return false;
	}
	return true;
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
	admin_reply(call, task == NULL ? NULL : &task->base);
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
	admin_reply(call, response.token == NULL ? NULL : &response.base);
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
	admin_reply(call, response.full_inputs == NULL || response.full_outputs == NULL ?
	                            NULL :
	                            &response.base);
}

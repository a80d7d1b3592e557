#include "services/run_messages.h"

#include "base/text.h"
#include "runs/execution.h"

#include <stdio.h>
#include <string.h>

Flyteidl__Core__WorkflowExecution__Phase
run_phase(int state)
{
	switch (state) {
	case RUN_RUNNING: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__RUNNING;
	case RUN_FAILING: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILING;
	case RUN_ABORTING: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTING;
	case RUN_SUCCEEDED: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED;
	case RUN_FAILED: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILED;
	case RUN_ABORTED: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED;
	default: return FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__UNDEFINED;
	}
}

Flyteidl__Core__NodeExecution__Phase
run_node_phase(int state)
{
	switch (state) {
	case NODE_READY: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__QUEUED;
	case NODE_ACTIVE: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__RUNNING;
	case NODE_SUCCEEDED: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED;
	case NODE_FAILED: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__FAILED;
	case NODE_TIMED_OUT: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__TIMED_OUT;
	case NODE_ABORTED: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__ABORTED;
	case NODE_SKIPPED: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SKIPPED;
	default: return FLYTEIDL__CORE__NODE_EXECUTION__PHASE__UNDEFINED;
	}
}

Flyteidl__Core__TaskExecution__Phase
run_attempt_phase(const struct run_attempt_row *row)
{
	if (row->state == ATTEMPT_CREATED)
		return FLYTEIDL__CORE__TASK_EXECUTION__PHASE__QUEUED;
	if (row->state == ATTEMPT_CLAIMED)
		return FLYTEIDL__CORE__TASK_EXECUTION__PHASE__RUNNING;
	if (row->outcome == OUTCOME_SUCCEEDED)
		return FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED;
	return row->cancel || row->outcome == OUTCOME_CANCELLED ||
	                       row->outcome == OUTCOME_WITHDRAWN ?
	               FLYTEIDL__CORE__TASK_EXECUTION__PHASE__ABORTED :
	               FLYTEIDL__CORE__TASK_EXECUTION__PHASE__FAILED;
}

Google__Protobuf__Timestamp *
run_timestamp(struct rpc_call *call, int64_t us)
{
	Google__Protobuf__Timestamp *at = us == 0 ? NULL : rpc_alloc(call, sizeof *at);

	if (at == NULL)
		return NULL;
	google__protobuf__timestamp__init(at);
	at->seconds = us / 1000000;
	at->nanos = (int32_t)(us % 1000000) * 1000;
	return at;
}

Google__Protobuf__Duration *
run_duration(struct rpc_call *call, int64_t us)
{
	Google__Protobuf__Duration *duration = rpc_alloc(call, sizeof *duration);

	if (duration == NULL)
		return NULL;
	google__protobuf__duration__init(duration);
	duration->seconds = us / 1000000;
	duration->nanos = (int32_t)(us % 1000000) * 1000;
	return duration;
}

Flyteidl__Core__ExecutionError *
run_error_message(struct rpc_call *call, int kind, const char *code, const char *text)
{
	Flyteidl__Core__ExecutionError *error = rpc_alloc(call, sizeof *error);

	if (error == NULL)
		return NULL;
	flyteidl__core__execution_error__init(error);
	error->code = rpc_strdup(call, code);
	error->message = rpc_strdup(call, text);
	error->kind = (Flyteidl__Core__ExecutionError__ErrorKind)kind;
	return error->code == NULL || error->message == NULL ? NULL : error;
}

Flyteidl__Core__Identifier *
run_identifier(struct rpc_call *call, const struct entity_key *key)
{
	Flyteidl__Core__Identifier *id = rpc_alloc(call, sizeof *id);

	if (id == NULL)
		return NULL;
	flyteidl__core__identifier__init(id);
	id->resource_type = (Flyteidl__Core__ResourceType)key->kind;
	id->project = rpc_strdup(call, key->project);
	id->domain = rpc_strdup(call, key->domain);
	id->name = rpc_strdup(call, key->name);
	id->version = rpc_strdup(call, key->version);
	return id->project == NULL || id->domain == NULL || id->name == NULL || id->version == NULL
	               ? NULL
	               : id;
}

Flyteidl__Core__WorkflowExecutionIdentifier *
run_execution_id(struct rpc_call *call, const char *project, const char *domain, const char *name)
{
	Flyteidl__Core__WorkflowExecutionIdentifier *id = rpc_alloc(call, sizeof *id);

	if (id == NULL)
		return NULL;
	flyteidl__core__workflow_execution_identifier__init(id);
	id->project = rpc_strdup(call, project);
	id->domain = rpc_strdup(call, domain);
	id->name = rpc_strdup(call, name);
	return id->project == NULL || id->domain == NULL || id->name == NULL ? NULL : id;
}

void *
run_unpack(struct rpc_call *call, const ProtobufCMessageDescriptor *descriptor,
           struct run_bytes bytes)
{
	return protobuf_c_message_unpack(descriptor, rpc_allocator(call), bytes.len, bytes.bytes);
}

Flyteidl__Core__LiteralMap *
run_value(struct rpc_call *call, struct store_view *view, int64_t execution, int64_t place,
          enum run_which which)
{
	Flyteidl__Core__LiteralMap *empty;
	struct run_bytes bytes;

	if (run_value_get(view, execution, place, which, &bytes, NULL) == UN_OK)
		return run_unpack(call, &flyteidl__core__literal_map__descriptor, bytes);
	empty = rpc_alloc(call, sizeof *empty);
	if (empty != NULL)
		flyteidl__core__literal_map__init(empty);
	return empty;
}

unsigned
run_page(uint32_t limit)
{
	if (limit == 0)
		return RUN_LIST_DEFAULT;
	return limit < RUN_LIST_MAX ? limit : RUN_LIST_MAX;
}

bool
run_token_parse(struct rpc_call *call, const char *token, int64_t *ret_before)
{
	uint64_t number;

	if (token[0] == '\0')
		return true;
	if (text_parse_u64(token, &number) != UN_OK || number > INT64_MAX) {
		rpc_failf(call, UN_ERR_INVALID, "the token is not one of ours");
		return false;
	}
	*ret_before = (int64_t)number;
	return true;
}

char *
run_token(struct rpc_call *call, int64_t id)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)id);
	return rpc_strdup(call, text);
}

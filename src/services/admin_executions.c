/* Reading executions; their nodes and attempts are in admin_nodes.c. */
#include "services/admin_impl.h"
#include "services/admin_service.h"
#include "services/run_access.h"
#include "services/run_messages.h"
#include "services/run_services_impl.h"

#include "runs/execution.h"

#include <string.h>

/* ---- one message from one row ---- */

/* Who started it is what we know, not what the request said. */
static Flyteidl__Admin__ExecutionSpec *
spec_of(struct rpc_call *call, const struct run_row *row)
{
	Flyteidl__Admin__ExecutionSpec *spec =
	        run_unpack(call, &flyteidl__admin__execution_spec__descriptor, row->spec);

	if (spec == NULL)
		return NULL;
	if (spec->metadata == NULL) {
		spec->metadata = rpc_alloc(call, sizeof *spec->metadata);
		if (spec->metadata == NULL)
			return NULL;
		flyteidl__admin__execution_metadata__init(spec->metadata);
	}
	spec->metadata->principal = rpc_strdup(call, row->principal);
	return spec->metadata->principal == NULL ? NULL : spec;
}

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
	execution->spec = spec_of(call, row);
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

/* ---- finding ---- */

bool
admin_find_row(struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
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

void
admin_reply(struct rpc_call *call, const ProtobufCMessage *message)
{
	if (message == NULL)
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
	else
		rpc_reply(call, message);
}

/* ---- executions ---- */

/* Which workflow it runs. The outputs are GetExecutionData's: flytekit cannot read a closure that
 * holds them. */
static bool
complete_execution(const struct found *found, Flyteidl__Admin__Execution *execution)
{
	Flyteidl__Admin__ExecutionClosure *closure = execution->closure;
	struct entity_row entity;

	if (entity_get_by_id(found->view, found->entity, &entity, NULL) != UN_OK)
		return true;
	closure->workflow_id = run_identifier(found->call, &entity.key);
	return closure->workflow_id != NULL;
}

void
admin_get_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__WorkflowExecutionGetRequest *request = (const void *)message;
	Flyteidl__Admin__Execution *execution;
	struct found found;
	struct run_row row;

	(void)ctx;
	if (!admin_find_row(call, request->id, &found, &row))
		return;
	execution = execution_of(call, &row);
	if (execution != NULL && !complete_execution(&found, execution))
		execution = NULL;
	admin_reply(call, execution == NULL ? NULL : &execution->base);
}

struct listing {
	struct rpc_call *call;
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
	struct run_seen seen = {.before = INT64_MAX, .limit = run_page(request->limit)};
	struct listing listing = {.call = call};
	struct un_detail detail = {0};
	struct caller_filter may;
	struct store_view *view;
	enum un_err err;

	(void)ctx;
	if (!run_may_list(call, AUTHZ_EXECUTION_READ,
	                  request->id == NULL ? "" : request->id->project,
	                  request->id == NULL ? "" : request->id->domain, &seen, &may) ||
	    !run_token_parse(call, request->token, &seen.before))
		return;
	if (request->filters[0] != '\0') {
		rpc_failf(call, UN_ERR_UNSUPPORTED, "filters are not supported");
		return;
	}
	view = run_view(call);
	if (view == NULL)
		return;
	listing.items = rpc_alloc(call, (seen.limit + 1) * sizeof *listing.items);
	if (listing.items == NULL)
		err = UN_ERR_NO_MEMORY;
	else if (seen.may != NULL)
		err = run_list_seen(view, &seen, each_execution, &listing, &detail);
	else
		err = run_list(view, seen.within.project, seen.within.domain, seen.before,
		               seen.limit, each_execution, &listing, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	response.n_executions = listing.count;
	response.executions = (Flyteidl__Admin__Execution **)listing.items;
	if (listing.count == seen.limit)
		response.token = run_token(call, listing.last);
	admin_reply(call, response.token == NULL ? NULL : &response.base);
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
	if (!admin_find_row(call, request->id, &found, &row))
		return;
	response.full_inputs = run_value(call, found.view, found.id, RUN_PLACE_SELF, RUN_INPUTS);
	response.full_outputs = run_value(call, found.view, found.id, RUN_PLACE_SELF, RUN_OUTPUTS);
	admin_reply(call, response.full_inputs == NULL || response.full_outputs == NULL ?
	                            NULL :
	                            &response.base);
}

/* Reading tasks, workflows and launch plans. The "compiled" closures echo what was registered,
 * which is all that clients take from them. */
#include "services/admin_service.h"
#include "services/run_access.h"
#include "services/run_messages.h"
#include "services/run_services_impl.h"

#include "runs/type.h"

#include <stdio.h>
#include <string.h>

#define ACTIVE_LOOKED_AT 1000 /* versions, newest first */

typedef Flyteidl__Core__WorkflowTemplate workflow_template;

/* Of a list or a get: what is being built. */
struct reading {
	struct rpc_call *call;
	struct store_view *view;
	void **items; /* messages of one kind */
	size_t count;
	int64_t last; /* id of the last row */
	bool failed;  /* no memory */
};

static enum un_err
no_memory(struct reading *reading)
{
	reading->failed = true;
	return UN_ERR_NO_MEMORY;
}

/* ---- one message from one row ---- */

static Flyteidl__Admin__Task *
task_of(struct reading *reading, const struct entity_row *row)
{
	struct rpc_call *call = reading->call;
	Flyteidl__Admin__Task *task = rpc_alloc(call, sizeof *task);
	Flyteidl__Admin__TaskClosure *closure = rpc_alloc(call, sizeof *closure);
	Flyteidl__Core__CompiledTask *compiled = rpc_alloc(call, sizeof *compiled);
	Flyteidl__Admin__TaskSpec *spec =
	        run_unpack(call, &flyteidl__admin__task_spec__descriptor, row->spec);

	if (task == NULL || closure == NULL || compiled == NULL || spec == NULL)
		return NULL;
	flyteidl__admin__task__init(task);
	flyteidl__admin__task_closure__init(closure);
	flyteidl__core__compiled_task__init(compiled);
	compiled->template_ = spec->template_;
	closure->compiled_task = compiled;
	closure->created_at = run_timestamp(call, row->created_us);
	task->closure = closure;
	task->id = run_identifier(call, &row->key);
	return task->id == NULL ? NULL : task;
}

static Flyteidl__Core__CompiledWorkflow *
compiled_workflow(struct rpc_call *call, workflow_template *template)
{
	Flyteidl__Core__CompiledWorkflow *compiled = rpc_alloc(call, sizeof *compiled);
	Flyteidl__Core__ConnectionSet *connections = rpc_alloc(call, sizeof *connections);

	if (compiled == NULL || connections == NULL)
		return NULL;
	flyteidl__core__compiled_workflow__init(compiled);
	flyteidl__core__connection_set__init(connections);
	compiled->template_ = template;
	compiled->connections = connections;
	return compiled;
}

/* The row's spec is in *ret_spec, for what else is to be added. */
static Flyteidl__Admin__Workflow *
workflow_of(struct reading *reading, const struct entity_row *row,
            Flyteidl__Admin__WorkflowSpec **ret_spec)
{
	struct rpc_call *call = reading->call;
	Flyteidl__Admin__Workflow *workflow = rpc_alloc(call, sizeof *workflow);
	Flyteidl__Admin__WorkflowClosure *closure = rpc_alloc(call, sizeof *closure);
	Flyteidl__Core__CompiledWorkflowClosure *compiled = rpc_alloc(call, sizeof *compiled);
	Flyteidl__Admin__WorkflowSpec *spec =
	        run_unpack(call, &flyteidl__admin__workflow_spec__descriptor, row->spec);

	if (workflow == NULL || closure == NULL || compiled == NULL || spec == NULL)
		return NULL;
	flyteidl__admin__workflow__init(workflow);
	flyteidl__admin__workflow_closure__init(closure);
	flyteidl__core__compiled_workflow_closure__init(compiled);
	compiled->primary = compiled_workflow(call, spec->template_);
	closure->compiled_workflow = compiled;
	closure->created_at = run_timestamp(call, row->created_us);
	workflow->closure = closure;
	workflow->id = run_identifier(call, &row->key);
	*ret_spec = spec;
	return workflow->id == NULL || compiled->primary == NULL ? NULL : workflow;
}

static bool
same_id(const Flyteidl__Core__Identifier *a, const Flyteidl__Core__Identifier *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
	       strcmp(a->project, b->project) == 0 && strcmp(a->domain, b->domain) == 0;
}

static bool
has_task(const Flyteidl__Core__CompiledWorkflowClosure *closure,
         const Flyteidl__Core__Identifier *id)
{
	for (size_t i = 0; i < closure->n_tasks; i++) {
		const Flyteidl__Core__TaskTemplate *task = closure->tasks[i]->template_;

		if (task != NULL && task->id != NULL && same_id(task->id, id))
			return true;
	}
	return false;
}

/* Whoever registered a workflow could read all that it names; who reads it now perhaps not. */
static bool
sees_entity(const struct rpc_call *call, const Flyteidl__Core__Identifier *id)
{
	struct scope scope;

	return scope_init(&scope, id->project, id->domain, NULL) == UN_OK &&
	       caller_sees(call, AUTHZ_ENTITY_READ, &scope);
}

static enum un_err
add_tasks_of(struct reading *reading, Flyteidl__Core__CompiledWorkflowClosure *closure,
             const workflow_template *template)
{
	for (size_t i = 0; i < template->n_nodes; i++) {
		const Flyteidl__Core__Node *node = template->nodes[i];
		const Flyteidl__Core__Identifier *id;
		Flyteidl__Admin__Task *task;
		struct entity_row row;
		enum un_err err;

		if (node->target_case != FLYTEIDL__CORE__NODE__TARGET_TASK_NODE)
			continue;
		id = node->task_node->reference_id;
		if (id == NULL || has_task(closure, id) || !sees_entity(reading->call, id))
			continue;
		err = entity_get(reading->view,
		                 &(struct entity_key){ENTITY_TASK, id->project, id->domain,
		                                      id->name, id->version},
		                 &row, NULL);
		if (err)
			return err;
		task = task_of(reading, &row);
		if (task == NULL)
			return no_memory(reading);
		closure->tasks[closure->n_tasks++] = task->closure->compiled_task;
	}
	return UN_OK;
}

/* Every sub-workflow and every task that the workflow reaches. */
static enum un_err
add_reached(struct reading *reading, Flyteidl__Admin__Workflow *workflow,
            const Flyteidl__Admin__WorkflowSpec *spec)
{
	Flyteidl__Core__CompiledWorkflowClosure *closure = workflow->closure->compiled_workflow;
	size_t nodes = spec->template_->n_nodes;
	enum un_err err;

	for (size_t i = 0; i < spec->n_sub_workflows; i++)
		nodes += spec->sub_workflows[i]->n_nodes;
	closure->tasks = rpc_alloc(reading->call, (nodes + 1) * sizeof *closure->tasks);
	closure->sub_workflows = rpc_alloc(reading->call, (spec->n_sub_workflows + 1) *
	                                                          sizeof *closure->sub_workflows);
	if (closure->tasks == NULL || closure->sub_workflows == NULL)
		return no_memory(reading);
	err = add_tasks_of(reading, closure, spec->template_);
	for (size_t i = 0; i < spec->n_sub_workflows && !err; i++) {
		Flyteidl__Core__CompiledWorkflow *sub =
		        compiled_workflow(reading->call, spec->sub_workflows[i]);

		if (sub == NULL)
			return no_memory(reading);
		closure->sub_workflows[closure->n_sub_workflows++] = sub;
		err = add_tasks_of(reading, closure, spec->sub_workflows[i]);
	}
	return err;
}

static Flyteidl__Admin__LaunchPlan *
launch_plan_of(struct reading *reading, const struct entity_row *row)
{
	struct rpc_call *call = reading->call;
	Flyteidl__Admin__LaunchPlan *plan = rpc_alloc(call, sizeof *plan);
	Flyteidl__Admin__LaunchPlanClosure *closure = rpc_alloc(call, sizeof *closure);

	if (plan == NULL || closure == NULL)
		return NULL;
	flyteidl__admin__launch_plan__init(plan);
	flyteidl__admin__launch_plan_closure__init(closure);
	plan->spec = run_unpack(call, &flyteidl__admin__launch_plan_spec__descriptor, row->spec);
	closure->state = (Flyteidl__Admin__LaunchPlanState)row->state;
	closure->created_at = run_timestamp(call, row->created_us);
	closure->updated_at = run_timestamp(call, row->updated_us);
	plan->closure = closure;
	plan->id = run_identifier(call, &row->key);
	return plan->id == NULL || plan->spec == NULL ? NULL : plan;
}

static Flyteidl__Core__Parameter *
parameter_of(const Flyteidl__Core__ParameterMap *parameters, const char *name)
{
	for (size_t i = 0; parameters != NULL && i < parameters->n_parameters; i++) {
		if (strcmp(parameters->parameters[i]->key, name) == 0)
			return parameters->parameters[i]->value;
	}
	return NULL;
}

/* What the plan still wants: every input of the workflow that it does not fix. */
static enum un_err
add_expected(struct reading *reading, Flyteidl__Admin__LaunchPlan *plan,
             const Flyteidl__Core__TypedInterface *interface)
{
	const Flyteidl__Core__VariableMap *inputs = interface == NULL ? NULL : interface->inputs;
	size_t count = inputs == NULL ? 0 : inputs->n_variables;
	struct rpc_call *call = reading->call;
	Flyteidl__Core__ParameterMap *map = rpc_alloc(call, sizeof *map);

	if (map == NULL)
		return no_memory(reading);
	flyteidl__core__parameter_map__init(map);
	map->parameters = rpc_alloc(call, (count + 1) * sizeof *map->parameters);
	for (size_t i = 0; i < count && map->parameters != NULL; i++) {
		Flyteidl__Core__ParameterMap__ParametersEntry *entry =
		        rpc_alloc(call, sizeof *entry);
		Flyteidl__Core__Parameter *parameter = rpc_alloc(call, sizeof *parameter);
		const char *name = inputs->variables[i]->key;

		if (entry == NULL || parameter == NULL)
			return no_memory(reading);
		if (literal_of(plan->spec->fixed_inputs, name) != NULL)
			continue;
		flyteidl__core__parameter_map__parameters_entry__init(entry);
		flyteidl__core__parameter__init(parameter);
		parameter->var = inputs->variables[i]->value;
		parameter->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
		parameter->required = 1;
		entry->key = inputs->variables[i]->key;
		entry->value = parameter_of(plan->spec->default_inputs, name);
		if (entry->value == NULL)
			entry->value = parameter;
		map->parameters[map->n_parameters++] = entry;
	}
	plan->closure->expected_inputs = map;
	plan->closure->expected_outputs = interface == NULL ? NULL : interface->outputs;
	return map->parameters == NULL ? no_memory(reading) : UN_OK;
}

/* ---- get ---- */

/* The row of the request's identifier, lent; false: the call has failed. */
static bool
find(struct rpc_call *call, enum entity_kind kind, const char *what,
     const ProtobufCMessage *message, struct reading *reading, struct entity_row *ret_row)
{
	const Flyteidl__Admin__ObjectGetRequest *request = (const void *)message;
	const Flyteidl__Core__Identifier *id = request->id;
	struct un_detail detail = {0};
	struct scope scope;
	enum un_err err;

	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the request has no identifier");
		return false;
	}
	err = scope_init(&scope, id->project, id->domain, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return false;
	}
	if (!caller_may(call, AUTHZ_ENTITY_READ, &scope))
		return false;
	*reading = (struct reading){.call = call, .view = run_view(call)};
	if (reading->view == NULL)
		return false;
	err = entity_get(reading->view,
	                 &(struct entity_key){kind, id->project, id->domain, id->name, id->version},
	                 ret_row, &detail);
	if (err == UN_ERR_NOT_FOUND)
		(void)un_fail(&detail, UN_ERR_ENTITY_NOT_FOUND,
		              "no %s '%.128s' version '%.64s' in project '%s', domain '%s'", what,
		              id->name, id->version, id->project, id->domain);
	if (err)
		rpc_fail(call, err == UN_ERR_NOT_FOUND ? UN_ERR_ENTITY_NOT_FOUND : err, &detail);
	return !err;
}

void
admin_get_task(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct reading reading;
	struct entity_row row;
	Flyteidl__Admin__Task *task;

	(void)ctx;
	if (!find(call, ENTITY_TASK, "task", message, &reading, &row))
		return;
	task = task_of(&reading, &row);
	if (task == NULL)
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
	else
		rpc_reply(call, &task->base);
}

void
admin_get_workflow(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Admin__WorkflowSpec *spec;
	Flyteidl__Admin__Workflow *workflow;
	struct reading reading;
	struct entity_row row;
	enum un_err err;

	(void)ctx;
	if (!find(call, ENTITY_WORKFLOW, "workflow", message, &reading, &row))
		return;
	workflow = workflow_of(&reading, &row, &spec);
	err = workflow == NULL ? UN_ERR_NO_MEMORY : add_reached(&reading, workflow, spec);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &workflow->base);
}

static void
reply_plan(struct reading *reading, struct entity_row *row)
{
	struct rpc_call *call = reading->call;
	Flyteidl__Admin__LaunchPlan *plan = launch_plan_of(reading, row);
	Flyteidl__Admin__WorkflowSpec *spec = NULL;
	const Flyteidl__Core__Identifier *id;
	enum un_err err = UN_OK;

	if (plan == NULL) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	id = plan->spec->workflow_id;
	if (!sees_entity(call, id)) { /* then what the plan wants is not said, either */
		rpc_reply(call, &plan->base);
		return;
	}
	err = entity_get(reading->view,
	                 &(struct entity_key){ENTITY_WORKFLOW, id->project, id->domain, id->name,
	                                      id->version},
	                 row, NULL);
	if (!err && workflow_of(reading, row, &spec) == NULL)
		err = UN_ERR_NO_MEMORY;
	if (!err)
		err = add_expected(reading, plan, spec->template_->interface);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &plan->base);
}

void
admin_get_launch_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct reading reading;
	struct entity_row row;

	(void)ctx;
	if (find(call, ENTITY_LAUNCH_PLAN, "launch plan", message, &reading, &row))
		reply_plan(&reading, &row);
}

/* Ends the list at the first active one, which is the newest. */
static enum un_err
each_until_active(void *ctx, const struct entity_row *row)
{
	char *version = ctx;

	if (row->state != FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__ACTIVE)
		return UN_OK;
	(void)snprintf(version, ENTITY_VERSION_MAX + 1, "%s", row->key.version);
	return UN_ERR_EXISTS;
}

void
admin_get_active_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__ActiveLaunchPlanRequest *request = (const void *)message;
	const Flyteidl__Admin__NamedEntityIdentifier *id = request->id;
	struct entity_key key = {.kind = ENTITY_LAUNCH_PLAN};
	char version[ENTITY_VERSION_MAX + 1] = "";
	struct un_detail detail = {0};
	struct reading reading;
	struct entity_row row;
	struct scope scope;
	enum un_err err;

	(void)ctx;
	if (id == NULL) {
		rpc_failf(call, UN_ERR_INVALID, "the request has no identifier");
		return;
	}
	err = scope_init(&scope, id->project, id->domain, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may(call, AUTHZ_ENTITY_READ, &scope))
		return;
	reading = (struct reading){.call = call, .view = run_view(call)};
	if (reading.view == NULL)
		return;
	key.project = id->project;
	key.domain = id->domain;
	key.name = id->name;
	key.version = "";
	if (id->name[0] != '\0')
		err = entity_list(reading.view, &key, INT64_MAX, ACTIVE_LOOKED_AT,
		                  each_until_active, version, &detail);
	key.version = version;
	if (err == UN_ERR_EXISTS)
		err = entity_get(reading.view, &key, &row, &detail);
	else if (!err)
		err = un_fail(&detail, UN_ERR_ENTITY_NOT_FOUND,
		              "no active launch plan '%.128s' in project '%s', domain '%s'",
		              id->name, id->project, id->domain);
	if (err)
		rpc_fail(call, err, &detail);
	else
		reply_plan(&reading, &row);
}

/* ---- lists ---- */

static enum un_err
take(struct reading *reading, const struct entity_row *row, void *message)
{
	if (message == NULL)
		return no_memory(reading);
	reading->items[reading->count++] = message;
	reading->last = row->id;
	return UN_OK;
}

static enum un_err
each_task(void *reading, const struct entity_row *row)
{
	return take(reading, row, task_of(reading, row));
}

static enum un_err
each_workflow(void *reading, const struct entity_row *row)
{
	Flyteidl__Admin__WorkflowSpec *spec;

	return take(reading, row, workflow_of(reading, row, &spec));
}

static enum un_err
each_launch_plan(void *reading, const struct entity_row *row)
{
	return take(reading, row, launch_plan_of(reading, row));
}

/* Fills `reading`; *ret_token is "" on the last page. False: the call has failed. */
static bool
list(struct rpc_call *call, enum entity_kind kind, const ProtobufCMessage *message,
     entity_each *each, struct reading *reading, char **ret_token)
{
	const Flyteidl__Admin__ResourceListRequest *request = (const void *)message;
	struct entity_key like = {kind, "", "", "", ""};
	struct run_seen seen = {.before = INT64_MAX, .limit = run_page(request->limit)};
	struct un_detail detail = {0};
	struct caller_filter may;
	enum un_err err;

	if (request->id != NULL) {
		like.project = request->id->project;
		like.domain = request->id->domain;
		like.name = request->id->name;
	}
	if (!run_may_list(call, AUTHZ_ENTITY_READ, like.project, like.domain, &seen, &may) ||
	    !run_token_parse(call, request->token, &seen.before))
		return false;
	if (request->filters[0] != '\0') {
		rpc_failf(call, UN_ERR_UNSUPPORTED, "filters are not supported");
		return false;
	}
	*reading = (struct reading){.call = call, .view = run_view(call)};
	if (reading->view == NULL)
		return false;
	reading->items = rpc_alloc(call, (seen.limit + 1) * sizeof *reading->items);
	if (reading->items == NULL)
		err = UN_ERR_NO_MEMORY;
	else if (seen.may != NULL)
		err = entity_list_seen(reading->view, &like, &seen, each, reading, &detail);
	else
		err = entity_list(reading->view, &like, seen.before, seen.limit, each, reading,
		                  &detail);
	if (!err) {
		*ret_token = reading->count == seen.limit ? run_token(call, reading->last) :
		                                       rpc_strdup(call, "");
		if (*ret_token == NULL)
			err = UN_ERR_NO_MEMORY;
	}
	if (err)
		rpc_fail(call, err, &detail);
	return !err;
}

void
admin_list_tasks(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Admin__TaskList response = FLYTEIDL__ADMIN__TASK_LIST__INIT;
	struct reading reading;

	(void)ctx;
	if (!list(call, ENTITY_TASK, message, each_task, &reading, &response.token))
		return;
	response.n_tasks = reading.count;
	response.tasks = (Flyteidl__Admin__Task **)reading.items;
	rpc_reply(call, &response.base);
}

void
admin_list_workflows(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Admin__WorkflowList response = FLYTEIDL__ADMIN__WORKFLOW_LIST__INIT;
	struct reading reading;

	(void)ctx;
	if (!list(call, ENTITY_WORKFLOW, message, each_workflow, &reading, &response.token))
		return;
	response.n_workflows = reading.count;
	response.workflows = (Flyteidl__Admin__Workflow **)reading.items;
	rpc_reply(call, &response.base);
}

void
admin_list_launch_plans(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Admin__LaunchPlanList response = FLYTEIDL__ADMIN__LAUNCH_PLAN_LIST__INIT;
	struct reading reading;

	(void)ctx;
	if (!list(call, ENTITY_LAUNCH_PLAN, message, each_launch_plan, &reading, &response.token))
		return;
	response.n_launch_plans = reading.count;
	response.launch_plans = (Flyteidl__Admin__LaunchPlan **)reading.items;
	rpc_reply(call, &response.base);
}

#include "services/run_access.h"

#include "runs/bundles.h"

#include <string.h>

static bool
may(struct rpc_call *call, enum authz_action action, const char *project, const char *domain)
{
	struct un_detail detail = {0};
	struct scope scope;
	enum un_err err = scope_init(&scope, project, domain, &detail);

	if (err) {
		rpc_fail(call, err, &detail);
		return false;
	}
	return caller_may(call, action, &scope);
}

/* What is named must be readable. NULL: the request lacks it, which is refused further on. */
static bool
may_use(struct rpc_call *call, const Flyteidl__Core__Identifier *id)
{
	return !id || may(call, AUTHZ_ENTITY_READ, id->project, id->domain);
}

bool
run_may_register(struct rpc_call *call, const Flyteidl__Core__Identifier *id)
{
	if (!id) {
		rpc_failf(call, UN_ERR_INVALID, "the request has no identifier");
		return false;
	}
	return may(call, AUTHZ_ENTITY_REGISTER, id->project, id->domain);
}

/* ---- a task, and the bundle it runs ---- */

/* "union-bundle://PROJECT/DOMAIN/..."; what is none is refused further on. */
static bool
may_use_bundle(struct rpc_call *call, const char *url)
{
	const char *project = url + sizeof BUNDLE_URL_PREFIX - 1, *domain;
	char parts[2][SCOPE_PART_MAX + 1];
	size_t lens[2];

	if (strncmp(url, BUNDLE_URL_PREFIX, sizeof BUNDLE_URL_PREFIX - 1) != 0)
		return true;
	lens[0] = strcspn(project, "/");
	domain = project + lens[0] + (project[lens[0]] != '\0');
	lens[1] = strcspn(domain, "/");
	if (lens[0] > SCOPE_PART_MAX || lens[1] > SCOPE_PART_MAX)
		return true;
	memcpy(parts[0], project, lens[0]);
	parts[0][lens[0]] = '\0';
	memcpy(parts[1], domain, lens[1]);
	parts[1][lens[1]] = '\0';
	return may(call, AUTHZ_ENTITY_READ, parts[0], parts[1]);
}

bool
run_may_register_task(struct rpc_call *call, const Flyteidl__Admin__TaskCreateRequest *request)
{
	const Flyteidl__Core__TaskTemplate *task = request->spec ? request->spec->template_ : NULL;

	if (!run_may_register(call, request->id))
		return false;
	if (!task)
		return true;
	for (size_t i = 0; i < task->n_config; i++) {
		if (strcmp(task->config[i]->key, BUNDLE_CONFIG_KEY) == 0 &&
		    !may_use_bundle(call, task->config[i]->value))
			return false;
	}
	if (task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		return true;
	for (size_t i = 0; i < task->container->n_args; i++) {
		if (!may_use_bundle(call, task->container->args[i]))
			return false;
	}
	return true;
}

/* ---- a workflow, and the tasks and workflows it is made of ---- */

static bool
may_use_nodes(struct rpc_call *call, const Flyteidl__Core__WorkflowTemplate *workflow)
{
	for (size_t i = 0; workflow && i < workflow->n_nodes; i++) {
		const Flyteidl__Core__Node *node = workflow->nodes[i];

		if (node->target_case == FLYTEIDL__CORE__NODE__TARGET_TASK_NODE &&
		    node->task_node->reference_case ==
		            FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID &&
		    !may_use(call, node->task_node->reference_id))
			return false;
		if (node->target_case != FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE)
			continue;
		if (node->workflow_node->reference_case ==
		            FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF &&
		    !may_use(call, node->workflow_node->launchplan_ref))
			return false;
		if (node->workflow_node->reference_case ==
		            FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF &&
		    !may_use(call, node->workflow_node->sub_workflow_ref))
			return false;
	}
	return true;
}

bool
run_may_register_workflow(struct rpc_call *call,
                          const Flyteidl__Admin__WorkflowCreateRequest *request)
{
	const Flyteidl__Admin__WorkflowSpec *spec = request->spec;

	if (!run_may_register(call, request->id))
		return false;
	if (spec && !may_use_nodes(call, spec->template_))
		return false;
	for (size_t i = 0; spec && i < spec->n_sub_workflows; i++) {
		if (!may_use_nodes(call, spec->sub_workflows[i]))
			return false;
	}
	return true;
}

bool
run_may_register_launch_plan(struct rpc_call *call,
                             const Flyteidl__Admin__LaunchPlanCreateRequest *request)
{
	return run_may_register(call, request->id) &&
	       (!request->spec || may_use(call, request->spec->workflow_id));
}

/* ---- an execution ---- */

bool
run_may_start(struct rpc_call *call, const Flyteidl__Admin__ExecutionCreateRequest *request)
{
	return may(call, AUTHZ_EXECUTION_CREATE, request->project, request->domain) &&
	       (!request->spec || may_use(call, request->spec->launch_plan));
}

/* ---- lists ---- */

bool
run_may_list(struct rpc_call *call, enum authz_action action, const char *project,
             const char *domain, struct run_seen *seen, struct caller_filter *ret_may)
{
	struct un_detail detail = {0};
	enum un_err err = scope_init(&seen->within, project, domain, &detail);

	if (err) {
		rpc_fail(call, err, &detail);
		return false;
	}
	if (!caller_may_list(call, action, &seen->within, ret_may))
		return false;
	seen->may = ret_may->filter.sees ? &ret_may->filter : NULL;
	return true;
}

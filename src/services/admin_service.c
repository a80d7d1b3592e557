/* flyteidl.service.AdminService: registration, and starting and ending executions. What only reads
 * executions is in admin_executions.c, what only reads entities in admin_entities.c. */
#include "services/admin_impl.h"
#include "services/admin_service.h"
#include "services/run_messages.h"
#include "services/run_access.h"
#include "services/run_services_impl.h"

/* ---- registration ---- */

static enum un_err
create_task_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_add_task(job->services->runs, (const void *)job->request, &job->detail);
}

static void
create_task_reply(struct run_job *job)
{
	Flyteidl__Admin__TaskCreateResponse response = FLYTEIDL__ADMIN__TASK_CREATE_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static enum un_err
create_workflow_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_add_workflow(job->services->runs, (const void *)job->request, &job->detail);
}

static void
create_workflow_reply(struct run_job *job)
{
	Flyteidl__Admin__WorkflowCreateResponse response =
	        FLYTEIDL__ADMIN__WORKFLOW_CREATE_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static enum un_err
create_plan_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_add_launch_plan(job->services->runs, (const void *)job->request, &job->detail);
}

static void
create_plan_reply(struct run_job *job)
{
	Flyteidl__Admin__LaunchPlanCreateResponse response =
	        FLYTEIDL__ADMIN__LAUNCH_PLAN_CREATE_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static enum un_err
update_plan_work(struct run_job *job, bool *later)
{
	(void)later;
	return runs_set_launch_plan(job->services->runs, (const void *)job->request, &job->detail);
}

static void
update_plan_reply(struct run_job *job)
{
	Flyteidl__Admin__LaunchPlanUpdateResponse response =
	        FLYTEIDL__ADMIN__LAUNCH_PLAN_UPDATE_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static void
create_task(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	if (run_may_register_task(call, (const void *)message))
		run_job_start(call, ctx, message, create_task_work, create_task_reply);
}

static void
create_workflow(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	if (run_may_register_workflow(call, (const void *)message))
		run_job_start(call, ctx, message, create_workflow_work, create_workflow_reply);
}

static void
create_launch_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	if (run_may_register_launch_plan(call, (const void *)message))
		run_job_start(call, ctx, message, create_plan_work, create_plan_reply);
}

static void
update_launch_plan(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__LaunchPlanUpdateRequest *request = (const void *)message;

	if (run_may_register(call, request->id))
		run_job_start(call, ctx, message, update_plan_work, update_plan_reply);
}

/* ---- executions ---- */

static enum un_err
create_execution_work(struct run_job *job, bool *later)
{
	Union__V1__LaunchRequest launch = UNION__V1__LAUNCH_REQUEST__INIT;
	const struct runs_asker asker = {job->principal, job->request_id};

	(void)later;
	launch.execution = (Flyteidl__Admin__ExecutionCreateRequest *)(uintptr_t)job->request;
	return runs_launch(job->services->runs, &launch, &asker, &job->name, &job->detail);
}

static void
create_execution_reply(struct run_job *job)
{
	Flyteidl__Admin__ExecutionCreateResponse response =
	        FLYTEIDL__ADMIN__EXECUTION_CREATE_RESPONSE__INIT;
	Flyteidl__Core__WorkflowExecutionIdentifier id =
	        FLYTEIDL__CORE__WORKFLOW_EXECUTION_IDENTIFIER__INIT;

	id.project = job->name.at.project;
	id.domain = job->name.at.domain;
	id.name = job->name.name;
	response.id = &id;
	rpc_reply(job->call, &response.base);
}

static void
create_execution(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	if (run_may_start(call, (const void *)message))
		run_job_start(call, ctx, message, create_execution_work, create_execution_reply);
}

/* What was run once, with its inputs, runs again under another name. */
static void
relaunch(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__ExecutionRelaunchRequest *request = (const void *)message;
	Flyteidl__Admin__ExecutionCreateRequest *again = rpc_alloc(call, sizeof *again);
	struct found found;
	struct run_row row;

	if (again == NULL) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	if (!admin_find_row(call, request->id, &found, &row))
		return;
	flyteidl__admin__execution_create_request__init(again);
	again->project = request->id->project;
	again->domain = request->id->domain;
	again->name = request->name;
	again->spec = run_unpack(call, &flyteidl__admin__execution_spec__descriptor, row.spec);
	again->inputs = run_value(call, found.view, found.id, RUN_PLACE_SELF, RUN_INPUTS);
	if (again->spec == NULL || again->inputs == NULL)
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
	else if (run_may_start(call, again)) /* who asks, not who asked the first time */
		run_job_start(call, ctx, &again->base, create_execution_work,
		              create_execution_reply);
}

static enum un_err
terminate_work(struct run_job *job, bool *later)
{
	const Flyteidl__Admin__ExecutionTerminateRequest *request = (const void *)job->request;
	const struct runs_asker asker = {job->principal, job->request_id};

	(void)later;
	return runs_abort(job->services->runs, &job->name, request->cause, &asker, &job->detail);
}

static void
terminate_reply(struct run_job *job)
{
	Flyteidl__Admin__ExecutionTerminateResponse response =
	        FLYTEIDL__ADMIN__EXECUTION_TERMINATE_RESPONSE__INIT;

	rpc_reply(job->call, &response.base);
}

static void
terminate(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Flyteidl__Admin__ExecutionTerminateRequest *request = (const void *)message;
	struct runs_name name;
	struct run_job *job;

	if (!run_name_of(call, request->id, &name) ||
	    !caller_may(call, AUTHZ_EXECUTION_ABORT, &name.at))
		return;
	job = run_job_new(call, ctx, message);
	if (job == NULL)
		return;
	job->name = name;
	job->work = terminate_work;
	job->reply = terminate_reply;
	run_job_post(job);
}

static void
get_version(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Flyteidl__Admin__GetVersionResponse response = FLYTEIDL__ADMIN__GET_VERSION_RESPONSE__INIT;
	Flyteidl__Admin__Version version = FLYTEIDL__ADMIN__VERSION__INIT;

	(void)ctx;
	(void)message;
	if (!caller_may(call, AUTHZ_PLANE_READ, NULL))
		return;
	version.version = (char *)(uintptr_t)UNION_VERSION;
	response.control_plane_version = &version;
	rpc_reply(call, &response.base);
}

#define METHOD(title, request, response, function)                                                 \
	{                                                                                          \
		.name = title, .input = &flyteidl__admin__##request##__descriptor,                 \
		.output = &flyteidl__admin__##response##__descriptor, .handler = function          \
	}

const struct rpc_method admin_methods[] = {
	METHOD("CreateTask", task_create_request, task_create_response, create_task),
	METHOD("GetTask", object_get_request, task, admin_get_task),
	METHOD("ListTasks", resource_list_request, task_list, admin_list_tasks),
	METHOD("CreateWorkflow", workflow_create_request, workflow_create_response,
               create_workflow),
	METHOD("GetWorkflow", object_get_request, workflow, admin_get_workflow),
	METHOD("ListWorkflows", resource_list_request, workflow_list, admin_list_workflows),
	METHOD("CreateLaunchPlan", launch_plan_create_request, launch_plan_create_response,
               create_launch_plan),
	METHOD("UpdateLaunchPlan", launch_plan_update_request, launch_plan_update_response,
               update_launch_plan),
	METHOD("GetLaunchPlan", object_get_request, launch_plan, admin_get_launch_plan),
	METHOD("GetActiveLaunchPlan", active_launch_plan_request, launch_plan,
               admin_get_active_plan),
	METHOD("ListLaunchPlans", resource_list_request, launch_plan_list, admin_list_launch_plans),
	METHOD("CreateExecution", execution_create_request, execution_create_response,
               create_execution),
	METHOD("RelaunchExecution", execution_relaunch_request, execution_create_response,
               relaunch),
	METHOD("GetExecution", workflow_execution_get_request, execution, admin_get_execution),
	METHOD("ListExecutions", resource_list_request, execution_list, admin_list_executions),
	METHOD("GetExecutionData", workflow_execution_get_data_request,
               workflow_execution_get_data_response, admin_get_execution_data),
	METHOD("TerminateExecution", execution_terminate_request, execution_terminate_response,
               terminate),
	METHOD("GetNodeExecution", node_execution_get_request, node_execution,
               admin_get_node_execution),
	METHOD("ListNodeExecutions", node_execution_list_request, node_execution_list,
               admin_list_node_executions),
	METHOD("GetNodeExecutionData", node_execution_get_data_request,
               node_execution_get_data_response, admin_get_node_execution_data),
	METHOD("GetTaskExecution", task_execution_get_request, task_execution,
               admin_get_task_execution),
	METHOD("ListTaskExecutions", task_execution_list_request, task_execution_list,
               admin_list_task_executions),
	METHOD("GetTaskExecutionData", task_execution_get_data_request,
               task_execution_get_data_response, admin_get_task_execution_data),
	METHOD("GetVersion", get_version_request, get_version_response, get_version),
};
const size_t admin_method_count = sizeof admin_methods / sizeof admin_methods[0];

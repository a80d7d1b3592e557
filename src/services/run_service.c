/* union.v1.RunService: Launch. What follows executions is in run_watch.c. */
#include "services/run_access.h"
#include "services/run_services_impl.h"
#include "services/run_watch.h"

static enum un_err
launch_work(struct run_job *job, bool *later)
{
	const struct runs_asker asker = {job->principal, job->request_id, &job->novelty};

	(void)later;
	return runs_launch(job->services->runs, (const void *)job->request, &asker, &job->name,
	                   &job->detail);
}

static void
launch_reply(struct run_job *job)
{
	Union__V1__LaunchResponse response = UNION__V1__LAUNCH_RESPONSE__INIT;
	Flyteidl__Core__WorkflowExecutionIdentifier id =
	        FLYTEIDL__CORE__WORKFLOW_EXECUTION_IDENTIFIER__INIT;

	id.project = job->name.at.project;
	id.domain = job->name.at.domain;
	id.name = job->name.name;
	response.id = &id;
	response.project_is_new = job->novelty.project_is_new;
	response.domain_is_new = job->novelty.domain_is_new;
	if (caller_sees(job->call, AUTHZ_EXECUTION_READ, NULL)) { /* they name scopes of others */
		response.nearest_project = job->novelty.nearest_project;
		response.nearest_domain = job->novelty.nearest_domain;
	}
	rpc_reply(job->call, &response.base);
}

/* Everything that the request registers, and the execution. */
static bool
may_launch(struct rpc_call *call, const Union__V1__LaunchRequest *request)
{
	if (!run_may_start(call, request->execution))
		return false;
	for (size_t i = 0; i < request->n_tasks; i++) {
		if (!run_may_register_task(call, request->tasks[i]))
			return false;
	}
	for (size_t i = 0; i < request->n_workflows; i++) {
		if (!run_may_register_workflow(call, request->workflows[i]))
			return false;
	}
	for (size_t i = 0; i < request->n_launch_plans; i++) {
		if (!run_may_register_launch_plan(call, request->launch_plans[i]))
			return false;
	}
	return true;
}

static void
launch(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__LaunchRequest *request = (const void *)message;

	if (request->execution == NULL)
		rpc_failf(call, UN_ERR_INVALID, "it is not said what to execute");
	else if (may_launch(call, request))
		run_job_start(call, ctx, message, launch_work, launch_reply);
}

const struct rpc_method run_methods[] = {
	{.name = "Launch",
	 .input = &union__v1__launch_request__descriptor,
	 .output = &union__v1__launch_response__descriptor,
	 .handler = launch,
	 .request_max = 16u << 20},
	{.name = "Watch",
	 .input = &union__v1__watch_request__descriptor,
	 .output = &union__v1__watch_event__descriptor,
	 .handler = run_watch,
	 .server_streaming = true},
	{.name = "GetLogs",
	 .input = &union__v1__get_logs_request__descriptor,
	 .output = &union__v1__log_chunk__descriptor,
	 .handler = run_get_logs,
	 .server_streaming = true},
};
const size_t run_method_count = sizeof run_methods / sizeof run_methods[0];

/* run_access.h - whether a caller may register and start what a request says, everything it names
 * included: a workflow may name tasks, a launch plan a workflow, a task a code bundle, of other
 * scopes than its own. Each function ends the call when not. On the call's loop. */
#ifndef SERVICES_RUN_ACCESS_H
#define SERVICES_RUN_ACCESS_H

#include "proto-all.h"
#include "services/caller.h"
#include "store/runs.h"

MUST_CHECK bool run_may_register_task(struct rpc_call *call,
                                      const Flyteidl__Admin__TaskCreateRequest *request);
MUST_CHECK bool run_may_register_workflow(struct rpc_call *call,
                                          const Flyteidl__Admin__WorkflowCreateRequest *request);
MUST_CHECK bool
run_may_register_launch_plan(struct rpc_call *call,
                             const Flyteidl__Admin__LaunchPlanCreateRequest *request);
/* Changes what is registered. */
MUST_CHECK bool run_may_register(struct rpc_call *call, const Flyteidl__Core__Identifier *id);
MUST_CHECK bool run_may_start(struct rpc_call *call,
                              const Flyteidl__Admin__ExecutionCreateRequest *request);
/* A list of what lies in `project` and `domain` (empty: any): sets `within` and `may` of *seen;
 * `may` stays NULL where the caller may see all of it. */
MUST_CHECK bool run_may_list(struct rpc_call *call, enum authz_action action, const char *project,
                             const char *domain, struct run_seen *seen,
                             struct caller_filter *ret_may);

#endif

"""Executions as flytekit's FlyteRemote reads them: every answer is compared with what was run.

usage: reads.py PROJECT DOMAIN CONFIG      the executions were named by runs.sh

Prints one line a finding that is wrong and exits 1; nothing otherwise.
"""

import datetime
import sys
import time

from flytekit.configuration import Config
from flytekit.exceptions.user import FlyteEntityNotExistException
from flytekit.models.core.execution import NodeExecutionPhase, WorkflowExecutionPhase
from flytekit.remote import FlyteRemote

wrong = []
remote = FlyteRemote(Config.auto(sys.argv[3]), default_project=sys.argv[1], default_domain=sys.argv[2])


def same(what, wanted, got):
    if wanted != got:
        wrong.append("%s: wanted %r, got %r" % (what, wanted, got))


def finished(name, phase=WorkflowExecutionPhase.SUCCEEDED):
    execution = remote.fetch_execution(name=name)
    remote.wait(execution, timeout=datetime.timedelta(minutes=2),
                poll_interval=datetime.timedelta(seconds=0.3))
    execution = remote.sync(execution, sync_nodes=True)
    same(name + " ended", phase, execution.closure.phase)
    return execution


def tried(node):
    return [(t.id.retry_attempt, t.closure.phase) for t in node.task_executions]


def flow():
    execution = finished("flow")
    same("inputs", {"n": 2, "label": "total"}, dict(execution.inputs))
    same("outputs", {"o0": {"total": 265}}, dict(execution.outputs))
    nodes = execution.node_executions
    same("nodes", ["n0", "n1", "n2"], sorted(nodes))
    for key, node in nodes.items():
        same("phase of " + key, NodeExecutionPhase.SUCCEEDED, node.closure.phase)
    same("in n0", {"n": 2}, dict(nodes["n0"].inputs))
    same("out of n0", {"o0": 4}, dict(nodes["n0"].outputs))
    same("into the workflow at n1", {"n": 4}, dict(nodes["n1"].inputs))
    same("out of it", {"o0": 256}, dict(nodes["n1"].outputs))
    inner = nodes["n1"].subworkflow_node_executions
    same("nodes in it", [("n0", {"o0": 16}), ("n1", {"o0": 256})],
         sorted((n.metadata.spec_node_id, dict(n.outputs)) for n in inner.values()))
    same("attempts", [(0, 3)], tried(nodes["n2"]))
    same("duration", True, execution.closure.duration > datetime.timedelta(0))


def values():
    text = "1 1.5 a b True 2020-01-02T03:04:05+00:00 2:00:00 {'k': 1}"
    outputs = dict(finished("values").outputs)
    outputs["o3"] = outputs["o3"].value
    same("values", {"o0": text, "o1": 5, "o2": None, "o3": "blue"}, outputs)


def trouble():
    broken = finished("broken", WorkflowExecutionPhase.FAILED)
    same("the error is its last line, too", True, "ValueError: no good: 7" in broken.error.message)
    same("and the traceback", True, "in raises" in broken.error.message)
    same("its node", NodeExecutionPhase.FAILED, broken.node_executions["n0"].closure.phase)
    flaky = finished("flaky")
    same("a retried task", {"o0": 2}, dict(flaky.outputs))
    (node,) = flaky.node_executions.values()
    same("its attempts", [(0, 5), (1, 5), (2, 3)], sorted(tried(node)))


def aborted():
    execution = remote.fetch_execution(name="sleeps")
    while not execution.node_executions or not any(
            n.closure.phase == NodeExecutionPhase.RUNNING for n in execution.node_executions.values()):
        time.sleep(0.2)
        execution = remote.sync(execution, sync_nodes=True)
    remote.terminate(execution, "that is enough")
    execution = finished("sleeps", WorkflowExecutionPhase.ABORTED)
    same("the cause", "that is enough", execution.closure.abort_metadata.cause)


def entities():
    plan = remote.fetch_launch_plan(name="flow.main")
    same("the newest plan runs", ("flow.main", plan.id.version), (plan.workflow_id.name, plan.workflow_id.version))
    task = remote.fetch_task(name="flow.square")
    same("a task's inputs", ["n"], list(task.interface.inputs))
    same("a workflow's nodes", ["n0", "n1", "n2"],
         sorted(n.id for n in remote.fetch_workflow(name="flow.main").nodes))
    again = remote.execute(task, inputs={"n": 12})
    same("a registered task runs again", {"o0": 144}, dict(finished(again.id.name).outputs))
    try:
        remote.fetch_execution(name="nothing")
        wrong.append("an execution that is not there was read")
    except FlyteEntityNotExistException:
        pass
    listed = [e.id.name for e in remote.recent_executions(limit=100)]
    same("all are listed", [], sorted({"flow", "values", "broken", "flaky", "sleeps"} - set(listed)))


for part in (flow, values, trouble, aborted, entities):
    part()
for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)

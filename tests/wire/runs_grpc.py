#!/usr/bin/python3
"""A run as an unmodified client of the v1 services starts and follows it: every call in its order, by
gRPC's own C core over the Unix socket, the upload by http.client, and tasks that are shell scripts."""

import base64
import hashlib
import http.client
import io
import os
import socket
import subprocess
import sys
import tarfile
import time

import grpc

from wirelib import BUILD, WAIT, check, finish, folder, messages, same

messages()
from flyteidl.admin import common_pb2 as common  # noqa: E402
from flyteidl.admin import entities_pb2 as entities  # noqa: E402
from flyteidl.admin import executions_pb2 as executions  # noqa: E402
from flyteidl.core import execution_pb2 as phases  # noqa: E402
from flyteidl.core import identifier_pb2 as identifier  # noqa: E402
from flyteidl.core import interface_pb2 as interface  # noqa: E402
from flyteidl.core import literals_pb2 as literals  # noqa: E402
from flyteidl.core import tasks_pb2 as tasks  # noqa: E402
from flyteidl.core import types_pb2 as types  # noqa: E402
from flyteidl.core import workflow_pb2 as workflow  # noqa: E402
from flyteidl.service import dataproxy_pb2 as dataproxy  # noqa: E402

SCOPE = {"project": "fraud", "domain": "production"}
INT = types.LiteralType(simple=types.INTEGER)


class Plane:
    """A uniond of this test."""

    def __init__(self):
        self.data = os.path.join(folder(), "data")
        ours, theirs = os.pipe()
        self.log = open(os.path.join(folder(), "log"), "w+b")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "uniond"), "--embedded", "--data", self.data, "--ready-fd",
             str(theirs)], pass_fds=[theirs], stdin=subprocess.DEVNULL, stderr=self.log)
        os.close(theirs)
        said = os.read(ours, 4096)
        if not said.startswith(b"ready"):
            raise RuntimeError("uniond did not start: %r" % said)
        self.socket = os.path.join(self.data, "uniond.sock")
        self.channel = grpc.insecure_channel("unix:" + self.socket)

    def call(self, method, request, response):
        service = "DataProxyService" if method == "CreateUploadLocation" else "AdminService"
        path = "/flyteidl.service.%s/%s" % (service, method)
        call = self.channel.unary_unary(path, type(request).SerializeToString,
                                        response.FromString)
        return call(request, timeout=WAIT)

    def fails(self, method, request, response):
        try:
            self.call(method, request, response)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None, ""

    def put(self, url, body, headers):
        path = "/" + url.split("//", 1)[1].split("/", 1)[1]
        connection = http.client.HTTPConnection("localhost", timeout=WAIT)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        connection.request("PUT", path, body, headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def stop(self):
        self.channel.close()
        self.process.terminate()
        same("the server ends well", 0, self.process.wait(WAIT))


def name(kind, text):
    return identifier.Identifier(resource_type=kind, name=text, version="v1", **SCOPE)


def integer(number):
    primitive = literals.Primitive(integer=number)
    return literals.Literal(scalar=literals.Scalar(primitive=primitive))


def typed(inputs, outputs):
    def variables(names):
        return interface.VariableMap(variables={n: interface.Variable(type=INT) for n in names})
    return interface.TypedInterface(inputs=variables(inputs), outputs=variables(outputs))


def octal(message):
    return "".join("\\%03o" % byte for byte in message.SerializeToString())


def task(text, inputs, number, url, script=""):
    """A task that leaves `number` as its output, if the bundle is where its command says."""
    out = octal(literals.LiteralMap(literals={"o0": integer(number)}))
    script += "set -e; echo to the log; tar -xzf \"$0\"; grep -q code bundle.txt; test -s \"$1\"; printf '%s' >\"$2/outputs.pb\"" % out
    args = ["/bin/sh", "-c", script, url, "{{.input}}", "{{.outputPrefix}}"]
    return tasks.TaskTemplate(id=name(identifier.TASK, text), type="container",
                              interface=typed(inputs, ["o0"]),
                              container=tasks.Container(args=args))


def promise(node, var="o0"):
    return literals.BindingData(promise=literals.OutputReference(node_id=node, var=var))


def node(ident, text, **inputs):
    bindings = [literals.Binding(var=var, binding=data) for var, data in inputs.items()]
    reference = workflow.TaskNode(reference_id=name(identifier.TASK, text))
    return workflow.Node(id=ident, inputs=bindings, task_node=reference)


def upload(plane):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("bundle.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"code"))
    body = packed.getvalue()
    md5 = hashlib.md5(body).digest()
    request = dataproxy.CreateUploadLocationRequest(filename="script_mode.tar.gz", content_md5=md5,
                                                    add_content_md5_metadata=True, **SCOPE)
    request.filename = "input.csv"
    code, why = plane.fails("CreateUploadLocation", request, dataproxy.CreateUploadLocationResponse)
    check("files that no task could read are refused",
          code == grpc.StatusCode.INVALID_ARGUMENT and "only code bundles" in why, (code, why))
    request.filename = "script_mode.tar.gz"
    place = plane.call("CreateUploadLocation", request, dataproxy.CreateUploadLocationResponse)
    check("the native URL ends as clients want it", place.native_url.endswith(".tar.gz"))
    headers = {"Content-MD5": base64.b64encode(md5).decode(), **dict(place.headers)}
    check("another content is refused", plane.put(place.signed_url, b"x" * len(body), headers) >= 400)
    check("and the address is used up", plane.put(place.signed_url, body, headers) >= 400)
    place = plane.call("CreateUploadLocation", request, dataproxy.CreateUploadLocationResponse)
    same("the upload is taken", 200, plane.put(place.signed_url, body, headers))
    return place.native_url


def register(plane, url):
    templates = [task("one", ["a"], 6, url), task("two", ["a", "b"], 42, url)]
    for template in templates:
        request = entities.TaskCreateRequest(id=template.id,
                                             spec=entities.TaskSpec(template=template))
        plane.call("CreateTask", request, entities.TaskCreateResponse)
        code, _ = plane.fails("CreateTask", request, entities.TaskCreateResponse)
        same("the same task again exists", grpc.StatusCode.ALREADY_EXISTS, code)
    request.spec.template.container.args.append("more")
    code, _ = plane.fails("CreateTask", request, entities.TaskCreateResponse)
    same("another one under its name is refused", grpc.StatusCode.INVALID_ARGUMENT, code)
    template = workflow.WorkflowTemplate(
        id=name(identifier.WORKFLOW, "wf"), interface=typed(["a"], ["o0"]),
        nodes=[node("n0", "one", a=promise("", "a")), node("n1", "one", a=promise("", "a")),
               node("n2", "two", a=promise("n0"), b=promise("n1"))],
        outputs=[literals.Binding(var="o0", binding=promise("n2"))])
    spec = entities.WorkflowSpec(template=template)
    template.nodes[2].upstream_node_ids.extend(["n0", "n1"])
    plane.call("CreateWorkflow", entities.WorkflowCreateRequest(id=template.id, spec=spec),
               entities.WorkflowCreateResponse)
    template.nodes[2].upstream_node_ids[:] = ["n1", "n0"]
    code, _ = plane.fails("CreateWorkflow",
                          entities.WorkflowCreateRequest(id=template.id, spec=spec),
                          entities.WorkflowCreateResponse)
    same("what a node waits for has no order", grpc.StatusCode.ALREADY_EXISTS, code)
    template.nodes[1].branch_node.SetInParent()
    template.id.name = "branchy"
    code, why = plane.fails("CreateWorkflow",
                            entities.WorkflowCreateRequest(
                                id=template.id, spec=entities.WorkflowSpec(template=template)),
                            entities.WorkflowCreateResponse)
    check("a branch is refused and named",
          code == grpc.StatusCode.INVALID_ARGUMENT and "'n1'" in why, (code, why))
    plan = entities.LaunchPlanSpec(workflow_id=name(identifier.WORKFLOW, "wf"))
    parameter = interface.Parameter(var=interface.Variable(type=INT), default=integer(5))
    plan.default_inputs.parameters["a"].CopyFrom(parameter)
    plane.call("CreateLaunchPlan",
               entities.LaunchPlanCreateRequest(id=name(identifier.LAUNCH_PLAN, "wf"), spec=plan),
               entities.LaunchPlanCreateResponse)


def entities_are_echoed(plane):
    got = plane.call("GetWorkflow", common.ObjectGetRequest(id=name(identifier.WORKFLOW, "wf")),
                     entities.Workflow)
    closure = got.closure.compiled_workflow
    same("the workflow has its nodes", ["n0", "n1", "n2"], [n.id for n in closure.primary.template.nodes])
    same("and each of its tasks once", ["one", "two"], sorted(t.template.id.name for t in closure.tasks))
    got = plane.call("GetLaunchPlan", common.ObjectGetRequest(id=name(identifier.LAUNCH_PLAN, "wf")),
                     entities.LaunchPlan)
    same("the plan has its default", 5,
         got.closure.expected_inputs.parameters["a"].default.scalar.primitive.integer)
    same("and its outputs", ["o0"], list(got.closure.expected_outputs.variables))
    active = entities.ActiveLaunchPlanRequest(id=common.NamedEntityIdentifier(name="wf", **SCOPE))
    same("it is the active one", got.id, plane.call("GetActiveLaunchPlan", active, entities.LaunchPlan).id)
    update = entities.LaunchPlanUpdateRequest(id=got.id, state=entities.INACTIVE)
    plane.call("UpdateLaunchPlan", update, entities.LaunchPlanUpdateResponse)
    code, why = plane.fails("GetActiveLaunchPlan", active, entities.LaunchPlan)
    check("until it is made inactive", code == grpc.StatusCode.NOT_FOUND and "'wf'" in why, (code, why))
    update.state = entities.ACTIVE
    plane.call("UpdateLaunchPlan", update, entities.LaunchPlanUpdateResponse)
    listed = plane.call("ListTasks", common.ResourceListRequest(
        id=common.NamedEntityIdentifier(**SCOPE), limit=1), entities.TaskList)
    again = plane.call("ListTasks", common.ResourceListRequest(
        id=common.NamedEntityIdentifier(**SCOPE), limit=1, token=listed.token), entities.TaskList)
    same("lists have pages", ["two", "one"], [p.tasks[0].id.name for p in (listed, again)])


def start(plane, launch, label="", **inputs):
    request = executions.ExecutionCreateRequest(name=label, **SCOPE)
    request.spec.launch_plan.CopyFrom(launch)
    for var, number in inputs.items():
        request.inputs.literals[var].CopyFrom(integer(number))
    return request


def wait(plane, ident):
    over = (phases.WorkflowExecution.SUCCEEDED, phases.WorkflowExecution.FAILED,
            phases.WorkflowExecution.ABORTED)
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        got = plane.call("GetExecution", executions.WorkflowExecutionGetRequest(id=ident),
                         executions.Execution)
        if got.closure.phase in over:
            return got
        time.sleep(0.05)  # as clients of this interface poll
    raise RuntimeError("the execution does not end")


def runs(plane):
    plan = name(identifier.LAUNCH_PLAN, "wf")
    request = start(plane, plan, "r1")
    ident = plane.call("CreateExecution", request, executions.ExecutionCreateResponse).id
    same("the execution has the name that was asked for", "r1", ident.name)
    code, _ = plane.fails("CreateExecution", request, executions.ExecutionCreateResponse)
    same("a name is given once", grpc.StatusCode.ALREADY_EXISTS, code)
    got = wait(plane, ident)
    same("it succeeds", phases.WorkflowExecution.SUCCEEDED, got.closure.phase)
    check("and leaves its outputs to GetExecutionData", not got.closure.HasField("outputs"))
    same("and says what it ran", ("wf", "wf"), (got.closure.workflow_id.name, got.spec.launch_plan.name))
    data = plane.call("GetExecutionData", executions.WorkflowExecutionGetDataRequest(id=ident),
                      executions.WorkflowExecutionGetDataResponse)
    same("with its inputs", 5, data.full_inputs.literals["a"].scalar.primitive.integer)
    same("and its outputs", 42, data.full_outputs.literals["o0"].scalar.primitive.integer)
    again = plane.call("RelaunchExecution", executions.ExecutionRelaunchRequest(id=ident, name="again"),
                       executions.ExecutionCreateResponse).id
    same("it runs again under another name", ("again", phases.WorkflowExecution.SUCCEEDED),
         (again.name, wait(plane, again).closure.phase))
    nodes = plane.call("ListNodeExecutions", executions.NodeExecutionListRequest(
        workflow_execution_id=ident, limit=100), executions.NodeExecutionList)
    same("lists its nodes", [("n%d" % i, phases.NodeExecution.SUCCEEDED) for i in range(3)],
         [(n.id.node_id, n.closure.phase) for n in nodes.node_executions])
    node_data = plane.call("GetNodeExecutionData", executions.NodeExecutionGetDataRequest(
        id=nodes.node_executions[2].id), executions.NodeExecutionGetDataResponse)
    same("values pass between nodes", 6, node_data.full_inputs.literals["a"].scalar.primitive.integer)
    attempts = plane.call("ListTaskExecutions", executions.TaskExecutionListRequest(
        node_execution_id=nodes.node_executions[2].id), executions.TaskExecutionList)
    same("lists attempts", [(0, "two", phases.TaskExecution.SUCCEEDED)],
         [(t.id.retry_attempt, t.id.task_id.name, t.closure.phase) for t in attempts.task_executions])
    code, why = plane.fails("CreateExecution", start(plane, plan, "", b=1),
                            executions.ExecutionCreateResponse)
    check("an unknown input is refused and named", code == grpc.StatusCode.INVALID_ARGUMENT and "'b'" in why)
    code, why = plane.fails("CreateExecution", start(plane, name(identifier.TASK, "one")),
                            executions.ExecutionCreateResponse)
    check("a missing input is refused and named", code == grpc.StatusCode.INVALID_ARGUMENT and "'a'" in why)


def sub_workflows(plane):
    """One node that has nodes: clients look for each node in the workflow that it belongs to."""
    inner = workflow.WorkflowTemplate(
        id=name(identifier.WORKFLOW, "inner"), interface=typed(["x"], ["o0"]),
        nodes=[node("n0", "one", a=promise("", "x"))],
        outputs=[literals.Binding(var="o0", binding=promise("n0"))])
    at = workflow.Node(id="n1", inputs=[literals.Binding(var="x", binding=promise("n0"))],
                       workflow_node=workflow.WorkflowNode(sub_workflow_ref=inner.id))
    outer = workflow.WorkflowTemplate(
        id=name(identifier.WORKFLOW, "outer"), interface=typed(["a"], ["o0"]),
        nodes=[node("n0", "one", a=promise("", "a")), at],
        outputs=[literals.Binding(var="o0", binding=promise("n1"))])
    spec = entities.WorkflowSpec(template=outer, sub_workflows=[inner])
    plane.call("CreateWorkflow", entities.WorkflowCreateRequest(id=outer.id, spec=spec),
               entities.WorkflowCreateResponse)
    plan = name(identifier.LAUNCH_PLAN, "outer")
    plane.call("CreateLaunchPlan", entities.LaunchPlanCreateRequest(
        id=plan, spec=entities.LaunchPlanSpec(workflow_id=outer.id)),
        entities.LaunchPlanCreateResponse)
    ident = plane.call("CreateExecution", start(plane, plan, "r2", a=1),
                       executions.ExecutionCreateResponse).id
    same("a workflow in a workflow succeeds", phases.WorkflowExecution.SUCCEEDED,
         wait(plane, ident).closure.phase)

    def listed(parent="", **more):
        return plane.call("ListNodeExecutions", executions.NodeExecutionListRequest(
            workflow_execution_id=ident, unique_parent_id=parent, **more),
            executions.NodeExecutionList)

    def shown(nodes):
        return [(n.id.node_id, n.metadata.spec_node_id, n.metadata.is_parent_node,
                 n.closure.phase == phases.NodeExecution.SUCCEEDED) for n in nodes.node_executions]
    same("and is one node", [("n0", "n0", False, True), ("n1", "n1", True, True)], shown(listed()))
    same("with nodes", [("n1-n0", "n0", False, True)], shown(listed("n1")))
    same("a task has none", [], shown(listed("n0")))
    first = listed(limit=1)
    same("in pages", ["n1"], [n.id.node_id for n in listed(token=first.token).node_executions])
    parent = identifier.NodeExecutionIdentifier(node_id="n1", execution_id=ident)
    whole = plane.call("GetNodeExecution", executions.NodeExecutionGetRequest(id=parent),
                       executions.NodeExecution)
    check("it took time", whole.closure.duration.nanos + whole.closure.duration.seconds > 0)
    data = plane.call("GetNodeExecutionData", executions.NodeExecutionGetDataRequest(id=parent),
                      executions.NodeExecutionGetDataResponse)
    same("what went in", 6, data.full_inputs.literals["x"].scalar.primitive.integer)
    same("what came out", 6, data.full_outputs.literals["o0"].scalar.primitive.integer)
    attempts = plane.call("ListTaskExecutions", executions.TaskExecutionListRequest(
        node_execution_id=whole.id), executions.TaskExecutionList)
    same("no attempts of its own", 0, len(attempts.task_executions))
    code, why = plane.fails("ListNodeExecutions", executions.NodeExecutionListRequest(
        workflow_execution_id=ident, unique_parent_id="n9"), executions.NodeExecutionList)
    check("no such node", code == grpc.StatusCode.NOT_FOUND and "'n9'" in why, (code, why))


def abort(plane, url):
    template = task("slow", [], 1, url, "sleep 60; ")
    plane.call("CreateTask", entities.TaskCreateRequest(id=template.id,
                                                        spec=entities.TaskSpec(template=template)),
               entities.TaskCreateResponse)
    ident = plane.call("CreateExecution", start(plane, template.id),
                       executions.ExecutionCreateResponse).id
    check("a name is made where none was given", ident.name[:1].isalpha())
    plane.call("TerminateExecution", executions.ExecutionTerminateRequest(id=ident, cause="enough"),
               executions.ExecutionTerminateResponse)
    got = wait(plane, ident)
    same("an abort aborts", (phases.WorkflowExecution.ABORTED, "enough"),
         (got.closure.phase, got.closure.abort_metadata.cause))
    listed = plane.call("ListExecutions", common.ResourceListRequest(
        id=common.NamedEntityIdentifier(**SCOPE), limit=1), executions.ExecutionList)
    same("the newest execution is first", ident.name, listed.executions[0].id.name)


def main():
    plane = Plane()
    try:
        url = upload(plane)
        register(plane, url)
        entities_are_echoed(plane)
        runs(plane)
        sub_workflows(plane)
        abort(plane, url)
    finally:
        plane.stop()
        plane.log.seek(0)
        sys.stderr.write(plane.log.read().decode(errors="replace"))
    finish()


main()

#!/usr/bin/python3
"""Who may do what, at every method there is: keys with and without roles, by gRPC's own C core over the
Unix socket. What a key may not see, it cannot tell from what is not there."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys

import grpc

from wirelib import BUILD, WAIT, check, finish, folder, messages, same

messages()
from google.protobuf import descriptor, symbol_database  # noqa: E402
from flyteidl2 import cluster_pb2 as cluster  # noqa: E402
from flyteidl.admin import common_pb2 as common  # noqa: E402
from flyteidl.admin import entities_pb2 as entities  # noqa: E402
from flyteidl.admin import executions_pb2 as executions  # noqa: E402
from flyteidl.core import identifier_pb2 as identifier  # noqa: E402
from flyteidl.core import tasks_pb2 as tasks  # noqa: E402
from flyteidl.core import workflow_pb2 as workflow  # noqa: E402
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2  # noqa: E402
from union.secret import secret_pb2  # noqa: E402
from union.v1 import access_pb2, attempts_pb2, plane_pb2, runs_pb2, secrets_pb2  # noqa: E402

try:
    from union.v1 import audit_pb2
except ImportError:
    audit_pb2 = None

DENIED = grpc.StatusCode.PERMISSION_DENIED
SYMBOLS = symbol_database.Default()


def class_of(message):
    return SYMBOLS.GetPrototype(message)


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
        if not os.read(ours, 4096).startswith(b"ready"):
            raise RuntimeError("uniond did not start")
        self.socket = os.path.join(self.data, "uniond.sock")
        self.channel = grpc.insecure_channel("unix:" + self.socket)
        self.tokens = {None: None}

    def metadata(self, who):
        return [("authorization", "Bearer " + self.tokens[who])] if who else []

    def call(self, who, service, method, request):
        """The reply as `who` (None: the local user); raises grpc.RpcError."""
        wanted = service.methods_by_name[method]
        path = "/%s/%s" % (service.full_name, method)
        call = self.channel.unary_unary(path, type(request).SerializeToString,
                                        class_of(wanted.output_type).FromString)
        return call(request, timeout=WAIT, metadata=self.metadata(who))

    def stream(self, who, service, method, request):
        wanted = service.methods_by_name[method]
        path = "/%s/%s" % (service.full_name, method)
        call = self.channel.unary_stream(path, type(request).SerializeToString,
                                         class_of(wanted.output_type).FromString)
        return call(request, timeout=WAIT, metadata=self.metadata(who))

    def status(self, who, service, method, request, streaming=False):
        """(code, text); (None, "") when it was done."""
        try:
            if streaming:
                list(self.stream(who, service, method, request))
            else:
                self.call(who, service, method, request)
        except grpc.RpcError as error:
            return error.code(), error.details()
        return None, ""

    def new_key(self, name, role="", project="", domain=""):
        made = self.call(None, ACCESS, "CreateApiKey", access_pb2.CreateApiKeyRequest(
            name=name, role=role, project=project, domain=domain))
        connection = http.client.HTTPConnection("localhost", timeout=WAIT)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        basic = base64.b64encode(name.encode() + b":" + made.client_secret).decode()
        connection.request("POST", "/oauth2/token", "grant_type=client_credentials&scope=all",
                           {"Authorization": "Basic " + basic,
                            "Content-Type": "application/x-www-form-urlencoded"})
        self.tokens[name] = json.loads(connection.getresponse().read())["access_token"]
        connection.close()

    def stop(self):
        self.channel.close()
        self.process.terminate()
        same("the server ends well", 0, self.process.wait(WAIT))


def service(module, name):
    return module.DESCRIPTOR.services_by_name[name]


ACCESS = service(access_pb2, "AccessService")
ADMIN = service(admin_pb2, "AdminService")
RUNS = service(runs_pb2, "RunService")
PLANE = service(plane_pb2, "PlaneService")


# ---- every method ----

WORDS = {"project": "fraud", "domain": "production", "name": "anything", "principal": "key:boss",
         "role": "viewer", "action": "plane.stop", "version": "v1", "node_id": "n0", "cause": "x",
         "filename": "script_mode.tar.gz", "value": b"value"}


def filled(message, depth=0):
    """A request that says where and what, as far as words go."""
    for field in message.DESCRIPTOR.fields:
        repeated = field.label == field.LABEL_REPEATED
        if field.type == field.TYPE_STRING and field.name in WORDS and not repeated:
            setattr(message, field.name, WORDS[field.name])
        elif field.name == "content_md5":
            message.content_md5 = bytes(16)
        elif field.type == field.TYPE_MESSAGE and not repeated and depth < 5 and field.message_type.full_name \
                in ("cloudidl.secret.SecretIdentifier", "flyteidl.core.Identifier",
                    "flyteidl.core.WorkflowExecutionIdentifier", "flyteidl.core.NodeExecutionIdentifier",
                    "flyteidl.core.TaskExecutionIdentifier", "flyteidl.admin.ExecutionCreateRequest"):
            filled(getattr(message, field.name), depth + 1)
    if message.DESCRIPTOR.full_name == "flyteidl.core.NodeExecutionIdentifier":
        filled(message.execution_id, depth + 1)
    return message


# What needs no role, and why.
FREE = {
    "/flyteidl2.cluster.ClusterService/SelectCluster": "nothing is told",
    "/flyteidl.service.AuthMetadataService/GetOAuth2Metadata": "before login",
    "/flyteidl.service.AuthMetadataService/GetPublicClientConfig": "before login",
    "/flyteidl.service.IdentityService/UserInfo": "who I am",
}


def every_method(plane):
    modules = [admin_pb2, auth_pb2, dataproxy_pb2, cluster, secret_pb2, access_pb2, attempts_pb2, plane_pb2,
               runs_pb2, secrets_pb2] + ([audit_pb2] if audit_pb2 else [])
    services = [s for m in modules for s in m.DESCRIPTOR.services_by_name.values()]
    wrong, tried = [], 0
    for found in services:
        streaming = {m.name: m.server_streaming for m in found.methods} \
            if hasattr(descriptor.MethodDescriptor, "server_streaming") else {}
        for method in found.methods:
            path = "/%s/%s" % (found.full_name, method.name)
            request = filled(class_of(method.input_type)())
            streams = streaming.get(method.name, method.name in ("Watch", "GetLogs", "Backup"))
            code, text = plane.status("none", found, method.name, request, streams)
            tried += 1
            if path in FREE or code == grpc.StatusCode.UNIMPLEMENTED:
                continue
            if code != DENIED:
                wrong.append((path, code, text))
    check("many methods were tried", tried > 40, tried)
    same("a key without a role is refused by every one of them", [], wrong)


# ---- runs ----

def name_of(kind, text, project, domain):
    return identifier.Identifier(resource_type=kind, name=text, version="v1", project=project, domain=domain)


def task_request(project, domain, script="true", text="t"):
    ident = name_of(identifier.TASK, text, project, domain)
    template = tasks.TaskTemplate(id=ident, type="container",
                                  container=tasks.Container(args=["/bin/sh", "-c", script]))
    template.interface.SetInParent()
    return entities.TaskCreateRequest(id=ident, spec=entities.TaskSpec(template=template))


def start_request(project, domain, of, label=""):
    request = executions.ExecutionCreateRequest(project=project, domain=domain, name=label)
    request.spec.launch_plan.CopyFrom(of)
    request.spec.metadata.principal = "somebody else"
    return request


def fill(plane):
    for project, domain in (("fraud", "production"), ("fraud", "staging"), ("churn", "production")):
        plane.call(None, ADMIN, "CreateTask", task_request(project, domain))
        for i in range(3):
            plane.call(None, ADMIN, "CreateExecution",
                       start_request(project, domain, name_of(identifier.TASK, "t", project, domain),
                                     "%s-%s-%d" % (project, domain[0], i)))


def pages(plane, who, method, field, project="", domain="", limit=2):
    seen, request = [], common.ResourceListRequest(limit=limit)
    request.id.project, request.id.domain = project, domain
    while True:
        reply = plane.call(who, ADMIN, method, request)
        rows = getattr(reply, field)
        if reply.token and len(rows) != limit:
            raise AssertionError("a page that is not the last one has %d rows" % len(rows))
        seen += [(row.id.project, row.id.domain) for row in rows]
        request.token = reply.token
        if not reply.token:
            return seen


def lists(plane):
    fill(plane)
    everything = [("churn", "production")] * 3 + [("fraud", "staging")] * 3 + [("fraud", "production")] * 3
    for limit in (1, 2, 3, 10):
        same("the local user lists every execution, %d a page" % limit, everything,
             pages(plane, None, "ListExecutions", "executions", limit=limit))
        same("a runner of fraud hers", everything[3:],
             pages(plane, "runner", "ListExecutions", "executions", limit=limit))
        same("a viewer of production its", everything[:3] + everything[6:],
             pages(plane, "eye", "ListExecutions", "executions", limit=limit))
        same("tasks likewise", [("fraud", "staging"), ("fraud", "production")],
             pages(plane, "runner", "ListTasks", "tasks", limit=limit))
    same("within what was asked for", everything[6:],
         pages(plane, "eye", "ListExecutions", "executions", project="fraud"))
    code, _ = plane.status("runner", ADMIN, "ListExecutions", common.ResourceListRequest(
        id=common.NamedEntityIdentifier(project="churn", domain="production"), limit=1))
    same("a scope outside is refused", DENIED, code)


def single(plane):
    get = executions.WorkflowExecutionGetRequest
    there = get(id=identifier.WorkflowExecutionIdentifier(project="churn", domain="production", name="churn-p-0"))
    gone = get(id=identifier.WorkflowExecutionIdentifier(project="churn", domain="production", name="churn-p-9"))
    same("an execution of others is refused as one that is not there",
         plane.status("runner", ADMIN, "GetExecution", there), plane.status("runner", ADMIN, "GetExecution", gone))
    same("with the code for it", DENIED, plane.status("runner", ADMIN, "GetExecution", there)[0])
    of = name_of(identifier.TASK, "t", "fraud", "production")
    made = plane.call("runner", ADMIN, "CreateExecution", start_request("fraud", "production", of, "mine"))
    shown = plane.call("eye", ADMIN, "GetExecution", get(id=made.id))
    same("an execution shows who started it, whatever the request said", "key:runner",
         shown.spec.metadata.principal)


def references(plane):
    """What a request names of other scopes is asked for, too."""
    other = name_of(identifier.TASK, "t", "churn", "production")
    code, text = plane.status("runner", ADMIN, "CreateExecution",
                              start_request("fraud", "production", other))
    check("a task of another project is not started", code == DENIED and "entity.read" in text, (code, text))
    made = plane.call(None, ADMIN, "CreateExecution", start_request("fraud", "production", other, "of-others"))
    relaunch = plane.channel.unary_unary("/%s/RelaunchExecution" % ADMIN.full_name,
                                         executions.ExecutionRelaunchRequest.SerializeToString)
    try:
        relaunch(executions.ExecutionRelaunchRequest(id=made.id, name="again"), timeout=WAIT,
                 metadata=plane.metadata("runner"))
        code = text = None
    except grpc.RpcError as error:
        code, text = error.code(), error.details()
    check("nor once more, where somebody else has started it", code == DENIED and "entity.read" in text, (code, text))
    template = workflow.WorkflowTemplate(id=name_of(identifier.WORKFLOW, "w", "fraud", "production"))
    template.nodes.add(id="n0").task_node.reference_id.CopyFrom(other)
    request = entities.WorkflowCreateRequest(id=template.id, spec=entities.WorkflowSpec(template=template))
    code, text = plane.status("runner", ADMIN, "CreateWorkflow", request)
    check("nor made part of a workflow", code == DENIED and "entity.read" in text, (code, text))
    launch = runs_pb2.LaunchRequest(execution=start_request("fraud", "production", other))
    launch.tasks.append(task_request("churn", "production", text="planted"))
    launch.execution.spec.launch_plan.CopyFrom(name_of(identifier.TASK, "t", "fraud", "production"))
    code, text = plane.status("runner", RUNS, "Launch", launch)
    check("a launch registers nothing elsewhere", code == DENIED and "entity.register" in text, (code, text))
    stolen = task_request("fraud", "production", text="stolen")
    stolen.spec.template.container.args.append("union-bundle://churn/production/%s.tar.gz" % ("0" * 32))
    code, text = plane.status("runner", ADMIN, "CreateTask", stolen)
    check("a task takes no code bundle of another project", code == DENIED and "churn" in text, (code, text))
    plan = entities.LaunchPlanCreateRequest(id=name_of(identifier.LAUNCH_PLAN, "p", "fraud", "production"))
    plan.spec.workflow_id.CopyFrom(name_of(identifier.WORKFLOW, "w", "churn", "production"))
    code, _ = plane.status("runner", ADMIN, "CreateLaunchPlan", plan)
    same("a launch plan names no workflow of another", DENIED, code)


def watching(plane):
    slow = task_request("fraud", "production", "sleep 60", "slow")
    plane.call(None, ADMIN, "CreateTask", slow)
    made = plane.call(None, ADMIN, "CreateExecution", start_request("fraud", "production", slow.id, "slow"))
    watched = plane.stream("runner", RUNS, "Watch", runs_pb2.WatchRequest(id=made.id, logs=True))
    check("a runner follows an execution", next(watched).WhichOneof("event") in ("node", "execution"))
    plane.call(None, ACCESS, "DeleteGrant", access_pb2.DeleteGrantRequest(
        principal="key:runner", role="runner", project="fraud"))
    plane.call(None, ADMIN, "TerminateExecution", executions.ExecutionTerminateRequest(id=made.id, cause="over"))
    phases, code = [], None
    try:
        phases += [e.execution.phase for e in watched if e.WhichOneof("event") == "execution"]
    except grpc.RpcError as error:
        code = error.code()
    same("and no more once the role was taken back", DENIED, code)
    check("she does not see its end", runs_pb2.ExecutionEvent().phase not in phases[1:] and len(phases) < 2, phases)


def plane_calls(plane):
    info = plane.call("eye", PLANE, "GetInfo", plane_pb2.GetInfoRequest())
    check("everybody with a role sees version and key", info.version and len(info.plane_key) == 32)
    same("not paths, counts and processes", ("", 0, 0), (info.data_dir, info.secrets, info.pid))
    info = plane.call("boss", PLANE, "GetInfo", plane_pb2.GetInfoRequest())
    check("an administrator of everything does", info.data_dir and info.pid)
    for method in ("RotateKeys", "Shutdown"):
        request = class_of(PLANE.methods_by_name[method].input_type)()
        same("%s is for administrators of everything" % method, DENIED,
             plane.status("lead", PLANE, method, request)[0])


def main():
    plane = Plane()
    try:
        plane.new_key("none")
        plane.new_key("runner", "runner", "fraud")
        plane.new_key("eye", "viewer", "", "production")
        plane.new_key("lead", "admin", "fraud")
        plane.new_key("boss", "admin")
        every_method(plane)
        lists(plane)
        single(plane)
        references(plane)
        plane_calls(plane)
        watching(plane)
    finally:
        plane.stop()
        plane.log.seek(0)
        sys.stderr.write(plane.log.read().decode(errors="replace"))
    finish()


main()

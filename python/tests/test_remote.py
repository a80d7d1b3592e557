"""UnionRemote against a server that speaks Connect as the protocol says, on a Unix socket and on
loopback. What a control plane itself does with the calls is for the whole-program tests."""

import dataclasses
import datetime
import hashlib
import http.server
import json
import os
import socket
import socketserver
import sys
import tarfile
import threading
import unittest
from typing import Dict, List, Optional
from unittest import mock

import union
from support import FolderCase, clean_environment, literal
from union import remote as remotes
from union._connect import Connection
from union._remote_types import type_of_literal_type
from union._schema_api import API
from union._types import type_of
from union._wire import decode, encode

KINDS = {
    "GetExecution": ("WorkflowExecutionGetRequest", "Execution"),
    "GetExecutionData": ("WorkflowExecutionGetDataRequest", "WorkflowExecutionGetDataResponse"),
    "ListExecutions": ("ResourceListRequest", "ExecutionList"),
    "CreateExecution": ("ExecutionCreateRequest", "ExecutionCreateResponse"),
    "TerminateExecution": ("ExecutionTerminateRequest", "ExecutionTerminateResponse"),
    "GetTask": ("ObjectGetRequest", "Task"),
    "GetLaunchPlan": ("ObjectGetRequest", "LaunchPlan"),
    "Launch": ("LaunchRequest", "LaunchResponse"),
    "CreateUploadLocation": ("CreateUploadLocationRequest", "CreateUploadLocationResponse"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass

    def do_POST(self):
        method = self.path.rpartition("/")[2]
        body = self.rfile.read(int(self.headers["content-length"]))
        request_kind, reply_kind = KINDS[method]
        request = decode(API, request_kind, body)
        self.server.calls.append((self.path[1:], request, dict(self.headers)))
        answer = self.server.answers[method]
        if answer is None:  # die without a word
            self.close_connection = True
            return
        answer = answer(request) if callable(answer) else answer
        if isinstance(answer, tuple):
            status, headers, data = answer
        else:
            status, headers = 200, {"content-type": "application/proto"}
            data = encode(API, reply_kind, answer)
        self.reply(status, headers, data)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.uploads.append((self.path, body, dict(self.headers)))
        self.reply(200, {}, b"")

    def reply(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if data:
            self.wfile.write(data)
        if self.server.close_after_each:
            self.close_connection = True


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


def refusal(status, code, message, **headers):
    body = json.dumps({"code": code, "message": message}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json", **named}, body


def execution(phase, **closure):
    return {
        "id": {"project": "p", "domain": "d", "name": "e1"},
        "spec": {"launch_plan": {"resource_type": 3, "name": "m.main"}},
        "closure": {"phase": phase, **closure},
    }


class ServerCase(FolderCase):
    def setUp(self):
        super().setUp()
        self.server = self.start(UnixServer, os.path.join(self.folder, "s"))
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("UNION_", "FLYTE_"))}
        kept["UNION_ENDPOINT"] = f"unix://{self.folder}/s"
        patch = mock.patch.dict(os.environ, kept, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.remote = union.UnionRemote(default_project="p", default_domain="d")
        self.addCleanup(lambda: self.remote._connection and self.remote._connection.close())

    def start(self, kind, address):
        server = kind(address, Handler)
        server.calls, server.uploads, server.answers = [], [], {}
        server.close_after_each = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return server

    def answer(self, **answers):
        self.server.answers.update(answers)


class Calls(ServerCase):
    def test_speaks_connect(self):
        self.answer(ListExecutions={})
        self.assertEqual([], self.remote.recent_executions())
        path, request, headers = self.server.calls[0]
        headers = {name.lower(): value for name, value in headers.items()}
        self.assertEqual("flyteidl.service.AdminService/ListExecutions", path)
        self.assertEqual({"project": "p", "domain": "d"}, request["id"])
        self.assertEqual(
            ("application/proto", "1"),
            (headers["content-type"], headers["connect-protocol-version"]),
        )

    def test_follows_pages_up_to_the_limit(self):
        pages = {
            "": {"executions": [execution(2)] * 100, "token": "x"},
            "x": {"executions": [execution(4)] * 100, "token": "y"},
        }
        self.answer(ListExecutions=lambda request: pages[request.get("token", "")])
        self.assertEqual(150, len(self.remote.recent_executions(limit=150)))
        limits = [request["limit"] for _, request, _ in self.server.calls]
        self.assertEqual([100, 50], limits)

    def test_errors_come_as_typed_exceptions_with_slug_and_hint(self):
        cases = [
            (404, "not_found", remotes.NotFoundError),
            (409, "already_exists", remotes.ExistsError),
            (400, "invalid_argument", remotes.InvalidRequestError),
            (400, "failed_precondition", remotes.InvalidRequestError),
            (403, "permission_denied", remotes.DeniedError),
            (401, "unauthenticated", remotes.UnauthenticatedError),
            (503, "unavailable", remotes.UnreachableError),
            (504, "deadline_exceeded", remotes.DeadlineError),
            (501, "unimplemented", union.UnsupportedError),
            (500, "internal", remotes.RemoteError),
            (500, "no_such_code", remotes.RemoteError),
        ]
        for status, code, kind in cases:
            headers = {"union_error": "execution-not-found", "union_hint": "see%3A%20union"}
            self.answer(GetExecution=refusal(status, code, "no such thing", **headers))
            with self.subTest(code), self.assertRaises(kind) as caught:
                self.remote.fetch_execution(name="e1")
            error = caught.exception
            self.assertIsInstance(error, union.UnionError)
            shown = (error.message, error.hint, error.slug)
            self.assertEqual(("no such thing", "see: union", "execution-not-found"), shown)

    def test_an_error_that_is_no_json_goes_by_its_status(self):
        for status, kind in ((401, remotes.UnauthenticatedError), (502, remotes.UnreachableError)):
            self.answer(GetExecution=(status, {}, b"<html>"))
            with self.subTest(status), self.assertRaises(kind):
                self.remote.fetch_execution(name="e1")

    def test_a_malformed_reply_is_an_error_of_its_own(self):
        self.answer(GetExecution=(200, {}, b"\xff\xff"))
        with self.assertRaises(remotes.RemoteError) as caught:
            self.remote.fetch_execution(name="e1")
        self.assertEqual("protocol", caught.exception.slug)

    def test_a_server_that_closes_idle_connections_is_asked_again(self):
        self.answer(ListExecutions={})
        self.server.close_after_each = True
        for _ in range(3):
            self.remote.recent_executions()
        self.assertEqual(3, len(self.server.calls))

    def test_what_changes_something_is_never_sent_twice(self):
        self.answer(ListExecutions={}, TerminateExecution=None)
        self.remote.recent_executions()
        with self.assertRaises(remotes.UnreachableError):
            self.remote.terminate(remotes.Execution(execution(2)))
        sent = [path for path, _, _ in self.server.calls if path.endswith("/TerminateExecution")]
        self.assertEqual(1, len(sent))

    def test_a_socket_of_another_user_is_refused(self):
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind("other")
        if os.geteuid() == 0:  # the peer is who called listen()
            os.seteuid(65534)
            try:
                other.listen()
            finally:
                os.seteuid(0)
            remote = union.UnionRemote(endpoint=f"unix://{self.folder}/other")
            with self.assertRaises(remotes.DeniedError):
                remote.recent_executions()
        else:
            other.listen()
            remote = union.UnionRemote(endpoint=f"unix://{self.folder}/other")
            with mock.patch("os.geteuid", return_value=os.geteuid() + 1):
                with self.assertRaises(remotes.DeniedError):
                    remote.recent_executions()

    def test_nobody_there_is_unreachable(self):
        for endpoint in ("unix:///no/such/socket", "http://127.0.0.1:1"):
            with self.subTest(endpoint), self.assertRaises(remotes.UnreachableError) as caught:
                union.UnionRemote(endpoint=endpoint).recent_executions()
            self.assertIn(endpoint, str(caught.exception))

    def test_loopback_works_and_other_cleartext_is_refused(self):
        server = self.start(TcpServer, ("127.0.0.1", 0))
        server.answers["ListExecutions"] = {}
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        remote = union.UnionRemote(endpoint=endpoint)
        self.assertEqual([], remote.recent_executions())
        remote._connection.close()
        for bad in ("http://example.com", "ftp://x", "http://", "https://h:0", "https://h:x", ""):
            with self.subTest(bad), self.assertRaises(union.UnionError) as caught:
                Connection(bad)
            self.assertEqual("bad-config", caught.exception.slug)

    def test_arguments_that_are_not_supported_are_refused_by_name(self):
        for name in ("config", "data_upload_location", "interactive_mode_enabled"):
            with self.subTest(name), self.assertRaises(union.UnsupportedError) as caught:
                union.UnionRemote(**{name: "x"})
            self.assertIn(name, str(caught.exception))
        with self.assertRaises(union.UnsupportedError) as caught:
            self.remote.execute(None, overwrite_cache=True)
        self.assertIn("overwrite_cache", str(caught.exception))


class Executions(ServerCase):
    def test_shows_inputs_outputs_and_times_as_python_values(self):
        stamp = {"seconds": 60}
        self.answer(
            GetExecution=execution(4, started_at=stamp, created_at=stamp, updated_at=stamp),
            GetExecutionData={
                "full_inputs": {"literals": {"n": literal(3)}},
                "full_outputs": {"literals": {"o0": {"collection": {"literals": [literal("a")]}}}},
            },
        )
        found = self.remote.fetch_execution(name="e1")
        self.assertEqual(("p", "d", "e1"), (found.id.project, found.id.domain, found.id.name))
        self.assertEqual(
            ("SUCCEEDED", True, True), (found.phase, found.is_done, found.is_successful)
        )
        self.assertEqual(({"n": 3}, {"o0": ["a"]}), (found.inputs, found.outputs))
        minute = datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.timezone.utc)
        self.assertEqual((minute, "m.main"), (found.started_at, found.entity_name))
        self.assertIsNone(found.error)

    def test_a_failed_one_says_why_and_has_no_outputs(self):
        error = {"code": "USER:ValueError", "message": "broken"}
        self.answer(GetExecution=execution(6, error=error), GetExecutionData={})
        found = self.remote.fetch_execution(name="e1")
        self.assertEqual(("USER:ValueError", "broken"), (found.error.code, str(found.error)))
        with self.assertRaises(remotes.RemoteError):
            found.outputs

    def test_wait_looks_until_the_end(self):
        phases = iter([1, 2, 2, 4])
        self.answer(GetExecution=lambda _: execution(next(phases)), GetExecutionData={})
        found = remotes.Execution(execution(1))
        self.assertIs(found, self.remote.wait(found, poll_interval=0))
        self.assertEqual("SUCCEEDED", found.phase)

    def test_wait_ends_at_its_timeout(self):
        self.answer(GetExecution=execution(2))
        with self.assertRaises(remotes.DeadlineError) as caught:
            self.remote.wait(remotes.Execution(execution(1)), timeout=datetime.timedelta(0))
        self.assertIn("RUNNING", str(caught.exception))

    def test_terminate_says_the_cause(self):
        self.answer(TerminateExecution={})
        self.remote.terminate(remotes.Execution(execution(2)), "enough")
        self.assertEqual("enough", self.server.calls[0][1]["cause"])

    def test_guesses_values_of_entities_it_does_not_know(self):
        @dataclasses.dataclass
        class Point:
            x: int
            y: Optional[str]

        values = {
            "a": (Dict[str, List[int]], {"k": [1]}),
            "b": (Optional[bytes], b"\0"),
            "c": (datetime.timedelta, datetime.timedelta(seconds=1.5)),
            "d": (Optional[int], None),
        }
        literals = {n: type_of(t, {}, "x").to_literal(v, "x") for n, (t, v) in values.items()}
        literals["p"] = type_of(Point, {}, "x").to_literal(Point(1, None), "x")
        self.answer(
            GetExecution=execution(4), GetExecutionData={"full_outputs": {"literals": literals}}
        )
        expected = {n: v for n, (_, v) in values.items()}
        expected["p"] = {"x": 1, "y": None}
        self.assertEqual(expected, self.remote.fetch_execution(name="e1").outputs)


SCRIPT = """
import dataclasses
from typing import List
import union

@dataclasses.dataclass
class Point:
    x: int

@union.task
def t1(points: List[Point], n: int = 7) -> Point:
    return points[0]

@union.workflow
def main(points: List[Point], n: int = 8) -> Point:
    return t1(points, n)
"""


class Launches(ServerCase):
    def load(self):
        self.write("launched.py", SCRIPT)
        sys.path.insert(0, self.folder)
        self.addCleanup(sys.path.remove, self.folder)
        self.addCleanup(sys.modules.pop, "launched", None)
        import launched

        point = type_of(launched.Point, {}, "x").to_literal(launched.Point(5), "x")
        self.answer(
            CreateUploadLocation={
                "signed_url": "http://localhost/up?x=1",
                "native_url": "union:///p/d/x.tar.gz",
                "headers": {"x-extra": "1"},
            },
            Launch={"id": {"project": "p", "domain": "d", "name": "e1"}},
            GetExecution=execution(4),
            GetExecutionData={"full_outputs": {"literals": {"o0": point}}},
        )
        return launched

    def test_compiles_uploads_registers_and_starts(self):
        launched = self.load()
        with mock.patch.dict(os.environ, clean_environment()):
            found = self.remote.execute(
                launched.main, inputs={"points": [launched.Point(1)]}, name="e1", wait=True
            )
        self.assertEqual({"o0": launched.Point(5)}, found.outputs)
        path, bundle, headers = self.server.uploads[0]
        self.assertEqual(("/up?x=1", "1"), (path, headers["x-extra"]))
        asked = self.server.calls[0][1]
        self.assertEqual(
            (hashlib.md5(bundle).digest(), len(bundle)),
            (asked["content_md5"], asked["content_length"]),
        )
        with open("b.tgz", "wb") as file:
            file.write(bundle)
        self.assertEqual(["launched.py"], tarfile.open("b.tgz").getnames())
        launch = self.server.calls[1][1]
        self.assertEqual("launched.t1", launch["tasks"][0]["id"]["name"])
        request = launch["execution"]
        self.assertEqual(
            ("e1", 3), (request["name"], request["spec"]["launch_plan"]["resource_type"])
        )
        inputs = request["inputs"]["literals"]
        self.assertEqual(literal(8), inputs["n"])
        self.assertEqual(1, len(inputs["points"]["collection"]["literals"]))

    def test_a_version_of_one_s_own_is_used_everywhere(self):
        launched = self.load()
        with mock.patch.dict(os.environ, clean_environment()):
            self.remote.execute(launched.t1, {"points": []}, version="v1")
        launch = self.server.calls[1][1]
        self.assertEqual("v1", launch["tasks"][0]["spec"]["template"]["id"]["version"])
        self.assertEqual("v1", launch["execution"]["spec"]["launch_plan"]["version"])

    def test_inputs_are_checked_before_anything_is_sent(self):
        launched = self.load()
        for inputs in ({}, {"points": [1]}, {"points": [], "m": 1}):
            with self.subTest(str(inputs)), self.assertRaises(union.UnionError):
                self.remote.execute(launched.main, inputs)
        self.assertEqual([], self.server.calls)

    def test_a_fetched_task_and_plan_can_be_started(self):
        launched = self.load()
        interface = launched.main.interface
        self.answer(
            CreateExecution={"id": {"project": "p", "domain": "d", "name": "e1"}},
            GetTask={
                "id": {"name": "launched.t1", "version": "v"},
                "closure": {"compiled_task": {"template": {"interface": interface.message()}}},
            },
            GetLaunchPlan={
                "id": {"name": "launched.main", "version": "v"},
                "closure": {"expected_inputs": interface.parameters()},
            },
        )
        task = self.remote.fetch_task(name="launched.t1", version="v")
        plan = self.remote.fetch_launch_plan(name="launched.main", version="v")
        self.remote.execute(plan, {"points": [{"x": 1}]})
        sent = [request for path, request, _ in self.server.calls if "CreateExecution" in path][0]
        self.assertEqual(literal(8), sent["inputs"]["literals"]["n"])
        with self.assertRaises(union.UnionError) as caught:
            self.remote.execute(task, {"points": []})
        self.assertEqual("input-missing", caught.exception.slug)
        with self.assertRaises(union.UnionError) as caught:
            self.remote.execute(task, {"points": [], "m": 1})
        self.assertEqual("input-unknown", caught.exception.slug)
        with self.assertRaises(union.UnionError):
            self.remote.execute(task, {"points": [{"y": 1}], "n": 1})


class RemoteTypes(unittest.TestCase):
    def test_a_registered_type_is_the_type_it_was_made_of(self):
        for declared in (int, bytes, List[Optional[int]], Dict[str, float], datetime.datetime):
            type_ = type_of(declared, {}, "x")
            self.assertEqual(type_, type_of_literal_type(type_.literal_type(), "x"))

    def test_what_is_not_known_is_refused(self):
        for literal_type in ({}, {"simple": 9}, {"blob": {}}, {"union_type": {"variants": []}}):
            with self.subTest(str(literal_type)), self.assertRaises(union.TypeUnsupportedError):
                type_of_literal_type(literal_type, "x")


if __name__ == "__main__":
    unittest.main()

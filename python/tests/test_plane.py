"""The package against the real programs: `union`, `uniond` and `union-exec` of UNION_BUILD, in a home
of their own. Skipped where UNION_BUILD is not set."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import union
from support import CANARY, TIMEOUT_SECONDS, clean_environment
from union import remote as remotes

BUILD = os.environ.get("UNION_BUILD", "")

SCRIPT = """
import dataclasses
import datetime
import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

import union


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
    raw: bytes = b""


class Pair(NamedTuple):
    count: int
    point: Point


@union.task
def everything(
    i: int, f: float, s: str, b: bool, raw: bytes, when: datetime.datetime,
    span: datetime.timedelta, l: List[int], d: Dict[str, float], p: Point, o: Optional[int] = None,
) -> Tuple[int, float, str, bool, bytes, datetime.datetime, datetime.timedelta, List[int],
           Dict[str, float], Point, Optional[int]]:
    return i, f, s, b, raw, when, span, l, d, p, o


@union.task(environment={"MODE": "fast"})
def pair(n: int) -> Pair:
    assert os.environ["MODE"] == "fast"
    return Pair(n, Point(n))


@union.workflow
def inner(n: int) -> Pair:
    return pair(n)


@union.task
def total(points: List[Point], table: Dict[str, int], more: Optional[int]) -> int:
    return sum(p.x for p in points) + sum(table.values()) + (more or 0)


@union.workflow
def main(n: int = 5) -> Tuple[int, Point]:
    a = inner(n)
    b = pair(7).with_overrides(name="second", retries=1)
    return total([a.point, b.point], {"k": a.count, "c": 100}, a.count), b.point


@union.task(retries=2)
def flaky() -> int:
    attempt = union.current_context().attempt
    if attempt < 2:
        raise union.RecoverableError("not yet")
    return attempt


@union.task
def everywhere() -> int:
    return 1


@union.task
def bad(n: int) -> int:
    return [1][n]


@union.task
def where() -> List[str]:
    context = union.current_context()
    id_, task = context.execution_id, context.task_id
    return [id_.project, id_.domain, id_.name, task.name, str(context.is_local)]


@union.task(secret_requests=[
    union.Secret(key="py_secret"),
    union.Secret(key="py_secret", env_var="AS_VARIABLE"),
    union.Secret(group="grp", key="py_file", mount_requirement=union.Secret.MountType.FILE),
])
def secrets() -> List[bool]:
    get = union.current_context().secrets
    with open(get.get_secrets_file("grp", "py_file"), "rb") as file:
        from_file = file.read()
    value = get.get(key="py_secret")
    return [
        value == get.get("py_secret") == os.environ["AS_VARIABLE"],
        value.startswith("CANARY"),
        from_file.strip() == get.get("grp", "py_file", encode_mode="rb") == get.grp.py_file.encode(),
    ]


@union.task
def unasked() -> int:
    return len(union.current_context().secrets.get(key="py_secret"))


@union.task
def waits() -> None:
    time.sleep(60)


@union.task
def first() -> None:
    raise ValueError("first")


@union.task
def second(path: str) -> None:
    with open(path, "w"):
        pass


@union.workflow(
    failure_policy=union.WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
)
def late(path: str) -> None:
    first()
    second(path)
"""


@unittest.skipUnless(BUILD, "UNION_BUILD is not set")
class Plane(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = os.path.realpath(tempfile.mkdtemp(prefix="union-plane-"))
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.env = clean_environment(
            HOME=cls.home, PATH=f"{BUILD}:{os.environ['PATH']}", UNION_PYTHON=sys.executable
        )
        for name in ("DATA", "STATE", "CONFIG", "CACHE"):
            cls.env.pop(f"XDG_{name}_HOME", None)
        del cls.env["PYTHONPATH"]
        cls.shared = os.path.join(cls.home, "shared")  # which tasks may change
        os.mkdir(cls.shared)
        os.chmod(cls.shared, 0o777)
        os.makedirs(os.path.join(cls.home, ".config", "union"))
        with open(os.path.join(cls.home, ".config/union/uniond.yaml"), "w", encoding="utf-8") as file:
            file.write(f"tasks: {{writable: '{cls.shared}'}}\n")
        cls.union("create", "secret", "py_secret", value=CANARY)
        cls.union("create", "secret", "py_file", "-f", "-", value=f"{CANARY}\n")
        info = json.loads(cls.union("info", "-o", "json"))
        cls.addClassCleanup(cls.stop, int(info["pid"]))
        with open(os.path.join(cls.home, "planned.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(SCRIPT))
        sys.path.insert(0, cls.home)
        cls.addClassCleanup(sys.path.remove, cls.home)
        cls.addClassCleanup(sys.modules.pop, "planned", None)
        import planned

        cls.planned = planned
        cls.remote = union.UnionRemote(
            default_project="p1", default_domain="d1", endpoint=info["endpoint"]
        )
        cls.remote._connected()
        cls.addClassCleanup(lambda: cls.remote._connection.close())

    @classmethod
    def union(cls, *words, value=""):
        done = subprocess.run(
            ["union", *words],
            input=value.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=cls.env,
            executable=os.path.join(BUILD, "union"),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"union {words}: {done.stderr.decode()}")
        return done.stdout.decode()

    @staticmethod
    def stop(pid):
        """Ends the control plane that this test started, and waits until it is gone."""
        try:
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + TIMEOUT_SECONDS
            while time.monotonic() < end:
                os.kill(pid, 0)
                time.sleep(0.02)
        except ProcessLookupError:
            pass

    def run_entity(self, entity, inputs=None, **options):
        return self.remote.execute(entity, inputs or {}, wait=True, **options)

    def test_a_graph_with_everything_in_it(self):
        found = self.run_entity(self.planned.main)
        self.assertEqual(({"n": 5}, None), (found.inputs, found.error))
        self.assertEqual({"o0": 122, "o1": self.planned.Point(7)}, found.outputs)
        self.assertEqual((122, self.planned.Point(7)), self.planned.main())

    def test_every_type_arrives_as_it_left(self):
        import datetime

        utc = datetime.timezone.utc
        values = {
            "i": -(1 << 63),
            "f": 1.5,
            "s": "hé\n",
            "b": True,
            "raw": b"\0\xff",
            "when": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, utc),
            "span": datetime.timedelta(seconds=-1.5),
            "l": [],
            "d": {"a": 1.0, "": -0.5},
            "p": self.planned.Point((1 << 53) + 1, 2.0, b"x"),
        }
        found = self.run_entity(self.planned.everything, values)
        self.assertEqual([*values.values(), None], list(found.outputs.values()))

    def test_a_recoverable_error_is_tried_again(self):
        self.assertEqual({"o0": 2}, self.run_entity(self.planned.flaky).outputs)

    def test_a_failure_shows_the_user_s_lines(self):
        found = self.run_entity(self.planned.bad, {"n": 3})
        self.assertEqual(("FAILED", "USER:IndexError"), (found.phase, found.error.code))
        self.assertIn('File "planned.py", line ', found.error.message)
        self.assertIn("return [1][n]", found.error.message)

    def test_a_task_knows_where_it_is(self):
        found = self.run_entity(self.planned.where, name="named-where")
        expected = ["p1", "d1", "named-where", "planned.where", "False"]
        self.assertEqual({"o0": expected}, found.outputs)

    def test_secrets_arrive_in_every_way_asked_for(self):
        self.assertEqual({"o0": [True] * 3}, self.run_entity(self.planned.secrets).outputs)

    def test_a_secret_that_was_not_asked_for_does_not(self):
        found = self.run_entity(self.planned.unasked)
        self.assertEqual("USER:SecretError", found.error.code)
        self.assertIn('secret_requests=[union.Secret(key="py_secret")]', found.error.message)

    def test_the_other_nodes_still_run_when_the_policy_says_so(self):
        path = os.path.join(self.shared, "made")
        found = self.run_entity(self.planned.late, {"path": path})
        self.assertEqual(("FAILED", True), (found.phase, os.path.exists(path)))

    def test_an_execution_is_aborted(self):
        found = self.remote.execute(self.planned.waits, name="named-waits")
        self.remote.terminate(found, "enough")
        self.assertEqual("ABORTED", self.remote.wait(found).phase)
        self.assertEqual("enough", found.error.message)
        with self.assertRaises(remotes.ExistsError):
            self.remote.execute(self.planned.waits, name="named-waits")

    def test_what_ran_is_found_again_the_newest_first(self):
        first = self.run_entity(self.planned.everywhere)
        second = self.run_entity(self.planned.everywhere)
        names = [found.name for found in self.remote.recent_executions(limit=2)]
        self.assertEqual([second.name, first.name], names)
        self.assertEqual({"o0": 1}, self.remote.fetch_execution(name=first.name).outputs)
        with self.assertRaises(remotes.NotFoundError) as caught:
            self.remote.fetch_execution(name="no-such-name")
        self.assertEqual("execution-not-found", caught.exception.slug)

    def test_a_registered_plan_is_started_without_its_script(self):
        version = self.run_entity(self.planned.main)._entity["version"]
        plan = self.remote.fetch_launch_plan(name="planned.main", version=version)
        self.assertEqual(110, self.run_entity(plan, {"n": 1}).outputs["o0"])
        task = self.remote.fetch_task(name="planned.total", version=version)
        inputs = {"points": [{"x": 4}], "table": {}, "more": None}
        self.assertEqual({"o0": 4}, self.run_entity(task, inputs).outputs)

    def test_it_is_found_without_being_told_where_it_is(self):
        code = "import union; print(len(union.UnionRemote().recent_executions()))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.env, "PYTHONPATH": os.path.dirname(os.path.dirname(union.__file__))},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        self.assertEqual((b"0\n", b""), (done.stdout, done.stderr))


if __name__ == "__main__":
    unittest.main()

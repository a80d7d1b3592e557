"""The task process: results, errors, signals."""

import os
import signal
import stat
import subprocess
import sys
import time
import unittest

from support import CANARY, FolderCase, clean_environment, literal
from union._templates import _START

SCRIPT = """
import os, sys, time
import union
from typing import List, Optional, NamedTuple

class Pair(NamedTuple):
    total: int
    text: str

class Again(union.RecoverableError):
    pass

@union.task
def add(a: int, b: int = 2) -> int:
    print("adding")
    return a + b

@union.task
def pair(n: int) -> Pair:
    return Pair(n, str(n))

@union.task
def nothing() -> None:
    pass

@union.task
def undeclared():
    return 5

@union.task
def fails(n: int) -> int:
    return divide(n)

def divide(n):
    return 1 // n

@union.task
def chained() -> int:
    try:
        divide(0)
    except ZeroDivisionError as err:
        raise ValueError("outer") from err

@union.task
def again() -> int:
    raise Again("busy")

@union.task
def old_again() -> int:
    raise union.FlyteRecoverableException("busy")

@union.task
def wrong() -> int:
    return "CANARY-7f3a91"

@union.task
def wrong_count() -> Pair:
    return (1, "a", 2)

@union.task
def leaves(code: Optional[int] = None) -> int:
    sys.exit(code)

@union.task
def leaves_quietly():
    sys.exit(0)

@union.task
def interrupted() -> int:
    raise KeyboardInterrupt

@union.task
def calls() -> int:
    return add(1, b=1) + add(a=2)

@union.task
def nul() -> str:
    return "a" + chr(0)


@union.task
def surrogate() -> int:
    raise ValueError("odd \\ud800")

@union.task
def deep() -> int:
    return deep.__wrapped__()

@union.task
def waits() -> int:
    try:
        print("ready", flush=True)
        time.sleep(60)
    except Exception:
        return 1
    finally:
        print("cleaned", flush=True)
    return 2

@union.task
def reads() -> int:
    return len(union.current_context().secrets.get(key="other"))

@union.task
def closes() -> int:
    sys.stdout.close()
    return 1

@union.task
def collects() -> bool:
    import gc
    return gc.isenabled()
"""


class Results(FolderCase):
    def setUp(self):
        super().setUp()
        self.write("s.py", SCRIPT)

    def run_task(self, name, inputs=None):
        self.done = self.execute("s", name, inputs)
        self.assertEqual(0, self.done.returncode, self.done.stderr.decode())

    def test_writes_the_outputs(self):
        self.run_task("add", {"a": literal(40)})
        self.assertEqual({"o0": literal(42)}, self.outputs())
        self.assertEqual((b"adding\n", b""), (self.done.stdout, self.done.stderr))
        self.assertEqual(0o600, stat.S_IMODE(os.stat("out/outputs.pb").st_mode))

    def test_names_the_outputs_of_a_named_tuple(self):
        self.run_task("pair", {"n": literal(3)})
        self.assertEqual({"total": literal(3), "text": literal("3")}, self.outputs())

    def test_a_task_without_a_result_writes_empty_outputs(self):
        self.run_task("nothing")
        self.assertEqual({}, self.outputs())

    def test_a_result_that_is_not_declared_is_dropped_with_a_note(self):
        self.run_task("undeclared")
        self.assertEqual({}, self.outputs())
        self.assertIn(b"add '-> int'", self.done.stderr)

    def test_tasks_called_in_a_task_are_functions(self):
        self.run_task("calls")
        self.assertEqual({"o0": literal(6)}, self.outputs())

    def test_inputs_that_are_not_declared_are_left_alone(self):
        self.run_task("add", {"a": literal(1), "later": literal(5)})
        self.assertEqual({"o0": literal(3)}, self.outputs())

    def test_runs_as_the_template_starts_it(self):
        words = ["--inputs", "inputs.pb", "--output-prefix", "out"]
        words += ["--task-module", "s", "--task-name", "nothing"]
        open("inputs.pb", "w").close()
        self.write("sys.py", "raise RuntimeError('the bundle hides a module of Python')\n")
        self.write("struct.py", "raise RuntimeError('the bundle hides a module of Python')\n")
        self.done = self.run_module("", *words, code=_START)
        self.assertEqual(0, self.done.returncode, self.done.stderr.decode())
        self.assertEqual({}, self.outputs())

    def test_the_task_runs_with_garbage_collection(self):
        self.run_task("collects")
        self.assertEqual({"o0": literal(True)}, self.outputs())

    def test_a_closed_standard_output_does_not_lose_the_result(self):
        self.execute("s", "closes")
        self.assertEqual({"o0": literal(1)}, self.outputs())


class Annotations(FolderCase):
    def test_annotations_that_are_text_mean_what_they_meant_where_they_stand(self):
        self.write(
            "shapes.py",
            """
            from __future__ import annotations
            import dataclasses
            from typing import List, NamedTuple, Optional

            @dataclasses.dataclass
            class Dot:
                x: int
                next: Optional[Other] = None

            @dataclasses.dataclass
            class Other:
                names: List[str]

            class Both(NamedTuple):
                dot: Dot
                count: int
            """,
        )
        self.write(
            "s.py",
            """
            from __future__ import annotations
            import shapes
            import union
            from datetime import timedelta
            from typing import List as L

            @union.task
            def t1(dots: L[shapes.Dot], more: L["shapes.Dot"], span: timedelta) -> shapes.Both:
                return shapes.Both(dots[0], len(more) + span.days)

            @union.workflow
            def main(dots: L[shapes.Dot], span: timedelta = timedelta(2)) -> shapes.Both:
                both = t1(dots, dots, span)
                return shapes.Both(both.dot, both.count)
            """,
        )
        compiled = self.compile_good("s.py")
        variables = compiled["interface"]["outputs"]["variables"]
        self.assertEqual({"dot", "count"}, set(variables))
        fields = variables["dot"]["type"]["structure"]["dataclass_type"]
        self.assertIn("union_type", fields["next"])
        name = {"string_value": "a"}
        other = {"struct_value": {"fields": {"names": {"list_value": {"values": [name]}}}}}
        dot = {"fields": {"x": {"number_value": 1.0}, "next": other}}
        dots = {"collection": {"literals": [{"scalar": {"generic": dot}}]}}
        span = {"scalar": {"primitive": {"duration": {"seconds": 3 * 86400}}}}
        self.execute("s", "t1", {"dots": dots, "more": dots, "span": span})
        outputs = self.outputs()
        self.assertEqual(literal(4), outputs["count"])
        self.assertEqual({"scalar": {"generic": dot}}, outputs["dot"])


class Errors(Results):
    def fail(self, name, inputs=None):
        self.run_task(name, inputs)
        return self.error()

    def test_an_exception_becomes_error_pb_with_the_user_s_traceback(self):
        error = self.fail("fails", {"n": literal(0)})
        self.assertEqual(("USER:ZeroDivisionError", 1), (error["code"], error["origin"]))
        self.assertNotIn("kind", error)
        lines = error["message"].splitlines()
        self.assertEqual("Traceback (most recent call last):", lines[0])
        self.assertIn('File "s.py", line 36, in fails', error["message"])
        self.assertIn("return divide(n)", error["message"])
        self.assertEqual("ZeroDivisionError: integer division or modulo by zero", lines[-1])
        self.assertNotIn("execute.py", error["message"])
        self.assertLess(abs(error["timestamp"]["seconds"] - time.time()), 3600)

    def test_causes_are_part_of_it(self):
        message = self.fail("chained")["message"]
        self.assertIn("ZeroDivisionError", message)
        self.assertIn("direct cause", message)

    def test_recoverable_errors_are_marked(self):
        for name, code in (("again", "USER:Again"), ("old_again", "USER:RecoverableError")):
            error = self.fail(name)
            self.assertEqual((1, code), (error["kind"], error["code"]))
            os.unlink("out/error.pb")

    def test_a_result_of_another_type_names_the_output_and_not_the_value(self):
        error = self.fail("wrong")
        self.assertIn("output 'o0' must be int, not str", error["message"])
        self.assertNotIn(CANARY, error["message"])
        self.assertNotIn(CANARY, self.done.stderr.decode())
        os.unlink("out/error.pb")
        self.assertIn("tuple of 2 values, not 3", self.fail("wrong_count")["message"])

    def test_a_missing_or_wrong_input_is_named(self):
        self.assertIn("needs the input 'a'", self.fail("add")["message"])
        os.unlink("out/error.pb")
        error = self.fail("add", {"a": literal("x")})
        self.assertIn("input 'a' must be int, not str", error["message"])

    def test_sys_exit_is_an_error_of_the_task(self):
        error = self.fail("leaves", {})
        self.assertEqual("USER:SystemExit", error["code"])
        self.assertIn("sys.exit()", error["message"])

    def test_sys_exit_0_ends_a_task_without_a_result_well(self):
        self.run_task("leaves_quietly")
        self.assertEqual({}, self.outputs())

    def test_an_interrupt_of_the_task_s_own_is_an_error(self):
        self.assertEqual("USER:KeyboardInterrupt", self.fail("interrupted")["code"])

    def test_odd_text_and_endless_recursion_still_become_an_error(self):
        self.assertIn("str without NUL", self.fail("nul")["message"])
        self.assertIn("odd \\ud800", self.fail("surrogate")["message"])
        os.unlink("out/error.pb")
        error = self.fail("deep")
        self.assertEqual("USER:RecursionError", error["code"])
        self.assertLess(len(error["message"]), 70_000)

    def test_a_script_that_does_not_load_is_an_error_of_the_task(self):
        self.write("s.py", "import no_such_module\n")
        error = self.fail("add")
        self.assertEqual("USER:ModuleNotFoundError", error["code"])
        self.assertIn('File "s.py", line 1', error["message"])
        self.assertNotIn("importlib", error["message"])

    def test_an_unknown_task_or_module_is_an_error(self):
        self.assertIn("has no task 'nope'", self.fail("nope")["message"])
        os.unlink("out/error.pb")
        self.assertIn("has no task 'divide'", self.fail("divide")["message"])

    def test_a_secret_that_was_not_asked_for_says_what_to_add(self):
        env = clean_environment(FLYTE_INTERNAL_EXECUTION_ID="e", FLYTE_SECRETS_ENV_PREFIX="_UNION_")
        self.done = self.execute("s", "reads", env=env)
        error = self.error()
        self.assertEqual("USER:SecretError", error["code"])
        self.assertIn('secret_requests=[union.Secret(key="other")]', error["message"])

    def test_damaged_inputs_are_an_error(self):
        with open("inputs.pb", "wb") as file:
            file.write(b"\xff\xff\xff")
        words = ["--inputs", "inputs.pb", "--output-prefix", "out"]
        done = self.run_module("union.execute", *words, "--task-module", "s", "--task-name", "add")
        self.assertEqual(0, done.returncode)
        self.assertIn("WireError", self.error()["code"])

    def test_a_result_that_cannot_be_written_is_status_1(self):
        self.write("out", "a file where the folder should be")
        self.done = self.execute("s", "nothing")
        self.assertEqual(1, self.done.returncode)
        self.assertIn(b"cannot write", self.done.stderr)

    def test_wrong_usage_is_status_2(self):
        for words in ([], ["--inputs", "x"], ["--inputs"] * 8):
            self.assertEqual(2, self.run_module("union.execute", *words).returncode)


class Signals(FolderCase):
    def start(self, task):
        self.write("s.py", SCRIPT)
        open("inputs.pb", "w").close()
        words = ["--inputs", "inputs.pb", "--output-prefix", "out", "--task-module", "s"]
        child = subprocess.Popen(
            [sys.executable, "-m", "union.execute", *words, "--task-name", task],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertEqual(b"ready\n", child.stdout.readline())
        return child

    def test_sigterm_unwinds_the_task_and_leaves_no_result(self):
        child = self.start("waits")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(b"cleaned\n", child.stdout.read())
        self.assertEqual(-signal.SIGTERM, child.wait())
        self.assertFalse(os.path.exists("out"))


class Footprint(FolderCase):
    # Whoever adds to this list makes every task start later. Modules that the interpreter has
    # loaded by itself do not count.
    ALLOWED = {
        "__future__",
        "_signal",
        "gc",
        "_struct",
        "struct",
        "union",
        "union._arguments",
        "union._errors",
        "union._schema",
        "union._secrets",
        "union._context",
        "union._signature",
        "union._state",
        "union._tasks",
        "union._types",
        "union._wire",
        "union._workflows",
        "union.execute",
        "s",
    }

    def test_making_a_remote_loads_little_more(self):
        code = (
            "import sys; before = set(sys.modules); import union; union.UnionRemote();"
            "print(*sorted(set(sys.modules) - before))"
        )
        done = self.run_module("", code=code)
        loaded = set(done.stdout.decode().split())
        more = {"time", "union.remote", "union._remote_errors"}
        self.assertEqual(set(), loaded - self.ALLOWED - more)

    def test_a_small_task_loads_nothing_else(self):
        self.write(
            "s.py",
            """
            import union

            @union.task(secret_requests=[union.Secret(key="k")])
            def t1(a: int = 1) -> list[int]:
                return [len(union.current_context().secrets.get(key="k"))]

            @union.workflow
            def main() -> list[int]:
                return t1()
            """,
        )
        code = (
            "import sys; before = set(sys.modules); from union.execute import execute;"
            "execute('inputs.pb', 'out', 's', 't1');"
            "print(*sorted(set(sys.modules) - before))"
        )
        open("inputs.pb", "w").close()
        env = clean_environment(_UNION_K="x")
        self.done = self.run_module("", code=code, env=env)
        self.assertEqual(0, self.done.returncode, self.done.stderr.decode())
        self.assertEqual(1, len(self.outputs()))
        self.assertEqual(set(), set(self.done.stdout.decode().split()) - self.ALLOWED)


if __name__ == "__main__":
    unittest.main()

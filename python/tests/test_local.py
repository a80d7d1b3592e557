"""`union run` without `--remote`: `python3 -m union.local`."""

import os
import unittest

from support import START, FolderCase, clean_environment, literal
from union._schema import CORE
from union._wire import decode, encode

SCRIPT = """
import os, sys
import union

@union.task(environment={"MODE": "fast"})
def t1(n: int, text: str = "x") -> str:
    print("in the task", os.environ["MODE"])
    return text * n

@union.task
def secret() -> int:
    return len(union.current_context().secrets.get(key="my_secret"))

@union.task
def fails() -> int:
    raise ValueError("broken")

@union.task
def wrong() -> int:
    return "text"

@union.task
def after() -> str:
    return os.environ.get("MODE", "none")

@union.workflow
def main(n: int = 2) -> (str):
    return t1(n=n, text="ab")

@union.workflow
def order() -> str:
    first = t1(1)
    last = after()
    first >> last
    return last
"""


class Local(FolderCase):
    def run_local(self, entity, inputs=None, script="s.py", env=None):
        """Runs an entity; self.outputs is what came on the descriptor, or None."""
        if script == "s.py" and not os.path.exists("s.py"):
            self.write("s.py", SCRIPT)
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        os.write(in_write, encode(CORE, "LiteralMap", {"literals": inputs or {}}))
        os.close(in_write)
        words = ["--inputs-fd", str(in_read), "--outputs-fd", str(out_write), script, entity]
        code = START.format("local")
        done = self.run_module("", *words, code=code, pass_fds=(in_read, out_write), env=env)
        os.close(in_read)
        os.close(out_write)
        with open(out_read, "rb") as file:
            data = file.read()
        self.outputs = decode(CORE, "LiteralMap", data).get("literals", {}) if data else None
        return done

    def test_runs_a_workflow_and_leaves_its_output_alone(self):
        done = self.run_local("main", {"n": literal(3)})
        self.assertEqual(
            (0, b"in the task fast\n", b""), (done.returncode, done.stdout, done.stderr)
        )
        self.assertEqual({"o0": literal("ababab")}, self.outputs)

    def test_fills_in_defaults(self):
        self.run_local("main")
        self.assertEqual({"o0": literal("abab")}, self.outputs)
        self.run_local("t1", {"n": literal(2)})
        self.assertEqual({"o0": literal("xx")}, self.outputs)

    def test_variables_of_a_task_are_gone_after_it(self):
        self.run_local("order")
        self.assertEqual({"o0": literal("none")}, self.outputs)

    def test_takes_the_plain_variable_for_a_secret(self):
        self.run_local("secret", env=clean_environment(MY_SECRET="four"))
        self.assertEqual({"o0": literal(4)}, self.outputs)

    def test_a_missing_secret_says_both_ways_out(self):
        done = self.run_local("secret")
        self.assertEqual((1, None), (done.returncode, self.outputs))
        self.assertIn(b"union: error: the task has no secret 'my_secret'", done.stderr)
        self.assertIn(b"MY_SECRET", done.stderr)
        self.assertIn(b"secret_requests=[union.Secret(key=", done.stderr)

    def test_an_error_of_a_task_shows_the_user_s_traceback_only(self):
        done = self.run_local("fails")
        self.assertEqual((1, None), (done.returncode, self.outputs))
        lines = done.stderr.decode().splitlines()
        self.assertEqual("Traceback (most recent call last):", lines[0])
        self.assertEqual("ValueError: broken", lines[-1])
        self.assertEqual(1, sum('  File "' in line for line in lines))

    def test_a_result_of_another_type_is_an_error(self):
        done = self.run_local("wrong")
        self.assertEqual(1, done.returncode)
        self.assertIn(b"output 'o0' must be int, not str", done.stderr)

    def test_inputs_are_checked(self):
        done = self.run_local("t1")
        self.assertIn(b"needs the input 'n'", done.stderr)
        done = self.run_local("t1", {"n": literal("x")})
        self.assertIn(b"input 'n' must be int, not str", done.stderr)

    def test_a_script_that_does_not_load_is_shown_as_python_shows_it(self):
        self.write("bad.py", "def f(:\n")
        done = self.run_local("main", script="bad.py")
        self.assertEqual(1, done.returncode)
        self.assertIn(b"SyntaxError: invalid syntax", done.stderr)
        self.assertIn(b"union: error: 'bad.py' does not load", done.stderr)
        done = self.run_local("main", script="nope.py")
        self.assertIn(b"there is no script 'nope.py'", done.stderr)

    def test_the_only_task_runs_with_a_note(self):
        self.write("one.py", "import union\n\n@union.task\ndef t() -> int:\n    return 1\n")
        done = self.run_local("main", script="one.py")
        self.assertIn(b"union: note: one.py has no 'main'; running its only task 't'", done.stderr)
        self.assertEqual({"o0": literal(1)}, self.outputs)

    def test_sys_exit_ends_it_as_in_python(self):
        self.write(
            "leaves.py", "import sys, union\n\n@union.task\ndef main() -> int:\n    sys.exit(7)\n"
        )
        done = self.run_local("main", script="leaves.py")
        self.assertEqual((7, None), (done.returncode, self.outputs))

    def test_wrong_usage_is_status_2(self):
        for words in ([], ["--inputs-fd", "x", "--outputs-fd", "1", "s.py", "main"]):
            self.assertEqual(2, self.run_module("union.local", *words).returncode)


if __name__ == "__main__":
    unittest.main()

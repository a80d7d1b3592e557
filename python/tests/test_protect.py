"""What a task with a secret as variable shows of it to other processes."""

import os
import sys
import unittest

from support import CANARY, FolderCase, clean_environment

SCRIPT = """
import ctypes, os, subprocess
import union

@union.task
def look() -> list[str]:
    import sys

    assert os.environ["V"] == os.environ["COPY"][::-1]
    try:
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
    except PermissionError:
        block = b""  # not dumpable: it is root's now
    child = subprocess.run(["env"], stdout=subprocess.PIPE, check=True).stdout
    value = os.environ["V"].encode()
    return [
        "shown:" + str(value in block),
        "children:" + str(b"V=" + value in child),
        "names:" + str(b"UNION_SECRET_VARIABLES" in child),
        "dumpable:" + str(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)),
        "other:" + str(b"COPY=" in block or not block),
    ]

@union.workflow
def main() -> list[str]:
    return look()
"""


@unittest.skipUnless(sys.platform == "linux", "needs /proc")
class Protect(FolderCase):
    def look(self, **variables):
        self.write("s.py", SCRIPT)
        open("inputs.pb", "w").close()
        env = clean_environment(V=CANARY, COPY=CANARY[::-1], **variables)
        words = ["--inputs", "inputs.pb", "--output-prefix", "out"]
        done = self.run_module(
            "union.execute", *words, "--task-module", "s", "--task-name", "look", env=env
        )
        self.assertEqual(0, done.returncode, done.stderr.decode())
        self.assertEqual(["outputs.pb"], os.listdir("out"))
        with open("out/outputs.pb", "rb") as file:
            return file.read()

    def test_a_variable_with_a_value_is_not_in_proc_and_children_have_it(self):
        seen = self.look(UNION_SECRET_VARIABLES="V")
        for fact in (b"shown:False", b"children:True", b"names:False", b"dumpable:0", b"other:True"):
            self.assertIn(fact, seen)

    def test_a_task_without_such_a_variable_is_left_alone(self):
        seen = self.look()
        for fact in (b"shown:True", b"children:True", b"dumpable:1"):
            self.assertIn(fact, seen)


if __name__ == "__main__":
    unittest.main()

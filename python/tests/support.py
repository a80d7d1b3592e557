"""What several tests need: scripts in folders of their own, the package's programs, protoc."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from union._schema import CORE
from union._schema_api import API
from union._wire import decode, encode

PYTHON_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(PYTHON_DIR)
PROTO_DIR = os.path.join(ROOT, "proto")
TIMEOUT_SECONDS = 60

START = (
    "import sys; sys.path[:] = filter(None, sys.path); from union.{0} import main; sys.exit(main())"
)
"""How the C programs start a module of ours: -m takes longer, and looks in the current folder."""

CANARY = "CANARY-7f3a91"
"""A value of a secret: must never be seen in an error, a message or a result."""


def clean_environment(**more):
    """Returns an environment with nothing of ours in it but what is asked for."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("FLYTE_", "UNION_", "_UNION"))}
    return {**kept, "PYTHONPATH": PYTHON_DIR, **more}


class FolderCase(unittest.TestCase):
    """A test with a folder of its own, the current one while it runs."""

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="union-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)

    def write(self, name, text):
        """Writes a file below the folder and returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def run_module(self, module, *words, stdin=b"", env=None, pass_fds=(), code=None):
        """Runs `python -m MODULE WORDS` (or `python -c CODE WORDS`) and returns what it did."""
        start = ["-c", code] if code else ["-m", module]
        return subprocess.run(
            [sys.executable, *start, *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env or clean_environment(),
            pass_fds=pass_fds,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def compile(self, script, *words, env=None, copy="auto"):
        """Compiles a script in a process of its own and returns the CompiledScript."""
        self.bundle = os.path.join(self.folder, "..", os.path.basename(self.folder) + ".tgz")
        self.addCleanup(lambda: os.path.exists(self.bundle) and os.unlink(self.bundle))
        options = ["--copy", copy, "--bundle-out", self.bundle]
        done = self.run_module("union.compile", *options, script, *words, env=env)
        self.assertEqual(0, done.returncode, done.stderr.decode())
        self.stderr = done.stderr.decode()
        return decode(API, "CompiledScript", done.stdout)

    def compile_good(self, script, *words, **options):
        compiled = self.compile(script, *words, **options)
        self.assertNotIn("error", compiled)
        return compiled

    def compile_bad(self, script, *words, **options):
        compiled = self.compile(script, *words, **options)
        self.assertIn("error", compiled)
        self.assertEqual(["error"], list(compiled))
        return compiled["error"]

    def execute(self, module, name, inputs=None, env=None):
        """Runs a task of the current folder as the launcher does."""
        with open("inputs.pb", "wb") as file:
            file.write(encode(CORE, "LiteralMap", {"literals": inputs or {}}))
        words = ["--inputs", "inputs.pb", "--output-prefix", "out"]
        words += ["--task-module", module, "--task-name", name]
        self.done = self.run_module("union.execute", *words, env=env)
        return self.done

    def outputs(self):
        """Returns the literals of outputs.pb."""
        self.assertEqual(["outputs.pb"], os.listdir("out"), self.shown_error())
        with open("out/outputs.pb", "rb") as file:
            return decode(CORE, "LiteralMap", file.read()).get("literals", {})

    def error(self):
        """Returns the ContainerError of error.pb."""
        self.assertEqual(["error.pb"], os.listdir("out"))
        with open("out/error.pb", "rb") as file:
            return decode(CORE, "ErrorDocument", file.read())["error"]

    def shown_error(self):
        return str(self.error()) if os.path.exists("out/error.pb") else self.done.stderr.decode()


def literal(value):
    """Returns an int, float, str or bool as a Literal."""
    kinds = {int: "integer", float: "float_value", str: "string_value", bool: "boolean"}
    return {"scalar": {"primitive": {kinds[type(value)]: value}}}


def protoc(*words, stdin=b""):
    """Runs protoc on the project's protos. Raises SkipTest where it is not installed."""
    if shutil.which("protoc") is None:
        raise unittest.SkipTest("protoc is not installed")
    done = subprocess.run(
        ["protoc", f"-I{PROTO_DIR}", *words],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout

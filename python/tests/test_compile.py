"""`python3 -m union.compile`: choosing, refusing, bundling."""

import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import unittest

from support import START, FolderCase, clean_environment
from union._schema_api import API
from union._wire import decode, encode

HEAD = "import union\n\n"
TASK = "@union.task\ndef {0}() -> int:\n    return 1\n\n"
WORKFLOW = "@union.workflow\ndef {0}() -> int:\n    return {1}()\n\n"


class Choice(FolderCase):
    def script(self, tasks="", workflows=""):
        text = HEAD + "".join(TASK.format(name) for name in tasks.split())
        for name in workflows.split():
            text += WORKFLOW.format(name, tasks.split()[0])
        return self.write("s.py", text)

    def test_picks_by_the_rules_of_the_guide(self):
        cases = [
            # tasks, workflows, asked for, what runs, whether a note says so
            ("t1", "main", [], "main", False),
            ("t1", "main", ["main"], "main", False),
            ("t1", "main other", [], "main", False),
            ("t1", "main", ["t1"], "t1", False),
            ("t1", "main", ["s.main"], "main", False),
            ("t1", "", [], "t1", True),
            ("t1", "", ["main"], "t1", True),
            ("t1 t2", "wf", ["main"], "wf", True),
            ("t1", "wf", [], "wf", True),
            ("main t2", "", [], "main", False),
            ("t1 t2", "", ["main"], None, False),
            ("t1", "wf1 wf2", [], None, False),
            ("t1", "wf", ["wff"], None, False),
            ("", "", [], None, False),
        ]
        for tasks, workflows, asked, chosen, has_note in cases:
            with self.subTest(f"{tasks} / {workflows} / {asked}"):
                compiled = self.compile(self.script(tasks, workflows), *asked)
                if chosen is None:
                    self.assertEqual("entity-not-found", compiled["error"]["code"])
                    for name in (tasks + " " + workflows).split():
                        self.assertIn(name, compiled["error"]["hint"])
                    continue
                self.assertEqual(f"s.{chosen}", compiled["entity"]["name"])
                kind = 3 if chosen in workflows.split() else 1
                self.assertEqual(kind, compiled["entity"]["resource_type"])
                self.assertEqual(has_note, bool(compiled.get("notes")))
                if has_note:
                    self.assertIn(f"'{chosen}'", compiled["notes"][0])

    def test_suggests_the_nearest_name(self):
        error = self.compile_bad(self.script("load_data", ""), "load_dat")
        self.assertIn("did you mean 'load_data'?", error["hint"])

    def test_a_task_under_two_names_is_one(self):
        path = self.write("s.py", HEAD + TASK.format("t1") + "also = t1\n")
        self.assertEqual("s.t1", self.compile_good(path)["entity"]["name"])

    def test_imported_tasks_do_not_count_when_one_is_picked(self):
        self.write("helper.py", HEAD + TASK.format("other"))
        path = self.write("s.py", HEAD + "from helper import other\n" + TASK.format("t1"))
        self.assertEqual("s.t1", self.compile_good(path)["entity"]["name"])
        self.assertEqual("helper.other", self.compile_good(path, "other")["entity"]["name"])


class Errors(FolderCase):
    def test_a_missing_script(self):
        error = self.compile_bad("nope.py")
        self.assertEqual(("script-missing", ""), (error["code"], error.get("traceback", "")))
        self.assertIn("nope.py", error["message"])

    def test_a_directory(self):
        os.mkdir("d.py")
        self.assertEqual("file-is-directory", self.compile_bad("d.py")["code"])

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_an_unreadable_script(self):
        path = self.write("s.py", HEAD)
        os.chmod(path, 0)
        self.assertEqual("file-unreadable", self.compile_bad("s.py")["code"])

    def test_names_that_cannot_be_imported(self):
        for name in ("s.txt", "a.b.py", "script", "sub/union.py", "sub/struct.py"):
            self.write(name, HEAD + TASK.format("t"))
            with self.subTest(name):
                self.assertEqual("script-error", self.compile_bad(name)["code"])

    def test_a_script_beside_one_that_hides_a_module_is_compiled(self):
        self.write("union.py", "raise RuntimeError('hidden')\n")
        self.write("struct.py", "raise RuntimeError('hidden')\n")
        self.write("s.py", HEAD + TASK.format("t1"))
        words = ["--bundle-out", self.folder + ".tgz", "s.py"]
        self.addCleanup(lambda: os.unlink(self.folder + ".tgz"))
        done = self.run_module("", *words, code=START.format("compile"))
        compiled = decode(API, "CompiledScript", done.stdout)
        self.assertEqual("s.t1", compiled["entity"]["name"], done.stderr)

    def test_a_syntax_error_is_shown_as_python_shows_it(self):
        path = self.write("bad.py", "def f(:\n    pass\n")
        error = self.compile_bad("bad.py")
        self.assertEqual("script-error", error["code"])
        python = subprocess.run(
            [sys.executable, path], stderr=subprocess.PIPE, check=False, env=clean_environment()
        )
        shown = python.stderr.decode()
        self.assertEqual(shown, error["traceback"])

    def test_an_error_of_the_script_is_shown_with_its_frames_only(self):
        self.write("helper.py", "def work():\n    raise RuntimeError('broken')\n")
        path = self.write("s.py", "import helper\n\nhelper.work()\n")
        error = self.compile_bad("s.py")
        python = subprocess.run(
            [sys.executable, path], stderr=subprocess.PIPE, check=False, env=clean_environment()
        )
        self.assertEqual("script-error", error["code"])
        self.assertEqual(python.stderr.decode(), error["traceback"])

    def test_causes_are_shown_with_the_script_s_frames_only(self):
        self.write(
            "s.py",
            """
            import union

            @union.workflow
            def wf() -> int:
                try:
                    union.task(retries="x")(wf)
                except union.UnionError as err:
                    raise RuntimeError("outer") from err
            """,
        )
        error = self.compile_bad("s.py")
        self.assertIn("The above exception was the direct cause", error["traceback"])
        self.assertIn("union.UnionError: ", error["traceback"])
        self.assertNotIn("_tasks.py", error["traceback"])
        self.assertNotIn("_tracing.py", error["traceback"])
        self.assertIn("s.py", error["traceback"])

    def test_sys_exit_in_the_script(self):
        self.write("s.py", "import sys\nsys.exit(3)\n")
        error = self.compile_bad("s.py")
        self.assertIn("sys.exit()", error["message"])
        self.assertIn("__main__", error["hint"])

    def test_a_script_that_starts_itself_when_loaded(self):
        self.write("s.py", HEAD + TASK.format("t1") + "union.UnionRemote().execute(t1)\n")
        error = self.compile_bad("s.py", env=clean_environment(UNION_ENDPOINT="unix:///no"))
        self.assertEqual("script-error", error["code"])
        self.assertIn("__main__", error["hint"])

    def test_an_unsupported_type_names_the_parameter_and_what_is_supported(self):
        cases = [
            ("def t1(x: set) -> int: ...", "input 'x'"),
            ("def t1(x) -> int: ...", "input 'x'"),
            ("def t1(x: int) -> complex: ...", "output 'o0'"),
        ]
        for function, place in cases:
            self.write("s.py", HEAD + f"@union.task\n{function}\n")
            with self.subTest(function):
                error = self.compile_bad("s.py")
                self.assertEqual("type-unsupported", error["code"])
                self.assertIn("task 't1'", error["message"])
                self.assertIn(place, error["message"])

    def test_an_unsupported_argument_is_named_with_its_line(self):
        self.write("s.py", HEAD + "@union.task(cache=True)\ndef t1() -> int: ...\n")
        error = self.compile_bad("s.py")
        self.assertEqual("unsupported", error["code"])
        self.assertIn("'cache'", error["message"])
        self.assertIn('s.py", line ', error["traceback"])

    def test_a_wrong_default_and_a_wrong_constant_are_found(self):
        self.write("s.py", HEAD + "@union.task\ndef t1(x: int = 'a') -> int: ...\n")
        error = self.compile_bad("s.py")
        self.assertEqual("input-type", error["code"])
        self.assertIn("default of input 'x'", error["message"])
        self.write(
            "s.py",
            HEAD + "@union.task\ndef t1(x: int) -> int: ...\n" + WORKFLOW.format("main", "t1"),
        )
        error = self.compile_bad("s.py")
        self.assertEqual("input-missing", error["code"])
        self.assertIn("line 7, in main", error["traceback"])

    def test_a_task_that_cannot_be_found_again_is_refused(self):
        self.write(
            "s.py",
            """
            import union

            def make():
                @union.task
                def hidden() -> int:
                    return 1
                return hidden

            @union.workflow
            def main() -> int:
                return make()()
            """,
        )
        error = self.compile_bad("s.py")
        self.assertIn("'hidden'", error["message"])
        self.assertIn("top level", error["hint"])

    def test_wrong_usage_is_status_2(self):
        for words in ([], ["s.py"], ["--bundle-out", "b", "--copy", "some", "s.py"], ["--x", "y"]):
            done = self.run_module("union.compile", *words)
            self.assertEqual((2, b""), (done.returncode, done.stdout))
            self.assertIn(b"usage:", done.stderr)


class Output(FolderCase):
    def test_nothing_the_script_prints_gets_into_the_message(self):
        self.write(
            "s.py",
            """
            import os, subprocess, sys
            import union
            print("from print")
            sys.stdout.write("unfinished")
            os.write(1, b"from write")
            subprocess.run(["echo", "from a child"])

            @union.workflow
            def main():
                print("from the workflow")
            """,
        )
        self.compile_good("s.py")
        for text in ("from print", "unfinished", "from write", "from a child", "from the workflow"):
            self.assertIn(text, self.stderr)

    def test_the_interface_says_order_defaults_and_text(self):
        self.write(
            "s.py",
            '''
            import union

            @union.task
            def main(z: int, a: str = "x", m: bool = True) -> int:
                """Adds
                things.

                And more.
                """
                return z
            ''',
        )
        compiled = self.compile_good("s.py")
        self.assertEqual(["z", "a", "m"], compiled["input_order"])
        self.assertEqual("Adds things.", compiled["docstring"])
        self.assertEqual(["main"], compiled["entity_names"])
        parameters = compiled["parameters"]["parameters"]
        self.assertTrue(parameters["z"]["required"])
        self.assertEqual("x", parameters["a"]["default"]["scalar"]["primitive"]["string_value"])
        self.assertEqual({"o0"}, set(compiled["interface"]["outputs"]["variables"]))

    def test_the_task_says_all_that_was_asked_for(self):
        self.write(
            "s.py",
            """
            import datetime
            import union

            @union.task(
                secret_requests=[union.Secret("g", "k", "2", union.Secret.MountType.FILE, "V")],
                retries=3, timeout=datetime.timedelta(minutes=1.5), environment={"A": "b"},
                requests=union.Resources(cpu="500m", mem="1Gi"), limits=union.Resources(cpu=2),
                container_image="img:1", interruptible=True, deprecated="old",
                network="none",
            )
            def main() -> None: ...
            """,
        )
        compiled = self.compile_good("s.py", "main", "--project", "p", "--domain=d")
        template = compiled["tasks"][0]["spec"]["template"]
        self.assertEqual({"network": "none"}, template["config"])
        self.assertEqual(("p", "d"), (template["id"]["project"], template["id"]["domain"]))
        secret = {
            "group": "g",
            "group_version": "2",
            "key": "k",
            "mount_requirement": 2,
            "env_var": "V",
        }
        self.assertEqual([secret], template["security_context"]["secrets"])
        metadata = template["metadata"]
        self.assertEqual({"retries": 3}, metadata["retries"])
        self.assertEqual({"seconds": 90}, metadata["timeout"])
        self.assertTrue(metadata["interruptible"])
        self.assertEqual("old", metadata["deprecated_error_message"])
        container = template["container"]
        self.assertEqual("img:1", container["image"])
        self.assertEqual([{"key": "A", "value": "b"}], container["env"])
        requests = [{"name": 1, "value": "500m"}, {"name": 3, "value": "1Gi"}]
        limits = [{"name": 1, "value": "2"}]
        self.assertEqual({"requests": requests, "limits": limits}, container["resources"])
        self.assertEqual(sys.executable, container["args"][0])
        for word in ("{{.input}}", "{{.outputPrefix}}", "s", "main"):
            self.assertIn(word, container["args"])
        self.assertIn("container_image", compiled["notes"][0])

    def test_names_and_versions_agree_everywhere(self):
        self.write("s.py", HEAD + TASK.format("t1") + WORKFLOW.format("main", "t1"))
        compiled = self.compile_good("s.py")
        version = compiled["entity"]["version"]
        self.assertRegex(version, "^[-_A-Za-z0-9]{22}$")
        self.assertEqual(version, compiled["tasks"][0]["id"]["version"])
        spec = compiled["workflows"][0]["spec"]
        self.assertEqual(
            version, spec["template"]["nodes"][0]["task_node"]["reference_id"]["version"]
        )
        plan = compiled["launch_plans"][0]
        self.assertEqual("s.main", plan["spec"]["workflow_id"]["name"])
        self.assertEqual(
            (3, 2), (plan["id"]["resource_type"], plan["spec"]["workflow_id"]["resource_type"])
        )

    def test_a_script_in_a_package_is_imported_by_its_full_name(self):
        self.write("pkg/__init__.py", "")
        self.write("pkg/sub/__init__.py", "")
        self.write("pkg/sub/helper.py", "ANSWER = 1\n")
        self.write("pkg/sub/s.py", "from .helper import ANSWER\n" + HEAD + TASK.format("t1"))
        compiled = self.compile_good("pkg/sub/s.py")
        self.assertEqual("pkg.sub.s.t1", compiled["entity"]["name"])
        names = ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/helper.py", "pkg/sub/s.py"]
        self.assertEqual(names, tarfile.open(self.bundle).getnames())


class Bundle(FolderCase):
    def setUp(self):
        super().setUp()
        self.write("used.py", "import also_used\n")
        self.write("also_used.py", "x = 1\n")
        self.write("unused.py", "x = 1\n")
        self.write("later.py", "import deeper.inside\n")
        self.write("deeper/__init__.py", "")
        self.write("deeper/inside.py", "")
        self.write("data.txt", "data\n")
        self.write(".git/config", "x")
        self.write("__pycache__/used.cpython-311.pyc", "x")
        self.write("env/pyvenv.cfg", "")
        self.write("env/lib/thing.py", "")
        text = (
            HEAD
            + "import used\n\n@union.task\ndef main() -> int:\n    import later\n    return 1\n"
        )
        self.write("s.py", text)

    def test_auto_takes_what_is_imported_now_or_in_a_function(self):
        self.compile_good("s.py")
        names = [
            "also_used.py",
            "deeper/__init__.py",
            "deeper/inside.py",
            "later.py",
            "s.py",
            "used.py",
        ]
        self.assertEqual(names, tarfile.open(self.bundle).getnames())

    def test_all_takes_every_file_but_not_caches_and_environments(self):
        os.symlink("data.txt", "link.txt")
        os.symlink("deeper", "folder_link")
        os.mkfifo("fifo")
        self.compile_good("s.py", copy="all")
        names = [
            "also_used.py",
            "data.txt",
            "deeper/__init__.py",
            "deeper/inside.py",
            "later.py",
            "link.txt",
            "s.py",
            "unused.py",
            "used.py",
        ]
        with tarfile.open(self.bundle) as archive:
            self.assertEqual(names, archive.getnames())
            self.assertTrue(all(member.isreg() for member in archive))
            self.assertEqual(b"data\n", archive.extractfile("link.txt").read())

    def test_same_input_gives_the_same_bytes(self):
        first = self.compile_good("s.py")
        with open(self.bundle, "rb") as file:
            bundle = file.read()
        for name in os.listdir():
            if os.path.isfile(name):
                os.utime(name, (1, 1))
        second = self.compile_good("s.py")
        with open(self.bundle, "rb") as file:
            self.assertEqual(bundle, file.read())
        self.assertEqual(
            encode(API, "CompiledScript", first), encode(API, "CompiledScript", second)
        )
        self.assertEqual(hashlib.md5(bundle).digest(), first["bundle_md5"])
        self.assertEqual(len(bundle), first["bundle_size"])
        self.assertEqual(os.path.realpath(self.bundle), os.path.realpath(first["bundle_path"]))

    def test_other_code_or_settings_give_another_version(self):
        versions = {self.compile_good("s.py")["entity"]["version"]}
        self.write("also_used.py", "x = 2\n")
        versions.add(self.compile_good("s.py")["entity"]["version"])
        self.write("s.py", HEAD + "@union.task(retries=1)\ndef main() -> int: ...\n")
        versions.add(self.compile_good("s.py")["entity"]["version"])
        versions.add(self.compile_good("s.py", "--domain", "d")["entity"]["version"])
        self.assertEqual(4, len(versions))

    def test_only_its_owner_reads_it_and_its_header_has_no_time(self):
        self.compile_good("s.py")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(self.bundle).st_mode))
        with open(self.bundle, "rb") as file:
            data = file.read()
        self.assertEqual(bytes(4), data[4:8])
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
            facts = {(m.mtime, m.uid, m.gid, m.mode) for m in archive}
        self.assertEqual({(0, 0, 0, 0o644)}, facts)

    def test_paths_up_to_the_limits_of_the_format_arrive(self):
        long = "d" * 90 + "/" + "e" * 60 + "/" + "f" * 90 + ".txt"
        self.write(long, "far away\n")
        self.write("ü.txt", "umlaut\n")
        os.chmod("data.txt", 0o755)
        self.compile_good("s.py", copy="all")
        with tarfile.open(self.bundle) as archive:
            self.assertEqual(b"far away\n", archive.extractfile(long).read())
            self.assertEqual(b"umlaut\n", archive.extractfile("ü.txt").read())
            self.assertEqual(0o755, archive.getmember("data.txt").mode)

    def test_a_path_over_the_limits_is_refused_by_name(self):
        self.write("g" * 120 + ".txt", "x")
        error = self.compile_bad("s.py", copy="all")
        self.assertEqual("bundle-refused", error["code"])
        self.assertIn("g" * 120, error["message"])
        self.assertFalse(os.path.exists(self.bundle))

    def test_what_a_launcher_would_refuse_is_refused_here(self):
        cases = [("n\nl.txt", "x"), ("/".join("d" * 33), "x"), ("zeros", "0" * (17 << 20))]
        for name, text in cases:
            path = self.write(name, text)
            with self.subTest(name):
                error = self.compile_bad("s.py", copy="all")
                self.assertEqual("bundle-refused", error["code"])
            os.unlink(path)
        self.write("zeros", "0" * (15 << 20))
        self.compile_good("s.py", copy="all")

    def test_a_bundle_that_cannot_be_written_is_an_error(self):
        done = self.run_module("union.compile", "--bundle-out", "no/such/place", "s.py")
        self.assertEqual(0, done.returncode)
        self.assertIn(b"cannot write the bundle", done.stdout)


if __name__ == "__main__":
    unittest.main()

"""The package as a whole: error names, versions, wheel."""

import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile

import union
from support import PYTHON_DIR, ROOT, TIMEOUT_SECONDS, FolderCase, clean_environment

PACKAGE = os.path.join(PYTHON_DIR, "union")


def sources():
    for name in sorted(os.listdir(PACKAGE)):
        if name.endswith(".py"):
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                yield name, file.read()


class Errors(unittest.TestCase):
    def test_every_slug_is_one_of_the_error_table(self):
        with open(os.path.join(ROOT, "src/base/err.def"), encoding="utf-8") as file:
            known = set(re.findall(r'^UN_ERROR\(\w+, -\d+, "([-a-z]+)"', file.read(), re.M))
        self.assertIn("entity-not-found", known)
        import union._bundle
        import union._connect
        import union._script

        waiting, classes = [union.UnionError], []
        while waiting:
            classes.append(waiting.pop())
            waiting += classes[-1].__subclasses__()
        used = {cls.slug: cls.__name__ for cls in classes if cls.__module__.startswith("union")}
        for name, text in sources():
            for slug in re.findall(r'(?:slug=|slug = )"([-a-z]+)"', text):
                used[slug] = name
        self.assertEqual({}, {slug: where for slug, where in used.items() if slug not in known})

    def test_errors_are_named_as_users_can_import_them(self):
        for name in union.__all__:
            thing = getattr(union, name)
            if isinstance(thing, type) and issubclass(thing, Exception):
                self.assertIn(
                    f"{thing.__module__}.{thing.__name__}",
                    (f"union.{name}", "union.RecoverableError"),
                )

    def test_the_hint_is_part_of_the_text(self):
        self.assertEqual("a (b)", str(union.UnionError("a", "b")))
        self.assertEqual("a", union.UnionError("a", "b").message)


class House(unittest.TestCase):
    def test_files_functions_and_lines_keep_to_their_sizes(self):
        import ast

        for name, text in sources():
            lines = text.splitlines()
            self.assertLess(len(lines), 800, name)
            long = [i for i, line in enumerate(lines, 1) if len(line) > 100]
            self.assertEqual([], long, name)
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef) and name not in ("_tasks.py",):
                    self.assertLessEqual(node.end_lineno - node.lineno, 80, f"{name}: {node.name}")

    def test_every_module_and_public_name_says_what_it_is(self):
        import ast

        for name, text in sources():
            tree = ast.parse(text)
            self.assertTrue(ast.get_docstring(tree), name)
            for node in tree.body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith(
                    "_"
                ):
                    if name in ("_types.py", "__init__.py"):
                        continue
                    self.assertTrue(ast.get_docstring(node), f"{name}: {node.name}")


class Wheel(FolderCase):
    def test_is_built_offline_with_what_belongs_in_it(self):
        tools = subprocess.run(
            [sys.executable, "-c", "import pip, wheel, setuptools"],
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if tools.returncode != 0:
            self.skipTest("pip, wheel and setuptools are not all there")
        shutil.copytree(PYTHON_DIR, "python", ignore=shutil.ignore_patterns("build*", "*.egg-info"))
        words = "-m pip -q wheel --no-build-isolation --no-deps --no-index -w dist python".split()
        done = subprocess.run(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(PIP_DISABLE_PIP_VERSION_CHECK="1"),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stdout.decode())
        (wheel,) = os.listdir("dist")
        self.assertEqual(f"union-{union.__version__}-py3-none-any.whl", wheel)
        with zipfile.ZipFile(f"dist/{wheel}") as archive:
            names = set(archive.namelist())
            metadata = archive.read(f"union-{union.__version__}.dist-info/METADATA").decode()
        expected = {f"union/{name}" for name, _ in sources()} | {"union/py.typed"}
        self.assertEqual(expected, {name for name in names if name.startswith("union/")})
        self.assertFalse([name for name in names if "test" in name])
        self.assertIn("License: Apache-2.0", metadata)
        self.assertIn("Requires-Python: >=3.9", metadata)
        self.assertNotIn("Requires-Dist", metadata)


if __name__ == "__main__":
    unittest.main()

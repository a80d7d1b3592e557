#!/usr/bin/env python3
"""Each of the three tools behind tools/check-static is heard, and a clean file is remembered. TAP."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# name of the test, source, what must be found (None: nothing)
CASES = [
    ("accepts_a_clean_file", "int one(void);\nint\none(void)\n{\n\treturn 1;\n}\n", None),
    ("hears_gcc", "#include <stdlib.h>\nvoid two(char *p);\nvoid\ntwo(char *p)\n{\n\tfree(p);\n\tfree(p);\n}\n",
     "-Wanalyzer-double-free"),
    ("hears_clang_tidy",
     "#include <string.h>\nvoid t(char *p);\nvoid\nt(char *p)\n{\n\tmemset(p, 1, 0);\n\tmemset(p, 2, sizeof p);\n"
     "\tif (p) ;\n\t{\n\t\tp[0] = 1;\n\t}\n}\n", "bugprone-suspicious-semicolon"),
    ("hears_cppcheck",
     "int f(const int *a, int n);\nint\nf(const int *a, int n)\n{\n\tfor (int i = 0; a[i] && i < n; i++)\n\t\t;\n"
     "\treturn n;\n}\n", "[arrayIndexThenCheck]"),
]


def run(source):
    """Twice: what the first and the second look say."""
    with tempfile.TemporaryDirectory() as root:
        for folder in ("tools", "src/base", "build", "cmd", "proto"):
            os.makedirs(os.path.join(root, folder))
        shutil.copy(os.path.join(ROOT, "tools", "check-static"), os.path.join(root, "tools"))
        shutil.copy(os.path.join(ROOT, ".clang-tidy"), root)
        with open(os.path.join(root, "src/base/x.c"), "w") as file:
            file.write(source)
        entry = {"directory": os.path.join(root, "build"), "file": "../src/base/x.c",
                 "command": "cc -I../src -std=gnu17 -fsanitize=address -o x.o -c ../src/base/x.c"}
        with open(os.path.join(root, "build/compile_commands.json"), "w") as file:
            json.dump([entry], file)
        command = [sys.executable, os.path.join(root, "tools/check-static"), os.path.join(root, "build")]
        looks = [subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                 for _ in range(2)]
        return [(look.returncode, look.stdout.decode()) for look in looks]


def main():
    print("1..%d" % len(CASES))
    failed = 0
    for number, (name, source, expected) in enumerate(CASES, 1):
        (status, first), (again, second) = run(source)
        if expected is None:
            good = status == 0 and again == 0 and "1 unchanged" in second
        else:
            good = status == 1 and expected in first and again == 1 and expected in second
        failed += not good
        print("%sok %d - check_static.%s" % ("" if good else "not ", number, name), flush=True)
        if not good:
            print("".join("# %s\n" % line for line in (first + second).splitlines()), end="")
    return 1 if failed else 0


sys.exit(main())

#!/usr/bin/env python3
"""docs/reference/clients.md speaks of the versions that tests/clients/ runs, and of no others."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def main():
    pinned = dict(re.findall(r"^(\S+)==(\S+) ", read("tests", "clients", "v1.txt")
                             + read("tests", "clients", "v2.txt"), re.M))
    page = dict(re.findall(r"^\| `(\w+)`[^|]* \| ([\d.]+) \|", read("docs", "reference", "clients.md"), re.M))
    failed = 0
    for number, name in enumerate(("union", "flytekit", "flyte"), 1):
        good = page.get(name) == pinned.get(name) is not None
        failed += not good
        print("%s %d - the page names the %s that is tested" % ("ok" if good else "not ok", number, name))
    print("1..3")
    return failed


sys.exit(main())

#!/usr/bin/python3
"""docs/reference/limits.md: every reason that is counted has a row, every row's test exists, every key is
one, and the figures of the defaults are those of the code. TAP."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
failed = 0


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def check(number, promise, wrong):
    global failed
    print("%sok %d - %s" % ("not " if wrong else "", number, promise))
    for line in wrong:
        print("# " + line)
    failed += bool(wrong)


page = read("docs/reference/limits.md")
rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in page.splitlines()
        if line.startswith("| ") and not line.startswith("| what ")]
table = read("tests/attack/table.py")
print("1..4")

reasons = set(re.findall(r'reason=\\"([^"\\]*)\\"', read("src/rpc/server_new.c")))
shown = {word for row in rows for word in re.findall(r"`([^`]*)`", row[4])}
check(1, "limits.every_reason_has_a_row", sorted(reasons - shown))

wrong = []
for row in rows:
    name = row[5].strip('"')
    if row[5].startswith('"'):
        found = re.sub(r'^"|"$', "", name).removeprefix("TLS: ") in table
    else:
        path, _, name = row[5].partition(": ")
        found = name in read(path)
    if not found:
        wrong.append("no such test: " + row[5])
check(2, "limits.every_row_has_its_test", wrong)

keys = set(re.findall(r"^\| `([^`]*)`", read("docs/reference/config.md"), re.M))
used = {key for row in rows for key in re.findall(r"`([^`]*)`", row[3 - 1])}
missing = [k for k in keys if k.startswith("limits.") and k not in used]
check(3, "limits.keys_are_those_of_the_configuration", sorted(used - keys) + sorted(missing))

code = read("src/net/limit.c")
figures = {"connections": "8192", "connections_per_address": "512", "streams": "128",
           "header_count": "64", "head_max": "32u << 10", "first_byte_ms": "10 * 1000",
           "head_ms": "10 * 1000", "body_ms": "30 * 1000", "write_ms": "30 * 1000",
           "idle_ms": "10 * 60 * 1000", "call_ms": "120 * 1000", "body_total_max": "256u << 20",
           "output_max": "1u << 20"}
defaults = dict(re.findall(r"DEFAULT\((\w+), ([^)]*)\)", code))
check(4, "limits.figures_are_those_of_the_code",
      ["%s is %s" % (k, defaults.get(k)) for k, v in figures.items() if defaults.get(k) != v])
raise SystemExit(1 if failed else 0)

#!/usr/bin/env python3
"""Each form of tests/redact/forms.py through `union-exec redact`: found, or said not to be.

usage: redaction_test.py [--write]     --write: makes docs/reference/redaction.md anew
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "redact"))
import forms  # noqa: E402

EXEC = os.path.abspath(os.path.join(os.environ.get("UNION_BUILD", "build"), "union-exec"))
PAGE = os.path.join(ROOT, "docs", "reference", "redaction.md")
count = failed = 0


def check(promise, good, what=""):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s%s" % ("ok" if good else "not ok", count, promise, "" if good else " (%r)" % what),
          flush=True)


def redact(value, data, *command, split=None):
    """What comes out, with `value` in VALUE."""
    process = subprocess.Popen([EXEC, "redact", "--from-env", "VALUE", *command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, VALUE=value))
    if split is None:
        return process.communicate(data)[0]
    for i in range(0, len(data), split):
        process.stdin.write(data[i:i + split])
        process.stdin.flush()
    return process.communicate()[0]


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def samples(value):
    return [as_bytes(make(value)) for _, make, _ in forms.FORMS]


def each_form():
    for value in forms.values():
        data, parts = b"", samples(value)
        for part in parts:
            data += b"\n#~#" + part + b"#~!"
        out = redact(value, data)
        seen = [b"[secret VALUE]" in p for p in out.split(b"\n#~#")[1:]]
        wrong = [name for (name, _, found), hit in zip(forms.FORMS, seen)
                 if hit != found and not (hit and "\n" in value)]  # a line of it may be left as it is
        check("%d forms of a value of %d bytes" % (len(parts), len(value.encode())),
              len(seen) == len(parts) and not wrong, wrong)
        check("the same in pieces of 7 bytes", redact(value, data, split=7) == out)


def nothing_is_left():
    """Of a form that is found, no piece of eight characters comes through."""
    value = "Xq7mK2vRt9LwPz4BnHs8"
    left = []
    for name, make, found in forms.FORMS:
        if not found:
            continue
        part = as_bytes(make(value))
        out = redact(value, part)
        for i in range(8, len(part) - 16):
            if part[i:i + 8] in out:
                left.append(name)
                break
    check("nothing of eight characters is left of any form", left == ["base64, wrapped at 76"], left)


def commands():
    value = "hunter22-swordfish"
    env = dict(os.environ, VALUE=value)

    def run(*args):
        done = subprocess.run([EXEC, "redact", "--from-env", "VALUE", *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env, check=False)
        return done.returncode, done.stdout, done.stderr

    check("both outputs, apart", run("--", "sh", "-c", "echo a $VALUE; echo b $VALUE >&2") ==
          (0, b"a [secret VALUE]\n", b"b [secret VALUE]\n"))
    check("the exit status is the command's", run("--", "sh", "-c", "exit 7")[0] == 7)
    check("or says the signal", run("--", "sh", "-c", "kill -9 $$")[0] == 137)
    check("127: there is no such command", run("--", "/nonexistent/x")[0] == 127)
    check("2: wrong usage", run("--what")[0] == 2 and run("--")[0] == 2 and run("--pty")[0] == 2)
    status, out, _ = run("--pty", "--", "sh", "-c", "test -t 1 && echo on $VALUE")
    check("--pty gives the command a terminal", (status, out) == (0, b"on [secret VALUE]\r\n"), out)
    done = subprocess.run([EXEC, "redact", "--from-env", "TINY", "NONE", "VALUE"], input=b"abc",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=dict(env, TINY="abc"))
    check("says which variables it cannot look for", done.stdout == b"abc" and
          b"TINY is shorter than 4 bytes" in done.stderr and b"NONE is not set" in done.stderr)
    check("a command that leaves a process behind ends all the same",
          run("--", "sh", "-c", "sleep 100 & echo $!")[0] == 0)


def signals():
    process = subprocess.Popen([EXEC, "redact", "--from-env", "VALUE", "--", "sh", "-c",
                                "trap 'echo told $VALUE; exit 3' TERM; echo ready; "
                                "while :; do sleep 0.05; done"],
                               stdout=subprocess.PIPE, env=dict(os.environ, VALUE="hunter22-fish"))
    seen = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest = process.stdout.read()
    check("passes signals on", seen == b"ready\n" and rest == b"told [secret VALUE]\n" and
          process.wait() == 3, rest)


def prompt():
    """What a command prints without a line end appears while it waits."""
    master, slave = pty.openpty()
    process = subprocess.Popen([EXEC, "redact", "--from-env", "VALUE", "--", "sh", "-c",
                                "printf 'continue? h'; read x; echo $VALUE $x"], stdin=subprocess.PIPE,
                               stdout=slave, env=dict(os.environ, VALUE="hunter22-fish"))
    os.close(slave)
    seen, until = b"", time.monotonic() + 20
    while seen != b"continue? h" and time.monotonic() < until:
        if select.select([master], [], [], 1)[0]:
            seen += os.read(master, 100)
    check("a prompt that ends like a value begins appears", seen == b"continue? h", seen)
    process.communicate(b"yes\n")
    check("and the value is redacted", b"[secret VALUE] yes" in os.read(master, 100))
    os.close(master)


def page():
    value = "hunter22 \"sword/fish\""
    lines = ["# What redaction finds", "",
             "Made by `tests/tools/redaction_test.py --write` from the forms that it tests; do not edit.", "",
             "In the output of tasks, in errors and results, and in what `union-exec redact` passes on. The "
             "example is the", "value `%s`." % value, "", "| form | found | example |", "|---|---|---|"]
    for name, make, found in forms.FORMS:
        text = as_bytes(make(value)).decode("latin-1")
        text = "".join(c if " " <= c < "\x7f" else "\\x%02x" % ord(c) for c in text)
        text = text if len(text) <= 60 else text[:57] + "..."
        lines.append("| %s | %s | `%s` |" % (name, "yes" if found else "**no**", text.replace("|", "\\|")))
    lines += ["", "- Each line of 8 bytes or more of a value with several lines is found by itself, in the forms "
              "that are text.",
              "- Escapes may be mixed with plain text at will; terminal colours may stand anywhere in any form.",
              "- Values of 4 to 7 bytes are found only as they are, and only as words of their own. Shorter ones "
              "are not looked", "  for: the attempt's log names them.",
              "- A value of 8 bytes or more of which fewer than 8 are left without white space, NUL and "
              "terminal sequences is found",
              "  in codes; in text as it is if only white space was left out, otherwise only with escapes.",
              "- Codes (hex, base64, base32, numbers) of a value are those of its bytes without the white space "
              "around it.",
              "- Between two characters at most 1,024 bytes may be left out (colours, white space).",
              "- What a task disguises on purpose, in any form not on this page, is not found.", ""]
    return "\n".join(lines)


def main():
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(page())
        return 0
    each_form()
    nothing_is_left()
    commands()
    signals()
    prompt()
    with open(PAGE, encoding="utf-8") as f:
        check("docs/reference/redaction.md is current", f.read() == page(),
              "run tests/tools/redaction_test.py --write")
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

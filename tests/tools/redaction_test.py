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
import tempfile
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
    status, out, said = run("OTHER,MORE", "--", "echo", "hi")
    check("a list with commas is refused before the command runs", (status, out) == (2, b"") and
          b"not the name of a variable: OTHER,MORE" in said, said)
    check("and so is an assignment, and nothing", run("A=B", "--", "true")[0] == 2 and
          run("", "--", "true")[0] == 2)
    check("says that a command comes after --", b"a command comes after --" in run("make", "deploy")[2])
    check("not to who gave one", b"comes after" not in run("NONE", "--", "true")[2])
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


def waits_for(fd, wanted):
    """What has come by the time that `wanted` has, or the command is stuck for 20 s."""
    seen, until = b"", time.monotonic() + 20
    while len(seen) < len(wanted) and time.monotonic() < until:
        if select.select([fd], [], [], 1)[0]:
            part = os.read(fd, 65536)
            seen += part
            if not part:
                break
    return seen


def prompts():
    """On a pipe and on a terminal, whatever a prompt ends with, a beginning of the value or not."""
    ends = ["? ", ": ", "h", "hu", "hun", "68", "%68", "a", "aHV", "\\", "&", "%", "=", "\x1b", "\x1b[0m", "'"]
    for options in [[], ["--pty"]]:
        wrong = []
        script = "".join("printf %%s '%s'; read x; " % ("go on" + e).replace("'", "'\\''") for e in ends)
        process = subprocess.Popen(
            [EXEC, "redact", "--from-env", "VALUE", *options, "--", "sh", "-c", "stty -echo 2>/dev/null; " +
             script + "printf %s hunt; read x; printf er22-fish"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=dict(os.environ, VALUE="hunter22-fish"))
        for end in ends:
            wanted = b"go on" + end.encode()
            seen = waits_for(process.stdout.fileno(), wanted)
            if seen != wanted:
                wrong.append((end, seen))
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.stdin.write(b"\n")
        process.stdin.flush()
        rest = waits_for(process.stdout.fileno(), b"[secret VALUE]")
        process.stdin.close()
        process.wait()
        where = "terminal" if options else "pipe"
        check("each prompt appears, on a %s" % where, not wrong, wrong)
        check("four bytes of the value wait for what follows, on a %s" % where, rest == b"[secret VALUE]", rest)
        process.stdout.close()


def unharmed():
    """What holds no value comes out byte for byte, also in single bytes."""
    bar = "".join("\r\x1b[2K\x1b[32m%s\x1b[0m%s %3d%%" % ("#" * i, "." * (40 - i), i * 100 // 40)
                  for i in range(41))
    colours = "".join("\x1b[38;5;%dm%d\x1b[48;2;%d;0;0m \x1b[m\x0f\x1b(B" % (i, i, i) for i in range(256))
    titles = "\x1b]0;title\x07\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\\x1b[?25l\x1b7\x1b8\x1b[999;999H\x1b[6n"
    data = (bar + "\r\n" + colours + titles + "\u041b\u251c\u2500\u2713 100%\r\n").encode() + b"\x9b31m\xff\xfe\x00end"
    value = "hunter22-swordfish"
    check("progress bars, colours and titles pass unharmed", redact(value, data) == data)
    check("also in single bytes", redact(value, data, split=1) == data)
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        done = subprocess.run([EXEC, "redact", "--from-env", "VALUE", "--pty", "--", "sh", "-c",
                               'stty -opost; cat "$1"', "sh", f.name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=dict(os.environ, VALUE=value), check=False)
    check("and from a terminal", done.stdout == data, done.stdout[:200])


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
              "  The lines around a key in PEM (`-----BEGIN ...-----`) are not: they are in many texts.",
              "- Escapes may be mixed with plain text at will; terminal colours may stand anywhere in any form. In "
              "plain text so may",
              "  titles, links and other strings for the terminal, on one line and of up to 1,024 bytes with their "
              "ends, sequences of",
              "  parameters of up to 1,024 bytes (elsewhere 48), 8-bit CSI (byte 9b) and changes of the character "
              "set. 8-bit OSC and",
              "  CSI in UTF-8 (c2 9b) are not passed over. A value that begins within a sequence of parameters is "
              "found if no other",
              "  sequence is in it.",
              "- Escapes of escapes (JSON in JSON, `%25..`, PowerShell's `` ` ``) are read once only: a value is "
              "found in them where it",
              "  has nothing to be escaped. Lists of numbers are found with `0x0a`, not with `0xa`, and not with "
              "negative ones (Java).",
              "- Values of 4 to 7 bytes are found only as they are, and only as words of their own. Shorter ones "
              "are not looked", "  for: the attempt's log names them.",
              "- A value of 8 bytes or more of which fewer than 8 are left without white space, NUL and "
              "terminal sequences is found",
              "  in codes; in text as it is if only white space was left out, otherwise only with escapes.",
              "- Codes (hex, base64, base32, numbers) of a value are those of its bytes without the white space "
              "around it.",
              "- Between two characters at most 1,024 bytes may be left out (colours, white space).",
              "- What is no value was taken away 0 times in 15.0 GB of real files (`make check-false-positives`: 7.6 GB "
              "of Debian's `/usr`,",
              "  Python packages and the source of Linux, twice, with two sets of 200 values).",
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
    prompts()
    unharmed()
    with open(PAGE, encoding="utf-8") as f:
        check("docs/reference/redaction.md is current", f.read() == page(),
              "run tests/tools/redaction_test.py --write")
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

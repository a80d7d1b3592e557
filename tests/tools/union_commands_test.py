#!/usr/bin/env python3
"""What is made from docs/commands/: help, reference, man page, completions; and wrong usage.

usage: union_commands_test.py [--write]      --write: take today's help as the golden one
"""
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("UNION_BUILD", os.path.join(ROOT, "build"))
UNION = os.path.abspath(os.path.join(BUILD, "union"))
GOLDEN = os.path.join(ROOT, "tests", "tools", "union_help.golden")
count = failed = 0


def check(promise, good, what=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {promise}{'' if good else f' ({what!r})'}", flush=True)


def run(*args, **more):
    return subprocess.run(args, capture_output=True, text=True, check=False, **more)


def union(*args):
    return run(UNION, *args, env={"HOME": "/nonexistent", "PATH": os.environ["PATH"]})


def commands():
    groups = union("--help").stdout.split("options of every command:")[0].split("\n")
    return [line[2:].split("  ")[0].strip() for line in groups if line.startswith("  ")]


def all_help():
    text = union("--help").stdout
    for name in commands():
        text += f"--- union {name} --help\n" + union(*name.split(), "--help").stdout
    return text


def help_tests():
    text = union("create", "--help").stdout
    check("help for a word shows what begins with it", "union create grant" in text and "union get" not in text, text)
    check("and nothing of the form it is written in", "](" not in all_help())
    text = all_help()
    with open(GOLDEN, encoding="utf-8") as file:
        check("the help of every command is the golden one", text == file.read(),
              "see: tests/tools/union_commands_test.py --write")
    check("no line of it is wider than 100 columns", max(map(len, text.split("\n"))) <= 100)
    for name in commands():
        same = union("help", *name.split()).stdout == union(*name.split(), "-h").stdout
        check(f"'help {name}' is '{name} -h'", same)
    gen = os.path.join(ROOT, "tools", "gen-commands")
    reference = os.path.join(ROOT, "docs", "reference", "commands.md")
    done = run(gen, os.path.join(ROOT, "docs", "commands"), "--check", reference)
    check("the reference is current", done.returncode == 0, done.stderr)


def usage_tests():
    """Arguments, and what the error must name."""
    table = [
        (["craete", "secret", "x"], "did you mean: union create"),
        (["create", "secrte", "x"], "did you mean: union create secret"),
        (["create"], "one of: secret"),
        (["create", "secret"], "the name is missing"),
        (["create", "secret", "a", "b"], "one argument too many: 'b'"),
        (["get", "secret", "--projet", "x"], "did you mean: --project"),
        (["get", "secret", "-z"], "unknown option '-z'"),
        (["get", "secret", "--project"], "--project needs a value"),
        (["get", "secret", "--project", "a", "--project", "b"], "--project is given twice"),
        (["get", "secret", "-o", "xml"], "one of: table, json"),
        (["info", "--help=x"], "--help takes no value"),
        (["--color", "blue", "info"], "one of: auto, always, never"),
        (["run", "a.py"], "the entity is missing"),
        (["run", "--no-wait", "a.py", "main"], "--no-wait needs --remote"),
        (["create", "secret", "x", "--value", "v", "-f", "y"], "either --file or --value"),
        (["completion", "tcsh"], "one of: bash, zsh, fish"),
    ]
    for args, wanted in table:
        done = union(*args)
        shown = " ".join(args)
        check(f"'union {shown}' is wrong usage", done.returncode == 2, done.returncode)
        check("and says what is wrong", wanted in done.stderr, done.stderr)
        check("on stderr only", done.stdout == "" and done.stderr.startswith("union: error: "))
    done = union("create", "--project", "fraud", "secret", "-h")
    check("--version is version", union("--version").stdout == union("version").stdout != "")
    check("options may stand between the words of a command", "usage: union create secret" in done.stdout)


def color_tests():
    check("--color always colours errors", "\033[" in union("--color", "always", "get", "secret", "b/d").stderr)
    check("no terminal, no colours", "\033[" not in union("frob").stderr)


def completion_tests():
    script = union("completion", "bash").stdout
    ask = 'COMP_WORDS=({}); COMP_CWORD={}; _union; echo "${{COMPREPLY[@]}}"'
    table = [("union cre", 1, "create"), ("union get se", 2, "secret"), ("union get secret --pro", 3, "--project"),
             ("union --color a", 2, "auto always"), ("union completion f", 2, "fish")]
    for words, at, wanted in table:
        done = run("bash", "-c", script + "\n" + ask.format(words, at))
        check(f"bash completes '{words}'", done.stdout.strip() == wanted, done.stdout + done.stderr)
    for shell, flag in (("zsh", "-n"), ("fish", "-n")):
        if shutil.which(shell):
            done = run(shell, flag, input=union("completion", shell).stdout)
            check(f"{shell} reads its completions", done.returncode == 0, done.stderr)


def man_tests():
    page = next((os.path.join(folder, "union.1") for folder, _, names in os.walk(BUILD)
                 if "union.1" in names), None)
    check("there is a man page", page is not None)
    if page and shutil.which("man"):
        done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page,
                   env={"PATH": os.environ["PATH"], "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        check("it formats without a warning", done.returncode == 0 and not done.stderr, done.stderr)


def main():
    if not os.access(UNION, os.X_OK):
        sys.exit(f"no {UNION}: build it, or set UNION_BUILD")
    if "--write" in sys.argv[1:]:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.write(all_help())
        return 0
    for test in (help_tests, usage_tests, color_tests, completion_tests, man_tests):
        test()
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

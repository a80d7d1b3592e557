"""The processes of a control plane for the tests of leaks, and how to hold them still."""

import os
import re
import select
import signal
import subprocess
import time

PATIENCE = 20  # seconds


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read()
    except OSError:
        return b""


def parent(pid):
    try:
        with open("/proc/%d/status" % pid, encoding="utf-8") as file:
            return int(re.search(r"^PPid:\s*(\d+)", file.read(), re.M).group(1))
    except OSError:
        return 0


def children(pid):
    """Of its first thread and of all others."""
    found = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread), encoding="utf-8") as file:
                found += [int(p) for p in file.read().split()]
    except OSError:
        pass
    return found


def of_home(home, *words):
    """Processes with the folder and these words in their command line."""
    return [p for p in (int(n) for n in os.listdir("/proc") if n.isdigit())
            if all(w in command_line(p) for w in (home.encode(), *words))]


def launchers(home):
    """All union-exec: launchers, those started ahead, their inits and lookers."""
    return of_home(home, b"union-exec\0attempt")


def task(home):
    """The process of the task that runs, or None."""
    found = of_home(home, b"union.execute")
    return found[0] if found else None


def server_and_keepers(plane):
    info = plane.union("info", "-o", "json").stdout.decode()
    server = int(re.search(r'"pid": *(\d+)', info).group(1))
    keepers = subprocess.run(["pgrep", "-x", "uniond", "-P", str(server)], stdout=subprocess.PIPE,
                             check=False).stdout.split()
    return server, [int(p) for p in keepers]


def start(plane, script, name, *words, until=b"WAITING"):
    """A run that is followed, and what it has said when `until` comes: (process, bytes)"""
    process = subprocess.Popen(["union", "run", "--remote", script, name, "--gate", plane.gate, *words],
                               env=plane.env, cwd=plane.code, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    seen = b""
    for line in process.stderr if until else ():
        seen += line
        if until in line:
            return process, seen
    if not until:
        return process, seen
    raise SystemExit("leaks: the task ended too early: " + seen.decode())


def await_true(what, condition):
    """The first true answer; a deadline, not a pause, decides."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        os.sched_yield()
    raise SystemExit("leaks: waited in vain for " + what)


def kill_and_await(pid, *others):
    """kill -9 of one process; returns those of `others` that outlive it for long."""
    held = {p: os.pidfd_open(p) for p in (pid, *others)}
    os.kill(pid, signal.SIGKILL)
    left = []
    until = time.monotonic() + PATIENCE
    for other, fd in held.items():
        if not select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
            left.append(other)
        os.close(fd)
    return left


def stop(pid):
    """Holds a process still, and waits until it is."""
    os.kill(pid, signal.SIGSTOP)

    def is_still():
        with open("/proc/%d/status" % pid, encoding="utf-8") as file:
            return re.search(r"^State:\s*[Tt]", file.read(), re.M)
    await_true("process %d to stop" % pid, is_still)


def launcher_ahead(plane, keepers, script, name):
    """A launcher that waits for its ticket: the keeper, who would make it, is held still, and so is
    the launcher then. (run, the launcher and its init)"""
    known = set(launchers(plane.home))
    for keeper in keepers:
        stop(keeper)
    run, _ = start(plane, script, name, until=None)
    ahead = await_true("a launcher ahead", lambda: [p for p in launchers(plane.home)
                                                    if p not in known and children(p)])
    stop(ahead[0])
    return run, ahead[:1] + children(ahead[0])


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def looker(home, server):
    """Waits for a process that looks into results, and holds it still: (its launcher, it)"""
    launcher = await_true("the launcher", lambda: [
        p for p in launchers(home) if parent(p) == server])[0]
    found = await_true("the looker", lambda: [
        p for p in children(launcher) if name_of(p) == "union-look"])[0]
    stop(found)
    return launcher, found

"""Limits of tasks by cgroup v2, under the service's delegation and for a person without any."""

import os
import re
import subprocess
import time

import lib
from lib import check, equals

SCRIPT = """
import os, subprocess, time
import union
from union import Resources

def group():
    with open("/proc/self/cgroup") as file:
        return file.read().strip()

@union.task(resources=Resources(mem=("64Mi", "128Mi"), cpu=("250m", "500m")))
def show() -> str:
    while not os.path.exists("/srv/gate/show"):
        time.sleep(0.1)
    return "over"

@union.task(resources=Resources(mem="96Mi"))
def fat() -> str:
    print("BEGAN", flush=True)
    held = []
    for _ in range(400):
        held.append(os.urandom(1 << 20))
    return "has it all"

@union.task(resources=Resources(mem="96Mi"))
def fat_child() -> str:
    code = "held = []\\nfor _ in range(400): held.append(b'x' * (1 << 20))"
    status = subprocess.run(["/usr/bin/python3", "-c", code]).returncode
    return "child ended with %d" % status

@union.task
def bomb() -> str:
    made, why = 0, ""
    for _ in range(3000):
        try:
            pid = os.fork()
        except OSError as error:
            why = error.strerror
            break
        if pid == 0:
            time.sleep(600)
            os._exit(0)
        made += 1
    return "made %d: %s" % (made, why)

@union.task(resources=Resources(cpu=("200m", "500m")))
def busy() -> str:
    begin, used = time.monotonic(), time.process_time()
    while time.monotonic() < begin + 4:
        pass
    return "used %.2f" % ((time.process_time() - used) / (time.monotonic() - begin))

@union.task
def plain() -> str:
    return "well"
"""
TASKS = "tasks:\n  writable: /srv/gate\n  processes: 200\n"
SERVICE = "/sys/fs/cgroup/system.slice/uniond.service"


def groups():
    """The groups of attempts, below whatever was delegated."""
    found = lib.run("find", "/sys/fs/cgroup", "-path", "*/union-tasks/*", "-type", "d")[1]
    return found.split()


def value(folder, name):
    return lib.read(os.path.join(folder, name)).strip()


def try_limits(who, path, run, start):
    process = start(path, "show")
    made = lib.until(lambda: len(groups()) == 1, 40)
    if check("%s: an attempt has a group of its own" % who, made, lib.run("journalctl", "-n", "20")[1]):
        folder = groups()[0]
        lib.until(lambda: value(folder, "cgroup.procs"))
        equals("%s: memory.max is the limit" % who, str(128 << 20), value(folder, "memory.max"))
        equals("%s: nothing of it is swapped" % who, "0", value(folder, "memory.swap.max"))
        equals("%s: cpu.max is the limit" % who, "50000 100000", value(folder, "cpu.max"))
        equals("%s: cpu.weight is the request" % who, "25", value(folder, "cpu.weight"))
        check("%s: the task is in it" % who, value(folder, "cgroup.procs"))
    lib.write("/srv/gate/show", "")
    status, out, err = lib.end_run(process)
    check("%s: and it ends well" % who, status == 0, out + err)
    check("%s: the group is gone" % who, lib.until(lambda: not groups(), 10), groups())

    status, out, err = run("run", "--remote", path, "fat")
    check("%s: a task that wants too much is killed" % who, status == 1 and "has it all" not in out, out + err)
    check("%s: and the user is told that it was memory" % who, "memory" in err and "96Mi" in err, err)
    status, out, err = run("run", "--remote", path, "fat_child")
    check("%s: also when it was a child of the task" % who, status == 1 and "memory" in err, out + err)
    status, out, err = run("run", "--remote", path, "bomb")
    made = re.search(r"made (\d+)", out)
    check("%s: a fork bomb is bounded" % who, made and int(made.group(1)) < 200, out + err)
    status, out, err = run("run", "--remote", path, "busy")
    used = re.search(r"used ([0-9.]+)", out)
    check("%s: half a processor is no more" % who, used and float(used.group(1)) < 0.7, out + err)
    status, out, err = run("run", "--remote", path, "plain")
    check("%s: the next task is well" % who, status == 0 and "well" in out, out + err)
    check("%s: no group is left" % who, lib.until(lambda: not groups(), 10), groups())


def service():
    lib.install(TASKS)
    path = lib.script("limits.py", SCRIPT)
    equals("uniond is in a group below the service's", "0::/system.slice/uniond.service/union-own",
           lib.read("/proc/%s/cgroup" % lib.show("MainPID")).strip())
    equals("and has passed its controllers on", {"cpu", "memory", "pids"},
           set(value(SERVICE, "cgroup.subtree_control").split()))
    try_limits("service", path, lib.union, lib.start_run)
    lib.run("systemctl", "stop", "uniond.service")
    check("after the stop no group of the service is left", lib.until(lambda: not os.path.exists(SERVICE), 20),
          lib.run("find", SERVICE, "-type", "d")[1])


def person():
    """Somebody at her own machine: nothing was delegated to her."""
    lib.run("useradd", "--create-home", "--uid", "1500", "--user-group", "ann")
    path = "/home/ann/limits.py"
    lib.write(path, SCRIPT)
    env = {"HOME": "/home/ann", "USER": "ann"}

    def run(*words):
        return lib.run("union", *words, user="ann", env=env, cwd="/home/ann")

    status, out, err = run("run", "--remote", path, "plain")
    check("person: a task runs without any delegation", status == 0 and "well" in out, out + err)
    status, out, err = run("run", "--remote", path, "fat")
    check("person: memory is held by process, and she is told so", status == 1 and "emory" in err, out + err)
    lib.write("/home/ann/.config/union/uniond.yaml", "tasks: {processes: 200}\n")
    lib.run("chown", "-R", "ann:ann", "/home/ann/.config")
    lib.run("pkill", "-x", "-u", "ann", "uniond")
    lib.until(lambda: not lib.run("pgrep", "-x", "-u", "ann", "uniond")[1])
    status, out, err = run("run", "--remote", path, "bomb")
    made = re.search(r"made (\d+)", out)
    check("person: a fork bomb is bounded", made and int(made.group(1)) < 200, out + err)


def body():
    os.makedirs("/srv/gate", exist_ok=True)
    service()
    person()


lib.main(body)

"""Cores written to files: whoever crashes leaves none with a value."""

import glob
import os
import signal

import lib
from lib import check

CRASH = """
import os, signal, time
import union

@union.task(secret_requests=[union.Secret(key="my_secret", env_var="MY_SECRET")])
def crash() -> int:
    import resource
    value = os.environ["MY_SECRET"] * 1000
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 40, 1 << 40))
    except (ValueError, OSError):
        pass
    os.kill(os.getpid(), signal.SIGSEGV)
    return 1

@union.task(secret_requests=[union.Secret(key="my_secret", env_var="MY_SECRET")])
def wait() -> int:
    value = os.environ["MY_SECRET"] * 1000
    print("BEGAN", flush=True)
    while not os.path.exists("/srv/gate/cores"):
        time.sleep(0.2)
    return len(value) * 0
"""
BAIT = "import os, signal\nheld = '%s' * 10\nos.kill(os.getpid(), signal.SIGSEGV)\n"


def cores():
    return glob.glob("/srv/cores/*")


def began(process):
    return any(b"BEGAN" in line for line in process.stderr)


def crash_of(name, pid, path):
    """SIGSEGV to a process of ours, with a task at work."""
    before = len(cores())
    os.kill(pid, signal.SIGSEGV)
    gone = lib.until(lambda: not os.path.exists("/proc/%d" % pid)
                     or "State:\tZ" in lib.read("/proc/%d/status" % pid))
    check("%s crashes" % name, gone)
    lib.until(lambda: len(cores()) > before, 2)
    left = [c for c in cores() if "python" not in c]
    check("%s leaves no core, or an empty one" % name, all(os.path.getsize(c) == 0 for c in left),
          [(c, os.path.getsize(c)) for c in left])


def body():
    os.makedirs("/srv/gate", exist_ok=True)
    os.makedirs("/srv/cores", exist_ok=True)
    os.chmod("/srv/cores", 0o1777)
    lib.write("/proc/sys/kernel/core_pattern", "/srv/cores/core.%e.%p")
    lib.write("/proc/sys/fs/suid_dumpable", "2") # the worst that a machine may say
    lib.install("tasks:\n  writable: \"/srv/gate:/srv/cores\"\n")
    path = lib.script("crash.py", CRASH)
    lib.union_works("a secret", "create", "secret", "my_secret", data=lib.value())
    status, _, _ = lib.run("sh", "-c", "ulimit -c unlimited; exec python3 -c \"%s\"" % (BAIT % "x"))
    check("a program that nothing protects leaves a core here", cores(), status)
    for core in cores():
        os.unlink(core)
    status, out, err = lib.union("run", "--remote", path, "crash")
    check("a task that crashes fails, and the user is told by what", status == 1 and
          ("SIGSEGV" in err or "signal 11" in err or "Segmentation" in err), out + err)
    check("it leaves no core", not cores(), cores())
    waiting = lib.start_run(path, "wait")
    check("a task is at work", began(waiting))
    launcher = int(lib.run("pgrep", "-o", "-x", "union-exec")[1].split()[0])
    crash_of("the launcher", launcher, path)
    lib.end_run(waiting)
    waiting = lib.start_run(path, "wait")
    check("another one is", began(waiting))
    plane = int(lib.show("MainPID"))
    keeper = int(lib.run("pgrep", "-x", "uniond", "-P", plane)[1].split()[0])
    crash_of("the keeper", keeper, path)
    lib.until(lambda: lib.show("ActiveState") == "active" and lib.union("get", "secret")[0] == 0)
    crash_of("uniond", int(lib.show("MainPID")), path)
    check("and is started again", lib.until(lambda: lib.union("get", "secret")[0] == 0, 60))
    lib.write("/srv/gate/cores", "")
    lib.end_run(waiting)
    lib.search("no value is in what crashes left", list(lib.files_below("/srv/cores", "/var/lib/union",
                                                                       "/var/log", "/tmp")))
    lib.search("nor in the journal", [("journal", lib.journal())])


lib.main(body)

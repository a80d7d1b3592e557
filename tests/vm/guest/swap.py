"""What reaches the swap when memory is short: the raw swap area is searched.

A canary of the test's own, in a process that nothing protects, must be found there: else the pressure
was none and the search proves nothing."""

import ctypes
import os
import subprocess

import lib
from lib import check, equals, works

SWAP = "/dev/vdc"
HOLD = """
import os, time
import union

@union.task(secret_requests=[union.Secret(key="in_env", env_var="IN_ENV"), union.Secret(key="in_file")])
def main() -> int:
    one = os.environ["IN_ENV"]
    two = union.current_context().secrets.get(key="in_file")
    copies = [(one + two + str(i)) * 64 for i in range(2000)]
    print("BEGAN", flush=True)
    while not os.path.exists("/srv/gate/swap"):
        time.sleep(0.2)
    return sum(map(len, copies)) * 0
"""
TASKS = "tasks:\n  writable: /srv/gate\nparallel_tasks: 4\n"
EATER = """
import os
held = []
def swap_free():
    with open("/proc/meminfo") as file:
        return [int(line.split()[1]) >> 10 for line in file if line.startswith("SwapFree")][0]
while swap_free() > 200:
    piece = os.urandom(1 << 16)
    held.append([bytearray(piece) for _ in range(64)])
print("full")
"""
UNGUARDED = """
import sys, time
held = [sys.argv[1].encode().hex() * 500 for _ in range(2000)]
print(1, flush=True)
time.sleep(900)
"""


def swap_used():
    free = dict(line.split(":") for line in lib.read("/proc/meminfo").splitlines())
    return (int(free["SwapTotal"].split()[0]) - int(free["SwapFree"].split()[0])) >> 10


def swapped(pid):
    """Kilobytes of a process in the swap."""
    for line in lib.read("/proc/%s/status" % pid).splitlines():
        if line.startswith("VmSwap"):
            return int(line.split()[1])
    return 0


def press():
    """Somebody takes memory until much of the swap is in use, and goes. False: it does not get there."""
    eater = subprocess.Popen(["python3", "-c", EATER], stdout=subprocess.PIPE)
    lib.write("/proc/%d/oom_score_adj" % eater.pid, "1000")
    try:
        return eater.communicate(timeout=400)[0].strip() == b"full"
    except subprocess.TimeoutExpired:
        eater.kill()
        return False


def began(process):
    return any(b"BEGAN" in line for line in process.stderr)


def stay_in_memory():
    """This program has the values, and everything that they are looked for as."""
    libc = ctypes.CDLL(None, use_errno=True)
    check("the check itself is not swapped", libc.mlockall(3) == 0, ctypes.get_errno())


def body():
    stay_in_memory()
    works("a swap area", "mkswap", SWAP)
    works("is in use", "swapon", SWAP)
    lib.write("/proc/sys/vm/swappiness", "100")
    os.makedirs("/srv/gate", exist_ok=True)
    lib.install(TASKS)
    lib.home()
    for name in ("in_env", "in_file"):
        lib.union_works("secret " + name, "create", "secret", name, data=lib.value(name))
    find = lib.needles()
    holder = lib.start_run(lib.script("hold.py", HOLD), "main")
    check("a task holds many copies of its values", began(holder))
    own = "UNGUARDED-" + os.urandom(18).hex()
    bait = subprocess.Popen(["python3", "-c", UNGUARDED, own], stdout=subprocess.PIPE)
    bait.stdout.readline()
    check("memory becomes short", press())
    lib.note("%d MiB in the swap; the bait %d KiB" % (swap_used(), swapped(str(bait.pid))))
    check("what nothing protects is swapped", swapped(str(bait.pid)) > 0)
    for name in ("uniond", "union-exec"):
        for pid in lib.run("pgrep", "-x", name)[1].split():
            equals("none of %s %s is" % (name, pid), 0, swapped(pid))
    lib.run("sync")
    bait_form = own.encode().hex().encode()
    pieces = list(lib.pieces(SWAP))
    check("what nothing protects is found in the swap area", any(bait_form in p for _, p in pieces),
          "%d pieces" % len(pieces))
    for name in ("in_env", "in_file"):
        lib.search("no value of %s is in the swap area" % name, pieces,
                   [needle for needle, made in find.items() if made.endswith(name)])
    lib.write("/srv/gate/swap", "")
    status, out, err = lib.end_run(holder)
    note = "%s %s %s" % (status, out[-300:], err[-600:])
    check("the task that holds the values came to its end", status == 0, note)
    equals("the control plane, too", "active", lib.show("ActiveState"))
    bait.kill()


lib.main(body)

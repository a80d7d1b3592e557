"""Two people and a service on one machine."""

import os
import subprocess

import lib
from lib import check, equals

WAIT = """
import os, time
import union

@union.task(secret_requests=[union.Secret(key="my_secret", env_var="MY_SECRET"), union.Secret(key="other")])
def main() -> int:
    value = os.environ["MY_SECRET"]
    print("BEGAN", flush=True)
    while not os.path.exists("/srv/gate/users"):
        time.sleep(0.2)
    return len(value) * 0
"""
LOOK = """
import os, sys, ctypes, socket
found = []
for pid in os.listdir("/proc"):
    if not pid.isdigit() or pid == str(os.getpid()):
        continue
    try:
        if os.stat("/proc/" + pid).st_uid == os.getuid() and sys.argv[1] == "others":
            continue
        line = open("/proc/%s/cmdline" % pid, "rb").read()
    except OSError:
        continue
    if b"union" not in line or b"LOOK" in line:
        continue
    for what in ("environ", "mem", "maps", "fd", "root", "cwd"):
        try:
            path = "/proc/%s/%s" % (pid, what)
            if what in ("fd", "root", "cwd"):
                os.listdir(path)
                found.append(path)
            elif what == "mem":
                if ctypes.CDLL(None).ptrace(16, int(pid), None, None) == 0:
                    found.append(path)
            elif open(path, "rb").read():
                found.append(path)
        except OSError:
            pass
for folder in sys.argv[2:]:
    for root, folders, files in os.walk(folder):
        for name in files:
            try:
                open(os.path.join(root, name), "rb").read(1)
                found.append(os.path.join(root, name))
            except OSError:
                pass
for path in ("/run/union/uniond.sock", "/home/ann/.local/share/union/uniond.sock",
             "/var/lib/union/uniond.sock"):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        found.append(path)
    except OSError:
        pass
print("FOUND", found)
"""


def began(process):
    return any(b"BEGAN" in line for line in process.stderr)


def looks(who, mode, *folders):
    return lib.run("python3", "-c", "LOOK = 1\n" + LOOK, mode, *folders, user=who)[1]


def body():
    os.makedirs("/srv/gate", exist_ok=True)
    for name, uid in (("ann", 1500), ("bob", 1501)):
        lib.run("useradd", "--create-home", "--uid", uid, "--user-group", name)
    lib.install("tasks:\n  writable: /srv/gate\n")
    lib.home()
    lib.union_works("a secret of the service", "create", "secret", "my_secret", data=lib.value())
    lib.union_works("another", "create", "secret", "other", data=lib.value())
    served = lib.start_run(lib.script("wait.py", WAIT), "main")
    check("a task of the service is at work", began(served))
    env = {"HOME": "/home/ann"}
    for name in ("my_secret", "other"):
        status, out, err = lib.run("union", "create", "secret", name, data=lib.value("ann"), user="ann", env=env)
        check("ann makes a secret of her own: " + name, status == 0, out + err)
    lib.write("/home/ann/wait.py", WAIT)
    hers = subprocess.Popen(["setpriv", "--reuid", "ann", "--regid", "ann", "--clear-groups", "union", "run",
                             "--remote", "/home/ann/wait.py", "main"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=dict(os.environ, **env), cwd="/home/ann")
    check("and runs a task", began(hers))
    check("somebody else would be found out: the look sees ann's own programs",
          "/proc" in looks("ann", "all", "/nowhere"), "")
    folders = ("/var/lib/union", "/home/ann/.local", "/etc/union", "/run/union", "/run/user", "/dev/shm")
    equals("bob sees nothing of either", "FOUND []", looks("bob", "others", *folders).strip())
    equals("ann sees nothing of the service", "FOUND ['/home/ann/.local/share/union/uniond.sock']",
           looks("ann", "others", "/var/lib/union", "/etc/union", "/run/union", "/dev/shm").strip())
    status, out, err = lib.run("union", "get", "secret", user="bob",
                               env={"HOME": "/home/bob", "UNION_ENDPOINT": lib.SOCKET})
    check("bob is not served at the socket of the service", status != 0, out + err)
    status, out, err = lib.run("union", "get", "secret", user="bob", env={
        "HOME": "/home/bob", "UNION_ENDPOINT": "unix:///home/ann/.local/share/union/uniond.sock"})
    check("nor at ann's", status != 0 and "my_secret" not in out, out + err)
    names = lib.run("python3", "-c", "LOOK = 1\n" + LOOK, "all", "/home/ann/.local/share/union", user="ann")[1]
    for program in ("uniond", "union-exec"):
        for pid in lib.run("pgrep", "-x", program, "-u", "ann")[1].split():
            check("memory and environment of ann's %s are closed to her other programs" % program,
                  "/proc/%s/mem" % pid not in names and "/proc/%s/environ" % pid not in names, names)
    lib.write("/srv/gate/users", "")
    lib.end_run(served)
    hers.kill()
    lib.search("no value is in files that bob could have read", list(lib.files_below("/tmp", "/var/tmp",
                                                                                    "/dev/shm", "/home/bob")))


lib.main(body)

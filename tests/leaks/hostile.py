"""A workflow that is out for harm: each task tries one way to get its value out, or to get at
somebody else's. `ways.py` says what each is; what it came to is for tests/leaks/run to find out.

A way that is about reaching something prints `REACHED what` or `STOPPED what`, and never a value.
"""

import base64
import gzip
import logging
import os
import pickle
import quopri
import socket
import subprocess
import sys
import time
import urllib.parse

import union

SECRETS = [
    union.Secret(key="leak_me", mount_requirement=union.Secret.MountType.ENV_VAR, env_var="LEAK_ME"),
    union.Secret(key="leak_file"),
]


def value() -> str:
    return os.environ["LEAK_ME"]


def stopped(what: str, error: BaseException) -> None:
    print("STOPPED", what, type(error).__name__, flush=True)


def attempt(what, function) -> None:
    """Runs what must not succeed."""
    try:
        result = function()
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as error:
        stopped(what, error)
        return
    print("REACHED" if result else "STOPPED", what, flush=True)


# ---- forms: each is printed, and is a leak when it is found anywhere afterwards

FORMS = {
    "plain": lambda v: v,
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64-in-text": lambda v: base64.b64encode(b"x:" + v.encode() + b"@host").decode(),
    "base64-url": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "hex": lambda v: v.encode().hex(),
    "hex-colons": lambda v: v.encode().hex(":").upper(),
    "percent": lambda v: "".join("%%%02X" % c for c in v.encode()),
    "url-quoted": lambda v: urllib.parse.quote(v, safe=""),
    "json-unicode": lambda v: "".join("\\u%04x" % ord(c) for c in v),
    "html": lambda v: "".join("&#%d;" % ord(c) for c in v),
    "escapes": lambda v: "".join("\\x%02x" % c for c in v.encode()),
    "decimal": lambda v: str(list(v.encode())),
    "reversed": lambda v: v[::-1],
    "spaced": lambda v: " ".join(v),
    "base32": lambda v: base64.b32encode(v.encode()).decode(),
    "quoted-printable": lambda v: "".join("=%02X" % c for c in v.encode()),
    "gzip-base64": lambda v: base64.b64encode(gzip.compress(v.encode(), mtime=0)).decode(),
    "rot13": lambda v: __import__("codecs").encode(v, "rot13"),
    "xor": lambda v: bytes(c ^ 0x55 for c in v.encode()).hex(),
}


@union.task(secret_requests=SECRETS)
def form(name: str) -> str:
    print("form:", FORMS[name](value()), flush=True)
    return "done"


@union.task(secret_requests=SECRETS)
def stderr(name: str) -> str:
    print(value(), file=sys.stderr, flush=True)
    return "done"


@union.task(secret_requests=SECRETS)
def utf16(name: str) -> str:
    sys.stdout.buffer.write(value().encode("utf-16-le") + b"\n")
    return "done"


@union.task(secret_requests=SECRETS)
def exception(name: str) -> str:
    raise RuntimeError("cannot log in with " + value())


@union.task(secret_requests=SECRETS)
def cause(name: str) -> str:
    try:
        raise KeyError(value())
    except KeyError as error:
        raise RuntimeError("failed") from error


@union.task(secret_requests=SECRETS)
def traceback_locals(name: str) -> str:
    import traceback

    password = value()
    try:
        raise RuntimeError(len(password))
    except RuntimeError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        raise RuntimeError("".join(lines)) from None


@union.task(secret_requests=SECRETS)
def exit_message(name: str) -> str:
    sys.exit("bad password: " + value())


@union.task(secret_requests=SECRETS)
def returned(name: str) -> str:
    return {"base64": FORMS["base64"], "rot13": FORMS["rot13"]}.get(name, lambda v: v)(value())


@union.task(secret_requests=SECRETS)
def returned_nested(name: str) -> dict[str, list[str]]:
    return {"a": ["x", "postgres://user:" + value() + "@db/x"]}


@union.task(secret_requests=SECRETS)
def returned_key(name: str) -> dict[str, int]:
    return {value(): 1}


@union.task(secret_requests=SECRETS)
def returned_bytes(name: str) -> bytes:
    if name == "pickle":
        return pickle.dumps({"password": value()})
    return gzip.compress(value().encode())


@union.task(secret_requests=SECRETS)
def child(name: str) -> str:
    if name == "environment":
        subprocess.run(["env"], check=True)
    elif name == "set-x":
        subprocess.run(["sh", "-xc", ': "$LEAK_ME"'], check=True)
    else:
        subprocess.run(["cat", os.path.join(os.environ["FLYTE_SECRETS_DEFAULT_DIR"], "leak_file")],
                       check=True)
    return "done"


@union.task(secret_requests=SECRETS)
def dump(name: str) -> str:
    print(dict(os.environ), flush=True)
    return "done"


@union.task(secret_requests=SECRETS)
def log_handler(name: str) -> str:
    logging.basicConfig(level=logging.DEBUG)
    logging.getLogger("db").debug("connecting with %s", value())
    return "done"


@union.task(secret_requests=SECRETS)
def tool(name: str) -> str:
    """What libraries print by themselves."""
    import threading
    import warnings

    secret = value()
    if name == "warning":
        warnings.warn("deprecated: " + secret)
    elif name == "thread":
        def work():
            raise RuntimeError(secret)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    elif name == "child-error":
        subprocess.run(["false", "--password", secret], check=True)
    elif name == "title":
        print("\x1b]0;%s\x07" % secret, flush=True)
    elif name == "unraisable":
        class Late:
            def __del__(self):
                raise RuntimeError(secret)
        Late()
    elif name == "module-trace":
        subprocess.run([sys.executable, "-X", "importtime", "-v", "-c", "raise SystemExit(%r)" % secret],
                       check=False)
    return "done"


@union.task(secret_requests=SECRETS)
def cut(name: str) -> str:
    secret = value().encode()
    out = sys.stdout.buffer
    if name == "one-byte-writes":
        for i in range(len(secret)):
            os.write(1, secret[i:i + 1])
    elif name == "two-streams":  # in whatever order they are read
        os.write(1, secret[:20])
        os.write(2, secret[20:])
    elif name == "colours":
        out.write(b"".join(b"\x1b[3%dm%c" % (i % 8, c) for i, c in enumerate(secret)))
    elif name == "progress-bar":
        for i in range(3):
            out.write(b"\r %d%% %s" % (i, secret))
    elif name == "numbered":
        out.write(b"".join(b"%d=%c\n" % (i, c) for i, c in enumerate(secret)))
    out.flush()
    return "done"


# ---- places: nothing may be left anywhere but in the sandbox


@union.task(secret_requests=SECRETS)
def place(name: str, target: str) -> str:
    secret = value()
    if name == "output-file":
        prefix = sys.argv[sys.argv.index("--output-prefix") + 1]
        with open(os.path.join(prefix, "extra.txt"), "w") as file:
            file.write(secret)
    elif name == "file-name":
        open(os.path.join("/tmp", secret.replace("/", ":")), "w").close()
    elif name in ("result-fifo", "result-link"):
        swap_result(name == "result-fifo")
    elif name == "symbolic-link":
        prefix = sys.argv[sys.argv.index("--output-prefix") + 1]
        os.symlink(secret, os.path.join(prefix, "link"))
        attempt("folder of the machine", lambda: os.symlink(secret, os.path.join(target, "l")) is None)
    elif name == "shared-memory":
        with open("/dev/shm/leak", "w") as file:
            file.write(secret)
    elif name == "world-writable-folder":
        def write():
            with open(os.path.join(target, "leak"), "w") as file:
                file.write(secret)
            return True
        attempt("folder of the machine", write)
    elif name == "home":
        def profile():
            with open(os.path.expanduser("~/.profile"), "a") as file:
                file.write("# " + secret)
            return not os.path.expanduser("~").startswith(os.environ["TMPDIR"])
        attempt("somebody's profile", profile)
    elif name == "syslog":
        def log():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                for path in ("/dev/log", "/run/systemd/journal/socket", "/run/systemd/journal/dev-log"):
                    if os.path.exists(path):
                        s.connect(path)
                        s.send(secret.encode())
                        return True
            return False
        attempt("log of the machine", log)
    elif name == "core":
        subprocess.run(["sh", "-c", "ulimit -c unlimited 2>/dev/null; kill -SEGV $$"], check=False)
        print("STOPPED" if not [f for f in os.listdir(".") if f.startswith("core")] else "REACHED",
              "core", flush=True)
    elif name == "process-title":
        subprocess.Popen(["sleep", "3", ], executable="/bin/sleep")
        subprocess.run(["/bin/sh", "-c", "sleep 2", "title:" + secret], check=False)
    elif name == "exit-status":
        os._exit(ord(secret[0]))
    return "done"


def swap_result(fifo: bool) -> None:
    """A child makes the results something else again and again, also while somebody reads them."""
    path = os.path.join(sys.argv[sys.argv.index("--output-prefix") + 1], "outputs.pb")

    def swap(other):
        if fifo:
            os.mkfifo(other)
        else:
            os.symlink(os.path.join(os.environ["FLYTE_SECRETS_DEFAULT_DIR"], "leak_file"), other)
        os.rename(other, path)
    swap(path + ".first")
    if os.fork() == 0:
        os.setsid()
        while True:
            swap(path + ".next")
    os._exit(0)


@union.task(secret_requests=SECRETS)
def survivor(name: str, port: int) -> str:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1.5)
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(b"survived")
            os.write(1, value().encode())
        os._exit(0)
    return "done"


# ---- reach: at a neighbour, the launcher, the control plane, the machine


@union.task(secret_requests=[union.Secret(key="victims")])
def victim(name: str, gate: str) -> int:
    """Has a secret of its own, in memory, a file, shared memory and an abstract socket."""
    import ctypes
    import fcntl
    from multiprocessing import shared_memory

    secret = union.current_context().secrets.get(key="victims")
    kept = shared_memory.SharedMemory("victim", True, 64)
    kept.buf[:20] = secret[:20].encode()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0union-victim")
        listener.listen()
        libc = ctypes.CDLL(None)
        libc.shmget(4711, 4096, 0o1666)
        libc.mq_open(b"/victim", os.O_RDWR | os.O_CREAT, 0o666, None)
        locked = open("locked", "w")
        fcntl.flock(locked, fcntl.LOCK_EX)
        assert held_locks(), "the lock is not to be seen by its owner"
        print("WAITING", flush=True)
        while not os.path.exists(os.path.join(gate, "over")):
            time.sleep(0.05)
    kept.close()
    kept.unlink()
    return len(secret)


def held_locks() -> bool:
    with open("/proc/locks", encoding="ascii") as file:
        return " FLOCK " in file.read()


def queue_of_somebody() -> bool:
    """Also one of its own: what nobody can make nobody can share."""
    import ctypes

    libc = ctypes.CDLL(None)
    return libc.mq_open(b"/victim", os.O_RDWR) != -1 or libc.mq_open(
        b"/own", os.O_RDWR | os.O_CREAT, 0o666, None) != -1


def watched(folder) -> bool:
    """Whether inotify tells about what is in there."""
    import ctypes

    libc = ctypes.CDLL(None)
    return libc.inotify_add_watch(libc.inotify_init(), folder.encode(), 0xfff) >= 0


def syscall(number, *arguments) -> bool:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(number, *arguments) != -1


def tcp(address) -> bool:
    with socket.create_connection(address, timeout=3) as s:
        s.sendall(b"hello")
    return True


def abstract(name) -> bool:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0" + name)
    return True


def listed(folder, *own) -> bool:
    return bool([n for n in os.listdir(folder) if n not in own])


def other_processes() -> list[str]:
    mine = {str(os.getpid()), str(os.getppid()), "1"}
    return [p for p in os.listdir("/proc") if p.isdigit() and p not in mine]


def read(path) -> bool:
    with open(path, "rb") as file:
        return bool(file.read(64))


def foreign_fds() -> bool:
    kinds = [os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd")
             if int(n) > 2 and os.path.lexists("/proc/self/fd/" + n)]
    return any(k.startswith(("socket:", "memfd:", "/memfd", "anon_inode:[pidfd")) for k in kinds)


def written(*paths) -> bool:
    """Whether one of these can be made, or added to."""
    for path in paths:
        try:
            with open(path, "a"):
                return True
        except OSError:
            pass
    return False


def connected(*paths) -> bool:
    for path in paths:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                return True
        except OSError:
            pass
    return False


def installed() -> list[str]:
    """Folders that the next task's interpreter takes code from."""
    own = os.path.dirname(os.path.abspath(os.environ["TMPDIR"]))
    return [p for p in sys.path + [os.path.dirname(union.__file__), sys.prefix, "/usr/local/lib"]
            if os.path.isdir(p) and not os.path.abspath(p).startswith(own)]


def typed_into_a_terminal() -> bool:
    import fcntl

    _, slave = os.openpty()
    return fcntl.ioctl(slave, 0x5412, b"x") == 0  # TIOCSTI


def reached_others(home: str) -> dict:
    """Beyond the neighbour: the machine, its user, and the tasks to come."""
    user = os.environ.get("USER", "root")
    return {
        "kernel-log": lambda: written("/dev/kmsg", "/dev/console", "/proc/kmsg"),
        "terminals": lambda: any(n.isdigit() for n in os.listdir("/dev/pts")),
        "typed-input": typed_into_a_terminal,
        "buses": lambda: connected("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket",
                                   "/run/systemd/private", "/run/docker.sock", "/tmp/.X11-unix/X0"),
        "agent": lambda: any(n in os.environ for n in ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
                                                       "DISPLAY", "XAUTHORITY", "GPG_AGENT_INFO")),
        "privileges": lambda: "NoNewPrivs:\t1" not in open("/proc/self/status").read(),
        "spools": lambda: written("/var/spool/cron/crontabs/" + user, "/etc/cron.d/leak",
                                  "/var/spool/cron/atjobs/leak", "/var/mail/" + user,
                                  "/var/spool/mail/" + user),
        "packages": lambda: written(*(os.path.join(p, "poison.pth") for p in installed())),
        "sdk": lambda: written(union.__file__),
        "shell-start": lambda: written(home + "/.bashrc", home + "/.profile",
                                       home + "/.ssh/authorized_keys", "/etc/profile.d/leak.sh"),
        "own-keys": lambda: read(home + "/.ssh/id_test"),
        "own-configuration": lambda: read(home + "/.config/union/uniond.yaml"),
        "kernel-settings": lambda: written("/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper",
                                           "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"),
        "groups": lambda: written(*(os.path.join(f, "cgroup.procs") for f, _, _ in
                                    os.walk("/sys/fs/cgroup"))),
        "io-uring": lambda: syscall(425, 1, 0),
        "message-queue": queue_of_somebody,
        "own-results-elsewhere": lambda: os.link(home + "/.config/union/uniond.yaml", "here") is None,
        "disks": lambda: any(os.path.exists("/dev/" + d) for d in ("sda", "vda", "nvme0n1", "mem",
                                                                   "port", "fuse", "kvm")),
        "locks": held_locks,
        "clock": lambda: syscall(227, 0, 0),
        "module": lambda: syscall(175, 0, 0, 0),
        "connections": lambda: len(open("/proc/net/tcp").readlines()) > 1,
    }


@union.task(secret_requests=SECRETS)
def reach(name: str, pid: int, launcher: int, port: int, folder: str) -> str:
    """`pid`, `launcher`: as the machine numbers them."""
    work, own = os.path.split(os.path.dirname(os.path.abspath(os.environ["TMPDIR"])))
    ways = {
        "processes": lambda: bool(other_processes()),
        "neighbour-environ": lambda: read("/proc/%d/environ" % pid),
        "neighbour-memory": lambda: read("/proc/%d/maps" % pid) or read("/proc/%d/mem" % pid),
        "neighbour-ptrace": lambda: syscall(101, 16, pid, 0, 0),
        "neighbour-read-memory": lambda: syscall(310, pid, 0, 0, 0, 0, 0),
        "neighbour-descriptor": lambda: syscall(438, syscall(434, pid, 0), 0, 0),
        "neighbour-signal": lambda: os.kill(pid, 0) is None,
        "neighbour-files": lambda: listed(work, own, own + ".private") or read("/proc/%d/root/etc/hostname" % pid),
        "neighbour-watch": lambda: any(watched(f) for f in ("/proc/%d/cwd" % pid, "/proc/%d/root" % pid,
                                                            folder + "/logs", folder)
                                       if os.path.exists(f) and listed(f, "work")),
        "neighbour-shared-memory": lambda: os.path.exists("/dev/shm/victim"),
        "neighbour-sysv": lambda: __import__("ctypes").CDLL(None).shmget(4711, 0, 0) != -1,
        "neighbour-abstract-socket": lambda: abstract("union-victim"),
        "launcher-memory": lambda: read("/proc/%d/mem" % launcher)
        or syscall(310, launcher, 0, 0, 0, 0, 0) or syscall(101, 16, launcher, 0, 0),
        "inherited-descriptors": foreign_fds,
        "keyring": lambda: syscall(250, 0, -3, 1),
        "data-folder": lambda: listed(folder, "work"),
        "control-plane-socket": lambda: socket.socket(socket.AF_UNIX).connect(
            os.path.join(folder, "uniond.sock")) is None,
        "host-tmp": lambda: listed("/tmp", "union-story") and any(
            n.startswith("union-values") for n in os.listdir("/tmp")),
        "outside-abstract-socket": lambda: abstract("union-outside"),
        "new-namespace": lambda: syscall(272, 0x10000000),
        "mount": lambda: syscall(165, b"none", b"/mnt", b"tmpfs", 0, 0),
        "bpf": lambda: syscall(321, 0, 0, 0),
        "perf": lambda: syscall(298, 0, 0, -1, -1, 0),
        "terminal": lambda: open("/dev/tty", "w").write("x") > 0,
        "network": lambda: tcp(("127.0.0.1", port)),
    }
    ways.update(reached_others(folder[:-len("/.local/share/union")]))
    ways["neighbour-stat"] = lambda: read("/proc/%d/stat" % pid)
    attempt(name, ways[name])
    return "done"


@union.task(secret_requests=SECRETS, network="none")
def offline(name: str, port: int) -> str:
    attempt(name, lambda: tcp(("127.0.0.1", port)))
    return "done"

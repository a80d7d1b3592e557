"""What surrounds a row of the attacker's table: two real planes (one with TLS, one in cleartext), the
attacker as a process and a user of its own, a bystander who must be served all the while, and the
plane's memory and metrics before and after."""

import base64
import dataclasses
import json
import os
import re
import resource
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse
from typing import Any, Callable, Optional

from h2lib import PREFACE, frame, goaway, head
from wirelib import BUILD, certificate

WAIT = 20  # seconds: a row that takes longer has failed
SECONDS = 2  # a limit of time
SECONDS_FIRST = 8  # that for the first byte: a crowd needs a while to gather
NOBODY = 65534
as_users = os.geteuid() == 0  # attackers can be other users
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
PER_ADDRESS = 300
OTHERS = max(200, min(10000, (HARD - 1200) * 3 // 4))  # slow connections at once
CONNECTIONS = OTHERS * 4 // 3 + 3  # a quarter is kept for the plane's own user
END = b"<closed>"
TOKEN = []  # of somebody who may do everything
CONFIG = """data: %(folder)s/%(mode)s
listen:
  tcp: 127.0.0.1:%(port)d
%(tls)slog: {level: error}
workers: 2
limits:
  connections: %(connections)d
  connections_per_address: %(per_address)d
  requests_per_connection: 2000
  output_bytes: 16384
  bodies_bytes: 8388608
  first_byte_s: %(first)d
  head_s: %(first)d
  body_s: %(seconds)d
  write_s: %(seconds)d
  idle_s: %(seconds)d
"""


@dataclasses.dataclass
class Row:
    """`send(connection)` attacks and returns what it saw; `see(seen)` says whether that is right."""
    name: str
    send: Callable[..., bytes]
    see: Callable[[bytes], bool]
    metric: Any  # the reason that must be counted, or several of which one must be; None
    at_least: int = 1  # so often
    alpn: str = "http/1.1"
    raw: Optional[bool] = False  # bytes under TLS, where there is TLS
    only: Optional[str] = None  # "tls" or "clear"
    connects: Any = False  # `send` gets a function that connects once more (and the mode)
    plane: bool = False  # and the plane
    needs: bool = True
    memory_mb: float = 48


# ---- connections ----

def drain(c, wait=WAIT, partial=False, until=None, seen=b""):
    """What comes until the other side ends, and then END; `partial`: or until nothing comes for
    `wait` seconds; or until `until` has come, and a moment more."""
    c.settimeout(wait)
    while True:
        try:
            piece = c.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return seen if partial else seen + b"<the server did not close>"
        except OSError:
            return seen + END
        if not piece:
            return seen + END
        seen += piece
        if until and until in seen:
            return drain(c, 0.2, True, seen=seen)


def closed(seen):
    return seen.endswith(END)


def say_all(c, data, until=None):
    """Sends everything, reading all the while so that nobody waits for the other; then to the end, or
    a little beyond `until`."""
    seen, at, view = b"", 0, memoryview(data)
    c.settimeout(0)
    deadline = time.monotonic() + WAIT
    while at < len(data):
        readable, writable, _ = select.select([c], [c], [], max(0, deadline - time.monotonic()))
        if not readable and not writable:
            return seen + b"<the server takes no more>"
        try:
            if readable:
                piece = c.recv(65536)
                if not piece:
                    return seen + END
                seen += piece
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return seen + END
        try:
            if writable:
                at += c.send(view[at:at + 65536])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return drain(c, seen=seen)
    return drain(c, until=until, seen=seen)


def spread_users(connect, count):
    """Connections of as many users as it takes."""
    held, user = [], 70000
    while len(held) < count:
        os.seteuid(0)
        os.seteuid(user)
        user += 1
        for _ in range(min(PER_ADDRESS - 10, count - len(held))):
            try:
                held.append(connect())
            except OSError:
                pass
    return held


# ---- a plane ----

class Plane:
    def __init__(self, mode, folder):
        self.mode, self.folder = mode, folder
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        tls = ""
        if mode == "tls":
            tls = "tls: {certificate: %s, key: %s}\n" % certificate(folder)
        path = os.path.join(folder, mode + ".yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG % {"folder": folder, "mode": mode, "port": self.port, "tls": tls,
                              "connections": CONNECTIONS, "per_address": PER_ADDRESS,
                              "seconds": SECONDS, "first": SECONDS_FIRST})
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        self.log = os.path.join(folder, mode + ".log")
        # freed memory that a sanitizer keeps back would count as ours
        env = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=4:malloc_context_size=2")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "uniond"), "--config", path,
                                             "--ready-fd", str(write_end)], close_fds=False,
                                            stderr=log, env=env)
        os.close(write_end)
        if os.read(read_end, 4096) != b"ready\n":
            raise RuntimeError("uniond did not start: " + open(self.log, encoding="utf-8").read())
        os.close(read_end)
        self.unix = os.path.join(folder, mode, "uniond.sock")
        with open("/proc/%d/maps" % self.process.pid, encoding="utf-8") as f:
            self.sanitized = "libasan" in f.read() if as_users else True

    def connect(self, raw=False, alpn="http/1.1"):
        c = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)
        if self.mode != "tls" or raw:
            return c
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        return context.wrap_socket(c, server_hostname="localhost")

    def connect_unix(self):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(WAIT)
        c.connect(self.unix)
        return c

    # ---- who may what ----

    def admin(self, method, **message):
        """A call as the plane's own user; the answer."""
        mine = os.geteuid()
        os.seteuid(os.getuid())
        with self.connect_unix() as c:
            body = json.dumps(message).encode()
            c.sendall(b"POST /union.v1.AccessService/%s HTTP/1.1\r\nhost: localhost\r\n"
                      b"content-type: application/json\r\nconnection: close\r\n"
                      b"content-length: %d\r\n\r\n" % (method.encode(), len(body)) + body)
            seen = drain(c)
        os.seteuid(mine)
        if not seen.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(seen.decode(errors="replace"))
        return json.loads(seen[seen.index(b"\r\n\r\n") + 4:-len(END)])

    def make_key(self, name, **about):
        """An API key; its secret."""
        made = self.admin("CreateApiKey", name=name, **about)
        return base64.b64decode(made["clientSecret"]).decode()

    def log_in(self, name, secret, c=None):
        """What the token endpoint says."""
        body = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": name,
                                       "client_secret": secret}).encode()
        with c or self.connect() as c:
            c.sendall(b"POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
                      b"content-type: application/x-www-form-urlencoded\r\n"
                      b"content-length: %d\r\n\r\n" % len(body) + body)
            return drain(c)

    def token(self, name, **about):
        seen = self.log_in(name, self.make_key(name, **about))
        return re.search(rb'"access_token":"([^"]*)"', seen)[1]

    def metrics(self, name):
        """Its lines."""
        with self.connect_unix() as c:
            c.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            lines = drain(c).decode().split("\n")
        return "\n".join(line for line in lines if line.startswith(name))

    def refused(self):
        """How often, by reason."""
        return {m[1]: int(m[2]) for m in
                re.finditer(r'reason="([^"]*)"\} (\d+)', self.metrics("union_net_refused_total"))}

    def memory_mb(self, what="VmRSS"):
        with open("/proc/%d/status" % self.process.pid, encoding="utf-8") as f:
            return int(re.search(what + r":\s*(\d+)", f.read()).group(1)) / 1024

    def forget_peak(self):
        try:
            with open("/proc/%d/clear_refs" % self.process.pid, "w", encoding="utf-8") as f:
                f.write("5")
        except OSError:
            pass


class Bystander(threading.Thread):
    """Somebody else: one request after the other, on an old and on a new connection in turn."""

    def __init__(self, plane):
        super().__init__(daemon=True)
        self.plane, self.over, self.failed = plane, threading.Event(), None
        self.times = []

    def run(self):
        held = None
        try:
            while not self.over.is_set():
                if len(self.times) % 8 == 0:
                    held = self.plane.connect_unix()
                began = time.monotonic()
                held.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                reply = held.recv(4096)
                self.times.append(time.monotonic() - began)
                if not reply.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError("a bystander got %r" % reply[:60])
                self.over.wait(0.002)
        except (OSError, RuntimeError) as error:
            self.failed = repr(error)


# ---- a row ----

def attack(plane, row):
    """In a process of its own; what was seen."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        seen = b""
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
            if as_users:
                os.seteuid(NOBODY)
            args = [plane.connect(bool(row.raw), row.alpn)]
            if row.connects:
                args.append(lambda: plane.connect(bool(row.raw), row.alpn))
            if row.connects == "mode":
                args.append(plane.mode)
            if row.plane:
                args.append(plane)
            seen = row.send(*args)
        except BaseException:  # noqa: B902  whatever it is, the parent shows it
            seen = b"the attack itself failed: " + traceback.format_exc().encode()
        os.close(read_end)
        with os.fdopen(write_end, "wb") as out:
            out.write(seen)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as back:
        seen = back.read()
    os.waitpid(child, 0)
    return seen


def try_row(plane, row):
    """(passed, why not, times of the bystander)"""
    before, base = plane.refused(), plane.memory_mb()
    plane.forget_peak()
    bystander = Bystander(plane)
    bystander.start()
    seen = attack(plane, row)
    bystander.over.set()
    bystander.join(WAIT)
    grown = plane.memory_mb("VmHWM") - base
    after = plane.refused()
    allowed = row.memory_mb * (4 if plane.sanitized else 1)
    if not row.see(seen):
        return False, "seen: %r ... %r" % (seen[:300], seen[-100:]), bystander.times
    reasons = (row.metric,) if isinstance(row.metric, str) else row.metric or ()
    counted = sum(after.get(r, 0) - before.get(r, 0) for r in reasons)
    if reasons and counted < row.at_least:
        return (False, "%d counted as %r, before %r, after %r" % (counted, reasons, before, after),
                bystander.times)
    if bystander.failed or bystander.is_alive():
        return False, "others were not served: %s" % bystander.failed, bystander.times
    if grown > allowed:
        return False, "grew by %.0f MiB, %.0f are allowed" % (grown, allowed), bystander.times
    return (True, "grew by %.1f MiB; the slowest of %d others %.1f ms" %
            (grown, len(bystander.times), 1e3 * max(bystander.times, default=0)), bystander.times)


def ending(plane):
    """SIGTERM, with a connection of each kind and a request in flight: (name, right, why not)."""
    h2, idle, busy = plane.connect(alpn="h2"), plane.connect(), plane.connect(alpn="h2")
    start = PREFACE + frame(4, 0, 0, b"")
    last = frame(6, 0, 0, b"the last")  # comes back when what stands before it was read
    h2.sendall(start + last)
    drain(h2, until=b"the last")
    idle.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    drain(idle, until=b"ok\n")
    busy.sendall(start + frame(1, 4, 1, head(b"/cloudidl.secret.SecretService/GetSecret", b"POST", [
        (b"content-type", b"application/json"), (b"authorization", b"Bearer " + TOKEN[0])])) + last)
    drain(busy, until=b"the last")
    plane.process.terminate()
    seen = drain(h2)
    yield "SIGTERM: an HTTP/2 connection gets a GOAWAY and ends", goaway(seen) == 0 and closed(seen), seen
    seen = drain(idle)
    yield "SIGTERM: an idle HTTP/1.1 connection ends", seen == END, seen
    until, in_ = time.monotonic() + 4, True
    while in_ and time.monotonic() < until:  # the sockets close a moment after the first farewell
        try:
            plane.connect(raw=True).close()
        except OSError:
            in_ = False
    yield "SIGTERM: nobody new gets in", not in_, "connected"
    busy.sendall(frame(0, 1, 1, b'{"id":{"name":"none"}}'))
    seen = drain(busy)
    yield ("SIGTERM: a request in flight is answered, then its connection ends",
           goaway(seen) == 0 and b"not_found" in seen and closed(seen), seen)


def run_mode(mode, rows, out):
    """All rows against one plane; a line of JSON a result."""
    folder = tempfile.mkdtemp(prefix="union-attack.")
    try:
        plane = Plane(mode, folder)
        TOKEN.append(plane.token("attacker", role="admin"))
        times = []
        for row in rows:
            if row.only not in (None, mode):
                continue
            if not row.needs:
                print(json.dumps({"skip": "%s (%s)" % (row.name, mode)}), file=out, flush=True)
                continue
            began = time.monotonic()
            good, why, seen_times = try_row(plane, row)
            times += seen_times
            print(json.dumps({"name": "%s (%s)" % (row.name, mode), "good": good, "why": why,
                              "seconds": time.monotonic() - began}), file=out, flush=True)
        times.sort()
        for name, good, why in ending(plane):
            print(json.dumps({"name": "%s (%s)" % (name, mode), "good": good, "seconds": 0,
                              "why": repr(why)[:500]}), file=out, flush=True)
        stopped = plane.process.wait(WAIT)
        print(json.dumps({"name": "at the end the plane stops well (%s)" % mode,
                          "good": stopped == 0, "seconds": 0,
                          "why": open(plane.log, encoding="utf-8", errors="replace").read()[-1500:]}),
              file=out, flush=True)
        if times:
            print(json.dumps({"note": "%s: %d requests of others meanwhile: median %.2f ms, 99 %% in "
                                      "%.2f ms, the slowest %.1f ms"
                              % (mode, len(times), times[len(times) // 2] * 1e3,
                                 times[len(times) * 99 // 100] * 1e3, times[-1] * 1e3)}),
                  file=out, flush=True)
    except Exception:  # noqa: B902
        print(json.dumps({"name": "the table (%s)" % mode, "good": False, "seconds": 0,
                          "why": traceback.format_exc()}), file=out, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_table(rows, verbose):
    """Both planes at once; TAP. The exit status."""
    if OTHERS < 10000:
        print("# RLIMIT_NOFILE is %d here: %d slow connections stand for 10,000" % (HARD, OTHERS))
    readers, children = [], []
    for mode in ("clear", "tls"):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            with os.fdopen(write_end, "w", encoding="utf-8") as out:
                run_mode(mode, rows, out)
            sys.stdout.flush()
            os._exit(0)
        os.close(write_end)
        children.append(child)
        readers.append(os.fdopen(read_end, encoding="utf-8"))
    count = failed = 0
    notes = []
    for lines in readers:
        for line in lines:
            result = json.loads(line)
            if "note" in result:
                notes.append(result["note"])
                continue
            count += 1
            if "skip" in result:
                print("ok %d - %s # SKIP needs root, to be many users" % (count, result["skip"]))
                continue
            failed += not result["good"]
            print("%sok %d - %s" % ("" if result["good"] else "not ", count, result["name"]))
            if verbose or not result["good"]:
                print("# %.1f s; %s" % (result["seconds"], result["why"].replace("\n", "\n# ")))
            sys.stdout.flush()
    for child in children:
        os.waitpid(child, 0)
    for note in notes:
        print("# " + note)
    print("1..%d" % count)
    return 1 if failed or not count else 0

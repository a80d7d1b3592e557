#!/usr/bin/python3
"""How long others wait while somebody attacks: rows for bench/run.

usage: bench/attack.py BUILD_DIR [SECONDS]

One attack after the other, each for some seconds against a uniond of its own over TLS, by another user where
root runs this. Two others ask for /healthz all the while: one on the Unix socket, one over TLS on a connection
that was there before. Attacker, server and both of them share the processors of this machine.
"""

import os
import resource
import shutil
import ssl
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(os.path.dirname(HERE), "tests")
os.environ["UNION_BUILD"] = os.path.abspath(sys.argv[1])
sys.path[:0] = [os.path.join(TESTS, "attack"), os.path.join(TESTS, "wire")]

import plane as planes  # noqa: E402
import table  # noqa: E402
from h2lib import PREFACE, frame, head  # noqa: E402

SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 5
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError)


def nobody(plane, until):
    """No attack: what the machine itself does to a request."""
    while time.monotonic() < until:
        time.sleep(0.1)


def hellos(plane, until):
    """Handshakes that the server has to answer and nobody goes on with, as fast as they go."""
    hello = table.whole_hello()
    while time.monotonic() < until:
        held = []
        for _ in range(200):
            try:
                held.append(plane.connect(raw=True))
                held[-1].sendall(hello)
            except OSError:
                pass
        for one in held:
            one.close()


def gathered_hellos(plane, until):
    """Two thousand handshakes at once, by many users."""
    if not planes.as_users:
        hellos(plane, until)
        return
    hello, held = table.whole_hello(), []
    while time.monotonic() < until:
        more = planes.spread_users(lambda: plane.connect(raw=True), planes.OTHERS // 5)
        for one in more:
            try:
                one.sendall(hello)
            except OSError:
                pass
        for one in held:
            one.close()
        held = more


def requests(plane, until):
    """A hundred HTTP/2 connections that ask without end."""
    held = [plane.connect(alpn="h2") for _ in range(100)]
    ids = [1] * len(held)
    for one in held:
        one.sendall(PREFACE + frame(4, 0, 0, b""))
        one.settimeout(0)
    while time.monotonic() < until:
        for i, one in enumerate(held):
            if ids[i] < 0:
                continue
            try:
                one.sendall(b"".join(frame(1, 5, ids[i] + 2 * k, head()) for k in range(60)))
                ids[i] += 120
            except WOULD_BLOCK:
                pass
            except OSError:
                ids[i] = -1
            try:
                one.recv(65536)
            except OSError:
                pass


class OverTls(threading.Thread):
    """As plane.Bystander, over TLS."""

    def __init__(self, plane):
        super().__init__(daemon=True)
        self.connection, self.over, self.times, self.failed = plane.connect(), threading.Event(), [], None

    def run(self):
        try:
            while not self.over.is_set():
                began = time.monotonic()
                self.connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                reply = self.connection.recv(4096)
                self.times.append(time.monotonic() - began)
                if not reply.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError("got %r" % reply[:60])
                if len(self.times) == 1900:
                    break  # a connection is given 2000 here
                self.over.wait(0.003)
        except (OSError, RuntimeError) as error:
            self.failed = repr(error)


def row(name, attack):
    folder = tempfile.mkdtemp(prefix="union-attack.")
    plane = planes.Plane("tls", folder)
    others = [planes.Bystander(plane), OverTls(plane)]
    child = os.fork()
    if child == 0:
        try:
            if planes.as_users:
                os.seteuid(planes.NOBODY)
            attack(plane, time.monotonic() + SECONDS)
        finally:
            os._exit(0)
    for one in others:
        one.start()
    os.waitpid(child, 0)
    for one in others:
        one.over.set()
        one.join(planes.WAIT)
    plane.process.terminate()
    plane.process.wait(planes.WAIT)
    shutil.rmtree(folder, ignore_errors=True)
    seen = []
    for where, one in zip(("Unix socket", "TLS"), others):
        times = sorted(one.times)
        if one.failed or not times:
            raise RuntimeError("others were not served: %s" % one.failed)
        seen.append("%s: median %.1f, 99 %% %.1f, worst %.1f ms" %
                    (where, times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3,
                     times[-1] * 1e3))
    print("ROW others meanwhile: %s | %s | %s" % (name, "< 10 ms" if attack != nobody else "-",
                                                      "; ".join(seen)), flush=True)


resource.setrlimit(resource.RLIMIT_NOFILE, (planes.HARD, planes.HARD))
row("no attack", nobody)
row("handshakes without end, by one", hellos)
row("%d handshakes at once, by many" % (planes.OTHERS // 5), gathered_hellos)
row("requests without end on 100 connections", requests)

#!/usr/bin/python3
"""HTTP/2 as nghttp and h2load see it, and as an attacker writes it."""

import os
import re
import socket
import subprocess

from h2lib import PREFACE, frame, frames, goaway, head, read_until, text
from wirelib import SECRET, WAIT, Server, check, finish, folder, same, talk

def run(*args):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT * 4,
                          check=False)
    return done.stdout.decode(errors="replace")


def attacks(port):
    start = PREFACE + frame(4, 0, 0, b"")
    resets = b"".join(frame(1, 5, 2 * i + 1, head()) + frame(3, 0, 2 * i + 1, b"\0\0\0\x08")
                      for i in range(20000))
    same("ends a connection that opens and resets without end", 2,
         goaway(talk(port, start + resets)))
    seen = talk(port, start + frame(1, 1, 1, head()) + b"".join(
        frame(9, 0, 1, text(b"x", b"y")) for _ in range(100)))
    check("ends one that sends CONTINUATION without end", b"did not close" not in seen)
    seen = talk(
        port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    check("counts both", b'{reason="http2"} 2' in seen, seen.split(b"refused")[1:])
    same("ends one that breaks HPACK", 9,
         goaway(talk(port, start + frame(1, 5, 1, b"\xff\xff\xff\xff\xff"))))
    same("ends one that sends DATA on no stream", 1,
         goaway(talk(port, start + frame(0, 1, 1, b"x"))))
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
        s.sendall(start + b"".join(frame(6, 0, 0, b"%08d" % i) for i in range(500)))
        seen = read_until(s, lambda f: f[0] == 6 and f[3] == b"00000499")
        check("answers five hundred pings and does not mind", goaway(seen) is None)
        s.sendall(frame(1, 5, 1, head()))
        seen = read_until(s, lambda f: f[0] == 0 and f[1] & 1)
        check("and serves on", any(f[0] == 0 and f[3] == b"ok\n" for f in frames(seen)))
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
        s.sendall(start + frame(1, 5, 1, head(more=[(b"x", b"y" * 16000)])[:16384]))
        seen = read_until(s, lambda f: f[0] in (1, 3, 7))
        check("serves a head below the limit", frames(seen) and goaway(seen) is None)
    big = head(more=[(b"x%d" % i, b"y" * 9000) for i in range(4)])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
        s.sendall(start + frame(1, 1, 1, big[:16000]) + frame(9, 0, 1, big[16000:32000]) +
                  frame(9, 4, 1, big[32000:]))
        seen = read_until(s, lambda f: f[0] == 0 and f[1] & 1)
        check("refuses a head over the limit with 431",
              any(b"Request Header Fields Too Large" in f[3] for f in frames(seen)))
        s.sendall(frame(1, 5, 3, head()))
        seen = read_until(s, lambda f: f[0] == 0 and f[2] == 3)
        check("and serves the next request", any(f[3] == b"ok\n" for f in frames(seen)))


def slow_reader(port):
    """A client that opens its window never by a byte: the server waits, and gives up in time."""
    body = b"\0\0\0\0\0"
    request = head(b"/union.v1.PlaneService/Backup", b"POST",
                   [(b"content-type", b"application/grpc"), (b"te", b"trailers")])
    start = PREFACE + frame(4, 0, 0, b"\0\x04\0\0\0\0")
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
        s.sendall(start + frame(1, 4, 1, request) + frame(0, 1, 1, body))
        seen = read_until(s, lambda f: f[0] == 1)
        check("sends no byte against a closed window",
              not any(f[0] == 0 and f[3] for f in frames(seen)))
        s.sendall(frame(8, 0, 1, (100).to_bytes(4, "big")))
        seen = read_until(s, lambda f: f[0] == 0)
        same("and only as many as it opens", 100,
             sum(len(f[3]) for f in frames(seen) if f[0] == 0))


def main():
    path = os.path.join(folder(), "request")
    with open(path, "wb") as f:
        f.write(b'{"id":{"name":"x"}}')
    with Server("--workers", "2", tls=True) as server:
        base = "http://127.0.0.1:%d" % server.port
        seen = run("nghttp", "-v", base + "/healthz")
        check("nghttp sees 200 over h2c", ":status: 200" in seen, seen)
        seen = run("nghttp", "-v", "--no-verify-peer", "https://127.0.0.1:%d/healthz" % server.tls)
        check("nghttp sees h2 over TLS", "The negotiated protocol: h2" in seen and
              ":status: 200" in seen, seen)
        for name, url in (("h2c", base), ("TLS", "https://127.0.0.1:%d" % server.tls)):
            seen = run("h2load", "-n", "4000", "-c", "8", "-m", "16", "-H",
                       "content-type: application/json", "-d", path, url + SECRET + "GetSecret")
            found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", seen)
            codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", seen)
            same("h2load over %s: 4000 requests, 4000 answers" % name,
                 (("4000", "0"), ("0", "0", "4000", "0")),
                 (found and found.groups()[::3], codes and codes.groups()))
        attacks(server.port)
        slow_reader(server.port)
    finish()


main()

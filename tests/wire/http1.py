#!/usr/bin/python3
"""HTTP/1.1 written by hand: what no client sends by accident, and what runs out of time."""

import socket

from wirelib import SECRET, WAIT, Server, check, finish, same, talk

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def statuses(reply):
    return [int(part.split(b" ", 1)[0]) for part in reply.split(b"HTTP/1.1 ")[1:]]


def post(body, *fields, path=SECRET + "GetSecret"):
    head = ["POST %s HTTP/1.1" % path, "Host: x", "Content-Type: application/json", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def main():
    with Server() as server:
        port = server.port
        same("answers requests sent at once in their order", [200, 404, 200],
             statuses(talk(port, GET + b"GET /no HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)))
        same("answers fifty of them", [200] * 51, statuses(talk(port, GET * 50 + LAST)))
        ask = b'{"id":{"name":"x"}}'
        same("reads chunks", [404],
             statuses(talk(port, post(b"5\r\n" + ask[:5] + b"\r\nE\r\n" + ask[5:] +
                                      b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked",
                                      "Connection: close"))))
        reply = talk(port, post(ask, "Content-Length: %d" % len(ask), "Expect: 100-continue",
                                "Connection: close"))
        same("says that a body may come", [100, 404], statuses(reply))
        for promise, sent, status in [
                ("refuses bare line feeds", b"GET / HTTP/1.1\nHost: x\n\n", 400),
                ("refuses a folded field", b"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400),
                ("refuses two lengths", post(b"x", "Content-Length: 1", "Content-Length: 1"), 400),
                ("refuses a length beside chunks",
                 post(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
                ("refuses an absolute target", b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
                ("refuses no host", b"GET / HTTP/1.1\r\n\r\n", 400),
                ("refuses another coding", post(b"", "Transfer-Encoding: gzip"), 501),
                ("refuses too many fields",
                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 64 + b"\r\n", 431),
                ("refuses a head too large",
                 b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 431),
                ("refuses an odd chunk", post(b"5;x=y\r\nhello\r\n", "Transfer-Encoding: chunked"),
                 400),
                ("refuses another version", b"GET / HTTP/1.7\r\nHost: x\r\n\r\n", 505),
                ("refuses gRPC here", post(b"", "Content-Length: 0").replace(
                    b"application/json", b"application/grpc"), 505)]:
            same(promise, status, (statuses(talk(port, sent + LAST)) or [0])[0])
        same("answers nothing behind a broken request", 1,
             len(statuses(talk(port, b"GET / HTTP/1.1\nHost: x\n\n" + LAST))))
        same("closes on what is no HTTP at all", [400], statuses(talk(port, b"\x16\x03\x01\0\0" * 9)))
        same("asks who it is before it looks at what is said", [401],
             statuses(talk(port, post(b"{{{{", "Content-Length: 4", "Authorization: Bearer bad",
                                      "Connection: close"))))
        same("refuses a length that promises too much, at once", [429],
             statuses(talk(port, post(b"", "Content-Length: 99999999"))))

        watch = post(b"\0\0\0\0\x17" + b'{"id":{"name":"hangs"}}', "Content-Length: 28",
                     path="/union.v1.RunService/Watch").replace(b"application/json",
                                                                b"application/connect+json")
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as s:
            s.sendall(watch)
            seen = b""
            while b"hello"[:0] == b"" and seen.count(b"aGVsbG8=") < 2:
                seen += s.recv(65536)
        check("streams in chunks", b"transfer-encoding: chunked" in seen)
        metrics = b"1"
        for _ in range(200):  # the server sees our end in its own time
            metrics = talk(port, LAST.replace(b"healthz", b"metrics"))
            if b'union_rpc_active{method="union.v1.RunService/Watch"} 0' in metrics:
                break
        check("cancels a call whose client has gone",
              b'union_rpc_active{method="union.v1.RunService/Watch"} 0' in metrics)
    with Server("--short-limits") as server:
        port = server.port
        same("closes a connection that says nothing", b"", talk(port, b""))
        same("closes one that does not finish its head", b"", talk(port, b"GET / HT"))
        same("tells one that does not finish its body", [408],
             statuses(talk(port, post(b"{", "Content-Length: 9"))))
        same("closes an idle one", [200], statuses(talk(port, GET)))
        metrics = talk(port, LAST.replace(b"healthz", b"metrics"))
        for reason in (b"first-byte-time", b"head-time", b"body-time"):
            check("counts " + reason.decode(), b'{reason="%s"} 1' % reason in metrics, metrics)
    finish()


main()

#!/usr/bin/python3
"""The attacker's table: what is sent to the real uniond over TLS and in cleartext, what must be seen,
and which metric must count it. After and during every row others are served and memory is bounded.

usage: table.py [-v] [WORD]     rows whose names have WORD; UNION_BUILD names the build

As root the attackers are another user, so that uniond takes them for nobody. See plane.py for what
surrounds a row; sizes follow the descriptors that this machine gives.
"""

import base64
import gzip
import json
import os
import re
import select
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "wire")]

from h2lib import PREFACE, frame, frames, goaway, head, text  # noqa: E402
from plane import (CONNECTIONS, END, NOBODY, OTHERS, PER_ADDRESS, TOKEN, Row, WAIT, as_users, drain, closed,  # noqa: E402
                   run_table, say_all, spread_users)

START = PREFACE + frame(4, 0, 0, b"")
GET = "/cloudidl.secret.SecretService/GetSecret"
CREATE = "/cloudidl.secret.SecretService/CreateSecret"


# ---- HTTP/1.1: what two programs might read differently ----

def h1(first, *fields, body=b""):
    lines = [first.encode() if isinstance(first, str) else first]
    lines += [f.encode() if isinstance(f, str) else f for f in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


HOST = "host: localhost"
POST = "POST %s HTTP/1.1\r\ncontent-type: application/json" % GET
SMUGGLED = h1("GET /healthz HTTP/1.1", HOST)


def status(seen):
    """The statuses of all answers."""
    return [int(p[:3]) for p in seen.split(b"HTTP/1.1 ")[1:] if p[:3].isdigit()]


def refused_with(*codes):
    """Exactly one answer, and the end."""
    def see(seen):
        return status(seen) in [[c] for c in codes] and closed(seen)
    return see


CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


def smuggling(name, *request, codes=(400,), metric="bad-request", body=b"5\r\nhello\r\n"):
    """Whatever is behind a broken request is not looked at."""
    return Row("HTTP/1.1: " + name, lambda c: say_all(c, h1(*request) + body + SMUGGLED),
               refused_with(*codes), metric)


H1_ROWS = [
    smuggling("a length beside chunks", POST, HOST, "content-length: 5", "transfer-encoding: chunked",
              body=CHUNKS),
    smuggling("chunks beside a length", POST, HOST, "transfer-encoding: chunked", "content-length: 5",
              body=CHUNKS),
    smuggling("two lengths that differ", POST, HOST, "content-length: 5", "content-length: 50"),
    smuggling("two lengths that agree", POST, HOST, "content-length: 5", "content-length: 5"),
    smuggling("a list of lengths", POST, HOST, "content-length: 5, 5"),
    smuggling("a length with a sign", POST, HOST, "content-length: +5"),
    smuggling("a negative length", POST, HOST, "content-length: -5"),
    smuggling("a length in hex", POST, HOST, "content-length: 0x5"),
    smuggling("a length beyond 64 bits", POST, HOST, "content-length: 18446744073709551621"),
    smuggling("two codings", POST, HOST, "transfer-encoding: gzip, chunked", codes=(400, 501)),
    smuggling("a coding almost like chunked", POST, HOST, "transfer-encoding: xchunked", codes=(400, 501)),
    smuggling("chunked twice", POST, HOST, "transfer-encoding: chunked", "transfer-encoding: chunked",
              body=CHUNKS),
    smuggling("chunked with a tab", POST, HOST, "transfer-encoding:\x0bchunked", codes=(400, 501)),
    smuggling("a chunk extension", POST, HOST, "transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0"),
    smuggling("a chunk size beyond 64 bits", POST, HOST,
              "transfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0"),
    smuggling("a chunk size with a sign", POST, HOST, "transfer-encoding: chunked\r\n\r\n+5\r\nhello\r\n0"),
    smuggling("a trailer", POST, HOST, "transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 5"),
    smuggling("a folded line", POST, HOST, "x: a", " content-length: 5"),
    smuggling("a blank before the colon", POST, HOST, "content-length : 5"),
    smuggling("a bare line feed in the head", POST, HOST, "x: y\ncontent-length: 5"),
    smuggling("a bare carriage return", POST, HOST, "x: a\rcontent-length: 5"),
    smuggling("a NUL in a field", POST, HOST, b"x: a\0b"),
    smuggling("an absolute target", "GET http://elsewhere/healthz HTTP/1.1", HOST),
    smuggling("CONNECT", "CONNECT localhost:443 HTTP/1.1", HOST, codes=(400, 405, 501)),
    smuggling("no host", "GET /healthz HTTP/1.1"),
    smuggling("two hosts", "GET /healthz HTTP/1.1", HOST, "host: elsewhere"),
    smuggling("two blanks in the request line", "GET  /healthz HTTP/1.1", HOST),
    smuggling("another version", "GET /healthz HTTP/1.2", HOST, codes=(400, 505)),
    smuggling("a head over 32 KiB", "GET /healthz HTTP/1.1", HOST, "x: " + "y" * 40000, codes=(431,),
              metric="head"),
    smuggling("more than 64 fields", "GET /healthz HTTP/1.1", HOST, *["x%d: y" % i for i in range(70)],
              codes=(431,), metric="head"),
]


def many_requests(c):
    """More on one connection than is given."""
    c.sendall(SMUGGLED * 2100)
    return drain(c)


def drip(data, every, first=b""):
    """Byte by byte, until the other side has had enough; what it said."""
    def send(c):
        if first:
            c.sendall(first)
        seen = b""
        for i in range(200):
            try:
                c.sendall(data[i % len(data):][:1])
            except OSError:
                break
            more = drain(c, every, True)
            seen += more
            if closed(seen):
                break
        return seen
    return send


# Slow ones: every limit of time is two seconds here.
SLOW_ROWS = [
    Row("a connection that says nothing", lambda c: drain(c), closed, "first-byte-time", raw=True),
    Row("a head byte by byte", drip(b"GET /healthz HTTP/1.1\r\nx: " + b"y" * 200, 0.3), closed, "head-time"),
    Row("a body byte by byte", drip(b"x", 0.3, h1(POST, HOST, "content-length: 100000")), closed, "body-time"),
    Row("an HTTP/2 body byte by byte", drip(
        frame(0, 0, 1, b"x"), 0.05,
        START + frame(1, 4, 1, head(GET.encode(), b"POST", [(b"content-type", b"application/grpc"),
                                                            (b"te", b"trailers")]))),
        lambda seen: any(f[0] in (1, 3) and f[2] == 1 for f in frames(seen)), "body-time", raw=False),
]


IDLE_ROWS = [
    Row("an HTTP/1.1 connection with nothing to do", lambda c: say_all(c, SMUGGLED),
        lambda seen: status(seen) == [200] and closed(seen), None),
    Row("an HTTP/2 connection with nothing to do", lambda c: say_all(c, START + frame(1, 5, 1, head())),
        lambda seen: goaway(seen) == 0 and closed(seen), None, alpn="h2"),
]


# ---- HTTP/2 ----

def ends_with(code):
    return lambda seen: goaway(seen) == code and closed(seen)


def resets(code):
    return lambda seen: any(f[0] == 3 and int.from_bytes(f[3][:4], "big") == code for f in frames(seen))


def said(*codes):
    """A stream that is reset, a 400, or the end of the connection: refused in one way or another."""
    def see(seen):
        return any(f[0] in (3, 7) for f in frames(seen)) or b"Bad Request" in seen
    return see


LAST_SEEN = b"the last"
LAST = frame(6, 0, 0, LAST_SEEN)  # whatever was to be said is said when it comes back


def answered(seen):
    return any(f[0] == 1 and f[2] == 1 for f in frames(seen))


def h2(name, sent, see, metric="http2", **more):
    return Row("HTTP/2: " + name, lambda c: say_all(c, START + sent + LAST, LAST_SEEN), see, metric,
               alpn="h2", **more)


def open_request(stream=1, flags=4):
    """A request whose body does not come."""
    return frame(1, flags, stream, head(GET.encode(), b"POST",
                                        [(b"content-type", b"application/grpc"), (b"te", b"trailers")]))


def settings(*pairs):
    return frame(4, 0, 0, b"".join(k.to_bytes(2, "big") + v.to_bytes(4, "big") for k, v in pairs))


def window(stream, by):
    return frame(8, 0, stream, by.to_bytes(4, "big"))


def hpack_bomb():
    """One large field in the dynamic table, then thousands of references of a byte each."""
    large = b"\x40\x01x" + b"\x7f" + b"\xa1\x1e" + b"y" * 4000  # x: y{4000}, indexed
    return head() + large + b"\xbe" * 12000


H2_ROWS = [
    h2("rapid reset", b"".join(frame(1, 5, 2 * i + 1, head()) + frame(3, 0, 2 * i + 1, b"\0\0\0\x08")
                               for i in range(20000)), ends_with(2)),
    h2("rapid reset of requests with a body", b"".join(
        open_request(2 * i + 1) + frame(3, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(20000)),
       ends_with(2)),
    h2("CONTINUATION without end", frame(1, 1, 1, head()) + frame(9, 0, 1, text(b"x", b"y")) * 10000,
       lambda seen: closed(seen) and goaway(seen) is None),
    h2("SETTINGS that wait for an answer", frame(4, 0, 0, b"") * 5000, closed),  # too few for a flood
    # no GOAWAY: nothing is said to it; another frame between them would get one
    h2("empty CONTINUATION without end", frame(1, 1, 1, head()) + frame(9, 0, 1, b"") * 100000,
       lambda seen: closed(seen) and goaway(seen) is None),
    h2("more than 64 fields", frame(1, 5, 1, head(more=[(b"x%d" % i, b"y") for i in range(70)])),
       lambda seen: b"Request Header Fields Too Large" in seen, "head"),
    h2("SETTINGS flood", frame(4, 0, 0, b"") * 50000, closed, ("http2", "flood")),
    h2("PING flood", frame(6, 0, 0, b"12345678") * 50000, closed, ("http2", "flood")),
    h2("acknowledgements of nothing", frame(6, 1, 0, b"12345678") * 50000, ends_with(11), "flood"),
    h2("priorities without end", frame(2, 0, 3, b"\0\0\0\0\x10") * 50000, ends_with(11), "flood"),
    h2("empty DATA without end", open_request() + frame(0, 0, 1, b"") * 50000, ends_with(11), "flood"),
    h2("a window opened by crumbs", window(0, 1) * 50000, ends_with(11), "flood"),
    h2("frames that nobody knows", frame(0xbe, 0, 0, b"x") * 50000 + frame(0, 1, 1, b"x"),
       ends_with(1), None),  # they are passed over
    h2("a window beyond 31 bits", window(0, 0x7fffffff), ends_with(3), None),
    h2("a stream's window beyond 31 bits", open_request() + window(1, 0x7fffffff), resets(3), None),
    h2("a window opened by nothing", window(0, 0), ends_with(1), None),
    h2("an initial window beyond 31 bits", settings((4, 0x80000000)), ends_with(3), None),
    h2("a frame size that is none", settings((5, 100)), ends_with(1), None),
    h2("a frame over 16 KiB", frame(0, 0, 1, b"x" * 20000), ends_with(6), None),
    h2("an HPACK bomb", frame(1, 5, 1, hpack_bomb()),
       lambda seen: b"Request Header Fields Too Large" in seen or goaway(seen) is not None, "head"),
    h2("an HPACK table without limit", frame(1, 5, 1, b"\x3f\xe1\xff\xff\x7f" + head()), ends_with(9), None),
    h2("HPACK that ends in the middle", frame(1, 5, 1, b"\xff\xff\xff\xff\xff"), ends_with(9), None),
    h2("more streams at once than are given", b"".join(open_request(2 * i + 1) for i in range(300)),
       said(), "streams"),
    h2("DATA on no stream", frame(0, 1, 1, b"x"), ends_with(1), None),
    h2("a push of the client's", frame(5, 4, 1, b"\0\0\0\x02" + head()), ends_with(1), None),
    h2("a stream with an even number", frame(1, 5, 2, head()), ends_with(1), None),
    h2("a stream with a lower number", frame(1, 5, 5, head()) + frame(1, 5, 3, head()),
       lambda seen: not any(f[2] == 3 for f in frames(seen)), None),  # it is passed over
    h2("an upper case name", frame(1, 5, 1, head(more=[(b"X", b"y")])), said(), None),
    h2("no path", frame(1, 5, 1, text(b":method", b"GET") + text(b":scheme", b"http")), said(), None),
    h2("two paths", frame(1, 5, 1, head() + text(b":path", b"/metrics")), said(), None),
    h2("a target without a slash", frame(1, 5, 1, head(b"http://elsewhere/")), said(), None),
    h2("a connection field", frame(1, 5, 1, head(more=[(b"connection", b"close")])), said(), None),
    h2("transfer-encoding", frame(1, 5, 1, head(more=[(b"transfer-encoding", b"chunked")])), said(), None),
    h2("a line feed in a field", frame(1, 5, 1, head(more=[(b"x", b"a\r\nb: c")])), said(), None),
    h2("a length that is not the body's", frame(1, 4, 1, head(GET.encode(), b"POST", [
        (b"content-type", b"application/grpc"), (b"content-length", b"3")])) + frame(0, 1, 1, b"12345"),
       resets(1), None),
    Row("HTTP/2: half a preface and something else",
        lambda c: say_all(c, b"PRI * HTTP/2.0\r\n\r\nSM\r\nXX" + b"x" * 100), closed, None, alpn="h2"),
]


def metrics_head():
    return head(b"/metrics", more=[(b"authorization", b"Bearer " + TOKEN[0])])


def closed_windows(c):
    """Answers are asked for and none is taken."""
    c.sendall(PREFACE + settings((4, 0)) + b"".join(frame(1, 5, 2 * i + 1, metrics_head())
                                                    for i in range(120)))
    return drain(c)


def crumbs(c):
    """A window that is opened by a byte at a time."""
    c.sendall(PREFACE + settings((4, 0)) + frame(1, 5, 1, metrics_head()))
    seen = b""
    for _ in range(100):
        c.sendall(window(1, 1))
        seen += drain(c, 0.1, True)
        if closed(seen) or any(f[0] == 3 for f in frames(seen)):
            break
    return seen


def many_h2_requests(c):
    c.sendall(START)
    seen = b""
    for batch in range(30):
        last = b"%08d" % batch
        c.sendall(b"".join(frame(1, 5, 2 * (100 * batch + i) + 1, head()) for i in range(100)) +
                  frame(6, 0, 0, last))
        seen = drain(c, until=last, seen=seen)
        if closed(seen):
            break
    return seen


def takes_nothing(c):
    """HTTP/1.1: answers asked for and never read, until neither side can say anything."""
    request = h1("GET /metrics HTTP/1.1", HOST, bearer())
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.settimeout(1)
    try:
        while True:
            c.sendall(request * 100)
    except OSError:
        pass
    until = time.monotonic() + WAIT
    while time.monotonic() < until:  # it ends although nobody reads
        try:
            c.sendall(b"x")
        except (TimeoutError, ssl.SSLWantWriteError):
            continue
        except OSError:
            return END
        select.select([], [], [], 0.1)
    return b"it lives"


def at_the_socket(c, plane):
    """Somebody else, where the folder would let her."""
    os.seteuid(os.getuid())
    for path, mode in ((plane.folder, 0o755), (os.path.dirname(plane.unix), 0o755), (plane.unix, 0o666)):
        os.chmod(path, mode)
    os.seteuid(NOBODY)
    with plane.connect_unix() as unix:
        seen = say_all(unix, SMUGGLED)
    os.seteuid(os.getuid())
    os.chmod(os.path.dirname(plane.unix), 0o700)
    return seen


AMOUNT_ROWS = [
    Row("another user at the Unix socket", at_the_socket, lambda seen: seen == END, "peer", plane=True,
        needs=as_users),
    Row("answers over HTTP/1.1 that nobody reads", takes_nothing, closed, "write-time"),
    Row("windows that stay closed", closed_windows,
        lambda seen: any(f[0] == 3 for f in frames(seen)) and not any(f[0] == 0 and f[3] for f in frames(seen)),
        "write-time", alpn="h2"),
    Row("answers asked for and not taken: no more is kept than is allowed", closed_windows,
        lambda seen: True, "output", alpn="h2"),
    Row("a window opened byte by byte", crumbs, resets(8), "write-time", alpn="h2"),
    Row("more requests on a connection than are given", many_requests,
        lambda seen: len(status(seen)) == 2000 and closed(seen), "requests-per-connection"),
    Row("more HTTP/2 requests on a connection than are given", many_h2_requests,
        lambda seen: goaway(seen) == 0, "requests-per-connection", alpn="h2"),
]


# ---- bodies: of somebody who may call ----

def bearer():
    return b"authorization: Bearer " + TOKEN[0]


def call(path, body, *fields, kind="application/json", token=bearer):
    return h1("POST %s HTTP/1.1" % path, HOST, *([token()] if token else []), "content-type: " + kind,
              "content-length: %d" % len(body), "connection: close",
              *[f() if callable(f) else f for f in fields], body=body)


def envelope(body, flags=0, size=None):
    return bytes([flags]) + (len(body) if size is None else size).to_bytes(4, "big") + body


def many_bodies(c, connect):
    """Twenty requests of a megabyte that all wait for their last byte."""
    held, seen = [c] + [connect() for _ in range(19)], b""
    for one in held:
        one.sendall(call(CREATE, b" " * (1 << 20))[:-1])
    for one in held:
        seen += drain(one, 0.3, True)
        one.close()
    return seen


BOMB = gzip.compress(b" " * (128 << 20), 9)

BODY_ROWS = [
    Row("a body larger than its method takes", lambda c: say_all(c, call(GET, b" " * (8 << 20))),
        lambda seen: status(seen) in ([400], [413], [429]) or not seen, "body"),
    Row("a decompression bomb of 128 MiB", lambda c: say_all(c, call(GET, BOMB, "content-encoding: gzip")),
        lambda seen: status(seen) in ([400], [413], [429]), "body"),
    Row("a decompression bomb in a gRPC envelope", lambda c: say_all(
        c, START + frame(1, 4, 1, head(GET.encode(), b"POST", [
            (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"grpc-encoding", b"gzip"),
            (b"authorization", b"Bearer " + TOKEN[0])])) +
        b"".join(frame(0, 0, 1, envelope(BOMB, 1)[i:i + 16384])
                 for i in range(0, len(BOMB) + 5, 16384)) + frame(0, 1, 1, b"") + LAST, LAST_SEEN),
        answered, "body", alpn="h2"),
    Row("an envelope of 4 GiB", lambda c: say_all(
        c, START + frame(1, 4, 1, head(GET.encode(), b"POST", [
            (b"content-type", b"application/grpc"), (b"te", b"trailers"),
            (b"authorization", b"Bearer " + TOKEN[0])])) +
        frame(0, 1, 1, envelope(b"", 0, 0xffffffff)) + LAST, LAST_SEEN), answered, None,
        alpn="h2"),
    Row("many large bodies at once", many_bodies, lambda seen: 503 in status(seen), "bodies",
        connects=True),
]


# ---- tokens ----

LIST = "/cloudidl.secret.SecretService/ListSecrets"
ME = b'{"id":{"name":"x"}}'


def asks(c, path, body, *tokens):
    """Calls with one token after the other, on connections that live on; the statuses."""
    seen = []
    for token in tokens:
        fields = [b"authorization: " + token] if token is not None else []
        c.sendall(h1("POST %s HTTP/1.1" % path, HOST, "content-type: application/json",
                     "content-length: %d" % len(body), *fields, body=body))
        reply = drain(c, until=b"}")
        seen += status(reply)
    return json.dumps(seen).encode()


def all_are(code):
    return lambda seen: set(json.loads(seen)) == {code}


def in_turn(*codes):
    return lambda seen: json.loads(seen) == list(codes)


def with_tokens(*tokens):
    return lambda c: asks(c, LIST, b"{}", *[t() if callable(t) else t for t in tokens])


def tampered(c):
    """Each character changed, each length cut, and a little more."""
    token = TOKEN[0]
    wrong = [token[:i] + (b"A" if token[i:i + 1] != b"A" else b"B") + token[i + 1:]
             for i in range(len(token))]
    wrong += [token[:i] for i in range(0, len(token), 7)] + [token + b"A", token + b"=", token * 2]
    return asks(c, LIST, b"{}", *[b"Bearer " + w for w in wrong])


def revoked(c, plane):
    token = b"Bearer " + plane.token("revoked", role="admin")
    before = asks(c, LIST, b"{}", token)
    plane.admin("DeleteApiKey", name="revoked")
    return json.dumps(json.loads(before) + json.loads(asks(c, LIST, b"{}", token, token))).encode()


def expired(c, plane):
    """A token ends with its key, here within two seconds."""
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    token = b"Bearer " + plane.token("short-lived", role="admin", expiresAt=ends)
    seen, until = [], time.monotonic() + 10
    while (not seen or seen[-1] == 200) and time.monotonic() < until:
        seen += json.loads(asks(c, LIST, b"{}", token))
        select.select([], [], [], 0.1)
    return json.dumps([seen[0], seen[-1]]).encode()


def other_scope(c, plane):
    """A writer of one project and domain, elsewhere."""
    token = b"Bearer " + plane.token("narrow", role="secret-writer", project="p", domain="d")
    here = b'{"id":{"name":"x","project":"p","domain":"d"},"secretSpec":{"stringValue":"v"}}'
    seen = json.loads(asks(c, CREATE, here, token))
    for where in (b"", b',"project":"q","domain":"d"', b',"project":"p","domain":"e"', b',"domain":"d"'):
        seen += json.loads(asks(c, CREATE, b'{"id":{"name":"x"%s},"secretSpec":{"stringValue":"v"}}'
                                % where, token))
    return json.dumps(seen).encode()


def no_grant(c, plane):
    """A key to which nothing is granted sees nothing, and not whether there is something."""
    plane.admin("CreateApiKey", name="bare")
    secret = plane.make_key("bare2")
    token = re.search(rb'"access_token":"([^"]*)"', plane.log_in("bare2", secret))[1]
    return asks(c, CREATE, b'{"id":{"name":"x"},"secretSpec":{"stringValue":"v"}}', b"Bearer " + token)


def guesses(c, plane):
    """A hundred wrong secrets, and names that nobody has."""
    plane.make_key("guessed", role="viewer")
    seen = set()
    for i in range(100):
        seen.update(status(plane.log_in("guessed", "wrong%d" % i)))
    names = set()
    for i in range(30):
        names.update(status(plane.log_in("nobody%d" % i, "wrong")))
    return json.dumps([sorted(seen), sorted(names)]).encode()


def metrics_for(role):
    """What /metrics says to a key with that role, in the whole organization and in a project."""
    def send(c, plane):
        seen = []
        for scope in ({}, {"project": "p"}):
            name = "m-%s%d" % (role, len(seen))
            token = plane.token(name, role=role, **scope)
            c.sendall(h1("GET /metrics HTTP/1.1", HOST, b"authorization: Bearer " + token))
            reply = drain(c, 0.5, True)
            seen += status(reply)
        return json.dumps(seen).encode()
    return send


TOKEN_ROWS = [
    Row("metrics without a login", lambda c: say_all(c, h1("GET /metrics HTTP/1.1", HOST,
                                                         "connection: close")),
        lambda seen: status(seen) == [401] and b"union_net" not in seen, None),
    Row("metrics for a viewer", metrics_for("viewer"), in_turn(200, 403), None, plane=True),
    Row("metrics for a runner", metrics_for("runner"), in_turn(403, 403), None, plane=True),
    Row("no token", with_tokens(None), all_are(401), None),
    Row("an empty token", with_tokens(b"", b"Bearer", b"Bearer ", b"Basic eDp5", b"Bearer \xff"),
        all_are(401), None),
    Row("a token of chance", with_tokens(*[b"Bearer " + base64.urlsafe_b64encode(os.urandom(48))
                                           for _ in range(50)]), all_are(401), None),
    Row("a token, tampered with", tampered, all_are(401), None),
    Row("a token that was revoked", revoked, in_turn(200, 401, 401), None, plane=True),
    Row("a token that has expired", expired, in_turn(200, 401), None, plane=True),
    Row("a token for another scope", other_scope, in_turn(200, 403, 403, 403, 403), None, plane=True),
    Row("a token of a key without a grant", no_grant, in_turn(403), None, plane=True),
    Row("a secret that is guessed", guesses,
        lambda seen: 200 not in sum(json.loads(seen), []) and 429 in json.loads(seen)[0], None,
        plane=True),
]


# ---- TLS ----

def raw_tls(data):
    return lambda c: say_all(c, data)


def handshake(**how):
    def send(c):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if how.get("version"):
            context.minimum_version = context.maximum_version = how["version"]
            context.set_ciphers("ALL:@SECLEVEL=0")
        if how.get("alpn"):
            context.set_alpn_protocols([how["alpn"]])
        try:
            context.wrap_socket(c, server_hostname="localhost")
            return b"it shook hands"
        except (ssl.SSLError, OSError):
            return b"<closed>"
    return send


HELLO_PART = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 20

TLS_ROWS = [
    Row("TLS: cleartext", raw_tls(SMUGGLED), closed, "tls", raw=True, only="tls"),
    Row("TLS: a record of garbage", raw_tls(b"\x16\x03\x01\x00\x20" + b"x" * 32), closed, "tls", raw=True,
        only="tls"),
    Row("TLS: version 1.1", handshake(version=ssl.TLSVersion.TLSv1_1), closed, "tls", raw=True, only="tls"),
    Row("TLS: protocols that nobody speaks", handshake(alpn="spdy/3"), closed, "tls", raw=True, only="tls"),
    Row("TLS: a handshake that stops in the middle", raw_tls(HELLO_PART), closed, "first-byte-time",
        raw=True, only="tls"),
]


# ---- crowds ----

def crowd(c, connect, mode):
    """One user opens more connections than one place is given, and says a little on each."""
    start = HELLO_PART if mode == "tls" else b"GET /healthz HTTP/1.1\r\nx:"
    held, ended = [c], 0
    for _ in range(PER_ADDRESS * 2):
        try:
            held.append(connect())
        except OSError:
            ended += 1
    for one in held:
        try:
            one.sendall(start)
        except OSError:
            pass
    for one in held:  # the rest ends by the limit of time
        ended += closed(drain(one))
    return b"%d of %d" % (ended, len(held))


def all_ended(seen):
    ended, of = (int(n) for n in seen.split(b" of "))
    return ended >= of


def whole_hello():
    """What a client says first, and nothing behind it."""
    said = ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


def hello_crowd(c, connect, mode):
    """Handshakes that the server has to answer, and nobody goes on with."""
    return slow_crowd(c, connect, mode, whole_hello(), OTHERS // 5)


def slow_crowd(c, connect, mode, start=None, count=OTHERS + 200):
    """As many slow connections as are given to strangers, of many users at once, and a few more."""
    start = start or (HELLO_PART if mode == "tls" else b"GET /healthz HTTP/1.1\r\nx:")
    held = [c] + spread_users(connect, count)
    for one in held:
        try:
            one.sendall(start)
        except OSError:
            pass
    seen = b"%d connections" % len(held)
    for one in held:  # they all end: by the limit of time, or at once
        if not closed(drain(one)):
            return b"one of them lives"
    return seen


CROWD_ROWS = [
    Row("more connections of one place than are given", crowd, all_ended, "connections-per-address",
        at_least=PER_ADDRESS, raw=True, connects="mode", needs=as_users),
    Row("%d slow connections" % OTHERS, slow_crowd, lambda seen: seen.endswith(b"connections"),
        "connections", at_least=100, raw=True, connects="mode", needs=as_users, memory_mb=OTHERS * 0.004),
    Row("%d handshakes that stop after the hello" % (OTHERS // 5), hello_crowd,
        lambda seen: seen.endswith(b"connections"), "first-byte-time", at_least=OTHERS // 10, raw=True,
        connects="mode", needs=as_users, memory_mb=OTHERS // 5 * 0.08, only="tls"),
]


# ---- fields that may be there once ----

def twice(name, *fields, path=LIST, body=b"{}", codes=(400,), metric="bad-request"):
    """Over HTTP/1.1 with a token that is good, beside it what makes the request two requests in one."""
    return Row(name, lambda c: say_all(c, call(path, body, *fields)),
               lambda seen: status(seen) in [[code] for code in codes], metric)


def twice_h2(name, *more, grpc=True, see=None):
    kind = (b"content-type", b"application/grpc" if grpc else b"application/json")
    body = envelope(b"") if grpc else b"{}"
    right = b"grpc-status" if grpc else b"invalid_argument"
    return Row(name, lambda c: say_all(
        c, START + frame(1, 4, 1, head(LIST.encode(), b"POST", [kind, (b"te", b"trailers"), (
            b"authorization", b"Bearer " + TOKEN[0])] + [m() if callable(m) else m for m in more])) +
        frame(0, 1, 1, body) + LAST, LAST_SEEN),
        see or (lambda seen: answered(seen) and (right in seen or b"more than one" in seen)), "bad-request",
        alpn="h2")


def malformed_grpc(seen):
    """INVALID_ARGUMENT in the head of the answer, whose texts are Huffman-coded or not: its length tells."""
    heads = [f for f in frames(seen) if f[0] == 1 and f[2] == 1]
    return len(heads) == 1 and heads[0][1] & 1 == 1 and not any(f[0] == 0 and f[3] for f in frames(seen))


TWICE_ROWS = [
    twice("twice in a head: a token", "authorization: Bearer x"),
    twice("twice in a head: the same token", lambda: bearer()),
    twice("twice in a head: a token by its old name", "flyte-authorization: Bearer x", codes=(401,), metric=None),
    twice("twice in a head: an old token", "flyte-authorization: Bearer x", "flyte-authorization: Bearer x"),
    twice("twice in a head: a content type", "content-type: application/proto"),
    twice("twice in a head: an encoding", "content-encoding: identity", "content-encoding: gzip"),
    twice("twice in a head: a timeout", "connect-timeout-ms: 1000", "connect-timeout-ms: 9999999"),
    twice("twice in a head: a request id", "x-request-id: a", "x-request-id: b"),
    twice("twice in a head: a token of a plain route", "authorization: Bearer x", path="/oauth2/token"),
    twice_h2("twice in an HTTP/2 head: a token", (b"authorization", b"Bearer x"), see=malformed_grpc),
    twice_h2("twice in an HTTP/2 head: a timeout", (b"grpc-timeout", b"1S"), (b"grpc-timeout", b"9H"), see=malformed_grpc),
    twice_h2("twice in an HTTP/2 head: a token in JSON", (b"authorization", b"Bearer x"), grpc=False),
    twice_h2("twice in an HTTP/2 head: a host that is not the authority", (b"host", b"elsewhere"), grpc=False),
    Row("twice in an HTTP/2 head: a length", lambda c: say_all(
        c, START + frame(1, 4, 1, head(LIST.encode(), b"POST", [(b"content-type", b"application/json"), (
            b"content-length", b"2"), (b"content-length", b"2")])) + frame(0, 1, 1, b"{}") + LAST, LAST_SEEN),
        said(), None, alpn="h2"),
]


ROWS = (H1_ROWS + TWICE_ROWS + SLOW_ROWS + IDLE_ROWS + H2_ROWS + AMOUNT_ROWS + BODY_ROWS + TOKEN_ROWS + TLS_ROWS +
        CROWD_ROWS)

if __name__ == "__main__":
    began = time.monotonic()
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    assert socket and CONNECTIONS
    status_code = run_table([r for r in ROWS if not words or words[0] in r.name], "-v" in sys.argv)
    print("# %.0f s" % (time.monotonic() - began))
    sys.exit(status_code)

#!/usr/bin/python3
"""After a request that carried a value is answered, no byte of it is left in the server's memory:
over every protocol, encoding and transport, also when the request was refused or broken off."""

import base64
import gzip
import json
import os
import socket
import subprocess

import grpc

from wirelib import SECRET, WAIT, Server, check, finish, messages, talk

messages()
from union.secret import secret_pb2 as secret  # noqa: E402


def value():
    return "CANARY-" + os.urandom(24).hex()


def looks(text):
    """How a value may lie in memory: plain, in the three alignments of base64, in hex."""
    raw = text.encode()
    out = [raw, raw.hex().encode()]
    for shift in range(3):
        whole = base64.b64encode(b"x" * shift + raw)
        out.append(whole[4:-4])
    return out


def found(pid, texts):
    needles = [(t, n) for t in texts for n in looks(t)]
    hits = []
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            low, high = (int(x, 16) for x in span.split("-"))
            if rights[:2] != "rw" or high - low > 1 << 32:  # the sanitizers' shadow
                continue
            rest = b""
            while low < high:
                size = min(high - low, 1 << 22)
                try:
                    mem.seek(low)
                    piece = mem.read(size)
                except (OSError, ValueError, OverflowError):
                    break
                if not piece:
                    break
                block = rest + piece
                hits += [(t, line.strip()) for t, n in needles if n in block]
                rest, low = block[-200:], low + size
    return hits


def curl(url, body, *args):
    subprocess.run(["curl", "-sS", "--max-time", str(WAIT), "-o", os.devnull, "--data-binary", "@-",
                    *args, url], input=body, check=False)


def main():
    # The resolver of the first call to a library function saves the vector registers on the stack,
    # and with them what memcpy moved last. Releases are linked with -z now; test builds are not.
    os.environ["LD_BIND_NOW"] = "1"
    with Server(tls=True, unix=True) as server:
        base = "http://127.0.0.1:%d" % server.port
        tls = "https://localhost:%d" % server.tls
        trust = ("--cacert", server.certificate[0])
        kinds = {}

        def new(name):
            kinds[name] = value()
            return kinds[name]

        def as_json(name, text, **more):
            return json.dumps({"id": {"name": name}, "secretSpec": {"stringValue": text},
                               **more}).encode()

        def as_proto(name, text, size=0):
            return secret.CreateSecretRequest(
                id=secret.SecretIdentifier(name=name), secret_spec=secret.SecretSpec(
                    binary_value=text.encode() + bytes(size))).SerializeToString()

        js, pb = ("-H", "content-type: application/json"), ("-H", "content-type: application/proto")
        packed = (*pb, "-H", "content-encoding: gzip")
        url, turl = base + SECRET + "CreateSecret", tls + SECRET + "CreateSecret"
        curl(url, as_json("a1", new("json, HTTP/1.1")), *js)
        curl(url, as_json("a2", new("json, h2c")), *js, "--http2-prior-knowledge")
        curl(url, as_json("a3", new("json, chunks")), *js, "-H", "transfer-encoding: chunked",
             "-H", "content-length:")
        curl(url, as_proto("a4", new("protobuf, 1 MB"), 1 << 20), *pb)
        curl(url, as_proto("a5", new("protobuf, 1 MB, h2c"), 1 << 20), *pb,
             "--http2-prior-knowledge")
        curl(url, gzip.compress(as_proto("a6", new("gzip"), 5000)), *packed)
        curl(turl, as_json("a7", new("json, TLS")), *js, *trust)
        curl(turl, as_proto("a8", new("protobuf, 1 MB, TLS"), 1 << 20), *pb, *trust, "--http1.1")
        curl("http://union" + SECRET + "CreateSecret", as_json("a9", new("Unix")), *js,
             "--unix-socket", server.unix)
        curl(url, as_json("a1", new("refused: it exists")), *js)
        curl(url, as_json("b1", new("refused: JSON breaks off"))[:-3], *js)
        curl(url, as_json("b2", new("refused: key twice")).replace(b'"id"', b'"secretSpec"'), *js)
        curl(url, as_proto("b3", new("refused: malformed")) + b"\xff", *pb)
        curl(url, as_proto("b4", new("refused: too large"), 3 << 20), *pb)
        curl(url, gzip.compress(as_proto("b5", new("refused: damaged gzip")), 0)[:-9] + b"123456789",
             *packed)
        curl(url, as_json("b6", new("refused: who is it?")), *js, "-H", "authorization: Bearer bad")
        curl(base + "/no/such", as_json("b7", new("no such path")), *js)
        channel = grpc.insecure_channel("127.0.0.1:%d" % server.port)
        call = channel.unary_unary(SECRET + "CreateSecret", lambda b: b, lambda b: b)
        call(as_proto("c1", new("gRPC")), timeout=WAIT)
        call(as_proto("c2", new("gRPC, gzip"), 9000), timeout=WAIT,
             compression=grpc.Compression.Gzip)
        channel.close()
        body = as_json("d1", new("broken off"))
        with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as s:
            s.sendall(b"POST %sCreateSecret HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n"
                      b"Content-Type: application/json\r\n\r\n" % SECRET.encode() + body)
        token = new("a token in a header")
        curl(url, b"{}", *js, "-H", "authorization: Bearer " + token)
        curl(url, b"{}", *js, "-H", "authorization: Bearer " + new("a token, h2c"),
             "--http2-prior-knowledge")
        talk(server.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as s:
            while True:  # until the connections above are gone: what they held goes with them
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                seen = b""
                while b"union_rpc_errors_total" not in seen:
                    seen += s.recv(65536)
                if b"\nunion_net_connections 1\n" in seen:
                    break
        hits = found(server.process.pid, kinds.values())
        for name, text in kinds.items():
            where = [line for t, line in hits if t == text]
            check("nothing is left of: " + name, not where, where)
    finish()


main()

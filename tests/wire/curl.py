#!/usr/bin/python3
"""The wire as curl sees it: HTTP/1.1 and HTTP/2, cleartext, TLS and a Unix socket, JSON, protobuf
and gzip."""

import gzip
import json
import os
import subprocess

from wirelib import SECRET, WAIT, Server, check, finish, folder, messages, same

messages()
from union.secret import secret_pb2  # noqa: E402  (generated just now)

OUT = folder()


class Reply:
    def __init__(self, status, version, head, body):
        self.status, self.version, self.head, self.body = status, version, head, body

    def json(self):
        return json.loads(self.body)


def curl(url, *args, data=None):
    head, body = os.path.join(OUT, "head"), os.path.join(OUT, "body")
    for path in (head, body):
        if os.path.exists(path):
            os.unlink(path)
    command = ["curl", "-sS", "--max-time", str(WAIT), "-D", head, "-o", body, "-w",
               "%{http_code} %{http_version}", *args, url]
    if data is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode:
        return Reply(0, "", {}, done.stderr)
    status, version = done.stdout.decode().split()
    fields = {}
    with open(head, encoding="utf-8") as f:
        for line in f:
            if ":" in line:
                name, value = line.split(":", 1)
                fields[name.strip().lower()] = value.strip()
    with open(body, "rb") if os.path.exists(body) else open(os.devnull, "rb") as f:
        return Reply(int(status), version, fields, f.read())


JSON = ("-H", "content-type: application/json")
PROTO = ("-H", "content-type: application/proto", "-H", "connect-protocol-version: 1")


def calls(name, base, *how):
    """What must be the same over every transport."""
    secret = name.replace(" ", "-").replace("/", "-").replace(".", "-")
    body = json.dumps({"id": {"name": secret}, "secretSpec": {"stringValue": "v"}}).encode()
    same(name + ": creates with JSON", (200, {}),
         (lambda r: (r.status, r.json() if r.status else r.body))(
             curl(base + SECRET + "CreateSecret", *JSON, *how, data=body)))
    again = curl(base + SECRET + "CreateSecret", *JSON, *how, data=body)
    same(name + ": says that it exists", (409, "already_exists", "secret-exists"),
         (again.status, again.json().get("code"), again.head.get("union-error")))
    got = curl(base + SECRET + "GetSecret", *JSON, *how,
               data=json.dumps({"id": {"name": secret}}).encode())
    same(name + ": gets with JSON", (200, "application/json", secret,
                                     "2025-11-23T12:33:54.500Z"),
         (got.status, got.head.get("content-type"), got.json()["secret"]["id"]["name"],
          got.json()["secret"]["secretMetadata"]["createdTime"]))
    request = secret_pb2.GetSecretRequest(id=secret_pb2.SecretIdentifier(name=secret))
    got = curl(base + SECRET + "GetSecret", *PROTO, *how, data=request.SerializeToString())
    answer = secret_pb2.GetSecretResponse.FromString(got.body)
    same(name + ": gets with protobuf", (200, "application/proto", secret),
         (got.status, got.head.get("content-type"), answer.secret.id.name))
    got = curl(base + "/any.package.secret.SecretService/GetSecret", *PROTO, "-H",
               "content-encoding: gzip", *how, data=gzip.compress(request.SerializeToString()))
    same(name + ": takes gzip, and any package before the service", (200, got.version), (
        got.status, got.version) if secret_pb2.GetSecretResponse.FromString(
            got.body).secret.id.name == secret else got.body)
    missing = curl(base + SECRET + "GetSecret", *JSON, *how, data=b'{"id":{"name":"no-such"}}')
    same(name + ": says what is missing and what to do",
         (404, "not_found", "secret-not-found", 'say "100%25" %E2%80%94 %C3%BCn%C3%AFcode'),
         (missing.status, missing.json()["code"], missing.head.get("union-error"),
          missing.head.get("union-hint")))
    return got.version


def odd_requests(base):
    def status(promise, wanted, *args, data=None, path=SECRET + "GetSecret"):
        got = curl(base + path, *args, data=data)
        same(promise, wanted, got.status)
        return got

    plain = status("takes plain bytes that call themselves gzip", 404, *PROTO, "-H",
                   "content-encoding: gzip",
                   data=secret_pb2.GetSecretRequest(
                       id=secret_pb2.SecretIdentifier(name="x")).SerializeToString())
    same("and still answers in Connect's words", "not_found", plain.json()["code"])
    status("refuses another compression", 501, *PROTO, "-H", "content-encoding: br", data=b"x")
    status("refuses damaged gzip", 400, *PROTO, "-H", "content-encoding: gzip",
           data=b"\x1f\x8b\x08nothing")
    bomb = status("stops at a gzip bomb", 429, *PROTO, "-H", "content-encoding: gzip",
                  data=gzip.compress(bytes(50 << 20)))
    same("and names the limit", "too-large", bomb.head.get("union-error"))
    status("refuses a body over the limit", 429, *JSON, data=b" " * 200000)
    status("refuses another content type", 415, "-H", "content-type: text/plain", data=b"{}")
    status("refuses a request without content type", 415, "-H", "content-type:", data=b"{}")
    status("refuses GET on a method", 405, "--get")
    unknown = status("does not know another method", 404, *JSON, data=b"{}",
                     path=SECRET + "NoSuch")
    same("and calls it unimplemented", "unimplemented", unknown.json()["code"])
    status("refuses malformed JSON", 400, *JSON, data=b'{"id":')
    status("refuses JSON with a key twice", 400, *JSON, data=b'{"id":{},"id":{}}')
    status("refuses text with a NUL", 400, *PROTO, data=b"\n\x05\n\x03a\0b")
    status("refuses what is no such message", 400, *PROTO, data=b"\x0a\xff")
    status("takes an empty body for an empty message", 400, *JSON, data=b"")
    status("refuses a malformed deadline", 400, *JSON, "-H", "connect-timeout-ms: soon",
           data=b"{}")
    same("asks who it is", 401, curl(base + SECRET + "GetSecret", *JSON, "-H",
                                     "authorization: Bearer bad", data=b"{}").status)
    same("and believes a good token", 404,
         curl(base + SECRET + "GetSecret", *JSON, "-H", "authorization: Bearer good",
              data=b'{"id":{"name":"x"}}').status)


def compressed_reply(base):
    for i in range(40):
        curl(base + SECRET + "CreateSecret", *JSON,
             data=json.dumps({"id": {"name": "many-%d" % i},
                              "secretSpec": {"binaryValue": "AA=="}}).encode())
    plain = curl(base + SECRET + "ListSecrets", *JSON, data=b"{}")
    packed = curl(base + SECRET + "ListSecrets", *JSON, "-H", "accept-encoding: gzip",
                  data=b"{}")
    same("compresses a large reply when asked to", "gzip", packed.head.get("content-encoding"))
    check("and it holds the same", gzip.decompress(packed.body) == plain.body)
    check("and never without being asked", "content-encoding" not in plain.head)
    page = curl(base + SECRET + "ListSecrets", *JSON, data=b'{"limit":7}').json()
    check("pages", len(page["secrets"]) == 7 and page["token"] == "7", page)


def envelope(flags, body):
    return bytes([flags]) + len(body).to_bytes(4, "big") + body


def envelopes(body):
    out = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        out.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
    return out


def streams(base, *how):
    kind = ("-H", "content-type: application/connect+json")
    got = curl(base + "/union.v1.RunService/Watch", *kind, *how, data=envelope(0, b"{}"))
    parts = envelopes(got.body)
    same("streams events and an end", (200, [0, 0, 2], b"{}"),
         (got.status, [f for f, _ in parts], parts[-1][1]))
    same("with JSON inside", "aGVsbG8=", json.loads(parts[0][1])["log"]["data"])
    got = curl(base + "/union.v1.RunService/Watch", *kind, *how, "-H",
               "connect-content-encoding: gzip",
               data=envelope(1, gzip.compress(b'{"id":{"name":"fails"}}')))
    end = json.loads(envelopes(got.body)[-1][1])
    same("ends a stream that fails with the reason",
         (200, "failed_precondition", "it failed, 100%", ["run-failed"]),
         (got.status, end["error"]["code"], end["error"]["message"],
          end["metadata"]["union-error"]))
    got = curl(base + "/union.v1.PlaneService/Backup", "-H",
               "content-type: application/connect+proto", *how, data=envelope(0, b""))
    same("streams 16 MiB whole", 256 * 65536 + 256 * 4 + 2 + 257 * 5 + 2,
         len(got.body))
    same("cuts a stream at its deadline", "deadline_exceeded",
         json.loads(envelopes(curl(base + "/union.v1.RunService/Watch", *kind, *how, "-H",
                                   "connect-timeout-ms: 200",
                                   data=envelope(0, b'{"id":{"name":"hangs"}}')).body)[-1][1])
         ["error"]["code"])


def plain_http(base, *how):
    big = os.urandom(3 << 20)
    same("stores an upload", (200, b"stored\n"),
         (lambda r: (r.status, r.body))(curl(base + "/files/big", "-X", "PUT", *how, data=big)))
    same("gives it back", big, curl(base + "/files/big", *how).body)
    head = curl(base + "/files/big", "--head", *how)
    same("tells its length to HEAD", (200, str(len(big)), b""),
         (head.status, head.head.get("content-length"), b""))
    same("refuses an upload over the limit", 413,
         curl(base + "/files/huge", "-X", "PUT", *how, data=bytes(65 << 20)).status)
    same("also one of unknown length", 413,
         curl(base + "/files/huge", "-X", "PUT", "-H", "transfer-encoding: chunked",
              "-H", "content-length:", *how, data=bytes(65 << 20)).status
         if "--http2-prior-knowledge" not in how else 413)
    same("does not leave its folder", 403,
         curl(base + "/files/.hidden", "-X", "PUT", *how, data=b"x").status)
    same("does not know a missing file", 404, curl(base + "/files/missing", *how).status)
    same("refuses DELETE there", 405, curl(base + "/files/big", "-X", "DELETE", *how).status)
    same("is alive", (200, b"ok\n"),
         (lambda r: (r.status, r.body))(curl(base + "/healthz", *how)))
    same("is ready", (200, b"ready\n"),
         (lambda r: (r.status, r.body))(curl(base + "/readyz", *how)))
    metrics = curl(base + "/metrics", *how).body.decode()
    check("counts", 'union_rpc_seconds_count{method="cloudidl.secret.SecretService/GetSecret"}'
          in metrics and "union_net_connections " in metrics, metrics)
    same("answers 404 elsewhere", 404, curl(base + "/elsewhere", *how).status)


def main():
    with Server(unix=True, tls=True) as server:
        base = "http://127.0.0.1:%d" % server.port
        tls = "https://localhost:%d" % server.tls
        trust = ("--cacert", server.certificate[0])
        same("speaks HTTP/1.1", "1.1", calls("HTTP/1.1", base))
        same("answers HTTP/1.0", "1.1", calls("HTTP/1.0", base, "--http1.0"))
        same("speaks HTTP/2 in cleartext", "2", calls("h2c", base, "--http2-prior-knowledge"))
        same("stays with HTTP/1.1 when asked to upgrade", "1.1", calls("upgrade", base, "--http2"))
        same("speaks HTTP/2 over TLS", "2", calls("TLS h2", tls, *trust))
        same("speaks HTTP/1.1 over TLS", "1.1", calls("TLS 1.1", tls, *trust, "--http1.1"))
        same("speaks TLS 1.2", "2", calls("TLS 1.2 h2", tls, *trust, "--tls-max", "1.2"))
        same("refuses TLS 1.1", 0, curl(tls + "/healthz", *trust, "--tls-max", "1.1",
                                        "--ciphers", "DEFAULT@SECLEVEL=0").status)
        same("takes cleartext on a port for both", 200,
             curl("http://127.0.0.1:%d/healthz" % server.tls).status)
        same("speaks over a Unix socket", "1.1",
             calls("Unix", "http://union", "--unix-socket", server.unix))
        odd_requests(base)
        compressed_reply(base)
        streams(base)
        streams(base, "--http2-prior-knowledge")
        plain_http(base)
        plain_http(base, "--http2-prior-knowledge")
        plain_http(tls, *trust)
        same("answers later, from another thread", (200, {}),
             (lambda r: (r.status, r.json()))(curl(base + SECRET + "UpdateSecret", *JSON,
                                                   data=b"{}")))
    finish()


main()

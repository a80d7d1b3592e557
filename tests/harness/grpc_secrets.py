#!/usr/bin/python3
"""The secret service of a running uniond, by gRPC's own C core with stubs made from proto/.

usage: grpc_secrets.py TARGET VALUE_FILE       TARGET: unix:PATH or HOST:PORT (cleartext)

Creates, gets, lists in pages, updates and deletes under both package names, and checks each answer.
Prints one line a finding that is wrong and exits 1; nothing otherwise.
"""

import importlib
import os
import subprocess
import sys
import tempfile

import grpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = ("cloudidl.secret.SecretService", "flyteidl2.secret.SecretService")
wrong = []


def stubs():
    out = tempfile.mkdtemp()
    subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "-I", "/usr/include",
                    "--python_out", out, "union/secret/secret.proto"], check=True)
    sys.path.insert(0, out)
    return importlib.import_module("union.secret.secret_pb2")


def expect(what, wanted, got):
    if wanted != got:
        wrong.append("%s: wanted %r, got %r" % (what, wanted, got))


class Client:
    def __init__(self, pb, channel, service):
        self.pb, self.channel, self.service = pb, channel, service

    def call(self, name, request):
        response = getattr(self.pb, name + "Response")
        method = self.channel.unary_unary("/%s/%s" % (self.service, name),
                                          type(request).SerializeToString, response.FromString)
        return method(request, timeout=20)

    def status(self, name, request):
        try:
            self.call(name, request)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name

    def story(self, value):
        pb = self.pb
        ident = pb.SecretIdentifier(name="by_grpc", project="clients", domain="development")
        text = pb.SecretSpec(string_value=value)
        expect("create", "OK", self.status("CreateSecret",
                                           pb.CreateSecretRequest(id=ident, secret_spec=text)))
        expect("create again", "ALREADY_EXISTS",
               self.status("CreateSecret", pb.CreateSecretRequest(id=ident, secret_spec=text)))
        expect("bad name", "INVALID_ARGUMENT", self.status("CreateSecret", pb.CreateSecretRequest(
            id=pb.SecretIdentifier(name="a b"), secret_spec=text)))
        expect("no value", "INVALID_ARGUMENT", self.status("CreateSecret", pb.CreateSecretRequest(
            id=pb.SecretIdentifier(name="x"))))
        got = self.call("GetSecret", pb.GetSecretRequest(id=ident)).secret
        expect("get", ident, got.id)
        expect("status", pb.FULLY_PRESENT, got.secret_metadata.secret_status.overall_status)
        binary = pb.SecretSpec(binary_value=value.encode())
        expect("update", "OK", self.status("UpdateSecret",
                                           pb.UpdateSecretRequest(id=ident, secret_spec=binary)))
        expect("update nothing", "NOT_FOUND", self.status("UpdateSecret", pb.UpdateSecretRequest(
            id=pb.SecretIdentifier(name="nothing"), secret_spec=binary)))
        for i in range(25):
            self.call("CreateSecret", pb.CreateSecretRequest(
                id=pb.SecretIdentifier(name="page_%02d" % i, project="paged"), secret_spec=text))
        for by_cluster in (False, True):
            expect("pages", ["page_%02d" % i for i in range(25)], self.pages(by_cluster))
        for i in range(25):
            self.call("DeleteSecret", pb.DeleteSecretRequest(
                id=pb.SecretIdentifier(name="page_%02d" % i, project="paged")))
        expect("delete", "OK", self.status("DeleteSecret", pb.DeleteSecretRequest(id=ident)))
        expect("delete again", "NOT_FOUND", self.status("DeleteSecret",
                                                        pb.DeleteSecretRequest(id=ident)))

    def pages(self, by_cluster):
        """As the two kinds of clients loop: on `token`, or on the map of tokens alone."""
        names, token, tokens = [], "", {}
        for _ in range(20):
            request = self.pb.ListSecretsRequest(project="paged", limit=10)
            if by_cluster:
                request.per_cluster_tokens.update(tokens)
            else:
                request.token = token
            page = self.call("ListSecrets", request)
            names += [s.id.name for s in page.secrets]
            token, tokens = page.token, dict(page.per_cluster_tokens)
            if not (any(tokens.values()) if by_cluster else token):
                break
        return names


def main():
    pb = stubs()
    with open(sys.argv[2], encoding="ascii") as f:
        value = f.read()
    for service in PACKAGES:
        with grpc.insecure_channel(sys.argv[1]) as channel:
            Client(pb, channel, service).story(value)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

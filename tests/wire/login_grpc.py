#!/usr/bin/python3
"""Logging in as unmodified gRPC clients do: discovery without a token, a call that is refused with
UNAUTHENTICATED and nothing else, the token endpoint, and the same call once more. By gRPC's own C core
over TLS, and by http.client."""

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import urllib.parse

import grpc

from wirelib import BUILD, WAIT, certificate, check, finish, folder, messages, same

messages()
from flyteidl.service import auth_pb2 as auth  # noqa: E402
from union.secret import secret_pb2 as secret  # noqa: E402
from union.v1 import access_pb2 as access  # noqa: E402

LIST = "/cloudidl.secret.SecretService/ListSecrets"


class Plane:
    """A uniond with TLS."""

    def __init__(self):
        self.folder = folder()
        self.pem, key = certificate(self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = os.path.join(self.folder, "plane.yaml")
        data = os.path.join(self.folder, "data")
        with open(config, "w", encoding="utf-8") as f:
            f.write("data: %s\nlisten: {tcp: '127.0.0.1:%d'}\ntls: {certificate: %s, key: %s}\n"
                    % (data, self.port, self.pem, key))
        ours, theirs = os.pipe()
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "uniond"), "--config", config, "--ready-fd", str(theirs)],
                pass_fds=[theirs], stdin=subprocess.DEVNULL, stderr=log)
        os.close(theirs)
        said = os.read(ours, 4096)
        if not said.startswith(b"ready"):
            raise RuntimeError("uniond did not start: %r" % said)
        self.unix = grpc.insecure_channel("unix:" + os.path.join(data, "uniond.sock"))
        with open(self.pem, "rb") as f:
            self.tls = grpc.secure_channel("localhost:%d" % self.port,
                                           grpc.ssl_channel_credentials(f.read()))


def call(channel, path, request, response, token=None, header="authorization"):
    """The answer, or the code of the refusal."""
    method = channel.unary_unary(path, type(request).SerializeToString, response.FromString)
    metadata = ((header, "Bearer " + token),) if token else ()
    try:
        return method(request, timeout=WAIT, metadata=metadata)
    except grpc.RpcError as error:
        return error.code()


def post(plane, url, form, credentials):
    target = urllib.parse.urlsplit(url)
    trust = ssl.create_default_context(cafile=plane.pem)
    connection = http.client.HTTPSConnection(target.hostname, target.port, timeout=WAIT,
                                             context=trust)
    basic = base64.b64encode(credentials.encode()).decode()
    connection.request("POST", target.path, urllib.parse.urlencode(form),
                       {"Content-Type": "application/x-www-form-urlencoded",
                        "Accept": "application/json", "Cache-Control": "no-cache",
                        "Authorization": "Basic " + basic})
    reply = connection.getresponse()
    body = json.loads(reply.read())
    connection.close()
    return reply, body


def main():
    plane = Plane()
    made = call(plane.unix, "/union.v1.AccessService/CreateApiKey",
                access.CreateApiKeyRequest(name="ci", role="admin"), access.CreateApiKeyResponse)
    key = made.client_secret.decode()
    check("an API key is made over the socket", len(key) == 43, made)

    for package in ("flyteidl.service", "flyteidl2.auth"):
        path = "/%s.AuthMetadataService/" % package
        found = call(plane.tls, path + "GetOAuth2Metadata", auth.OAuth2MetadataRequest(),
                     auth.OAuth2MetadataResponse)
        same(package + " says where to log in, to anybody",
             "https://localhost:%d/oauth2/token" % plane.port,
             getattr(found, "token_endpoint", found))
        client = call(plane.tls, path + "GetPublicClientConfig",
                      auth.PublicClientAuthConfigRequest(), auth.PublicClientAuthConfigResponse)
        same(package + " names the header of the token", "authorization",
             getattr(client, "authorization_metadata_key", client))

    refused = grpc.StatusCode.UNAUTHENTICATED
    lists = (plane.tls, LIST, secret.ListSecretsRequest(), secret.ListSecretsResponse)
    same("a call without a token is unauthenticated", refused, call(*lists))
    same("and one with a wrong token", refused, call(*lists, token="wrong"))

    url = found.token_endpoint
    grant = {"grant_type": "client_credentials", "scope": "all"}
    reply, body = post(plane, url, grant, "ci:" + urllib.parse.quote_plus(key))
    same("the token endpoint gives a token", 200, reply.status)
    same("with all that clients want of it", ["access_token", "expires_in", "scope", "token_type"],
         sorted(body))
    same("which nobody keeps", "no-store", reply.headers["cache-control"])
    token = body["access_token"]
    reply, body = post(plane, url, grant, "ci:wrong")
    same("a wrong secret is refused", (401, "invalid_client"), (reply.status, body["error"]))
    same("in the words of HTTP", 'Basic realm="union"', reply.headers["www-authenticate"])
    reply, body = post(plane, url, {"grant_type": "refresh_token"}, "ci:" + key)
    same("and another grant", (400, "unsupported_grant_type"), (reply.status, body["error"]))

    check("with its token a call is let in",
          isinstance(call(*lists, token=token), secret.ListSecretsResponse))
    check("also in the header of older servers",
          isinstance(call(*lists, token=token, header="flyte-authorization"),
                     secret.ListSecretsResponse))
    for package in ("flyteidl.service", "flyteidl2.auth"):
        who = call(plane.tls, "/%s.IdentityService/UserInfo" % package, auth.UserInfoRequest(),
                   auth.UserInfoResponse, token=token)
        same(package + " says who one is", "key:ci", getattr(who, "subject", who))
    call(plane.unix, "/union.v1.AccessService/DeleteApiKey", access.DeleteApiKeyRequest(name="ci"),
         access.DeleteApiKeyResponse)
    same("and without its key it is nothing", refused, call(*lists, token=token))
    plane.process.terminate()
    same("the server ends well", 0, plane.process.wait(WAIT))
    finish()


if __name__ == "__main__":
    main()

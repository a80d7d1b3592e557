#!/usr/bin/python3
"""The wire as gRPC's own C core sees it (python3-grpcio), with messages generated from proto/."""

import sys
import threading

# this folder must not shadow the package: nothing here is called grpc
import grpc

from wirelib import SECRET, WAIT, Server, check, finish, messages, same

messages()
from union.secret import secret_pb2 as secret  # noqa: E402
from union.v1 import plane_pb2 as plane  # noqa: E402
from union.v1 import runs_pb2 as runs  # noqa: E402


def unary(channel, method, request, response, **options):
    call = channel.unary_unary(SECRET + method, type(request).SerializeToString,
                               response.FromString)
    return call.with_call(request, timeout=WAIT, **options)


def failure(run):
    try:
        run()
    except grpc.RpcError as error:
        return error
    return None


def secrets(name, channel):
    ident = secret.SecretIdentifier(name=name, project="p", domain="d")
    spec = secret.SecretSpec(binary_value=bytes(range(256)) * 100)
    unary(channel, "CreateSecret", secret.CreateSecretRequest(id=ident, secret_spec=spec),
          secret.CreateSecretResponse)
    got, _ = unary(channel, "GetSecret", secret.GetSecretRequest(id=ident),
                   secret.GetSecretResponse)
    same(name + ": creates and gets", ident, got.secret.id)
    error = failure(lambda: unary(channel, "CreateSecret",
                                  secret.CreateSecretRequest(id=ident, secret_spec=spec),
                                  secret.CreateSecretResponse))
    same(name + ": says that it exists", grpc.StatusCode.ALREADY_EXISTS, error.code())
    error = failure(lambda: unary(channel, "GetSecret", secret.GetSecretRequest(
        id=secret.SecretIdentifier(name="no-such")), secret.GetSecretResponse))
    trailers = dict(error.trailing_metadata())
    same(name + ": says what is missing and what to do",
         (grpc.StatusCode.NOT_FOUND, "no such secret at this scope", "secret-not-found"),
         (error.code(), error.details(), trailers.get("union-error")))
    error = failure(lambda: unary(channel, "GetSecret", secret.GetSecretRequest(),
                                  secret.GetSecretResponse))
    same(name + ": refuses a request without id", grpc.StatusCode.INVALID_ARGUMENT, error.code())
    got, _ = unary(channel, "UpdateSecret", secret.UpdateSecretRequest(id=ident),
                   secret.UpdateSecretResponse)
    check(name + ": answers later, from another thread", got is not None)
    got, _ = unary(channel, "GetSecret", secret.GetSecretRequest(id=ident),
                   secret.GetSecretResponse, compression=grpc.Compression.Gzip)
    same(name + ": takes gzip", ident, got.secret.id)


def limits(channel):
    big = secret.CreateSecretRequest(id=secret.SecretIdentifier(name="big"),
                                     secret_spec=secret.SecretSpec(binary_value=bytes(3 << 20)))
    error = failure(lambda: unary(channel, "CreateSecret", big, secret.CreateSecretResponse))
    same("refuses a request over the limit", grpc.StatusCode.RESOURCE_EXHAUSTED, error.code())
    error = failure(lambda: unary(channel, "CreateSecret", big, secret.CreateSecretResponse,
                                  compression=grpc.Compression.Gzip))
    same("also a packed one", grpc.StatusCode.RESOURCE_EXHAUSTED, error.code())
    error = failure(lambda: unary(channel, "GetSecret", secret.GetSecretRequest(),
                                  secret.GetSecretResponse,
                                  metadata=(("authorization", "Bearer bad"),)))
    same("asks who it is", grpc.StatusCode.UNAUTHENTICATED, error.code())
    error = failure(lambda: unary(channel, "NoSuch", secret.GetSecretRequest(),
                                  secret.GetSecretResponse))
    same("does not know another method", grpc.StatusCode.UNIMPLEMENTED, error.code())
    error = failure(lambda: unary(channel, "GetSecret", secret.GetSecretRequest(),
                                  secret.GetSecretResponse,
                                  metadata=tuple(("x-%d" % i, "y" * 300) for i in range(90))))
    check("refuses a head over the limit, and lives on", error is not None)
    same("never says UNKNOWN", grpc.StatusCode.NOT_FOUND, failure(
        lambda: unary(channel, "GetSecret", secret.GetSecretRequest(
            id=secret.SecretIdentifier(name="x")), secret.GetSecretResponse)).code())


def stream(channel, request, response, method):
    return channel.unary_stream(method, type(request).SerializeToString, response.FromString)(
        request, timeout=WAIT)


def watching(channel, name):
    request = runs.WatchRequest()
    request.id.name = name
    return stream(channel, request, runs.WatchEvent, "/union.v1.RunService/Watch")


def streams(channel):
    sizes = [len(c.data) for c in stream(channel, plane.BackupRequest(), plane.BackupChunk,
                                         "/union.v1.PlaneService/Backup")]
    same("streams 16 MiB", [65536] * 256, sizes)
    same("streams events", [0, 1], [e.log.offset for e in watching(channel, "x")])
    seen = []
    error = failure(lambda: seen.extend(watching(channel, "fails")))
    same("ends a stream that fails with the reason",
         (2, grpc.StatusCode.FAILED_PRECONDITION, "it failed, 100%", "run-failed"),
         (len(seen), error.code(), error.details(),
          dict(error.trailing_metadata()).get("union-error")))
    hanging = watching(channel, "hangs")
    next(hanging)
    hanging.cancel()
    same("lets a client cancel", grpc.StatusCode.CANCELLED,
         failure(lambda: list(hanging)).code())
    request = runs.WatchRequest()
    request.id.name = "hangs"
    call = channel.unary_stream("/union.v1.RunService/Watch",
                                runs.WatchRequest.SerializeToString, runs.WatchEvent.FromString)
    same("keeps a deadline", grpc.StatusCode.DEADLINE_EXCEEDED,
         failure(lambda: list(call(request, timeout=0.3))).code())


def many(channel):
    """Several threads on one connection, as a client that registers tasks does it."""
    wrong = []

    def work(number):
        for i in range(30):
            name = "t%d-%d" % (number, i)
            ident = secret.SecretIdentifier(name=name)
            unary(channel, "CreateSecret", secret.CreateSecretRequest(
                id=ident, secret_spec=secret.SecretSpec(string_value="v")),
                secret.CreateSecretResponse)
            got, _ = unary(channel, "GetSecret", secret.GetSecretRequest(id=ident),
                           secret.GetSecretResponse)
            if got.secret.id.name != name:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same("answers 480 calls of eight threads, each with its own", [], wrong)


def main():
    with Server("--workers", "2", unix=True, tls=True) as server:
        with open(server.certificate[0], "rb") as f:
            trust = grpc.ssl_channel_credentials(f.read())
        # pings without calls, as existing clients send them
        options = (("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_timeout_ms", 5000),
                   ("grpc.keepalive_permit_without_calls", 1),
                   ("grpc.http2.max_pings_without_data", 0))
        channels = {
            "h2c": grpc.insecure_channel("127.0.0.1:%d" % server.port, options=options),
            "unix": grpc.insecure_channel("unix:" + server.unix),
            "tls": grpc.secure_channel("localhost:%d" % server.tls, trust),
        }
        for name, channel in channels.items():
            secrets(name, channel)
        limits(channels["h2c"])
        streams(channels["h2c"])
        streams(channels["tls"])
        many(channels["h2c"])
        for channel in channels.values():
            channel.close()
    finish()


if __name__ == "__main__":
    sys.exit(main())

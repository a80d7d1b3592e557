"""Calls to a control plane: the Connect protocol, unary, protobuf bodies, over HTTP/1.1.

One `Connection` belongs to one thread. Every call has a deadline and a limit on its reply. A call
is sent once; one that changes nothing is sent again when an idle connection turns out closed.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from urllib.parse import unquote, urlsplit

from ._errors import UnionError
from ._remote_errors import (
    DeadlineError,
    DeniedError,
    ExistsError,
    InvalidRequestError,
    NotFoundError,
    RemoteError,
    RemoteUnsupportedError,
    UnauthenticatedError,
    UnreachableError,
)
from ._schema_api import API
from ._target import Target, find_target, origin
from ._wire import WireError, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Dict, Optional, Tuple, Type, Union

    from ._login import Session
    from ._wire import Message

TIMEOUT_SECONDS = 30
"""Of one call, from connecting to the last byte of the reply."""
REPLY_MAX = 64 << 20
"""Bytes of one reply."""
_ERROR_MAX = 64 << 10
_GOOD = (200, 201, 204)


_BY_CODE: Dict[str, Type[RemoteError]] = {
    "not_found": NotFoundError,
    "already_exists": ExistsError,
    "invalid_argument": InvalidRequestError,
    "failed_precondition": InvalidRequestError,
    "out_of_range": InvalidRequestError,
    "permission_denied": DeniedError,
    "unauthenticated": UnauthenticatedError,
    "unavailable": UnreachableError,
    "deadline_exceeded": DeadlineError,
    "unimplemented": RemoteUnsupportedError,
}
_CODE_OF_STATUS = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "unimplemented",
    429: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, to a server of this user (or of root) only."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)
        size = struct.calcsize("3i")
        peer = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        uid = struct.unpack("3i", peer)[1]
        if uid not in (0, os.geteuid()):
            self.close()
            raise DeniedError(f"the server at '{self.path}' belongs to another user", f"uid {uid}")


class Connection:
    """A keep-alive connection to one endpoint, made at the first call."""

    def __init__(self, target: Union[str, Target]) -> None:
        self._target = Target(target) if isinstance(target, str) else target
        self.endpoint = self._target.endpoint
        self._http = _open(self._target)
        self._session: Optional[Session] = None
        if self._target.credentials is not None:
            from ._login import Session

            self._session = Session(self._target.credentials, self.endpoint, self._ask)

    def call(
        self,
        method: str,
        request_kind: str,
        request: Message,
        reply_kind: str,
        is_harmless: bool = True,
    ) -> Message:
        """Calls `method` ("package.Service/Method") and returns its reply.

        is_harmless: it may be sent again when an idle connection turns out to be closed.
        Raises a RemoteError.
        """
        headers = {
            "content-type": "application/proto",
            "connect-protocol-version": "1",
            "connect-timeout-ms": str(TIMEOUT_SECONDS * 1000),
        }
        if not is_harmless:
            self._http.close()
        body = encode(API, request_kind, request)
        data = self._authorized("POST", f"/{method}", body, headers)
        try:
            return decode(API, reply_kind, data)
        except WireError as err:
            raise RemoteError(
                f"the reply to {method} is malformed: {err}", "", "protocol"
            ) from None

    def put(self, url: str, body: bytes, headers: Dict[str, str]) -> None:
        """Uploads `body` to a path, or to a URL that points at this endpoint."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._exchange("PUT", path, body, headers)

    def close(self) -> None:
        self._http.close()

    def _authorized(self, verb: str, path: str, body: bytes, headers: Dict[str, str]) -> bytes:
        """With a token, where there is somebody to log in. One that the control plane does not know
        (any more) is replaced once: after a restart it knows none."""
        if self._session is None:
            return self._exchange(verb, path, body, headers)
        try:
            return self._exchange(
                verb, path, body, {**headers, "authorization": self._session.header()}
            )
        except UnauthenticatedError:
            if not self._session.forget():
                raise
        return self._exchange(
            verb, path, body, {**headers, "authorization": self._session.header()}
        )

    def _ask(
        self, verb: str, path: str, body: bytes, headers: Dict[str, str]
    ) -> Tuple[int, bytes]:
        """For logging in: the status of the reply is the caller's affair."""
        status, data, _ = self._send(verb, path, body, headers)
        return status, data

    def _exchange(self, verb: str, path: str, body: bytes, headers: Dict[str, str]) -> bytes:
        status, data, reply_headers = self._send(verb, path, body, headers)
        if status not in _GOOD:
            raise _error_of(status, data, reply_headers)
        return data

    def _send(
        self, verb: str, path: str, body: bytes, headers: Dict[str, str]
    ) -> Tuple[int, bytes, http.client.HTTPMessage]:
        is_fresh = self._http.sock is None
        try:
            return self._send_once(verb, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as err:
            self._http.close()
            if is_fresh:
                raise self._unreachable(err) from None
        except (OSError, http.client.HTTPException) as err:
            self._http.close()
            raise self._unreachable(err) from None
        # The server has closed an idle connection; a new one tells whether it is still there.
        try:
            return self._send_once(verb, path, body, headers)
        except (OSError, http.client.HTTPException) as err:
            self._http.close()
            raise self._unreachable(err) from None

    def _send_once(
        self, verb: str, path: str, body: bytes, headers: Dict[str, str]
    ) -> Tuple[int, bytes, http.client.HTTPMessage]:
        self._http.request(verb, path, body, headers)
        reply = self._http.getresponse()
        limit = REPLY_MAX if reply.status in _GOOD else _ERROR_MAX
        data = reply.read(limit + 1)
        if len(data) > limit:
            self._http.close()
            raise RemoteError(f"the reply has more than {limit} bytes", "", "too-large")
        return reply.status, data, reply.headers

    def _unreachable(self, error: Exception) -> RemoteError:
        if isinstance(error, socket.timeout):
            text = f"{self.endpoint} did not answer within {TIMEOUT_SECONDS} seconds"
            return DeadlineError(text)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return UnreachableError(
            f"cannot reach the control plane at {self.endpoint}: {reason}",
            "see what runs with: union info",
        )


def _error_of(status: int, data: bytes, headers: http.client.HTTPMessage) -> RemoteError:
    code = _CODE_OF_STATUS.get(status, "internal")
    message = f"HTTP status {status}"
    try:
        body = json.loads(data)
        code = str(body.get("code", code))
        message = str(body.get("message", message))
    except (ValueError, AttributeError):
        pass
    error_class = _BY_CODE.get(code, RemoteError)
    hint = unquote(headers.get("union-hint", ""))
    return error_class(message, hint, headers.get("union-error"))


def _open(target: Target) -> http.client.HTTPConnection:
    """Returns an unconnected connection; no proxy is asked. Raises UnionError for what is no
    endpoint."""
    endpoint = target.endpoint
    if endpoint.startswith("unix://"):
        return _UnixConnection(endpoint[len("unix://") :])
    scheme, host, port, _ = origin(endpoint)
    if scheme == "https":
        context = _tls(target)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
    if not _is_loopback(host):
        raise UnionError(
            f"cleartext http is for this machine only, not for '{host}'",
            f"use https://{host}",
            "bad-config",
        )
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _tls(target: Target) -> ssl.SSLContext:
    """The authorities of the configuration, else those of the system or of SSL_CERT_FILE."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=target.ca_file or None)
    except OSError as err:  # also an ssl.SSLError
        reason = err.strerror if not isinstance(err, ssl.SSLError) else "it holds no certificate"
        text = f"cannot use the authorities in '{target.ca_file}': {reason}"
        raise UnionError(text, slug="bad-config") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not target.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connect(endpoint: Optional[str] = None) -> Connection:
    """Returns an unconnected connection to `endpoint`, else to what the environment and the
    configuration name, else to the embedded control plane of this user, which is started if it does
    not run. Raises UnionError."""
    return Connection(find_target(endpoint) or Target(_embedded()))


def _embedded() -> str:
    path = _socket_path()
    if _answers(path):
        return f"unix://{path}"
    return _start_embedded()


def _socket_path() -> str:
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "union", "uniond.sock")


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(TIMEOUT_SECONDS)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def command() -> str:
    """Returns the command `union` that belongs to this package, or the first on the PATH."""
    from shutil import which

    package = os.path.dirname(os.path.abspath(__file__))
    for place in ("../../../../bin/union", "../../build/union"):
        path = os.path.normpath(os.path.join(package, place))
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    found: Optional[str] = which("union")
    if found is None:
        text = "cannot reach the control plane: the command union is not installed"
        raise UnreachableError(text, "set UNION_ENDPOINT, or put union on the PATH")
    return found


def _start_embedded() -> str:
    import subprocess

    words = [command(), "info", "-o", "json"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise UnreachableError(f"cannot start the control plane: {err}") from None
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise UnreachableError(f"cannot start the control plane: {reason}")
    try:
        return str(json.loads(done.stdout)["endpoint"])
    except (ValueError, KeyError, TypeError):
        raise UnreachableError("'union info' did not say where the control plane is") from None

"""Logging in: a client's secret goes to the control plane's token endpoint, a token comes back.

The token is kept in this process only. Nothing here shows a secret or a token: not in an exception,
not in a representation.
"""

from __future__ import annotations

import json
import time

from ._remote_errors import RemoteError, UnauthenticatedError, UnreachableError
from ._target import is_word, origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Tuple

    from ._target import Credentials

    # verb, path, body, headers -> status and body of the reply
    Exchange = Callable[[str, str, bytes, Dict[str, str]], Tuple[int, bytes]]

_DISCOVERY = "/.well-known/oauth-authorization-server"
_EARLY_SECONDS = 30
"""A token that ends so soon is not used any more."""


class Session:
    """One client at one endpoint, and its token while it has one."""

    __slots__ = ("_credentials", "_endpoint", "_exchange", "_path", "_token", "_until")

    def __init__(self, credentials: Credentials, endpoint: str, exchange: Exchange) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._exchange = exchange
        self._path = ""
        self._token = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return f"<session of {self._credentials.client}>"

    def header(self) -> str:
        """Returns the value of the header "authorization", after logging in where that is due."""
        if not self._token or time.monotonic() >= self._until:
            self._log_in()
        return f"Bearer {self._token}"

    def forget(self) -> bool:
        """The token was refused: another one is fetched for the next call. False: there was none,
        it was the login that was refused."""
        had, self._token = bool(self._token), ""
        return had

    def _log_in(self) -> None:
        from base64 import b64encode
        from urllib.parse import quote_plus

        if not self._path:
            self._path = self._find_path()
        pair = f"{self._credentials.client}:{quote_plus(self._credentials.use())}"
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "authorization": "Basic " + b64encode(pair.encode()).decode(),
        }
        status, data = self._exchange("POST", self._path, b"grant_type=client_credentials", headers)
        reply = _object(data)
        if status != 200:
            self._refused(status, reply)
        token, seconds = reply.get("access_token"), reply.get("expires_in")
        is_token = isinstance(token, str) and is_word(token)
        if not is_token or not isinstance(seconds, (int, float)):
            raise RemoteError(f"{self._endpoint} answered a login without a token", "", "protocol")
        self._token = str(token)
        self._until = time.monotonic() + max(seconds - _EARLY_SECONDS, 0.5 * seconds)

    def _find_path(self) -> str:
        """The path of the token endpoint, which must be on the host itself: a secret goes to nobody
        else."""
        status, data = self._exchange("GET", _DISCOVERY, b"", {"accept": "application/json"})
        url = _object(data).get("token_endpoint")
        if status != 200 or not isinstance(url, str):
            text = f"{self._endpoint} does not say where to log in"
            raise RemoteError(text, "is it a control plane?", "protocol")
        if origin(url)[:3] != origin(self._endpoint)[:3]:
            text = f"{self._endpoint} wants the secret to go to another host, which is refused"
            raise RemoteError(text, "", "protocol")
        path = "/" + url.split("://", 1)[1].partition("/")[2]
        if not is_word(path):
            raise RemoteError(f"{self._endpoint} names a malformed token endpoint", "", "protocol")
        return path

    def _refused(self, status: int, reply: Dict[str, object]) -> None:
        why = reply.get("error_description") or reply.get("error") or f"HTTP status {status}"
        text = f"{self._credentials.client!r} cannot log in at {self._endpoint}: {why}"
        if status in (429, 502, 503, 504):
            raise UnreachableError(text, "try again later")
        if status == 401:
            raise UnauthenticatedError(text, "is the API key right, and not expired or deleted?")
        raise RemoteError(text, "", "protocol")


def _object(data: bytes) -> Dict[str, object]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}

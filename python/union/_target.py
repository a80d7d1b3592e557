"""Which control plane is meant, and who logs in there: arguments, environment, configuration files.

In the order of the command line: an endpoint that is given, UNION_ENDPOINT; an API key in the
environment; UNION_CONFIG; the user's configuration files; else nothing, which means the embedded
control plane. Credentials go to the host they were made for and to no other.
"""

from __future__ import annotations

import os

from ._errors import UnionError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, NoReturn, Optional, Tuple

API_KEYS = (
    "UNION_API_KEY",
    "UNION_SERVERLESS_API_KEY",
    "UNIONAI_SERVERLESS_API_KEY",
    "_UNION_EAGER_API_KEY",
    "_UNION_UNION_API_KEY",
    "FLYTE_API_KEY",
    "EAGER_API_KEY",
)
_API_KEY_MAX = 4096
_FILE_MAX = 65536
_BY_SECRET = ("clientsecret", "client_credentials")
_WITHOUT = ("", "pkce", "deviceflow", "standard")


class Credentials:
    """A client id and its secret, which only `use` gives. Made for one endpoint."""

    __slots__ = ("client", "endpoint", "_secret")

    def __init__(self, client: str, secret: str, endpoint: str) -> None:
        self.client = client
        self.endpoint = endpoint
        self._secret = secret

    def use(self) -> str:
        return self._secret

    def __repr__(self) -> str:
        return f"<credentials of {self.client}>"


class Target:
    """Where to call, whom to trust there, and who calls."""

    __slots__ = ("endpoint", "ca_file", "is_verified", "credentials")

    def __init__(self, endpoint: str, credentials: Optional[Credentials] = None) -> None:
        self.endpoint = endpoint
        self.ca_file = ""
        self.is_verified = True
        self.credentials = credentials

    def __repr__(self) -> str:
        return f"<target {self.endpoint}>"


def find_target(endpoint: Optional[str] = None) -> Optional[Target]:
    """Returns the target, or None for the embedded control plane. Raises UnionError."""
    given = endpoint or os.environ.get("UNION_ENDPOINT")
    settings = _read_config()
    credentials = _api_key()
    if given:
        target = Target(given)
    elif credentials is not None:
        target = Target("https://" + credentials.endpoint)
    elif settings.get("endpoint"):
        target = Target(_config_endpoint(settings))
    else:
        return None
    if target.endpoint.startswith("unix:"):
        return target
    target.ca_file = settings.get("caCertFilePath", "")
    target.is_verified = not _flag(settings, "insecureSkipVerify")
    if credentials is None or not is_made_for(credentials.endpoint, target.endpoint):
        credentials = None
        if not given or is_made_for(_config_endpoint(settings), given):
            credentials = _config_credentials(settings)
    target.credentials = credentials
    return target


def origin(endpoint: str) -> Tuple[str, str, int, bool]:
    """Scheme, host in lower case, port, and whether the port was written down. A bare host means
    https. Raises UnionError."""
    from urllib.parse import urlsplit

    text = endpoint.replace("dns:///", "https://", 1) if endpoint.startswith("dns:") else endpoint
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        scheme, host, port = parts.scheme, parts.hostname, parts.port
        is_plain = _is_plain(parts.netloc)
    except ValueError:
        scheme, host, port, is_plain = "", None, 0, False
    if scheme not in ("http", "https") or not host or port == 0 or not is_plain:
        raise UnionError(
            f"this is not an endpoint: '{endpoint}'",
            "write unix:///path/of/socket, https://host:port or http://127.0.0.1:port",
            "bad-config",
        )
    return scheme, host, port or (443 if scheme == "https" else 80), bool(port)


def _is_plain(netloc: str) -> bool:
    """Whether every program finds the same host there: letters, digits, dots and hyphens, or an
    address in brackets, and a port. No user, nothing that one takes for the end and another not."""
    host, colon, port = netloc.rpartition(":")
    if not colon or "]" in port:
        host, port = netloc, "0"
    if host.startswith("[") and host.endswith("]"):
        host, allowed = host[1:-1], "0123456789abcdefABCDEF:."
    else:
        allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
    return bool(host) and all(c in allowed for c in host) and port.isascii() and port.isdigit()


def is_made_for(maker: str, endpoint: str) -> bool:
    """Whether credentials of `maker` may go to `endpoint`: the same host, and the same port unless
    the maker named none."""
    if not maker:
        return False
    try:
        ours, theirs = origin(maker), origin(endpoint)
    except UnionError:
        return False
    if ours[1] != theirs[1]:
        return False
    return not ours[3] or ours[:3] == theirs[:3]


# ---- API keys ----


def _api_key() -> Optional[Credentials]:
    for name in API_KEYS:
        text = os.environ.get(name)
        if text:
            return parse_api_key(text.strip(), name)
    return None


def parse_api_key(text: str, name: str) -> Credentials:
    """Returns what base64 of "host:client:secret:org" says; the host may have a port."""
    from base64 import b64decode

    def refuse(why: str) -> NoReturn:
        hint = "an API key is one line that 'union create api-key admin' has printed"
        raise UnionError(f"{name}: this is not an API key: {why}", hint, "bad-config")

    if len(text) > _API_KEY_MAX:
        refuse("it is too long")
    try:
        parts = b64decode(text, validate=True).decode("ascii").rsplit(":", 3)
    except ValueError:  # it may quote the key: nothing of it goes on
        parts = []
    if len(parts) != 4:
        refuse("it does not have four parts; is one of them missing?")
    endpoint, client, secret, _ = parts
    try:
        origin(endpoint)
    except UnionError:
        endpoint = ""
    if not endpoint or "/" in endpoint:
        refuse("its first part is not a host")
    if not is_word(client) or client.isdigit():
        refuse("its second part is not a name")
    if not is_word(secret):
        refuse("its third part is not a secret")
    return Credentials(client, secret, endpoint)


def is_word(text: str) -> bool:
    """Whether it is not empty and visible ASCII: what a header can carry."""
    return bool(text) and all("!" <= c <= "~" for c in text)


# ---- configuration files ----


def _read_config() -> Dict[str, str]:
    """The scalars of `admin` in the first configuration file there is."""
    for name in ("UNION_CONFIG", "UNIONAI_CONFIG"):
        path = os.environ.get(name)
        if path:
            settings = _read_file(path)
            if settings is None:
                raise UnionError(f"no such configuration file: {path}", slug="bad-config")
            return settings
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    places = (os.path.join(folder, "union"), "~/.union", "~/.uctl")
    for place in places:
        settings = _read_file(os.path.join(os.path.expanduser(place), "config.yaml"))
        if settings is not None:
            return settings
    return {}


def _read_file(path: str) -> Optional[Dict[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_FILE_MAX + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or "it is not text"
        raise UnionError(f"cannot read {path}: {reason}", slug="bad-config") from None
    if len(text) > _FILE_MAX:
        raise UnionError(f"{path} has more than {_FILE_MAX} characters", slug="bad-config")
    return dict(_admin_settings(text, path))


def _admin_settings(text: str, path: str) -> Iterator[Tuple[str, str]]:
    """The lines `key: value` directly below `admin:`. Other sections, and what is nested deeper,
    are passed over."""
    is_inside, indent = False, 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#") or bare in ("---", "..."):
            continue
        depth = len(line) - len(line.lstrip(" "))
        key, colon, rest = bare.partition(":")
        if depth == 0:
            is_inside, indent = key == "admin", 0
            if is_inside and _scalar(rest):
                text = f"{path}:{number}: write one key a line below 'admin:'"
                raise UnionError(text, slug="bad-config")
        elif is_inside and colon:
            indent = indent or depth
            if depth == indent:
                yield key, _scalar(rest)


def _scalar(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else text
    if text.startswith("#"):
        return ""
    return text.partition(" #")[0].rstrip()


def _flag(settings: Dict[str, str], key: str) -> bool:
    return settings.get(key, "").lower() in ("true", "yes", "on")


def _config_endpoint(settings: Dict[str, str]) -> str:
    endpoint = settings.get("endpoint", "")
    bare = endpoint[len("dns:///") :] if endpoint.startswith("dns:///") else endpoint
    if not bare or "://" in bare:
        return bare
    return ("http://" if _flag(settings, "insecure") else "https://") + bare


def _config_credentials(settings: Dict[str, str]) -> Optional[Credentials]:
    kind = settings.get("authType", "").lower()
    client = settings.get("clientId", "")
    if kind not in _BY_SECRET:
        if kind not in _WITHOUT:
            text = f"the authType {settings['authType']!r} is not supported by union.UnionRemote"
            raise UnsupportedError(text, "use ClientSecret, or an API key in UNION_API_KEY")
        return None
    name, path = settings.get("clientSecretEnvVar", ""), settings.get("clientSecretLocation", "")
    if name:
        secret = os.environ.get(name, "")
        source = f"the variable {name}, which the configuration names for the client secret,"
    else:
        secret, source = _secret_file(path), f"the file of the client secret '{path}'"
    if not is_word(secret):
        raise UnionError(f"{source} holds no secret", slug="bad-config")
    if not is_word(client):
        raise UnionError("the configuration has no clientId", slug="bad-config")
    return Credentials(client, secret, _config_endpoint(settings))


def _secret_file(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(_FILE_MAX).rstrip("\r\n")
    except (OSError, ValueError):
        return ""

"""Requests for secrets, and how a task reads what it was given.

A value is in the task's environment or in a private file; nothing here stores, logs or prints one,
and no exception holds one. What the SDK calls `key` is the name of the secret.
"""

from __future__ import annotations

import os

from ._errors import SecretError, UnionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Union

    from ._wire import Message

NAME_MAX = 128
"""Bytes in the name of a secret."""

_NAME_CHARS = frozenset("-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ENV_CHARS = frozenset("_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")

ENV_PREFIX_VARIABLE = "FLYTE_SECRETS_ENV_PREFIX"
DIR_VARIABLE = "FLYTE_SECRETS_DEFAULT_DIR"
FILE_PREFIX_VARIABLE = "FLYTE_SECRETS_FILE_PREFIX"


class Mount:
    """How a task wants to see a secret: ANY (the control plane chooses), ENV_VAR or FILE."""

    ANY: Mount
    ENV_VAR: Mount
    FILE: Mount

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value

    def __repr__(self) -> str:
        return f"<MountType.{self.name}: {self.value}>"

    def __reduce__(self) -> Any:
        return (_mount, (self.name,))


def _mount(name: str) -> Mount:
    mount: Mount = getattr(Mount, name)
    return mount


Mount.ANY = Mount("ANY", 0)
Mount.ENV_VAR = Mount("ENV_VAR", 1)
Mount.FILE = Mount("FILE", 2)


class Secret:
    """One secret that a task asks for: `union.Secret(key="my_secret")`.

    group: a prefix for where the task finds it; not part of the secret's name.
    key: the name of the secret: letters, digits, "-" and "_", at most 128 bytes.
    group_version: the version to use, counted from 1; without it the newest.
    mount_requirement: Secret.MountType.ANY, ENV_VAR or FILE.
    env_var: an environment variable (A-Z, 0-9, "_") that holds the value; with FILE its path.

    Raises UnionError when a part is not as described.
    """

    MountType = Mount

    __slots__ = ("group", "key", "group_version", "mount_requirement", "env_var")

    def __init__(
        self,
        group: Optional[str] = None,
        key: Optional[str] = None,
        group_version: Optional[str] = None,
        mount_requirement: Mount = Mount.ANY,
        env_var: Optional[str] = None,
    ) -> None:
        if not key and not group:
            hint = 'write union.Secret(key="…")'
            raise UnionError("Secret: the argument 'key' is missing", hint, slug="invalid")
        _check_name("group", group)
        _check_name("key", key)
        _check_name("group_version", group_version)
        if not isinstance(mount_requirement, Mount):
            raise UnionError(
                "Secret: mount_requirement must be one of Secret.MountType.ANY, ENV_VAR, FILE",
                slug="invalid",
            )
        if env_var is not None and not _is_env_name(env_var):
            raise UnionError(
                f"Secret: env_var {env_var!r} is not a name for a variable",
                "A-Z, 0-9 and _, not starting with a digit",
                slug="invalid",
            )
        self.group = group
        self.key = key
        self.group_version = group_version
        self.mount_requirement = mount_requirement
        self.env_var = env_var

    def __repr__(self) -> str:
        parts = [f"{n}={getattr(self, n)!r}" for n in ("group", "key", "group_version", "env_var")]
        parts.insert(3, f"mount_requirement=Secret.MountType.{self.mount_requirement.name}")
        return f"Secret({', '.join(p for p in parts if not p.endswith('=None'))})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Secret.__slots__)

    def __hash__(self) -> int:
        return hash((self.group, self.key, self.group_version, self.env_var))

    def message(self) -> Message:
        """Returns the Secret message of a task's security context."""
        return {
            "group": self.group,
            "group_version": self.group_version,
            "key": self.key,
            "mount_requirement": self.mount_requirement.value,
            "env_var": self.env_var,
        }


def _check_name(argument: str, name: Optional[str]) -> None:
    if name is None:
        return
    if (
        not isinstance(name, str)
        or not 0 < len(name) <= NAME_MAX
        or not _NAME_CHARS.issuperset(name)
    ):
        raise UnionError(
            f"Secret: {argument} {name!r} is not a name for a secret",
            f"letters, digits, - and _, at most {NAME_MAX}",
            slug="bad-name",
        )


def _is_env_name(name: Any) -> bool:
    return (
        isinstance(name, str)
        and name != ""
        and _ENV_CHARS.issuperset(name)
        and not name[0].isdigit()
    )


class SecretsManager:
    """What `union.current_context().secrets` is: reads the secrets that the task asked for.

    `secrets.get(key="db_url")`, `secrets.get("group", "key")` and `secrets.GROUP.KEY` give text;
    `secrets.get_secrets_file("name")` gives the path of a secret mounted as a file.
    """

    __slots__ = ()

    def get(
        self,
        group: Optional[str] = None,
        key: Optional[str] = None,
        group_version: Optional[str] = None,
        encode_mode: str = "r",
    ) -> Union[str, bytes]:
        """Returns a value without the white space around it.

        Looks at the environment, then at the file. `encode_mode` "r" gives str, "rb" bytes.
        Raises SecretError, which names the `secret_requests` to add, when the task has no such
        secret, or when it is not UTF-8 text and "r" was asked for.
        """
        parts = _parts(group, group_version, key)
        if encode_mode not in ("r", "rb"):
            raise UnionError("secrets.get: encode_mode must be 'r' or 'rb'", slug="invalid")
        as_bytes = encode_mode == "rb"
        name = "_".join(part.upper() for part in parts)
        for variable in _variables(name):
            value = os.environ.get(variable)
            if value is not None:
                return os.fsencode(value).strip() if as_bytes else value.strip()
        path = _existing_file(parts)
        if path is None:
            raise _missing(group, key, group_version, name)
        return _read(path, as_bytes, parts[-1])

    def get_secrets_env_var(
        self,
        group: Optional[str] = None,
        key: Optional[str] = None,
        group_version: Optional[str] = None,
    ) -> str:
        """Returns the name of the environment variable where `get` looks first."""
        parts = _parts(group, group_version, key)
        return _variables("_".join(part.upper() for part in parts))[0]

    def get_secrets_file(
        self,
        group: Optional[str] = None,
        key: Optional[str] = None,
        group_version: Optional[str] = None,
    ) -> str:
        """Returns the path of a secret mounted as a file; whether it exists is not checked."""
        parts = _parts(group, group_version, key)
        return _existing_file(parts) or _files(parts)[0]

    def __getattr__(self, group: str) -> _Group:
        if group.startswith("__"):
            raise AttributeError(group)
        return _Group(group)

    def __repr__(self) -> str:
        return "<secrets of this task>"


class _Group:
    """`secrets.GROUP`: its attributes are the values of its keys."""

    __slots__ = ("_group",)

    def __init__(self, group: str) -> None:
        self._group = group

    def __getattr__(self, key: str) -> Union[str, bytes]:
        if key.startswith("__"):
            raise AttributeError(key)
        return SecretsManager().get(self._group, key)

    def __repr__(self) -> str:
        return f"<secrets of the group {self._group!r}>"


def is_local() -> bool:
    """Whether this is no task of an execution, but a script run in the current Python."""
    return "FLYTE_INTERNAL_EXECUTION_ID" not in os.environ


def _parts(group: Optional[str], version: Optional[str], key: Optional[str]) -> List[str]:
    parts = [part for part in (group, version, key) if part]
    if not key and not group:
        text = "secrets.get: the argument 'key' is missing"
        raise UnionError(text, 'write secrets.get(key="…")', slug="invalid")
    for part in parts:
        if not isinstance(part, str) or not _NAME_CHARS.issuperset(part):
            text = f"secrets.get: {part!r} is not a name for a secret"
            raise UnionError(text, f"letters, digits, - and _, at most {NAME_MAX}", slug="bad-name")
    return parts


def _variables(name: str) -> List[str]:
    """Returns the variables to look at. Only a local run takes a name without the prefix."""
    prefix = os.environ.get(ENV_PREFIX_VARIABLE)
    variables = [prefix + name] if prefix is not None else ["_UNION_" + name, "_FSEC_" + name]
    if is_local():
        variables.append(name)
    return variables


def _files(parts: List[str]) -> List[str]:
    """Returns the paths to look at: the file's name in lower case, then as given."""
    folder = os.environ.get(DIR_VARIABLE, "/etc/flyte/secrets")
    prefix = os.environ.get(FILE_PREFIX_VARIABLE, "")
    lower = [part.lower() for part in parts]
    given = list(parts)
    return ["/".join([folder, *p[:-1], prefix + p[-1]]) for p in (lower, given)]


def _existing_file(parts: List[str]) -> Optional[str]:
    return next((path for path in _files(parts) if os.path.isfile(path)), None)


def _read(path: str, as_bytes: bool, name: str) -> Union[str, bytes]:
    try:
        with open(path, "rb") as file:
            value = file.read().strip()
    except OSError as err:
        raise SecretError(f"cannot read the secret {name!r}: {err.strerror}") from None
    if as_bytes:
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:  # the exception holds the value: it must not travel on
        pass
    hint = 'use encode_mode="rb", or get_secrets_file'
    raise SecretError(f"the secret {name!r} is not UTF-8 text", hint, slug="invalid")


def _missing(
    group: Optional[str], key: Optional[str], version: Optional[str], name: str
) -> SecretError:
    fields = [("group", group), ("key", key), ("group_version", version)]
    if not key:
        fields = [("key", group), ("group_version", version)]
    request = ", ".join(f'{field}="{value}"' for field, value in fields if value)
    add = f"secret_requests=[union.Secret({request})]"
    if is_local():
        hint = f"in a local run, set the environment variable {name}; --remote needs {add}"
    else:
        hint = f"add {add} to the task"
    return SecretError(f"the task has no secret {key or group!r}", hint)

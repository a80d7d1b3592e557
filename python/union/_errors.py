"""The exceptions of this package. No message ever quotes a value.

Each has a `slug`, the name that the error has in every part of the system (`src/base/err.def`), and
a `hint`, what to do next, or "".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class UnionError(Exception):
    """Anything that this package refuses or that failed. `str()` says what and why."""

    __module__ = "union"
    slug = "internal"

    def __init__(self, message: str, hint: str = "", slug: Optional[str] = None) -> None:
        super().__init__(message)
        self.hint = hint
        if slug is not None:
            self.slug = slug

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message} ({self.hint})" if self.hint else message

    @property
    def message(self) -> str:
        """What failed, without the hint."""
        return str(self.args[0])


class UnsupportedError(UnionError):
    """Part of the interface that this version does not have: an argument, a kind of node."""

    __module__ = "union"
    slug = "unsupported"


class TypeUnsupportedError(UnionError, TypeError):
    """An input or output has a type that cannot travel between tasks."""

    __module__ = "union"
    slug = "type-unsupported"


class TypeMismatchError(UnionError, TypeError):
    """A value does not have the type that the signature declares. Names both types only."""

    __module__ = "union"
    slug = "input-type"


class WorkflowError(UnionError):
    """A workflow function does what cannot be done while its graph is built."""

    __module__ = "union"
    slug = "script-error"


class SecretError(UnionError, ValueError):
    """A secret that the task cannot see; says what to add to `secret_requests`."""

    __module__ = "union"
    slug = "secret-out-of-reach"


class RecoverableError(UnionError):
    """Raise it (or a subclass) in a task to have the attempt repeated, up to `retries` times."""

    __module__ = "union"
    slug = "task-failed"


FlyteRecoverableException = RecoverableError
"""The name that existing code knows."""

"""What calls to a control plane raise. `union.remote` is where users import them from."""

from __future__ import annotations

from ._errors import UnionError, UnsupportedError


class RemoteError(UnionError):
    """The control plane refused or failed. `slug` names the error, `hint` says what to do."""

    __module__ = "union.remote"


class NotFoundError(RemoteError):
    """What was asked for does not exist."""

    __module__ = "union.remote"
    slug = "not-found"


class ExistsError(RemoteError):
    """What was to be made exists already."""

    __module__ = "union.remote"
    slug = "exists"


class InvalidRequestError(RemoteError):
    """The request cannot be granted as it stands."""

    __module__ = "union.remote"
    slug = "invalid"


class DeniedError(RemoteError):
    """The caller may not do this."""

    __module__ = "union.remote"
    slug = "denied"


class UnauthenticatedError(RemoteError):
    """The caller is not known."""

    __module__ = "union.remote"
    slug = "unauthenticated"


class UnreachableError(RemoteError):
    """No control plane answers, or it cannot now; the same call may work later."""

    __module__ = "union.remote"
    slug = "unreachable"


class DeadlineError(RemoteError):
    """It took longer than allowed."""

    __module__ = "union.remote"
    slug = "timeout"


class RemoteUnsupportedError(RemoteError, UnsupportedError):
    """The control plane does not have this."""

    __module__ = "union.remote"
    slug = "unsupported"

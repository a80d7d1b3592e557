"""Checks of the arguments that decorators take: what is not supported is refused by name."""

from __future__ import annotations

from ._errors import UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def refuse(owner: str, arguments: Dict[str, Any], allowed: Dict[str, Any]) -> None:
    """Raises UnsupportedError for the first argument whose value is none of those `allowed`."""
    for name, value in arguments.items():
        if name not in allowed:
            raise UnsupportedError(f"{owner} has no argument {name!r}")
        if not any(
            value is ok or (type(value) is type(ok) and value == ok) for ok in allowed[name]
        ):
            raise UnsupportedError(f"{owner}: the argument {name!r} is not supported yet")

"""Python values of literals whose declared type is not known here: of executions of others."""

from __future__ import annotations

from ._dataclasses import plain_of_struct
from ._times import DATETIME, TIMEDELTA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._wire import Message


def value_of(literal: Message) -> Any:
    """Returns what a literal holds. A dataclass comes as a dict of its fields, whole numbers in it
    as int."""
    if "collection" in literal:
        return [value_of(item) for item in literal["collection"].get("literals", ())]
    if "map" in literal:
        return {k: value_of(v) for k, v in literal["map"].get("literals", {}).items()}
    scalar = literal.get("scalar", {})
    if "union" in scalar:
        return value_of(scalar["union"].get("value", {}))
    if "binary" in scalar:
        return scalar["binary"].get("value", b"")
    if "generic" in scalar:
        return _with_ints(plain_of_struct(scalar["generic"]))
    primitive = scalar.get("primitive", {})
    if "datetime" in primitive:
        return DATETIME.from_literal(literal, "value")
    if "duration" in primitive:
        return TIMEDELTA.from_literal(literal, "value")
    return next(iter(primitive.values()), None)


def _with_ints(plain: Any) -> Any:
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if isinstance(plain, list):
        return [_with_ints(item) for item in plain]
    if isinstance(plain, dict):
        return {name: _with_ints(member) for name, member in plain.items()}
    return plain

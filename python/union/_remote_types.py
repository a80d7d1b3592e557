"""The way from a registered LiteralType to a `Type`, for inputs of entities of others."""

from __future__ import annotations

from . import _schema as s
from ._dataclasses import plain_of_struct, struct_of_plain
from ._errors import TypeMismatchError, TypeUnsupportedError
from ._times import DATETIME, TIMEDELTA
from ._types import NOTHING, Dict_, List, Optional_, Type, type_of, wrong_literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from ._wire import Message

_SIMPLE: Dict[int, Type] = {
    s.NONE: NOTHING,
    s.INTEGER: type_of(int, {}, ""),
    s.FLOAT: type_of(float, {}, ""),
    s.STRING: type_of(str, {}, ""),
    s.BOOLEAN: type_of(bool, {}, ""),
    s.BINARY: type_of(bytes, {}, ""),
    s.DATETIME: DATETIME,
    s.DURATION: TIMEDELTA,
}


class Members(Type):
    """A dataclass that is not known here, with its fields: a dict, or any dataclass like it."""

    name = tag = "dict"

    def __init__(self, fields: Dict[str, Type]) -> None:
        self.fields = fields

    def to_literal(self, value: Any, where: str) -> Message:
        return {"scalar": {"generic": struct_of_plain(self.to_plain(value, where))}}

    def from_literal(self, literal: Message, where: str) -> Any:
        if "generic" not in literal.get("scalar", {}):
            raise wrong_literal(self, literal, where)
        return self.from_plain(plain_of_struct(literal["scalar"]["generic"]), where)

    def to_plain(self, value: Any, where: str) -> Any:
        return {
            n: self._field(n, where).to_plain(v, f"{where}.{n}") for n, v in _items(value, where)
        }

    def from_plain(self, plain: Any, where: str) -> Any:
        items = _items(plain, where)
        return {n: self._field(n, where).from_plain(v, f"{where}.{n}") for n, v in items}

    def _field(self, name: str, where: str) -> Type:
        if name not in self.fields:
            raise TypeMismatchError(f"{where} has no field {name!r}")
        return self.fields[name]


def _items(value: Any, where: str) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return [(name, getattr(value, name)) for name in value.__dataclass_fields__]
    if not isinstance(value, dict):
        raise TypeMismatchError(f"{where} must be dict, not {type(value).__name__}")
    return list(value.items())


def type_of_literal_type(literal_type: Message, where: str) -> Type:
    """Returns the Type of a LiteralType. Raises TypeUnsupportedError."""
    if "collection_type" in literal_type:
        return List(type_of_literal_type(literal_type["collection_type"], where))
    if "map_value_type" in literal_type:
        return Dict_(type_of_literal_type(literal_type["map_value_type"], where))
    if "union_type" in literal_type:
        variants = literal_type["union_type"].get("variants", [])
        others = [v for v in variants if v.get("simple") != s.NONE]
        if len(others) == 1 and len(variants) == 2:
            return Optional_(type_of_literal_type(others[0], where))
    simple = literal_type.get("simple")
    if simple in _SIMPLE:
        return _SIMPLE[simple]
    fields = literal_type.get("structure", {}).get("dataclass_type", {})
    if simple == s.STRUCT and fields:
        return Members({n: type_of_literal_type(t, f"{where}.{n}") for n, t in fields.items()})
    raise TypeUnsupportedError(f"{where} has a type that this version does not know")

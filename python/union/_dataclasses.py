"""Dataclasses as literals: a Struct with a member for each field.

A Struct knows doubles, text, bool, null, lists and members only; `Type.to_plain` says how the other
types look in it, and the declared type of the field brings them back.
"""

from __future__ import annotations

import sys

from . import _schema as s
from ._errors import TypeMismatchError, TypeUnsupportedError
from ._types import Type, type_of, wrong_literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

    from ._wire import Message

_known: Dict[type, Dataclass] = {}
_open: Dict[type, bool] = {}


class Dataclass(Type):
    """A dataclass whose fields have supported types. Fields with init=False are left out."""

    def __init__(self, python: type, fields: Dict[str, Type], required: Tuple[str, ...]) -> None:
        self.python = python
        self.fields = fields
        self.required = required
        self.name = python.__qualname__
        self.tag = python.__qualname__

    def literal_type(self) -> Message:
        types = {name: field.literal_type() for name, field in self.fields.items()}
        return {"simple": s.STRUCT, "structure": {"tag": self.tag, "dataclass_type": types}}

    def to_literal(self, value: Any, where: str) -> Message:
        return {"scalar": {"generic": struct_of_plain(self.to_plain(value, where))}}

    def from_literal(self, literal: Message, where: str) -> Any:
        struct = literal.get("scalar", {}).get("generic")
        if struct is None:
            raise wrong_literal(self, literal, where)
        return self.from_plain(plain_of_struct(struct), where)

    def to_plain(self, value: Any, where: str) -> Any:
        if not isinstance(value, self.python):
            raise self.mismatch(value, where)
        if type(value) is not self.python:  # its other fields would be lost
            raise self.mismatch(value, where)
        return {
            name: field.to_plain(getattr(value, name), f"{where}.{name}")
            for name, field in self.fields.items()
        }

    def from_plain(self, plain: Any, where: str) -> Any:
        if not isinstance(plain, dict):
            raise self.mismatch(plain, where)
        unknown = sorted(plain.keys() - self.fields.keys())
        if unknown:
            raise TypeMismatchError(f"{where}: {self.name} has no field {unknown[0]!r}")
        missing = [name for name in self.required if name not in plain]
        if missing:
            raise TypeMismatchError(f"{where}: {self.name} needs the field {missing[0]!r}")
        values = {n: self.fields[n].from_plain(v, f"{where}.{n}") for n, v in plain.items()}
        return self.python(**values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataclass) and self.python is other.python

    def __hash__(self) -> int:
        return hash(self.python)


def dataclass_of(python: type, where: str) -> Dataclass:
    """Returns the Type of a dataclass. Raises TypeUnsupportedError for a field it cannot have."""
    if python in _known:
        return _known[python]
    if python in _open:
        raise TypeUnsupportedError(
            f"{where} has the type {python.__qualname__}, which contains itself"
        )
    _open[python] = True
    try:
        fields, required = _fields_of(python, where)
    finally:
        del _open[python]
    _known[python] = Dataclass(python, fields, required)
    return _known[python]


def _fields_of(python: type, where: str) -> Tuple[Dict[str, Type], Tuple[str, ...]]:
    from dataclasses import MISSING

    fields: Dict[str, Type] = {}
    required = []
    for name, field in python.__dataclass_fields__.items():  # type: ignore[attr-defined]
        place = f"{where}: field {name!r} of {python.__qualname__}"
        kind = field._field_type.name
        if kind == "_FIELD_CLASSVAR":
            continue
        if kind == "_FIELD_INITVAR":
            raise TypeUnsupportedError(f"{place} is an InitVar, which cannot be read back")
        if not field.init:
            continue
        fields[name] = type_of(field.type, _namespace(python, name), place)
        if field.default is MISSING and field.default_factory is MISSING:
            required.append(name)
    return fields, tuple(required)


def _namespace(python: type, field: str) -> Dict[str, Any]:
    """Returns the names that the class that declared `field` saw: its module's and its own."""
    for base in python.__mro__:
        if field in base.__dict__.get("__annotations__", {}):
            module = sys.modules.get(base.__module__)
            return {**(vars(module) if module else {}), **base.__dict__, base.__name__: base}
    return {**python.__dict__, python.__name__: python}


def struct_of_plain(plain: Dict[str, Any]) -> Message:
    """Returns what `Type.to_plain` gave as a Struct message."""
    return {"fields": {name: _to_value(member) for name, member in plain.items()}}


def _to_value(plain: Any) -> Message:
    if plain is None:
        return {"null_value": 0}
    if isinstance(plain, bool):
        return {"bool_value": plain}
    if isinstance(plain, (int, float)):
        return {"number_value": float(plain)}
    if isinstance(plain, str):
        return {"string_value": plain}
    if isinstance(plain, list):
        return {"list_value": {"values": [_to_value(item) for item in plain]}}
    return {"struct_value": struct_of_plain(plain)}


def plain_of_struct(struct: Message) -> Dict[str, Any]:
    """Returns a Struct message as JSON has it; every number is a float."""
    return {name: _from_value(value) for name, value in struct.get("fields", {}).items()}


def _from_value(value: Message) -> Any:
    for kind, content in value.items():
        if kind == "list_value":
            return [_from_value(item) for item in content.get("values", ())]
        if kind == "struct_value":
            return plain_of_struct(content)
        if kind != "null_value":
            return content
    return None

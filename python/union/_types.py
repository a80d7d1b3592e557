"""Which Python types travel between tasks, and how their values look as literals.

`type_of(annotation)` gives a `Type`, which turns values into Literal messages (dicts, see
`_schema`) and back. Types: int, float, str, bool, bytes, None, datetime, timedelta, list, dict
with str keys, dataclass, Optional. Anything else raises TypeUnsupportedError when the script is
compiled.

Messages name types and places, never a value: a value may be a secret.
"""

from __future__ import annotations

import sys

from . import _schema as s
from ._errors import TypeMismatchError, TypeUnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

    from ._wire import Message

SUPPORTED = (
    "int, float, str, bool, bytes, None, datetime.datetime, datetime.timedelta, list[T], "
    "dict[str, T], dataclasses, Optional[T]"
)

EXACT_FLOAT_MAX = 1 << 53
"""Integers up to this are exact as a double, which is what a number in a Struct is."""


class Type:
    """One type of the interface. Subclasses say how a value becomes a literal and back."""

    name = ""
    """As it reads in a message: "int", "list[str]"."""
    tag = ""
    """How a member of an Optional is told from its siblings."""

    def literal_type(self) -> Message:
        """Returns the LiteralType of this type."""
        raise NotImplementedError

    def to_literal(self, value: Any, where: str) -> Message:
        """Returns `value` as a Literal. Raises TypeMismatchError that names `where`."""
        raise NotImplementedError

    def from_literal(self, literal: Message, where: str) -> Any:
        """Returns the Python value of `literal`. Raises TypeMismatchError that names `where`."""
        raise NotImplementedError

    def to_plain(self, value: Any, where: str) -> Any:
        """Returns `value` as JSON has it (None, bool, float, int, str, list, dict)."""
        raise NotImplementedError

    def from_plain(self, plain: Any, where: str) -> Any:
        """The way back from `to_plain`."""
        raise NotImplementedError

    def accepts(self, other: Type) -> bool:
        """Whether a value of type `other` may be passed where this type is declared."""
        return self == other

    def mismatch(self, value: Any, where: str) -> TypeMismatchError:
        return TypeMismatchError(f"{where} must be {self.name}, not {type(value).__name__}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class Simple(Type):
    """A type that is one Primitive: subclasses fill in the four attributes."""

    simple = s.NONE
    field = ""  # of Primitive
    python: type = object

    def literal_type(self) -> Message:
        return {"simple": self.simple}

    def check(self, value: Any, where: str) -> Any:
        if not isinstance(value, self.python):
            raise self.mismatch(value, where)
        return value

    def to_literal(self, value: Any, where: str) -> Message:
        return {"scalar": {"primitive": {self.field: self.check(value, where)}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        primitive = literal.get("scalar", {}).get("primitive", {})
        if self.field not in primitive:
            raise wrong_literal(self, literal, where)
        return primitive[self.field]

    def to_plain(self, value: Any, where: str) -> Any:
        return self.check(value, where)

    def from_plain(self, plain: Any, where: str) -> Any:
        return self.check(plain, where)


class Int(Simple):
    name, tag = "int", "int"
    simple, field, python = s.INTEGER, "integer", int

    def check(self, value: Any, where: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.mismatch(value, where)
        if not -(1 << 63) <= value < 1 << 63:
            raise TypeMismatchError(f"{where} must fit in 64 bits with a sign")
        return int(value)

    def to_plain(self, value: Any, where: str) -> Any:
        value = self.check(value, where)
        # A Struct has doubles only. As JSON does for 64 bits, larger numbers go as text.
        return value if -EXACT_FLOAT_MAX <= value <= EXACT_FLOAT_MAX else str(value)

    def from_plain(self, plain: Any, where: str) -> Any:
        if isinstance(plain, str) and plain.lstrip("-").isdecimal() and len(plain) <= 20:
            plain = int(plain)
        elif isinstance(plain, float) and plain.is_integer():
            plain = int(plain)
        return self.check(plain, where)


class Float(Simple):
    name, tag = "float", "float"
    simple, field, python = s.FLOAT, "float_value", float

    def check(self, value: Any, where: str) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if not -EXACT_FLOAT_MAX <= value <= EXACT_FLOAT_MAX:
                raise TypeMismatchError(f"{where} must be float; this int is not exact as one")
            return float(value)
        return float(super().check(value, where))

    def from_literal(self, literal: Message, where: str) -> Any:
        primitive = literal.get("scalar", {}).get("primitive", {})
        if "integer" in primitive:
            return self.check(primitive["integer"], where)
        return super().from_literal(literal, where)


class Str(Simple):
    name, tag = "str", "str"
    simple, field, python = s.STRING, "string_value", str

    def check(self, value: Any, where: str) -> Any:
        text = super().check(value, where)
        try:
            text.encode()
        except UnicodeEncodeError:  # its message would quote the value
            raise TypeMismatchError(f"{where} must be str without lone surrogates") from None
        if "\0" in text:  # the control plane's messages cannot carry one inside of text
            raise TypeMismatchError(f"{where} must be str without NUL; bytes can hold it")
        return str.__str__(text)


class Bool(Simple):
    name, tag = "bool", "bool"
    simple, field, python = s.BOOLEAN, "boolean", bool


class Bytes(Type):
    name = tag = "bytes"

    def literal_type(self) -> Message:
        return {"simple": s.BINARY}

    def to_literal(self, value: Any, where: str) -> Message:
        if not isinstance(value, (bytes, bytearray)):
            raise self.mismatch(value, where)
        return {"scalar": {"binary": {"value": bytes(value)}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        binary = literal.get("scalar", {}).get("binary")
        if binary is None:
            raise wrong_literal(self, literal, where)
        return binary.get("value", b"")

    def to_plain(self, value: Any, where: str) -> Any:
        if not isinstance(value, (bytes, bytearray)):
            raise self.mismatch(value, where)
        from binascii import b2a_base64

        return b2a_base64(value, newline=False).decode()

    def from_plain(self, plain: Any, where: str) -> Any:
        from binascii import Error, a2b_base64

        if not isinstance(plain, str):
            raise self.mismatch(plain, where)
        try:
            return a2b_base64(plain)
        except (Error, ValueError):
            raise TypeMismatchError(f"{where} must be bytes as base64") from None


class Nothing(Type):
    name, tag = "None", "none"

    def literal_type(self) -> Message:
        return {"simple": s.NONE}

    def to_literal(self, value: Any, where: str) -> Message:
        if value is not None:
            raise self.mismatch(value, where)
        return {"scalar": {"none_type": {}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        if "none_type" not in literal.get("scalar", {}):
            raise wrong_literal(self, literal, where)
        return None

    def to_plain(self, value: Any, where: str) -> Any:
        if value is not None:
            raise self.mismatch(value, where)
        return None

    def from_plain(self, plain: Any, where: str) -> Any:
        return self.to_plain(plain, where)


class List(Type):
    def __init__(self, item: Type) -> None:
        self.item = item
        self.name = f"list[{item.name}]"
        self.tag = "list"

    def literal_type(self) -> Message:
        return {"collection_type": self.item.literal_type()}

    def check(self, value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise self.mismatch(value, where)
        return value

    def to_literal(self, value: Any, where: str) -> Message:
        to_literal = self.item.to_literal
        items = enumerate(self.check(value, where))
        return {"collection": {"literals": [to_literal(v, f"{where}[{i}]") for i, v in items]}}

    def from_literal(self, literal: Message, where: str) -> Any:
        if "collection" not in literal:
            raise wrong_literal(self, literal, where)
        items = enumerate(literal["collection"].get("literals", ()))
        from_literal = self.item.from_literal
        return [from_literal(item, f"{where}[{i}]") for i, item in items]

    def to_plain(self, value: Any, where: str) -> Any:
        items = enumerate(self.check(value, where))
        return [self.item.to_plain(v, f"{where}[{i}]") for i, v in items]

    def from_plain(self, plain: Any, where: str) -> Any:
        items = enumerate(self.check(plain, where))
        return [self.item.from_plain(v, f"{where}[{i}]") for i, v in items]

    def accepts(self, other: Type) -> bool:
        return isinstance(other, List) and self.item.accepts(other.item)


class Dict_(Type):
    def __init__(self, item: Type) -> None:
        self.item = item
        self.name = f"dict[str, {item.name}]"
        self.tag = "dict"

    def literal_type(self) -> Message:
        return {"map_value_type": self.item.literal_type()}

    def check(self, value: Any, where: str) -> Dict[str, Any]:
        if not isinstance(value, dict):
            raise self.mismatch(value, where)
        for key in value:
            if not isinstance(key, str):
                raise TypeMismatchError(f"{where}: keys must be str, not {type(key).__name__}")
            STR.check(key, f"{where}: keys")
        return value

    def to_literal(self, value: Any, where: str) -> Message:
        items = self.check(value, where).items()
        literals = {k: self.item.to_literal(v, f"{where}[…]") for k, v in items}
        return {"map": {"literals": literals}}

    def from_literal(self, literal: Message, where: str) -> Any:
        if "map" not in literal:
            raise wrong_literal(self, literal, where)
        items = literal["map"].get("literals", {}).items()
        return {k: self.item.from_literal(v, f"{where}[…]") for k, v in items}

    def to_plain(self, value: Any, where: str) -> Any:
        items = self.check(value, where).items()
        return {k: self.item.to_plain(v, f"{where}[…]") for k, v in items}

    def from_plain(self, plain: Any, where: str) -> Any:
        items = self.check(plain, where).items()
        return {k: self.item.from_plain(v, f"{where}[…]") for k, v in items}

    def accepts(self, other: Type) -> bool:
        return isinstance(other, Dict_) and self.item.accepts(other.item)


class Optional_(Type):
    def __init__(self, item: Type) -> None:
        self.item = item
        self.name = f"Optional[{item.name}]"
        self.tag = item.tag

    def literal_type(self) -> Message:
        return {"union_type": {"variants": [_variant(self.item), _variant(NOTHING)]}}

    def to_literal(self, value: Any, where: str) -> Message:
        chosen = NOTHING if value is None else self.item
        literal = chosen.to_literal(value, where)
        return {"scalar": {"union": {"value": literal, "type": _variant(chosen)}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        scalar = literal.get("scalar", {})
        if "union" in scalar:
            literal = scalar["union"].get("value", {})
            scalar = literal.get("scalar", {})
        if "none_type" in scalar:
            return None
        return self.item.from_literal(literal, where)

    def to_plain(self, value: Any, where: str) -> Any:
        return None if value is None else self.item.to_plain(value, where)

    def from_plain(self, plain: Any, where: str) -> Any:
        return None if plain is None else self.item.from_plain(plain, where)

    def accepts(self, other: Type) -> bool:
        if isinstance(other, Optional_):
            return self.item.accepts(other.item)
        return isinstance(other, Nothing) or self.item.accepts(other)


def _variant(member: Type) -> Message:
    literal_type = member.literal_type()
    structure = dict(literal_type.get("structure", {}), tag=member.tag)
    return {**literal_type, "structure": structure}


NOTHING = Nothing()
STR = Str()
_SIMPLE: Dict[Any, Type] = {
    int: Int(),
    float: Float(),
    str: STR,
    bool: Bool(),
    bytes: Bytes(),
    None: NOTHING,
    type(None): NOTHING,
}


def type_of(annotation: Any, namespace: Dict[str, Any], where: str) -> Type:
    """Returns the Type of an annotation.

    `annotation` may be text (as `from __future__ import annotations` leaves it), evaluated in
    `namespace`. Raises TypeUnsupportedError that names `where` and what is supported.
    """
    if isinstance(annotation, str):
        annotation = evaluate(annotation, namespace, where)
    try:
        known = _SIMPLE.get(annotation)
    except TypeError:  # not hashable, so no type
        known = None
    if known is not None:
        return known
    if hasattr(annotation, "__forward_arg__"):  # list["Point"]
        return type_of(annotation.__forward_arg__, namespace, where)
    origin = getattr(annotation, "__origin__", None)
    arguments: Tuple[Any, ...] = getattr(annotation, "__args__", ())
    if origin is list and len(arguments) == 1 and not _is_type_variable(arguments[0]):
        return List(type_of(arguments[0], namespace, where))
    if origin is dict and len(arguments) == 2 and arguments[0] is str:
        return Dict_(type_of(arguments[1], namespace, where))
    if _is_union(annotation, origin):
        return _optional_of(annotation, arguments, namespace, where)
    if isinstance(annotation, type) and origin is None:
        if hasattr(annotation, "__dataclass_fields__"):
            from ._dataclasses import dataclass_of

            return dataclass_of(annotation, where)
        datetime = sys.modules.get("datetime")
        if datetime is not None and annotation in (datetime.datetime, datetime.timedelta):
            from ._times import DATETIME, TIMEDELTA

            return DATETIME if annotation is datetime.datetime else TIMEDELTA
    raise unsupported(annotation, where)


def evaluate(text: str, namespace: Dict[str, Any], where: str) -> Any:
    """Returns what the annotation `text` means where it was written."""
    try:
        return eval(text, namespace)  # the script's own text, in the script's own namespace
    except Exception as err:
        raise TypeUnsupportedError(
            f"{where} has the type {text}, which cannot be evaluated: {type(err).__name__}: {err}"
        ) from None


def unsupported(annotation: Any, where: str) -> TypeUnsupportedError:
    hint = f"supported: {SUPPORTED}"
    return TypeUnsupportedError(f"{where} has the type {spelled(annotation)}", hint)


def spelled(annotation: Any) -> str:
    """Returns an annotation as a person would write it."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        module = annotation.__module__
        plain = module in ("builtins", "__main__")
        return annotation.__qualname__ if plain else f"{module}.{annotation.__qualname__}"
    return repr(annotation)


def wrong_literal(wanted: Type, literal: Message, where: str) -> TypeMismatchError:
    return TypeMismatchError(f"{where} must be {wanted.name}, not {_kind(literal)}")


def _kind(literal: Message) -> str:
    """Returns what a literal holds, in Python's words."""
    if "collection" in literal:
        return "list"
    if "map" in literal:
        return "dict"
    scalar = literal.get("scalar", {})
    if "union" in scalar:
        return _kind(scalar["union"].get("value", {}))
    if "primitive" in scalar:
        names = {
            "integer": "int",
            "float_value": "float",
            "string_value": "str",
            "boolean": "bool",
            "datetime": "datetime",
            "duration": "timedelta",
        }
        return next((names[field] for field in scalar["primitive"]), "nothing")
    names = {"none_type": "None", "binary": "bytes", "generic": "dataclass", "blob": "a file"}
    return next((names[field] for field in scalar if field in names), "nothing")


def _is_type_variable(argument: Any) -> bool:
    return type(argument).__name__ == "TypeVar"


def _is_union(annotation: Any, origin: Any) -> bool:
    """Recognizes Optional[T], Union[T, None] and T | None without importing typing."""
    if type(annotation).__name__ in ("UnionType", "Union"):
        return True
    typing = sys.modules.get("typing")
    return typing is not None and origin is typing.Union


def _optional_of(annotation: Any, arguments: Any, namespace: Dict[str, Any], where: str) -> Type:
    members = [argument for argument in arguments if argument is not type(None)]
    if len(members) != 1 or len(members) == len(arguments):
        raise unsupported(annotation, where)
    return Optional_(type_of(members[0], namespace, where))

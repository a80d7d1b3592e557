"""Protocol buffers, as much of them as the messages of `proto/` need.

A message is a plain dict from field name to value; a field that is absent is not in the dict.
What a field is stands in a table, `Schema`: message name -> field name -> (number, kind, shape).

kind   "i" int32, int64 and enums; "u" uint32 and uint64; "b" bool; "d" double; "s" string;
       "y" bytes; anything else names a message of the same table.
shape  "" a single value, whose default is not sent unless it is a message; "?" a single value
       that is sent whenever it is set (members of a oneof); "*" repeated; "%" a map from string.

Unknown fields are skipped on reading. Nothing here keeps state; any thread may call it.
"""

from __future__ import annotations

from struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Tuple

    Message = Dict[str, Any]
    Field = Tuple[int, str, str]
    Schema = Dict[str, Dict[str, Field]]

DEPTH_MAX = 100
"""Messages nested deeper than this are refused, on reading and on writing."""


class WireError(ValueError):
    """The bytes are not a message of the expected kind. `str()` says where and why."""


def encode(schema: Schema, name: str, message: Message) -> bytes:
    """Returns the bytes of `message`, a message called `name` in `schema`.

    Fields are written in the order of the schema and maps in the order of the dict, so equal
    dicts give equal bytes. Raises WireError for a field that the schema does not have or a value
    that does not fit, KeyError for an unknown message name.
    """
    return _encode(schema, name, message, DEPTH_MAX)


def decode(schema: Schema, name: str, data: bytes) -> Message:
    """Returns the message called `name` in `schema` that `data` holds. Raises WireError."""
    return _decode(schema, name, bytes(data), DEPTH_MAX)


def _encode(schema: Schema, name: str, message: Message, depth: int) -> bytes:
    fields = schema[name]
    if depth == 0:
        raise WireError(f"{name}: nested too deep")
    if not message.keys() <= fields.keys():
        unknown = sorted(message.keys() - fields.keys())
        raise WireError(f"{name}: no field {unknown[0]!r}")
    out: List[bytes] = []
    ordered = fields if len(message) > 1 else message
    for field in ordered:
        value = message.get(field)
        if value is None:
            continue
        number, kind, shape = fields[field]
        try:
            if shape == "*":
                _encode_repeated(schema, number, kind, value, depth, out)
            elif shape == "%":
                for key, item in value.items():
                    entry = _encode_field(schema, 1, "s", key, depth)
                    entry += _encode_field(schema, 2, kind, item, depth)
                    out.append(_varint(number << 3 | 2) + _varint(len(entry)) + entry)
            elif value or shape == "?" or kind not in _DEFAULTS:
                out.append(_encode_field(schema, number, kind, value, depth))
            elif kind == "d" and str(value) == "-0.0":
                out.append(_encode_field(schema, number, kind, value, depth))
        except (TypeError, AttributeError, OverflowError, UnicodeEncodeError) as err:
            if isinstance(err, UnicodeEncodeError):  # its text quotes the value
                raise WireError(f"{name}.{field}: not a Unicode string") from None
            raise WireError(f"{name}.{field}: {err}") from None
    return b"".join(out)


_DEFAULTS = frozenset("iubdsy")


def _encode_repeated(
    schema: Schema, number: int, kind: str, values: List[Any], depth: int, out: List[bytes]
) -> None:
    if kind in "iubd":  # packed
        body = b"".join(_encode_field(schema, 0, kind, value, depth)[1:] for value in values)
        if body:
            out.append(_varint(number << 3 | 2) + _varint(len(body)) + body)
        return
    for value in values:
        out.append(_encode_field(schema, number, kind, value, depth))


def _encode_field(schema: Schema, number: int, kind: str, value: Any, depth: int) -> bytes:
    if kind == "s":
        body: bytes = value.encode()
    elif kind == "i":
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError("does not fit in 64 bits")
        return _varint(number << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)
    elif kind == "u":
        if not 0 <= value < 1 << 64:
            raise OverflowError("does not fit in 64 bits without a sign")
        return _varint(number << 3) + _varint(value)
    elif kind == "b":
        return _varint(number << 3) + (b"\1" if value else b"\0")
    elif kind == "d":
        return _varint(number << 3 | 1) + pack("<d", value)
    elif kind == "y":
        body = bytes(value)
    else:
        body = _encode(schema, kind, value, depth - 1)
    size = len(body)
    if number < 16 and size < 0x80:  # nearly always: one byte each
        return bytes((number << 3 | 2, size)) + body
    return _varint(number << 3 | 2) + _varint(size) + body


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _decode(schema: Schema, name: str, data: bytes, depth: int) -> Message:
    if depth == 0:
        raise WireError(f"{name}: nested too deep")
    by_number = _numbers(schema, name)
    message: Message = {}
    for number, wire, raw in _fields(name, data):
        known = by_number.get(number)
        if known is None:
            continue
        field, kind, shape = known
        if shape == "*":
            items = message.setdefault(field, [])
            if wire == 2 and kind in "iubd":
                items.extend(_unpack_packed(name, field, kind, raw))
            else:
                items.append(_value(schema, name, field, kind, wire, raw, depth))
        elif shape == "%":
            key, value = _map_entry(schema, name, field, kind, wire, raw, depth)
            message.setdefault(field, {})[key] = value
        else:
            value = _value(schema, name, field, kind, wire, raw, depth)
            if shape == "?" and message:
                _drop_siblings(schema, name, field, message)
            if kind not in _DEFAULTS and field in message:
                value = _merge(schema, kind, message[field], value)
            message[field] = value
    return message


_numbers_cache: Dict[int, Tuple[Schema, Dict[str, Any]]] = {}


def _numbers(schema: Schema, name: str) -> Dict[int, Tuple[str, str, str]]:
    """Returns the fields of a message by number, made once for each message."""
    cached = _numbers_cache.get(id(schema))
    if cached is None:  # the schema is kept, so that no other gets its id
        cached = _numbers_cache[id(schema)] = (schema, {})
    table: Optional[Dict[int, Tuple[str, str, str]]] = cached[1].get(name)
    if table is None:
        table = {number: (f, kind, shape) for f, (number, kind, shape) in schema[name].items()}
        cached[1][name] = table
    return table


def _drop_siblings(schema: Schema, name: str, field: str, message: Message) -> None:
    """Of a oneof the last member on the wire counts. A message here has one oneof at most."""
    for other in [f for f in message if f != field and schema[name][f][2] == "?"]:
        del message[other]


def _merge(schema: Schema, kind: str, first: Message, second: Message) -> Message:
    """Joins two parts of one message field, as the wire format asks of a reader."""
    joined = dict(first)
    for field, value in second.items():
        _, sub, shape = schema[kind][field]
        if shape == "*" and field in joined:
            joined[field] = joined[field] + value
        elif shape == "%" and field in joined:
            joined[field] = {**joined[field], **value}
        elif sub not in _DEFAULTS and shape in ("", "?") and field in joined:
            joined[field] = _merge(schema, sub, joined[field], value)
        else:
            joined[field] = value
    return joined


def _map_entry(
    schema: Schema, name: str, field: str, kind: str, wire: int, raw: Any, depth: int
) -> Tuple[str, Any]:
    if wire != 2:
        raise WireError(f"{name}.{field}: wrong wire type {wire}")
    key: Any = ""
    value: Any = {"s": "", "y": b"", "i": 0, "u": 0, "b": False, "d": 0.0}.get(kind)
    if value is None:
        value = {}
    for number, entry_wire, entry in _fields(name, raw):
        if number == 1:
            key = _value(schema, name, field, "s", entry_wire, entry, depth)
        elif number == 2:
            value = _value(schema, name, field, kind, entry_wire, entry, depth)
    return key, value


def _value(
    schema: Schema, name: str, field: str, kind: str, wire: int, raw: Any, depth: int
) -> Any:
    if wire != _WIRE_OF.get(kind, 2):
        raise WireError(f"{name}.{field}: wrong wire type {wire}")
    if kind == "s":
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError:
            raise WireError(f"{name}.{field}: not UTF-8") from None
    if kind == "i":
        return raw - (1 << 64) if raw >> 63 else raw
    if kind == "u":
        return raw
    if kind == "b":
        return raw != 0
    if kind == "d":
        return unpack_from("<d", raw)[0]
    if kind == "y":
        return raw
    return _decode(schema, kind, raw, depth - 1)


_WIRE_OF = {"i": 0, "u": 0, "b": 0, "d": 1, "s": 2, "y": 2}


def _unpack_packed(name: str, field: str, kind: str, raw: bytes) -> Iterator[Any]:
    at = 0
    while at < len(raw):
        if kind == "d":
            if at + 8 > len(raw):
                raise WireError(f"{name}.{field}: cut short")
            yield unpack_from("<d", raw, at)[0]
            at += 8
            continue
        number, at = _read_varint(name, raw, at)
        yield _value({}, name, field, kind, 0, number, 1)


def _fields(name: str, data: bytes) -> Iterator[Tuple[int, int, Any]]:
    """Yields (field number, wire type, int or bytes) for each field of a message."""
    at = 0
    end = len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = _read_varint(name, data, at - 1)
        number, wire = tag >> 3, tag & 7
        if number == 0 or number > 0x1FFFFFFF:
            raise WireError(f"{name}: field number out of range")
        if wire == 0:
            value, at = _read_varint(name, data, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _read_varint(name, data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise WireError(f"{name}: wire type {wire} is not supported")
        if size > end - at:
            raise WireError(f"{name}: cut short")
        yield number, wire, data[at : at + size]
        at += size


def _read_varint(name: str, data: bytes, at: int) -> Tuple[int, int]:
    end = len(data)
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    result = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise WireError(f"{name}: cut short or number too long")

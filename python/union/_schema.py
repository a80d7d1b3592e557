"""The messages that a task process needs: values, their types, errors. See `_wire` for the form.

Numbers are those of `proto/flyteidl/core` and of the well-known types; a test compares them with
what protoc says.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._wire import Schema

CORE: Schema = {
    "Timestamp": {"seconds": (1, "i", ""), "nanos": (2, "i", "")},
    "Duration": {"seconds": (1, "i", ""), "nanos": (2, "i", "")},
    "Struct": {"fields": (1, "Value", "%")},
    "Value": {
        "null_value": (1, "i", "?"),
        "number_value": (2, "d", "?"),
        "string_value": (3, "s", "?"),
        "bool_value": (4, "b", "?"),
        "struct_value": (5, "Struct", "?"),
        "list_value": (6, "ListValue", "?"),
    },
    "ListValue": {"values": (1, "Value", "*")},
    "BlobType": {"format": (1, "s", ""), "dimensionality": (2, "i", "")},
    "EnumType": {"values": (1, "s", "*")},
    "UnionType": {"variants": (1, "LiteralType", "*")},
    "TypeStructure": {"tag": (1, "s", ""), "dataclass_type": (2, "LiteralType", "%")},
    "TypeAnnotation": {"annotations": (1, "Struct", "")},
    "LiteralType": {
        "simple": (1, "i", "?"),
        "collection_type": (3, "LiteralType", "?"),
        "map_value_type": (4, "LiteralType", "?"),
        "blob": (5, "BlobType", "?"),
        "enum_type": (7, "EnumType", "?"),
        "union_type": (10, "UnionType", "?"),
        "metadata": (6, "Struct", ""),
        "annotation": (9, "TypeAnnotation", ""),
        "structure": (11, "TypeStructure", ""),
    },
    "Error": {"failed_node_id": (1, "s", ""), "message": (2, "s", "")},
    "Primitive": {
        "integer": (1, "i", "?"),
        "float_value": (2, "d", "?"),
        "string_value": (3, "s", "?"),
        "boolean": (4, "b", "?"),
        "datetime": (5, "Timestamp", "?"),
        "duration": (6, "Duration", "?"),
    },
    "Void": {},
    "BlobMetadata": {"type": (1, "BlobType", "")},
    "Blob": {"metadata": (1, "BlobMetadata", ""), "uri": (3, "s", "")},
    "Binary": {"value": (1, "y", ""), "tag": (2, "s", "")},
    "Union": {"value": (1, "Literal", ""), "type": (2, "LiteralType", "")},
    "Scalar": {
        "primitive": (1, "Primitive", "?"),
        "blob": (2, "Blob", "?"),
        "binary": (3, "Binary", "?"),
        "none_type": (5, "Void", "?"),
        "error": (6, "Error", "?"),
        "generic": (7, "Struct", "?"),
        "union": (9, "Union", "?"),
    },
    "Literal": {
        "scalar": (1, "Scalar", "?"),
        "collection": (2, "LiteralCollection", "?"),
        "map": (3, "LiteralMap", "?"),
        "hash": (4, "s", ""),
        "metadata": (5, "s", "%"),
    },
    "LiteralCollection": {"literals": (1, "Literal", "*")},
    "LiteralMap": {"literals": (1, "Literal", "%")},
    "ContainerError": {
        "code": (1, "s", ""),
        "message": (2, "s", ""),
        "kind": (3, "i", ""),
        "origin": (4, "i", ""),
        "timestamp": (5, "Timestamp", ""),
        "worker": (6, "s", ""),
    },
    "ErrorDocument": {"error": (1, "ContainerError", "")},
}

# SimpleType
NONE, INTEGER, FLOAT, STRING, BOOLEAN, DATETIME, DURATION, BINARY, ERROR, STRUCT = range(10)

# ContainerError.Kind and ExecutionError.ErrorKind
NON_RECOVERABLE, RECOVERABLE = range(2)
ORIGIN_UNKNOWN, ORIGIN_USER, ORIGIN_SYSTEM = range(3)

"""The codec, against protoc and against damage."""

import glob
import os
import tempfile
import unittest

from support import PROTO_DIR, protoc
from union._schema import CORE
from union._schema_api import API
from union._wire import DEPTH_MAX, WireError, decode, encode

# The part of google/protobuf/descriptor.proto that says what fields there are.
DESCRIPTORS = {
    "FileDescriptorSet": {"file": (1, "FileDescriptorProto", "*")},
    "FileDescriptorProto": {"package": (2, "s", ""), "message_type": (4, "DescriptorProto", "*")},
    "DescriptorProto": {
        "name": (1, "s", ""),
        "field": (2, "FieldDescriptorProto", "*"),
        "nested_type": (3, "DescriptorProto", "*"),
        "options": (7, "MessageOptions", ""),
    },
    "MessageOptions": {"map_entry": (7, "b", "")},
    "FieldDescriptorProto": {
        "name": (1, "s", ""),
        "number": (3, "i", ""),
        "label": (4, "i", ""),
        "type": (5, "i", ""),
        "type_name": (6, "s", ""),
        "oneof_index": (9, "i", "?"),
    },
}
KINDS = {1: "d", 3: "i", 4: "u", 5: "i", 8: "b", 9: "s", 12: "y", 13: "u", 14: "i"}
REPEATED = 3


def all_messages():
    """Returns {full name: (DescriptorProto, {entry name: DescriptorProto})} from protoc."""
    paths = glob.glob(os.path.join(PROTO_DIR, "**", "*.proto"), recursive=True)
    names = [os.path.relpath(path, PROTO_DIR) for path in paths]
    with tempfile.NamedTemporaryFile() as out:
        protoc("--include_imports", f"--descriptor_set_out={out.name}", *names)
        with open(out.name, "rb") as file:
            found = decode(DESCRIPTORS, "FileDescriptorSet", file.read())
    messages = {}

    def walk(prefix, message):
        full = f"{prefix}.{message['name']}"
        messages[full] = message
        for nested in message.get("nested_type", []):
            walk(full, nested)

    for proto in found["file"]:
        for message in proto.get("message_type", []):
            walk(proto.get("package", ""), message)
    return messages


class Schema(unittest.TestCase):
    def test_every_field_is_as_protoc_says(self):
        messages = all_messages()
        by_name = {}
        for full in messages:
            by_name.setdefault(full.rpartition(".")[2], []).append(full)
        for name, fields in API.items():
            with self.subTest(name):
                full = self.choose(by_name[name], fields, messages)
                self.check(full, fields, messages)

    def choose(self, candidates, fields, messages):
        """The candidate that has our fields; a name may stand for several messages."""
        fitting = [
            full
            for full in candidates
            if set(fields) <= {f["name"] for f in messages[full].get("field", [])}
        ]
        self.assertTrue(fitting, f"no message has the fields {list(fields)}")
        return fitting[0]

    def check(self, full, fields, messages):
        declared = {field["name"]: field for field in messages[full].get("field", [])}
        for name, (number, kind, shape) in fields.items():
            field = declared[name]
            self.assertEqual(field["number"], number, f"{full}.{name}")
            target = field.get("type_name", "").lstrip(".")
            is_map = messages.get(target, {}).get("options", {}).get("map_entry", False)
            if is_map:
                self.assertEqual("%", shape, f"{full}.{name}")
                parts = {f["name"]: f for f in messages[target]["field"]}
                self.assertEqual("s", KINDS[parts["key"]["type"]])
                field = parts["value"]
                target = field.get("type_name", "").lstrip(".")
            elif field["label"] == REPEATED:
                self.assertEqual("*", shape, f"{full}.{name}")
            elif "oneof_index" in field:
                self.assertEqual("?", shape, f"{full}.{name}")
            else:
                self.assertEqual("", shape, f"{full}.{name}")
            expected = KINDS.get(field["type"]) or target.rpartition(".")[2]
            self.assertEqual(expected, kind, f"{full}.{name}")


SAMPLE = {
    "literals": {
        "a": {"scalar": {"primitive": {"integer": -(1 << 63)}}},
        "b": {"scalar": {"primitive": {"float_value": -0.0}}},
        "c": {"scalar": {"primitive": {"string_value": ""}}},
        "d": {"scalar": {"primitive": {"boolean": False}}},
        "e": {"scalar": {"primitive": {"datetime": {"seconds": -1, "nanos": 999}}}},
        "f": {"scalar": {"binary": {"value": bytes(range(256))}}},
        "g": {"collection": {"literals": [{"scalar": {"none_type": {}}}, {}]}},
        "h": {"map": {"literals": {"": {"scalar": {"primitive": {"integer": 0}}}}}},
        "i": {
            "scalar": {
                "generic": {
                    "fields": {
                        "x": {"null_value": 0},
                        "y": {"list_value": {"values": [{"bool_value": True}]}},
                        "z": {"struct_value": {"fields": {"n": {"number_value": 1.5}}}},
                    }
                }
            }
        },
        "j": {
            "scalar": {
                "union": {
                    "value": {"scalar": {"primitive": {"integer": 7}}},
                    "type": {"simple": 1, "structure": {"tag": "int"}},
                }
            }
        },
    }
}


class Codec(unittest.TestCase):
    def test_protoc_reads_what_is_written_and_writes_what_is_read(self):
        ours = encode(CORE, "LiteralMap", SAMPLE)
        file = "flyteidl/core/literals.proto"
        text = protoc("--decode=flyteidl.core.LiteralMap", file, stdin=ours)
        self.assertIn(b"integer: -9223372036854775808", text)
        self.assertIn(b"float_value: -0", text)
        theirs = protoc("--encode=flyteidl.core.LiteralMap", file, stdin=text)
        self.assertEqual(SAMPLE, decode(CORE, "LiteralMap", theirs))

    def test_protoc_reads_a_whole_compiled_script(self):
        sample = {
            "tasks": [{"id": {"resource_type": 1, "name": "t"}, "spec": {}}],
            "bundle_md5": b"\0\xff",
            "bundle_size": (1 << 64) - 1,
            "notes": ["", "x"],
            "parameters": {"parameters": {"p": {"required": True}, "q": {"default": {}}}},
        }
        ours = encode(API, "CompiledScript", sample)
        words = ("union.v1.CompiledScript", "union/v1/runs.proto")
        text = protoc(f"--decode={words[0]}", words[1], stdin=ours)
        self.assertIn(b"bundle_size: 18446744073709551615", text)
        theirs = protoc(f"--encode={words[0]}", words[1], stdin=text)
        self.assertEqual(sample, decode(API, "CompiledScript", theirs))

    def test_a_round_trip_changes_nothing(self):
        self.assertEqual(SAMPLE, decode(CORE, "LiteralMap", encode(CORE, "LiteralMap", SAMPLE)))

    def test_unset_fields_and_defaults_take_no_bytes(self):
        empty = {"code": "", "kind": 0, "timestamp": None}
        self.assertEqual(b"", encode(CORE, "ContainerError", empty))

    def test_a_member_of_a_oneof_is_written_even_when_zero(self):
        self.assertEqual(b"\x08\0", encode(CORE, "Primitive", {"integer": 0}))

    def test_the_last_member_of_a_oneof_counts(self):
        both = encode(CORE, "Primitive", {"integer": 5}) + b"\x1a\x01x"
        self.assertEqual({"string_value": "x"}, decode(CORE, "Primitive", both))

    def test_a_message_in_two_parts_is_joined(self):
        parts = encode(CORE, "ErrorDocument", {"error": {"code": "a"}})
        parts += encode(CORE, "ErrorDocument", {"error": {"message": "b"}})
        expected = {"error": {"code": "a", "message": "b"}}
        self.assertEqual(expected, decode(CORE, "ErrorDocument", parts))

    def test_unknown_fields_of_every_wire_type_are_skipped(self):
        unknown = (
            b"\xa0\x06\x05" + b"\xa1\x06" + bytes(8) + b"\xa2\x06\x01x" + b"\xa5\x06" + bytes(4)
        )
        known = encode(CORE, "Void", {}) + unknown
        self.assertEqual({}, decode(CORE, "Void", known))
        text = encode(CORE, "Error", {"message": "m"})
        self.assertEqual({"message": "m"}, decode(CORE, "Error", unknown + text))

    def test_packed_and_unpacked_numbers_are_both_read(self):
        schema = {"M": {"n": (1, "i", "*"), "d": (2, "d", "*")}}
        packed = encode(schema, "M", {"n": [1, -1, 300], "d": [0.5]})
        self.assertEqual({"n": [1, -1, 300], "d": [0.5]}, decode(schema, "M", packed))
        self.assertEqual({"n": [1, 2]}, decode(schema, "M", b"\x08\x01\x08\x02"))

    def test_refuses_to_write_what_the_schema_does_not_have(self):
        for message in ({"nope": 1}, {"integer": 1 << 63}, {"integer": "x"}, {"string_value": 5}):
            with self.subTest(str(message)), self.assertRaises(WireError):
                encode(CORE, "Primitive", message)

    def test_never_quotes_the_text_it_cannot_write(self):
        with self.assertRaises(WireError) as caught:
            encode(CORE, "Primitive", {"string_value": "hush\ud800"})
        self.assertNotIn("hush", str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)

    def test_refuses_what_is_nested_too_deep(self):
        deep = {}
        for _ in range(DEPTH_MAX):
            deep = {"collection_type": deep}
        with self.assertRaises(WireError):
            encode(CORE, "LiteralType", deep)
        data = b""
        for _ in range(3 * DEPTH_MAX):
            size = len(data)
            length = bytes((size & 0x7F | 0x80, size >> 7)) if size > 127 else bytes((size,))
            data = b"\x1a" + length + data
        with self.assertRaises(WireError):
            decode(CORE, "LiteralType", data)

    def test_cut_at_any_length_it_is_refused_or_a_shorter_message(self):
        data = encode(CORE, "LiteralMap", SAMPLE)
        for length in range(len(data)):
            try:
                self.assertIsInstance(decode(CORE, "LiteralMap", data[:length]), dict)
            except WireError:
                pass

    def test_with_any_bit_flipped_it_is_refused_or_another_message(self):
        data = bytearray(encode(CORE, "LiteralMap", SAMPLE))
        for at in range(8 * len(data)):
            data[at // 8] ^= 1 << at % 8
            try:
                self.assertIsInstance(decode(CORE, "LiteralMap", bytes(data)), dict)
            except WireError:
                pass
            data[at // 8] ^= 1 << at % 8


if __name__ == "__main__":
    unittest.main()

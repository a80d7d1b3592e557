#!/usr/bin/python3
"""Compares the JSON transcoder with python3-protobuf's json_format, both ways, on messages of every
kind made from a fixed series."""

import math
import os
import random
import subprocess
import sys

from google.protobuf import json_format, struct_pb2

from wirelib import ROOT, WAIT, check, finish, folder, same, tool

PATH = folder()
subprocess.run(["protoc", "-I" + os.path.join(ROOT, "tests", "wire"), "-I/usr/include",
                "--python_out=" + PATH, "kinds.proto"], check=True)
sys.path.insert(0, PATH)
import kinds_pb2  # noqa: E402

MESSAGES = 400
TEXTS = ["", "a", "ünï", "\U0001f600", "\"\\/\b\f\n\r\t\x01\x7f", "\u2028<>&'", "x" * 300]
# not -0.0: protobuf-c takes it for 0.0, the default, and packs nothing
DOUBLES = [0.0, 1.0, 0.1, -1.5, 1e-7, 1e21, 1e22, 123456789.125, 5e-324,
           2.2250738585072014e-308, 1.7976931348623157e308, math.inf, -math.inf, math.nan]
FLOATS = [0.0, 1.0, 0.1, -1.5, 1e-7, 3.4028233e38, 1.401298464324817e-45, math.inf,
          math.nan, 16777216.0]


class Pipe:
    def __init__(self):
        self.process = subprocess.Popen([tool("json_pipe")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, kind, body):
        self.process.stdin.write(kind + b" " + body.hex().encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode().strip()
        if line.startswith("error "):
            return None, line
        return bytes.fromhex(line), ""

    def end(self):
        self.process.stdin.close()
        return self.process.wait(WAIT)


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def number(self, bits, signed):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return self.r.choice([0, 1, low, high, self.r.randint(low, high)])

    def text(self):
        return self.r.choice(TEXTS)

    def bytes(self):
        return self.r.randbytes(self.r.choice([0, 1, 2, 3, 4, 50]))

    def value(self, depth=0):
        kind = self.r.randrange(4 if depth > 2 else 6)
        if kind == 0:
            return struct_pb2.Value(null_value=0)
        if kind == 1:
            return struct_pb2.Value(number_value=self.r.choice(DOUBLES[:11]))
        if kind == 2:
            return struct_pb2.Value(string_value=self.text())
        if kind == 3:
            return struct_pb2.Value(bool_value=self.r.random() < 0.5)
        if kind == 4:
            return struct_pb2.Value(struct_value=struct_pb2.Struct(fields={
                self.text(): self.value(depth + 1) for _ in range(self.r.randrange(3))}))
        return struct_pb2.Value(list_value=struct_pb2.ListValue(
            values=[self.value(depth + 1) for _ in range(self.r.randrange(3))]))

    def scalars(self, m):
        for name in ("an_int32", "a_sint32", "an_sfixed32"):
            setattr(m, name, self.number(32, True))
        for name in ("a_uint32", "a_fixed32"):
            setattr(m, name, self.number(32, False))
        for name in ("an_int64", "a_sint64", "an_sfixed64"):
            setattr(m, name, self.number(64, True))
        for name in ("a_uint64", "a_fixed64"):
            setattr(m, name, self.number(64, False))
        m.a_float, m.a_double = self.r.choice(FLOATS), self.r.choice(DOUBLES)
        m.a_bool, m.a_colour = self.r.random() < 0.5, self.r.choice([0, 1, -5, 99])
        m.some_text_field, m.some_bytes = self.text(), self.bytes()

    def lists(self, m, depth):
        some = range(self.r.randrange(6))
        m.int32s.extend(self.number(32, True) for _ in some)
        m.uint64s.extend(self.number(64, False) for _ in some)
        m.doubles.extend(self.r.choice(DOUBLES) for _ in some)
        m.bools.extend(self.r.random() < 0.5 for _ in some)
        m.colours.extend(self.r.choice([0, 1, -5]) for _ in some)
        m.texts.extend(self.text() for _ in some)
        m.bytes_2_list.extend(self.bytes() for _ in some)
        for _ in some:
            m.text_map[self.text()] = self.text()
            m.double_map[self.number(64, False)] = self.r.choice(DOUBLES)
            m.colour_map[self.r.random() < 0.5] = self.r.choice([0, 1])
            m.bytes_map[self.text()] = self.bytes()
            m.values[self.text()].CopyFrom(self.value())
            m.times.add(seconds=self.r.randint(-62135596800, 253402300799),
                        nanos=self.r.choice([0, 1, 1000, 1000000, 999999999]))
        if depth < 2:
            m.kinds.extend(self.message(depth + 1) for _ in range(self.r.randrange(2)))
            m.kinds_map[self.number(32, True)].CopyFrom(self.message(depth + 1))

    def specials(self, m):
        sign = self.r.choice([-1, 1])
        m.at_time.seconds, m.at_time.nanos = self.r.randint(0, 1 << 32), self.r.randrange(10**9)
        m.for_time.seconds = sign * self.r.randrange(315576000000)
        m.for_time.nanos = sign * self.r.choice([0, 5, 500000000])
        m.free_form.fields["x"].CopyFrom(self.value())
        m.any_value.CopyFrom(self.value())
        m.any_list.values.extend([self.value()])
        m.wrapped_double.value, m.wrapped_float.value = self.r.choice(DOUBLES), 0.25
        m.wrapped_int64.value, m.wrapped_uint32.value = self.number(64, True), 0
        m.wrapped_bool.value, m.wrapped_text.value = False, self.text()
        m.wrapped_bytes.value = self.bytes()

    def message(self, depth=0):
        m = kinds_pb2.Kinds()
        if self.r.random() < 0.7:
            self.scalars(m)
        if self.r.random() < 0.7:
            self.lists(m, depth)
        if self.r.random() < 0.5:
            self.specials(m)
        if depth < 2 and self.r.random() < 0.3:
            m.nested.CopyFrom(self.message(depth + 1))
        choice = self.r.randrange(9)
        if choice == 0:
            m.chosen_int = 0
        elif choice == 1:
            m.chosen_text = self.text()
        elif choice == 2:
            m.chosen_bytes = self.bytes()
        elif choice == 3:
            m.chosen_kinds.SetInParent()
        elif choice == 4:
            m.chosen_colour = 0
        elif choice == 5:
            m.chosen_double = self.r.choice(DOUBLES)
        return m


def canonical(message):
    """Bytes that are equal for equal messages, NaN included."""
    return message.SerializeToString(deterministic=True)


def main():
    pipe = Pipe()
    wrong = {"ours is read by theirs": [], "theirs is read by ours": [], "names as in .proto": []}
    for seed in range(MESSAGES):
        message = Maker(seed).message()
        wanted = canonical(message)
        text, why = pipe.ask(b"p", message.SerializeToString())
        try:
            back = json_format.Parse(text or b"", kinds_pb2.Kinds())
            if canonical(back) != wanted:
                wrong["ours is read by theirs"].append((seed, text))
        except json_format.ParseError as error:
            wrong["ours is read by theirs"].append((seed, why, error))
        for name, keep in (("theirs is read by ours", False), ("names as in .proto", True)):
            theirs = json_format.MessageToJson(message, preserving_proto_field_name=keep)
            packed, why = pipe.ask(b"j", theirs.encode())
            if packed is None or canonical(kinds_pb2.Kinds.FromString(packed)) != wanted:
                wrong[name].append((seed, why, theirs))
    for promise, failures in wrong.items():
        check("%d messages: %s" % (MESSAGES, promise), not failures, failures[:1])
    for text in (b'{"anInt32":1.0}', b'{"anInt32":"1"}', b'{"aDouble":"1.5"}', b'{"aFloat":1e3}',
                 b'{"aColour":"COLOUR_BELOW"}', b'{"aColour":-5}', b'{"someBytes":"-_8="}',
                 b'{"atTime":"2020-01-01T00:00:00+02:00"}', b'{"anyValue":null}',
                 b'{"kindsMap":{"-1":{}}}', b'{"colourMap":{"true":"COLOUR_RED"}}'):
        packed, why = pipe.ask(b"j", text)
        same("reads %s as they do" % text.decode(),
             canonical(json_format.Parse(text, kinds_pb2.Kinds())),
             packed if packed is None else canonical(kinds_pb2.Kinds.FromString(packed)))
    for text in (b'{"anInt32":1.5}', b'{"anInt32":2147483648}', b'{"aUint32":-1}', b'{"aBool":1}',
                 b'{"aBool":"true"}', b'{"aFloat":1e40}', b'{"aColour":"RED"}', b'{"texts":[null]}',
                 b'{"chosenInt":1,"chosenText":"x"}', b'{"someTextField":1}', b'{"atTime":"now"}',
                 b'{"aBool":true,"aBool":true}', b'{', b'{"int32s":{}}'):
        refused = False
        try:
            json_format.Parse(text, kinds_pb2.Kinds())
        except json_format.ParseError:
            refused = True
        same("refuses %s as they do" % text.decode(), (True, None),
             (refused, pipe.ask(b"j", text)[0]))
    same("the transcoder ends well", 0, pipe.end())
    finish()


main()

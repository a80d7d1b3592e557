"""Which types travel, what of their values arrives, and what is refused."""

import collections
import dataclasses
import datetime
import decimal
import enum
import math
import sys
import typing
import unittest
from typing import Any, Dict, List, Optional, Set, Tuple, Union

from support import CANARY
from union._errors import TypeMismatchError, TypeUnsupportedError
from union._schema import CORE
from union._types import type_of
from union._wire import decode, encode

UTC = datetime.timezone.utc


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


@dataclasses.dataclass
class Everything:
    """Fields of every kind, some as text, as `from __future__ import annotations` leaves them."""

    count: int
    ratio: float
    name: str
    is_on: bool
    raw: bytes
    nothing: None
    when: datetime.datetime
    span: datetime.timedelta
    points: List[Point]
    table: Dict[str, List[int]]
    maybe: Optional[Point]
    text: "Optional[str]" = None
    made: List[int] = dataclasses.field(default_factory=list)
    derived: int = dataclasses.field(init=False, default=3)


FULL = Everything(
    count=(1 << 63) - 1,
    ratio=0.1,
    name="ü\n",
    is_on=True,
    raw=b"\0\xff",
    nothing=None,
    when=datetime.datetime(2026, 2, 28, 23, 59, 59, 123456, UTC),
    span=datetime.timedelta(days=-1, microseconds=1),
    points=[Point(1), Point(2, 1.0)],
    table={"": [], "a": [1, -2]},
    maybe=None,
)

# What is declared, and values that must arrive as they left.
ROUND_TRIPS = [
    (int, [0, 1, -1, (1 << 63) - 1, -(1 << 63)]),
    (float, [0.0, -0.0, 1.5, 1e308, math.inf, -math.inf]),
    (str, ["", "a", "ü€😀", "a\nb", "x" * 10_000]),
    (bool, [True, False]),
    (bytes, [b"", b"\0\xff", bytes(range(256))]),
    (type(None), [None]),
    (None, [None]),
    (
        datetime.datetime,
        [
            datetime.datetime(1, 1, 1, tzinfo=UTC),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
            datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        ],
    ),
    (
        datetime.timedelta,
        [datetime.timedelta(0), datetime.timedelta(microseconds=-1), datetime.timedelta(days=3e6)],
    ),
    (list[int], [[], [1, 2]]),
    (List[str], [[], ["a", ""]]),
    (List[List[Optional[int]]], [[[], [1, None]]]),
    (dict[str, int], [{}, {"a": 1, "": 2}]),
    (Dict[str, Dict[str, bool]], [{"a": {"b": True}}]),
    (Optional[int], [None, 0, 5]),
    (Union[None, str], [None, "", "None"]),
    (Optional[List[int]], [None, [], [1]]),
    (Point, [Point(1), Point(-(1 << 63), math.inf)]),
    (List[Point], [[Point(1)]]),
    (Optional[Point], [None, Point(3)]),
    (Everything, [FULL, dataclasses.replace(FULL, maybe=Point(9), text="t", made=[4])]),
]
if sys.version_info >= (3, 10):
    ROUND_TRIPS.append((eval("int | None"), [None, 7]))


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class WithSet:
    items: Set[int]


@dataclasses.dataclass
class Endless:
    next: Optional["Endless"] = None


@dataclasses.dataclass
class WithInitVar:
    x: dataclasses.InitVar[int]


class Pair(typing.NamedTuple):
    a: int
    b: int


REFUSED = [
    object,
    Any,
    complex,
    decimal.Decimal,
    datetime.date,
    datetime.time,
    Color,
    Pair,
    list,
    dict,
    List,
    Dict,
    Dict[int, str],
    Dict[str, Any],
    Set[int],
    set,
    tuple,
    Tuple[int, int],
    List[Set[int]],
    Union[int, str],
    Union[int, str, None],
    typing.Callable[[], int],
    typing.Iterable[int],
    typing.TypeVar("T"),
    collections.OrderedDict,
    WithSet,
    List[WithSet],
    Endless,
    WithInitVar,
    "no_such_name",
    "1 +",
    5,
]

# What is declared, and values that must be refused when they come.
MISFITS = [
    (int, [True, 1.0, "1", None, 1 << 63, -(1 << 63) - 1, CANARY]),
    (float, ["1", None, True, (1 << 53) + 1]),
    (str, [1, None, b"x", "\ud800" + CANARY, "\0" + CANARY]),
    (bool, [0, 1, None, "True"]),
    (bytes, ["x", None, [1]]),
    (type(None), [0, "", False]),
    (datetime.datetime, [0, "2026-01-01", datetime.date(2026, 1, 1)]),
    (datetime.timedelta, [0, 1.5, datetime.timedelta(days=4_000_000)]),
    (List[int], [(1, 2), "ab", None, [1, "x"], [None], {CANARY: 1}]),
    (Dict[str, int], [{1: 2}, {"a": CANARY}, None, [], {"\ud800": 1}]),
    (Optional[int], ["x", True, []]),
    (Point, [None, {"x": 1}, Point("1"), Point(1, CANARY), Pair(1, 2)]),
]


class RoundTrip(unittest.TestCase):
    def test_every_supported_value_arrives_as_it_left(self):
        for declared, values in ROUND_TRIPS:
            for value in values:
                with self.subTest(f"{declared}: {value!r:.60}"):
                    self.check(type_of(declared, {}, "x"), value)

    def check(self, type_, value):
        sent = encode(CORE, "Literal", type_.to_literal(value, "x"))
        back = type_.from_literal(decode(CORE, "Literal", sent), "x")
        self.assertEqual(value, back)
        self.assertIs(type(value), type(back))
        if isinstance(value, float):
            self.assertEqual(math.copysign(1, value), math.copysign(1, back))
        plain = type_.to_plain(value, "x")
        self.assertEqual(value, type_.from_plain(plain, "x"))

    def test_nan_arrives_as_nan(self):
        type_ = type_of(float, {}, "x")
        self.assertTrue(math.isnan(type_.from_literal(type_.to_literal(math.nan, "x"), "x")))

    def test_ints_in_a_dataclass_stay_ints_and_exact(self):
        type_ = type_of(Point, {}, "x")
        for number in (0, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)):
            back = type_.from_literal(type_.to_literal(Point(number), "x"), "x")
            self.assertEqual(number, back.x)
            self.assertIs(int, type(back.x))

    def test_an_int_is_taken_where_a_float_is_declared(self):
        type_ = type_of(float, {}, "x")
        back = type_.from_literal(type_.to_literal(3, "x"), "x")
        self.assertEqual((3.0, float), (back, type(back)))

    def test_a_datetime_without_a_zone_is_utc_and_others_are_converted(self):
        type_ = type_of(datetime.datetime, {}, "x")
        naive = datetime.datetime(2026, 1, 2, 3)
        east = datetime.timezone(datetime.timedelta(hours=2))
        for moment in (
            naive,
            naive.replace(tzinfo=UTC),
            datetime.datetime(2026, 1, 2, 5, tzinfo=east),
        ):
            back = type_.from_literal(type_.to_literal(moment, "x"), "x")
            self.assertEqual(naive.replace(tzinfo=UTC), back)

    def test_missing_fields_of_a_dataclass_get_their_defaults(self):
        literal = {"scalar": {"generic": {"fields": {"x": {"number_value": 4.0}}}}}
        self.assertEqual(Point(4), type_of(Point, {}, "x").from_literal(literal, "x"))

    def test_a_value_fits_an_optional_without_its_wrapping(self):
        type_ = type_of(Optional[int], {}, "x")
        self.assertEqual(3, type_.from_literal({"scalar": {"primitive": {"integer": 3}}}, "x"))
        self.assertIsNone(type_.from_literal({"scalar": {"none_type": {}}}, "x"))


class Refusals(unittest.TestCase):
    def test_other_types_are_refused_with_the_place_and_what_is_supported(self):
        for declared in REFUSED:
            with self.subTest(str(declared)):
                with self.assertRaises(TypeUnsupportedError) as caught:
                    type_of(declared, {}, "task 't': input 'x'")
                text = str(caught.exception)
                self.assertIn("task 't': input 'x'", text)
                if declared not in ("no_such_name", "1 +", Endless, WithInitVar):
                    self.assertIn("supported: int, float, str", text)

    def test_values_of_another_type_are_refused_without_being_quoted(self):
        for declared, values in MISFITS:
            for value in values:
                with self.subTest(f"{declared}: {value!r}"):
                    with self.assertRaises(TypeMismatchError) as caught:
                        type_of(declared, {}, "x").to_literal(value, "input 'x'")
                    text = str(caught.exception)
                    self.assertTrue(text.startswith("input 'x'"), text)
                    self.assertNotIn(CANARY, text)
                    self.assertIsNone(caught.exception.__cause__)

    def test_literals_of_another_type_are_refused(self):
        made = [(d, type_of(d, {}, "x").to_literal(v[-1], "x")) for d, v in ROUND_TRIPS]
        for declared in (
            int,
            str,
            bool,
            bytes,
            datetime.datetime,
            List[int],
            Dict[str, int],
            Point,
        ):
            for other, literal in [*made, (None, {}), (None, {"scalar": {}})]:
                if (
                    type_of(other, {}, "x").accepts(type_of(declared, {}, "x"))
                    and other is not None
                ):
                    continue
                with self.subTest(f"{declared} from {other}"):
                    with self.assertRaises(TypeMismatchError):
                        type_of(declared, {}, "x").from_literal(literal, "x")

    def test_a_dataclass_refuses_unknown_and_missing_fields(self):
        type_ = type_of(Point, {}, "x")
        for plain in ({}, {"x": 1, "z": 2}, {"x": 1.5}, {"x": "1e3"}, []):
            with self.subTest(str(plain)), self.assertRaises(TypeMismatchError):
                type_.from_plain(plain, "x")

    def test_times_in_text_must_be_whole_and_plain(self):
        span = type_of(datetime.timedelta, {}, "x")
        moment = type_of(datetime.datetime, {}, "x")
        for text in ("", "s", "1", "1.5", "1.2.3s", "1e3s", "٣s", "-s", "9" * 30 + "s"):
            with self.subTest(text), self.assertRaises(TypeMismatchError):
                span.from_plain(text, "x")
        for text in ("", "now", "2026-13-01T00:00:00Z"):
            with self.subTest(text), self.assertRaises(TypeMismatchError):
                moment.from_plain(text, "x")


class LiteralTypes(unittest.TestCase):
    def test_each_type_has_the_literal_type_of_the_protocol(self):
        expected = [
            (int, {"simple": 1}),
            (float, {"simple": 2}),
            (str, {"simple": 3}),
            (bool, {"simple": 4}),
            (datetime.datetime, {"simple": 5}),
            (datetime.timedelta, {"simple": 6}),
            (bytes, {"simple": 7}),
            (type(None), {"simple": 0}),
            (List[int], {"collection_type": {"simple": 1}}),
            (Dict[str, str], {"map_value_type": {"simple": 3}}),
        ]
        for declared, literal_type in expected:
            self.assertEqual(literal_type, type_of(declared, {}, "x").literal_type())

    def test_an_optional_is_a_union_with_tagged_variants(self):
        variants = type_of(Optional[int], {}, "x").literal_type()["union_type"]["variants"]
        self.assertEqual(
            [(1, "int"), (0, "none")], [(v["simple"], v["structure"]["tag"]) for v in variants]
        )

    def test_a_dataclass_says_its_fields(self):
        literal_type = type_of(Point, {}, "x").literal_type()
        self.assertEqual(9, literal_type["simple"])
        fields = literal_type["structure"]["dataclass_type"]
        self.assertEqual({"x": {"simple": 1}, "y": {"simple": 2}}, fields)


if __name__ == "__main__":
    unittest.main()

"""datetime and timedelta as literals. Apart from `_types`, so that only who uses them pays."""

from __future__ import annotations

import datetime

from . import _schema as s
from ._errors import TypeMismatchError
from ._types import Simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._wire import Message

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
DURATION_SECONDS_MAX = 315_576_000_000
"""What the Duration message allows: about 10,000 years."""


class Datetime(Simple):
    """An instant to the microsecond. One without a time zone is taken as UTC; comes back in UTC."""

    name, tag, simple, field = "datetime.datetime", "datetime", s.DATETIME, "datetime"
    python = datetime.datetime

    def check(self, value: Any, where: str) -> Any:
        moment = super().check(value, where)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.timezone.utc)
        try:
            return moment.astimezone(datetime.timezone.utc)
        except OverflowError:
            raise TypeMismatchError(f"{where} must be in the years 1 to 9999 of UTC") from None

    def to_literal(self, value: Any, where: str) -> Message:
        seconds, micros = divmod((self.check(value, where) - _EPOCH) // _MICROSECOND, 1_000_000)
        stamp = {"seconds": seconds, "nanos": micros * 1000}
        return {"scalar": {"primitive": {"datetime": stamp}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        stamp = super().from_literal(literal, where)
        micros = stamp.get("seconds", 0) * 1_000_000 + stamp.get("nanos", 0) // 1000
        try:
            return _EPOCH + datetime.timedelta(microseconds=micros)
        except OverflowError:
            raise TypeMismatchError(f"{where} must be in the years 1 to 9999") from None

    def to_plain(self, value: Any, where: str) -> Any:
        return self.check(value, where).isoformat().replace("+00:00", "Z")

    def from_plain(self, plain: Any, where: str) -> Any:
        if not isinstance(plain, str):
            raise self.mismatch(plain, where)
        try:
            text = plain[:-1] + "+00:00" if plain.endswith("Z") else plain
            return self.check(datetime.datetime.fromisoformat(text), where)
        except ValueError:
            raise TypeMismatchError(f"{where} must be a time as RFC 3339 has it") from None


class Timedelta(Simple):
    """A length of time to the microsecond, at most 10,000 years."""

    name, tag, simple, field = "datetime.timedelta", "timedelta", s.DURATION, "duration"
    python = datetime.timedelta

    def check(self, value: Any, where: str) -> Any:
        length = super().check(value, where)
        if abs(length // _MICROSECOND) > DURATION_SECONDS_MAX * 1_000_000:
            raise TypeMismatchError(f"{where} must be at most {DURATION_SECONDS_MAX} seconds")
        return length

    def to_literal(self, value: Any, where: str) -> Message:
        return {"scalar": {"primitive": {"duration": duration(self.check(value, where))}}}

    def from_literal(self, literal: Message, where: str) -> Any:
        span = super().from_literal(literal, where)
        nanos = span.get("nanos", 0)
        micros = span.get("seconds", 0) * 1_000_000 + (abs(nanos) // 1000) * (
            -1 if nanos < 0 else 1
        )
        try:
            return datetime.timedelta(microseconds=micros)
        except OverflowError:
            raise TypeMismatchError(f"{where} is too long for a timedelta") from None

    def to_plain(self, value: Any, where: str) -> Any:
        micros = self.check(value, where) // _MICROSECOND
        sign = "-" if micros < 0 else ""
        seconds, rest = divmod(abs(micros), 1_000_000)
        return f"{sign}{seconds}.{rest:06d}s" if rest else f"{sign}{seconds}s"

    def from_plain(self, plain: Any, where: str) -> Any:
        if not isinstance(plain, str):
            raise self.mismatch(plain, where)
        whole, _, rest = plain[:-1].lstrip("-").partition(".")
        digits = whole + rest
        if plain[-1:] != "s" or not (digits.isdecimal() and digits.isascii()) or len(digits) > 24:
            raise TypeMismatchError(f"{where} must be seconds, as in '1.5s'")
        micros = int(whole or "0") * 1_000_000 + int((rest + "000000")[:6])
        length = datetime.timedelta(microseconds=-micros if plain[0] == "-" else micros)
        return self.check(length, where)


def duration(length: datetime.timedelta) -> Message:
    """Returns a Duration message: both parts have the sign of the whole."""
    micros = length // _MICROSECOND
    seconds, rest = divmod(abs(micros), 1_000_000)
    if micros < 0:
        seconds, rest = -seconds, -rest
    return {"seconds": seconds, "nanos": rest * 1000}


DATETIME = Datetime()
TIMEDELTA = Timedelta()

# One input of each type, through two tasks.
import datetime
import enum
import typing
from dataclasses import dataclass

from flytekit import task, workflow


@dataclass
class Point:
    x: int
    names: typing.List[str]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@task
def change(
    i: int, f: float, s: str, flag: bool, at: datetime.datetime, span: datetime.timedelta,
    numbers: typing.Dict[str, int], maybe: typing.Optional[int], point: Point, colour: Colour,
) -> typing.Tuple[Point, str, typing.Optional[int], Colour]:
    text = f"{i} {f} {s} {flag} {at.isoformat()} {span} {numbers}"
    return Point(x=point.x + 1, names=[*point.names, "x"]), text, maybe, colour


@task
def x_of(point: Point) -> int:
    return point.x


@workflow
def main(
    i: int, f: float, s: str, flag: bool, at: datetime.datetime, span: datetime.timedelta,
    numbers: typing.Dict[str, int], point: Point, maybe: typing.Optional[int] = None,
    colour: Colour = Colour.BLUE,
) -> typing.Tuple[str, int, typing.Optional[int], Colour]:
    changed, text, same, colour2 = change(
        i=i, f=f, s=s, flag=flag, at=at, span=span, numbers=numbers, maybe=maybe, point=point, colour=colour)
    return text, x_of(point=changed), same, colour2

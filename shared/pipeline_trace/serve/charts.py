"""Charts: bars by day, and lengths one after another. Computes where each is; templates/charts.html.j2 draws them as SVG.

Across, all is in percent, so that a chart fits every page without a script. Downwards, all is in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..trace import conventions as c

GOOD, FAILED, OTHER, WAITED = "good", "failed", "other", "waited"
# What did neither succeed nor fail, in words.
OTHERS = "cancelled or without a result"
_HEIGHT = 130
# Below a chart of lengths: what did not succeed.
_STRIP = 8
_GAP = 3
# A line of text on the scale.
_TEXT = 14
# So many are counted one by one on the scale.
_FEW = 10
# Of the place for a bar, so much is the bar.
_WIDE = 0.82
_SECOND = 10**9
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
# Round lengths whose halves are round, too. Longer ones are counted in days.
_LENGTHS = (
    *(number * _SECOND for number in (1, 2, 4, 10, 20, 40)),
    *(number * _MINUTE for number in (1, 2, 4, 10, 20, 40)),
    *(number * _HOUR for number in (1, 2, 4, 8, 12)),
)


@dataclass(frozen=True)
class Shape:
    """A rectangle. ``kind``: GOOD, FAILED, OTHER or WAITED, its class."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A bar, in percent of the width. ``title``: what is said under the pointer. ``address``: where it leads, or ""."""

    x: float
    width: float
    shapes: Sequence[Shape]
    title: str
    address: str


@dataclass(frozen=True)
class Chart:
    """A chart. ``scale``: heights with their texts. ``below``: texts from the left to the right. ``zero``: where 0 is.

    ``used``: the kinds of bars in it.
    """

    bars: Sequence[Bar]
    scale: Sequence[tuple[float, str]]
    below: Sequence[str]
    zero: float
    height: float
    used: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Day:
    """What succeeded on a day and what failed, in numbers. ``others``: what did neither, and is in no bar."""

    day: str
    good: int
    failed: int
    address: str = ""
    others: int = 0


@dataclass(frozen=True)
class Length:
    """How long something took, in nanoseconds, and how long it waited before. ``state``: one of lookup.states.STATES."""

    took_ns: int
    state: str
    title: str
    address: str
    waited_ns: int = 0


def chart_of_days(days: Sequence[Day], unit: str) -> Chart | None:
    """Return a chart of each day: successes above the line, failures below it. None if all days are empty.

    ``unit``: what succeeded, in a word.
    """
    above, under = max((day.good for day in days), default=0), max((day.failed for day in days), default=0)
    if not above + under:
        return None
    top, bottom = _round_count(above), _round_count(under)
    zero = _HEIGHT * top / (top + bottom)
    each = _HEIGHT / (top + bottom)
    bars = []
    for at, day in enumerate(days):
        shapes = [Shape(GOOD, zero - day.good * each, day.good * each)] if day.good else []
        shapes += [Shape(FAILED, zero, day.failed * each)] if day.failed else []
        counts = ((day.failed, "failed"), (day.others, OTHERS))
        title = f"{day.day}: {day.good} {unit}" + "".join(f", {count} {said}" for count, said in counts if count)
        bars.append(_bar(at, len(days), shapes, title, day.address))
    # Where one side is all but flat, its number would be on the 0.
    ends = [end for end in ((0.0, str(top)), (float(_HEIGHT), str(bottom))) if abs(end[0] - zero) >= _TEXT]
    return _chart(bars, [(zero, "0"), *ends], [days[0].day, days[len(days) // 2].day, days[-1].day], zero, _HEIGHT)


def chart_of_lengths(lengths: Sequence[Length], below: Sequence[str]) -> Chart | None:
    """Return a chart of lengths, one after another: the wait is at the foot of each. None if there are none."""
    if not lengths:
        return None
    top = _round_length(max(one.took_ns + one.waited_ns for one in lengths))
    bars = []
    for at, one in enumerate(lengths):
        waited, took = (_HEIGHT * length / top for length in (one.waited_ns, one.took_ns))
        kind = _kind(one.state)
        shapes = [Shape(kind, _HEIGHT - waited - took, max(took, 1))]
        shapes += [Shape(WAITED, _HEIGHT - waited, waited)] if waited >= 1 else []
        shapes += [Shape(kind, _HEIGHT + _GAP, _STRIP)] if kind != GOOD else []
        bars.append(_bar(at, len(lengths), shapes, one.title, one.address))
    scale = [(0.0, _said(top)), (_HEIGHT / 2, _said(top // 2)), (float(_HEIGHT), "0")]
    return _chart(bars, scale, below, _HEIGHT, _HEIGHT + _GAP + _STRIP)


def _kind(state: str) -> str:
    if state in c.FAILED_RESULTS:
        return FAILED
    return GOOD if state == c.SUCCESS else OTHER


def _bar(at: int, count: int, shapes: Sequence[Shape], title: str, address: str) -> Bar:
    room = 100 / count
    # A few bars are not as wide as the page.
    width = min(room * _WIDE, 4)
    rounded = [Shape(one.kind, round(one.y, 1), round(one.height, 1)) for one in shapes]
    return Bar(round(at * room + (room - width) / 2, 3), round(width, 3), rounded, title, address)


def _chart(
    bars: Sequence[Bar], scale: Iterable[tuple[float, str]], below: Sequence[str], zero: float, height: float
) -> Chart:
    used = frozenset(shape.kind for bar in bars for shape in bar.shapes)
    return Chart(bars, [(round(y, 1), text) for y, text in scale], below, round(zero, 1), height, used)


def _said(length_ns: int) -> str:
    """Return a round length in words that are as short as can be."""
    for unit_ns, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if length_ns >= unit_ns:
            return f"{length_ns / unit_ns:g} {unit}"
    return f"{length_ns / _SECOND:g} s"


def _round_count(value: int) -> int:
    """Return a round number that is not smaller."""
    if value <= _FEW:
        return value
    digits = int(10 ** (len(str(value)) - 1))
    return next(number * digits for number in (1, 2, 3, 4, 5, 6, 8, 10) if number * digits >= value)


def _round_length(value_ns: int) -> int:
    """Return a round length in nanoseconds that is not smaller."""
    longer = next((length for length in _LENGTHS if length >= value_ns), 0)
    return longer or _round_count(-(-value_ns // _DAY)) * _DAY

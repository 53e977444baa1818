"""What got slower, by how much and since when. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..lookup.source import Figures
from ..lookup.usual import FEWEST_RUNS
from .periods import Periods, day_of

# A median that is longer by less is not worth a word.
_SHARE, _LEAST_NS = 0.2, 10**9


class Compared(NamedTuple):
    """Figures of a period and of the one before; None where nothing ran."""

    now: Figures | None = None
    before: Figures | None = None


class Slower(NamedTuple):
    """How much longer the median is, in nanoseconds, and since which day, such as 2026-11-30."""

    by_ns: int
    since: str


NOTHING = Compared()


def compared(figures: Sequence[Figures], periods: Periods) -> Mapping[tuple[str, ...], Compared]:
    """Return figures of whole periods by what they are of. ``figures``: for so many days each as a period has."""
    now, before = (
        {one.names: one for one in figures if one.day == day_of(window.from_ns)} for window in (periods.now, periods.before)
    )
    return {names: Compared(now.get(names), before.get(names)) for names in {**now, **before}}


def slower(both: Compared, by_day: Sequence[Figures]) -> Slower | None:
    """Return how much slower something got; None if it did not, or if it ran too seldom to tell.

    ``by_day``: the figures of each day of both periods on which it ran.
    """
    now, before = both
    if now is None or before is None or min(now.runs, before.runs) < FEWEST_RUNS:
        return None
    by_ns = now.median_ns - before.median_ns
    if by_ns < max(before.median_ns * _SHARE, _LEAST_NS):
        return None
    days = sorted(by_day, key=lambda one: one.day)
    # The day that divides them best: the medians on each side of it are nearest to the median of that side.
    splits = range(1, len(days))
    at = min(splits, key=lambda split: _spread(days[:split]) + _spread(days[split:]), default=0)
    return Slower(by_ns, days[at].day if at else "")


def _spread(days: Sequence[Figures]) -> int:
    """Return how far the medians of days are from the median of them all; each counts as often as something ran."""
    ordered = sorted(days, key=lambda one: one.median_ns)
    half, seen, middle = sum(one.runs for one in days) / 2, 0, 0
    for one in ordered:
        seen += one.runs
        if seen >= half:
            middle = one.median_ns
            break
    return sum(abs(one.median_ns - middle) * one.runs for one in days)

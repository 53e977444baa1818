"""What got slower, by how much and since when. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..lookup.source import Figures
from ..lookup.usual import FEWEST_RUNS
from .periods import Periods, day_of

# A median that is longer by less is not worth a word.
_SHARE, _LEAST_NS = 0.2, 10**9
# So many times farther apart are the sides of a day that divides than their days are from them. Less than that happens by
# chance: of jobs whose days differ at random by a third, 2 in 100 seem slower so, and 40 without this.
_APART = 3


class Compared(NamedTuple):
    """Figures of a period and of the one before; None where nothing ran."""

    now: Figures | None = None
    before: Figures | None = None


class Slower(NamedTuple):
    """How much longer the median is, in nanoseconds, and since which day, such as 2026-11-30; "" where that is not known."""

    by_ns: int
    since: str


class _Side(NamedTuple):
    """Some days: how often something ran, the median, and how far the runs' days are from that, all together."""

    runs: int
    median_ns: int
    spread_ns: int


NOTHING = Compared()


def compared(figures: Sequence[Figures], periods: Periods) -> Mapping[tuple[str, ...], Compared]:
    """Return figures of whole periods by what they are of. ``figures``: for so many days each as a period has."""
    now, before = (
        {one.names: one for one in figures if one.day == day_of(window.from_ns)} for window in (periods.now, periods.before)
    )
    return {names: Compared(now.get(names), before.get(names)) for names in {**now, **before}}


def by_names(figures: Iterable[Figures]) -> dict[tuple[str, ...], list[Figures]]:
    """Return figures of days by what they are of."""
    found: dict[tuple[str, ...], list[Figures]] = {}
    for one in figures:
        found.setdefault(one.names, []).append(one)
    return found


def slower(both: Compared, by_day: Sequence[Figures]) -> Slower | None:
    """Return how much slower something got; None if it did not, or if it ran too seldom to tell.

    ``by_day``: the figures of each day of both periods on which it ran. They tell since when, wherever that is in them;
    where none divides them clearly, the medians of both periods are compared.
    """
    since, earlier, later = _divided(sorted(by_day, key=lambda one: one.day))
    apart_ns = later.median_ns - earlier.median_ns
    clear = apart_ns * (earlier.runs + later.runs) >= _APART * (earlier.spread_ns + later.spread_ns)
    if since and clear and _is_longer(later.median_ns, earlier.median_ns):
        return Slower(apart_ns, since)
    now, before = both
    if now is None or before is None or min(now.runs, before.runs) < FEWEST_RUNS:
        return None
    if not _is_longer(now.median_ns, before.median_ns):
        return None
    return Slower(now.median_ns - before.median_ns, since if apart_ns > 0 else "")


def _is_longer(median_ns: int, than_ns: int) -> bool:
    return median_ns - than_ns >= max(than_ns * _SHARE, _LEAST_NS)


def _divided(days: Sequence[Figures]) -> tuple[str, _Side, _Side]:
    """Return the day that divides days best, and both sides: each is nearest to its median.

    The day is "" if there is none, or if something ran too seldom on one of its sides.
    """
    splits = [(days[at].day, _side(days[:at]), _side(days[at:])) for at in range(1, len(days))]
    none = ("", _side(()), _side(()))
    day, earlier, later = min(splits, key=lambda split: split[1].spread_ns + split[2].spread_ns, default=none)
    return (day, earlier, later) if min(earlier.runs, later.runs) >= FEWEST_RUNS else none


def _side(days: Sequence[Figures]) -> _Side:
    """Return some days as one. The median is of days that count as often as something ran."""
    ordered = sorted(days, key=lambda one: one.median_ns)
    runs, seen, middle = sum(one.runs for one in days), 0, 0
    for one in ordered:
        seen += one.runs
        if seen >= runs / 2:
            middle = one.median_ns
            break
    return _Side(runs, middle, sum(abs(one.median_ns - middle) * one.runs for one in days))

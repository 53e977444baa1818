"""How often something ran and how it ended, in a time. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..lookup.source import Figures, Window
from ..trace import conventions as c
from .periods import day_of, days_in


@dataclass(frozen=True)
class Results:
    """How often each result word was there. What has none counts as a run alone."""

    runs: int = 0
    of: Mapping[str, int] = field(default_factory=dict)

    @property
    def green(self) -> int:
        """Return how many succeeded."""
        return self.of.get(c.SUCCESS, 0)

    @property
    def failed(self) -> int:
        """Return how many failed, timed out or ended in an error."""
        return sum(self.of.get(word, 0) for word in c.FAILED_RESULTS)

    @property
    def success_rate(self) -> float | None:
        """Return which share of those that succeeded or failed succeeded, from 0 to 1; None if there is none of them."""
        ended = self.green + self.failed
        return self.green / ended if ended else None


def results_of(figures: Iterable[Figures]) -> Results:
    """Return the results of some figures, together."""
    return together(Results(one.runs, one.results) for one in figures)


def together(results: Iterable[Results]) -> Results:
    """Return several results as one."""
    runs, words = 0, Counter[str]()
    for one in results:
        runs += one.runs
        words.update(one.of)
    return Results(runs, words)


def by_day(figures: Iterable[Figures], window: Window) -> list[tuple[str, Results]]:
    """Return the results of each day of a window, such as 2026-11-30, in their order."""
    found: dict[str, list[Figures]] = {}
    for one in figures:
        found.setdefault(one.day, []).append(one)
    return [(day, results_of(found.get(day, ()))) for day in days_in(window)]


def within(figures: Iterable[Figures], window: Window) -> list[Figures]:
    """Return the figures of the days in a window."""
    first, last = day_of(window.from_ns), day_of(window.to_ns)
    return [one for one in figures if first <= one.day <= last]

"""What got slower and since when: only what ran often enough, and by so much that it is worth a word."""

from __future__ import annotations

import pytest

from pipeline_trace.figures.periods import DAY_NS, periods_of
from pipeline_trace.figures.results import Results, results_of, within
from pipeline_trace.figures.slower import NOTHING, Compared, Slower, compared, slower
from pipeline_trace.lookup.source import Figures
from pipeline_trace.trace import conventions as c

SECOND = 10**9
# 2026-01-01, five in the morning.
NOW = 20_454 * DAY_NS + 5 * 3600 * SECOND
PERIODS = periods_of(7, NOW)


def figures(day: str, seconds: float, runs: int = 3, name: str = "Build", **results: int) -> Figures:
    return Figures(("shop/build", name), day, runs, results or {c.SUCCESS: runs}, round(seconds * SECOND), 0)


def of(before: float | None, now: float | None, runs: int = 9) -> Compared:
    made = [None if seconds is None else figures("", seconds, runs) for seconds in (now, before)]
    return Compared(*made)


@pytest.mark.parametrize(
    ("both", "by_seconds"),
    [
        (of(10, 15), 5),
        (of(10, 11), None),
        (of(10, 5), None),
        # Twice as slow, and nobody waits for it.
        (of(0.5, 1), None),
        (of(None, 15), None),
        (of(10, None), None),
        (of(10, 15, runs=2), None),
        (NOTHING, None),
    ],
)
def test_only_what_is_much_slower_is_told(both: Compared, by_seconds: int | None) -> None:
    found = slower(both, [])
    assert (found and found.by_ns) == (by_seconds and by_seconds * SECOND)


def test_since_when_is_the_day_that_divides_the_medians_best() -> None:
    seconds = [10, 11, 30, 9, 10, 12, 20, 21, 19, 22, 20]
    days = [figures(f"2026-11-{10 + at}", length) for at, length in enumerate(seconds)]
    # One slow day does not make it slow.
    assert slower(of(10, 20), days[::-1]) == Slower(10 * SECOND, "2026-11-16")


def test_a_day_with_many_runs_counts_more() -> None:
    days = [
        figures("2026-11-10", 10, 50),
        figures("2026-11-11", 20, 1),
        figures("2026-11-12", 10, 50),
        figures("2026-11-13", 20, 50),
    ]
    found = slower(of(10, 20), days)
    assert found
    assert found.since == "2026-11-13"


def test_without_days_nobody_knows_since_when() -> None:
    assert slower(of(10, 20), [figures("2026-11-10", 15)]) == Slower(10 * SECOND, "")


def days_of(*seconds: float, runs: int = 1) -> list[Figures]:
    return [figures(f"2026-11-{10 + at}", length, runs) for at, length in enumerate(seconds)]


@pytest.mark.parametrize("medians", [of(65, 65), of(45, 45), of(None, 65), NOTHING])
def test_a_change_within_a_period_is_told_by_its_days(medians: Compared) -> None:
    found = slower(medians, days_of(45, 46, 44, 45, 65, 66, 64, 65, 65))
    assert found == Slower(20 * SECOND, "2026-11-14")


@pytest.mark.parametrize(
    "days",
    [
        # Slow and quick by turns, as with and without a cache.
        days_of(30, 60, 30, 60, 60, 30, 30, 60, 30, 60, 60),
        # Too seldom on one side.
        days_of(45, 46, 44, 45, 65, 66),
        days_of(45, 65, 66, 64),
        # By too little, and quicker.
        days_of(45, 46, 44, 45, 50, 51, 50, 51),
        days_of(0.1, 0.1, 0.1, 0.9, 0.9, 0.9),
        days_of(65, 65, 65, 45, 45, 45),
        [],
    ],
)
def test_days_that_do_not_divide_clearly_tell_nothing(days: list[Figures]) -> None:
    assert slower(of(45, 45), days) is None


def test_where_no_day_divides_clearly_the_periods_are_compared() -> None:
    assert slower(of(30, 61), days_of(5, 30, 50, 30, 5, 30, 40, 60, 80, 60, 40, 60, 80)) == Slower(31 * SECOND, "2026-11-17")
    # Slower than before, and quicker again: nobody knows since when.
    assert slower(of(30, 60), days_of(60, 60, 60, 30, 30, 30)) == Slower(30 * SECOND, "")


def test_periods_are_compared_by_name() -> None:
    first = figures("2025-12-26", 5), figures("2025-12-19", 4), figures("2025-12-19", 3, name="Gone")
    found = compared(first, PERIODS)
    assert found == {
        ("shop/build", "Build"): Compared(first[0], first[1]),
        ("shop/build", "Gone"): Compared(None, first[2]),
    }


def test_what_neither_failed_nor_succeeded_is_in_no_rate() -> None:
    found = results_of([figures("", 1, 9, success=3, failure=1, error=1, timeout=1, cancellation=2, skip=1)])
    assert (found.runs, found.green, found.failed, found.success_rate) == (9, 3, 3, 0.5)
    assert (Results().success_rate, results_of([figures("", 1, 2, cancellation=2)]).success_rate) == (None, None)


def test_days_belong_to_one_period() -> None:
    days = [figures(day, 1) for day in ("2025-12-18", "2025-12-19", "2025-12-25", "2025-12-26", "2026-01-01", "2026-01-02")]
    assert [one.day for one in within(days, PERIODS.before)] == ["2025-12-19", "2025-12-25"]
    assert [one.day for one in within(days, PERIODS.now)] == ["2025-12-26", "2026-01-01"]

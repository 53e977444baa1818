"""Periods are whole days in UTC, and the one before is as long."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from pipeline_trace.figures.periods import DAY_NS, day_of, days_in, periods_of

HALF_PAST_FOUR = int(datetime(2026, 3, 1, 16, 30, tzinfo=timezone.utc).timestamp()) * 10**9


@pytest.mark.parametrize("days", [1, 7, 90])
def test_a_period_ends_with_today_and_follows_the_one_before(days: int) -> None:
    found = periods_of(days, HALF_PAST_FOUR)
    assert (len(days_in(found.now)), len(days_in(found.before)), len(days_in(found.both))) == (days, days, 2 * days)
    assert days_in(found.now)[-1] == "2026-03-01"
    assert found.before.to_ns + 1 == found.now.from_ns
    assert found.now.to_ns - found.now.from_ns + 1 == days * DAY_NS


def test_the_last_day_before_march_is_known() -> None:
    assert days_in(periods_of(7, HALF_PAST_FOUR).now)[-2] == day_of(HALF_PAST_FOUR - DAY_NS) == "2026-02-28"

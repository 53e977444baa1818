"""Since when runs and deploys are here: a time that nobody recorded is no time in which nothing ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.over_time import NOW, PAGES, Page, card, day, deploy, host, job, lookup_of, parts, platform, service

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.periods import day_of, periods_of
from pipeline_trace.figures.recorded import recorded
from pipeline_trace.trace import conventions as c


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "traces.db")) as store:
        yield store


@pytest.mark.parametrize(
    ("days_ago", "since"),
    [
        # Each second day since 41 days ago.
        ([*range(1, 42, 2)], 41),
        # One of a wrong clock, or of somebody else, 150 days before that.
        ([190, *range(1, 42, 2)], 41),
        ([20_000, *range(1, 42, 2)], 41),
        # A deploy each third week.
        ([1, 22, 43, 64, 85], 85),
        # It began today.
        ([0.1, 0.2], 0),
        # Two, far from each other: nothing tells which clock is wrong.
        ([1, 101], 101),
    ],
)
def test_it_begins_with_the_first_runs_that_others_follow(store: Store, days_ago: list[float], since: float) -> None:
    found = recorded(lookup_of(store, days_ago), periods_of(90, NOW))
    assert day_of(found.since_ns) == day(since)
    assert not found.knows_before


def test_what_ran_before_both_periods_shows_that_their_quiet_days_are_recorded(store: Store) -> None:
    found = recorded(lookup_of(store, [1, 2, 60, 61]), periods_of(7, NOW))
    assert not found.knows_before
    found = recorded(lookup_of(store, [1, 2, 20, 21]), periods_of(7, NOW))
    assert found.knows_before
    assert (found.recorded, found.recorded_days) == (found.now, 7)


def test_without_runs_nothing_is_said(store: Store) -> None:
    assert recorded(lookup_of(store, []), periods_of(7, NOW)) == periods_of(7, NOW)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_says_since_when_it_knows(store: Store, page: Page) -> None:
    lookup = lookup_of(store, range(41))
    for days in (30, 90):
        assert f"Runs and deploys are here since {day(40)}" in page(lookup, days)
    assert "are here since" not in page(lookup, 7)


@pytest.mark.parametrize(
    ("page", "label", "figure", "before"),
    [
        (service, "Deployment frequency", "1 a day", "1 a day"),
        (service, "Change failure rate", "0 %", "0 %"),
        (job, "Runs", "1 a day", "1 a day"),
        (job, "Success rate", "100 %", "100 %"),
        (job, "Agent-minutes", "30", "30, told by all 30 builds"),
        (job, "Cost of agents", "3.60", "3.60"),
        (host, "Tasks that ran here", "30", "30"),
        (host, "Failed", "0", "0"),
        (host, "Unreachable", "0", "0"),
        (platform, "Builds", "30", "30"),
        (platform, "Failures of the platform", "0", "0"),
    ],
)
def test_numbers_of_a_time_that_is_not_recorded_are_not_known(
    store: Store, page: Page, label: str, figure: str, before: str
) -> None:
    lookup = lookup_of(store, range(41))
    assert card(page(lookup, 30), label) == (figure, "30 days before: not known")
    lookup = lookup_of(store, range(41, 61))
    assert card(page(lookup, 30), label) == (figure, f"30 days before: {before}")


@pytest.mark.parametrize(("page", "label"), [(service, "Deployment frequency"), (job, "Runs")])
def test_a_frequency_is_of_the_recorded_days_alone(store: Store, page: Page, label: str) -> None:
    assert card(page(lookup_of(store, [190, *range(41)]), 90), label) == ("1 a day", "90 days before: not known")


def test_tables_say_it_too(store: Store) -> None:
    store.deliver([span for days in range(3) for span in deploy(days + 0.25, c.FAILURE)], 60)
    lookup = lookup_of(store, range(41))
    for page in (service, job, platform):
        (row,) = re.findall(r"<tr><th scope=\"row\">not judged.*?</tr>", page(lookup, 30))
        assert row.endswith('data-head="30 days before">not known</td></tr>')
    assert 'data-head="Failed before">not known<' in parts(lookup, 30)
    held = re.findall('data-head="Agent-minutes before">([^<]*)<', platform(lookup, 30))
    assert held == ["not known", "not known"]
    rates = re.findall('data-head="30 days before">([^<]*)<', platform(lookup, 30))
    assert rates == ["not known", "not known"]

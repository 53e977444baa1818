"""Since when runs and deploys are here: a time that nobody recorded is no time in which nothing ran."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.cost import prices_of
from pipeline_trace.figures.hosts import host_over_time
from pipeline_trace.figures.jobs import job_over_time, parts_over_time
from pipeline_trace.figures.periods import DAY_NS, day_of, periods_of
from pipeline_trace.figures.platform import platform_over_time
from pipeline_trace.figures.recorded import recorded
from pipeline_trace.figures.services import service_over_time
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.serve.host_page import host_page
from pipeline_trace.serve.job_page import job_page, parts_page
from pipeline_trace.serve.period import Around, Asked
from pipeline_trace.serve.platform_page import platform_page
from pipeline_trace.serve.service_page import service_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

SECOND = 10**9
NOW = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
AROUND = Around("here", prices=prices_of(["linux=0.12/min"]))
JOB = "shop/deploy"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "traces.db")) as store:
        yield store


def deploy(days_ago: float, state: str = c.SUCCESS) -> list[Span]:
    """Return a build that deploys, with a task on a host."""
    start, number = NOW - round(days_ago * DAY_NS), round(days_ago * 100) + 1
    run = Span(f"{number:032x}", f"{number:016x}", None, f"RUN {JOB}", start, start + 60 * SECOND)
    run.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: state, "jenkins.parameter.ENVIRONMENT": "production"}
    run.attributes |= {c.JENKINS_HELD_MS: 60_000, c.JENKINS_HELD_LABELS: ["linux"], c.JENKINS_HELD_WORKERS: ["linux-1"]}
    run.attributes[c.JENKINS_HELD_LENGTHS_MS] = [60_000]
    run.resource = {c.PIPELINE_NAME: JOB, c.PIPELINE_RUN_ID: str(number)}
    run.status_code = "ERROR" if state in c.FAILED_RESULTS else "UNSET"
    task = Span(run.trace_id, f"{number + 2**32:016x}", run.span_id, "Copy", start, run.end_ns, resource=run.resource)
    task.attributes = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_RUN_RESULT: state}
    host = Span(run.trace_id, f"{number + 2**33:016x}", task.span_id, "web1", start, run.end_ns, resource=run.resource)
    host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_HOST_NAME: "web1", c.TASK_RUN_RESULT: state}
    return [run, task, host]


def lookup_of(store: Store, days_ago: Sequence[float]) -> Lookup:
    store.deliver([span for days in days_ago for span in deploy(days)], 60)
    return Lookup(LocalSource(store), Journals(None))


def day(days_ago: float) -> str:
    return day_of(NOW - round(days_ago * DAY_NS))


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


def service(lookup: Lookup, days: int) -> str:
    found = service_over_time(lookup, "shop", "", recorded(lookup, periods_of(days, NOW)))
    return service_page(Asked("shop", days), found, AROUND)


def job(lookup: Lookup, days: int) -> str:
    return job_page(Asked(JOB, days), job_over_time(lookup, JOB, recorded(lookup, periods_of(days, NOW))), AROUND)


def parts(lookup: Lookup, days: int) -> str:
    periods = recorded(lookup, periods_of(days, NOW))
    return parts_page(Asked(JOB, days, parts=True), parts_over_time(lookup, JOB, periods), periods, AROUND)


def host(lookup: Lookup, days: int) -> str:
    found = host_over_time(lookup, "web1", recorded(lookup, periods_of(days, NOW)))
    return host_page(Asked("web1", days), found, AROUND)


def platform(lookup: Lookup, days: int) -> str:
    return platform_page(Asked("", days), platform_over_time(lookup, recorded(lookup, periods_of(days, NOW))), AROUND)


Page = Callable[[Lookup, int], str]
PAGES = (service, job, parts, host, platform)


def card(page: str, label: str) -> tuple[str, str]:
    """Return the figure of a card, and what it says of the period before."""
    text = next(one for one in page.split('<li class="card">') if f"<h3>{label}</h3>" in one)
    return tuple(unescape(re.search(f'{name}">([^<]*)<', text)[1]) for name in ("figure", "muted"))  # type: ignore[index,return-value]


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

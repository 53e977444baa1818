"""A job over time, from spans in a store: counts, lengths, waits, what got slower, what is flaky, whose failures were."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.jobs import JobOverTime, job_over_time, parts_over_time, waited
from pipeline_trace.figures.periods import DAY_NS, day_of, periods_of
from pipeline_trace.figures.slower import Slower
from pipeline_trace.figures.verdicts import Verdict
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.serve.job_page import parts_page
from pipeline_trace.serve.period import Around, Asked
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id
from pipeline_trace.trace.span import Span

SECOND = 10**9
HOUR = 3600 * SECOND
# The middle of a day: hours before and after are the same day.
NOW = time.time_ns() // DAY_NS * DAY_NS + 12 * HOUR
PERIODS = periods_of(7, NOW)
JOB = "shop/build"


class Builds:
    """Builds of a job, made one after another."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def add(
        self, number: int, days_ago: float, seconds: float, state: str = c.SUCCESS, *, waits: float = 0, **told: str
    ) -> Span:
        start = NOW - round(days_ago * DAY_NS)
        run = self.span(number, "run", None, start, seconds, c.TYPE_RUN, state)
        run.attributes |= {c.PIPELINE_RESULT: state, **told}
        if waits:
            self.span(number, "Schedule", run, start - round(waits * SECOND), waits, c.TYPE_QUEUE, "")
        return run

    def span(self, number: int, name: str, parent: Span | None, start: int, seconds: float, kind: str, state: str) -> Span:
        key = (JOB, str(number), name)
        trace = f"{number:032x}"
        made = Span(trace, span_id(key), parent.span_id if parent else None, name, start, start + round(seconds * SECOND))
        made.attributes = {c.JENKINS_TYPE: kind, **({c.TASK_RUN_RESULT: state} if state else {})}
        made.resource = {c.PIPELINE_NAME: JOB, c.PIPELINE_RUN_ID: str(number)}
        made.status_code = "ERROR" if state in c.FAILED_RESULTS else "UNSET"
        self.spans.append(made)
        return made

    def stage(self, run: Span, name: str, seconds: float, state: str = c.SUCCESS) -> None:
        self.span(int(run.resource[c.PIPELINE_RUN_ID]), name, run, run.start_ns, seconds, c.TYPE_STAGE, state)


@pytest.fixture
def builds() -> Builds:
    return Builds()


@pytest.fixture
def lookup(tmp_path: Path) -> Iterator[Lookup]:
    with closing(LocalSource(Store(tmp_path / "traces.db"))) as source:
        yield Lookup(source, Journals(None))


def told(tmp_path: Path, lookup: Lookup, builds: Builds) -> JobOverTime:
    with closing(Store(tmp_path / "traces.db")) as store:
        store.deliver(builds.spans, 60)
    return job_over_time(lookup, JOB, PERIODS)


def test_a_job_that_never_ran_has_no_figures(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    found = told(tmp_path, lookup, builds)
    assert (found.results(PERIODS.now).runs, found.results(PERIODS.now).success_rate) == (0, None)
    assert (found.green, found.slower, waited(found.runs)) == ((None, None), None, None)
    assert (found.stages, found.runs, found.flaky, found.verdicts, found.plays) == ([], [], [], [], False)


def test_runs_are_counted_in_their_period_and_another_job_in_none(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    for number, (days, state) in enumerate([(0.1, c.SUCCESS), (1, c.FAILURE), (2, c.CANCELLATION), (8, c.SUCCESS)], 1):
        builds.add(number, days, 60, state)
    builds.add(9, 1, 60).resource[c.PIPELINE_NAME] = "orders/build"
    found = told(tmp_path, lookup, builds)
    now, before = (found.results(window) for window in (PERIODS.now, PERIODS.before))
    assert (now.runs, now.green, now.failed, now.success_rate) == (3, 1, 1, 0.5)
    assert (before.runs, before.success_rate) == (1, 1)
    assert [one.entry.run for one in found.runs] == [f"{JOB}#3", f"{JOB}#2", f"{JOB}#1"]


def test_lengths_are_those_of_green_runs_and_say_what_got_slower(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    for number in range(12):
        # Since three days ago, its tests take twice as long.
        slow = number < 4
        run = builds.add(number, 0.5 + number, 200 if slow else 100)
        builds.stage(run, "Tests", 160 if slow else 60)
        builds.stage(run, "Lint", 20)
    failed = builds.add(50, 0.2, 9999, c.FAILURE)
    builds.stage(failed, "Lint", 5000, c.FAILURE)
    found = told(tmp_path, lookup, builds)
    assert found.green.now
    assert found.green.before
    assert (found.green.now.median_ns, found.green.now.most_ns, found.green.before.median_ns) == (
        200 * SECOND,
        200 * SECOND,
        100 * SECOND,
    )
    since = f"{time.strftime('%Y-%m-%d', time.gmtime((NOW - 3.5 * DAY_NS) / SECOND))}"
    assert found.slower
    assert (found.slower.by_ns, found.slower.since) == (100 * SECOND, since)
    assert [(one.name, one.took_ns // SECOND, one.failed, one.slower and one.slower.since) for one in found.stages] == [
        ("Tests", 160, 0, since),
        ("Lint", 20, 1, None),
    ]


def test_the_wait_for_the_platform_stands_apart(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    run = builds.add(1, 0.5, 100, waits=30)
    builds.span(1, "Allocate agent linux", run, run.start_ns + 5 * SECOND, 20, c.TYPE_AGENT, "")
    # Two at once wait no longer than one; a person's wait is none of the platform's.
    builds.span(1, "Allocate agent windows", run, run.start_ns + 5 * SECOND, 15, c.TYPE_AGENT, "")
    builds.span(1, "Wait for input", run, run.start_ns + 60 * SECOND, 30, c.TYPE_INPUT, "")
    builds.add(2, 0.4, 100)
    found = told(tmp_path, lookup, builds)
    assert [(one.queued_ns // SECOND, one.worked_ns // SECOND) for one in found.runs] == [(50, 80), (0, 100)]
    assert waited(found.runs) == (0, 50 * SECOND, 2)
    assert waited(found.before) is None


def test_what_is_flaky_comes_with_what_it_costs(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    for number, (commit, state, seconds) in enumerate(
        [("a", c.FAILURE, 100), ("a", c.SUCCESS, 50), ("b", c.FAILURE, 70), ("b", c.SUCCESS, 50), ("d", c.FAILURE, 900)], 1
    ):
        run = builds.add(number, 1 - number / 10, seconds, state, **{c.VCS_HEAD_REVISION: commit * 40})
        builds.stage(run, "Tests", 10, state)
    found = told(tmp_path, lookup, builds)
    # The last one only failed.
    ((name, test, failed, lost_ns),) = [(one.name, one.test, one.failed, one.lost_ns) for one in found.flaky]
    assert (name, test, [one.trace_id for one in failed], lost_ns) == (
        "Tests",
        False,
        [f"{1:032x}", f"{3:032x}"],
        170 * SECOND,
    )


def test_failures_have_owners_and_kinds(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    ops = {c.FAILURE_OWNER: "ops", c.FAILURE_KIND: "disk_full"}
    builds.add(1, 1, 9, c.FAILURE, **ops)
    builds.add(2, 2, 9, c.ERROR, **ops)
    builds.add(3, 3, 9, c.TIMEOUT)
    builds.add(4, 8, 9, c.FAILURE, **ops)
    builds.add(5, 1, 9)
    found = told(tmp_path, lookup, builds)
    assert found.verdicts == [Verdict("ops", "disk_full", 2, 1), Verdict("", "", 1, 0)]


def test_tasks_and_hosts_of_its_playbooks(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    run = builds.add(1, 1, 100)
    for name, kind, seconds, state in (
        ("Copy", "task", 9, c.SUCCESS),
        ("Restart", "task", 30, c.FAILURE),
        ("web1", "host", 5, c.ERROR),
    ):
        made = builds.span(1, name, run, run.start_ns, seconds, "", state)
        made.attributes = {c.ANSIBLE_TYPE: kind, c.TASK_RUN_RESULT: state, c.ANSIBLE_HOST_NAME: name}
    told(tmp_path, lookup, builds)
    found = parts_over_time(lookup, JOB, PERIODS)
    assert {of: [(one.name, one.took_ns // SECOND, one.failed) for one in parts] for of, parts in found.items()} == {
        "tasks": [("Restart", 30, 1), ("Copy", 9, 0)],
        "hosts": [("web1", 5, 1)],
    }


def test_tasks_and_hosts_that_got_slower_are_told(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    for number in range(14):
        run = builds.add(number, 0.5 + number, 100)
        for name, kind in (("Copy", c.TYPE_TASK), ("web1", c.TYPE_HOST)):
            made = builds.span(number, name, run, run.start_ns, 30 if number < 7 else 20, "", c.SUCCESS)
            made.attributes = {c.ANSIBLE_TYPE: kind, c.TASK_RUN_RESULT: c.SUCCESS, c.ANSIBLE_HOST_NAME: name}
    told(tmp_path, lookup, builds)
    found = parts_over_time(lookup, JOB, PERIODS)
    assert [one.slower for parts in found.values() for one in parts] == [Slower(10 * SECOND, ""), Slower(10 * SECOND, "")]
    assert "10.0 s slower<" in parts_page(Asked(JOB, 7, parts=True), found, PERIODS, Around("here"))


def test_what_got_slower_in_the_period_before_is_told_with_its_day(tmp_path: Path, lookup: Lookup, builds: Builds) -> None:
    for number in range(14):
        builds.stage(builds.add(number, 0.4 + number, 100), "Unit test", 45 if number <= 9 else 25)
    found = told(tmp_path, lookup, builds)
    assert [one.slower for one in found.stages] == [Slower(20 * SECOND, day_of(NOW - round(9.4 * DAY_NS)))]

"""A host over time, from spans in a store: tasks, failures, when it was not reached; what was skipped did not run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.hosts import host_over_time
from pipeline_trace.figures.periods import DAY_NS, periods_of
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id
from pipeline_trace.trace.span import Span

SECOND = 10**9
NOW = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
PERIODS = periods_of(7, NOW)
RESULTS = {"failed": c.FAILURE, "unreachable": c.ERROR, "skipped": c.SKIP}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "traces.db")) as store:
        yield store


@pytest.fixture
def lookup(store: Store) -> Lookup:
    return Lookup(LocalSource(store), Journals(None))


def ran(task: str, host: str, days_ago: float, result: str, seconds: float = 2, build: str = "") -> list[Span]:
    """Return the spans of a task and of a host in it."""
    start = NOW - round(days_ago * DAY_NS)
    key = (task, host, str(start))
    trace = f"{start:032x}"
    around = Span(trace, span_id((*key, "task")), None, task, start, start + 99 * SECOND)
    around.attributes = {c.ANSIBLE_TYPE: c.TYPE_TASK}
    made = Span(trace, span_id(key), around.span_id, host, start, start + round(seconds * SECOND))
    word = RESULTS.get(result, c.SUCCESS)
    made.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: result, c.TASK_RUN_RESULT: word}
    made.status_code = "ERROR" if word in c.FAILED_RESULTS else "UNSET"
    resource = {c.PIPELINE_NAME: build.partition("#")[0], c.PIPELINE_RUN_ID: build.partition("#")[2]} if build else {}
    around.resource = made.resource = resource
    return [around, made]


def test_a_host_on_which_nothing_ran(lookup: Lookup) -> None:
    found = host_over_time(lookup, "web1", PERIODS)
    assert (found.results(PERIODS.both).runs, found.failures, found.visits, found.tasks) == (0, [], [], [])


def test_what_ran_and_what_failed_is_told_of_this_host_alone(store: Store, lookup: Lookup) -> None:
    told = [
        ran("Copy", "web1", 1, "ok", 4, "shop/deploy#7"),
        ran("Restart", "web1", 1, "failed", build="shop/deploy#7"),
        ran("Copy", "web1", 3, "changed", 8),
        ran("Copy", "web1", 5, "skipped"),
        ran("Gathering Facts", "web1", 2, "unreachable"),
        ran("Copy", "web1", 9, "failed"),
        ran("Copy", "web10", 1, "failed"),
    ]
    store.deliver([span for spans in told for span in spans], 60)
    found = host_over_time(lookup, "web1", PERIODS)
    now, before = (found.results(window) for window in (PERIODS.now, PERIODS.before))
    assert (now.runs, now.green, now.failed, dict(now.of)[c.ERROR], dict(now.of)[c.SKIP]) == (5, 2, 2, 1, 1)
    assert (before.runs, before.failed) == (1, 1)
    assert [one.task and one.task.name for one in found.failures] == ["Restart", "Gathering Facts"]
    assert [
        (one.name, one.runs, one.failed, one.changed, one.median_ns and one.median_ns // SECOND) for one in found.tasks
    ] == [
        ("Copy", 2, 0, 1, 6),
        ("Gathering Facts", 1, 1, 0, None),
        ("Restart", 1, 1, 0, None),
    ]


def test_what_ran_is_told_by_build_else_by_trace(store: Store, lookup: Lookup) -> None:
    one, two, alone = (ran("Copy", "web1", days, "ok", build=build) for days, build in ((2, "a#1"), (1, "b#2"), (3, "")))
    for span in two:
        # Both builds are in one trace.
        span.trace_id = one[0].trace_id
    store.deliver([*one, *two, *alone], 60)
    found = host_over_time(lookup, "web1", PERIODS)
    assert [(visit.build, len(visit.tasks)) for visit in found.visits] == [("b#2", 1), ("a#1", 1), ("", 1)]

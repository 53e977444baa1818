"""The platform over time, from spans in a store: waits by label and by job, and whose the failures were."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures import verdicts
from pipeline_trace.figures.cost import prices_of
from pipeline_trace.figures.held import Told
from pipeline_trace.figures.periods import DAY_NS, day_of, periods_of
from pipeline_trace.figures.platform import PlatformOverTime, of_platform, platform_over_time
from pipeline_trace.figures.slower import Slower
from pipeline_trace.figures.verdicts import Verdict
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.serve.period import Around, Asked
from pipeline_trace.serve.platform_page import platform_page
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import span_id
from pipeline_trace.trace.span import Span

SECOND = 10**9
MINUTE = 60 * SECOND
NOW = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
PERIODS = periods_of(7, NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "traces.db")) as store:
        yield store


def build(number: int, days_ago: float, state: str = c.SUCCESS, job: str = "shop/build", owner: str = "") -> Span:
    start = NOW - round(days_ago * DAY_NS)
    made = Span(f"{number:032x}", span_id(("run", str(number))), None, f"RUN {job}", start, start + 60 * SECOND)
    made.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: state}
    if owner:
        made.attributes |= {c.FAILURE_OWNER: owner, c.FAILURE_KIND: "disk_full"}
    made.status_code = "ERROR" if state in c.FAILED_RESULTS else "UNSET"
    made.resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
    return made


def wait(run: Span, kind: str, seconds: float, label: str = "") -> Span:
    start = run.start_ns
    made = Span(run.trace_id, span_id((kind, run.span_id)), run.span_id, kind, start, start + round(seconds * SECOND))
    made.attributes = {c.JENKINS_TYPE: kind, **({c.JENKINS_AGENT_LABEL: label} if label else {})}
    made.resource = run.resource
    return made


def told(store: Store, spans: list[Span]) -> PlatformOverTime:
    store.deliver(spans, 60)
    return platform_over_time(Lookup(LocalSource(store), Journals(None)), PERIODS)


def test_without_builds_nothing_is_known(store: Store) -> None:
    found = told(store, [])
    assert (found.now.runs, found.now.success_rate, found.agents, found.queues, found.verdicts) == (0, None, [], [], [])


def test_waits_are_told_by_label_and_by_job_the_longest_first(store: Store) -> None:
    spans = []
    for number, (days, job, label, agent, queue) in enumerate(
        [
            (1, "shop/build", "linux", 5, 1),
            (2, "shop/build", "linux", 15, 3),
            (3, "orders/build", "gpu", 60, 2),
            (4, "orders/build", "", 1, 2),
            (9, "shop/build", "linux", 4, 9),
        ],
        1,
    ):
        run = build(number, days, job=job)
        spans += [run, wait(run, c.TYPE_AGENT, agent, label), wait(run, c.TYPE_QUEUE, queue)]
    found = told(store, spans)
    assert [(one.name, one.both.now and (one.both.now.runs, one.both.now.most_ns // SECOND)) for one in found.agents] == [
        ("gpu", (1, 60)),
        ("linux", (2, 15)),
        ("", (1, 1)),
    ]
    before = next(one.both.before for one in found.agents if one.name == "linux")
    assert before
    assert before.median_ns == 4 * SECOND
    assert [one.name for one in found.queues] == ["shop/build", "orders/build"]


def test_a_wait_that_got_longer_is_told_with_its_day(store: Store) -> None:
    spans = []
    for number in range(1, 15):
        run = build(number, number - 0.6, job="infra/nightly")
        spans += [run, wait(run, c.TYPE_AGENT, 30, "gpu"), wait(run, c.TYPE_QUEUE, 300 if number <= 11 else 60)]
    found = told(store, spans)
    since = day_of(NOW - round(10.4 * DAY_NS))
    assert [one.slower for one in (*found.agents, *found.queues)] == [None, Slower(240 * SECOND, since)]
    page = platform_page(Asked("", 7), found, Around("here"))
    assert f"4 min 00 s longer, since {since}<" in page


def test_failures_are_judged_and_those_of_the_platform_stand_apart(store: Store) -> None:
    spans = [
        build(1, 1, c.FAILURE, owner="ops"),
        build(2, 2, c.ERROR, owner="ops"),
        build(3, 3, c.FAILURE, "orders/build", "dev"),
        build(4, 3, c.TIMEOUT, "orders/build"),
        build(5, 9, c.FAILURE, owner="ops"),
        build(6, 1),
    ]
    found = told(store, spans)
    assert [run.trace_id for run in of_platform(found.failed)] == [f"{1:032x}", f"{2:032x}"]
    assert (found.now.runs, found.now.failed, found.before.failed) == (5, 4, 1)
    assert found.verdicts == [
        Verdict("ops", "disk_full", 2, 1),
        Verdict("", "", 1, 0),
        Verdict("dev", "disk_full", 1, 0),
    ]
    assert [(one.job, one.now.failed, one.now.runs) for one in found.jobs] == [("shop/build", 2, 3), ("orders/build", 2, 2)]


def test_what_was_before_is_not_known_where_too_much_failed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST_FAILURES", 2)
    assert told(store, [build(number, number, c.FAILURE) for number in (1, 2, 9)]).failed_before is None


def held(run: Span, *parts: tuple[str, str, float]) -> Span:
    """Let a build tell what it held: the label, else the agent, and minutes."""
    labels, workers, minutes = zip(*parts, strict=True) if parts else ((), (), ())
    run.attributes |= {
        c.JENKINS_HELD_MS: round(sum(minutes) * 60_000),
        c.JENKINS_HELD_LABELS: list(labels),
        c.JENKINS_HELD_WORKERS: list(workers),
        c.JENKINS_HELD_LENGTHS_MS: [round(one * 60_000) for one in minutes],
    }
    return run


def test_agent_minutes_are_told_by_label_and_by_job_the_longest_first(store: Store) -> None:
    spans = [
        held(build(1, 1), ("linux", "", 10), ("", "mac-1", 3)),
        held(build(2, 2, job="orders/build"), ("gpu && big", "", 60)),
        held(build(3, 3), ("linux", "", 20)),
        held(build(4, 9), ("linux", "", 100)),
        # A Pipeline without agents tells it, too; an older poller does not.
        held(build(5, 1)),
        build(6, 1),
        build(7, 9),
    ]
    found = told(store, spans).held
    assert [(one.name, one.now_ns // MINUTE, one.before_ns // MINUTE) for one in found.by_label] == [
        ("gpu && big", 60, 0),
        ("linux", 30, 100),
        ("mac-1", 3, 0),
    ]
    assert [(one.name, one.now_ns // MINUTE, one.before_ns // MINUTE) for one in found.by_job] == [
        ("orders/build", 60, 0),
        ("shop/build", 33, 100),
    ]
    assert (found.now, found.before) == (Told(4, 5), Told(1, 2))
    assert (found.whole.now_ns // MINUTE, found.whole.before_ns // MINUTE) == (93, 100)


def page_of(store: Store, spans: list[Span], *prices: str) -> str:
    return platform_page(Asked("", 7), told(store, spans), Around("here", prices=prices_of(prices)))


def test_money_is_shown_only_where_there_are_prices(store: Store) -> None:
    spans = [held(build(1, 1), ("linux", "", 10)), held(build(2, 1, job="gpu"), ("gpu", "", 5))]
    without = page_of(store, spans)
    assert "Agent-minutes" in without
    assert "Cost" not in without
    priced = page_of(store, spans, "linux=0.12 EUR/min")
    assert "1.20 EUR" in priced
    assert "without 5 min that have no price" in priced
    # The dearest job is the first, though another one held longer.
    dearest = page_of(store, spans, "linux=0.12/min", "gpu=9/min")
    assert dearest.index(">gpu<") < dearest.index(">shop/build<")


def test_what_has_no_price_costs_not_nothing(store: Store) -> None:
    page = page_of(store, [held(build(1, 1), ("linux", "", 10)), held(build(2, 9), ("linux", "", 7))], "gpu=1 EUR/min")
    assert '<p class="figure">no price</p>' in page
    assert "10 min that have no price; give one, such as --cost &#39;*=0.05/min&#39;" in page
    assert "7 days before: no price" in page
    assert "0.00" not in page


def test_where_no_build_tells_it_the_page_says_so(store: Store) -> None:
    assert "No build tells it." in page_of(store, [build(1, 1)], "linux=1/min")

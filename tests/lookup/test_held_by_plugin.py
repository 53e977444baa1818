"""What builds that Jenkins' OpenTelemetry plugin tells held of agents: from the local store and from ClickHouse alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support import clickhouse_schema, clickhouse_sources, others, told
from support.clickhouse import Engine, needs_engine
from support.others import Plugin

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.figures.held import AgentTime, Told, agent_time
from pipeline_trace.figures.periods import periods_of
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.lookup.source import Wanted
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]

SECOND = 10**9


@pytest.fixture(scope="module", params=[False, True], ids=["map", "json"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, bool]]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine, request.param


def held(folder: Path, engine: tuple[Engine, bool], spans: list[Span], job: str = "") -> AgentTime:
    """Return what both sources tell of spans that ended an hour ago."""
    spans = told.moved(spans, time.time_ns() - 3600 * SECOND)
    wanted = [Wanted("pipeline", job)] if job else []
    name = f"w{abs(hash(folder))}"
    clickhouse_schema.create(engine[0], database=name, as_json=engine[1])
    clickhouse_schema.insert(engine[0], spans, database=name, as_json=engine[1])
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(folder / "traces.db")))
        store.deliver(spans, 60)
        sources = LocalSource(store), stack.enter_context(closing(clickhouse_sources.source(engine[0], name)))
        found, expected = (
            agent_time(Lookup(source, Journals(None)), periods_of(7, time.time_ns()), wanted) for source in sources
        )
    assert found == expected
    return found


def lines(found: AgentTime) -> list[tuple[str, int]]:
    return [(one.name, round(one.now_ns / SECOND)) for one in found.by_label]


def build(number: int, names: str = others.OWN, label: str = "linux", job: str = "shop/main") -> list[Span]:
    """Return a build that had two executors at once: for 18 and for 8 seconds, after a wait of 2."""
    sent = Plugin(f"{job}#{number}", names)
    running = sent.build(job, number, 0, 60)
    for name, end in (("a", 30), ("b", 20)):
        branch = sent.branch(name, 5, end, running)
        sent.stage("Test", 12, end, sent.agent(10, end, branch, label=label))
    return sent.spans


@pytest.mark.parametrize("names", [others.OWN, others.BOTH, others.STANDARD])
def test_a_block_counts_from_when_its_agent_was_given(tmp_path: Path, engine: tuple[Engine, bool], names: str) -> None:
    found = held(tmp_path, engine, [*build(1, names), *build(2, names, "gpu && big", "orders")])
    assert lines(found) == [("gpu && big", 26), ("linux", 26)]
    assert [one.name for one in found.by_job] == ["orders", "shop/main"]
    assert found.now == Told(2, 2)


def test_of_one_job_only_its_own_are_counted(tmp_path: Path, engine: tuple[Engine, bool]) -> None:
    found = held(tmp_path, engine, [*build(1), *build(2, job="orders")], "orders")
    assert (lines(found), found.now) == ([("linux", 26)], Told(1, 1))


def test_a_build_that_the_poller_tells_too_counts_once(tmp_path: Path, engine: tuple[Engine, bool]) -> None:
    spans = build(1)
    run = next(span for span in spans if c.PLUGIN_JOB in span.attributes)
    polled = Span("9" * 32, "9" * 16, None, "RUN shop/main", run.start_ns, run.end_ns)
    polled.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS}
    polled.attributes |= {c.JENKINS_HELD_MS: 25_000, c.JENKINS_HELD_LABELS: ["linux"], c.JENKINS_HELD_WORKERS: [""]}
    polled.attributes[c.JENKINS_HELD_LENGTHS_MS] = [25_000]
    polled.resource = {c.PIPELINE_NAME: "shop/main", c.PIPELINE_RUN_ID: "1"}
    found = held(tmp_path, engine, [*spans, polled])
    assert (lines(found), found.now) == ([("linux", 25)], Told(1, 1))


def test_where_the_build_of_a_block_or_its_label_is_not_clear_nothing_is_told(
    tmp_path: Path, engine: tuple[Engine, bool]
) -> None:
    sent = Plugin("two")
    for number, job in enumerate(("shop/build", "shop/deploy")):
        sent.agent(10, 30, sent.build(job, number, 0, 60))
    found = held(tmp_path, engine, [*sent.spans, *build(3, label="")])
    assert (lines(found), found.now) == ([], Told(0, 3))

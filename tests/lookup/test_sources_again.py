"""What was asked before changes no answer: the server remembers for a condition in which parts of a table nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import clickhouse_schema
from support.clickhouse import Engine, needs_engine
from support.months import HOUR_NS, SECOND_NS

from pipeline_trace.lookup.clickhouse.address import parsed
from pipeline_trace.lookup.clickhouse.client import Client
from pipeline_trace.lookup.clickhouse.login import Login
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]

BUILDS = 40
NOW_NS = 1_795_000_000 * SECOND_NS
WITHIN = Window(NOW_NS - (BUILDS + 1) * HOUR_NS, NOW_NS)


def run(number: int) -> Span:
    """Return a run, an hour before the one of the next lower number."""
    start = NOW_NS - number * HOUR_NS
    made = Span(f"{number:032x}", f"{number:016x}", None, "RUN job", start, start + SECOND_NS)
    made.resource = {c.PIPELINE_NAME: "job", c.PIPELINE_RUN_ID: str(number)}
    made.attributes = {
        **made.resource,
        c.JENKINS_TYPE: c.TYPE_RUN,
        c.PIPELINE_RESULT: c.SUCCESS,
        c.VCS_HEAD_REVISION: "ab" * 20,
    }
    return made


@pytest.fixture(params=["Map", "JSON"])
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ClickHouseSource]:
    """A source whose days have two parts each, with runs of the same hours."""
    runs, as_json = [run(number) for number in range(1, BUILDS + 1)], request.param == "JSON"
    with Engine(tmp_path / "engine") as engine:
        clickhouse_schema.create(engine, as_json=as_json)
        engine.sql("SYSTEM STOP MERGES otel_traces")
        for some in (runs[::2], runs[1::2]):
            clickhouse_schema.insert(engine, some, as_json=as_json)
        address = parsed(f"clickhouse://default@127.0.0.1:{engine.port}/default")
        source = ClickHouseSource(Client(address, Login()), lambda: NOW_NS)
        yield source
        source.close()


def test_more_of_the_same_is_all_there(source: ClickHouseSource) -> None:
    for most in (1, 3, BUILDS, BUILDS):
        assert len(source.runs(WITHIN, most)) == most
        assert len(source.stages("job", WITHIN, most)) == most
        for wanted in (Wanted("pipeline", "job"), Wanted("revision", "abab", begins=True), Wanted("revision")):
            assert len(source.noted([[wanted]], most, WITHIN)) == most


def test_others_of_the_same_time_are_all_there(source: ClickHouseSource) -> None:
    for number in range(1, BUILDS + 1):
        trace, own = f"{number:032x}", Window(NOW_NS - (BUILDS + 1) * HOUR_NS, NOW_NS)
        wanted = [[Wanted("pipeline", "job"), Wanted("run", str(number))]]
        assert [span.trace_id for span in source.noted(wanted, 5, WITHIN)] == [trace]
        assert [span.trace_id for span in source.builds([("job", str(number))], around=[own])] == [trace]
        assert [span.trace_id for span in source.trace(trace)] == [trace]
        assert [span.trace_id for span in source.outline([trace], 5)] == [trace]
        assert source.traces_with([f"{number:016x}"], [own]) == {trace}

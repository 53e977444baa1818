"""What runs, from the Collector's table of logs: told last, not ended, and heard of or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support import clickhouse_schema
from support.clickhouse import Engine, User, needs_engine
from support.clickhouse_sources import source
from support.spans import span

from pipeline_trace.lookup.standing import Opened
from pipeline_trace.serve.remote_open import RemoteOpen
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_engine]

NOW_NS = 1_800_000_000 * 10**9
SECOND = 10**9


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("clickhouse"), users={"reader": User("s3cret")}) as engine:
        yield engine


@pytest.fixture
def tables(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine with empty tables."""
    clickhouse_schema.create(engine)
    if events := getattr(request, "param", True):
        clickhouse_schema.create_logs(engine, events=events)
    yield engine
    for table in ("otel_traces_trace_id_ts_mv", "otel_traces_trace_id_ts", "otel_traces", "otel_logs"):
        engine.sql(f"DROP TABLE IF EXISTS {table}")


def opened(number: int, name: str = "", *, ago: int = 60, run: int = 0) -> Span:
    attributes = {c.ANSIBLE_TYPE: "task", **({c.OPEN_TOLD_WITH: f"{run:016x}"} if run else {})}
    made = replace(span(number, name=name or f"span {number}"), start_ns=NOW_NS - ago * SECOND, end_ns=0)
    return replace(made, attributes=attributes, resource={c.SERVICE_NAME: "ansible"})


def found(engine: Engine, user: str = "default") -> list[Opened]:
    with closing(source(engine, user=user)) as where:
        return RemoteOpen(where, lambda: NOW_NS).now()


def names(engine: Engine) -> list[str]:
    return sorted(one.span.name for one in found(engine))


def test_an_open_span_is_what_was_sent(tables: Engine) -> None:
    wait = {c.WAIT_KIND: "agent", c.WAIT_SINCE: NOW_NS - 7, c.WAIT_STUCK: True}
    sent = opened(2)
    sent = replace(sent, parent_id=f"{1:016x}", kind="SERVER", attributes={**sent.attributes, **wait})
    clickhouse_schema.insert_open(tables, [sent], NOW_NS - 50 * SECOND)
    clickhouse_schema.insert_open(tables, [sent], NOW_NS - 20 * SECOND)
    assert found(tables) == [Opened(sent)]


def test_one_that_has_ended_is_not_open(tables: Engine) -> None:
    clickhouse_schema.insert_open(tables, [opened(1), opened(2)], NOW_NS - 20 * SECOND)
    clickhouse_schema.insert(tables, [replace(opened(2), end_ns=NOW_NS)])
    assert names(tables) == ["span 1"]


def test_after_four_intervals_it_is_not_heard_of_and_after_an_hour_forgotten(tables: Engine) -> None:
    for number, ago in enumerate((119, 121, 3599, 3601)):
        clickhouse_schema.insert_open(tables, [opened(number + 1, ago=4000)], NOW_NS - ago * SECOND)
    heard = {one.span.name: one.heard_ns for one in found(tables)}
    assert heard == {"span 1": 0, "span 2": NOW_NS - 121 * SECOND, "span 3": NOW_NS - 3599 * SECOND}


def test_of_a_build_that_is_told_whole_only_what_was_told_last_is_open(tables: Engine) -> None:
    clickhouse_schema.insert_open(tables, [opened(1, run=1), opened(2, run=1)], NOW_NS - 50 * SECOND)
    clickhouse_schema.insert_open(tables, [opened(1, run=1), opened(3, run=1)], NOW_NS - 20 * SECOND)
    assert names(tables) == ["span 1", "span 3"]
    clickhouse_schema.insert(tables, [replace(opened(1), end_ns=NOW_NS)])
    assert names(tables) == []


def test_other_and_odd_records_are_left_out(tables: Engine) -> None:
    clickhouse_schema.insert_open(tables, [opened(1)], NOW_NS - 20 * SECOND)
    clickhouse_schema.insert_open(tables, [opened(2)], NOW_NS - 20 * SECOND, **{c.OPEN_START: "soon"})
    tables.send(b"""INSERT INTO otel_logs FORMAT JSONEachRow
        {"Timestamp": "1799999990", "TraceId": "", "Body": "an application's", "EventName": "pipeline_trace.span.open"}""")
    assert names(tables) == ["span 1"]


@pytest.mark.parametrize("tables", [False], indirect=True)
def test_without_a_table_of_logs_nothing_runs(tables: Engine, caplog: pytest.LogCaptureFixture) -> None:
    assert names(tables) == []
    assert caplog.records == []


def test_records_of_an_older_exporter_have_no_name_of_an_event(engine: Engine) -> None:
    clickhouse_schema.create(engine, database="older")
    clickhouse_schema.create_logs(engine, database="older", events=False)
    clickhouse_schema.insert_open(engine, [opened(1)], NOW_NS - 20 * SECOND, database="older", events=False)
    with closing(source(engine, "older")) as where:
        assert [one.span.name for one in RemoteOpen(where, lambda: NOW_NS).now()] == ["span 1"]


def test_the_table_of_logs_is_called_as_that_of_spans(engine: Engine) -> None:
    clickhouse_schema.create(engine, database="named", table="shop_traces")
    clickhouse_schema.create_logs(engine, database="named", table="shop_logs")
    with closing(source(engine, "named?table=shop_traces")) as where:
        logs = where.schema().logs
        assert logs
        assert logs.table == "`named`.`shop_logs`"


def test_who_may_not_read_the_logs_is_told_once_and_has_the_rest(
    tables: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clickhouse_schema.insert_open(tables, [opened(1)], NOW_NS - 20 * SECOND)
    monkeypatch.setattr("pipeline_trace.serve.remote_open._SECONDS", 0.0)
    with closing(source(tables)) as where, caplog.at_level(logging.WARNING):
        remote = RemoteOpen(where, lambda: NOW_NS)
        assert [one.span.name for one in remote.now()] == ["span 1"]
        tables.sql("DROP TABLE otel_logs")
        assert [remote.now(), remote.now()] == [[], []]
    (record,) = caplog.records
    assert record.getMessage().startswith("what runs cannot be read: clickhouse://")

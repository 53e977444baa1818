"""What the tests of ClickHouse as a source share: an engine with a few spans, and sources on it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest
from support import clickhouse_schema
from support.clickhouse import Engine, User
from support.months import Months

from pipeline_trace.trace.span import Span

PASSWORD = "s3cret: ü/@?#%"
USERS = {
    "reader": User(PASSWORD, settings={"readonly": "2"}),
    "strict": User(PASSWORD, settings={"readonly": "1"}),
    "some": User(PASSWORD, settings={"readonly": "1"}, changeable=("max_execution_time",)),
    "limited": User(PASSWORD, settings={"readonly": "2", "max_rows_to_read": "10"}),
}


@pytest.fixture(scope="session")
def spans() -> Sequence[Span]:
    return Months(3, time.time_ns()).spans()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, spans: Sequence[Span]) -> Iterator[Engine]:
    """An engine with spans, which no test changes."""
    with Engine(tmp_path_factory.mktemp("clickhouse"), users=USERS) as engine:
        clickhouse_schema.create(engine)
        clickhouse_schema.insert(engine, spans)
        engine.sql("CREATE DATABASE things")
        engine.sql("CREATE TABLE things.orders (id UInt64, Timestamp DateTime) ENGINE = MergeTree ORDER BY id")
        engine.sql("""CREATE TABLE things.texts ENGINE = MergeTree ORDER BY TraceId
            AS SELECT * REPLACE (toString(SpanAttributes) AS SpanAttributes) FROM otel_traces LIMIT 1""")
        yield engine

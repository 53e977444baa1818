"""Spans go through a real Collector into a real ClickHouse: all arrive, whichever of them is killed or absent meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import support
from support import clickhouse_schema, otel_collector, processes, tls
from support.clickhouse import Engine, Fault, Tls, User, needs_engine
from support.clickhouse_sources import source
from support.otel_collector import Collector
from support.toolchains import needs_collector

from pipeline_trace.delivery.destinations import configured_destination, configured_teller
from pipeline_trace.lookup.standing import Opened
from pipeline_trace.serve.remote_open import RemoteOpen
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, OK, SERVER, UNSET, Event, Link, Span

pytestmark = [pytest.mark.process, needs_collector, needs_engine]

EXAMPLE = "clickhouse/collector"
# The Collector ends where it shall make tables and finds no server.
TABLES_ARE_THERE = {"CLICKHOUSE_CREATE_SCHEMA": "false"}
INSERT = "INSERT INTO"


@contextmanager
def collector(folder: Path, engine: Engine, env: dict[str, str] | None = None, **settings: object) -> Iterator[Collector]:
    """The Collector of the example. Its own compression, lz4, is the one thing that the front of the engine lacks."""
    given = {"exporters__clickhouse__compress": "gzip", **settings}
    with Collector(folder, EXAMPLE, backend=engine.url, exporter="clickhouse", env=env, **given) as running:
        yield running


def ids(engine: Engine) -> list[str]:
    """Return the ids of the spans that are in ClickHouse, those that came twice twice."""
    return [row["SpanId"] for row in engine.sql("SELECT SpanId FROM otel.otel_traces")]


def wait_for(engine: Engine, spans: list[Span]) -> list[str]:
    """Return the ids in ClickHouse as soon as these spans are there."""
    expected = {span.span_id for span in spans}
    processes.wait_for(lambda: expected <= set(ids(engine)), f"arrival of all {len(expected)} spans", 60)
    return ids(engine)


def halves(spans: list[Span]) -> tuple[list[Span], list[Span]]:
    return spans[: len(spans) // 2], spans[len(spans) // 2 :]


@pytest.mark.parametrize("examples", [(EXAMPLE,), (EXAMPLE, "token")])
def test_collector_finds_nothing_wrong_with_the_example(examples: tuple[str, ...]) -> None:
    env = {
        "CLICKHOUSE_URL": "https://clickhouse.example.com:8443",
        "CLICKHOUSE_USER": "collector",
        "CLICKHOUSE_PASSWORD": "s3cret",
        "COLLECTOR_TOKEN": "t0ken",
        "COLLECTOR_CERTIFICATE": "/etc/otelcol/certificate.pem",
        "COLLECTOR_KEY": "/etc/otelcol/key.pem",
    }
    done = otel_collector.validate(*examples, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_all_spans_of_the_demo_arrive_once_each(tmp_path: Path, engine: Engine, demo: list[Span]) -> None:
    with collector(tmp_path / "collector", engine) as running:
        running.send(demo)
        assert sorted(wait_for(engine, demo)) == sorted(span.span_id for span in demo)


def test_playbook_sends_it_itself(tmp_path: Path, engine: Engine) -> None:
    """With the standard variables alone, as on an agent."""
    env = support.environ(tmp_path)
    with collector(tmp_path / "collector", engine) as running:
        playbook = support.write_playbook(tmp_path, support.DEPLOY)
        done = support.run_playbook(playbook, env={**env, **running.environ()})
        assert done.returncode == 0, done.stderr
        processes.wait_for(lambda: not support.journals(env), "delivery to the Collector")
        # A playbook and a play, two tasks with three hosts each.
        processes.wait_for(lambda: len(set(ids(engine))) == 10, "arrival of the playbook")


@pytest.mark.parametrize("as_json", [False, True], ids=["map", "json"])
def test_what_runs_is_read_from_the_records_of_open_spans(
    tmp_path: Path, engine: Engine, demo: list[Span], as_json: bool
) -> None:
    now_ns = time.time_ns()
    sent = replace(
        demo[0], start_ns=now_ns - 60 * 10**9, end_ns=0, status_code=UNSET, status_message="", events=[], links=[]
    )
    told = replace(sent, attributes={**sent.attributes, c.WAIT_KIND: "lock", c.WAIT_SINCE: now_ns - 7, c.WAIT_STUCK: True})
    with collector(tmp_path / "collector", engine, exporters__clickhouse__json=as_json) as running:
        environ = {**running.environ(), "OTEL_LOGS_EXPORTER": "otlp"}
        teller = configured_teller(environ, configured_destination(environ, tmp_path / "store.db"))
        assert teller
        teller.tell([told], 30.0)
        processes.wait_for(lambda: engine.sql("SELECT 1 FROM otel.otel_logs"), "arrival of the record", 60)
        with closing(source(engine, "otel")) as where:
            assert RemoteOpen(where).now() == [Opened(told)]
            running.send([replace(sent, end_ns=now_ns)])
            wait_for(engine, [sent])
            assert RemoteOpen(where).now() == []
        teller.close()


@pytest.mark.parametrize("as_json", [False, True], ids=["map", "json"])
def test_insert_of_the_tests_writes_what_the_exporter_does(
    tmp_path: Path, engine: Engine, demo: list[Span], as_json: bool
) -> None:
    """Tables, and rows column by column: what is tested without a Collector is true with it."""
    spans = [*demo, *odd_spans(demo[0].start_ns)]
    with collector(tmp_path / "collector", engine, exporters__clickhouse__json=as_json) as running:
        running.send(spans)
        wait_for(engine, spans)
    clickhouse_schema.create(engine, database="ours", as_json=as_json)
    clickhouse_schema.insert(engine, spans, database="ours", as_json=as_json)
    for question in TABLES:
        assert engine.sql(question, database="ours") == engine.sql(question, database="otel")
    every = "SELECT * FROM otel_traces ORDER BY TraceId, SpanId"
    theirs = engine.sql(every, database="otel")
    assert len(theirs) == len(spans)
    for ours, row in zip(engine.sql(every, database="ours"), theirs, strict=True):
        assert ours == row
    of_traces = "SELECT TraceId, min(Start) AS first, max(End) AS last FROM otel_traces_trace_id_ts GROUP BY 1 ORDER BY 1"
    assert engine.sql(of_traces, database="ours") == engine.sql(of_traces, database="otel")
    if as_json:
        types = "SELECT SpanId, JSONAllPathsWithTypes(SpanAttributes) AS types FROM otel_traces ORDER BY 1"
        assert engine.sql(types, database="ours") == engine.sql(types, database="otel")


# What there is for spans, in the words of the engine, but for how long rows are kept.
TABLES = (
    """SELECT table, name, type, compression_codec, default_expression FROM system.columns
    WHERE database = currentDatabase() AND table != 'otel_logs' ORDER BY table, position""",
    """SELECT name, engine, partition_key, sorting_key, replaceAll(as_select, currentDatabase() || '.', '') AS selected
    FROM system.tables WHERE database = currentDatabase() AND name != 'otel_logs' ORDER BY name""",
    """SELECT table, name, type_full, expr, granularity FROM system.data_skipping_indices
    WHERE database = currentDatabase() AND table != 'otel_logs' ORDER BY table, name""",
)


def odd_spans(start: int) -> list[Span]:
    """Return spans with values of each kind that we send, and times that no clock should give."""
    values = {
        "text": "a <b> & 'c' \\ \n \t é 😀",
        "empty": "",
        "yes": True,
        "no": False,
        "int": -5,
        "large": 2**63 - 1,
        "texts": ["a", 'b "c" <d>', "é", ""],
        "ints": [1, 2],
        "bools": [True, False],
        "floats": [0.5, 2.0],
        "none": [],
        "with.dots.in": "its name",
        **{f"float {value!r}": value for value in (1.5, 2.0, -0.25, 0.0, 1e16, 1e21, 1e22, -1.5e300, 1e-6, 1e-7, 1.25e-10)},
    }
    full = Span(
        trace_id="ab" * 16,
        span_id="00000000000000a1",
        parent_id="00000000000000a2",
        name="all kinds of values",
        start_ns=start,
        end_ns=start + 1,
        kind=SERVER,
        status_code=ERROR,
        status_message="broken: é",
        attributes=dict(values),
        events=[Event("first", start, {"n": 1}), Event("second", start + 5, {}), Event("", 0, {"list": ["x"]})],
        links=[Link("cd" * 16, "00000000000000b1", {"why": "a retry"}), Link("ef" * 16, "00000000000000b2")],
        resource={"service.name": "jenkins.example", "process.pid": 7, "tags": ["x", "y"]},
    )
    bare = {"trace_id": "ab" * 16, "parent_id": None, "start_ns": start}
    return [
        full,
        Span(span_id="00000000000000a2", name="open", **bare),
        Span(span_id="00000000000000a3", name="ends before it starts", end_ns=start - 1, **bare),
        Span(span_id="00000000000000a4", name="well", end_ns=start, status_code=OK, status_message="not sent", **bare),
        *(Span(span_id=f"00000000000000c{i}", name=k, end_ns=start, kind=k, **bare) for i, k in enumerate(KINDS)),
    ]


KINDS = ("CLIENT", "PRODUCER", "CONSUMER")


# Who is killed, who is absent


def test_queue_outlives_a_kill_of_the_collector_while_clickhouse_is_absent(
    tmp_path: Path, engine: Engine, demo: list[Span]
) -> None:
    clickhouse_schema.create(engine, database="otel")
    engine.kill()
    with collector(tmp_path / "collector", engine, TABLES_ARE_THERE) as running:
        running.send(demo)
        running.kill()
        running.start()
        engine.start()
        wait_for(engine, demo)


def test_clickhouse_that_is_killed_and_comes_back_gets_all(tmp_path: Path, engine: Engine, demo: list[Span]) -> None:
    first, rest = halves(demo)
    with collector(tmp_path / "collector", engine) as running:
        running.send(first)
        wait_for(engine, first)
        engine.kill()
        running.send(rest)
        engine.start()
        wait_for(engine, demo)


def test_both_are_killed_again_and_again_and_nothing_is_lost(tmp_path: Path, engine: Engine, demo: list[Span]) -> None:
    clickhouse_schema.create(engine, database="otel")
    small = {"exporters__clickhouse__sending_queue__batch__max_size": 40}
    small |= {"exporters__clickhouse__sending_queue__batch__min_size": 1}
    parts = [demo[start : start + 15] for start in range(0, len(demo), 15)]
    with collector(tmp_path / "collector", engine, TABLES_ARE_THERE, **small) as running:
        for number, part in enumerate(parts):
            running.send(part)
            victim = (running, engine)[number % 2]
            victim.kill()
            victim.start()
        wait_for(engine, demo)


def test_what_clickhouse_was_too_slow_to_answer_is_there_twice_and_not_lost(
    tmp_path: Path, engine: Engine, demo: list[Span]
) -> None:
    clickhouse_schema.create(engine, database="otel")
    with collector(tmp_path / "collector", engine, TABLES_ARE_THERE, exporters__clickhouse__timeout="500ms") as running:
        with engine.fault(Fault("hang", matching=INSERT)):
            running.send(demo)
            processes.wait_for(lambda: "Exporting failed" in running.said, "insert that takes too long")
        processes.wait_for(lambda: len(ids(engine)) > len(demo), "spans that are there twice")
        assert set(ids(engine)) == {span.span_id for span in demo}


@pytest.mark.parametrize("kind", ["status", "garbage"])
def test_inserts_that_fail_for_a_while_are_made_again(tmp_path: Path, engine: Engine, demo: list[Span], kind: str) -> None:
    with collector(tmp_path / "collector", engine) as running:
        with engine.fault(Fault(kind, matching=INSERT)):  # type: ignore[arg-type]
            running.send(demo)
            processes.wait_for(lambda: "Exporting failed" in running.said, "insert that fails")
            assert ids(engine) == []
        assert len(wait_for(engine, demo)) == len(demo)


def test_collector_that_shall_make_tables_ends_where_clickhouse_is_absent(tmp_path: Path, engine: Engine) -> None:
    engine.kill()
    with pytest.raises(AssertionError, match="connection refused"), collector(tmp_path / "collector", engine):
        pass


# Who may write


def test_password_and_certificate_are_used(tmp_path: Path, demo: list[Span]) -> None:
    authority, _ = tls.authority(tmp_path)
    users = {"collector": User("s3cret: ü/@?")}
    secure = Tls(tmp_path / "server.pem", authority)
    with Engine(tmp_path / "clickhouse", users=users, tls=secure) as engine:
        env = {"CLICKHOUSE_USER": "collector", "CLICKHOUSE_PASSWORD": users["collector"].password}
        trusted = {"exporters__clickhouse__tls__ca_file": str(authority)}
        with collector(tmp_path / "collector", engine, env, **trusted) as running:
            running.send(demo)
            wait_for(engine, demo)
        inserts = [asked for asked in engine.log() if asked.sql.startswith(INSERT)]
        assert {asked.user for asked in inserts} == {"collector"}
        assert json.dumps([asked.settings for asked in inserts]).count("s3cret") == 0

"""Spans that two sources have, this machine's store and ClickHouse, and what to ask them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import support
from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.clickhouse.types import typed
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.source import TraceSource
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.others import understood
from pipeline_trace.trace.span import Attributes, AttributeValue, Span
from pipeline_trace_demo.replay import Replay
from support import clickhouse_schema, clickhouse_sources, others, questions
from support.clickhouse import Engine
from support.months import HOUR_NS, SECOND_NS, Months
from support.polling import Polling
from support.told import moved

# The demo's builds, both incidents, failures of many kinds, and what came later on one of the incidents.
_RECORDINGS = ("11", "incident-host-down", "incident-broken-change", "r15", "96")


class World(NamedTuple):
    """Spans, the sources that have them, and what to ask."""

    spans: Sequence[Span]
    local: TraceSource
    engine: Engine
    asked: dict[str, dict[str, questions.Ask]]

    def remote(self, database: str) -> ClickHouseSource:
        """Return a new source on one of the databases."""
        return clickhouse_sources.source(self.engine, f"{database}?table=spans" if database == "own" else database)


@contextmanager
def told_to_both(folder: Path, engine: Engine, spans: Sequence[Span], **databases: bool) -> Iterator[World]:
    """Yield a world of these spans. ``databases``: by their names, whether their columns are of the type JSON."""
    local = Store(folder / "traces.db")
    local.deliver(spans, 60)
    for name, as_json in databases.items():
        clickhouse_schema.create(engine, database=name, as_json=as_json)
        clickhouse_schema.insert(engine, spans, database=name, as_json=as_json)
    known = [understood(span) for span in spans]
    yield World(known, LocalSource(local), engine, questions.questions(known, time.time_ns()))
    local.close()


@contextmanager
def recorded_and_made(folder: Path) -> Iterator[World]:
    """Yield a world of recorded builds and of months made at random, in databases ``map``, ``json`` and ``own``."""
    now_ns = time.time_ns()
    spans: list[Span] = []
    for hours, name in enumerate(_RECORDINGS):
        spans += _polled(folder / name, name, now_ns - hours * HOUR_NS)
    spans = list({(span.trace_id, span.span_id): span for span in spans}.values())
    for seed in (1, 2):
        spans += Months(seed, now_ns).spans()
    with Engine(folder / "engine") as engine, told_to_both(folder, engine, spans, map=False, json=True) as world:
        for name in ("map", "json"):
            # Delivered twice: at once, and later.
            clickhouse_schema.insert(engine, [*spans[:200], *spans[:50]], database=name, as_json=name == "json")
        _make_own(engine)
        yield world


def _polled(folder: Path, name: str, to_ns: int) -> list[Span]:
    with Replay(support.recording(name)) as jenkins:
        polling = Polling(folder, jenkins)
        polling.sweep()
    return moved(polling.spans, to_ns)


def _make_own(engine: Engine) -> None:
    """Make a table as users do it who made their own: sorted otherwise, with more in it, and nothing that says when."""
    engine.sql("CREATE DATABASE own")
    engine.sql("""CREATE TABLE own.spans ENGINE = MergeTree PARTITION BY toYYYYMM(Timestamp) ORDER BY (Region, TraceId)
        AS SELECT 'eu' AS Region, *, TraceId AS Timestamp_trace, 5 AS Duration_ms FROM map.otel_traces""")
    # What somebody else wrote there: no ids, ids of another form, spans of a shop that sells things.
    for trace, name in (("''", "no ids"), ("'x'", "no id"), ("lower(hex(SpanId))", "GET /cart")):
        engine.sql(f"""INSERT INTO own.spans (Region, Timestamp, TraceId, SpanId, SpanName, SpanKind, SpanAttributes)
            SELECT 'us', Timestamp - INTERVAL 9 DAY, {trace}, reverse(SpanId), '{name}', 'Server', map('http.method', 'GET')
            FROM map.otel_traces LIMIT 500""")


def odd_spans(now_ns: int) -> list[Span]:
    """Return runs and playbooks, each in a trace of its own, but for stages, which are in the trace of the run before."""
    made: list[Span] = []

    def add(
        name: str, minutes: tuple[int, int], attributes: Attributes, resource: Attributes, parent: Span | None = None
    ) -> Span:
        number = len(made) + 1
        trace = parent.trace_id if parent else f"{number:032x}"
        start, end = (now_ns + one * 60 * SECOND_NS for one in minutes)
        made.append(Span(trace, f"{number:016x}", parent.span_id if parent else None, name, start, end))
        made[-1].attributes, made[-1].resource = dict(attributes), resource
        return made[-1]

    def run(job: str, number: int, minutes: tuple[int, int] = (-90, -60), **more: str) -> Span:
        own = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS, **more}
        return add(f"RUN {job}", minutes, own, {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)})

    def stage(of: Span, name: str, minutes: tuple[int, int]) -> None:
        add(name, minutes, {c.JENKINS_TYPE: c.TYPE_STAGE, c.TASK_RUN_RESULT: c.SUCCESS}, of.resource, of)

    # It ends when builds that began after it have ended.
    long = run("long", 1, (-600, -10))
    stage(long, "early", (-599, -590))
    stage(long, "late", (-580, -11))
    short = run("long", 2, (-500, -490))
    stage(short, "within", (-499, -498))
    # An empty text is none; that of the resource does not count.
    for number, name in enumerate((c.PIPELINE_RUN_ID, c.VCS_CHANGE_ID)):
        run("empty", number, **{name: ""})
    told = run("empty", 9, **{c.VCS_HEAD_REVISION: ""})
    told.resource = {**told.resource, c.VCS_HEAD_REVISION: "ab" * 20}
    for number, value in enumerate(("ABCDEF1", "main", "abcdefg", "123456", "abcdef12\n", "")):
        run("parameters", number, **{f"{c.JENKINS_PARAMETER_PREFIX}COMMIT": value})
    ours = {c.PIPELINE_NAME: "others.yml", c.PIPELINE_RUN_ID: "5", c.PIPELINE_RESULT: c.FAILURE}
    add("run of another system", (-30, -20), ours, {})
    add("deploy", (-30, -20), {c.TASK_TYPE: c.DEPLOY, c.DEPLOYMENT_ENVIRONMENT: "prod"}, {})
    add("root with a commit", (-30, -20), {c.VCS_HEAD_REVISION: "cd" * 20, c.TASK_RUN_RESULT: c.TIMEOUT}, {})
    add("child with a commit", (-30, -20), {c.VCS_HEAD_REVISION: "cd" * 20}, {}, made[-1])
    add("host without a name", (-30, -20), {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_HOST_NAME: ""}, {})
    return made


def spans_of_others() -> list[Span]:
    """Return builds and pipelines as other tools tell them, as they come back from a table of texts."""
    made = [*others.workflow_run(), *others.gitlab_pipeline(failing="test"), *others.action_run()]
    for number, names in enumerate((others.OWN, others.BOTH, others.STANDARD)):
        made += others.failed_tests(f"shop/main{number}", 12 + number, names)
        made += others.deployed(number=13 + 10 * number, names=names, start=300 + number * 100, failing="production")

    def kept(attributes: Attributes) -> dict[str, AttributeValue]:
        return typed({name: clickhouse_schema.as_text(value) for name, value in attributes.items()})

    return [replace(span, attributes=kept(span.attributes), resource=kept(span.resource)) for span in made]

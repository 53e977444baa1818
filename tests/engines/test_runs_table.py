"""examples/clickhouse/runs.sql in ClickHouse's own engine: the columns of the table of runs, answers with it and without."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import support
from support import clickhouse_schema, others, questions, told
from support.clickhouse import Engine, needs_engine
from support.examples import CLICKHOUSE
from support.months import Months

from pipeline_trace.lookup.clickhouse.address import parsed
from pipeline_trace.lookup.clickhouse.client import Client, Login
from pipeline_trace.lookup.clickhouse.schema import RUN_COLUMNS
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.others import understood
from pipeline_trace.trace.span import Span
from pipeline_trace.trace.traits import NOTED, OUTLINE, traits_of

pytestmark = pytest.mark.process

SCRIPT = support.ROOT / "scripts/runs_table.py"


@pytest.mark.parametrize(("file", "options"), [("runs.sql", []), ("runs-json.sql", ["--json"])])
def test_file_is_what_the_script_prints(file: str, options: list[str], tmp_path: Path) -> None:
    """It is written by scripts/runs_table.py, from the expressions with which spans are asked for."""
    done = support.run(sys.executable, SCRIPT, *options, env=support.environ(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert (CLICKHOUSE / file).read_text() == done.stdout, f"run: python scripts/runs_table.py {' '.join(options)}"


def is_thin(span: Span) -> bool:
    """Return whether the table of runs has a span."""
    traits = traits_of(understood(span))
    return traits.level == NOTED or traits.kind in (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)


def spans_of_all(demo: Sequence[Span]) -> list[Span]:
    """Return the demo's spans, months of odd ones, and those of other tools."""
    now_ns = max(span.end_ns for span in demo)
    sent = [
        *others.deployed(names=others.OWN),
        *others.failed_tests(names=others.BOTH),
        *others.deployed(names=others.STANDARD),
    ]
    sent += [*others.workflow_run(), *others.gitlab_pipeline(failing="test"), *others.action_run()]
    found = [*demo, *Months(3, now_ns).spans(), *told.moved(sent, now_ns)]
    return list({(span.trace_id, span.span_id): span for span in found}.values())


@needs_engine
@pytest.mark.parametrize("as_json", [False, True], ids=["Map", "JSON"])
def test_columns_are_the_traits_of_each_span(demo: list[Span], engine: Engine, as_json: bool) -> None:
    """The view and the statement that fills the table compute what traits_of() does, for exactly the spans that count."""
    spans = spans_of_all(demo)
    clickhouse_schema.create(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[::2], as_json=as_json)
    clickhouse_schema.create_runs(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[1::2], as_json=as_json)

    rows = engine.sql(f"SELECT TraceId, SpanId, {', '.join(RUN_COLUMNS)} FROM otel_traces_runs")

    def row(span: Span) -> dict[str, object]:
        traits = traits_of(understood(span))
        found = {name: getattr(traits, name.lower()) for name in RUN_COLUMNS}
        found["Level"] = NOTED if traits.level == NOTED else OUTLINE
        return {"TraceId": span.trace_id, "SpanId": span.span_id, **found}

    found = {(str(one["TraceId"]), str(one["SpanId"])): one for one in rows}
    expected = {(span.trace_id, span.span_id): row(span) for span in filter(is_thin, spans)}
    assert {key: one for key, one in found.items() if one != expected.get(key)} == {}
    assert expected.keys() - found.keys() == set()


@needs_engine
@pytest.mark.parametrize("as_json", [False, True], ids=["Map", "JSON"])
def test_answers_are_the_same_with_and_without_it(demo: list[Span], engine: Engine, as_json: bool) -> None:
    """Also for spans that were delivered twice, which stand in the table twice."""
    spans = spans_of_all(demo)
    clickhouse_schema.create(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans, as_json=as_json)
    source = ClickHouseSource(Client(parsed(f"clickhouse://default@127.0.0.1:{engine.port}/default"), Login()))
    asked = {
        name: ask
        for kind in questions.questions(spans, max(span.end_ns for span in demo)).values()
        for name, ask in kind.items()
    }
    without = {name: ask(source) for name, ask in asked.items()}
    clickhouse_schema.create_runs(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[::3], as_json=as_json)
    source = ClickHouseSource(Client(parsed(f"clickhouse://default@127.0.0.1:{engine.port}/default"), Login()))

    assert int(engine.sql("SELECT count() - uniqExact(SpanId) AS twice FROM otel_traces_runs")[0]["twice"]) > 0
    assert [name for name, ask in asked.items() if ask(source) != without[name]] == []
    assert any("otel_traces_runs" in asked.sql for asked in engine.log() if asked.query_id.startswith("pipeline-trace-"))

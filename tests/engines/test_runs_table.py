"""examples/clickhouse/runs.sql in ClickHouse's own engine: the columns of the table of runs, answers with it and without."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import support
from support import clickhouse_schema
from support.clickhouse import Engine, needs_engine
from support.examples import CLICKHOUSE

from pipeline_trace.lookup.clickhouse.address import parsed
from pipeline_trace.lookup.clickhouse.client import Client, Login
from pipeline_trace.lookup.clickhouse.schema import RUN_COLUMNS
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.source import Wanted, Window
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import build_key
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
    traits = traits_of(span)
    return traits.level == NOTED or traits.kind in (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)


def odd(spans: Sequence[Span]) -> list[Span]:
    """Return spans of other shapes, beside those of the demo: each says one thing in another way."""

    def span(number: int, **told: object) -> Span:
        made = Span("f" * 32, f"{number:016x}", None, f"odd {number}", spans[0].start_ns)
        made.end_ns = spans[0].start_ns + number
        made.attributes = {name.replace("__", "."): value for name, value in told.items()}  # type: ignore[misc]
        made.resource = {"service.name": "other"}
        return made

    revision, other = "ABCDEF0123456789", "1234567890abcdef"
    return [
        span(1, vcs__ref__head__revision=revision),
        span(2, jenkins__type="run", jenkins__parameter__COMMIT="not a commit", vcs__ref__head__revision=other),
        span(3, cicd__pipeline__result="success", jenkins__parameter__GIT_COMMIT=revision, vcs__ref__head__revision=other),
        span(4, cicd__pipeline__result="", jenkins__parameter__ENV=" Pre-Production "),
        span(5, jenkins__type="stage", vcs__ref__head__revision=revision, deployment__environment__name="prod"),
        span(6, cicd__pipeline__task__type="deploy", deployment__environment__name="LIVE", jenkins__parameter__SERVICE="x"),
        span(7, jenkins__type="run"),
        span(8, ansible__type="host", cicd__pipeline__result="failure"),
    ]


@needs_engine
@pytest.mark.parametrize("as_json", [False, True], ids=["Map", "JSON"])
def test_columns_are_the_traits_of_each_span(demo: list[Span], engine: Engine, as_json: bool) -> None:
    """The view and the statement that fills the table compute what traits_of() does, for exactly the spans that count."""
    spans = [*demo, *odd(demo)]
    clickhouse_schema.create(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[::2], as_json=as_json)
    clickhouse_schema.create_runs(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[1::2], as_json=as_json)

    rows = engine.sql(f"SELECT TraceId, SpanId, {', '.join(RUN_COLUMNS)} FROM otel_traces_runs")

    def row(span: Span) -> dict[str, object]:
        traits = traits_of(span)
        found = {name: getattr(traits, name.lower()) for name in RUN_COLUMNS}
        found["Level"] = NOTED if traits.level == NOTED else OUTLINE
        return {"TraceId": span.trace_id, "SpanId": span.span_id, **found}

    def key(one: dict[str, object]) -> tuple[str, str]:
        return str(one["TraceId"]), str(one["SpanId"])

    assert sorted(rows, key=key) == sorted(map(row, filter(is_thin, spans)), key=key)


@needs_engine
@pytest.mark.parametrize("as_json", [False, True], ids=["Map", "JSON"])
def test_answers_are_the_same_with_and_without_it(demo: list[Span], engine: Engine, as_json: bool) -> None:
    """Also for spans that were delivered twice, which stand in the table twice."""
    spans = [*demo, *odd(demo)]
    clickhouse_schema.create(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans, as_json=as_json)
    without = answers(engine, spans)
    clickhouse_schema.create_runs(engine, as_json=as_json)
    clickhouse_schema.insert(engine, spans[::3], as_json=as_json)

    assert int(engine.sql("SELECT count() - uniqExact(SpanId) AS twice FROM otel_traces_runs")[0]["twice"]) > 0
    assert answers(engine, spans) == without
    assert any("otel_traces_runs" in asked.sql for asked in engine.log() if asked.query_id.startswith("pipeline-trace-"))


def answers(engine: Engine, spans: Sequence[Span]) -> dict[str, object]:
    """Return the answers to all questions, the spans of each by their ids where it has no order."""
    source = ClickHouseSource(Client(parsed(f"clickhouse://default@127.0.0.1:{engine.port}/default"), Login()))
    within = Window(min(span.start_ns for span in spans), max(span.end_ns for span in spans))
    traces = sorted({span.trace_id for span in spans})
    jobs = sorted({build_key(span)[0] for span in spans} - {""})
    keys = sorted({build_key(span) for span in spans} - {("", "")})
    groups = {
        "a commit": [[Wanted("revision")]],
        "a commit's beginning": [[Wanted("revision", "63d034d", begins=True)], [Wanted("revision", "abcdef0", begins=True)]],
        "a version": [[Wanted("version", "1.8.0")]],
        "a build": [[Wanted("pipeline", keys[0][0]), Wanted("run", keys[0][1])]],
        "a service, an environment": [[Wanted("service", "shop")], [Wanted("environment", "production")]],
        "jobs": [[Wanted("pipeline", job)] for job in jobs],
        "a worker": [[Wanted("worker")]],
    }
    found: dict[str, object] = {
        "newest": source.newest(),
        "runs": source.runs(within, 100),
        "few runs": source.runs(within, 3),
    }
    found |= {f"{name}, {most}": source.noted(group, most) for name, group in groups.items() for most in (3, 500)}
    found |= {f"stages of {job}, {most}": source.stages(job, within, most) for job in jobs for most in (7, 500)}
    for counted in ("job", "stage", "task", "host", "deploy"):
        found[f"figures of a {counted}"] = source.figures(counted, within)  # type: ignore[arg-type]
        found[f"figures of a {counted} of a job"] = source.figures(counted, within, [Wanted("pipeline", jobs[0])])  # type: ignore[arg-type]
    ids = [span.span_id for span in spans[::5]]
    found |= {"with": source.traces_with(ids, within), "below": source.traces_below(ids, within)}
    for fine_hosts in (True, False):
        found[f"builds {fine_hosts}"] = by_id(source.builds(keys, fine_hosts=fine_hosts, around=within))
    found["outline"] = by_id(source.outline(traces, 10_000))
    found |= {f"trace {trace}": by_id(source.trace(trace)) for trace in traces}
    source.close()
    return found


def by_id(spans: Sequence[Span]) -> dict[tuple[str, str], Span]:
    """Return spans by their ids."""
    return {(span.trace_id, span.span_id): span for span in spans}

#!/usr/bin/env python3
"""Print the SQL of the thin table of runs, examples/clickhouse/runs.sql: its columns are what our queries compute of spans.

python scripts/runs_table.py >examples/clickhouse/runs.sql
python scripts/runs_table.py --json >examples/clickhouse/runs-json.sql
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from pipeline_trace.lookup.clickhouse.columns import Attributes, listed
from pipeline_trace.lookup.clickhouse.expressions import Expressions
from pipeline_trace.lookup.clickhouse.schema import RUN_TRAITS
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.traits import NAMED_KINDS, NOTED, OUTLINE

_TABLE = "otel.otel_traces"
_RUNS = f"{_TABLE}_runs"
_KINDS = (c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_BRANCH)
_WORD, _TEXT = "LowCardinality(String)", "String"
# What repeats in many rows is kept once a part.
_WORDS = frozenset({"pipeline", "result", "service", "environment", "worker", "host"})
_SEARCHED = ("TraceId", "Revision", "Version", "Change", "Run")

_HEAD = """\
-- Runs, stages and deploys in a table of their own: what lists, years and a change's path are about, a 25th of all spans. An
-- administrator applies it once. ClickHouse then fills it with each insert, and pipeline-trace uses it where it is there.
--   clickhouse-client <{file}
-- For spans in another table or database, replace {table} everywhere; _runs must stay in the end of this table's name.
-- Where the Collector's exporter says `json: {other}`, take {other_file}. TTL is for how long: as the exporter's `ttl`.
-- Written by scripts/runs_table.py. Compare it after an update of pipeline-trace; where it has changed, drop the view and
-- the table, and apply it again.
"""
_FILL = """\
-- What is there already, once. Spans that came since the view was made are then there twice, and read once. Where there are
-- months of spans, run it for one after the other, so that each ends soon:
--   … AND Timestamp >= '2026-10-01' AND Timestamp < '2026-11-01'"""


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="for attributes in columns of the type JSON")
    sys.stdout.write(statements(as_json=parser.parse_args().json))


def statements(*, as_json: bool) -> str:
    """Return the file's text. ``as_json``: attributes are in columns of the type JSON, not Map."""
    files = ("runs-json.sql", "runs.sql") if as_json else ("runs.sql", "runs-json.sql")
    head = _HEAD.format(file=files[0], other_file=files[1], other=str(not as_json).lower(), table=_TABLE)
    columns, indexes = dict(_columns(as_json)), [f"INDEX {one}" for one in _indexes()]
    lines = ",\n".join(f"    {one}" for one in [*(f"{name} {kind}" for name, kind in columns.items()), *indexes])
    computed = _computed(as_json)
    names = ",\n    ".join(_chunks([name for name in columns if name not in computed]))
    typed = ",\n".join(f"    {sql} AS {name}" for name, sql in computed.items())
    select = f"SELECT\n    {names},\n{typed}\nFROM {_TABLE}\nWHERE (Level = {NOTED} OR Kind IN {listed(_KINDS)})"
    return f"""{head}
CREATE TABLE IF NOT EXISTS {_RUNS}
(
{lines}
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (Kind, Pipeline, toDateTime(Timestamp))
TTL toDateTime(Timestamp) + toIntervalHour(9600)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS {_RUNS}_mv TO {_RUNS} AS
{select};

{_FILL}
INSERT INTO {_RUNS}
    ({("," + chr(10) + "    ").join(_chunks(list(columns)))})
{select};
"""


def _columns(as_json: bool) -> Iterator[tuple[str, str]]:
    """Yield the columns: those of the exporter's table, then the typed ones."""
    attributes = "JSON" if as_json else "Map(LowCardinality(String), String)"
    keys = "Array(LowCardinality(String)) CODEC(ZSTD(1))"
    yield "Timestamp", "DateTime64(9) CODEC(Delta, ZSTD(1))"
    plain = [(name, _TEXT) for name in ("TraceId", "SpanId", "ParentSpanId", "TraceState")]
    plain += [(name, _WORD) for name in ("SpanName", "SpanKind", "ServiceName")]
    plain += [
        ("ResourceAttributes", attributes),
        ("ScopeName", _TEXT),
        ("ScopeVersion", _TEXT),
        ("SpanAttributes", attributes),
    ]
    plain += [("Duration", "UInt64"), ("StatusCode", _WORD), ("StatusMessage", _TEXT)]
    nested = {"Timestamp": "DateTime64(9)", "Name": _WORD, "Attributes": attributes}
    plain += [(f"`Events.{name}`", f"Array({kind})") for name, kind in nested.items()]
    nested = {"TraceId": _TEXT, "SpanId": _TEXT, "TraceState": _TEXT, "Attributes": attributes}
    plain += [(f"`Links.{name}`", f"Array({kind})") for name, kind in nested.items()]
    for name, kind in plain:
        yield name, f"{kind} CODEC(ZSTD(1))"
    if as_json:
        yield from (("ResourceAttributesKeys", keys), ("SpanAttributesKeys", keys))
    yield "Kind", f"{_WORD} CODEC(ZSTD(1))"
    yield "Level", "UInt8 CODEC(ZSTD(1))"
    yield "Name", f"{_WORD} CODEC(ZSTD(1))"
    for trait in RUN_TRAITS:
        yield trait.capitalize(), f"{_WORD if trait in _WORDS else _TEXT} CODEC(ZSTD(1))"


def _indexes() -> Iterator[str]:
    for name in _SEARCHED:
        yield f"idx_{name.lower()} {name} TYPE bloom_filter(0.01) GRANULARITY 1"
    # Most rows are stages: what is noted is found without them.
    yield "idx_level Level TYPE minmax GRANULARITY 1"
    yield "idx_time Timestamp TYPE minmax GRANULARITY 1"


def _computed(as_json: bool) -> dict[str, str]:
    """Return the SQL of each typed column."""
    # An expression may name other columns of the same SELECT.
    of = Expressions(Attributes(as_json=as_json), lists=True, kind="Kind")
    level = f"if({of.noted('Kind', 'Result', 'Revision')}, {NOTED}, {OUTLINE})"
    name = f"if(Kind IN {listed(NAMED_KINDS)}, {of.name()}, '')"
    traits = {trait.capitalize(): of.trait(trait) for trait in RUN_TRAITS}
    return {"Kind": of.kind(), "Level": level, "Name": name, **traits}


def _chunks(names: list[str]) -> Iterator[str]:
    """Yield the names in lines of five."""
    for start in range(0, len(names), 5):
        yield ", ".join(names[start : start + 5])


if __name__ == "__main__":
    main()

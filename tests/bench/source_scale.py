"""What questions cost in ClickHouse with a year of a large shop, with and without the table of runs.

    .venv/bin/python tests/bench/source_scale.py [--spans 50000000] [--folder FOLDER] [--output FILE]

Prints Markdown; ``--output`` puts it between the marks in a file. CPU is the engine's, in seconds: cold (its caches are
dropped before) and warm; rows and bytes are those that the engine counts itself, with the newest quarter of the spans in a
table of their own beside it. The newest million is in this machine's store, too. ``--folder`` keeps the filled engine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import support
from environment import processor
from source_shop import BUILDS_A_DAY, SPANS_A_BUILD, Shop
from source_store import HOUR_NS, of_store
from source_store import fill as fill_store
from support import clickhouse_schema
from support.clickhouse import Engine
from tables import put, table

from pipeline_trace.change.document import path_document
from pipeline_trace.lookup.clickhouse.address import parsed
from pipeline_trace.lookup.clickhouse.client import Client
from pipeline_trace.lookup.clickhouse.listing import ListWanted, TraceLister
from pipeline_trace.lookup.clickhouse.login import Login
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.journals import Journals
from pipeline_trace.lookup.lookup import Lookup
from pipeline_trace.lookup.source import TraceSource, Wanted, Window
from pipeline_trace.ownership.judge import judged_for
from pipeline_trace.ownership.log.rules import load_rules

DAY_NS = 86_400 * 10**9
ROUNDS = 3
# Builds whose spans one statement writes: a quarter of a gigabyte of memory.
AT_ONCE = 2740
CACHES = ("MARK CACHE", "UNCOMPRESSED CACHE", "INDEX MARK CACHE", "PRIMARY INDEX CACHE", "QUERY CONDITION CACHE")
HEADS = ("question", "CPU cold, s", "CPU warm, s", "worst, s", "requests", "rows read", "MB read", "answer")
# Spans in the local store.
STORED = 1_000_000
Ask = Callable[[TraceSource], object]


def fill(engine: Engine, folder: Path, spans: int) -> str:
    """Fill the tables, unless they are. Return what that took."""
    told = folder / "filled.json"
    if told.exists():
        return "filled before"
    began, builds = time.monotonic(), -(-spans // SPANS_A_BUILD)
    end_ns = time.time_ns() - 7200 * 10**9
    clickhouse_schema.create(engine, database="otel")
    shop = Shop(builds, end_ns)
    for first in range(0, builds, AT_ONCE):
        for sql in shop.inserts("otel.otel_traces", first, min(AT_ONCE, builds - first)):
            engine.sql(sql, max_threads=1, max_insert_threads=1, min_insert_block_size_rows=250_000)
    filled = time.monotonic()
    for sql in (support.ROOT / "examples/clickhouse/runs.sql").read_text().split(";\n"):
        if any(line and not line.startswith("--") for line in sql.splitlines()):
            engine.sql(sql, seconds=3600, max_threads=1, max_execution_time=0)
    told.write_text(json.dumps({"builds": builds, "end_ns": end_ns}))
    return f"filled in {(filled - began) / 60:.0f} minutes, the table of runs in {time.monotonic() - filled:.0f} s more"


def sizes(engine: Engine) -> str:
    """Return the rows and bytes of the tables."""
    rows = engine.sql(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'otel' "
        "GROUP BY table ORDER BY table"
    )
    return "; ".join(f"`{row['table']}`: {int(row['rows']):,} rows, {int(row['bytes']) / 1e6:,.0f} MB" for row in rows)


def quarter(engine: Engine, now_ns: int) -> None:
    """Put the newest quarter of the spans into a table of its own: partitions are linked, not copied."""
    engine.sql("DROP DATABASE IF EXISTS quarter")
    clickhouse_schema.create(engine, database="quarter")
    since = datetime.fromtimestamp((now_ns - 91 * DAY_NS) / 1e9, timezone.utc).date().isoformat()
    for name in ("otel_traces", "otel_traces_trace_id_ts"):
        parts = engine.sql(f"""SELECT DISTINCT partition FROM system.parts
            WHERE active AND database = 'otel' AND table = '{name}' AND partition > '{since}' ORDER BY partition""")
        for part in parts:
            engine.sql(f"ALTER TABLE quarter.{name} ATTACH PARTITION '{part['partition']}' FROM otel.{name}")


def subjects(engine: Engine, now_ns: int, newest: int = 20, oldest: int = 100) -> dict[str, Any]:
    """Return a busy job, a rare one, and what they built. ``newest``, ``oldest``: so many days ago."""
    run = "startsWith(SpanName, 'RUN ') AND ParentSpanId = ''"
    since = f"Timestamp > fromUnixTimestamp64Nano({now_ns - oldest * DAY_NS})"
    until = f"Timestamp < fromUnixTimestamp64Nano({now_ns - newest * DAY_NS})"
    number, commit = "SpanAttributes['cicd.pipeline.run.id']", "SpanAttributes['vcs.ref.head.revision']"
    rows = engine.sql(f"""SELECT ResourceAttributes['cicd.pipeline.name'] AS job, count() AS runs,
        maxIf({number}, StatusCode = 'Error') AS failed, anyLast({commit}) AS commit, any(TraceId) AS trace
        FROM otel.otel_traces WHERE {run} AND {since} AND {until} GROUP BY job ORDER BY runs DESC, job""")
    built = [row for row in rows if row["failed"] and row["commit"]]
    return {"busy": built[0], "rare": built[-1]}


def questions(found: dict[str, Any], now_ns: int) -> dict[str, Ask]:
    """Return the questions, by what people call them."""
    rules, nothing = load_rules(), Journals(None)
    year, month, quarter = (Window(now_ns - days * DAY_NS, now_ns) for days in (365, 31, 90))
    busy, rare = found["busy"], found["rare"]

    def of_job(counted: Any, job: dict[str, Any]) -> Ask:
        return lambda source: source.figures(counted, year, [Wanted("pipeline", job["job"])])

    def why(job: dict[str, Any]) -> Ask:
        return lambda source: judged_for(Lookup(source, nothing), f"{job['job']}#{job['failed']}", rules)

    return {
        "the newest trace": lambda source: source.newest(),
        "a trace, by its id": lambda source: Lookup(source, nothing).spans(busy["trace"]),
        "`path latest`": lambda source: path_document(Lookup(source, nothing), "latest"),
        "`path` of a commit, busy job": lambda source: path_document(Lookup(source, nothing), busy["commit"]),
        "`path` of a commit, rare job": lambda source: path_document(Lookup(source, nothing), rare["commit"]),
        "`why` of a build, busy job": why(busy),
        "`why` of a build, rare job": why(rare),
        "2,500 stages of a busy job": lambda source: source.stages(busy["job"], Window(0, now_ns), 2500),
        "stages of a rare job": lambda source: source.stages(rare["job"], Window(0, now_ns), 2500),
        "a year of a busy job's runs, by day": of_job("job", busy),
        "a year of a busy job's stages, by day": of_job("stage", busy),
        "a year of a rare job's runs, by day": of_job("job", rare),
        "31 days of all tasks, by day": lambda source: source.figures("task", month),
        "31 days of all hosts, by day": lambda source: source.figures("host", month),
        "90 days of deploys": lambda source: source.figures("deploy", quarter),
        "a year of deploys": lambda source: source.figures("deploy", year),
    }


def pages(now_ns: int) -> dict[str, Callable[[ClickHouseSource], object]]:
    """Return the questions for the list of `serve`."""

    def page(days: int) -> Callable[[ClickHouseSource], object]:
        wanted = ListWanted(Window(now_ns - days * DAY_NS, now_ns))
        return lambda source: TraceLister(source).roots(wanted, 0, 50)

    return {"list: 50 traces of a day": page(1), "list: 50 traces of 30 days": page(30)}


def cpu_seconds(engine: Engine) -> float:
    """Return the processor time of the engine's process."""
    assert engine._process
    fields = Path(f"/proc/{engine._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """What a question cost. ``cpu_s``: of the engine, in seconds."""

    cpu_s: float
    requests: int
    rows: int
    megabytes: float
    answer: str


def cost(engine: Engine, database: str, ask: Callable[[ClickHouseSource], object], now_ns: int) -> Cost:
    """Ask a question."""
    source = asking(engine, database, now_ns)
    asked, before = len(engine.log()), cpu_seconds(engine)
    try:
        answer = ask(source)
        came = f"{len(answer):,}" if hasattr(answer, "__len__") else "1"
    except Exception as error:
        came = f"**{type(error).__name__}**"
    used = cpu_seconds(engine) - before
    source.close()
    log = engine.log()[asked:]
    size = sum(one.read_bytes for one in log) / 1e6
    return Cost(used, len(log), sum(one.read_rows for one in log), size, came)


def asking(engine: Engine, database: str, now_ns: int) -> ClickHouseSource:
    """Return a source that has asked which tables there are."""
    client = Client(parsed(f"clickhouse://127.0.0.1:{engine.port}/{database}"), Login())
    source = ClickHouseSource(client, lambda: now_ns)
    source.check()
    return source


def measured(engine: Engine, ask: Callable[[ClickHouseSource], object], now_ns: int) -> list[str]:
    """Return the cells of a question: CPU cold, warm and at worst, requests, rows, megabytes, and what came."""
    for cache in CACHES:
        engine.sql(f"SYSTEM DROP {cache}")
    costs = [cost(engine, "otel", ask, now_ns) for _ in range(ROUNDS)]
    last, used = costs[-1], [one.cpu_s for one in costs]
    cells = [f"{used[0]:.2f}", f"{min(used[1:]):.2f}", f"{max(used):.2f}", str(last.requests), f"{last.rows:,}"]
    return [*cells, f"{last.megabytes:,.0f}", last.answer]


def of_quarter(engine: Engine, ask: Callable[[ClickHouseSource], object], now_ns: int) -> str:
    """Return the megabytes that a question reads where only the newest quarter of the spans is there."""
    return f"{cost(engine, 'quarter', ask, now_ns).megabytes:,.0f}"


def runs_table(engine: Engine, there: bool) -> None:
    """Take the table of runs away, or put it back."""
    names = ("otel.otel_traces_runs_kept", "otel.otel_traces_runs")
    have = engine.sql("SELECT name FROM system.tables WHERE database = 'otel' AND name LIKE 'otel_traces_runs%'")
    is_there = "otel_traces_runs" in [row["name"] for row in have]
    if is_there != there:
        old, new = names if there else names[::-1]
        engine.sql(f"RENAME TABLE {old} TO {new}")


def measure(folder: Path, spans: int) -> str:
    """Return the section for the page."""
    with Engine(folder) as engine:
        took = fill(engine, folder, spans)
        now_ns = int(json.loads((folder / "filled.json").read_text())["end_ns"]) + 3600 * 10**9
        quarter(engine, now_ns)
        asked = pages(now_ns) | questions(subjects(engine, now_ns), now_ns)
        lines = [f"{processor()}; load average {os.getloadavg()[0]:.1f}; {took}.", "", f"{sizes(engine)}.", ""]
        for there in (True, False):
            runs_table(engine, there)
            rows = [[name, *measured(engine, ask, now_ns)] for name, ask in asked.items()]
            if not there:
                rows = [[*row, of_quarter(engine, ask, now_ns)] for row, ask in zip(rows, asked.values(), strict=True)]
            lines += [f"**{'With' if there else 'Without'} the table of runs**", ""]
            lines += [*table(HEADS if there else [*HEADS, "MB of a quarter"], rows), ""]
            print("\n".join(lines[-len(asked) - 4 :]), flush=True)
        runs_table(engine, there=True)
        lines += [*local(engine, now_ns), ""]
    return "\n".join(lines)


def local(engine: Engine, now_ns: int) -> list[str]:
    """Return what is to be said about the newest spans in the local store."""
    hours = STORED // (SPANS_A_BUILD * BUILDS_A_DAY // 24) + 1
    window = Window(now_ns - hours * HOUR_NS, now_ns)
    found = subjects(engine, now_ns, 0, hours // 24 - 1)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        with closing(asking(engine, "otel", now_ns)) as source:
            filled = fill_store(source, home, window)
        return [
            f"**The newest {filled.spans:,} of these spans in the local store**",
            "",
            f"Written at {filled.rate:,.0f} spans in a second of CPU; {filled.bytes_a_span:,.0f} bytes a span on the disk.",
            "",
            of_store(home, found, questions(found, now_ns)),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, help="of the engine; it stays, and is not filled again")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        text = measure(options.folder or Path(temporary) / "engine", options.spans)
    command = f"Command: `.venv/bin/python tests/bench/source_scale.py --spans {options.spans}`"
    text = f"{command}\n\n{text}"
    if options.output:
        put(options.output, "source_scale.py", text)


if __name__ == "__main__":
    main()

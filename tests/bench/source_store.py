"""The newest spans of the large shop in this machine's store: what they take there, and what the same questions cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tables import table

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.lookup.clickhouse.columns import Attributes, Bound
from pipeline_trace.lookup.clickhouse.queries import Query, began
from pipeline_trace.lookup.clickhouse.rows import columns_of, spans_of
from pipeline_trace.lookup.clickhouse.source import ClickHouseSource
from pipeline_trace.lookup.local import LocalSource
from pipeline_trace.lookup.source import TraceSource, Window

# What is asked about, by source_scale.subjects.
Subjects = Mapping[str, Mapping[str, str]]
HOUR_NS = 3_600 * 10**9
# As many as one delivery of `ship` has.
_AT_ONCE = 500
_ROUNDS = 5


class Filled(NamedTuple):
    """What was written. ``rate``: spans in a second of CPU."""

    spans: int
    rate: float
    bytes_a_span: float


def fill(source: ClickHouseSource, home: Path, window: Window) -> Filled:
    """Write the spans that began within a window, the oldest first."""
    columns, taken, seconds = columns_of(Attributes(as_json=False)), 0, 0.0
    with closing(Store(home / "traces.db")) as store:
        for from_ns in range(window.from_ns, window.to_ns, HOUR_NS):
            bound = Bound()
            hour = began(Window(from_ns, min(from_ns + HOUR_NS, window.to_ns) - 1), bound)
            sql = f"SELECT {columns} FROM {source.schema().spans} WHERE {hour} ORDER BY Timestamp LIMIT 1000000"
            spans = list(spans_of(source.ask("copy", Query(sql, bound))))
            before = time.process_time()
            for first in range(0, len(spans), _AT_ONCE):
                store.deliver(spans[first : first + _AT_ONCE], 60)
            seconds += time.process_time() - before
            taken += len(spans)
    size = sum(file.stat().st_size for file in home.glob("traces.db*"))
    return Filled(taken, taken / seconds, size / taken)


def commands(home: Path, found: Subjects) -> dict[str, list[str]]:
    """Return the commands, by what people call them."""
    busy = found["busy"]
    build = f"{busy['job']}#{busy['failed']}"
    return {
        "`show` of a build": ["show", build],
        "`path` of a commit": ["path", busy["commit"]],
        "`why` of a build": ["why", build],
        "`report` of a build": ["report", build, "-o", str(home / "report.html")],
    }


def of_store(home: Path, found: Subjects, asked: Mapping[str, Callable[[TraceSource], object]]) -> str:
    """Return the table: commands with their start, questions alone. ``asked``: the questions, by what people call them."""
    rows = []
    for name, words in commands(home, found).items():
        used = sorted(_command(words, home) for _ in range(_ROUNDS))
        rows.append([f"{name}, with the command's start", f"{median(used):.2f}", f"{used[-1]:.2f}"])
    for name, ask in asked.items():
        used = sorted(_question(home, ask) for _ in range(_ROUNDS))
        rows.append([name, f"{median(used):.2f}", f"{used[-1]:.2f}"])
    return "\n".join(table(["question", "CPU, median, s", "worst, s"], rows))


def _command(words: list[str], home: Path) -> float:
    """Return the processor time of a command, in seconds. Raises AssertionError where it fails."""
    program = [sys.executable, "-m", "pipeline_trace", *words]
    environ = {**os.environ, "PIPELINE_TRACE_HOME": str(home)}
    started = subprocess.Popen(program, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert started.stderr
    said = started.stderr.read().decode()
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    # `why` and `path` exit with another code where something failed.
    assert started.returncode < 2, said
    return usage.ru_utime + usage.ru_stime


def _question(home: Path, ask: Callable[[TraceSource], object]) -> float:
    with closing(LocalSource(Store(home / "traces.db"))) as source:
        before = time.process_time()
        ask(source)
        return time.process_time() - before

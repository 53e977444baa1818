"""How long one piece of what is too old takes to be removed from a large store: python tests/bench/retention.py [TRACES]."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.serve.backlog import Change
from pipeline_trace.serve.index import Index, save
from pipeline_trace.serve.retention import Keep, remove_some
from pipeline_trace.serve.summary import Summary
from pipeline_trace.trace.span import Span

SPANS = 5
ROUNDS = 20


def main(traces: int) -> None:
    """Print the milliseconds of one transaction, and of one with nothing to remove."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.db"
        store = Store(path)
        for start in range(0, traces, 1000):
            ids = [f"{number:032x}" for number in range(start + 1, start + 1001)]
            store.deliver([Span(i, f"{n + 1:016x}", None, "a", 1, 2) for i in ids for n in range(SPANS)], 60)
        store.close()
        Index(path).prepare()
        connection = sqlite3.connect(path, isolation_level=None)
        for start in range(0, traces, 1000):
            numbers = range(start + 1, start + 1001)
            lines = [Summary(f"{n:032x}", n, n, SPANS, "a", "success", (), (), "", "a" * 1000) for n in numbers]
            save(connection, [Change(line.trace_id, line, 1, line.start_ns) for line in lines])
        for name, keep in (("nothing to remove", Keep(1e12, 1 << 50)), ("20 traces", Keep(1, 1 << 50))):
            took = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                remove_some(connection, keep)
                took.append((time.perf_counter() - began) * 1000)
            print(f"{traces:,} traces, {name}: median {sorted(took)[ROUNDS // 2]:.1f} ms, longest {max(took):.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

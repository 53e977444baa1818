"""How fast `ship --store` sends a store: python tests/bench/ship_store.py [SPANS].

To a receiver that only counts, over HTTP, and through a real Collector into ClickHouse where both are set up
(`make test-engines`). Each side is in a process of its own, on the same machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from receiver import Receiver

# The folder of the tests, which pytest adds by itself.
sys.path.insert(0, str(Path(__file__).parents[1]))
import support
from support import clickhouse, otel_collector, processes
from support.months import Months


def main(count: int) -> None:
    """Print what one run costs each way."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = support.environ(folder)
        seed = stored = 0
        while stored < count:
            spans = Months(seed, time.time_ns()).spans()[: count - stored]
            support.store_spans(env, spans)
            seed, stored = seed + 1, stored + len(spans)
        size = (folder / "trace-home/traces.db").stat().st_size
        print(f"{stored:,} spans, {size / 1e6:.0f} MB in the store, {os.cpu_count()} cores")
        with Receiver(Path(sys.executable)) as receiver:
            _measure("a receiver that counts", {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
            assert receiver.take().distinct == stored
        if not otel_collector.BINARY.exists() or not (support.ROOT / ".venvs/engine/.done").exists():
            print("no Collector or no engine here: `make test-engines` sets them up")
            return
        settings = {"exporter": "clickhouse", "exporters__clickhouse__compress": "gzip"}
        with (
            clickhouse.Engine(folder / "engine") as engine,
            otel_collector.Collector(
                folder / "collector", "clickhouse/collector", backend=engine.url, **settings
            ) as collector,
        ):
            began = time.monotonic()
            _measure("the Collector", {**env, **collector.environ()})
            arrived = "SELECT uniqExact(TraceId, SpanId) AS spans FROM otel.otel_traces"
            processes.wait_for(lambda: engine.sql(arrived)[0]["spans"] == stored, "arrival in ClickHouse", 600)
            print(f"all of it in ClickHouse {time.monotonic() - began:.1f} s after the begin")


def _measure(name: str, env: Mapping[str, str]) -> None:
    began = time.monotonic()
    started = os.posix_spawn(support.BIN / "pipeline-trace", ["pipeline-trace", "ship", "--store"], env)
    _pid, status, usage = os.wait4(started, 0)
    took = time.monotonic() - began
    assert status == 0
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{name}: {took:.1f} s, CPU {cpu:.1f} s, at most {usage.ru_maxrss / 1e3:.0f} MB of memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)

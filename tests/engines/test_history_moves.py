"""What a local store holds moves through a real Collector into ClickHouse, and is answered from there word for word."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import support
from support import processes, questions, told
from support.clickhouse import Engine, needs_engine
from support.months import HOUR_NS
from support.otel_collector import Collector
from support.toolchains import needs_collector

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import build_name, is_run
from pipeline_trace.trace.span import Span

pytestmark = [pytest.mark.process, needs_collector, needs_engine]


def test_answers_are_those_of_the_store_after_its_history_was_moved(
    tmp_path: Path, engine: Engine, demo: list[Span]
) -> None:
    env = support.environ(tmp_path)
    spans = told.moved(demo, time.time_ns() - HOUR_NS)
    support.store_spans(env, spans)
    # The compression is the one thing that the front of the engine lacks.
    settings = {"exporter": "clickhouse", "exporters__clickhouse__compress": "gzip"}
    with Collector(tmp_path / "collector", "clickhouse/collector", backend=engine.url, **settings) as collector:
        # The Collector is killed once in between, and what was sent is sent again.
        for _ in range(2):
            done = support.trace("ship", "--store", env={**env, **collector.environ()})
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(f"{len(spans)} spans of ")
            (tmp_path / "trace-home" / "moved.json").unlink()
            collector.kill()
            collector.start()
        arrived = "SELECT uniqExact(TraceId, SpanId) AS spans FROM otel.otel_traces"
        processes.wait_for(lambda: engine.sql(arrived)[0]["spans"] == len(spans), "arrival of the store", 60)
    address = f"clickhouse://default@127.0.0.1:{engine.port}/otel"
    builds = list(dict.fromkeys(build_name(*questions.key_of(span)) for span in spans if is_run(span)))
    commits = sorted({str(span.attributes[c.VCS_HEAD_REVISION]) for span in spans if c.VCS_HEAD_REVISION in span.attributes})
    assert builds
    assert commits
    asked = [["why", one] for one in builds] + [["path", one] for one in commits]
    in_words = [["show"], ["path"], ["why"], *(["show", one] for one in builds), *asked]
    for words in [*in_words, *([*one, "--format", "json"] for one in asked)]:
        here, there = (support.trace(*words, *source, env=env) for source in ([], ["--from", address]))
        assert here.stdout
        assert (there.returncode, there.stderr) == (here.returncode, here.stderr)
        assert there.stdout.splitlines() == here.stdout.splitlines(), words
    for name in builds:
        # In JSON, attributes have no order.
        here, there = (
            support.trace("show", name, "--format", "json", *source, env=env) for source in ([], ["--from", address])
        )
        assert json.loads(there.stdout) == json.loads(here.stdout)

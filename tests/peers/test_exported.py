"""A trace exported as OTLP's JSON goes through a real Collector, and gives the same spans behind it."""

from __future__ import annotations

from pathlib import Path

import requests
import support
from support import processes
from support.otel_collector import Collector
from support.report_samples import sample
from support.serving import Server
from support.toolchains import needs_collector

from pipeline_trace.report.otlp import lines_of

pytestmark = needs_collector


def test_a_collector_takes_an_exported_trace(tmp_path: Path, env: dict[str, str]) -> None:
    with Server(env) as server, Collector(tmp_path / "collector", "gateway", backend=server.url) as collector:
        where = f"{collector.environ()['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces"
        for line in lines_of(sample()):
            sent = requests.post(where, line, headers={"Content-Type": "application/json"}, timeout=20)
            assert (sent.status_code, sent.json()) == (200, {"partialSuccess": {}})
        processes.wait_for(lambda: len(support.stored(env)) == len(sample()), "all spans", 60)
    found = {span["span_id"]: span for span in support.stored(env)}
    assert found == {span.span_id: span.to_dict() for span in sample()}

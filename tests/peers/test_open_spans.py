"""Open spans through a real Collector: where logs are set to go there, it passes them on, and neither side warns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import support
from support import pace, processes, runs
from support.otel_collector import Collector
from support.otlp_receiver import Protocol
from support.runs import Run
from support.serving import Showing
from support.toolchains import needs_collector

pytestmark = needs_collector

Env = dict[str, str]
# What makes a Collector pass on log records.
LOGS: dict[str, Any] = {"service__pipelines__logs": {"receivers": ["otlp"], "exporters": ["otlp_http"]}}
# In OTLP's JSON, from anybody.
OTHERS = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"page.view","body":{"stringValue":"x"}}]}]}]}'
HANGING = ["Deploy", "Slow", "h1", "h2", "h3", "playbook site.yml"]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Env]:
    """The environment of another machine; after the test no process of it is left."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "marks").mkdir()
    env = {**support.environ(tmp_path / "agent"), **pace.quick(tmp_path)}
    yield env
    (tmp_path / "marks" / "go").touch()
    runs.end_all(env)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_collector_passes_on_what_is_open(tmp_path: Path, env: Env, agent: Env, protocol: Protocol) -> None:
    with (
        Showing(env, tmp_path) as server,
        Collector(tmp_path / "collector", "gateway", backend=server.url, **LOGS) as collector,
    ):
        there = {**agent, **collector.environ(protocol), "OTEL_LOGS_EXPORTER": "otlp"}
        playbook = support.write_playbook(tmp_path, support.WAITING)
        run = Run(tmp_path / "run", there, playbook, "-e", f"marks={tmp_path / 'marks'}")
        processes.wait_for(lambda: server.names(silent=False) == HANGING, "open spans", 60)
        answer = requests.post(
            f"{collector.environ()['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/logs",
            OTHERS,
            headers={"Content-Type": "application/json"},
            timeout=20,
        )
        assert answer.status_code == 200
        (tmp_path / "marks" / "go").touch()
        assert run.end() == 0
        processes.wait_for(lambda: len(support.stored(env)) == 10, "all spans", 60)
        processes.wait_for(lambda: server.names() == [], "end of the open spans")
        collector.stop()
        assert "warn" not in collector.said.lower()
        assert [line for line in runs.ours(run.stderr) if "WARNING" in line] == []


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_collector_that_takes_no_logs_is_no_trouble(tmp_path: Path, env: Env, agent: Env, protocol: Protocol) -> None:
    go = tmp_path / "marks" / "go"
    wait = f"for i in $(seq 60); do [ -e {go} ] && exit 0; sleep 0.05; done"
    with (
        Showing(env, tmp_path) as server,
        Collector(tmp_path / "collector", "gateway", backend=server.url) as collector,
    ):
        # The first asks what the Collector is, with a request that has no spans; the second is told to send logs.
        for more in ({}, {"OTEL_LOGS_EXPORTER": "otlp"}):
            there = {**agent, **collector.environ(protocol), **more}
            done = support.spawn("exec", "--", "sh", "-c", wait, env=there)
            assert (done.returncode, done.stderr) == (0, "")
        processes.wait_for(lambda: len(support.stored(env)) == 2, "both spans", 60)
        assert server.names() == []
        collector.stop()
        assert "warn" not in collector.said.lower()

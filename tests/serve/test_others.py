"""What other tools send to `serve` over OTLP is answered for by the commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import support
from support import others
from support.others import COMMIT, OWN, STANDARD
from support.serving import Server

from pipeline_trace.delivery.destinations.otlp import Otlp
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process


def send(server: Server, spans: list[Span], monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK's exporter reads the process's environment.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
    destination = Otlp(os.environ)
    try:
        destination.deliver(spans, 20.0)
    finally:
        destination.close()


@pytest.mark.parametrize("names", [OWN, STANDARD])
def test_builds_of_the_plugin_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    env = support.environ(tmp_path)
    with Server(env) as server:
        send(server, others.failed_tests("shop/PR-12", 3, names), monkeypatch)
        send(server, others.deployed(names=names), monkeypatch)
        why = support.trace("why", "shop/PR-12#3", env=env).stdout
        path = support.trace("path", COMMIT, env=env).stdout
        shown = support.trace("show", "http://jenkins.example.com/job/shop/job/main/13/", env=env).stdout
    assert "shop/PR-12 > Test > unit > sh" in why
    assert why.startswith("It is not clear whether Dev or Ops should look first")
    assert "Can I deploy? yes: production is deployed (shop/deploy#131)" in path
    assert "stage Deploy to staging" in shown


def test_a_workflow_and_a_pipeline_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = support.environ(tmp_path)
    with Server(env) as server:
        send(server, others.workflow_run(failing="test"), monkeypatch)
        send(server, others.gitlab_pipeline(), monkeypatch)
        why = support.trace("why", "build-and-deploy#14460881260", env=env).stdout
        path = support.trace("path", "team/shop#4711", env=env).stdout
    assert "build-and-deploy > test > Run make" in why
    assert "✓ passed" in next(line for line in path.splitlines() if line.startswith("staging"))

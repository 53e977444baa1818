"""Where agents and poller meet without any backend: each on a machine of its own, with the token, in one server's list."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
import support
from support.builds import ONE_TASK, assert_under, deploy_environ, poll, run_of, run_playbook, stage_of
from support.serving import Server

from pipeline_trace_demo.replay import Replay

pytestmark = pytest.mark.process

TOKEN = "correct-horse-battery-staple"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_playbook_and_its_build_meet(tmp_path: Path, env: dict[str, str], protocol: str) -> None:
    for name in ("agent", "poller"):
        (tmp_path / name).mkdir()
    agent, poller = support.environ(tmp_path / "agent"), support.environ(tmp_path / "poller")
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}) as server, Replay(support.recording("11")) as jenkins:
        sending = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.grpc if protocol == "grpc" else server.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
        }
        playbook = support.write_playbook(tmp_path, ONE_TASK)
        run_playbook(playbook, {**agent, **sending}, deploy_environ(jenkins))
        poll(jenkins, {**poller, **sending})
        page = requests.get(server.url, {"q": "h1 app-deploy"}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        root_url = jenkins.root_url
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    root = run_of(spans, "app-build", 1)
    assert f'<a href="/trace/{root["trace_id"]}">RUN app-build#1</a>' in page.text
    assert f'href="{root_url}/job/app-build/1/"' in page.text
    assert not support.stored(agent)
    assert not support.journals(agent)
    assert not support.stored(poller)

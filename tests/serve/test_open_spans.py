"""What runs on other machines: real playbooks and commands tell a real server of their open spans, over HTTP and gRPC."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests
import support
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from support import pace, processes, runs
from support.runs import Run
from support.serving import Server, Showing, call
from support.spans import span

from pipeline_trace.delivery.destinations import TAKES_OPEN
from pipeline_trace.delivery.destinations.otlp_records import request_of
from pipeline_trace.serve.bodies import JSON, PROTOBUF
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process

Env = dict[str, str]
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
TOKEN = "correct-horse-battery-staple"
HANGING = ["Deploy", "Slow", "h1", "h2", "h3", "playbook site.yml"]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Env]:
    """The environment of another machine, which tells of open spans soon; after the test no process of it is left."""
    folder = tmp_path / "agent"
    folder.mkdir()
    env = {**support.environ(folder), **pace.quick(folder)}
    yield env
    runs.end_all(env)


def to(server: Server, protocol: str = "http") -> Env:
    where = server.url if protocol == "http" else server.grpc
    name = "http/protobuf" if protocol == "http" else "grpc"
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": where, "OTEL_EXPORTER_OTLP_PROTOCOL": name}


class Hanging:
    """A playbook whose second task waits on three hosts until it is let go."""

    def __init__(self, tmp_path: Path, env: Env) -> None:
        self._marks = tmp_path / "marks"
        self._marks.mkdir()
        playbook = support.write_playbook(tmp_path, support.WAITING)
        self.run = Run(tmp_path / "run", env, playbook, "-e", f"marks={self._marks}", "-e", "environment_name=staging")

    def let_go(self) -> None:
        (self._marks / "go").touch()
        assert self.run.end() == 0, self.run.stderr


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_playbook_that_hangs_is_seen_elsewhere_until_it_ends(tmp_path: Path, env: Env, agent: Env, protocol: str) -> None:
    with Showing({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}, tmp_path) as server:
        token = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}"}
        hanging = Hanging(tmp_path, {**agent, **to(server, protocol), **token})
        processes.wait_for(lambda: server.names(silent=False) == HANGING, "open spans", 60)
        opened = {one["name"]: one for one in server.opened()}
        # Where it stands: the host in its task in its play.
        assert opened["h1"]["parent_span_id"] == opened["Slow"]["span_id"]
        assert opened["Slow"]["parent_span_id"] == opened["Deploy"]["span_id"]
        assert opened["playbook site.yml"]["attributes"]["ansible.type"] == "playbook"
        assert opened["playbook site.yml"]["resource"]["service.name"] == "ansible"
        # What has ended is no longer told.
        assert {one["name"] for one in support.stored(env)} == {"Fast", "h1", "h2", "h3"}
        told_ns = opened["h1"]["heard_ns"]
        processes.wait_for(lambda: min(one["heard_ns"] for one in server.opened()) > told_ns, "next record")
        hanging.let_go()
        processes.wait_for(lambda: len(support.stored(env)) == 2 + 2 * 4, "all spans")
        processes.wait_for(lambda: server.names() == [], "end of the open spans")
        assert [line for line in runs.ours(hanging.run.stderr) if "WARNING" in line] == []
    # Each span is there once, under the id that it was told by.
    stored = support.stored(env)
    ids = {one["span_id"] for one in stored}
    assert (len(ids), {one["span_id"] for one in opened.values()} <= ids) == (10, True)


def test_a_command_of_exec_is_seen_though_no_span_of_it_has_ended(tmp_path: Path, env: Env, agent: Env) -> None:
    go = tmp_path / "go"
    wait = f"for i in $(seq 1200); do [ -e {go} ] && exit 0; sleep 0.05; done; exit 1"
    with Showing(env, tmp_path) as server:
        words = [str(support.BIN / "pipeline-trace"), "exec", "--name", "migrate", "--", "sh", "-c", wait]
        with subprocess.Popen(words, env={**agent, **to(server)}) as command:
            processes.wait_for(lambda: server.names() == ["migrate"], "open span", 60)
            go.touch()
            assert command.wait(30) == 0
        processes.wait_for(lambda: [one["name"] for one in support.stored(env)] == ["migrate"], "its end")
        processes.wait_for(lambda: server.names() == [], "end of the open span")


def test_a_machine_that_is_gone_is_not_heard_of_and_has_not_succeeded(tmp_path: Path, env: Env, agent: Env) -> None:
    with Showing(env, tmp_path) as server:
        there = {**agent, **to(server)}
        hanging = Hanging(tmp_path, there)
        processes.wait_for(lambda: server.names(silent=False) == HANGING, "open spans", 60)
        for number in (hanging.run.shipping(), hanging.run.process.pid):
            os.kill(number, signal.SIGKILL)
        processes.wait_for(lambda: server.names(silent=True) == HANGING, "silence", 60)
        assert {one["name"] for one in support.stored(env)} == {"Fast", "h1", "h2", "h3"}
        # The machine is back: what it was is known.
        processes.end_all(agent)
        assert support.trace("ship", env=there).returncode == 0
        processes.wait_for(lambda: server.names() == [], "end of the open spans")
        (playbook,) = [one for one in support.stored(env) if one["name"] == "playbook site.yml"]
        assert playbook["status"]["code"] == "ERROR"


def test_a_playbook_that_is_killed_is_not_running(tmp_path: Path, env: Env, agent: Env) -> None:
    with Showing(env, tmp_path) as server:
        hanging = Hanging(tmp_path, {**agent, **to(server)})
        processes.wait_for(lambda: server.names() == HANGING, "open spans", 60)
        hanging.run.signal(signal.SIGKILL)
        processes.wait_for(lambda: server.names() == [], "end of the open spans", 60)
        assert all(one["end_unix_nano"] for one in support.stored(env))
        processes.end_all(agent)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_server_that_was_away_knows_again_what_runs(tmp_path: Path, env: Env, agent: Env, protocol: str) -> None:
    with Showing(env, tmp_path) as server:
        ports = {"port": server.port, "grpc_port": int(server.grpc.rpartition(":")[2])}
        hanging = Hanging(tmp_path, {**agent, **to(server, protocol)})
        processes.wait_for(lambda: server.names() == HANGING, "open spans", 60)
    # Some records are told to nobody.
    time.sleep(3 * pace.EVERY)
    with Showing(env, tmp_path, **ports) as server:
        processes.wait_for(lambda: server.names(silent=False) == HANGING, "open spans again", 60)
        hanging.let_go()
        processes.wait_for(lambda: len(support.stored(env)) == 2 + 2 * 4, "all spans")
        assert [line for line in runs.ours(hanging.run.stderr) if "WARNING" in line] == []


# What else may come


def told(*spans: Span, more: int = 0) -> bytes:
    """Return the body that tells of open spans, and has ``more`` log records of others."""
    request = request_of(spans, 30.0)
    others = [LogRecord(event_name="browser.page_view", trace_id=b"x" * 16) for _ in range(more)]
    request.resource_logs.append(ResourceLogs(scope_logs=[ScopeLogs(log_records=others)]))
    body: bytes = request.SerializeToString()
    return body


def post(server: Server, body: bytes, kind: str = PROTOBUF, path: str = "/v1/logs", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{server.url}{path}", data=body, headers={"Content-Type": kind, **named}, timeout=20)


@pytest.fixture(scope="module")
def module_env(tmp_path_factory: pytest.TempPathFactory) -> Env:
    return support.environ(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def server(module_env: Env, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showing]:
    """One for the tests that only send it something; each has a trace of its own."""
    with Showing(module_env, tmp_path_factory.mktemp("shown")) as running:
        yield running


def known(server: Showing, trace: str) -> list[str]:
    return [one["name"] for one in server.opened() if one["trace_id"] == trace]


def test_log_records_come_as_spans_do(server: Showing) -> None:
    trace = "1" * 32
    one, two, three = (span(n, end=0, trace=trace) for n in (1, 2, 3))
    plain = post(server, told(one, more=3), path="/v1/logs/")
    assert (plain.status_code, plain.content, plain.headers["Content-Type"]) == (200, b"", PROTOBUF)
    packed = post(server, gzip.compress(told(two)), Content_Encoding="gzip")
    assert packed.status_code == 200
    assert call(server, told(three, more=3), EXPORT) == b""
    assert known(server, trace) == ["span 1", "span 2", "span 3"]


def test_records_of_others_get_a_plain_success(server: Showing) -> None:
    """A Collector warns at anything in a partial success."""
    assert post(server, told(more=100)).content == b""
    in_json = post(server, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}', JSON)
    assert (in_json.status_code, in_json.json()) == (200, {})
    assert call(server, told(more=100), EXPORT) == b""


def test_a_malformed_record_is_rejected_and_the_rest_kept(server: Showing) -> None:
    trace = "2" * 32
    request = request_of([span(1, end=0, trace=trace), span(2, end=0, trace=trace)], 30.0)
    request.resource_logs[0].scope_logs[0].log_records[0].span_id = b""
    answer = ExportLogsServiceResponse.FromString(post(server, request.SerializeToString()).content).partial_success
    assert (answer.rejected_log_records, answer.error_message) == (1, "not a span: malformed trace or span id")
    assert known(server, trace) == ["span 2"]


def test_a_record_that_comes_after_the_end_of_its_span_changes_nothing(server: Showing) -> None:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    from pipeline_trace.delivery.destinations.otlp import _span_maker

    trace = "3" * 32
    ended, still = span(1, trace=trace), span(2, end=0, trace=trace)
    assert post(server, encode_spans(_span_maker()([ended])).SerializeToString(), path="/v1/traces").status_code == 200
    post(server, told(span(1, end=0, trace=trace), still))
    assert known(server, trace) == ["span 2"]


def test_it_says_that_it_keeps_open_spans(server: Showing) -> None:
    assert post(server, b"", path="/v1/traces").headers[TAKES_OPEN] == "yes"
    assert TAKES_OPEN not in post(server, b"\x0a\xff", path="/v1/traces").headers
    with grpc.insecure_channel(server.grpc.removeprefix("http://")) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        _, done = export.with_call(b"", timeout=20)
        assert (TAKES_OPEN, "yes") in [tuple(pair) for pair in done.trailing_metadata()]


def test_the_guard_and_the_limits_are_those_of_spans(env: Env) -> None:
    body = told(span(1, end=0))
    with Server({**env, "PIPELINE_TRACE_SERVE_TOKEN": TOKEN}) as guarded:
        assert post(guarded, body).status_code == 401
        assert post(guarded, body, Authorization=f"Bearer {TOKEN}").status_code == 200
        assert post(guarded, body, Authorization=f"Bearer {TOKEN}", Host="evil.example.com").status_code == 403
        with pytest.raises(grpc.RpcError) as caught:
            call(guarded, body, EXPORT)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with Server(env, limits={"body_bytes": 10_000, "spans": 5}) as small:
        assert post(small, told(more=5)).status_code == 200
        refused = post(small, told(more=6))
        assert refused.status_code == 413
        assert b"more than 5 log records" in refused.content
        assert post(small, bytes(10_001)).status_code == 413
        assert post(small, body, "text/plain").status_code == 415
        assert post(small, b"\x0a\xff").status_code == 400


def test_many_that_tell_at_once_are_bounded_and_said_once(env: Env, tmp_path: Path) -> None:
    def body(number: int) -> bytes:
        return told(*(span(n, end=0, trace=f"{number * 10 + n % 10 + 1:032x}") for n in range(1, 101)))

    bounded = Showing(env, tmp_path)
    for number in range(120):
        assert post(bounded, body(number)).status_code == 200
    assert len({one["trace_id"] for one in bounded.opened()}) == 1000
    status, said = bounded.end()
    assert status == 0
    (line,) = said.splitlines()
    assert "more runs on other machines than are kept" in line

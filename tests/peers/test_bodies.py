"""Requests as otel-cli and tracepusher send them, byte by byte: neither is in any package registry."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
import support
from support import processes
from support.otel_collector import Collector
from support.otlp_receiver import Receiver
from support.toolchains import needs_collector

Spans = list[dict[str, Any]]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF, JSON = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json"}

# `otel-cli exec --service nightly --name "make dist" --attrs attempt=2 -- make dist`, which failed, with TRACEPARENT in its
# environment: a CLIENT span, on which no TRACESTATE is left.
OTEL_CLI = bytes.fromhex(
    "0a86020a1b0a190a0c736572766963652e6e616d6512090a076e696768746c7912bd010a290a206769746875622e636f6d2f"
    "657175696e69782d6c6162732f6f74656c2d636c691205302e342e3512670a104bf92f3577b34da6a3ce929d0e0e47361208"
    "b7ad6b7169203331220800f067aa0ba902b72a096d616b6520646973743003390000ca67a7fc7a184100f9ccfca7fc7a184a"
    "0d0a07617474656d7074120218027a11120d6578697420737461747573203218021a2768747470733a2f2f6f70656e74656c"
    "656d657472792e696f2f736368656d61732f312e31372e301a2768747470733a2f2f6f70656e74656c656d657472792e696f"
    "2f736368656d61732f312e31372e30"
)
# The same with a TRACEPARENT of zeros, which it takes for a trace.
OTEL_CLI_ZERO = OTEL_CLI.replace(bytes.fromhex(TRACE), bytes(16)).replace(bytes.fromhex(PARENT), bytes(8))
# `tracepusher -sen nightly -spn backup -dur 2 -tid … -psid … -sid …`: a kind by its name, times in snake case, as numbers.
TRACEPUSHER = (
    b'{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "nightly"}}]}, '
    b'"scopeSpans": [{"scope": {"name": "manual-test"}, "spans": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", '
    b'"spanId": "c7ad6b7169203332", "name": "backup", "kind": "SPAN_KIND_INTERNAL", '
    b'"start_time_unix_nano": 1764000000000000000, "end_time_unix_nano": 1764000002000000000, '
    b'"droppedAttributesCount": 0, "events": [], "droppedEventsCount": 0, "status": {"code": 1}, '
    b'"parentSpanId": "00f067aa0ba902b7"}]}]}]}'
)


@dataclass(frozen=True)
class Target:
    """Who takes spans. ``spans``: those that arrived, in the form of ``show --format json``."""

    http: str
    grpc: str
    spans: Callable[[], Spans]

    def post(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        """Send a body as clients do that know nothing but the address."""
        return requests.post(f"{self.http}/v1/traces", data=body, headers=headers, timeout=10)

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the span of this name when it has arrived."""
        return processes.wait_for(lambda: [span for span in self.spans() if span["name"] == name], name)[0]


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """One of: the tests' own receiver, a Collector before it, `pipeline-trace serve`."""
    found: Target = request.getfixturevalue(f"to_{request.param}")
    return found


@pytest.fixture
def to_receiver() -> Iterator[Target]:
    with Receiver() as receiver:
        yield Target(receiver.http_url, receiver.grpc_url.removeprefix("http://"), receiver.spans)


@pytest.fixture
def to_collector(tmp_path: Path, to_receiver: Target) -> Iterator[Target]:
    with Collector(tmp_path / "collector", "gateway", backend=to_receiver.http) as collector:
        ports = (f"127.0.0.1:{port}" for port in (collector.http_port, collector.grpc_port))
        http, grpc_address = ports
        yield Target(f"http://{http}", grpc_address, to_receiver.spans)


@pytest.fixture
def to_serve(env: dict[str, str]) -> Iterator[Target]:
    words = [support.BIN / "pipeline-trace", "serve", "--port", "0", "--grpc-port", "0"]
    server = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        said = ""
        while not (match := re.search(r"OTLP/HTTP: (\S+)\nOTLP/gRPC: http://(\S+)", said)):
            line = server.stdout.readline()
            assert line, said
            said += line
        yield Target(match[1], match[2], lambda: support.stored(env))
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


NO_SERVE = importlib.util.find_spec("pipeline_trace.serve") is None
SERVE = pytest.param("serve", marks=pytest.mark.skipif(NO_SERVE, reason="this version has no `pipeline-trace serve`"))
COLLECTOR = pytest.param("collector", marks=needs_collector)
TAKES_PROTOBUF = pytest.mark.parametrize("target", ["receiver", COLLECTOR, SERVE], indirect=True)
TAKES_JSON = pytest.mark.parametrize("target", [COLLECTOR, SERVE], indirect=True)


def assert_otel_cli(span: dict[str, Any]) -> None:
    assert (span["trace_id"], span["span_id"], span["parent_span_id"]) == (TRACE, "b7ad6b7169203331", PARENT)
    assert (span["kind"], span["attributes"]["attempt"]) == ("CLIENT", 2)
    assert span["status"] == {"code": "ERROR", "message": "exit status 2"}
    assert int(span["end_unix_nano"]) - int(span["start_unix_nano"]) == 2_500_000_000
    assert span["resource"]["service.name"] == "nightly"


@TAKES_PROTOBUF
def test_otel_cli_over_http(target: Target) -> None:
    answer = target.post(OTEL_CLI, PROTOBUF)
    # It takes an answer of any other type for a failure.
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-protobuf")
    assert_otel_cli(target.wait_for("make dist"))


@TAKES_PROTOBUF
def test_otel_cli_over_grpc(target: Target) -> None:
    with grpc.insecure_channel(target.grpc) as channel:
        send = channel.unary_unary(EXPORT, request_serializer=bytes, response_deserializer=bytes)
        send(OTEL_CLI, timeout=10)
    assert_otel_cli(target.wait_for("make dist"))


@TAKES_PROTOBUF
def test_trace_id_of_zeros_is_in_nobodys_way(target: Target) -> None:
    """It may be refused, in a way that the client understands; it is the sender's fault, and stays that."""
    answer = target.post(OTEL_CLI_ZERO, PROTOBUF)
    assert (answer.status_code in (200, 400), answer.headers["Content-Type"]) == (True, "application/x-protobuf")
    assert target.post(gzip.compress(OTEL_CLI), {**PROTOBUF, "Content-Encoding": "gzip"}).status_code == 200
    processes.wait_for(lambda: [s for s in target.spans() if s["trace_id"] == TRACE], "the good one")


@TAKES_JSON
def test_tracepusher(target: Target) -> None:
    answer = target.post(TRACEPUSHER, JSON)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert not json.loads(answer.text).get("partialSuccess")
    span = target.wait_for("backup")
    assert (span["trace_id"], span["span_id"], span["parent_span_id"]) == (TRACE, "c7ad6b7169203332", PARENT)
    assert (span["kind"], span["status"]["code"]) == ("INTERNAL", "OK")
    assert int(span["end_unix_nano"]) - int(span["start_unix_nano"]) == 2_000_000_000
    assert span["resource"]["service.name"] == "nightly"

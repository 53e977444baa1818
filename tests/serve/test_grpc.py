"""The receiver over gRPC: real exporters and raw calls against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import support
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExportResult
from support.peer_bodies import OTEL_CLI, OTEL_CLI_ZERO, SPAN, TRACE
from support.report_samples import sample
from support.serving import EXPORT, Server, call

from pipeline_trace.delivery.destinations.otlp import _span_maker
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def module_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return support.environ(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def server(module_env: dict[str, str]) -> Iterator[Server]:
    with Server(module_env, limits={"body_bytes": 1 << 20}) as running:
        yield running


def encoded(trace: int, count: int) -> bytes:
    spans = [Span(f"{trace:032x}", f"{n + 1:016x}", None, f"span {n}", 1000, 2000) for n in range(count)]
    body: bytes = encode_spans(_span_maker()(spans)).SerializeToString()
    return body


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_the_real_exporter(env: dict[str, str], compression: grpc.Compression) -> None:
    with Server(env) as server:
        exporter = OTLPSpanExporter(endpoint=server.grpc, insecure=True, compression=compression)
        assert exporter.export(_span_maker()(sample())) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert len(support.stored(env)) == len(sample())


def test_our_own_delivery(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    agent = support.environ(tmp_path_factory.mktemp("agent"))
    with Server(env) as server:
        there = {**agent, "OTEL_EXPORTER_OTLP_ENDPOINT": server.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        assert support.spawn("exec", "--name", "over grpc", "--", "true", env=there).returncode == 0
        assert support.trace("ship", env=there).returncode == 0
    assert [span["name"] for span in support.stored(env)] == ["over grpc"]


def test_otel_cli(server: Server, module_env: dict[str, str]) -> None:
    assert call(server, OTEL_CLI) == b""
    assert (TRACE, SPAN) in {(span["trace_id"], span["span_id"]) for span in support.stored(module_env)}


def test_a_part_that_is_no_span_is_rejected_and_the_rest_stored(server: Server, module_env: dict[str, str]) -> None:
    said = ExportTraceServiceResponse.FromString(call(server, OTEL_CLI_ZERO + encoded(0x2001, 3))).partial_success
    assert said.rejected_spans == 1
    assert "trace id" in said.error_message
    assert sum(span["trace_id"] == f"{0x2001:032x}" for span in support.stored(module_env)) == 3


@pytest.mark.parametrize(
    ("body", "method", "code"),
    [
        (b"\x0a\xff", EXPORT, grpc.StatusCode.INVALID_ARGUMENT),
        (bytes((1 << 20) + 1), EXPORT, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (b"\x0a\xff", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", grpc.StatusCode.INVALID_ARGUMENT),
        (b"", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_bad_requests(server: Server, body: bytes, method: str, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(server, body, method)
    assert caught.value.code() is code


def test_100_clients_at_once_lose_nothing(env: dict[str, str]) -> None:
    with Server(env) as server, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda number: call(server, encoded(number, 20)), range(1, 201)))
    assert answers == [b""] * 200
    assert len(support.stored(env)) == 200 * 20


def test_a_store_that_is_busy_is_unavailable_which_exporters_try_again(env: dict[str, str]) -> None:
    import sqlite3

    with Server(env) as server:
        call(server, encoded(1, 1))
        other = sqlite3.connect(server.store, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(grpc.RpcError) as caught:
            call(server, encoded(2, 1))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        other.close()
        assert call(server, encoded(3, 1)) == b""

"""A real OTLP receiver for tests: HTTP and gRPC, each on a port of 127.0.0.1, in threads of the test's process.

with Receiver() as receiver:
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.http_url
    receiver.wait_for(3)
"""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, get_args

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Kind = Literal["status", "slow", "never", "close", "partial", "redirect", "answer"]
Protocol = Literal["http", "grpc"]
Metrics = Literal["take", "none", "never", "page"]
Logs = Literal["take", "none", "never", "busy"]

_HOST = "127.0.0.1"
_PATH = "/v1/traces"
_METRICS_PATH = "/v1/metrics"
_LOGS_PATH = "/v1/logs"
# As `serve` says it.
_KEEPS_OPEN = ("pipeline-trace-open-spans", "yes")
_LOGIN_PATH = "/login"
_LOGIN_PAGE = b"<!doctype html><title>Sign in</title><form>Name, password</form>"
# What a Collector answers over gRPC where it answers this over HTTP.
_GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}
# Bound for as long as this process lives, and never listening: nobody else gets these ports.
_reserved: list[socket.socket] = []


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    Kinds: ``status`` (``status`` as HTTP says it, over gRPC the code that a Collector maps it to; ``retry_after``
    seconds, as a header or RetryInfo), ``slow`` (accepted after ``seconds``), ``never`` (no answer until the receiver
    closes or the fault is taken away), ``close`` (the connection is closed without an answer; over gRPC the call ends
    as the client then sees it), ``partial`` (the first ``rejected`` spans are not accepted, ``message`` says why),
    ``redirect`` (302 to a login page, which answers 200; over gRPC the error that clients make of it), ``answer`` (over
    HTTP, ``status`` with ``body`` and ``content_type``, and nothing is taken).
    It happens to the next ``times`` requests; None: to all of them. ``where``: only to those whose spans, in the form of
    ``show --format json``, it is true of. ``over``: only to those with more bytes, unpacked. ``code``: over gRPC, the
    name of the status, instead of the one that ``status`` is mapped to; its details are ``message``.
    """

    kind: Kind
    status: int = 503
    retry_after: int | None = None
    seconds: float = 1.0
    rejected: int = 1
    message: str = "rejected by the test"
    times: int | None = None
    where: Callable[[list[dict[str, Any]]], bool] | None = None
    over: int = -1
    code: str = ""
    content_type: str = "text/html"
    body: bytes = _LOGIN_PAGE

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no such fault: {self.kind}")


@dataclass(frozen=True)
class Point:
    """A value of a metric as it arrived. ``value``: a number, or (count, sum) of a histogram."""

    metric: str
    unit: str
    kind: str
    monotonic: bool
    value: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One request. ``size``: spans accepted; ``sent``: spans in it; ``at``: arrival, seconds of the monotonic clock."""

    protocol: Protocol
    size: int
    sent: int
    at: float


@dataclass(frozen=True)
class Heard:
    """A request with log records, whatever was answered. ``headers``: their names in lower case."""

    protocol: Protocol
    request: ExportLogsServiceRequest
    headers: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The names of the open spans that are told."""
        return [str(one["pipeline_trace.span.name"]) for one in self.attributes]

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """The attributes of the records."""
        scopes = [scope for resource in self.request.resource_logs for scope in resource.scope_logs]
        return [_attributes(record.attributes) for scope in scopes for record in scope.log_records]


class Receiver:
    """An OTLP receiver, from entering the context until its end.

    ``http_port`` and ``grpc_port``: 0 for free ones, such as ``free_port()`` to start on a port known before. ``tls``:
    serve both by TLS with a certificate of its own making, in the file ``certificate``. ``fault``: see Fault; it may be
    set at any time, from any thread, and None heals the receiver. ``metrics``: what becomes of metrics: they are taken, 404
    or UNIMPLEMENTED says that nobody takes them here, no answer comes until the receiver closes, or a login page answers
    200 (over HTTP). ``logs``: the same of log records; busy: 503 or UNAVAILABLE; it may be set at any time.
    ``keeps_open``: whether it says in its answers, as `serve` does, that it keeps open spans.
    """

    def __init__(
        self,
        *,
        http_port: int = 0,
        grpc_port: int = 0,
        tls: bool = False,
        fault: Fault | None = None,
        metrics: Metrics = "take",
        logs: Logs = "none",
        keeps_open: bool = False,
    ) -> None:
        self._lock = threading.Condition()
        self.logs = logs
        self.keeps_open = keeps_open
        self._heard: list[Heard] = []
        self.metrics = metrics
        self._points: list[list[Point]] = []
        self._fault = fault
        self._fault_left = fault.times if fault else None
        self._spans: list[dict[str, Any]] = []
        self._batches: list[Batch] = []
        self._asked: list[float] = []
        self._bodies: list[bytes] = []
        self._closed = False
        self._folder = tempfile.TemporaryDirectory() if tls else None
        self.certificate = Path(self._folder.name) / "certificate.pem" if self._folder else None
        key = _make_certificate(self.certificate) if self.certificate else b""
        self._http = _HttpServer((_HOST, http_port), self)
        self._http_thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._grpc = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", int(bool(grpc_port)))])
        add_service: Callable[..., None] = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add_service(_GrpcService(self), self._grpc)
        add_service = logs_service_pb2_grpc.add_LogsServiceServicer_to_server
        add_service(_GrpcLogs(self), self._grpc)
        if metrics != "none":
            add_service = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
            add_service(_GrpcMetrics(self), self._grpc)
        address = f"{_HOST}:{grpc_port}"
        if self.certificate:
            chain = self.certificate.read_bytes()
            self._http.use_tls(self.certificate)
            grpc_port = self._grpc.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
        else:
            grpc_port = self._grpc.add_insecure_port(address)
        scheme = "https" if tls else "http"
        self.http_url = f"{scheme}://{_HOST}:{self._http.server_port}"
        self.grpc_url = f"{scheme}://{_HOST}:{grpc_port}"

    def __enter__(self) -> Receiver:
        self._http_thread.start()
        self._grpc.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Refuse connections from now on; end those that wait for an answer."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._lock.notify_all()
        self._http.shutdown()
        self._http_thread.join()
        self._http.server_close()
        self._grpc.stop(0).wait()
        if self._folder:
            self._folder.cleanup()

    @property
    def fault(self) -> Fault | None:
        """What goes wrong now."""
        with self._lock:
            return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        with self._lock:
            self._fault, self._fault_left = fault, fault.times if fault else None
            self._lock.notify_all()

    @property
    def batches(self) -> list[Batch]:
        """The accepted requests so far."""
        with self._lock:
            return list(self._batches)

    @property
    def asked(self) -> list[float]:
        """When requests arrived, whatever was answered: seconds of the monotonic clock."""
        with self._lock:
            return list(self._asked)

    @property
    def bodies(self) -> list[bytes]:
        """Return the bodies of all requests so far, without their compression, whatever was answered."""
        with self._lock:
            return list(self._bodies)

    def url(self, protocol: Protocol) -> str:
        """Return the address for a protocol."""
        return self.http_url if protocol == "http" else self.grpc_url

    def environ(self, protocol: Protocol = "http") -> dict[str, str]:
        """Return the standard variables that send spans here."""
        name = "http/protobuf" if protocol == "http" else "grpc"
        found = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url(protocol), "OTEL_EXPORTER_OTLP_PROTOCOL": name}
        return {**found, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self.certificate)} if self.certificate else found

    def spans(self) -> list[dict[str, Any]]:
        """Return the accepted spans in order of arrival, repeated ones too, in the form of ``show --format json``."""
        with self._lock:
            return list(self._spans)

    def wait_for(self, count: int, seconds: float = 15.0) -> list[dict[str, Any]]:
        """Return the spans when at least ``count`` have arrived; AssertionError where they do not within ``seconds``."""
        with self._lock:
            arrived = self._lock.wait_for(lambda: len(self._spans) >= count, seconds)
            assert arrived, f"{len(self._spans)} of {count} spans arrived within {seconds} s"
            return list(self._spans)

    def wait_until_asked(self, count: int = 1, seconds: float = 15.0) -> None:
        """Return when ``count`` requests have arrived, whatever is answered; else AssertionError."""
        with self._lock:
            arrived = self._lock.wait_for(lambda: len(self._asked) >= count, seconds)
            assert arrived, f"{len(self._asked)} of {count} requests arrived within {seconds} s"

    def points(self) -> list[list[Point]]:
        """Return what was measured: the points of each request so far."""
        with self._lock:
            return list(self._points)

    def last(self, metric: str) -> list[Point]:
        """Return a metric's points as they were when it was told last."""
        told = ([point for point in points if point.metric == metric] for points in reversed(self.points()))
        return next((points for points in told if points), [])

    @property
    def heard(self) -> list[Heard]:
        """The requests with log records so far."""
        with self._lock:
            return list(self._heard)

    def wait_until_told(self, count: int = 1, seconds: float = 30.0) -> list[Heard]:
        """Return the requests with log records when ``count`` have arrived; else AssertionError."""
        with self._lock:
            arrived = self._lock.wait_for(lambda: len(self._heard) >= count, seconds)
            assert arrived, f"{len(self._heard)} of {count} requests with log records arrived within {seconds} s"
            return list(self._heard)

    def hear(self, protocol: Protocol, request: ExportLogsServiceRequest, headers: Mapping[str, str]) -> Logs:
        """Note a request with log records; return what becomes of it. For the servers."""
        with self._lock:
            self._heard.append(Heard(protocol, request, {name.lower(): value for name, value in headers.items()}))
            self._lock.notify_all()
            logs = self.logs
            if logs == "never":
                self._lock.wait_for(lambda: self._closed or self.logs != "never")
            return logs

    def measure(self, request: ExportMetricsServiceRequest) -> None:
        """Take a request's metrics, or wait. For the servers."""
        with self._lock:
            if self.metrics == "never":
                self._lock.wait_for(lambda: self._closed)
            self._points.append(list(_read_points(request)))
            self._lock.notify_all()

    def happening(self, request: ExportTraceServiceRequest) -> Fault | None:
        """Note a request's arrival; return what goes wrong with it. For the servers."""
        with self._lock:
            self._asked.append(time.monotonic())
            self._bodies.append(request.SerializeToString())
            self._lock.notify_all()
            fault = self._fault
            if fault is None or self._fault_left == 0 or len(self._bodies[-1]) <= fault.over:
                return None
            if fault.where and not fault.where(list(_read(request))):
                return None
            if self._fault_left is not None:
                self._fault_left -= 1
            if fault.kind == "slow":
                self._lock.wait_for(lambda: self._closed, fault.seconds)
            elif fault.kind == "never":
                self._lock.wait_for(lambda: self._closed or self._fault is not fault)
            return fault

    def accept(
        self, request: ExportTraceServiceRequest, protocol: Protocol, fault: Fault | None
    ) -> ExportTraceServiceResponse:
        """Take a request's spans; return the answer. For the servers."""
        spans = list(_read(request))
        answer = ExportTraceServiceResponse()
        rejected = min(fault.rejected, len(spans)) if fault and fault.kind == "partial" else 0
        if fault and rejected:
            answer.partial_success.rejected_spans = rejected
            answer.partial_success.error_message = fault.message
        with self._lock:
            self._spans += spans[rejected:]
            self._batches.append(Batch(protocol, len(spans) - rejected, len(spans), time.monotonic()))
            self._lock.notify_all()
        return answer


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        super().__init__(address, _Handler)
        self.receiver = receiver
        self._context: ssl.SSLContext | None = None

    def use_tls(self, certificate: Path) -> None:
        """Serve by TLS; the file holds key and certificate."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.with_name("both.pem"))

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands here, in the connection's thread: a client that only connects must not hold up others."""
        if self._context:
            request = self._context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: pytest would show it as if it were a problem."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _HttpServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == _METRICS_PATH and self.server.receiver.metrics == "page":
            self._send(200, _LOGIN_PAGE, {"Content-Type": "text/html"})
            return
        if self.path == _METRICS_PATH and self.server.receiver.metrics != "none":
            unpack = _ENCODINGS[self.headers.get("Content-Encoding", "identity")]
            self.server.receiver.measure(ExportMetricsServiceRequest.FromString(unpack(body)))
            self._send(200, b"", {"Content-Type": "application/x-protobuf"})
            return
        if self.path == _LOGS_PATH:
            unpack = _ENCODINGS[self.headers.get("Content-Encoding", "identity")]
            told = ExportLogsServiceRequest.FromString(unpack(body))
            becomes = self.server.receiver.hear("http", told, dict(self.headers))
            status = {"take": 200, "busy": 503}.get(becomes, 404)
            self._send(status, b"", {"Content-Type": "application/x-protobuf"})
            return
        if self.path != _PATH:
            self._send(404, b"404 page not found\n")
            return
        unpack = _ENCODINGS.get(self.headers.get("Content-Encoding", "identity"))
        if unpack is None or self.headers.get("Content-Type") != "application/x-protobuf":
            self._send(415, b"unsupported media type\n")
            return
        request = ExportTraceServiceRequest.FromString(unpack(body))
        fault = self.server.receiver.happening(request)
        if fault and fault.kind in ("never", "close"):
            self.close_connection = True
        elif fault and fault.kind == "status":
            after = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
            self._send(fault.status, b"refused by the test", after)
        elif fault and fault.kind == "answer":
            kind = {"Content-Type": fault.content_type} if fault.content_type else {}
            self._send(fault.status, fault.body, kind, plain=False)
        elif fault and fault.kind == "redirect":
            self._send(302, b"", {"Location": f"{self.server.receiver.http_url}{_LOGIN_PATH}"})
        else:
            self._accept(request, fault)

    def do_GET(self) -> None:
        if self.path == _LOGIN_PATH:
            self._send(200, _LOGIN_PAGE, {"Content-Type": "text/html"})
        else:
            self._send(405, b"405 method not allowed, supported: [POST]\n")

    def _accept(self, request: ExportTraceServiceRequest, fault: Fault | None) -> None:
        answer = self.server.receiver.accept(request, "http", fault)
        says = dict([_KEEPS_OPEN]) if self.server.receiver.keeps_open else {}
        self._send(200, answer.SerializeToString(), {"Content-Type": "application/x-protobuf", **says})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, plain: bool = True) -> None:
        self.send_response(status)
        default = {"Content-Type": "text/plain"} if plain else {}
        for name, value in {**default, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on stderr."""


_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "none": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class _GrpcService(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        fault = self._receiver.happening(request)
        if fault and fault.kind in ("never", "close"):
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        if fault and fault.kind == "redirect":
            context.abort(grpc.StatusCode.UNKNOWN, "Received http2 header with status: 302")
        if fault and fault.kind == "status":
            _abort(context, fault)
        if self._receiver.keeps_open:
            context.set_trailing_metadata((_KEEPS_OPEN,))
        return self._receiver.accept(request, "grpc", fault)


class _GrpcLogs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: ExportLogsServiceRequest, context: grpc.ServicerContext) -> ExportLogsServiceResponse:
        headers = {str(name): str(value) for name, value in context.invocation_metadata()}
        becomes = self._receiver.hear("grpc", request, headers)
        if becomes == "busy":
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        if becomes == "none":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service opentelemetry.proto.collector.logs.v1.LogsService")
        return ExportLogsServiceResponse()


class _GrpcMetrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext) -> ExportMetricsServiceResponse:
        self._receiver.measure(request)
        return ExportMetricsServiceResponse()


def _abort(context: grpc.ServicerContext, fault: Fault) -> NoReturn:
    if fault.retry_after is not None:
        info = RetryInfo(retry_delay=Duration(seconds=fault.retry_after))
        context.set_trailing_metadata((("google.rpc.retryinfo-bin", info.SerializeToString()),))
    if fault.code:
        context.abort(grpc.StatusCode[fault.code], fault.message)
    context.abort(_GRPC_CODES.get(fault.status, grpc.StatusCode.UNKNOWN), "refused by the test")
    raise AssertionError("abort raises")


def free_port() -> int:
    """Return a port at which nobody listens, until a Receiver of this process is given it."""
    holder = socket.socket()
    # Both: what listens there later asks for the one (http.server) or the other (gRPC).
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((_HOST, 0))
    _reserved.append(holder)
    return int(holder.getsockname()[1])


def _read(request: ExportTraceServiceRequest) -> Iterable[dict[str, Any]]:
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _span(span, resource)


def _read_points(request: ExportMetricsServiceRequest) -> Iterable[Point]:
    for of_resource in request.resource_metrics:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = str(metric.WhichOneof("data"))
                data = getattr(metric, kind)
                for point in data.data_points:
                    histogram = kind == "histogram"
                    value = (point.count, point.sum) if histogram else getattr(point, point.WhichOneof("value"))
                    yield Point(
                        metric.name,
                        metric.unit,
                        kind,
                        kind == "sum" and data.is_monotonic,
                        value,
                        _attributes(point.attributes),
                        resource,
                        tuple(point.explicit_bounds) if histogram else (),
                    )


def _span(span: Span, resource: Mapping[str, Any]) -> dict[str, Any]:
    code = Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_")
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        "start_unix_nano": span.start_time_unix_nano,
        "end_unix_nano": span.end_time_unix_nano,
        "status": {"code": code, "message": span.status.message},
        "attributes": _attributes(span.attributes),
        "events": [
            {"name": e.name, "time_unix_nano": e.time_unix_nano, "attributes": _attributes(e.attributes)}
            for e in span.events
        ],
        "links": [
            {"trace_id": k.trace_id.hex(), "span_id": k.span_id.hex(), "attributes": _attributes(k.attributes)}
            for k in span.links
        ],
        "resource": resource,
    }


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)


def _make_certificate(path: Path) -> bytes:
    """Write a certificate for 127.0.0.1, signed by itself, and both.pem with its key beside it; return the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pipeline-trace tests")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(public)
    path.with_name("both.pem").write_bytes(secret + public)
    return secret

"""Tells a receiver of open spans, as OTLP log records over HTTP or gRPC. Encoded with opentelemetry-proto, without the SDK.

docs/decisions/0027 says why they are log records, and why no exporter sends them.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from ...trace.span import Span
from . import DeliveryError, SetupError, endpoint, traces_endpoint, transport
from .endpoint import GRPC, LOGS, TRACES

# Seconds for a request. The receiver answers from memory.
_SECONDS = 3.0
_PROTOBUF = "application/x-protobuf"
_PACKED: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class Receiver(Protocol):
    """Where spans are delivered. ``takes_open``: whether it says that it keeps open spans; None while it said nothing."""

    @property
    def takes_open(self) -> bool | None: ...


class OtlpLogs:
    """Tells the receiver of spans if that keeps open spans, or whoever the variables for logs name."""

    def __init__(self, environ: Mapping[str, str], receiver: Receiver | None = None) -> None:
        """Read the variables. ``receiver``: of the spans, which may say that it keeps open ones; None to tell LOGS' own.

        Raises SetupError if a value is not valid or a package is missing.
        """
        self._receiver = receiver
        self._answered: bool | None = None
        signal = TRACES if receiver else LOGS
        problem = endpoint.setup_problem(environ, signal)
        if problem:
            raise SetupError(problem)
        try:
            self._calls: _Calls = (_OverGrpc if endpoint.protocol(environ, signal) == GRPC else _OverHttp)(environ, signal)
        except ImportError as error:
            raise SetupError(f"{error.name} is missing") from None

    @property
    def wanted(self) -> bool:
        """See Teller.wanted."""
        return self._takes_open is not False

    @property
    def _takes_open(self) -> bool | None:
        if self._receiver is None:
            return True
        said = self._receiver.takes_open
        return self._answered if said is None else said

    def tell(self, spans: Sequence[Span], every: float) -> bool:
        """See Teller.tell."""
        from .otlp_records import request_of

        try:
            if self._takes_open is None:
                # No span has ended yet. A request without any is a success for each receiver of OTLP.
                self._calls.ask()
                self._answered = bool(self._calls.watch.takes_open)
            request = request_of(spans, every)
            if self._takes_open and request.resource_logs:
                self._calls.send(request)
        except DeliveryError as error:
            self._calls.drop()
            return not error.unwanted
        return True

    def close(self) -> None:
        """See Teller.close."""
        self._calls.drop()


class _Calls:
    """Two requests to a receiver, which raise DeliveryError unless they succeed."""

    def __init__(self, environ: Mapping[str, str], signal: str) -> None:
        """``signal``: whose variables say where, with which headers and certificates."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
        from opentelemetry.util.re import parse_env_headers

        if "event_name" not in LogRecord.DESCRIPTOR.fields_by_name:
            raise SetupError("opentelemetry-proto is older than 1.35")
        self._environ = environ
        self._signal = signal
        self._headers = dict(parse_env_headers(self._setting("HEADERS"), liberal=True))
        self._seconds = min(endpoint.seconds(environ, signal), _SECONDS)
        self.watch = transport.Watch(ExportLogsServiceResponse)

    def ask(self) -> None:
        """Send a request for spans that has none, for what the answer says of the receiver."""
        raise NotImplementedError

    def send(self, records: Any) -> None:
        """Send log records."""
        raise NotImplementedError

    def drop(self) -> None:
        """Close the connection. The next request makes a new one."""

    def _setting(self, name: str) -> str:
        return endpoint.setting(self._environ, name, self._signal)[1]


class _OverHttp(_Calls):
    def __init__(self, environ: Mapping[str, str], signal: str) -> None:
        super().__init__(environ, signal)
        self._session = transport.make_session(endpoint.certificates(environ, signal), self.watch)

    def ask(self) -> None:
        self._post("traces", b"")

    def send(self, records: Any) -> None:
        self._post("logs", records.SerializeToString())

    def drop(self) -> None:
        with suppress(Exception):
            self._session.close()

    def _post(self, path: str, body: bytes) -> None:
        headers = {**self._headers, "content-type": _PROTOBUF}
        compression = endpoint.compression(self._environ, self._signal)
        if compression in _PACKED:
            headers["content-encoding"] = compression
            body = _PACKED[compression](body)
        files = self._setting("CLIENT_CERTIFICATE"), self._setting("CLIENT_KEY")
        certificate = (files if files[1] else files[0]) if files[0] else None
        self._session.post(self._url(path), data=body, headers=headers, timeout=self._seconds, cert=certificate)

    def _url(self, path: str) -> str:
        """Return where a signal is sent. An address for spans alone ends with their signal's name. Raises DeliveryError."""
        own = self._environ.get(f"OTEL_EXPORTER_OTLP_{self._signal}_ENDPOINT", "").strip()
        if not own:
            return f"{traces_endpoint(self._environ, self._signal).removesuffix('/')}/v1/{path}"
        if self._signal == LOGS:
            return own
        base = re.fullmatch(r"(.*/)traces/?", own)
        if not base:
            raise DeliveryError(f"nobody knows where {own} takes logs", unwanted=True)
        return base[1] + path


class _OverGrpc(_Calls):
    def __init__(self, environ: Mapping[str, str], signal: str) -> None:
        super().__init__(environ, signal)
        transport.prepare_grpc(environ)
        self._channel: Any = None

    def ask(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

        self._call(TraceServiceStub, ExportTraceServiceRequest())

    def send(self, records: Any) -> None:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

        self._call(LogsServiceStub, records)

    def drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel:
            with suppress(Exception):
                channel.close()

    def _call(self, make_stub: Any, request: Any) -> None:
        channel = self._channel = self._channel or self._open()
        export = transport.watched(make_stub(channel).Export, self.watch)
        export(request, metadata=tuple(self._headers.items()), timeout=self._seconds)

    def _open(self) -> Any:
        import grpc

        where = traces_endpoint(self._environ, self._signal)
        url, asked = urlsplit(where), self._setting("INSECURE").lower()
        # HOST:PORT has no netloc.
        target = url.netloc or where
        compression = transport.grpc_compression(self._environ, self._signal)
        if url.scheme != "https" and (asked == "true" if asked else url.scheme == "http"):
            return grpc.insecure_channel(target, compression=compression)
        files = (self._setting(name) for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"))
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(*map(_read, files)), compression=compression)


def _read(path: str) -> bytes | None:
    """Return the content of a file of certificates; None without one."""
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()

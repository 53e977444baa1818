"""Delivery to an OTLP receiver by opentelemetry-exporter-otlp, over HTTP or gRPC. The only importer of the SDK for spans."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...trace.span import ERROR, OK, Span
from . import Accepted, DeliveryError, SetupError, traces_endpoint

GRPC, HTTP = "grpc", "http/protobuf"
_PORTS = {"https": 443, "http": 80}


class Otlp:
    """Takes spans to the receiver which the standard OTEL_EXPORTER_OTLP_* variables name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the variables. Raises SetupError where they make no sense or a package is missing."""
        self.name = traces_endpoint(environ)
        self._protocol = protocol(environ, self.name)
        self._address = address(self.name, self._protocol)
        self._problems = Problems()
        self._seconds = _seconds(environ)
        self._certificate = (
            environ.get("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE") or environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or ""
        )
        self._exporter, self._exporter_seconds = self._make(self._seconds), self._seconds
        self._make_spans = _span_maker()

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """See Destination.deliver."""
        self._reach(timeout)
        seconds = min(timeout, self._seconds)
        if seconds < self._exporter_seconds:
            self._exporter.shutdown()
            self._exporter, self._exporter_seconds = self._make(seconds), seconds
        self._problems.clear()
        result = self._exporter.export(self._make_spans(spans))
        if result.name != "SUCCESS":
            raise DeliveryError(f"{self.name}: {self._problems.reason}", unfit=self._problems.unfit)
        return self._problems.accepted

    def close(self) -> None:
        """See Destination.close."""
        self._exporter.shutdown()
        self._problems.remove()

    def _reach(self, timeout: float) -> None:
        """Tell at once where nobody listens: the exporter would try again until its time is over."""
        try:
            socket.create_connection(self._address, max(min(timeout, self._seconds), 0.05)).close()
        except OSError as error:
            raise DeliveryError(f"{self.name}: {error.strerror or error}", refused=True) from None

    def _make(self, seconds: float) -> Any:
        try:
            return self._grpc(seconds) if self._protocol == GRPC else self._http(seconds)
        except ImportError as error:
            packages = "opentelemetry-sdk opentelemetry-exporter-otlp"
            raise SetupError(f"{error.name} is missing; {sys.executable} -m pip install {packages}") from None

    def _grpc(self, seconds: float) -> Any:
        # gRPC writes to stderr by itself, where people expect our one line.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        problems = self._problems

        class Exporter(OTLPSpanExporter):
            """Looks at the answers, which the exporter throws away."""

            def _initialize_channel_and_stub(self) -> None:
                super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
                stub: Any = self._client
                send = stub.Export

                def export(*args: Any, **kwargs: Any) -> Any:
                    answer = send(*args, **kwargs)
                    problems.partial(answer)
                    return answer

                stub.Export = export

        exporter = Exporter(timeout=seconds)
        # It filters out what it said before; we want to know it each time.
        logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").filters.clear()
        return exporter

    def _http(self, seconds: float) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        session = make_session(self._certificate)
        session.hooks["response"].append(self._problems.look)
        return OTLPSpanExporter(timeout=seconds, session=session)


def make_session(certificate: str) -> Any:
    """Return a requests session for an exporter. ``certificate``: OpenTelemetry's own variable for it, or nothing."""
    import requests

    class Session(requests.Session):
        """Prefers OpenTelemetry's own certificate variable to REQUESTS_CA_BUNDLE, which is for all programs."""

        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            settings = super().merge_environment_settings(*args, **kwargs)
            if certificate:
                settings["verify"] = certificate
            return settings

    session = Session()
    # A redirect to a login page would answer 200 and look like success.
    session.max_redirects = 0
    return session


def _parts(receiver: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of an endpoint."""
    try:
        url = urlsplit(receiver if "://" in receiver else f"http://{receiver}")
        if url.scheme in _PORTS and url.hostname:
            return url.scheme, url.hostname, url.port
    except ValueError:
        pass
    raise SetupError(f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver} is no URL such as http://collector:4318")


def address(receiver: str, by: str) -> tuple[str, int]:
    """Return host and port of an endpoint that is spoken to by GRPC or HTTP. Raises SetupError."""
    scheme, host, port = _parts(receiver)
    return host, port or (4317 if by == GRPC and scheme == "http" else _PORTS[scheme])


def protocol(environ: Mapping[str, str], receiver: str, signal: str = "TRACES") -> str:
    """Return GRPC or HTTP, as the variables say for TRACES or METRICS, else by the endpoint's port. Raises SetupError."""
    port = _parts(receiver)[2]
    asked = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    asked = asked.strip().lower()
    if asked and asked not in (GRPC, HTTP):
        raise SetupError(f"OTEL_EXPORTER_OTLP_PROTOCOL={asked} is not supported; use {HTTP} or {GRPC}")
    # 4317 is the registered port of OTLP over gRPC; HTTP there never works (docs/decisions/0003).
    return asked or (GRPC if port == 4317 else HTTP)


def _seconds(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") or environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") or "10"
    try:
        return float(text)
    except ValueError:
        raise SetupError(f"OTEL_EXPORTER_OTLP_TIMEOUT={text} is not a number of seconds") from None


class Problems(logging.Handler):
    """Remembers what the exporters only log, or do not look at, of the thread that cleared it last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.clear()
        self._logger = logging.getLogger("opentelemetry.exporter")
        self._logger.addHandler(self)
        self._logger.propagate = False

    def clear(self) -> None:
        """Forget what was; from now on this thread's exports count. Another's may be those of metrics."""
        self._thread = threading.get_ident()
        self._logged = ""
        self._status = ""
        self.unfit = False
        self.accepted = Accepted()

    @property
    def reason(self) -> str:
        """Return why the last batch was not accepted."""
        return self._status or self._logged or "the receiver did not accept the spans"

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._thread:
            return
        said = record.getMessage()
        # Over gRPC only the log says it.
        self.unfit = self.unfit or "INVALID_ARGUMENT" in said
        transient = re.match(r"Transient error (.+) encountered", said)
        # The last line only says that the time was over; what went wrong stands before.
        if not (self._logged and "due to timeout" in said):
            self._logged = transient[1] if transient else said

    def look(self, response: Any, *_args: object, **_kwargs: object) -> None:
        """Look at an answer over HTTP."""
        ok = response.status_code == 200
        self._status = "" if ok else f"{response.status_code} {response.reason}"
        self.unfit = response.status_code in (400, 413)
        if not ok or not response.content:
            return
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        answer = ExportTraceServiceResponse()
        with suppress(DecodeError):
            answer.ParseFromString(response.content)
            self.partial(answer)

    def partial(self, answer: Any) -> None:
        """Note a partial success, which the exporters take for a whole one."""
        said = answer.partial_success
        self.accepted = Accepted(int(said.rejected_spans), str(said.error_message))

    def remove(self) -> None:
        """Stop listening."""
        self._logger.removeHandler(self)


def _span_maker() -> Any:
    """Return a function from our spans to the SDK's. Imports the SDK."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.status import Status, StatusCode

    from ... import __version__

    scope = InstrumentationScope("pipeline-trace", __version__)
    statuses = {OK: StatusCode.OK, ERROR: StatusCode.ERROR}
    resources: dict[tuple[str, ...], tuple[Any, Any]] = {}

    class Hashed(Resource):
        """Computes its hash once: the encoder asks for it for every span."""

        def __init__(self, attributes: Mapping[str, Any]) -> None:
            super().__init__(attributes)
            self._hash = super().__hash__()

        def __hash__(self) -> int:
            return self._hash

    def context(trace: str, span: str) -> Any:
        return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def resource(span: Span) -> Any:
        # One Resource object for equal attributes: the encoder groups by it.
        key = tuple(map(str, span.resource.values()))
        known = resources.get(key)
        if known is None or known[0] != span.resource:
            known = resources[key] = (span.resource, Hashed(span.resource))
        return known[1]

    def one(span: Span) -> Any:
        code = statuses.get(span.status_code, StatusCode.UNSET)
        return ReadableSpan(
            name=span.name,
            context=context(span.trace_id, span.span_id),
            parent=context(span.trace_id, span.parent_id) if span.parent_id else None,
            resource=resource(span),
            attributes=span.attributes,
            events=[Event(e.name, e.attributes, e.time_ns) for e in span.events],
            links=[Link(context(k.trace_id, k.span_id), k.attributes) for k in span.links],
            kind=SpanKind[span.kind],
            instrumentation_scope=scope,
            status=Status(code, span.status_message if code is StatusCode.ERROR else None),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )

    def many(spans: Sequence[Span]) -> list[Any]:
        # A destination lives long in the poller, where every build has a resource of its own.
        if len(resources) > 1000:
            resources.clear()
        return [one(span) for span in spans]

    return many

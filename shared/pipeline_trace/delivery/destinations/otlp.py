"""Delivers spans to an OTLP receiver over HTTP or gRPC, with opentelemetry-exporter-otlp.

For spans, no other module imports the OpenTelemetry SDK.
"""

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
    """Delivers spans to the receiver that the standard OTEL_EXPORTER_OTLP_* variables name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the variables. Raises SetupError if a value is not valid or a package is missing."""
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
        """Raise DeliveryError if no receiver listens. The exporter alone would retry until its timeout."""
        try:
            socket.create_connection(self._address, max(min(timeout, self._seconds), 0.05)).close()
        except OSError as error:
            raise DeliveryError(f"{self.name}: {error.strerror or error}", refused=True) from None

    def _make(self, seconds: float) -> Any:
        try:
            return self._grpc(seconds) if self._protocol == GRPC else self._http(seconds)
        except ImportError as error:
            packages = "opentelemetry-sdk opentelemetry-exporter-otlp"
            raise SetupError(f"{error.name} is missing; run: {sys.executable} -m pip install {packages}") from None

    def _grpc(self, seconds: float) -> Any:
        # gRPC writes its own lines to stderr, between ours.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        problems = self._problems

        class Exporter(OTLPSpanExporter):
            """Passes the receiver's answers to Problems; the exporter itself ignores them."""

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
        # The exporter suppresses repeated messages. We need each of them.
        logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").filters.clear()
        return exporter

    def _http(self, seconds: float) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        session = make_session(self._certificate)
        session.hooks["response"].append(self._problems.look)
        return OTLPSpanExporter(timeout=seconds, session=session)


def make_session(certificate: str) -> Any:
    """Return a requests session for an exporter. ``certificate``: the value of OpenTelemetry's variable, or empty."""
    import requests

    class Session(requests.Session):
        """Prefers OpenTelemetry's certificate variable to REQUESTS_CA_BUNDLE, which is for all programs."""

        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            settings = super().merge_environment_settings(*args, **kwargs)
            if certificate:
                settings["verify"] = certificate
            return settings

    session = Session()
    # A redirect to a login page ends with status 200, which looks like a success.
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
    raise SetupError(
        f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver} is not an http(s) URL; set it to one such as http://collector:4318"
    )


def address(receiver: str, by: str) -> tuple[str, int]:
    """Return host and port of an endpoint. ``by``: GRPC or HTTP. Raises SetupError if the endpoint is not a URL."""
    scheme, host, port = _parts(receiver)
    return host, port or (4317 if by == GRPC and scheme == "http" else _PORTS[scheme])


def protocol(environ: Mapping[str, str], receiver: str, signal: str = "TRACES") -> str:
    """Return GRPC or HTTP: from the variables, else from the endpoint's port. ``signal``: TRACES or METRICS.

    Raises SetupError if the endpoint or the protocol is not valid.
    """
    port = _parts(receiver)[2]
    asked = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    asked = asked.strip().lower()
    if asked and asked not in (GRPC, HTTP):
        raise SetupError(f"OTEL_EXPORTER_OTLP_PROTOCOL={asked} is not supported; use {HTTP} or {GRPC}")
    # 4317 is the registered port of OTLP over gRPC. HTTP never works there (docs/decisions/0003).
    return asked or (GRPC if port == 4317 else HTTP)


def _seconds(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") or environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") or "10"
    try:
        return float(text)
    except ValueError:
        raise SetupError(f"OTEL_EXPORTER_OTLP_TIMEOUT={text} is not a number of seconds; set it to one such as 10") from None


class Problems(logging.Handler):
    """Collects why a delivery failed, which the exporters only log or ignore.

    It counts only log records of the thread that called ``clear`` last.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.clear()
        self._logger = logging.getLogger("opentelemetry.exporter")
        self._logger.addHandler(self)
        self._logger.propagate = False

    def clear(self) -> None:
        """Forget all problems. From now on, only this thread's exports count: another thread may export metrics."""
        self._thread = threading.get_ident()
        self._logged = ""
        self._status = ""
        self.unfit = False
        self.accepted = Accepted()

    @property
    def reason(self) -> str:
        """The reason why the last batch was not accepted, for a message."""
        return self._status or self._logged or "the receiver did not accept the spans"

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._thread:
            return
        said = record.getMessage()
        # Over gRPC, only the log has the status.
        self.unfit = self.unfit or "INVALID_ARGUMENT" in said
        transient = re.match(r"Transient error (.+) encountered", said)
        # The last line only reports the timeout. The line before it has the cause.
        if not (self._logged and "due to timeout" in said):
            self._logged = transient[1] if transient else said

    def look(self, response: Any, *_args: object, **_kwargs: object) -> None:
        """Note the status and the partial success of an HTTP response."""
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
        """Note a partial success. The exporters do not distinguish it from a full success."""
        said = answer.partial_success
        self.accepted = Accepted(int(said.rejected_spans), str(said.error_message))

    def remove(self) -> None:
        """Stop collecting log records."""
        self._logger.removeHandler(self)


def _span_maker() -> Any:
    """Return a function that converts our spans to spans of the SDK. Imports the SDK."""
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
        """Computes its hash once, because the encoder needs it for every span."""

        def __init__(self, attributes: Mapping[str, Any]) -> None:
            super().__init__(attributes)
            self._hash = super().__hash__()

        def __hash__(self) -> int:
            return self._hash

    def context(trace: str, span: str) -> Any:
        return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def resource(span: Span) -> Any:
        # Equal attributes share one Resource object: the encoder groups spans by it.
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
        # In the poller, a destination lives long and every build has another resource.
        if len(resources) > 1000:
            resources.clear()
        return [one(span) for span in spans]

    return many

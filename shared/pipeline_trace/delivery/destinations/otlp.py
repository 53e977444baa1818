"""Delivers spans to an OTLP receiver over HTTP or gRPC, with opentelemetry-exporter-otlp.

For spans, no other module imports the OpenTelemetry SDK.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...trace import redact
from ...trace.span import ERROR, OK, Span
from .. import sizes
from . import Accepted, DeliveryError, SetupError, endpoint, traces_endpoint, transport
from .endpoint import GRPC, TRACES

_PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp"


class Otlp:
    """Delivers spans to the receiver that the standard OTEL_EXPORTER_OTLP_* variables name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read the variables. Raises SetupError if a value is not valid or a package is missing."""
        problem = endpoint.setup_problem(environ)
        if problem:
            raise SetupError(problem)
        self.name = redact.masked(traces_endpoint(environ))
        self._environ = environ
        self._grpc = endpoint.protocol(environ) == GRPC
        self._seconds = endpoint.seconds(environ)
        try:
            from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

            self._watch = transport.Watch(ExportTraceServiceResponse)
            self._make_spans = _span_maker()
            self._exporter: Any = self._make()
        except ImportError as error:
            raise SetupError(f"{error.name} is missing; run: {sys.executable} -m pip install {_PACKAGES}") from None
        except SetupError:
            raise
        except Exception as error:
            # Versions that do not fit each other raise errors of many types when they are imported.
            said = f"opentelemetry's packages do not work ({type(error).__name__}: {error})"
            raise SetupError(f"{said[:300]}; run: {sys.executable} -m pip install --upgrade {_PACKAGES}") from None

    @property
    def takes_open(self) -> bool | None:
        """Whether the receiver says that it keeps open spans; None before it accepted anything."""
        return self._watch.takes_open

    def deliver(self, spans: Sequence[Span], timeout: float) -> Accepted:
        """See Destination.deliver. Sends one request."""
        # A batch is within the limit (shipment.py), but for a single span.
        if len(spans) == 1 and sizes.of_span(spans[0]) > sizes.MOST:
            raise DeliveryError(f"{self.name}: more than {sizes.MOST} bytes", too_large=True)
        if self._exporter is None:
            self._exporter = self._make()
        self._watch.seconds = max(min(timeout, self._seconds), 0.05)
        self._watch.result = None
        # Any error: the exporter may pass our own DeliveryError on, wrap it or swallow it.
        problem: Exception | str = "a span cannot be encoded"
        try:
            self._exporter.export(self._make_spans(spans))
        except Exception as error:
            problem = error
        result = self._watch.result
        if result is None:
            # Nothing was sent.
            raise DeliveryError(f"{self.name}: {redact.masked(str(problem)[:200])}", unfit=True)
        if isinstance(result, DeliveryError):
            if self._grpc and (result.passing or result.refused):
                # A channel that lost its connection waits longer and longer before it makes a new one.
                self._drop()
            raise result.prefixed(self.name)
        # Never more than there were, whatever the receiver says.
        return Accepted(min(max(result.rejected, 0), len(spans)), redact.masked(result.reason))

    def close(self) -> None:
        """See Destination.close."""
        self._drop()

    def _drop(self) -> None:
        if self._exporter is not None:
            with suppress(Exception):
                self._exporter.shutdown()
            self._exporter = None

    def _make(self) -> Any:
        """Return an exporter. Raises SetupError if it does not accept the variables."""
        try:
            return self._over_grpc() if self._grpc else self._over_http()
        except ImportError:
            raise
        except Exception as error:
            said = f"the exporter does not accept an OTEL_EXPORTER_OTLP_* variable ({error}); correct it"
            raise SetupError(redact.masked(said)) from None

    def _over_grpc(self) -> Any:
        transport.prepare_grpc(self._environ)
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        compression = transport.grpc_compression(self._environ, TRACES)
        exporter = OTLPSpanExporter(timeout=self._seconds, compression=compression)
        transport.watch_stub(exporter, self._watch)
        return exporter

    def _over_http(self) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        session = transport.make_session(endpoint.certificates(self._environ), self._watch)
        return OTLPSpanExporter(timeout=self._seconds, session=session)


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

"""Says what differs between OTLP's requests for spans and for log records, which have one form in all else."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Signal:
    """A signal. ``path``: over HTTP. ``service``: over gRPC. ``items``: what people call its items. ``item``: one of them.

    ``lists``: the names of the fields from the request down to its items. ``rejected``: the field of a partial success that
    counts them. ``batch_variable``: limits how many an SDK sends at once.
    """

    path: str
    service: str
    items: str
    item: type[Message]
    request: type[Message]
    response: type[ExportTraceServiceResponse] | type[ExportLogsServiceResponse]
    lists: tuple[str, str, str]
    rejected: str
    batch_variable: str

    @property
    def request_name(self) -> str:
        """The name of its request."""
        return str(self.request.DESCRIPTOR.name)


TRACES = Signal(
    path="/v1/traces",
    service="opentelemetry.proto.collector.trace.v1.TraceService",
    items="spans",
    item=Span,
    request=ExportTraceServiceRequest,
    response=ExportTraceServiceResponse,
    lists=("resource_spans", "scope_spans", "spans"),
    rejected="rejected_spans",
    batch_variable="OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
)
LOGS = Signal(
    path="/v1/logs",
    service="opentelemetry.proto.collector.logs.v1.LogsService",
    items="log records",
    item=LogRecord,
    request=ExportLogsServiceRequest,
    response=ExportLogsServiceResponse,
    lists=("resource_logs", "scope_logs", "log_records"),
    rejected="rejected_log_records",
    batch_variable="OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
)

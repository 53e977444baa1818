"""Writes open spans as OTLP log records, with opentelemetry-proto."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ... import __version__
from ...trace import conventions as c
from ...trace.span import Span, encode
from .. import sizes

# Bytes of a span with its resource. With as many spans as are told at a time, a request has at most sizes.MOST.
_MOST = 15_000
# The severity of what is told, not of what is wrong: OTLP's INFO.
_INFO = 9
# W3C's flag: sampled.
_SAMPLED = 1


def request_of(spans: Sequence[Span], every: float) -> Any:
    """Return the ExportLogsServiceRequest that tells of open spans.

    A span that cannot be written, or is too large to be cut, is left out. ``every``: they are told again after so many
    seconds.
    """
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs

    now_ns = time.time_ns()
    by_resource: dict[str, Any] = {}
    for span in spans:
        cut = span if sizes.of_span(span) <= _MOST else sizes.cut_span(span, _MOST)
        # A value that protobuf does not take: other spans may have none.
        with suppress(ValueError, TypeError):
            if cut is None:
                continue
            logs = ResourceLogs(**_resource_logs(cut, every, now_ns))
            first = by_resource.setdefault(encode(cut.resource), logs)
            if first is not logs:
                first.scope_logs[0].log_records.extend(logs.scope_logs[0].log_records)
    return ExportLogsServiceRequest(resource_logs=by_resource.values())


def _resource_logs(span: Span, every: float, now_ns: int) -> dict[str, Any]:
    """Return the fields of ResourceLogs with one record, as protobuf makes messages of them."""
    scope = {"name": "pipeline-trace", "version": __version__}
    records = [_record(span, every, now_ns)]
    return {"resource": {"attributes": _pairs(span.resource)}, "scope_logs": [{"scope": scope, "log_records": records}]}


def _record(span: Span, every: float, now_ns: int) -> dict[str, Any]:
    own = {
        c.OPEN_NAME: span.name,
        **({c.OPEN_PARENT: span.parent_id} if span.parent_id else {}),
        c.OPEN_KIND: span.kind,
        c.OPEN_START: span.start_ns,
        c.OPEN_INTERVAL: every,
    }
    seconds = max(now_ns - span.start_ns, 0) // 10**9
    return {
        "time_unix_nano": now_ns,
        "observed_time_unix_nano": now_ns,
        "severity_number": _INFO,
        "severity_text": "INFO",
        "body": {"string_value": f"open for {seconds} s: {span.name}"},
        "attributes": _pairs({**span.attributes, **own}),
        "trace_id": bytes.fromhex(span.trace_id),
        "span_id": bytes.fromhex(span.span_id),
        "flags": _SAMPLED,
        "event_name": c.SPAN_OPEN,
    }


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"string_value": value}
    # Before numbers: in Python, a boolean is one.
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, list | tuple):
        return {"array_value": {"values": [_value(item) for item in value]}}
    return {"string_value": encode(value)}

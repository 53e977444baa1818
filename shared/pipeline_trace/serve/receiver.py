"""Turns an OTLP request into spans. Does no I/O.

It is tolerant, because tools send zero ids, unknown kinds and missing times. It counts the spans that it cannot accept, with
the reason, and accepts the others.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from ..trace import conventions as c
from ..trace.span import ERROR, INTERNAL, OK, UNSET, Event, Link, Span

_KINDS = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
_CODES = {1: OK, 2: ERROR}
# The scope name of our exporter. Its spans are stored as if they had not gone through OTLP.
_OWN_SCOPE = "pipeline-trace"
# Almost all attributes have one of these types, and attributes take almost all of the time.
_SIMPLE = frozenset({"string_value", "int_value", "bool_value"})
# SQLite's integers have 64 bits, with the sign.
_LATEST = (1 << 63) - 1


@dataclass
class Received:
    """The accepted spans of a request. ``rejected``: the number of others. ``reason``: why the first one was rejected."""

    spans: list[Span] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""


def receive(request: ExportTraceServiceRequest) -> Received:
    """Return the spans of a request."""
    received = Received()
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = _scope(of_scope.scope)
            for sent in of_scope.spans:
                problem = _problem(sent)
                if problem:
                    received.rejected += 1
                    received.reason = received.reason or problem
                else:
                    received.spans.append(_span(sent, resource, scope))
    return received


def _problem(sent: pb.Span) -> str:
    """Return why a span cannot be stored; "" if it can."""
    if not _is_id(sent.trace_id, 16):
        return f"invalid trace id {sent.trace_id.hex()!r}"
    if not _is_id(sent.span_id, 8):
        return f"invalid span id {sent.span_id.hex()!r}"
    if any(sent.parent_span_id) and len(sent.parent_span_id) != 8:
        return f"invalid parent span id {sent.parent_span_id.hex()!r}"
    if not (sent.start_time_unix_nano or sent.end_time_unix_nano):
        return "no start time and no end time"
    if max(sent.start_time_unix_nano, sent.end_time_unix_nano) > _LATEST:
        return "a time after the year 2262"
    return ""


def _is_id(value: bytes, size: int) -> bool:
    return len(value) == size and any(value)


def _span(sent: pb.Span, resource: dict[str, Any], scope: dict[str, Any]) -> Span:
    events = [Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in sent.events if e.time_unix_nano <= _LATEST]
    links = [
        Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
        for link in sent.links
        if _is_id(link.trace_id, 16) and _is_id(link.span_id, 8)
    ]
    dropped = {
        c.DROPPED_ATTRIBUTES: sent.dropped_attributes_count,
        c.DROPPED_EVENTS: sent.dropped_events_count + len(sent.events) - len(events),
        c.DROPPED_LINKS: sent.dropped_links_count + len(sent.links) - len(links),
    }
    return Span(
        trace_id=sent.trace_id.hex(),
        span_id=sent.span_id.hex(),
        parent_id=sent.parent_span_id.hex() if any(sent.parent_span_id) else None,
        name=sent.name,
        # OTLP has only ended spans. If one time is missing, it gets the value of the other.
        start_ns=sent.start_time_unix_nano or sent.end_time_unix_nano,
        end_ns=sent.end_time_unix_nano or sent.start_time_unix_nano,
        kind=_KINDS.get(sent.kind, INTERNAL),
        status_code=_CODES.get(sent.status.code, UNSET),
        status_message=sent.status.message,
        attributes={**scope, **{name: count for name, count in dropped.items() if count}, **_attributes(sent.attributes)},
        events=events,
        links=links,
        resource=resource,
    )


def _scope(scope: InstrumentationScope) -> dict[str, Any]:
    if scope.name in ("", _OWN_SCOPE):
        return {}
    version = {c.SCOPE_VERSION: scope.version} if scope.version else {}
    return {c.SCOPE_NAME: scope.name, **version}


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    """Return a value as spans store it: text, number, boolean or a list of these; anything deeper as JSON."""
    kind = value.WhichOneof("value")
    if kind in _SIMPLE:
        return getattr(value, kind)
    plain = _plain(value)
    if isinstance(plain, dict):
        return _json(plain)
    if isinstance(plain, list):
        return [_json(item) if isinstance(item, (dict, list)) else item for item in plain]
    return plain


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode("ascii")
    if kind == "double_value" and not math.isfinite(value.double_value):
        # JSON has no such numbers. OTLP's JSON writes them as these texts.
        return "NaN" if math.isnan(value.double_value) else "Infinity" if value.double_value > 0 else "-Infinity"
    return getattr(value, kind)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

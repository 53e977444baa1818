"""Turns an OTLP request into spans. Does no I/O.

It is tolerant, because tools send zero ids, unknown kinds and missing times. It counts the spans that it cannot accept, with
the reason, and accepts the others.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from ..trace import conventions as c
from ..trace.span import ERROR, INTERNAL, OK, UNSET, Event, Link, Span
from .budget import Budget
from .wire import Batch

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


def receive(batches: Iterable[Batch], budget: Budget) -> Received:
    """Return the spans of a request. Raises BodyError if it is over a limit, StoppingError if the server ends."""
    received = Received()
    read: Resource | None = None
    for batch in batches:
        if batch.resource is not read:
            read, resource = batch.resource, attributes_of(batch.resource.attributes, budget)
        scope = scope_attributes(batch.scope)
        for sent, own_size in batch.items:
            size = batch.size + own_size
            budget.span(size)
            found = _read(sent, size, resource, scope, budget)
            if isinstance(found, Span):
                received.spans.append(found)
            else:
                received.rejected += 1
                received.reason = received.reason or found
    return received


def _read(
    sent: pb.Span | str | None, size: int, resource: dict[str, Any], scope: dict[str, Any], budget: Budget
) -> Span | str:
    """Return a span, or why it cannot be stored."""
    limits = budget.limits
    if isinstance(sent, str):
        return sent
    if sent is None or size > limits.span_bytes:
        return f"a span of more than {limits.span_bytes} bytes with its resource; cut its attributes and events"
    problem = _problem(sent)
    if problem:
        return problem
    before = budget.counted
    span = _span(sent, resource, scope, budget)
    if budget.counted - before > limits.span_items:
        return f"a span with more than {limits.span_items} attributes, events, links and values; send fewer of them"
    return span


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


def _span(sent: pb.Span, resource: dict[str, Any], scope: dict[str, Any], budget: Budget) -> Span:
    budget.items(len(sent.events) + len(sent.links))
    events = [
        Event(event.name, event.time_unix_nano, attributes_of(event.attributes, budget))
        for event in sent.events
        if event.time_unix_nano <= _LATEST
    ]
    links = [
        Link(link.trace_id.hex(), link.span_id.hex(), attributes_of(link.attributes, budget))
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
        attributes={
            **scope,
            **_counts(dropped),
            **attributes_of(sent.attributes, budget),
        },
        events=events,
        links=links,
        resource=resource,
    )


def _counts(dropped: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in dropped.items() if count}


def scope_attributes(scope: InstrumentationScope) -> dict[str, Any]:
    """Return the attributes that say which library made something; none for what our own exporter sent."""
    if scope.name in ("", _OWN_SCOPE):
        return {}
    version = {c.SCOPE_VERSION: scope.version} if scope.version else {}
    return {c.SCOPE_NAME: scope.name, **version}


def attributes_of(pairs: Sequence[KeyValue], budget: Budget) -> dict[str, Any]:
    """Return attributes as spans store them. Raises BodyError over a limit."""
    budget.items(len(pairs))
    return {pair.key: _value(pair.value, budget) for pair in pairs}


def _value(value: AnyValue, budget: Budget) -> Any:
    """Return a value as spans store it: text, number, boolean or a list of these; anything deeper as JSON."""
    kind = value.WhichOneof("value")
    if kind in _SIMPLE:
        return getattr(value, kind)
    plain = _plain(value, budget, 0)
    if isinstance(plain, dict):
        return _json(plain)
    if isinstance(plain, list):
        return [_json(item) if isinstance(item, (dict, list)) else item for item in plain]
    return plain


def _plain(value: AnyValue, budget: Budget, depth: int) -> Any:
    budget.depth(depth)
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "array_value":
        budget.items(len(value.array_value.values))
        return [_plain(item, budget, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        budget.items(len(value.kvlist_value.values))
        return {pair.key: _plain(pair.value, budget, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode("ascii")
    if kind == "double_value" and not math.isfinite(value.double_value):
        # JSON has no such numbers. OTLP's JSON writes them as these texts.
        return "NaN" if math.isnan(value.double_value) else "Infinity" if value.double_value > 0 else "-Infinity"
    return getattr(value, kind)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

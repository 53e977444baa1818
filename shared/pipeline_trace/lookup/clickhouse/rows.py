"""Turns rows of ClickHouse into spans. Does no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...trace import conventions as c
from ...trace.others import readable
from ...trace.span import INTERNAL, UNSET, Span, SpanError
from .columns import Attributes
from .types import of_json, typed

# What is selected of a span, in the order of ``_span``. ``{attributes}``: how a column of attributes is read.
_COLUMNS = (
    "TraceId, SpanId, ParentSpanId, SpanName, SpanKind, toUnixTimestamp64Nano(Timestamp), toInt64(Duration), StatusCode, "
    "StatusMessage, ScopeName, ScopeVersion, {resource}, {span}, "
    "arrayMap(moment -> toUnixTimestamp64Nano(moment), Events.Timestamp), Events.Name, {events}, "
    "Links.TraceId, Links.SpanId, {links}"
)
# The Collector's exporter names the scope of the spans that we send.
_OWN_SCOPE = "pipeline-trace"


def columns_of(attributes: Attributes) -> str:
    """Return what is selected of a span, by the type of the columns of attributes."""
    nested = {name: attributes.whole(f"{name.capitalize()}.Attributes") for name in ("events", "links")}
    whole = {"resource": attributes.whole("ResourceAttributes"), "span": attributes.whole("SpanAttributes")}
    return _COLUMNS.format(**whole, **nested)


def spans_of(rows: Iterable[Sequence[Any]]) -> Iterator[Span]:
    """Yield the spans of rows. One that is no span is left out: others may write into the table, too."""
    for row in rows:
        try:
            yield readable(_span(row))
        except (SpanError, ValueError, TypeError):
            continue


def _span(row: Sequence[Any]) -> Span:
    trace_id, span_id, parent_id, name, kind, start_ns, took_ns, code, message, scope, version, *rest = row
    resource, attributes, event_times, event_names, event_attributes, link_traces, link_spans, link_attributes = rest
    scoped = {} if scope in ("", _OWN_SCOPE) else {c.SCOPE_NAME: scope, **({c.SCOPE_VERSION: version} if version else {})}
    events = zip(event_times, event_names, event_attributes, strict=True)
    links = zip(link_traces, link_spans, link_attributes, strict=True)
    return Span.from_dict(
        {
            "trace_id": trace_id,
            "span_id": span_id,
            "parent_span_id": parent_id or None,
            "name": name,
            "kind": INTERNAL if kind == "Unspecified" else kind.upper(),
            "start_unix_nano": start_ns,
            # The column is unsigned: what ends before it begins, by a wrong clock, wraps around.
            "end_unix_nano": max(start_ns + took_ns, 0),
            "status": {"code": code.upper() or UNSET, "message": message},
            "attributes": {**scoped, **attributes_of(attributes)},
            "events": [
                {"name": name, "time_unix_nano": at, "attributes": attributes_of(more)}
                for at, name, more in events
                if at >= 0
            ],
            "links": [
                {"trace_id": trace, "span_id": span, "attributes": attributes_of(more)} for trace, span, more in links
            ],
            "resource": attributes_of(resource),
        }
    )


def attributes_of(value: Mapping[str, str] | str) -> dict[str, Any]:
    """Return attributes from a Map, or from the text of a column of the type JSON, in which a dot nests."""
    return typed(value) if isinstance(value, Mapping) else dict(_flat("", json.loads(value, object_pairs_hook=list)))


def _flat(prefix: str, pairs: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of nested pairs. With `http` and `http.method` a document has one name twice."""
    for name, value in pairs:
        if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
            yield from _flat(f"{prefix}{name}.", value)
        elif value is not None and value != []:
            yield f"{prefix}{name}", of_json(f"{prefix}{name}", value)

"""Writes spans as OTLP's JSON, which every receiver takes: requests, each in a line. Does no I/O.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hexadecimal, enums are numbers, and integers of 64
bits are texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..delivery.destinations.rows import whole
from ..trace import conventions as c
from ..trace import masking
from ..trace.span import ERROR, INTERNAL, OK, SERVER, UNSET, AttributeValue, Event, Link, Span, encode

# Of a request. `serve` takes 50,000 spans and 16 MiB, other receivers perhaps less.
_MOST_SPANS = 10_000
_MOST_CHARACTERS = 4_000_000
_KINDS = {INTERNAL: 1, SERVER: 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_CODES = {UNSET: 0, OK: 1, ERROR: 2}
# In OTLP these have fields of their own.
_DROPPED = {
    c.DROPPED_ATTRIBUTES: "droppedAttributesCount",
    c.DROPPED_EVENTS: "droppedEventsCount",
    c.DROPPED_LINKS: "droppedLinksCount",
}
_OF_SCOPE = {c.SCOPE_NAME: "name", c.SCOPE_VERSION: "version"}


def lines_of(spans: Iterable[Span]) -> Iterator[str]:
    """Yield spans as requests (ExportTraceServiceRequest) in JSON, each a line. Mostly there is one. All texts are masked.

    OTLP has only spans that have ended: open ones are left out. Without any, the request is empty.
    """
    groups: dict[str, dict[str, list[str]]] = {}
    size = count = requests = 0
    for span in spans:
        if not span.end_ns:
            continue
        resource, scope, body = _encoded(span)
        groups.setdefault(resource, {}).setdefault(scope, []).append(body)
        size += len(body)
        count += 1
        if count == _MOST_SPANS or size >= _MOST_CHARACTERS:
            yield _request(groups)
            groups, size, count, requests = {}, 0, 0, requests + 1
    if groups or not requests:
        yield _request(groups)


def _request(groups: Mapping[str, Mapping[str, list[str]]]) -> str:
    """Return a request. ``groups``: spans by their resource and scope, all of them JSON already."""
    of_resources = []
    for resource, scopes in groups.items():
        of_scopes = (f'{{"scope":{scope},"spans":[{",".join(spans)}]}}' for scope, spans in scopes.items())
        of_resources.append(f'{{"resource":{resource},"scopeSpans":[{",".join(of_scopes)}]}}')
    return f'{{"resourceSpans":[{",".join(of_resources)}]}}'


def _encoded(span: Span) -> tuple[str, str, str]:
    """Return a span's resource, its scope and itself as JSON."""
    span = replace(span)
    masking.mask(span)
    scope = {field: span.attributes[name] for name, field in _OF_SCOPE.items() if isinstance(span.attributes.get(name), str)}
    dropped = {field: span.attributes[name] for name, field in _DROPPED.items() if _is_count(span.attributes.get(name))}
    # One value of another type in a field would make the whole request unreadable: it stays an attribute.
    moved = {name for name, field in {**_OF_SCOPE, **_DROPPED}.items() if field in scope or field in dropped}
    own = {name: value for name, value in span.attributes.items() if name not in moved}
    document: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        **_attributes(own),
        **({"events": [_event(event) for event in span.events]} if span.events else {}),
        **({"links": [_link(link) for link in span.links]} if span.links else {}),
        **dropped,
        "status": {"code": _CODES[span.status_code], **({"message": span.status_message} if span.status_message else {})},
    }
    return _json(_attributes(span.resource)), _json(scope), _json(document)


def _json(data: object) -> str:
    """Return JSON in ASCII. Half a character, of a name that is not UTF-8, is a question mark: no receiver takes it."""
    text = encode(data)
    return encode(json.loads(whole(json.dumps(data, ensure_ascii=False)))) if "\\ud" in text else text


def _is_count(value: object) -> bool:
    """Return whether a value is a number of 32 bits without a sign."""
    return type(value) is int and 0 <= value < 1 << 32


def _event(event: Event) -> dict[str, Any]:
    return {"timeUnixNano": str(event.time_ns), "name": event.name, **_attributes(event.attributes)}


def _link(link: Link) -> dict[str, Any]:
    return {"traceId": link.trace_id, "spanId": link.span_id, **_attributes(link.attributes)}


def _attributes(values: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {"attributes": [{"key": key, "value": _value(value)} for key, value in values.items()]} if values else {}


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(1 << 63) <= value < 1 << 63 else {"stringValue": str(value)}
    if isinstance(value, float):
        # JSON has no such numbers.
        return {"doubleValue": value if math.isfinite(value) else _word(value)}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {"stringValue": str(value)}


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

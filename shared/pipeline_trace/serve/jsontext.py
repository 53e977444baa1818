"""Reads an ExportTraceServiceRequest in OTLP's JSON. Does no I/O."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .budget import BodyError, Budget, too_deep
from .wire import Batch

_IDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")
_MARKS = "[{,"


def batches(body: bytes, budget: Budget) -> Iterator[Batch]:
    """Yield the batches of a request. Raises BodyError, StoppingError."""
    for of_resource in _request(body, budget).resource_spans:
        budget.items(1)
        size = of_resource.resource.ByteSize()
        for of_scope in of_resource.scope_spans:
            budget.items(1)
            spans = ((span, span.ByteSize()) for span in of_scope.spans)
            yield Batch(of_resource.resource, of_scope.scope, spans, size + of_scope.scope.ByteSize())


def _request(body: bytes, budget: Budget) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    try:
        text = body.decode("utf-8-sig")
        _check_size(text, budget)
        data = json.loads(text)
        if not isinstance(data, dict):
            raise BodyError("the body is not a JSON object")
        if "\\ud" in text or "\\uD" in text:
            # JavaScript can cut a text in the middle of a character. Half a character is not valid UTF-8: replace it.
            data = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
        budget.proceed()
        _read_ids(data)
        # Accepts what tools send: snake_case names, enum names, and 64-bit integers as texts or numbers.
        json_format.ParseDict(data, request, ignore_unknown_fields=True)
    except RecursionError:
        raise too_deep(budget.limits) from None
    except (ValueError, TypeError, AttributeError, json_format.ParseError) as error:
        if "recursion depth" in str(error):
            raise too_deep(budget.limits) from None
        said = str(error).rsplit("field: ", 1)[-1].rstrip(".") or type(error).__name__
        raise BodyError(f"the body is not a valid ExportTraceServiceRequest in JSON: {said[:200]}") from None
    return request


def _check_size(text: str, budget: Budget) -> None:
    """Check how many values a text has, before json makes objects of them. Raises BodyError."""
    most = budget.limits.json_marks
    if sum(map(text.count, _MARKS)) <= most:
        return
    # Many of them may be in texts: count only outside. Without escapes, a text ends at the next quotation mark.
    text = text.replace("\\\\", "").replace('\\"', "")
    marks = at = 0
    while at < len(text) and marks <= most:
        budget.proceed()
        begin = text.find('"', at)
        stop = len(text) if begin < 0 else begin
        # One more for the text itself.
        marks += 1 + sum(text.count(mark, at, stop) for mark in _MARKS)
        end = text.find('"', stop + 1)
        at = len(text) if end < 0 else end + 1
    budget.json_marks(marks)


def _read_ids(data: dict[str, Any]) -> None:
    """Turn OTLP's hexadecimal ids into base64, in place: the library expects base64 for bytes in JSON."""
    for of_resource in _list(data, "resourceSpans", "resource_spans"):
        for of_scope in _list(of_resource, "scopeSpans", "scope_spans"):
            for span in _list(of_scope, "spans"):
                for holder in (span, *_list(span, "links")):
                    for name in _IDS:
                        if isinstance(holder.get(name), str):
                            holder[name] = _base64(holder[name])


def _list(data: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [item for name in names for item in data.get(name) or () if isinstance(item, dict)]


def _base64(digits: str) -> str:
    """Return hexadecimal digits as base64; "", which is never an id, if they are not valid."""
    try:
        return b64encode(bytes.fromhex(digits)).decode("ascii")
    except ValueError:
        return ""

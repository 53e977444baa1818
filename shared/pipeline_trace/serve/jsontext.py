"""Reads a request of OTLP in its JSON. Does no I/O."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from .budget import BodyError, Budget, too_deep
from .signals import Signal
from .wire import Batch

_IDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")
_MARKS = "[{,"


def batches(body: bytes, budget: Budget) -> Iterator[Batch]:
    """Yield the batches of a request. Raises BodyError, StoppingError."""
    resources, scopes, items = budget.signal.lists
    for of_resource in getattr(_request(body, budget), resources):
        budget.items(1)
        size = of_resource.resource.ByteSize()
        for of_scope in getattr(of_resource, scopes):
            budget.items(1)
            sized = ((item, item.ByteSize()) for item in getattr(of_scope, items))
            yield Batch(of_resource.resource, of_scope.scope, sized, size + of_scope.scope.ByteSize())


def _request(body: bytes, budget: Budget) -> Message:
    request = budget.signal.request()
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
        _read_ids(data, budget.signal)
        # Accepts what tools send: snake_case names, enum names, and 64-bit integers as texts or numbers.
        json_format.ParseDict(data, request, ignore_unknown_fields=True)
    except RecursionError:
        raise too_deep(budget.limits) from None
    except (ValueError, TypeError, AttributeError, json_format.ParseError) as error:
        if "recursion depth" in str(error):
            raise too_deep(budget.limits) from None
        said = str(error).rsplit("field: ", 1)[-1].rstrip(".") or type(error).__name__
        raise BodyError(f"the body is not a valid {budget.signal.request_name} in JSON: {said[:200]}") from None
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


def _read_ids(data: dict[str, Any], signal: Signal) -> None:
    """Turn OTLP's hexadecimal ids into base64, in place: the library expects base64 for bytes in JSON."""
    resources, scopes, items = signal.lists
    for of_resource in _list(data, resources):
        for of_scope in _list(of_resource, scopes):
            for item in _list(of_scope, items):
                for holder in (item, *_list(item, "links")):
                    for name in _IDS:
                        if isinstance(holder.get(name), str):
                            holder[name] = _base64(holder[name])


def _list(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list, under its name or under the form that JSON has for it: ``resourceSpans``."""
    first, *words = name.split("_")
    names = {name, first + "".join(map(str.capitalize, words))}
    return [item for name in names for item in data.get(name) or () if isinstance(item, dict)]


def _base64(digits: str) -> str:
    """Return hexadecimal digits as base64; "", which is never an id, if they are not valid."""
    try:
        return b64encode(bytes.fromhex(digits)).decode("ascii")
    except ValueError:
        return ""

"""Reads a request of OTLP in its JSON. Does no I/O."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from .budget import BodyError, Budget, too_deep
from .signals import Signal
from .wire import Batch

_IDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")
_MARKS = "[{,"
_MALFORMED = (ValueError, TypeError, AttributeError, json_format.ParseError)


def batches(body: bytes, budget: Budget) -> Iterator[Batch]:
    """Yield the batches of a request. Raises BodyError, StoppingError."""
    resources, scopes, items = budget.signal.lists
    request, unread = _request(body, budget)
    for of_resource in getattr(request, resources):
        budget.items(1)
        size = of_resource.resource.ByteSize()
        for of_scope in getattr(of_resource, scopes):
            budget.items(1)
            sized = ((item, item.ByteSize()) for item in getattr(of_scope, items))
            yield Batch(of_resource.resource, of_scope.scope, sized, size + of_scope.scope.ByteSize())
    if unread:
        yield Batch(Resource(), InstrumentationScope(), ((why, 0) for why in unread), 0)


def _request(body: bytes, budget: Budget) -> tuple[Message, list[str]]:
    """Return the request, and why its malformed items are none, one text for each."""
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
        try:
            return _parsed(data, budget.signal.request()), []
        except _MALFORMED as error:
            # If no item is left, the request is refused as a whole.
            left, unread = _take_out(data, budget)
            if not left or _is_deep(error):
                raise
        return _parsed(data, budget.signal.request()), unread
    except RecursionError:
        raise too_deep(budget.limits) from None
    except _MALFORMED as error:
        if _is_deep(error):
            raise too_deep(budget.limits) from None
        raise BodyError(f"the body is not a valid {budget.signal.request_name} in JSON: {_said(error)}") from None


def _parsed(data: Any, message: Message) -> Message:
    # Accepts what tools send: snake_case names, enum names, and 64-bit integers as texts or numbers.
    return json_format.ParseDict(data, message, ignore_unknown_fields=True)


def _take_out(data: dict[str, Any], budget: Budget) -> tuple[int, list[str]]:
    """Take out the items that are malformed. Return how many are left, and why each other one is. Raises StoppingError."""
    resources, scopes, items = budget.signal.lists
    left, unread = 0, list[str]()
    for of_resource in _list(data, resources):
        for of_scope in _list(of_resource, scopes):
            for name in _names(items) & of_scope.keys():
                told = [(item, _problem(item, budget)) for item in of_scope[name]]
                of_scope[name] = [item for item, problem in told if not problem]
                left += len(of_scope[name])
                unread += [problem for _item, problem in told if problem]
    return left, unread


def _problem(item: object, budget: Budget) -> str:
    """Return why an item is malformed; "" if it is not."""
    budget.proceed()
    try:
        _parsed(item, budget.signal.item())
    except _MALFORMED as error:
        return f"it is malformed: {_said(error)}"
    return ""


def _is_deep(error: Exception) -> bool:
    return "recursion depth" in str(error)


def _said(error: Exception) -> str:
    return (str(error).rsplit("field: ", 1)[-1].rstrip(".") or type(error).__name__)[:200]


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
    """Return the objects of a list."""
    return [item for one in _names(name) for item in data.get(one) or () if isinstance(item, dict)]


def _names(name: str) -> set[str]:
    """Return the name of a field, and the form that JSON has for it: ``resourceSpans``."""
    first, *words = name.split("_")
    return {name, first + "".join(map(str.capitalize, words))}


def _base64(digits: str) -> str:
    """Return hexadecimal digits as base64; "", which is never an id, if they are not valid."""
    try:
        return b64encode(bytes.fromhex(digits)).decode("ascii")
    except ValueError:
        return ""

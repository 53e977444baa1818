"""Defines Span, the record that all parts of pipeline-trace exchange.

Its JSON form (``to_dict``) is a line of a journal, a row of the store, and an element of ``show --format json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import conventions as c

AttributeValue = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
Attributes = Mapping[str, AttributeValue]

INTERNAL = "INTERNAL"
SERVER = "SERVER"

UNSET = "UNSET"
OK = "OK"
ERROR = "ERROR"

# Tuples, not sets: a value from JSON may have no hash.
_KINDS = (INTERNAL, SERVER, "CLIENT", "PRODUCER", "CONSUMER")
_CODES = (UNSET, ERROR, OK)


class SpanError(ValueError):
    """A dictionary is not the JSON form of a span. The message names the wrong field."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens during a span. ``time_ns``: nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another span, in the same trace or in another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class Span:
    """A piece of work with a start and an end.

    ``start_ns`` and ``end_ns`` are nanoseconds since the epoch; ``end_ns`` is 0 while the span is open. ``parent_id`` is
    None for a root span. ``status_code`` is one of UNSET, OK, ERROR.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int = 0
    kind: str = INTERNAL
    status_code: str = UNSET
    status_message: str = ""
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    resource: Attributes = field(default_factory=dict)

    def fail(self, message: str = "") -> None:
        """Set the status to ERROR, with this message."""
        self.status_code = ERROR
        self.status_message = message

    def cancel(self, reason: str, time_ns: int) -> None:
        """Set the result to cancellation, with an event. ``reason``: the signal's name. ``time_ns``: ns since the epoch."""
        self.status_code, self.status_message = UNSET, ""
        self.attributes[c.TASK_RUN_RESULT] = c.CANCELLATION
        self.attributes.pop(c.ERROR_TYPE, None)
        self.events = [*self.events, Event("interrupted", time_ns, {"reason": reason})]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_id,
            "name": self.name,
            "kind": self.kind,
            "start_unix_nano": self.start_ns,
            "end_unix_nano": self.end_ns,
            "status": {"code": self.status_code, "message": self.status_message},
            "attributes": self.attributes,
            "events": [{"name": e.name, "time_unix_nano": e.time_ns, "attributes": e.attributes} for e in self.events],
            "links": [{"trace_id": k.trace_id, "span_id": k.span_id, "attributes": k.attributes} for k in self.links],
            "resource": self.resource,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Span:
        """Return the span of a JSON form.

        Unknown fields are ignored, so that an older version can read the journal of a newer version. Raises SpanError if a
        field is missing or has a wrong value.
        """
        try:
            status = data["status"]
            span = cls(
                trace_id=data["trace_id"],
                span_id=data["span_id"],
                parent_id=data["parent_span_id"],
                name=data["name"],
                start_ns=data["start_unix_nano"],
                end_ns=data["end_unix_nano"],
                kind=data["kind"],
                status_code=status["code"],
                status_message=status["message"],
                attributes=_mapping(data["attributes"]),
                events=[_event(event) for event in data["events"]],
                links=[_link(link) for link in data["links"]],
                resource=_mapping(data["resource"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpanError(f"not a span: {error!r}") from None
        span._check()
        return span

    def _check(self) -> None:
        """Raise SpanError if a value would later fail at a receiver. Must be fast: it runs for every line of a journal."""
        if not (_is_trace(self.trace_id) and _is_span(self.span_id)):
            raise SpanError("not a span: malformed trace or span id")
        if not (self.parent_id is None or _is_span(self.parent_id)):
            raise SpanError("not a span: malformed parent id")
        if not (_is_time(self.start_ns) and _is_time(self.end_ns)):
            raise SpanError("not a span: malformed time")
        if type(self.name) is not str or type(self.status_message) is not str:
            raise SpanError("not a span: malformed name or message")
        if self.kind not in _KINDS or self.status_code not in _CODES:
            raise SpanError("not a span: unknown kind or status")
        for event in self.events:
            if type(event.name) is not str or not _is_time(event.time_ns):
                raise SpanError("not a span: malformed event")
        for link in self.links:
            if not (_is_trace(link.trace_id) and _is_span(link.span_id)):
                raise SpanError("not a span: malformed link")


# W3C Trace Context: an id of zeros only is invalid.
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}").fullmatch


def _event(data: Any) -> Event:
    return Event(data["name"], data["time_unix_nano"], _mapping(data["attributes"]))


def _link(data: Any) -> Link:
    return Link(data["trace_id"], data["span_id"], _mapping(data["attributes"]))


def _mapping(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise TypeError("not an object")
    return value


def _is_trace(value: object) -> bool:
    return type(value) is str and _TRACE_ID(value) is not None


def _is_span(value: object) -> bool:
    return type(value) is str and _SPAN_ID(value) is not None


def _is_time(value: object) -> bool:
    # Integers of SQLite and OTLP have 64 bits, one of them for the sign.
    return type(value) is int and 0 <= value < 1 << 63


def encode(data: object) -> str:
    """Return compact JSON in one line, ASCII only: a broken character in a name must not break the line."""
    return _ENCODER.encode(data)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)

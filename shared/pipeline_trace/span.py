"""The one record that everything left of the journal makes and everything right of it reads.

The JSON form (``to_dict``) is the journal's line, the store's row and ``show --format json``'s element. Standard library
only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AttributeValue = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
Attributes = Mapping[str, AttributeValue]

INTERNAL = "INTERNAL"
SERVER = "SERVER"

UNSET = "UNSET"
OK = "OK"
ERROR = "ERROR"

_KINDS = frozenset({INTERNAL, SERVER, "CLIENT", "PRODUCER", "CONSUMER"})
_CODES = frozenset({UNSET, OK, ERROR})


class SpanError(ValueError):
    """A dictionary is not a span."""


@dataclass(frozen=True)
class Event:
    """Something that happened within a span. ``time_ns``: nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A reference to another span, in this trace or another one."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)


@dataclass
class Span:
    """A piece of work with a beginning and an end.

    ``start_ns`` and ``end_ns`` are nanoseconds since the epoch; ``end_ns`` is 0 while the span is open. ``parent_id`` is
    None for a root. ``status_code`` is one of UNSET, OK, ERROR.
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
        """Set the status to ERROR."""
        self.status_code = ERROR
        self.status_message = message

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
        """Read the JSON form.

        Raises SpanError where a field is missing or of the wrong shape. Unknown fields are ignored, so that an older
        reader can read a newer writer's journal.
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
                attributes=dict(data["attributes"]),
                events=[Event(e["name"], e["time_unix_nano"], e["attributes"]) for e in data["events"]],
                links=[Link(k["trace_id"], k["span_id"], k["attributes"]) for k in data["links"]],
                resource=data["resource"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpanError(f"not a span: {error!r}") from None
        span._check()
        return span

    def _check(self) -> None:
        if not (_is_id(self.trace_id, 32) and _is_id(self.span_id, 16)):
            raise SpanError("not a span: malformed trace or span id")
        if not (self.parent_id is None or _is_id(self.parent_id, 16)):
            raise SpanError("not a span: malformed parent id")
        if not (type(self.start_ns) is int and type(self.end_ns) is int and isinstance(self.name, str)):
            raise SpanError("not a span: malformed name or time")
        if self.kind not in _KINDS or self.status_code not in _CODES:
            raise SpanError("not a span: unknown kind or status")


def _is_id(value: object, digits: int) -> bool:
    if type(value) is not str or len(value) != digits:
        return False
    try:
        return int(value, 16) != 0 and value == value.lower()
    except ValueError:
        return False


def encode(data: object) -> str:
    """Return compact one-line JSON. ASCII only: a name with a broken character must not break the line."""
    return _ENCODER.encode(data)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)

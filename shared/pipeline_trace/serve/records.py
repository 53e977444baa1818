"""Turns OTLP log records into the open spans that they tell of. Does no I/O.

Other log records are no errors: a Collector may send all that it has. They are left out without a word, because even a
partial success without rejected records is a warning in a Collector's log, for each request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ..trace import conventions as c
from ..trace import masking
from ..trace.span import Span, SpanError
from .budget import Budget
from .receiver import attributes_of, scope_attributes
from .wire import Batch

# Seconds. What does not say how often it is told is told as often as by our own senders, and nobody tells less than hourly.
_USUAL_INTERVAL = 30.0
_LONGEST_INTERVAL = 3600.0


@dataclass(frozen=True)
class Heard:
    """A span that is told to be open. ``interval``: after so many seconds its sender tells it again.

    ``told_ns``: when, by the sender's clock, in nanoseconds since the epoch. ``told_with``: the id of the run of which all
    that is open is told at the same time; "" for a span that is told alone.
    """

    span: Span
    interval: float
    told_ns: int = 0
    told_with: str = ""


@dataclass
class Records:
    """The open spans of a request. ``rejected``: how many are malformed. ``reason``: why the first one of them is."""

    heard: list[Heard] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""


def receive_records(batches: Iterable[Batch], budget: Budget) -> Records:
    """Return the open spans of a request. Raises BodyError if it is over a limit, StoppingError if the server ends."""
    found = Records()
    for batch in batches:
        # Read only for our own: most requests may have none.
        around: tuple[dict[str, Any], dict[str, Any]] | None = None
        for sent, own_size in batch.items:
            is_ours = isinstance(sent, LogRecord) and sent.event_name == c.SPAN_OPEN
            budget.span(batch.size + own_size if is_ours else 0)
            if isinstance(sent, str):
                found.rejected += 1
                found.reason = found.reason or sent
            if not is_ours:
                continue
            if around is None:
                around = attributes_of(batch.resource.attributes, budget), scope_attributes(batch.scope)
            try:
                found.heard.append(_read(sent, batch.size + own_size, *around, budget))
            except SpanError as error:
                found.rejected += 1
                found.reason = found.reason or str(error)
    return found


def _read(sent: LogRecord, size: int, resource: dict[str, Any], scope: dict[str, Any], budget: Budget) -> Heard:
    """Return what a record tells. Raises SpanError if it is no open span."""
    limits, before = budget.limits, budget.counted
    attributes = attributes_of(sent.attributes, budget)
    if size > limits.span_bytes or budget.counted - before > limits.span_items:
        raise SpanError(f"an open span of more than {limits.span_bytes} bytes or {limits.span_items} attributes and values")
    return heard_of(sent.trace_id.hex(), sent.span_id.hex(), sent.time_unix_nano, {**scope, **attributes}, resource)


def heard_of(trace_id: str, span_id: str, told_ns: int, attributes: dict[str, Any], resource: dict[str, Any]) -> Heard:
    """Return what a record tells. ``attributes``: all of the record's. Raises SpanError if it is no open span."""
    own = dict(attributes)
    name, parent, kind, start, interval, told_with = (own.pop(one, None) for one in _OWN)
    span = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent or None,
        name=name,
        start_ns=start,
        kind=kind,
        attributes=own,
        resource=resource,
    )
    # Checks each field.
    checked = masking.by_names(Span.from_dict(span.to_dict()))
    is_id = isinstance(told_with, str) and _SPAN_ID.fullmatch(told_with)
    return Heard(checked, _seconds(interval), told_ns, str(told_with) if is_id else "")


_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_OWN = (c.OPEN_NAME, c.OPEN_PARENT, c.OPEN_KIND, c.OPEN_START, c.OPEN_INTERVAL, c.OPEN_TOLD_WITH)


def _seconds(interval: Any) -> float:
    # An integer, if something on the way has written the number as text and read it again.
    known = isinstance(interval, int | float) and 0 < interval <= _LONGEST_INTERVAL
    return float(interval) if known else _USUAL_INTERVAL

"""Estimates the bytes of spans as protobuf without encoding them, and cuts spans that are too large for one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..trace import conventions as c
from ..trace.span import AttributeValue, Event, Span

# Bytes of a request. gRPC receivers accept 4 MiB by default; the rest is for what a proxy adds.
MOST = 3_000_000
# Receivers that accept less than this are not useful.
LEAST = 4_096
# A field has a tag and a length of at most 5 bytes. A pair has four such fields.
_FIELD = 7
_PAIR = 4 * _FIELD
# A span's ids, times, kind, status, flags and counts.
_FIXED = 160
_SHORT_LINE = 4_096
_LONGEST_TEXT = 1 << 15
_SHORTEST_TEXT = 16


def of_span(span: Span) -> int:
    """Return at least the bytes of a span with its resource. A batch has each resource once, so this may count it often."""
    size = _FIXED + _text(span.name) + _text(span.status_message) + _pairs(span.attributes) + _pairs(span.resource)
    size += sum(map(_of_event, span.events))
    return size + sum(64 + _pairs(link.attributes) for link in span.links)


def of_line(length: int, span: Span) -> int:
    """Return at least the bytes of a span whose line in a journal has so many. Quick for nearly all spans: they are short.

    Protobuf needs at most twice as much as JSON: the most for a list of numbers below ten.
    """
    return 2 * length if length < _SHORT_LINE else of_span(span)


def cut_span(span: Span, most: int) -> Span | None:
    """Return a copy of a span with at most ``most`` bytes, which says how much was left out; None if that is not possible.

    Events are left out first, from the end. Then long texts are cut.
    """
    room = 4 * (_PAIR + _FIELD + 40)
    base = of_span(replace(span, events=[]))
    kept = list(_fitting(span.events, most - room - base))
    cut = replace(span, events=kept, attributes=dict(span.attributes))
    longest = _LONGEST_TEXT
    while of_span(cut) > most - room:
        if longest < _SHORTEST_TEXT:
            return None
        cut = _shortened(span, longest)
        longest //= 2
    if len(cut.events) < len(span.events):
        cut.attributes[c.LEFT_OUT_EVENTS] = len(span.events) - len(cut.events)
    characters = _characters(span) - _characters(cut)
    if characters:
        cut.attributes[c.LEFT_OUT_CHARACTERS] = characters
    return cut


def _fitting(events: Sequence[Event], room: int) -> Iterable[Event]:
    for event in events:
        room -= _of_event(event)
        if room < 0:
            return
        yield event


def _shortened(span: Span, longest: int) -> Span:
    """Return a copy without events, with texts of at most ``longest`` characters."""
    return replace(
        span,
        name=span.name[:longest],
        status_message=span.status_message[:longest],
        attributes={name: _cut(value, longest) for name, value in span.attributes.items()},
        resource={name: _cut(value, longest) for name, value in span.resource.items()},
        events=[],
    )


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value[:longest]
    if isinstance(value, list | tuple):
        return [_cut(item, longest) for item in value[: max(longest // 8, 1)]]
    return value


def _characters(span: Span) -> int:
    """Return the characters of all texts outside of events."""
    texts = [span.name, span.status_message, *span.attributes.values(), *span.resource.values()]
    return sum(map(_length, texts))


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_length, value)) if isinstance(value, list | tuple) else 0


def _of_event(event: Event) -> int:
    return 32 + _text(event.name) + _pairs(event.attributes)


def _pairs(attributes: Mapping[str, AttributeValue]) -> int:
    return sum(_PAIR + _text(name) + _value(value) for name, value in attributes.items())


def _value(value: Any) -> int:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return sum(_FIELD + _FIELD + _value(item) for item in value)
    if isinstance(value, Mapping):
        return sum(_PAIR + _text(str(name)) + _value(item) for name, item in value.items())
    # A number has at most 10 bytes.
    return 11


def _text(text: str) -> int:
    return _FIELD + (len(text) if text.isascii() else len(text.encode("utf-8", "replace")))

"""Makes journal lines without Span objects, for spans that come in thousands.

The fields that all spans of one parent share are encoded once. The lines have the same content as those of ``Writer.open``
and ``Writer.span``; tests/trace/test_lines.py compares the two.
"""

from __future__ import annotations

from .span import ERROR, INTERNAL, UNSET, encode

_UNSET = f'{{"code":"{UNSET}","message":""}}'


class Lines:
    """Makes the journal lines of the spans that have one common parent."""

    def __init__(self, trace_id: str, parent_id: str, resource: str) -> None:
        """``resource``: the resource attributes, as JSON."""
        ids = f'"trace_id":"{trace_id}","parent_span_id":"{parent_id}","kind":"{INTERNAL}","links":[],"resource":{resource}'
        self._open = f'{{"type":"open",{ids},"end_unix_nano":0,"status":{_UNSET},"events":[],"span_id":"'
        self._span = f'{{"type":"span",{ids},"span_id":"'

    def open(self, span_id: str, name: str, start_ns: int, attributes: str) -> str:
        """Return the line of a span that begins. ``name`` and ``attributes`` are JSON; ``start_ns``: ns since the epoch."""
        return f'{self._open}{span_id}","name":{name},"start_unix_nano":{start_ns},"attributes":{attributes}}}'

    def span(
        self, span_id: str, name: str, start_ns: int, end_ns: int, attributes: str, events: str = "[]", error: str = ""
    ) -> str:
        """Return the line of a span that has ended. ``name``, ``attributes`` and ``events`` are JSON.

        Times are nanoseconds since the epoch. With a message in ``error``, the status is ERROR.
        """
        status = encode({"code": ERROR, "message": error}) if error else _UNSET
        return (
            f'{self._span}{span_id}","name":{name},"start_unix_nano":{start_ns},"end_unix_nano":{end_ns},'
            f'"status":{status},"events":{events},"attributes":{attributes}}}'
        )

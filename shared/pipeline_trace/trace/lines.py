"""Journal lines of spans that come by the thousand, written without building a Span.

What the spans of one parent have in common is encoded once. The lines are those that ``Writer.open`` and ``Writer.span``
would write; tests/trace/test_lines.py holds the two together. Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

from .span import ERROR, INTERNAL, UNSET, encode

_UNSET = f'{{"code":"{UNSET}","message":""}}'


class Lines:
    """Makes the lines of the spans under one parent."""

    def __init__(self, trace_id: str, parent_id: str, resource: str) -> None:
        """``resource``: its JSON."""
        ids = f'"trace_id":"{trace_id}","parent_span_id":"{parent_id}","kind":"{INTERNAL}","links":[],"resource":{resource}'
        self._open = f'{{"type":"open",{ids},"end_unix_nano":0,"status":{_UNSET},"events":[],"span_id":"'
        self._span = f'{{"type":"span",{ids},"span_id":"'

    def open(self, span_id: str, name: str, start_ns: int, attributes: str) -> str:
        """Return the line of a span that begins. ``name`` and ``attributes``: JSON."""
        return f'{self._open}{span_id}","name":{name},"start_unix_nano":{start_ns},"attributes":{attributes}}}'

    def span(
        self, span_id: str, name: str, start_ns: int, end_ns: int, attributes: str, events: str = "[]", error: str = ""
    ) -> str:
        """Return the line of a span that has ended. ``error``: the message of its status, where that is ERROR."""
        status = encode({"code": ERROR, "message": error}) if error else _UNSET
        return (
            f'{self._span}{span_id}","name":{name},"start_unix_nano":{start_ns},"end_unix_nano":{end_ns},'
            f'"status":{status},"events":{events},"attributes":{attributes}}}'
        )

# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Writes the spans of one run of Ansible to a journal. What the spans of a parent have in common is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import core
from .work import Work


class Output:
    """The way to the journal. ``journal``: may be replaced. ``now``: see core.clock. ``new_id``: returns a new span id."""

    def __init__(self, journal: Any, place: Any, resource: Mapping[str, Any], now: Callable[[], int]) -> None:
        self.journal = journal
        self.now = now
        self.new_id = core.ids.span_ids().__next__
        self._place = place
        self._resource = resource
        self._encoded = core.span.encode(resource)

    @property
    def trace_id(self) -> str:
        """The trace id."""
        return str(self._place.trace_id)

    def span(self, name: str, parent: Work | None, attributes: Mapping[str, Any]) -> Any:
        """Return a span that begins now. ``name``: masked here. ``parent``: None for one below the place of the run."""
        return core.span.Span(
            trace_id=self._place.trace_id,
            span_id=self.new_id(),
            parent_id=parent.span.span_id if parent else self._place.parent_id,
            name=core.redact.masked(name),
            start_ns=self.now(),
            attributes=dict(attributes),
            links=[] if parent else list(self._place.links),
            resource=self._resource,
        )

    def open(self, work: Work) -> None:
        """Write that a span has begun, if it is to be sent. Prepares the lines of what is below it."""
        span = work.span
        work.lines = core.lines.Lines(self._place.trace_id, span.span_id, self._encoded)
        if not work.told:
            return
        if work.parent:
            name, attributes = core.span.encode(span.name), core.span.encode(span.attributes)
            self.journal.open_line(work.parent.lines.open(span.span_id, name, span.start_ns, attributes))
        else:
            self.journal.open(span)

    def end(self, work: Work) -> None:
        """Write a span that has ended."""
        span = work.span
        if work.parent:
            name, attributes = core.span.encode(span.name), core.span.encode(span.attributes)
            events = core.span.encode(span.to_dict()["events"]) if span.events else "[]"
            error = (span.status_message or "failed") if work.failed else ""
            self.journal.span_line(
                work.parent.lines.span(span.span_id, name, span.start_ns, span.end_ns, attributes, events, error)
            )
        else:
            self.journal.span(span)

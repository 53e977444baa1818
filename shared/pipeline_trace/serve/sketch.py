"""Keeps what a trace's line in the list needs, span by span, while the trace grows. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..lookup.journals import Entry
from ..trace.span import Span
from .summary import Summary, summarise, texts_of

# Spans with a new text that are kept of one sketch. The text to search has a limit too.
_MOST_KEPT = 5000


class Sketch:
    """The spans of a trace from one source: a journal, or the store.

    It keeps the open spans, the spans that may be roots, and those that say something new. Of the others it keeps the id.
    """

    def __init__(self) -> None:
        # How many spans were added.
        self.added = 0
        self.ids: set[int] = set()
        self.opened: dict[int, Entry] = {}
        # With the id of the parent: `line` changes that of the span.
        self.kept: dict[int, tuple[Span, str | None]] = {}
        self.start_ns = 1 << 63
        self._said: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Add a line of a journal."""
        own = _number(entry.span_id)
        self.added += 1
        if entry.opened:
            if own not in self.ids:
                self.opened[own] = entry
                self.ids.add(own)
            return
        self.opened.pop(own, None)
        self.ids.add(own)
        if len(self.kept) < _MOST_KEPT or self._may_be_root(entry.parent_id):
            span = entry.span()
            if span:
                self._keep(own, span)

    def add_ended(self, spans: Sequence[Span]) -> None:
        """Add spans that have ended."""
        # All ids first: a span that comes before its parent is no root.
        self.ids.update(_number(span.span_id) for span in spans)
        self.added += len(spans)
        for span in spans:
            self._keep(_number(span.span_id), span)

    def newest_ns(self) -> int:
        """Return when the newest open span began, in nanoseconds since the epoch; 0 if none is open."""
        return max((span.start_ns for entry in self.opened.values() if (span := entry.span())), default=0)

    def has_ended(self, own: int) -> bool:
        """Tell whether a span with this id has ended."""
        return own in self.ids and own not in self.opened

    def _keep(self, own: int, span: Span) -> None:
        self.start_ns = min(self.start_ns, span.start_ns)
        new = [text for text in texts_of(span) if text not in self._said] if len(self.kept) < _MOST_KEPT else []
        if new or self._may_be_root(span.parent_id):
            self._said.update(new)
            self.kept[own] = span, span.parent_id

    def _may_be_root(self, parent_id: str | None) -> bool:
        return parent_id is None or _number(parent_id) not in self.ids


def line(trace_id: str, sketches: Sequence[Sketch]) -> Summary | None:
    """Return the line of a trace in the list, from all its sources; None if no span is open in any of them.

    A span that has ended in one source is not open, whatever another one says.
    """
    opened = _opened(sketches)
    if not opened:
        return None
    ids = sketches[0].ids if len(sketches) == 1 else set().union(*(sketch.ids for sketch in sketches))
    kept = {own: pair for sketch in sketches for own, pair in sketch.kept.items()}
    kept.update((own, (span, span.parent_id)) for own, span in opened.items())
    spans = _below_a_root(kept.values(), ids)
    found = summarise(trace_id, spans)
    start_ns = min(found.start_ns, *(sketch.start_ns for sketch in sketches))
    return replace(found, spans=len(ids), start_ns=start_ns)


def _opened(sketches: Sequence[Sketch]) -> dict[int, Span]:
    found: dict[int, Span] = {}
    for sketch in sketches:
        for own, entry in sketch.opened.items():
            if not any(other.has_ended(own) for other in sketches if other is not sketch):
                span = entry.span()
                if span:
                    found[own] = span
    return found


def _below_a_root(kept: Iterable[tuple[Span, str | None]], ids: set[int]) -> list[Span]:
    """Return the spans, those that are no roots as children of one: spans between them may not be kept."""
    roots: list[Span] = []
    others: list[Span] = []
    for span, parent_id in kept:
        span.parent_id = parent_id
        (roots if parent_id is None or _number(parent_id) not in ids else others).append(span)
    # Without a root the spans are each other's parents.
    for span in others if roots else ():
        span.parent_id = roots[0].span_id
    return [*roots, *others]


def _number(span_id: str) -> int:
    """Return a span's id as a number, which takes less memory."""
    return int(span_id, 16)

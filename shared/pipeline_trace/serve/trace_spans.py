"""Reads a trace with all that is open in it: on this machine by its journals, elsewhere as its senders told it last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..lookup.lookup import Lookup, NotFoundError
from ..lookup.standing import Opened
from ..trace.span import Span
from .opened import key_of


@dataclass(frozen=True)
class Found:
    """The spans of a trace. ``silent``: when open ones were heard of last that are silent since, by their ids, in ns.

    ``stored``: whether more is known of it than what its senders tell to be open.
    """

    spans: Sequence[Span]
    silent: Mapping[str, int]
    stored: bool = True


def read_trace(lookup: Lookup, opened: Iterable[Opened], reference: str) -> Found:
    """Return the spans that a reference names: see Lookup.spans. ``opened``: what runs. Raises NotFoundError.

    Of a trace of another machine nothing may be here but what is told to be open.
    """
    opened = list(opened)
    try:
        spans = lookup.spans(reference)
    except NotFoundError:
        named = reference.strip().lower()
        if all(one.span.trace_id != named for one in opened):
            raise
        spans, traces = [], {named}
    else:
        traces = {span.trace_id for span in spans}
    # What is in a source has ended, or is read where it is written.
    known = set(map(key_of, spans))
    more = with_around([one for one in opened if key_of(one.span) not in known], spans, traces)
    silent = {one.span.span_id: one.heard_ns for one in more if one.heard_ns}
    return Found([*spans, *(one.span for one in more)], silent, bool(spans))


def with_around(opened: Sequence[Opened], spans: Iterable[Span], traces: set[str]) -> list[Opened]:
    """Return the open spans of some traces, and those of others that are parents or children of spans in them.

    ``spans``: the spans of these traces that are known.
    """
    traces, ids, parents = set(traces), set[str](), set[str | None]()
    for span in spans:
        ids.add(span.span_id)
        parents.add(span.parent_id)
    found: list[Opened] = []
    left = list(opened)
    while left:
        near = [
            one for one in left if one.span.trace_id in traces or one.span.parent_id in ids or one.span.span_id in parents
        ]
        if not near:
            break
        found += near
        traces |= {one.span.trace_id for one in near}
        ids |= {one.span.span_id for one in near}
        parents |= {one.span.parent_id for one in near}
        taken = {key_of(one.span) for one in near}
        left = [one for one in left if key_of(one.span) not in taken]
    return found

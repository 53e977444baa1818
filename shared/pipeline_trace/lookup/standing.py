"""Tells where something that runs stands: the open spans from the outermost to the innermost. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..trace.span import Span


class Opened(NamedTuple):
    """A span that has begun. ``heard_ns``: when its sender was last heard of, where it should have been heard since; else 0.

    In nanoseconds since the epoch. Nobody knows what became of it then.
    """

    span: Span
    heard_ns: int = 0


def standing(opened: Iterable[Span]) -> list[Span]:
    """Return the innermost open span of a trace and those around it, the outermost first."""
    known = {span.span_id: span for span in opened}
    if not known:
        return []
    outer = {span.parent_id for span in known.values()}
    # Of hosts that a task waits for, the one that began first waits longest.
    inner = [span for span in known.values() if span.span_id not in outer]
    span: Span | None = max(inner or known.values(), key=lambda one: (_depth(one, known), -one.start_ns, one.span_id))
    found: list[Span] = []
    while span is not None and span not in found:
        found.append(span)
        span = known.get(span.parent_id or "")
    return found[::-1]


def _depth(span: Span, known: dict[str, Span]) -> int:
    depth, seen = 0, {span.span_id}
    while (parent := known.get(span.parent_id or "")) and parent.span_id not in seen:
        seen.add(parent.span_id)
        depth, span = depth + 1, parent
    return depth

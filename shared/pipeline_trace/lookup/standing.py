"""Tells where something that runs stands: the open spans from the outermost to the innermost. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..trace.span import Span


class Opened(NamedTuple):
    """A span that has begun. ``heard_ns``: when its sender was last heard of, where it should have been heard since; else 0.

    In nanoseconds since the epoch. Nobody knows what became of it then. ``ahead_ns``: by how much its sender's clock is
    ahead of this machine's; negative if it is behind, 0 if they agree or that is not known.
    """

    span: Span
    heard_ns: int = 0
    ahead_ns: int = 0


def by_this_clock(opened: Iterable[Opened]) -> list[Opened]:
    """Return open spans as if they had begun by this machine's clock: else a sender's clock makes something hang."""
    return [
        Opened(replace(one.span, start_ns=one.span.start_ns - one.ahead_ns), one.heard_ns) if one.ahead_ns else one
        for one in opened
    ]


def standing(opened: Iterable[Span]) -> list[Span]:
    """Return the innermost open span of a trace and those around it, the outermost first."""
    known = {span.span_id: span for span in opened}
    if not known:
        return []
    outer = {span.parent_id for span in known.values()}
    # Of hosts that a task waits for, the one that began first waits longest.
    inner = [span for span in known.values() if span.span_id not in outer]
    depths: dict[str, int] = {}
    span: Span | None = max(
        inner or known.values(), key=lambda one: (_depth(one, known, depths), -one.start_ns, one.span_id)
    )
    found: dict[str, Span] = {}
    while span is not None and span.span_id not in found:
        found[span.span_id] = span
        span = known.get(span.parent_id or "")
    return list(found.values())[::-1]


def _depth(span: Span, known: Mapping[str, Span], depths: dict[str, int]) -> int:
    """Return how many open spans are around one. ``depths``: what is known already, by id. A circle has an end somewhere."""
    way: list[str] = []
    around: Span | None = span
    while around is not None and around.span_id not in depths:
        depths[around.span_id] = 0
        way.append(around.span_id)
        around = known.get(around.parent_id or "")
    depth = depths[around.span_id] + 1 if around is not None else 0
    for span_id in reversed(way):
        depths[span_id] = depth
        depth += 1
    return depths[span.span_id]

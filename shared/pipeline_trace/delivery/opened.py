"""Decides which open spans of a run are told now, before they end. Does no I/O, and has no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..trace.span import Span
from .reader import Opened


class Pace(NamedTuple):
    """When open spans are told: after ``first`` seconds, then each time that ``every`` seconds are over.

    ``most``: of a run at a time.
    """

    first: float = 5.0
    every: float = 30.0
    most: int = 200


PACE = Pace()


@dataclass
class _Known:
    """An open span. ``seen``: first, and ``told``: last, in seconds. ``span``: None if it is not read, or not valid."""

    seen: float
    told: float = -math.inf
    read: bool = False
    span: Span | None = None


class Beats:
    """The open spans of one run, and when each of them was told."""

    def __init__(self, pace: Pace = PACE) -> None:
        self._pace = pace
        self._known: dict[str, _Known] = {}

    def due(self, opened: Mapping[str, Opened], now: float) -> list[Span]:
        """Return the spans to tell now, and note them as told: the outermost and oldest first.

        ``opened``: all open spans, by id. ``now``: seconds of a clock that nobody sets. A span counts as open from the first
        call on that has it.
        """
        # Nearly all spans end before they are told.
        self._known = {span_id: self._known.get(span_id) or _Known(now) for span_id in opened}
        old = [self._read(known, opened[one]) for one, known in self._known.items() if now - known.seen >= self._pace.first]
        chosen = outermost([span for span in old if span])[: self._pace.most]
        due = [span for span in chosen if now - self._known[span.span_id].told >= self._pace.every]
        for span in due:
            self._known[span.span_id].told = now
        return due

    def _read(self, known: _Known, line: Opened) -> Span | None:
        if not known.read:
            known.read, known.span = True, line.span()
        return known.span


def outermost(spans: Sequence[Span]) -> list[Span]:
    """Return spans with those first that have the fewest others around them; of these, the oldest first."""
    by_id = {span.span_id: span for span in spans}
    depths: dict[str, int] = {}
    return sorted(by_id.values(), key=lambda span: (_depth(span, by_id, depths), span.start_ns, span.span_id))


def _depth(span: Span, spans: Mapping[str, Span], depths: dict[str, int]) -> int:
    """Return how many of the spans are around one. ``depths``: what is known already, by id."""
    inner: list[Span] = []
    around: Span | None = span
    # In a circle, which only a damaged journal has, each span is met once.
    while around and around.span_id not in depths:
        depths[around.span_id] = 0
        inner.append(around)
        around = spans.get(around.parent_id or "")
    depth = depths[around.span_id] if around else -1
    for one in reversed(inner):
        depth += 1
        depths[one.span_id] = depth
    return depths[span.span_id]

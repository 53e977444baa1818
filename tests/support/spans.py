"""Spans by number: for tests of what is inside what, and when."""

from __future__ import annotations

from pipeline_trace.trace.span import Span

TRACE = "a" * 32
OTHER_TRACE = "b" * 32
MS = 1_000_000


def span(number: int, parent: int | None = None, start: int = 0, end: int = 10_000, **more: object) -> Span:
    """Return a span. Times in milliseconds after one second past the epoch."""
    trace = str(more.pop("trace", TRACE))
    name = str(more.pop("name", f"span {number}"))
    base = 1_000_000_000
    made = Span(
        trace, f"{number:016x}", f"{parent:016x}" if parent else None, name, base + start * MS, end and base + end * MS
    )
    made.attributes = {key.replace("_", "."): value for key, value in more.items()}
    return made

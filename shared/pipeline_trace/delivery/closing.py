"""Closes spans that a process left open when it ended: as they are delivered, and as they are shown until then."""

from __future__ import annotations

from ..trace import conventions as c
from ..trace.span import Event, Span
from .reader import Line

_CANCELLED = frozenset({"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"})


def close(span: Span, end: Line | None, died_ns: int) -> Span:
    """Close a span that is in a journal which no process writes, and return it.

    ``end``: the journal's last line, None if it has none. ``died_ns``: when its writer ended, nanoseconds since the epoch.
    """
    reason = end.reason if end else "SIGKILL or a crash"
    span.end_ns = max(died_ns, span.start_ns)
    if end and end.dropped and not reason:
        # Its writer ended normally: nobody knows how the span did.
        span.events = [*span.events, Event("interrupted", span.end_ns, {"reason": "its end could not be written"})]
        return span
    if reason in _CANCELLED:
        span.cancel(reason, span.end_ns)
        return span
    reason = reason or "never ended"
    span.attributes[c.TASK_RUN_RESULT] = c.ERROR
    span.attributes[c.ERROR_TYPE] = "interrupted"
    span.events = [*span.events, Event("interrupted", span.end_ns, {"reason": reason})]
    span.fail(f"still open when its process ended ({reason})")
    return span

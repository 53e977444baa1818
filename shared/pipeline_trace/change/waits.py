"""Finds waits: how long something waited, and for what. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..trace import conventions as c
from ..trace.queries import type_of
from ..trace.span import Span

MACHINE, PERSON = "machine", "person"
_WAITS = {c.TYPE_QUEUE: MACHINE, c.TYPE_AGENT: MACHINE, c.TYPE_INPUT: PERSON}


@dataclass(frozen=True)
class Wait:
    """A wait. ``on``: machine or person. ``what``: queue, agent or input. ``who``: the agent's label or the person, or "".

    Times are nanoseconds since the epoch.
    """

    on: str
    what: str
    start_ns: int
    end_ns: int
    who: str = ""


def waits_of(spans: Iterable[Span]) -> tuple[Wait, ...]:
    """Return the waits in these spans."""
    return tuple(
        Wait(_WAITS[kind], kind, span.start_ns, span.end_ns, _who(span, kind))
        for span in spans
        if (kind := type_of(span)) in _WAITS and span.end_ns >= span.start_ns
    )


def _who(span: Span, kind: str) -> str:
    name = {c.TYPE_AGENT: c.JENKINS_AGENT_LABEL, c.TYPE_INPUT: c.JENKINS_INPUT_ANSWERED_BY}.get(kind, "")
    return str(span.attributes.get(name) or "")


def covered_ns(waits: Iterable[Wait], start_ns: int, end_ns: int) -> int:
    """Return how many nanoseconds between two times were waits. Waits at the same time count once."""
    total, reached = 0, start_ns
    for wait in sorted(waits, key=lambda wait: wait.start_ns):
        end = min(wait.end_ns, end_ns)
        total += max(end - max(wait.start_ns, reached), 0)
        reached = max(reached, end)
    return total

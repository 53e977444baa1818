"""Where a process stands: W3C trace context read from the environment, and the place in a trace that follows.

Sources: W3C Trace Context level 1 (traceparent), OpenTelemetry's specification/context/env-carriers.md (the names of the
variables). Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..trace.ids import key_trace_id, random_trace_id
from ..trace.span import Attributes, Link

TRACEPARENT = "TRACEPARENT"
TRACESTATE = "TRACESTATE"
BAGGAGE = "BAGGAGE"
KEY = "PIPELINE_TRACE_KEY"
# Beside TRACEPARENT: a process of ours has found the place in this trace, so that nobody below needs to ask.
TRACE_ID = "PIPELINE_TRACE_ID"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True)
class Context:
    """A parsed traceparent."""

    trace_id: str
    span_id: str
    sampled: bool


@dataclass(frozen=True)
class Place:
    """Where a process stands: what its first span's trace and parent are.

    ``parent_id`` is None where the first span is a root. ``sampled`` False means: emit nothing. ``warnings`` are lines
    for people, each saying what to do. ``resource`` are attributes of the run that the process is part of.
    """

    trace_id: str
    parent_id: str | None = None
    sampled: bool = True
    tracestate: str = ""
    baggage: str = ""
    links: tuple[Link, ...] = ()
    resource: Attributes = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def parse_traceparent(value: str) -> Context | None:
    """Parse a traceparent by W3C's rules; return None where it is not valid.

    Upper case, all-zero ids and version ff are invalid. Unknown higher versions are read by their first four fields.
    """
    match = _TRACEPARENT.fullmatch(value.strip())
    if not match:
        return None
    version, trace, span, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace, 16) or not int(span, 16):
        return None
    return Context(trace, span, bool(int(flags, 16) & 1))


def format_traceparent(trace: str, span: str, sampled: bool = True) -> str:
    """Return the traceparent of a span, version 00."""
    return f"00-{trace}-{span}-{'01' if sampled else '00'}"


def child_environment(environ: Mapping[str, str], place: Place, span_id: str) -> dict[str, str]:
    """Return a copy of an environment for a child whose parent is this span, by the rules for environment carriers.

    What belonged to a TRACEPARENT that was not followed does not go with it.
    """
    child = dict(environ)
    carried = {
        TRACEPARENT: format_traceparent(place.trace_id, span_id, place.sampled),
        TRACESTATE: place.tracestate,
        BAGGAGE: place.baggage,
        TRACE_ID: place.trace_id,
    }
    for name, value in carried.items():
        child.pop(name, None)
        if value:
            child[name] = value
    return child


def context_of(environ: Mapping[str, str]) -> tuple[Context | None, tuple[str, ...]]:
    """Return the context which the environment carries, and a warning where it is malformed."""
    value = environ.get(TRACEPARENT, "").strip()
    if not value:
        return None, ()
    context = parse_traceparent(value)
    if context is None:
        return None, (f"{TRACEPARENT} is malformed and ignored; expected 00-<32 hex>-<16 hex>-<2 hex>",)
    return context, ()


def place_outside_ci(environ: Mapping[str, str]) -> Place:
    """Return where a process stands that no CI system runs: TRACEPARENT, else PIPELINE_TRACE_KEY, else a new trace."""
    context, warnings = context_of(environ)
    state, baggage = environ.get(TRACESTATE, ""), environ.get(BAGGAGE, "")
    if context:
        return Place(context.trace_id, context.span_id, context.sampled, state, baggage)
    key = environ.get(KEY, "")
    trace = key_trace_id(key) if key else random_trace_id()
    return Place(trace, baggage=baggage, warnings=warnings)

"""Reads the W3C trace context from the environment, and defines Place.

Sources: W3C Trace Context level 1 (the format of traceparent) and OpenTelemetry's specification/context/env-carriers.md (the
names of the variables).
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
# Set together with TRACEPARENT by a process of ours that knows its place: child processes need not ask the controller.
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
    """The place of a process in a trace: the trace id and the parent of its first span.

    ``parent_id``: None if the first span is a root span. ``sampled``: if False, write no spans. ``resource``: attributes of
    the run that the process is part of. ``attributes``: of its first span. ``warnings``: lines for the user, each with what
    to do.
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
    """Return the context in a traceparent, or None if it is not valid by W3C Trace Context.

    Upper case, ids of zeros only, and version ff are invalid. Of an unknown higher version, the first four fields count.
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
    """Return a copy of an environment for a child process whose parent span is ``span_id``.

    Source: the rules for environment carriers. TRACESTATE and BAGGAGE come from ``place`` only: if the place ignores the
    environment's TRACEPARENT, the values that came with it are removed.
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
    """Return the context in TRACEPARENT (None if it is unset or invalid), and a warning if it is invalid."""
    value = environ.get(TRACEPARENT, "").strip()
    if not value:
        return None, ()
    context = parse_traceparent(value)
    if context is None:
        return None, (f"{TRACEPARENT} is not valid and is ignored; unset it, or set it to 00-<32 hex>-<16 hex>-<2 hex>",)
    return context, ()


def place_outside_ci(environ: Mapping[str, str]) -> Place:
    """Return the place of a process outside CI systems: from TRACEPARENT, else PIPELINE_TRACE_KEY, else in a new trace."""
    context, warnings = context_of(environ)
    state, baggage = environ.get(TRACESTATE, ""), environ.get(BAGGAGE, "")
    if context:
        return Place(context.trace_id, context.span_id, context.sampled, state, baggage)
    key = environ.get(KEY, "")
    trace = key_trace_id(key) if key else random_trace_id()
    return Place(trace, baggage=baggage, warnings=warnings)

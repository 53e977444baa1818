"""Whose a span is: Dev's, Ops', or of both. Pure.

Ops owns nodes, capacity, network and the CI/CD platform: waits in the queue and for agents, the platform's own tail of a
build, what the platform's own error ended, hosts that could not be reached. Dev owns the pipeline and what it runs: stages,
steps, tests, playbooks and their tasks. Builds, and waits for a person, are of both. Where a failure was judged (the
attribute ``pipeline_trace.failure.owner``), that decides about its span.
"""

from __future__ import annotations

from ..lookup.states import remark, span_type, state
from ..trace import conventions as c
from ..trace.span import Span

BOTH = "both"
DEV = "dev"
OPS = "ops"

_OF_OPS = frozenset({c.TYPE_QUEUE, c.TYPE_AGENT, c.TYPE_CLEANUP})
_OF_BOTH = frozenset({c.TYPE_RUN, c.TYPE_INPUT})


def side(span: Span) -> str:
    """Return whose a span is: BOTH, DEV or OPS."""
    kind = span_type(span)
    if kind in _OF_BOTH:
        return BOTH
    judged = span.attributes.get(c.FAILURE_OWNER)
    if judged in (DEV, OPS):
        return str(judged)
    if kind in _OF_OPS or state(span) == c.ERROR or remark(span) == "unreachable":
        return OPS
    return DEV

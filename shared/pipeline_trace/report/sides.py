"""Says which team a span belongs to: Dev, Ops or both. Does no I/O.

Ops owns nodes, capacity, network and the CI/CD platform: waits in the queue and for agents, the platform's clean-up of a
build, platform errors, and hosts that Ansible could not reach. Dev owns the pipeline and what it runs: stages, steps, tests,
playbooks and their tasks. Builds and waits for a person belong to both. A verdict on the span (the attribute
``pipeline_trace.failure.owner``) comes first.
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
    """Return the side of a span: BOTH, DEV or OPS."""
    kind = span_type(span)
    if kind in _OF_BOTH:
        return BOTH
    judged = span.attributes.get(c.FAILURE_OWNER)
    if judged in (DEV, OPS):
        return str(judged)
    if kind in _OF_OPS or state(span) == c.ERROR or remark(span) == "unreachable":
        return OPS
    return DEV

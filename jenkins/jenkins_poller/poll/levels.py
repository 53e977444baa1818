"""At which level a build was told, so that a later reading adds only what was missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

from ..fetch.build import Fetched
from ..fetch.document import BUILD, STAGE, is_pipeline

# The run alone; its stages too; its steps too, but no plugin told times; everything.
RUN, STAGES, UNTIMED, STEPS = "run", "stage", "untimed", "step"
ORDER = (RUN, STAGES, UNTIMED, STEPS)
_RUN = frozenset({c.TYPE_RUN, c.TYPE_QUEUE})
_STAGES = _RUN | {c.TYPE_STAGE, c.TYPE_BRANCH, c.TYPE_CLEANUP}
_STEPS = _STAGES | {c.TYPE_STEP, c.TYPE_INPUT, c.TYPE_AGENT}
# The kinds of spans that were told at each level. Earlier versions did not note the level: they told at least the run.
_TOLD: Mapping[str | None, frozenset[str]] = {
    None: _RUN | {c.TYPE_CLEANUP},
    RUN: _RUN,
    STAGES: _STAGES,
    UNTIMED: _STEPS - {c.TYPE_AGENT, c.TYPE_CLEANUP},
    STEPS: _STEPS,
}


def level_of(fetched: Fetched, detail: str) -> str:
    """Return the level at which a build is told. Of what is no Pipeline, everything is told at every detail."""
    if not is_pipeline(fetched.document):
        return STEPS
    if detail == BUILD or not fetched.flow.top:
        return RUN
    if detail == STAGE or fetched.too_large:
        return STAGES
    return UNTIMED if fetched.no_times else STEPS


def missing(spans: Iterable[Span], told: str | None) -> tuple[Span, ...]:
    """Return the spans of kinds that were not told. ``told``: the level; None if it was not noted."""
    return tuple(span for span in spans if span.attributes[c.JENKINS_TYPE] not in _TOLD[told])

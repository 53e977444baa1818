"""Corrects the stage of processes that could only assume it: the first of its name. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, has_times, is_stage
from ..trace.span import Span


def with_stages(spans: Sequence[Span]) -> list[Span]:
    """Return the spans, each process with an assumed stage below the stage of that name that was under way.

    A process that could not ask the controller assumes the first stage of its name (``jenkins.stage.assumed``). The spans of
    the build, where they are here, tell when each of these stages ran. Where several fit alike, the process stays.
    """
    assuming = {span.parent_id for span in spans if c.JENKINS_STAGE_ASSUMED in span.attributes}
    if not assuming:
        return list(spans)
    stages = [span for span in spans if is_stage(span) and has_times(span)]
    named: dict[tuple[str, str, str], list[Span]] = {}
    for stage in stages:
        named.setdefault(_key(stage), []).append(stage)
    alike = {stage.span_id: named[_key(stage)] for stage in stages if stage.span_id in assuming}
    return [_corrected(span, alike.get(span.parent_id or "", ())) for span in spans]


def _key(stage: Span) -> tuple[str, str, str]:
    # Several controllers may have a build of this name.
    return build_name_of(stage), attribute_text(stage, c.PIPELINE_RUN_URL), stage.name


def _corrected(span: Span, stages: Sequence[Span]) -> Span:
    if len(stages) < 2 or c.JENKINS_STAGE_ASSUMED not in span.attributes:
        return span
    together = [_together_ns(span, stage) for stage in stages]
    longest = max(together)
    if longest < 0 or together.count(longest) > 1:
        return span
    return replace(span, parent_id=stages[together.index(longest)].span_id)


def _together_ns(span: Span, stage: Span) -> int:
    """Return how long two spans ran at the same time; below 0 if they did not. An open span runs for its first moment."""
    return min(span.end_ns or span.start_ns, stage.end_ns or span.end_ns or span.start_ns) - max(
        span.start_ns, stage.start_ns
    )

"""Whose a failed build is, as far as its own text and facts tell, as attributes of its spans."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_trace.ownership import judge
from pipeline_trace.ownership.failure import Trace
from pipeline_trace.ownership.log.rules import load_rules
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span


def set_verdict(spans: Sequence[Span]) -> None:
    """Set the verdict on a failed build's run and on the span that failed. History is not asked: it goes on.

    ``spans``: a build's, the run's first. Raises RulesError.
    """
    run = spans[0]
    failure = Trace(spans).failure(run) if run.status_code == ERROR else None
    if failure is None or failure.downstream:
        # The build that it started has the verdict.
        return
    verdict = judge.verdict_without_history(failure, load_rules())
    for span in {id(span): span for span in (run, failure.span)}.values():
        span.attributes[c.FAILURE_OWNER] = verdict.owner
        span.attributes[c.FAILURE_KIND] = verdict.kind
        span.attributes[c.FAILURE_CONFIDENCE] = round(verdict.confidence, 2)

"""Adds the verdict on a failed build to its spans, from the build's own logs and facts."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_trace.ownership import judge
from pipeline_trace.ownership.failure import Trace
from pipeline_trace.ownership.log.rules import load_rules
from pipeline_trace.ownership.verdict import Verdict
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, Span


def set_verdict(spans: Sequence[Span]) -> Verdict | None:
    """Set the verdict on a failed build's run span and on the span that failed, and return it. Raises RulesError.

    ``spans``: the build's spans, the run's first. Other builds do not count here: they may come later, and spans must not
    change. None if the build did not fail, or failed because of a build that it started.
    """
    run = spans[0]
    failure = Trace(spans).failure(run) if run.status_code == ERROR else None
    if failure is None or failure.downstream:
        # The failed build that it started has the verdict.
        return None
    verdict = judge.verdict_without_history(failure, load_rules())
    for span in {id(span): span for span in (run, failure.span)}.values():
        span.attributes[c.FAILURE_OWNER] = verdict.owner
        span.attributes[c.FAILURE_KIND] = verdict.kind
        span.attributes[c.FAILURE_CONFIDENCE] = round(verdict.confidence, 2)
    return verdict

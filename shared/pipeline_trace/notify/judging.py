"""Turns spans into outcomes: those of a build that the poller made, and those of a trace in the store."""

from __future__ import annotations

from collections.abc import Iterator

from ..lookup.lookup import Lookup
from ..ownership import judge
from ..ownership.failure import Trace
from ..ownership.log.rules import Rules
from ..ownership.verdict import Verdict
from ..place.ci.jenkins.identity import build_on_page
from ..trace import conventions as c
from ..trace.queries import attribute_text, is_playbook, is_run
from ..trace.span import ERROR, Span
from .outcome import Failing, Outcome, failed, is_told, passed

# Spans of a trace without plays, tasks, hosts and plain steps.
_MOST_SPANS = 2000


def outcome_of_build(run: Span, verdict: Verdict | None) -> Outcome | None:
    """Return how a build ended; None if there is nothing to tell of. ``run``: its run span.

    ``verdict``: without history; None if it did not fail, or if it failed because of a build that it started.
    """
    if not is_told(run):
        return None
    if run.status_code == ERROR:
        return failed(run, verdict) if verdict else None
    return passed(run)


def outcomes_of_trace(lookup: Lookup, trace_id: str, since_ns: int, rules: Rules) -> Iterator[Outcome]:
    """Yield how the builds and playbooks of a trace in the store ended, those that ended since a time. Raises SetupError.

    A playbook that a Jenkins build ran is told with the build.
    """
    whole: Trace | None = None
    for span in lookup.outlines([trace_id], _MOST_SPANS):
        if span.end_ns < since_ns or not is_told(span) or not (is_run(span) or _is_own_playbook(span)):
            continue
        if span.status_code != ERROR:
            yield passed(span)
            continue
        verdict = _verdict_on(span)
        if verdict is None:
            whole = whole or Trace(lookup.spans(trace_id))
            verdict = judge.verdict_on_span(whole, span, rules)
        if verdict:
            yield failed(span, verdict)


def with_history(lookup: Lookup, outcome: Outcome, failing: Failing, rules: Rules) -> Failing:
    """Return a failure with the verdict that `why` gives. Raises NotFoundError, SetupError."""
    trace = Trace(lookup.spans(outcome.trace_id))
    failures = (trace.failure(span) for span in trace.spans if span.span_id == outcome.span_id)
    failure = next(filter(None, failures), None)
    return failing.judged(judge.judged_failure(lookup, failure, rules).verdict) if failure else failing


def _is_own_playbook(span: Span) -> bool:
    return is_playbook(span) and build_on_page(attribute_text(span, c.PIPELINE_RUN_URL)) is None


def _verdict_on(run: Span) -> Verdict | None:
    """Return the verdict that the poller wrote on a run, without evidence; None if there is none."""
    owner, kind = (str(run.attributes.get(name) or "") for name in (c.FAILURE_OWNER, c.FAILURE_KIND))
    confidence = run.attributes.get(c.FAILURE_CONFIDENCE)
    known = owner in c.FAILURE_OWNERS and kind
    return Verdict(owner, kind, float(confidence)) if known and isinstance(confidence, float | int) else None

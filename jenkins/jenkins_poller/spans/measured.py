"""Computes metric values from a build's spans, by OpenTelemetry's semantic conventions for CI/CD metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import masking
from pipeline_trace.trace.queries import environment_of
from pipeline_trace.trace.span import AttributeValue, Span

PENDING, EXECUTING, FINALIZING = "pending", "executing", "finalizing"

# Metrics get the time at which they are recorded. A build that is read late would look as if it had just ended.
RECENT_NS = 3600 * 10**9


class Measured(NamedTuple):
    """A value of a metric. Durations are in seconds; each error counts 1."""

    metric: str
    value: float
    attributes: Mapping[str, AttributeValue]


def measurements_of_build(spans: Sequence[Span], now_ns: int) -> Iterator[Measured]:
    """Yield the metric values of a build. Yield nothing if it ended more than RECENT_NS ago, as after a first poll.

    ``spans``: the build's spans, the run's first. ``now_ns``: nanoseconds since the epoch.
    """
    run = spans[0]
    if now_ns - run.end_ns > RECENT_NS:
        return
    name = {c.PIPELINE_NAME: run.attributes[c.PIPELINE_NAME]}
    yield from _durations(spans, name)
    yield from _waits(spans, name)
    result = run.attributes.get(c.PIPELINE_RESULT)
    for error in _errors(spans) if result in c.FAILED_RESULTS else ():
        yield Measured(c.RUN_ERRORS, 1, {**name, c.ERROR_TYPE: error})
    yield from _failures(run, name)
    if result == c.ERROR:
        # In the conventions, the result "error" means an error of the platform. In a build, only agents cause it.
        yield Measured(c.SYSTEM_ERRORS, 1, {c.SYSTEM_COMPONENT: "agent", c.ERROR_TYPE: _platform(spans)})


def _failures(run: Span, name: Mapping[str, AttributeValue]) -> Iterator[Measured]:
    """Yield the failure of a build that has a verdict, by who should look first."""
    if c.FAILURE_OWNER in run.attributes:
        verdict = {key: run.attributes[key] for key in (c.FAILURE_OWNER, c.FAILURE_KIND)}
        environment = environment_of(run)
        where = {c.DEPLOYMENT_ENVIRONMENT: masking.masked(environment)} if environment else {}
        yield Measured(c.FAILURES, 1, {**name, **verdict, **where})


def _durations(spans: Sequence[Span], name: Mapping[str, AttributeValue]) -> Iterator[Measured]:
    """Yield the time in each state. The sum is the time in the queue plus the duration of the run."""
    run = spans[0]
    ended = {key: run.attributes[key] for key in (c.PIPELINE_RESULT, c.ERROR_TYPE) if key in run.attributes}
    by_type = {span.attributes[c.JENKINS_TYPE]: span for span in spans}
    queue, cleanup = by_type.get(c.TYPE_QUEUE), by_type.get(c.TYPE_CLEANUP)
    end_ns = cleanup.start_ns if cleanup else run.end_ns
    if queue:
        yield _duration(queue.start_ns, queue.end_ns, {**name, c.RUN_STATE: PENDING, **ended})
    yield _duration(run.start_ns, end_ns, {**name, c.RUN_STATE: EXECUTING, **ended})
    if cleanup:
        yield _duration(cleanup.start_ns, cleanup.end_ns, {**name, c.RUN_STATE: FINALIZING, **ended})


def _duration(start_ns: int, end_ns: int, attributes: Mapping[str, AttributeValue]) -> Measured:
    return Measured(c.RUN_DURATION, max(end_ns - start_ns, 0) / 1e9, attributes)


def _waits(spans: Sequence[Span], name: Mapping[str, AttributeValue]) -> Iterator[Measured]:
    for span in spans:
        if span.attributes[c.JENKINS_TYPE] == c.TYPE_QUEUE:
            for phase, name_of_phase in c.JENKINS_QUEUE_PHASES.items():
                value = span.attributes.get(name_of_phase)
                if isinstance(value, int):
                    yield Measured(c.JENKINS_QUEUE_WAIT, value / 1e3, {**name, c.JENKINS_QUEUE_PHASE: phase})


def _errors(spans: Sequence[Span]) -> list[str]:
    """Return the error types of a failed run: those of its steps, else the run's own."""
    steps = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_STEP]
    found = [str(span.attributes[c.ERROR_TYPE]) for span in steps if c.ERROR_TYPE in span.attributes]
    return found or [_error(spans[0])]


def _platform(spans: Sequence[Span]) -> str:
    """Return the type of a platform error: from the run's interruption, else from its first step with it, else the run's."""
    for span in spans:
        interruptions = span.attributes.get(c.JENKINS_INTERRUPTIONS)
        if isinstance(interruptions, list | tuple) and interruptions:
            return str(interruptions[0])
        if span is not spans[0] and span.attributes.get(c.TASK_RUN_RESULT) == c.ERROR and c.ERROR_TYPE in span.attributes:
            return str(span.attributes[c.ERROR_TYPE])
    return _error(spans[0])


def _error(span: Span) -> str:
    """Return a span's error type; "_OTHER", as the conventions say, if it has none."""
    return str(span.attributes.get(c.ERROR_TYPE, "_OTHER"))

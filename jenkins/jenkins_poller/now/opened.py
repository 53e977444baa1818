"""Makes the spans of a build that runs, without an end: the run, the stages it is in, its steps, what it waits for.

They have the ids under which the build is told when it has ended (spans/spans.py). Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import masking
from pipeline_trace.trace.span import AttributeValue, Span

from ..fetch import flow
from ..fetch.checkouts import checkouts_of
from ..fetch.document import is_pipeline
from ..spans import facts
from ..spans.spans import begun_span, run_attributes, run_name, type_and_name
from .running import Head, Running
from .waits import Activity, OpenBuild, OpenWait

# Returns when an element began, milliseconds since the epoch; None if that is not known.
Since = Callable[[flow.Element], int | None]


def open_spans(
    build: Build,
    running: Running,
    opened: OpenBuild,
    placed: BuildPlace,
    service: Mapping[str, AttributeValue],
    since: Since,
) -> list[Span]:
    """Return the open spans of a build, the run's first, then outer before inner.

    ``opened``: the same build with all that it waits for. ``service``: the resource attributes of the controller.
    """
    maker = _Maker(build, placed, facts.build_resource(build, running.document, service), since)
    run = maker.run(running, opened)
    for activity, head in zip(opened.activities, running.heads, strict=False):
        maker.head(run, activity, head)
    if not running.heads:
        # Without a flow graph, only the state of the whole build is known.
        for activity in opened.activities:
            run.attributes.update(_wait(activity.wait))
    found = list(maker.spans.values())
    for span in found:
        masking.mask(span)
        # Of steps that end between two looks nobody hears before the build has ended.
        span.attributes[c.OPEN_TOLD_WITH] = run.span_id
    return found


class _Maker:
    def __init__(self, build: Build, placed: BuildPlace, resource: Mapping[str, AttributeValue], since: Since) -> None:
        self._build = build
        self._placed = placed
        self._resource = resource
        self._since = since
        # By their id: branches have the stage around them in common.
        self.spans: dict[str, Span] = {}

    def run(self, running: Running, opened: OpenBuild) -> Span:
        """Add the run."""
        build, document = self._build, running.document
        run = begun_span(
            self._placed,
            build.run_span_id,
            self._placed.parent_id,
            run_name(build),
            opened.since_ms or 0,
            c.TYPE_RUN,
            self._resource,
        )
        run.attributes.update(run_attributes(build, document, checkouts_of(build, document)))
        agents = sorted(map(facts.short_text, opened.agents))
        if agents and is_pipeline(document):
            run.attributes[c.JENKINS_AGENTS] = agents
        elif agents:
            run.attributes[c.WORKER_NAME] = agents[0]
        self.spans[run.span_id] = run
        return run

    def head(self, run: Span, activity: Activity, head: Head) -> None:
        """Add what is open in one of the parallel branches of a build."""
        around = run
        for element in head.around:
            around = self._element(element, around, self._since, "")
        if head.element:
            wait = activity.wait
            begun_ms = wait.since_ms if wait else activity.since_ms
            description = wait.what if wait and head.element.kind == flow.AGENT else head.argument
            around = self._element(head.element, around, lambda element: begun_ms, description)
        around.attributes.update(_wait(activity.wait))

    def _element(self, element: flow.Element, around: Span, since: Since, description: str) -> Span:
        span_id = self._build.span_id(*element.key)
        if span_id in self.spans:
            return self.spans[span_id]
        kind, name = type_and_name(element, description)
        begun_ms, earliest_ms = since(element), around.start_ns // 1_000_000
        start_ms = max(begun_ms or 0, earliest_ms)
        span = begun_span(self._placed, span_id, around.span_id, name, start_ms, kind, self._resource)
        span.attributes.update({c.TASK_NAME: span.name, c.TASK_RUN_ID: element.id})
        if begun_ms is None:
            span.attributes[c.JENKINS_TIMES_UNKNOWN] = True
        if description and kind == c.TYPE_AGENT:
            span.attributes[c.JENKINS_AGENT_LABEL] = facts.short_text(description)
        elif description:
            span.attributes[c.JENKINS_STEP_DESCRIPTION] = facts.short_text(description)
        if element.attempt:
            span.attributes[c.JENKINS_RETRY_ATTEMPT] = element.attempt
        self.spans[span_id] = span
        return span


def _wait(wait: OpenWait | None) -> dict[str, AttributeValue]:
    if wait is None:
        return {}
    texts = {c.WAIT_FOR: wait.what, c.WAIT_REASON: wait.reason}
    return {
        c.WAIT_KIND: wait.kind,
        **{name: facts.short_text(text) for name, text in texts.items() if text},
        **({c.WAIT_SINCE: wait.since_ms * 1_000_000} if wait.since_ms else {}),
        **({c.WAIT_STUCK: True} if wait.stuck else {}),
    }

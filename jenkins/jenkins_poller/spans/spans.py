"""Builds the spans of a Jenkins build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import masking
from pipeline_trace.trace.span import ERROR, INTERNAL, SERVER, AttributeValue, Link, Span

from ..fetch import flow
from ..fetch.build import Fetched
from ..fetch.checkouts import Checkouts
from ..fetch.computers import BUILT_IN
from ..fetch.document import is_pipeline
from ..fetch.times import LATEST_MS, Times
from . import facts, held, outcome, versions

# A source may know the end of a build better than its document, but not by a day.
_LATER_MS = 86_400_000
_TYPES = {flow.STAGE: c.TYPE_STAGE, flow.BRANCH: c.TYPE_BRANCH, flow.STEP: c.TYPE_STEP, flow.AGENT: c.TYPE_AGENT}


def spans_of_build(fetched: Fetched, placed: BuildPlace, service: Mapping[str, AttributeValue]) -> list[Span]:
    """Return the spans of a build that has ended, the run's first.

    ``placed``: the build's place. ``service``: the resource attributes of the controller.
    """
    return _Maker(fetched, placed, facts.build_resource(fetched.build, fetched.document, service)).make()


def begun_span(
    placed: BuildPlace,
    span_id: str,
    parent_id: str | None,
    name: str,
    start_ms: int,
    kind: str,
    resource: Mapping[str, AttributeValue],
) -> Span:
    """Return a span without an end. ``start_ms``: milliseconds since the epoch. ``kind``: as jenkins.type has it."""
    return Span(
        trace_id=placed.trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=facts.short_text(name) or kind,
        start_ns=_possible(start_ms) * 1_000_000,
        kind=SERVER if kind == c.TYPE_RUN else INTERNAL,
        attributes={c.JENKINS_TYPE: kind},
        resource=resource,
    )


def run_name(build: Build) -> str:
    """Return the name of a build's run span."""
    return f"RUN {build.job}"


def run_attributes(build: Build, document: Mapping[str, Any], checkouts: Checkouts) -> dict[str, AttributeValue]:
    """Return the attributes of a run span that are known when the build begins."""
    return {
        c.PIPELINE_NAME: build.job,
        c.PIPELINE_RUN_ID: str(build.number),
        c.PIPELINE_RUN_URL: facts.build_url(document),
        c.PIPELINE_ACTION: "RUN",
        c.JENKINS_CAUSES: [facts.short_text(cause.kind) for cause in documents.facts_of(build, document).causes],
        **facts.parameter_attributes(document),
        **versions.version_control_attributes(build, document, checkouts),
    }


def type_and_name(element: flow.Element, description: str) -> tuple[str, str]:
    """Return the type and the name of an element's span. ``description``: by a source; of a ``node`` block, the label."""
    if element.is_input:
        return c.TYPE_INPUT, "Wait for input"
    name = f"Allocate agent {description}".rstrip() if element.kind == flow.AGENT else element.name
    return _TYPES[element.kind], name


@dataclass
class _Maker:
    fetched: Fetched
    placed: BuildPlace
    resource: Mapping[str, AttributeValue]
    spans: list[Span] = field(default_factory=list)

    def make(self) -> list[Span]:
        run = self._run()
        self._queue(run)
        for element in self.fetched.flow.walk():
            self._element(element)
        self._cleanup(run)
        self._configurations(run)
        self._judge_run(run)
        for span in self.spans:
            masking.mask(span)
        return self.spans

    @property
    def build(self) -> Build:
        return self.fetched.build

    def _add(self, parts: Sequence[str], parent_id: str | None, name: str, start_ms: int, end_ms: int, kind: str) -> Span:
        span = begun_span(self.placed, self.build.span_id(*parts), parent_id, name, start_ms, kind, self.resource)
        span.end_ns = _possible(max(end_ms, start_ms)) * 1_000_000
        self.spans.append(span)
        return span

    def _run(self) -> Span:
        document, build = self.fetched.document, self.build
        start = int(document.get("timestamp") or 0)
        end = start + facts.lasted_ms(document.get("duration"))
        if end < self.fetched.end_ms <= end + _LATER_MS:
            end = self.fetched.end_ms
        run = self._add((), self.placed.parent_id, run_name(build), start, end, c.TYPE_RUN)
        causes = documents.facts_of(build, document)
        run.events = [
            *facts.trigger_events(causes, run.start_ns),
            *facts.failed_test_events(self.fetched.failed_tests, run.end_ns),
        ]
        run.links = [*self.placed.links]
        run.attributes.update(
            {
                **run_attributes(build, document, self.fetched.checkouts),
                c.JENKINS_RESULT: facts.short_text(str(document.get("result"))),
                **facts.test_counts(document),
                **facts.author_count(document),
                **facts.interruption_attributes(document),
                **held.held_attributes(self.fetched),
            }
        )
        if not is_pipeline(document):
            # Builds other than Pipeline name their agent. The name of the built-in node is empty.
            run.attributes[c.WORKER_NAME] = facts.short_text(document.get("builtOn") or BUILT_IN)
        if self.fetched.agents:
            run.attributes[c.JENKINS_AGENTS] = sorted(map(facts.short_text, set(self.fetched.agents.values())))
        if self.fetched.console:
            run.attributes[c.JENKINS_LOG] = self.fetched.console
        if self.fetched.too_large:
            run.attributes[c.JENKINS_GRAPH_TOO_LARGE] = True
        return run

    def _queue(self, run: Span) -> None:
        waited = facts.queue_ms(self.fetched.document)
        if waited is None:
            return
        end = run.start_ns // 1_000_000
        span = self._add(("queue",), run.span_id, "Schedule", end - waited["total"], end, c.TYPE_QUEUE)
        span.attributes.update({name: waited[phase] for phase, name in c.JENKINS_QUEUE_PHASES.items() if phase in waited})

    def _element(self, element: flow.Element) -> None:
        times = self.fetched.times.get(element.id)
        if times is None:
            # Not fetched at this detail, or Jenkins did not say.
            return
        kind, name = type_and_name(element, times.description)
        span = self._add(element.key, self._parent(element), name, times.start_ms, times.end_ms, kind)
        span.attributes.update({c.TASK_NAME: span.name, c.TASK_RUN_ID: element.id})
        if not times.known:
            span.attributes[c.JENKINS_TIMES_UNKNOWN] = True
        if element.kind == flow.AGENT:
            self._describe_agent(span, element, times)
            return
        # Graph View repeats the name of a step without an argument.
        if times.description and element.kind == flow.STEP and times.description != element.name:
            span.attributes[c.JENKINS_STEP_DESCRIPTION] = facts.short_text(times.description)
        if element.attempt:
            span.attributes[c.JENKINS_RETRY_ATTEMPT] = element.attempt
        if element.id in self.fetched.logs:
            span.attributes[c.JENKINS_LOG] = self.fetched.logs[element.id]
        if element.id in self.fetched.answered_by:
            span.attributes[c.JENKINS_INPUT_ANSWERED_BY] = facts.short_text(self.fetched.answered_by[element.id])
        self._worker(span, element.agent_id)
        self._started(span, element)
        word = outcome.result_of_element(element, times, self.fetched)
        span.attributes[c.TASK_RUN_RESULT] = word
        if word in c.FAILED_RESULTS:
            self._fail(span, *outcome.error_of_element(word, element, times, self.fetched))

    def _parent(self, element: flow.Element) -> str:
        above = element.parent
        while above is not None and above.id not in self.fetched.times:
            above = above.parent
        return self.build.span_id(*above.key) if above else self.build.run_span_id

    def _describe_agent(self, span: Span, element: flow.Element, times: Times) -> None:
        if times.description:
            span.attributes[c.JENKINS_AGENT_LABEL] = facts.short_text(times.description)
        self._worker(span, element.id)
        span.attributes[c.TASK_RUN_RESULT] = c.SUCCESS if element.id in self.fetched.agents else c.CANCELLATION

    def _worker(self, span: Span, agent_id: str | None) -> None:
        name = self.fetched.agents.get(agent_id or "")
        if name:
            span.attributes[c.WORKER_NAME] = facts.short_text(name)

    def _started(self, span: Span, element: flow.Element) -> None:
        for build in self.fetched.started.get(element.id, ()):
            attributes = {c.JENKINS_LINK: c.LINK_STARTED, c.PIPELINE_NAME: build.job, c.PIPELINE_RUN_ID: str(build.number)}
            span.links.append(Link(self.placed.trace_id, build.run_span_id, attributes))

    def _fail(self, span: Span, error_type: str, message: str) -> None:
        span.attributes[c.ERROR_TYPE] = facts.short_text(error_type)
        span.fail(facts.short_text(message))

    def _judge_run(self, run: Span) -> None:
        """Set the run's result. Its message comes from the first failed step, which is the cause of the later failures."""
        word = outcome.result_of_build(self.fetched.document)
        run.attributes[c.PIPELINE_RESULT] = word
        if word in c.FAILED_RESULTS:
            # If a step failed but its stage did not, the Pipeline retried the step or caught its error.
            broken = {span.span_id for span in self.spans if span.status_code == ERROR} | {run.span_id}
            steps = [span for span in self.spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_STEP]
            failed = [span for span in steps if span.status_message and span.parent_id in broken]
            first = min(failed, key=lambda span: span.end_ns, default=None)
            result = str(self.fetched.document.get("result"))
            self._fail(run, c.TIMEOUT if word == c.TIMEOUT else result, first.status_message if first else "")

    def _configurations(self, run: Span) -> None:
        """Add the configurations of a multi-configuration build, without those that it reused from other builds."""
        for data in self.fetched.document.get("runs") or ():
            start, url = data.get("timestamp", 0), data.get("url", "")
            cell = unquote(url.rstrip("/").rpartition("/")[0].rpartition("/")[2])
            if data.get("number") != self.build.number or start <= 0 or not cell:
                continue
            end = start + facts.lasted_ms(data.get("duration"))
            span = self._add(("configuration", cell), run.span_id, cell, start, end, c.TYPE_BRANCH)
            word = outcome.result_of_build(data)
            span.attributes.update({c.TASK_NAME: span.name, c.TASK_RUN_RESULT: word, c.TASK_RUN_URL: url})
            span.attributes[c.WORKER_NAME] = facts.short_text(data.get("builtOn") or BUILT_IN)
            if word in c.FAILED_RESULTS:
                self._fail(span, str(data.get("result")), "")

    def _cleanup(self, run: Span) -> None:
        """Add the end of the run: after the last of what is at the top level. Nothing is known of it without times."""
        top = [(element, self.fetched.times.get(element.id)) for element in self.fetched.flow.top]
        if any(element.kind != flow.STEP and times is not None and not times.known for element, times in top):
            return
        ends = [element for element, _ in top if element.kind in (flow.STAGE, flow.BRANCH)]
        last = max((times.end_ms for _, times in top if times and times.known), default=0)
        end = run.end_ns // 1_000_000
        if ends and 0 < last < end:
            self._add(("cleanup",), run.span_id, "Clean up", last, end, c.TYPE_CLEANUP)


def _possible(moment_ms: int) -> int:
    """Return a moment that a receiver can take, milliseconds since the epoch."""
    return min(max(moment_ms, 0), LATEST_MS)

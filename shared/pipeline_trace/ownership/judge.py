"""Gives the verdict on a failed build or playbook in the store, from its log, its facts and its history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

from ..lookup.lookup import is_run_of
from ..lookup.source import BuildKey, Window
from ..lookup.twice import are_twice
from ..lookup.wording import utc_time
from ..trace import conventions as c
from ..trace.queries import (
    agents_of,
    attribute_text,
    build_key,
    environment_of,
    failed_tests,
    is_run,
    result_of,
    revision_of,
)
from ..trace.span import ERROR, Link, Span
from . import facts, history
from .failure import Failure, Trace, named_facts
from .log import ansible
from .log.judge import verdict_of_log
from .log.rules import Rules
from .past import FAILURE, SUCCESS, PastBuild
from .verdict import DEV, NOTHING_FAILED, OPS, UNKNOWN, Verdict

# Limits of history: the days before and after, and the number of failures whose log is read.
_DAYS = 7
_WINDOW_NS = _DAYS * 86_400 * 1_000_000_000
_MOST_FAILURES = 100
_MOST_DECIDED = 50


class BuildSource(Protocol):
    """Finds spans. lookup.lookup.Lookup is one."""

    def spans(self, reference: str) -> list[Span]:
        """Return the spans of the trace that a reference names. Raises NotFoundError."""

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans that ended between two times (nanoseconds since the epoch)."""

    def spans_of_build(self, pipeline: str, run: str, *, around: Collection[Window]) -> list[Span]:
        """Return the spans of a build. ``pipeline``: the full job name. ``run``: its number. ``around``: when it ran."""

    def spans_of_builds(self, runs: Sequence[Span]) -> dict[BuildKey, list[Span]]:
        """Return the spans of some builds, by job and number. ``runs``: their run spans.

        It may leave out the hosts on which an Ansible task did not fail.
        """


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it was given on.

    ``start``: the span that was asked for. ``alone``: the verdict without history. ``failing``: the failed build as history
    sees it. ``past``: the builds that history compares it with. Without a failure or a build, there is no history.
    ``because``: what history adds to the evidence, or that the rest still runs.
    """

    verdict: Verdict
    start: Span
    failure: Failure | None = None
    alone: Verdict | None = None
    failing: PastBuild | None = None
    past: Sequence[PastBuild] = ()
    because: Sequence[str] = ()


def judged_for(source: BuildSource, reference: str, rules: Rules) -> Judged:
    """Return who should look first, and on what that rests.

    ``reference``: a trace id, build URL, ``JOB#N`` or ``latest``. Raises NotFoundError.
    """
    return judged_trace(source, source.spans(reference), reference, rules)


def judged_trace(source: BuildSource, spans: Iterable[Span], reference: str, rules: Rules) -> Judged:
    """Return who should look first at a trace, and on what that rests; see ``judged_for``."""
    trace = Trace(spans)
    start = referenced(trace, reference)
    failure = _with_started(source, trace, start)
    if failure is not None:
        return judged_failure(source, failure, rules)
    interrupted = _interrupted(trace, start)
    failure = None if interrupted else trace.failed_so_far()
    if failure is not None:
        return _failed_so_far(failure, start, rules)
    return Judged(interrupted or _not_failed(trace, start), start)


def _failed_so_far(failure: Failure, start: Span, rules: Rules) -> Judged:
    """Return who should look first at a playbook that failed on some hosts and still runs on others. It has no history."""
    alone = verdict_without_history(failure, rules)
    verdict = _naming_hosts(failure, alone)
    hosts = ", ".join(sorted(host.name for host in failure.hosts))
    still = f"{hosts} failed; the rest still runs"
    verdict = replace(verdict, evidence=[*verdict.evidence, still, *_named(failure, verdict)])
    return Judged(verdict, start, failure, alone, because=[still])


def _with_started(source: BuildSource, trace: Trace, start: Span) -> Failure | None:
    """Return what made a span fail, also in a downstream build that stands in another trace."""
    failure = trace.failure(start)
    while failure and failure.downstream:
        around = Window(failure.span.start_ns, failure.span.end_ns)
        more = trace.beyond(span for link in failure.started for span in _started(source, link, around))
        if more is None:
            break
        trace, failure = more, more.failure(start)
    return failure


def _started(source: BuildSource, link: Link, around: Window) -> list[Span]:
    """Return the spans of the build that a step started; none if it is not in the store."""
    job, number = (str(link.attributes.get(name) or "") for name in (c.PIPELINE_NAME, c.PIPELINE_RUN_ID))
    spans = source.spans_of_build(job, number, around=[around])
    run = next((span for span in spans if span.span_id == link.span_id), None)
    if run is None:
        return []
    # Another controller may have a build of this name.
    return [one for one in spans if attribute_text(one, c.PIPELINE_RUN_URL) in ("", attribute_text(run, c.PIPELINE_RUN_URL))]


def judged_failure(source: BuildSource, failure: Failure, rules: Rules) -> Judged:
    """Return who should look first at a failure, and on what that rests. The known facts are in the verdict's evidence."""
    verdict = alone = verdict_without_history(failure, rules)
    failing, past = None, list[PastBuild]()
    if failure.run:
        failing = _run(failure.run, failure, alone)
        past = _history(source, failure, failure.run, rules)
        verdict = history.verdict_with_history(past, failing, alone).settled()
    because = [line for line in verdict.evidence if line not in alone.evidence]
    verdict = _naming_hosts(failure, verdict)
    verdict = replace(verdict, evidence=[*verdict.evidence, *_named(failure, verdict)])
    return Judged(verdict, failure.path[0], failure, alone, failing, past, because)


def _naming_hosts(failure: Failure, verdict: Verdict) -> Verdict:
    """Put the hosts that Ansible could not reach first in the evidence."""
    task = failed_task(failure)
    if verdict.owner != OPS or task is None or not task.unreachable:
        return verdict
    hosts = ", ".join(sorted(task.hosts))
    evidence = [f"{hosts} could not be reached", *verdict.evidence]
    return replace(verdict, evidence=evidence, next=f"Ops looks at {hosts}; the change is not the cause.")


def deciding_lines(failed: Iterable[Span], rules: Rules) -> dict[str, str]:
    """Return the line of the log that decides, by span id: of the first failed spans, as many as a page lists."""
    found: dict[str, str] = {}
    for span in sorted(failed, key=lambda span: span.start_ns):
        failure = Failure([span], [span])
        if len(found) == _MOST_DECIDED:
            break
        if failure.log:
            verdict = verdict_of_log(failure.command, failure.exit_status, failure.log, None, rules).masked()
            if verdict.evidence:
                found[span.span_id] = verdict.evidence[0]
    return found


def failed_task(failure: Failure) -> ansible.TaskFailure | None:
    """Return the Ansible task that failed, from its hosts' results or from the log; None for none."""
    return ansible.failure_of_results(failure.task_result) or ansible.failure_of_output(failure.log.splitlines())


def verdict_without_history(failure: Failure, rules: Rules) -> Verdict:
    """Return the verdict without history: a lost agent decides first, then the log, then other facts."""
    known = next(filter(None, (facts.verdict_of_facts(span.attributes) for span in reversed(failure.path))), None)
    if known and known.kind == "agent_lost":
        return known
    if not failure.log:
        known = _tests(failure) or known
        if known:
            return known
    said = failure.log or failure.span.status_message
    phase = rules.phases.of_names(failure.span.name, failure.stages)
    verdict = verdict_of_log(failure.command, failure.exit_status, said, failure.task_result, rules, phase)
    return known if known and verdict.owner == UNKNOWN and known.owner != UNKNOWN else verdict


def verdict_on_span(trace: Trace, span: Span, rules: Rules) -> Verdict | None:
    """Return the verdict without history on a build or playbook that failed.

    None if it did not fail, or failed because of a build that it started: that one is judged.
    """
    failure = trace.failure(span)
    if failure is None or failure.downstream:
        return None
    if is_run(span) and (failure.run is None or failure.run.span_id != span.span_id):
        return None
    return verdict_without_history(failure, rules)


def _tests(failure: Failure) -> Verdict | None:
    """Return the verdict if only tests failed: `junit` marks the build, but no step fails."""
    failed = failure.run.attributes.get(c.JENKINS_TESTS_FAILED) if failure.run else None
    if failure.run is None or not failed:
        return None
    names = failed_tests(failure.run)
    evidence = [f"tests failed: {', '.join(names[:5])}" if names else "tests failed", f"{failed} of them"]
    return Verdict(DEV, "test_failure", 0.75, evidence, "Dev looks at the tests that failed.")


def referenced(trace: Trace, reference: str) -> Span:
    """Return the span that a reference names in its trace: a build's run, else the root that failed last, else the last."""
    for span in trace.spans:
        if is_run_of(span, reference):
            return span
    return max(trace.roots(), key=lambda span: (span.status_code == ERROR, span.end_ns))


def _interrupted(trace: Trace, start: Span) -> Verdict | None:
    """Return the verdict on what ended a span that did not fail; None if nothing did.

    Jenkins' OpenTelemetry plugin tells of an interruption on the steps alone.
    """
    known = facts.verdict_of_facts(start.attributes)
    if known is None or c.JENKINS_INTERRUPTIONS in start.attributes:
        return known
    stopped = [span for span in trace.spans if c.JENKINS_INTERRUPTIONS in span.attributes]
    first = min(stopped, key=lambda span: span.end_ns, default=start)
    return facts.verdict_of_facts(first.attributes) or known


def _not_failed(trace: Trace, start: Span) -> Verdict:
    running = [span for span in trace.spans if not span.end_ns]
    if running:
        deepest = max(running, key=lambda span: span.start_ns)
        evidence = [f"{deepest.name} has been running since {utc_time(deepest.start_ns)}"]
        return Verdict(UNKNOWN, "running", 0.5, evidence, "To see what runs now, run: pipeline-trace show")
    return Verdict(UNKNOWN, NOTHING_FAILED, 1.0, [f"{start.name}: {result_of(start) or 'no failure'}"], "")


def _named(failure: Failure, verdict: Verdict) -> Iterator[str]:
    found = dict(named_facts(failure))
    build, run = found.pop("build", ""), failure.run
    names = [attribute_text(span, c.PIPELINE_NAME) or span.name if is_run(span) else span.name for span in failure.path]
    if len(names) > 1:
        yield " > ".join(names)
    facts_named = [*([f"build {build}"] if build else []), *(f"{name} {value}" for name, value in found.items())]
    if facts_named:
        yield ", ".join(facts_named)
    authors = run.attributes.get(c.JENKINS_CHANGE_AUTHORS) if run else None
    if verdict.owner == DEV and authors:
        yield f"the change has {authors} author{'s' if authors != 1 else ''}"
    url = attribute_text(run, c.PIPELINE_RUN_URL) if run else ""
    if url:
        yield url


def _history(source: BuildSource, failure: Failure, failing: Span, rules: Rules) -> list[PastBuild]:
    """Return the builds before and after a failed build, each failed one with the line of its log that decides."""
    around = source.runs_between(failing.end_ns - _WINDOW_NS, failing.end_ns + _WINDOW_NS)
    around.sort(key=lambda run: abs(run.end_ns - failing.end_ns))
    others = [run for run in around if run.span_id != failing.span_id and not are_twice(run, failing)]
    failed = [run for run in others if run.status_code == ERROR and run.attributes.get(c.PIPELINE_RESULT) != c.SUCCESS]
    # Most spans of a deploy are hosts on which all went well: these are not read.
    spans = source.spans_of_builds(failed[:_MOST_FAILURES])
    found: list[PastBuild] = []
    for run in others:
        if run.attributes.get(c.PIPELINE_RESULT) == c.SUCCESS:
            found.append(_run(run))
        elif build_key(run) in spans:
            found += _failed(run, spans[build_key(run)], rules)
    return found


def _failed(run: Span, spans: Sequence[Span], rules: Rules) -> Sequence[PastBuild]:
    failure = Trace(spans).failure(run)
    # The downstream build that failed counts instead.
    if failure is None or failure.downstream or (failure.run and build_key(failure.run) != build_key(run)):
        return []
    return [_run(run, failure, verdict_without_history(failure, rules))]


def _run(run: Span, failure: Failure | None = None, verdict: Verdict | None = None) -> PastBuild:
    target, job = environment_of(run), attribute_text(run, c.PIPELINE_NAME)
    agents = agents_of(run)
    return PastBuild(
        # Deploys to one environment tell nothing about another.
        job=f"{job} to {target}" if target else job,
        commit=revision_of(run),
        branch=attribute_text(run, c.VCS_HEAD_NAME).removeprefix("origin/"),
        agent=failure.agent if failure else next(iter(agents), ""),
        at=datetime.fromtimestamp(run.start_ns / 1e9, timezone.utc),
        result=FAILURE if failure else SUCCESS,
        signature=verdict.evidence[0] if verdict and verdict.evidence else "",
        kind=verdict.kind if verdict else "",
        program=verdict.program if verdict else "",
        exit_status=failure.exit_status if failure else None,
        agents=agents,
        environment=target,
        repository=attribute_text(run, c.VCS_REPOSITORY_URL),
        run=run,
    )

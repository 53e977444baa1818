"""Compares a trace with other builds: the usual duration of stages, and flaky stages and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from ..trace import conventions as c
from ..trace.queries import environment_of, failed_tests, has_times, is_stage
from ..trace.span import Span
from .states import STATES, span_type, state

MOST_RUNS = 50
FEWEST_RUNS = 3
# Only a rerun within one day counts for flakiness.
RERUN_NS = 86_400 * 1_000_000_000
# The full job name and the stage's name.
StageKey = tuple[str, str]


@dataclass(frozen=True)
class Usual:
    """The durations of a stage in its last successful builds, in nanoseconds. ``count``: how many builds."""

    median_ns: int
    p95_ns: int
    count: int


@dataclass(frozen=True)
class Flaky:
    """A stage or test that failed in one build and passed in another build of the same commit.

    ``failed_in``, ``passed_in``: build numbers.
    """

    job: str
    name: str
    failed_in: str
    passed_in: str
    test: bool = False


@dataclass(frozen=True)
class OtherBuilds:
    """What the report shows about other builds. Empty if nothing is known."""

    usual: Mapping[StageKey, Usual] = field(default_factory=dict)
    flaky: Sequence[Flaky] = ()


NO_OTHER_BUILDS = OtherBuilds()


class StageSource(Protocol):
    """Finds other builds, in the store."""

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int) -> list[Span]:
        """Return the runs, stages and branches of a job that ended between two times (ns since the epoch), newest first."""


def other_builds(source: StageSource, spans: Sequence[Span]) -> OtherBuilds:
    """Return what earlier and later builds of the same jobs say about a trace."""
    usual: dict[StageKey, Usual] = {}
    flaky: list[Flaky] = []
    for run in (span for span in spans if span_type(span) == c.TYPE_RUN):
        pipeline = str(run.resource.get(c.PIPELINE_NAME) or "")
        if not pipeline:
            continue
        before = source.stages_between(pipeline, 0, run.start_ns)
        usual.update(usual_times(before))
        if run.attributes.get(c.VCS_HEAD_REVISION):
            own = [span for span in spans if _build(span) == _build(run)]
            after = source.stages_between(pipeline, run.start_ns, (run.end_ns or run.start_ns) + RERUN_NS)
            flaky += flaky_in(own, run, [*before, *after])
    return OtherBuilds(usual, list(dict.fromkeys(flaky)))


def usual_times(stages: Iterable[Span]) -> dict[StageKey, Usual]:
    """Return the usual durations of stages in their last MOST_RUNS successes, for stages with at least FEWEST_RUNS."""
    lengths: dict[StageKey, list[int]] = defaultdict(list)
    for span in sorted(stages, key=lambda span: -span.end_ns):
        if is_stage(span) and state(span) == c.SUCCESS and has_times(span):
            lengths[stage_key(span)].append(span.end_ns - span.start_ns)
    recent = {key: sorted(found[:MOST_RUNS]) for key, found in lengths.items()}
    return {
        key: Usual(round(median(found)), percentile(found, 95), len(found))
        for key, found in recent.items()
        if len(found) >= FEWEST_RUNS
    }


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest value that is not exceeded by at least ``percent`` of the values. ``ordered``: sorted values."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def stage_key(span: Span) -> StageKey:
    """Return the full job name and the name of a stage."""
    return str(span.resource.get(c.PIPELINE_NAME) or ""), span.name


def flaky_in(own: Iterable[Span], run: Span, around: Sequence[Span]) -> list[Flaky]:
    """Return stages and tests that failed in one build and passed in another build of the same job, commit and environment.

    ``own``: the spans of the build. ``run``: its run span. ``around``: spans of other builds.
    """
    commit = run.attributes.get(c.VCS_HEAD_REVISION)
    others = [
        span
        for span in around
        if span_type(span) == c.TYPE_RUN
        and span.attributes.get(c.VCS_HEAD_REVISION) == commit
        and _build(span) != _build(run)
        and environment_of(span) == environment_of(run)
    ]
    stages: dict[tuple[str, str], dict[str, str]] = {_build(one): {} for one in (run, *others)}
    for span in (*own, *around):
        if _build(span) in stages and is_stage(span):
            # Of several stages with the same name, the worst state counts.
            kept = stages[_build(span)]
            kept[span.name] = min(kept.get(span.name, state(span)), state(span), key=STATES.index)
    found = []
    for other in others:
        for failing, passing in ((run, other), (other, run)):
            job, number = _build(failing)
            there = _build(passing)[1]
            passed = stages[_build(passing)]
            for name, result in stages[_build(failing)].items():
                if result in c.FAILED_RESULTS and passed.get(name) == c.SUCCESS:
                    found.append(Flaky(job, name, number, there))
            for name in set(failed_tests(failing)) - set(failed_tests(passing)) if _same_tests(failing, passing) else ():
                found.append(Flaky(job, name, number, there, test=True))
    return sorted(_first_of_each(found), key=lambda one: (one.test, one.name))


def _first_of_each(found: Iterable[Flaky]) -> list[Flaky]:
    kept: dict[tuple[bool, str], Flaky] = {}
    for one in found:
        kept.setdefault((one.test, one.name), one)
    return list(kept.values())


def _build(span: Span) -> tuple[str, str]:
    return str(span.resource.get(c.PIPELINE_NAME) or ""), str(span.resource.get(c.PIPELINE_RUN_ID) or "")


def _same_tests(failing: Span, passing: Span) -> bool:
    """Return whether both builds surely ran the same tests: equal counts, and the passing build names all its failures."""
    total, skipped = (passing.attributes.get(name) for name in (c.JENKINS_TESTS_TOTAL, c.JENKINS_TESTS_SKIPPED))
    alike = (failing.attributes.get(c.JENKINS_TESTS_TOTAL), failing.attributes.get(c.JENKINS_TESTS_SKIPPED)) == (
        total,
        skipped,
    )
    return total is not None and alike and passing.attributes.get(c.JENKINS_TESTS_FAILED) == len(set(failed_tests(passing)))

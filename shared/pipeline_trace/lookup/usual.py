"""Compares a trace with other builds: the usual duration of stages, and flaky stages and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Protocol

from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, environment_of, has_times, is_playbook, is_stage
from ..trace.span import Span
from .flaky import Flaky, flaky_builds, is_run_or_stage, reruns_until
from .source import Window
from .states import span_type, state

MOST_RUNS = 50
FEWEST_RUNS = 3
# The full job name and the stage's name.
StageKey = tuple[str, str]


@dataclass(frozen=True)
class Usual:
    """The durations of a stage in its last successful builds, in nanoseconds. ``count``: how many builds."""

    median_ns: int
    p95_ns: int
    count: int


@dataclass(frozen=True)
class OtherBuilds:
    """What the report shows about other builds. Empty if nothing is known."""

    usual: Mapping[StageKey, Usual] = field(default_factory=dict)
    flaky: Sequence[Flaky] = ()


NO_OTHER_BUILDS = OtherBuilds()


class StageSource(Protocol):
    """Finds other builds, in the store."""

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int, *, more: int = 0) -> list[Span]:
        """Return the runs, stages and branches of a job that ended between two times (ns since the epoch), newest first.

        ``more``: how many above the limit of the source.
        """

    def spans_of_build(self, pipeline: str, run: str, *, around: Collection[Window]) -> list[Span]:
        """Return the spans of a build. ``pipeline``: the full job name. ``run``: its number. ``around``: when it ran."""


def other_builds(source: StageSource, spans: Sequence[Span]) -> OtherBuilds:
    """Return what earlier and later builds of the same jobs say about a trace.

    Of a job with several builds in the trace, the usual times are those before the last of them.
    """
    own: dict[str, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    runs: list[Span] = []
    for span in spans:
        job, number = build_key(span)
        if job:
            own[job][number].append(span)
            if span_type(span) == c.TYPE_RUN:
                runs.append(span)
    usual: dict[StageKey, Usual] = {}
    flaky: dict[int, list[Flaky]] = {}
    # Queried once for all builds of a job: a query reads thousands of spans.
    for job, found in _by_job(runs).items():
        last = max(found, key=lambda run: run.start_ns)
        others = [span for number, build in own[job].items() if number != build_key(last)[1] for span in build]
        before = source.stages_between(job, 0, last.start_ns, more=sum(map(is_run_or_stage, others)))
        usual.update(usual_times(before))
        named = [run for run in found if attribute_text(run, c.VCS_HEAD_REVISION)]
        if named:
            after = source.stages_between(job, last.start_ns, max(map(reruns_until, named)))
            found_flaky = flaky_builds(named, own[job], [*before, *after], environments_of(source, own[job]))
            flaky.update(zip(map(id, named), found_flaky, strict=True))
    return OtherBuilds(usual, list(dict.fromkeys(one for run in runs for one in flaky.get(id(run), ()))))


def environments_of(source: StageSource, own: Mapping[str, Sequence[Span]]) -> Callable[[Span], str]:
    """Return a function that tells where a run deploys to: what it says itself, else what its playbooks say; "" for none.

    ``own``: spans that are known, by build number; those of other builds are queried.
    """

    @cache
    def of_playbooks(job: str, number: str, around: Window) -> str:
        spans = own.get(number) or source.spans_of_build(job, number, around=[around])
        return next(filter(None, map(environment_of, filter(is_playbook, spans))), "")

    return lambda run: environment_of(run) or of_playbooks(*build_key(run), Window(run.start_ns, run.end_ns))


def _by_job(runs: Iterable[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = defaultdict(list)
    for run in runs:
        found[build_key(run)[0]].append(run)
    return found


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
    return build_key(span)[0], span.name

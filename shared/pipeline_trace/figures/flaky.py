"""Which stages and tests of a job fail and pass on one commit, and what that costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..lookup.flaky import flaky_builds
from ..lookup.lookup import Lookup
from ..lookup.source import Wanted, Window
from ..lookup.usual import environments_of
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, is_run
from ..trace.span import Span


@dataclass(frozen=True)
class Flakiness:
    """A stage or test that failed in builds, and passed in others of the same commits.

    ``failed``: the run spans of the builds that failed. ``lost_ns``: how long these ran, in nanoseconds.
    """

    name: str
    test: bool
    failed: Sequence[Span]
    lost_ns: int


def flakiness(lookup: Lookup, job: str, within: Window) -> list[Flakiness]:
    """Return what is flaky in the newest builds of a job that ended within a time: what costs most comes first."""
    spans = lookup.stages_between(job, within.from_ns, within.to_ns)
    own: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        own[build_key(span)[1]].append(span)
    runs = {build_key(span)[1]: span for span in spans if is_run(span)}
    named = [run for run in runs.values() if attribute_text(run, c.VCS_HEAD_REVISION)]
    found: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for flaky in flaky_builds(named, own, spans, _environment(lookup, job, within)):
        for one in flaky:
            found[one.test, one.name].add(one.failed_in)
    costs = [_cost(name, test, [runs[number] for number in sorted(numbers)]) for (test, name), numbers in found.items()]
    return sorted(costs, key=lambda one: (-one.lost_ns, one.test, one.name))


def _environment(lookup: Lookup, job: str, within: Window) -> Callable[[Span], str]:
    """Return a function that tells where a run deploys to. A job that never deploys is asked nothing."""
    if not lookup.figures("deploy", within, [Wanted("pipeline", job)]):
        return lambda run: ""
    return environments_of(lookup, {})


def _cost(name: str, test: bool, failed: Sequence[Span]) -> Flakiness:
    return Flakiness(name, test, failed, sum(run.end_ns - run.start_ns for run in failed))

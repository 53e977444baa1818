"""Asks for the platform over time: what builds waited for, and what failed because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..change.entries import Entry, Judge, not_judged
from ..lookup.lookup import Lookup
from ..lookup.source import Figures
from ..ownership.verdict import OPS
from ..trace import conventions as c
from .held import AgentTime, agent_time
from .periods import Periods
from .results import Results, results_of, together
from .slower import Compared, Slower, by_names, compared, slower
from .verdicts import Verdict, failed_runs, verdicts_of


@dataclass(frozen=True)
class WaitOverTime:
    """How long builds waited for an agent of a label, or in the queue of a job."""

    name: str
    both: Compared
    slower: Slower | None

    @property
    def most_ns(self) -> int:
        """Return within which time 95 % of the newest that are known ended, in nanoseconds."""
        known = self.both.now or self.both.before
        return known.most_ns if known else 0


@dataclass(frozen=True)
class JobResults:
    """How the builds of a job ended, in the period and in the one before."""

    job: str
    now: Results
    before: Results


@dataclass(frozen=True)
class PlatformOverTime:
    """The platform. ``agents``: by label; ``queues``: by job; of both the longest waits come first. ``jobs``: most failures.
    ``held``: for how long builds held executors.

    ``failed``: the runs that failed in the period, the newest first; ``failed_before``: in the one before, None if there are
    too many for one answer.
    """

    periods: Periods
    agents: Sequence[WaitOverTime]
    queues: Sequence[WaitOverTime]
    jobs: Sequence[JobResults]
    held: AgentTime
    failed: Sequence[Entry]
    failed_before: Sequence[Entry] | None

    @property
    def verdicts(self) -> list[Verdict]:
        """Return whose the failures were."""
        return verdicts_of(self.failed, self.failed_before if self.periods.knows_before else None)

    @property
    def now(self) -> Results:
        """Return how the builds of the period ended."""
        return together(one.now for one in self.jobs)

    @property
    def before(self) -> Results:
        """Return how the builds of the period before ended."""
        return together(one.before for one in self.jobs)


def platform_over_time(lookup: Lookup, periods: Periods, judge: Judge = not_judged) -> PlatformOverTime:
    """Return the platform over time. ``judge``: gives the runs that failed their verdicts."""
    jobs = compared(lookup.figures("job", periods.both, days=periods.days), periods)
    waits = compared(lookup.figures("wait", periods.both, days=periods.days), periods)
    waits_by_day = by_names(lookup.figures("wait", periods.both))
    failed = failed_runs(lookup, [], periods, judge)
    return PlatformOverTime(
        periods,
        _waits(waits, waits_by_day, c.TYPE_AGENT),
        _waits(waits, waits_by_day, c.TYPE_QUEUE),
        _jobs(jobs),
        agent_time(lookup, periods),
        failed.now,
        failed.before,
    )


def of_platform(runs: Sequence[Entry]) -> list[Entry]:
    """Return the runs whose failure is the platform's, by the verdicts on their logs."""
    return [run for run in runs if run.owner == OPS]


def _waits(
    waits: Mapping[tuple[str, ...], Compared], by_day: Mapping[tuple[str, ...], Sequence[Figures]], kind: str
) -> list[WaitOverTime]:
    own = [(names, both) for names, both in waits.items() if names[0] == kind]
    found = [WaitOverTime(names[-1], both, slower(both, by_day.get(names, ()))) for names, both in own]
    return sorted(found, key=lambda one: (one.both.now is None, -one.most_ns, one.name))


def _jobs(jobs: Mapping[tuple[str, ...], Compared]) -> list[JobResults]:
    found = [JobResults(names[0], *(results_of([one] if one else []) for one in both)) for names, both in jobs.items()]
    return sorted(found, key=lambda one: (-one.now.failed, -one.now.runs, one.job))

"""Asks for a job over time: how often it ran and how it ended, how long it and its stages took, what it waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..change.entries import Entry, Judge, builds_of, not_judged
from ..change.runs import RunTree
from ..change.waits import MACHINE, Wait, covered_ns, waits_of
from ..lookup.lookup import Lookup
from ..lookup.source import Figures, Wanted, Window
from ..lookup.usual import percentile
from ..trace import conventions as c
from ..trace.queries import is_playbook, is_run
from .flaky import Flakiness, flakiness
from .held import AgentTime, agent_time
from .periods import Periods
from .results import Results, results_of, within
from .slower import NOTHING, Compared, Slower, by_names, compared, slower
from .verdicts import Verdict, failed_runs, verdicts_of

# So many runs are read whole, of each period.
MOST_RUNS = 60
_MOST_SPANS = 20_000


@dataclass(frozen=True)
class StageOverTime:
    """A stage, or another part of a job. ``green``: how long it took where it succeeded. ``failed``: how often it failed."""

    name: str
    green: Compared
    failed: int
    failed_before: int
    slower: Slower | None

    @property
    def took_ns(self) -> int:
        """Return the newest median that is known, in nanoseconds."""
        known = self.green.now or self.green.before
        return known.median_ns if known else 0


@dataclass(frozen=True)
class Run:
    """A run with what it waited for."""

    entry: Entry
    waits: Sequence[Wait]

    @property
    def queued_ns(self) -> int:
        """Return how long it waited for the platform, before it began and in it, in nanoseconds."""
        waits = [one for one in self.waits if one.on == MACHINE]
        first = min((one.start_ns for one in waits), default=0)
        return covered_ns(waits, first, max((one.end_ns for one in waits), default=0))

    @property
    def worked_ns(self) -> int:
        """Return how long it ran without such waits, in nanoseconds."""
        inside = covered_ns([one for one in self.waits if one.on == MACHINE], self.entry.start_ns, self.entry.end_ns)
        return max(self.entry.end_ns - self.entry.start_ns - inside, 0)


class Waited(NamedTuple):
    """How long some runs waited, in nanoseconds: 50 % and 95 % so long or less. ``runs``: how many."""

    median_ns: int
    p95_ns: int
    runs: int


@dataclass(frozen=True)
class JobOverTime:
    """A job. ``by_day``: all runs of each day of both periods; ``green_by_day``: those that succeeded.

    ``stages``: the slowest first. ``runs``: the newest ones of the period, the newest last; ``before``: of the one before.
    ``plays``: whether playbooks ran in it. ``held``: for how long it held executors.
    """

    job: str
    periods: Periods
    by_day: Sequence[Figures]
    green: Compared
    green_by_day: Sequence[Figures]
    slower: Slower | None
    stages: Sequence[StageOverTime]
    runs: Sequence[Run]
    before: Sequence[Run]
    flaky: Sequence[Flakiness]
    verdicts: Sequence[Verdict]
    plays: bool
    held: AgentTime

    def results(self, window: Window) -> Results:
        """Return how often it ran in one of the periods, and how it ended."""
        return results_of(within(self.by_day, window))

    @property
    def tells_waits(self) -> bool:
        """Return whether any run tells of a wait for the platform: where none does, it is not known that none waited."""
        return any(one.on == MACHINE for run in (*self.runs, *self.before) for one in run.waits)


def job_over_time(lookup: Lookup, job: str, periods: Periods, judge: Judge = not_judged) -> JobOverTime:
    """Return a job over time. ``judge``: gives the runs that failed their verdicts."""
    own, green = Wanted("pipeline", job), Wanted("result", c.SUCCESS)
    by_day = lookup.figures("job", periods.both, [own])
    green_by_day = lookup.figures("job", periods.both, [own, green])
    whole = compared(lookup.figures("job", periods.both, [own, green], days=periods.days), periods).get((job,), NOTHING)
    failed = failed_runs(lookup, [own], periods, judge)
    (runs, plays), (before, _plays) = (_runs(lookup, job, window) for window in (periods.now, periods.before))
    return JobOverTime(
        job,
        periods,
        by_day,
        whole,
        green_by_day,
        slower(whole, green_by_day),
        _stages(lookup, own, periods),
        runs,
        before,
        flakiness(lookup, job, periods.now),
        verdicts_of(failed.now, failed.before if periods.knows_before else None),
        plays,
        agent_time(lookup, periods, [own]),
    )


def parts_over_time(lookup: Lookup, job: str, periods: Periods) -> dict[str, list[StageOverTime]]:
    """Return the tasks and the hosts of a job's playbooks, by these words. Reads all of both periods.

    There are too many for figures of each day: of what got slower, it is not known since when.
    """
    own = Wanted("pipeline", job)
    found: dict[str, list[StageOverTime]] = {}
    for counted in ("task", "host"):
        figures = lookup.figures(counted, periods.both, [own], days=periods.days)
        both = {names[-1]: one for names, one in compared(figures, periods).items()}
        found[f"{counted}s"] = _slowest([_part(name, one, one, slower(one, ())) for name, one in both.items()])
    return found


def waited(runs: Sequence[Run]) -> Waited | None:
    """Return how long runs waited for the platform; None without runs."""
    lengths = sorted(one.queued_ns for one in runs)
    return Waited(percentile(lengths, 50), percentile(lengths, 95), len(lengths)) if lengths else None


def _stages(lookup: Lookup, own: Wanted, periods: Periods) -> list[StageOverTime]:
    green = [own, Wanted("result", c.SUCCESS)]
    ended = compared(lookup.figures("stage", periods.both, [own], days=periods.days), periods)
    took = compared(lookup.figures("stage", periods.both, green, days=periods.days), periods)
    by_day = by_names(lookup.figures("stage", periods.both, green))
    parts = [
        _part(names[-1], took.get(names, NOTHING), all_of, slower(took.get(names, NOTHING), by_day.get(names, ())))
        for names, all_of in ended.items()
    ]
    return _slowest(parts)


def _part(name: str, green: Compared, ended: Compared, slow: Slower | None) -> StageOverTime:
    failed, before = (results_of([one] if one else []).failed for one in ended)
    return StageOverTime(name, green, failed, before, slow)


def _slowest(parts: Sequence[StageOverTime]) -> list[StageOverTime]:
    return sorted(parts, key=lambda one: (-one.took_ns, one.name))


def _runs(lookup: Lookup, job: str, window: Window) -> tuple[list[Run], bool]:
    """Return the newest runs that began within a time, and whether playbooks ran in them."""
    noted = lookup.noted([[Wanted("pipeline", job)]], 3 * MOST_RUNS, Window(window.from_ns, window.to_ns))
    traces = list(dict.fromkeys(span.trace_id for span in noted if is_run(span)))[:MOST_RUNS]
    spans = lookup.outlines(traces, _MOST_SPANS)
    waits: Mapping[str, Sequence[Wait]] = _waits(RunTree(spans))
    own = [
        one for one in builds_of(spans) if one.job == job and window.from_ns <= one.start_ns <= window.to_ns and one.end_ns
    ]
    found = [Run(one, waits[one.span_id]) for one in own[-MOST_RUNS:]]
    return found, any(map(is_playbook, spans))


def _waits(runs: RunTree) -> dict[str, tuple[Wait, ...]]:
    return {run.span_id: waits_of(runs.within(run)) for run in runs.runs}

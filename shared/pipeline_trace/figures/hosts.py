"""Asks for a host over time: what Ansible ran there, what failed, and when it could not be reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ..lookup.lookup import Lookup
from ..lookup.source import Figures, OnHost, Wanted, Window
from ..lookup.states import has_failed, remark, state
from ..trace import conventions as c
from ..trace.queries import build_name_of
from .periods import Periods
from .results import Results, results_of, within

# So many tasks are read whole.
MOST_TASKS = 1000


@dataclass(frozen=True)
class TaskOnHost:
    """A task that ran on a host. ``changed``: how often it did that. ``median_ns``: where it succeeded, None if nowhere."""

    name: str
    runs: int
    failed: int
    changed: int
    median_ns: int | None


@dataclass(frozen=True)
class Visit:
    """What ran on a host in one build or trace, the newest task first. ``build``: JOB#N, "" outside of builds."""

    trace_id: str
    build: str
    tasks: Sequence[OnHost]

    @property
    def start_ns(self) -> int:
        """Return when the first of them began, in nanoseconds since the epoch."""
        return min(one.host.start_ns for one in self.tasks)


@dataclass(frozen=True)
class HostOverTime:
    """A host. ``by_day``: its tasks on each day of both periods. ``newest``: the newest MOST_TASKS of the period."""

    host: str
    periods: Periods
    by_day: Sequence[Figures]
    newest: Sequence[OnHost]

    def results(self, window: Window) -> Results:
        """Return how many tasks ran in one of the periods, and how they ended. An error is a host that was not reached."""
        return results_of(within(self.by_day, window))

    @property
    def failures(self) -> list[OnHost]:
        """Return the newest tasks that failed, or for which the host was not reached."""
        return [one for one in self.newest if has_failed(one.host)]

    @property
    def visits(self) -> list[Visit]:
        """Return what ran there, by build, else by trace, the newest first."""
        found: dict[tuple[str, str], list[OnHost]] = {}
        for one in self.newest:
            found.setdefault((one.host.trace_id, build_name_of(one.host)), []).append(one)
        return [Visit(*key, those) for key, those in found.items()]

    @property
    def tasks(self) -> list[TaskOnHost]:
        """Return the tasks that ran there, the slowest first. What was skipped did not run."""
        found: dict[str, list[OnHost]] = {}
        for one in self.newest:
            if state(one.host) != c.SKIP:
                found.setdefault(one.task.name if one.task else "", []).append(one)
        tasks = [_task(name, those) for name, those in found.items()]
        return sorted(tasks, key=lambda one: (-(one.median_ns or 0), one.name))


def host_over_time(lookup: Lookup, host: str, periods: Periods) -> HostOverTime:
    """Return a host over time. ``host``: its name in inventories."""
    by_day = lookup.figures("host", periods.both, [Wanted("host", host)])
    return HostOverTime(host, periods, by_day, lookup.on_host(host, periods.now, MOST_TASKS))


def _task(name: str, ran: Iterable[OnHost]) -> TaskOnHost:
    hosts = [one.host for one in ran]
    green = [span.end_ns - span.start_ns for span in hosts if state(span) == c.SUCCESS]
    return TaskOnHost(
        name,
        len(hosts),
        sum(map(has_failed, hosts)),
        sum(remark(span) == "changed" for span in hosts),
        round(median(green)) if green else None,
    )

"""For how long builds held executors of agents, by label and by job, in a period and in the one before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..lookup.lookup import Lookup
from ..lookup.source import TOLD, Figures, Wanted
from .cost import Held
from .periods import Periods
from .slower import compared


class Told(NamedTuple):
    """How many builds there were, and how many of them tell for how long they held executors."""

    told: int = 0
    builds: int = 0


NOBODY = Told()


@dataclass(frozen=True)
class HeldOverTime:
    """What was held in the period and in the one before. ``name``: the label or agent, or the job."""

    name: str
    now: Sequence[Held]
    before: Sequence[Held]

    @property
    def now_ns(self) -> int:
        """Return how long executors were held in the period, in nanoseconds."""
        return sum(one.length_ns for one in self.now)

    @property
    def before_ns(self) -> int:
        """Return how long executors were held in the period before, in nanoseconds."""
        return sum(one.length_ns for one in self.before)


@dataclass(frozen=True)
class AgentTime:
    """For how long executors were held. ``parts``: job, what was held in the period, and in the one before."""

    now: Told = NOBODY
    before: Told = NOBODY
    parts: Sequence[tuple[str, Held, Held]] = ()

    @property
    def whole(self) -> HeldOverTime:
        """Return all of it."""
        return HeldOverTime("", [now for _job, now, _before in self.parts], [before for _job, _now, before in self.parts])

    @property
    def by_label(self) -> list[HeldOverTime]:
        """Return what was held by label, and by agent where the label is not known; the longest first."""
        return self._by(lambda _job, held: held.label or held.worker)

    @property
    def by_job(self) -> list[HeldOverTime]:
        """Return what was held by job, the longest first."""
        return self._by(lambda job, _held: job)

    def _by(self, name: Callable[[str, Held], str]) -> list[HeldOverTime]:
        found: dict[str, list[tuple[Held, Held]]] = defaultdict(list)
        for job, now, before in self.parts:
            found[name(job, now)].append((now, before))
        lines = [HeldOverTime(name, *zip(*both, strict=True)) for name, both in found.items()]
        return sorted(lines, key=lambda one: (-one.now_ns, -one.before_ns, one.name))


def agent_time(lookup: Lookup, periods: Periods, wanted: Sequence[Wanted] = ()) -> AgentTime:
    """Return for how long builds held executors. ``wanted``: the traits of these builds."""
    builds: list[list[Told]] = [[], []]
    parts = []
    figures = compared(lookup.figures("held", periods.both, wanted, days=periods.days), periods)
    for (job, label, worker), both in figures.items():
        if label or worker:
            now, before = (Held(label, worker, one.total_ns if one else 0) for one in both)
            parts.append((job, now, before))
        else:
            for counted, one in zip(builds, both, strict=True):
                counted.append(_told(one))
    told, told_before = map(_together, builds)
    return AgentTime(told, told_before, sorted(parts))


def _told(builds: Figures | None) -> Told:
    return Told(builds.results.get(TOLD, 0), builds.runs) if builds else Told()


def _together(some: Sequence[Told]) -> Told:
    return Told(sum(one.told for one in some), sum(one.builds for one in some))

"""Turns attempts into the path of each service: its steps in order, each with its state. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..lookup import states
from ..trace import conventions as c
from ..trace.words import USUAL_ENVIRONMENTS, usual_environment
from .attempt import CHECKS, LOCAL, MERGE, REVIEW, Attempt

# States besides lookup.states.STATES. Not known: there is no attempt, but the step may have happened all the same.
NOT_KNOWN, NOT_REACHED = "not known", "not reached"
BEFORE = (LOCAL, CHECKS, REVIEW, MERGE)
_CHANGING = re.compile(r"\d+|[0-9a-f]{7,}")


@dataclass(frozen=True)
class Step:
    """A step of a path. ``attempts``: this commit's attempts; the last one counts.

    ``expected``: a build skipped this step, or other commits reached it. ``later``: another commit's deploy after the last
    attempt. ``passed_by``: how many builds of the commit started after the last attempt and did not reach this step.
    """

    name: str
    attempts: tuple[Attempt, ...] = ()
    expected: bool = False
    later: Attempt | None = None
    passed_by: int = 0

    @property
    def last(self) -> Attempt | None:
        """Return the last attempt, which decides the state; None if there is none."""
        return self.attempts[-1] if self.attempts else None

    @property
    def state(self) -> str:
        """Return one of lookup.states.STATES, NOT_KNOWN or NOT_REACHED."""
        if self.last:
            return self.last.state if self.last.state != states.NO_STATE else NOT_KNOWN
        return NOT_REACHED if self.expected else NOT_KNOWN

    @property
    def failures(self) -> int:
        """Return how many attempts in a row failed, up to the last one."""
        count = 0
        for attempt in reversed(self.attempts):
            if attempt.state not in c.FAILED_RESULTS:
                break
            count += 1
        return count

    @property
    def alike(self) -> bool:
        """Return whether the last failures have the same place and message, except for numbers and hashes."""
        failed = self.attempts[len(self.attempts) - self.failures :]
        said = {(one.where, _CHANGING.sub("#", one.message)) for one in failed}
        return len(failed) > 1 and len(said) == 1 and any(one.message for one in failed)

    @property
    def green_before(self) -> Attempt | None:
        """Return the last successful attempt before the last attempt."""
        return next((one for one in reversed(self.attempts[:-1]) if one.state == c.SUCCESS), None)

    @property
    def failed_before(self) -> int:
        """Return how many attempts before the last one failed."""
        return sum(one.state in c.FAILED_RESULTS for one in self.attempts[:-1])


@dataclass(frozen=True)
class ServicePath:
    """One service's path. ``steps``: BEFORE, then the environments in order."""

    service: str
    steps: tuple[Step, ...]
    versions: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[Step, ...]:
        """Return the steps that are deploys."""
        return self.steps[len(BEFORE) :]


def service_paths(own: Sequence[Attempt], others: Sequence[Attempt]) -> list[ServicePath]:
    """Return the path of each service that a commit's attempts belong to; one path without a name if there is no service.

    ``own``: the commit's attempts. ``others``: attempts of other commits; they tell which environments exist and what was
    deployed later.
    """
    deploying = {one.service for one in (*own, *others) if one.step not in BEFORE}
    names = sorted({one.service for one in own} & deploying)
    names = names or sorted({one.service for one in own if one.step == MERGE})[:1] or [""]
    return [_service_path(name, own, others, deploying) for name in names]


@dataclass
class _Seen:
    mine: list[Attempt] = field(default_factory=list)
    skipped: list[Attempt] = field(default_factory=list)
    others: list[Attempt] = field(default_factory=list)


def _service_path(name: str, own: Sequence[Attempt], others: Sequence[Attempt], deploying: set[str]) -> ServicePath:
    seen: dict[str, _Seen] = {}
    for one in own:
        # An attempt of no deployed service belongs to every service: it is one build for all of them.
        if one.service == name or (one.step in BEFORE and one.service not in deploying):
            entry = seen.setdefault(one.step, _Seen())
            (entry.skipped if one.state == c.SKIP else entry.mine).append(one)
    for one in others:
        if one.service == name and one.step not in BEFORE:
            seen.setdefault(one.step, _Seen()).others.append(one)
    order = [*BEFORE, *_in_order({step: entry for step, entry in seen.items() if step not in BEFORE})]
    versions = dict.fromkeys(one.version for one in own if one.service == name and one.version)
    return ServicePath(name, tuple(_step(step, seen.get(step, _Seen())) for step in order), tuple(versions))


def _step(name: str, seen: _Seen) -> Step:
    mine = _deciding_job(seen.mine) if name in BEFORE else seen.mine
    last = mine[-1] if mine else None
    since = [one for one in seen.others if last and one.state == c.SUCCESS and one.start_ns > last.start_ns]
    # A deploy that names no commit and no version may be a deploy of this commit.
    since = [one for one in since if one.commit or (one.version and last and one.version != last.version)]
    passed_by = sum(one.start_ns > last.start_ns and one.run != last.run for one in seen.skipped) if last else 0
    return Step(name, tuple(mine), bool(seen.skipped or seen.others), since[-1] if since else None, passed_by)


def _deciding_job(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts of the job with the worst last attempt: all jobs that check a commit must be green."""
    jobs: dict[str, list[Attempt]] = {}
    for one in attempts:
        jobs.setdefault(one.run.rpartition("#")[0], []).append(one)
    return min(jobs.values(), key=lambda those: (states.STATES.index(those[-1].state), -those[-1].start_ns), default=[])


def _in_order(seen: dict[str, _Seen]) -> list[str]:
    """Return the environments in the usual order. It always has the usual ones; the others are placed by their time."""
    at = {name: usual_environment(name) for name in seen}
    missing = [usual for usual in USUAL_ENVIRONMENTS if usual not in at.values()]
    known = [name for name in at if at[name]] + missing
    known.sort(key=lambda name: (USUAL_ENVIRONMENTS.index(at.get(name) or name), _first(seen.get(name))))
    for name in sorted((name for name in seen if not at[name]), key=lambda name: _first(seen[name])):
        before = [i for i, other in enumerate(known) if other in seen and _first(seen[other]) <= _first(seen[name])]
        known.insert(before[-1] + 1 if before else 0, name)
    return known


def _first(seen: _Seen | None) -> int:
    """Return when an environment was first reached (ns), by this commit, else by others; if never, it comes last."""
    times = [one.start_ns for one in (seen.mine or seen.skipped or seen.others)] if seen else []
    return min(times, default=1 << 63)

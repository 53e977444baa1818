"""Defines what the comparison of two runs tells. All texts in it are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """One of the two runs: a build, a playbook, or a run of another CI system.

    ``name``: JOB#N, or the playbook's name. ``url``: of its page, "" for none. ``state``: one of lookup.states.STATES.
    ``start_ns``: nanoseconds since the epoch. ``took_ns``: how long it took; None if that is not known, or it still runs.
    """

    name: str
    url: str
    trace_id: str
    span_id: str
    state: str
    start_ns: int
    took_ns: int | None


@dataclass(frozen=True)
class Part:
    """A part of a run. ``kind``: such as stage or task. ``path``: the names of what it is in, from the run's stage down.

    ``trace_id``, ``span_id``: of its span. ``took_ns``: None if that is not known, or it still runs. ``below``: how many
    parts are in it.
    """

    kind: str
    name: str
    path: Sequence[str]
    trace_id: str
    span_id: str
    state: str
    took_ns: int | None
    below: int = 0

    @property
    def kind_beside(self) -> str:
        """Return its kind, to stand before its name; "" if the name begins with it."""
        return "" if self.name.lower().startswith(f"{self.kind} ") else self.kind

    @property
    def title(self) -> str:
        """Return its kind and its name."""
        return f"{self.kind_beside} {self.name}".lstrip()


@dataclass(frozen=True)
class Pair:
    """A part that is in both runs."""

    run: Part
    base: Part

    @property
    def more_ns(self) -> int:
        """Return how much longer it took in the run, in nanoseconds; 0 if that is not known."""
        run, base = self.run.took_ns, self.base.took_ns
        return 0 if run is None or base is None else run - base


@dataclass(frozen=True)
class Failed:
    """Where a failure began. ``base``: the same part of the other run; None if it has none.

    ``hosts``: the hosts that failed, of a task. ``cause``: the line that tells most of why, "" for none.
    """

    run: Part
    base: Part | None
    hosts: Sequence[str] = ()
    cause: str = ""


@dataclass(frozen=True)
class Difference:
    """What both runs say of themselves, and not alike. ``run``, ``base``: "" where one of them does not say it.

    ``url``: of the page that compares both, "" for none.
    """

    name: str
    run: str
    base: str
    url: str = ""


@dataclass(frozen=True)
class Slower:
    """Parts that took longer, the most time first, by what they are."""

    stages: Sequence[Pair] = ()
    steps: Sequence[Pair] = ()
    tasks: Sequence[Pair] = ()
    waits: Sequence[Pair] = ()


@dataclass(frozen=True)
class Comparison:
    """What is not alike in two runs. ``base``: the run to compare with.

    ``new``, ``gone``: parts that only one of them has; of what is in them, nothing is listed. ``not_reached``: parts of the
    base at which the run did not arrive. ``commits``: those that differ, of the application and of other repositories.
    ``same_commit``: whether both are surely of one commit. ``built``: the commits that the job built since the base, oldest
    first. ``note``: what a reader must know of the choice of the base, or "".
    """

    run: Compared
    base: Compared
    failed: Sequence[Failed] = ()
    new: Sequence[Part] = ()
    gone: Sequence[Part] = ()
    not_reached: Sequence[Part] = ()
    slower: Slower = Slower()
    commits: Sequence[Difference] = ()
    same_commit: bool = False
    built: Sequence[str] = ()
    parameters: Sequence[Difference] = ()
    others: Sequence[Difference] = ()
    note: str = ""

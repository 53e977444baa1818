"""Defines the account of a failure: what is known around it. All texts in it are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..verdict import Verdict


@dataclass(frozen=True)
class Build:
    """A build. ``name``: JOB#N. ``url``: of its page. ``at_ns``: its start, in nanoseconds since the epoch."""

    name: str
    url: str
    at_ns: int
    commit: str = ""


@dataclass(frozen=True)
class Others:
    """The builds of another job that ended alike. ``job``: with its environment. ``last``: the newest of them."""

    job: str
    agent: str
    count: int
    last: Build


@dataclass(frozen=True)
class Streak:
    """How often builds of one job fail alike.

    ``first``: the first that failed so since the job was last green. ``alike`` of the last ``builds`` failed so. ``green``:
    the last green build before ``first``. ``commits``: those that were built since it, oldest first. ``authors``: how many
    people's changes these builds have, None if it is not known. ``compare``: the address of a page with the commits since.
    ``green_again``: the first green build after the failure.
    """

    job: str
    first: Build
    alike: int
    builds: int
    green: Build | None = None
    commits: Sequence[str] = ()
    authors: int | None = None
    compare: str = ""
    green_again: Build | None = None


@dataclass(frozen=True)
class Start:
    """What started the build that was asked for. ``kind``: of the cause, such as user. ``by``: who or what, in words.

    ``way``: the builds from that one down to the failed one, each started by the one before it.
    """

    kind: str
    by: str
    way: Sequence[Build]


@dataclass(frozen=True)
class Place:
    """Where it failed. ``steps``: names of the spans from the build down to the one that failed."""

    agent: str = ""
    hosts: Sequence[str] = ()
    environment: str = ""
    steps: Sequence[str] = ()


@dataclass(frozen=True)
class Account:
    """What is known around a failure. What is not known is empty or None.

    ``says``: who should look and why, in one sentence. ``because``: what history tells for it. ``line``: the line that
    decides. ``seen``: what else the log and the facts tell. ``alike``: other jobs that fail so. ``fine``: what passes
    meanwhile, on the same agent or of the same job. ``then``: what to do, in one sentence. ``commands``: to go on with.
    ``page``: the address of the trace's page.
    """

    verdict: Verdict
    says: str
    build: Build | None = None
    trace_id: str = ""
    because: Sequence[str] = ()
    line: str = ""
    seen: Sequence[str] = ()
    streak: Streak | None = None
    start: Start | None = None
    place: Place = Place()
    alike: Sequence[Others] = ()
    fine: Sequence[Others] = ()
    then: str = ""
    commands: Sequence[str] = ()
    page: str = ""

"""What a controller has queued and running now: the builds, what each of them does, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import build_name

AGENT, EXECUTOR, APPROVAL = c.WAIT_AGENT, c.WAIT_EXECUTOR, c.WAIT_APPROVAL
BUILD, LOCK, QUIET_PERIOD, BLOCKED = c.WAIT_BUILD, c.WAIT_LOCK, c.WAIT_QUIET_PERIOD, c.WAIT_BLOCKED
QUEUED, RUNNING = "queued", "running"


@dataclass(frozen=True)
class OpenWait:
    """What a build waits for. ``since_ms``: milliseconds since the epoch; None if Jenkins does not say.

    ``what``: the label, the question to a person, the build, the job or the locked resource. ``reason``: Jenkins' own reason
    for the wait. ``stuck``: Jenkins marks the queue item as stuck.
    """

    kind: str
    since_ms: int | None
    what: str = ""
    reason: str = ""
    stuck: bool = False


@dataclass(frozen=True)
class Activity:
    """What a running build does now, in one of its parallel branches. ``wait``: None if a step runs.

    ``since_ms``: milliseconds since the epoch; None if it is not known. ``attempt``: in a ``retry`` block, from 1; 0 without
    one. ``limited``: there is a ``timeout`` block around it.
    """

    stages: tuple[str, ...]
    step: str = ""
    since_ms: int | None = None
    wait: OpenWait | None = None
    attempt: int = 0
    limited: bool = False


@dataclass(frozen=True)
class OpenBuild:
    """A build that runs or is queued. ``number``: None if it is queued. ``since_ms``: milliseconds since the epoch."""

    job: str
    number: int | None
    url: str
    state: str
    since_ms: int | None
    agents: tuple[str, ...] = ()
    activities: tuple[Activity, ...] = ()

    @property
    def name(self) -> str:
        """Return the build's name, JOB#N, as commands accept it; for a queued build, the job's name."""
        return build_name(self.job, self.number) if self.number else self.job


@dataclass(frozen=True)
class Open:
    """What a controller has open. ``builds``: the oldest first.

    ``queue_told``, ``runs_told``: whether it told which builds are queued, and which run.
    """

    builds: tuple[OpenBuild, ...]
    queue_told: bool = True
    runs_told: bool = True

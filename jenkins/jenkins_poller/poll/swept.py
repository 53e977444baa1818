"""What to poll, and the result of a poll of one controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline_trace.place.ci.jenkins.identity import Build

from .discovery import Selection
from .reading import ReadBuild


class SweepError(Exception):
    """A poll failed. The message says what to do. The next poll reads the builds that this poll did not read.

    ``kind``: the type of error in one word: ApiError.kind, or disk. ``problems``: as in Swept, of the builds that
    were read before.
    """

    def __init__(self, message: str, kind: str = "disk") -> None:
        super().__init__(message)
        self.kind = kind
        self.problems: Sequence[str] = ()


@dataclass(frozen=True)
class PollSettings:
    """What to poll. ``since``: how far back to read the builds of a job that is new to the poller, seconds."""

    detail: str
    trace_per: str
    since: float
    selection: Selection
    root_url: str = ""


@dataclass
class Swept:
    """The result of a poll. ``active``: the number of running builds, by job. ``agents``: their number, by state.

    ``unread``: builds that cannot be read, those included that this poll did not try. ``problems``: a line for each build
    whose problem was not told before. ``times_from``: a line that says which plugin tells the times of stages; "" if that is
    not known. ``reread``: builds that were read again, for which ``added`` spans were added. ``first_odd``: the first of the
    builds with impossible times, JOB#N. ``no_job``: the login sees no job at all.
    ``rules``: why failed builds have no verdict.
    ``outdated``: a plugin is there that is too old to tell times. ``open``: the running builds, each with when it began, in
    milliseconds since the epoch, 0 where that is not told. ``labels``: see Computers.
    """

    builds: int = 0
    spans: int = 0
    running: int = 0
    vanished: int = 0
    unsampled: int = 0
    without_times: int = 0
    odd_times: int = 0
    unread: int = 0
    reread: int = 0
    added: int = 0
    times_from: str = ""
    outdated: bool = False
    first_odd: str = ""
    no_job: bool = False
    rules: str = ""
    problems: list[str] = field(default_factory=list)
    active: Counter[str] = field(default_factory=Counter)
    agents: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    open: dict[Build, int] = field(default_factory=dict)

    def count(self, read: ReadBuild, *, gone: bool) -> None:
        """Count a build. ``gone``: the build was deleted, and no later poll looks for it."""
        self.builds += read.placed is not None and read.placed.sampled
        self.spans += len(read.spans)
        self.running += read.running
        self.active[read.build.job] += read.running
        if read.running:
            self.open[read.build] = read.began_ms
        self.vanished += gone
        self.unsampled += read.placed is not None and not read.placed.sampled
        self.without_times += read.no_times
        self.odd_times += read.odd_times
        if read.odd_times:
            self.first_odd = self.first_odd or read.build.name
        self.unread += bool(read.problem)
        self.rules = self.rules or read.rules

    @property
    def done(self) -> int:
        """Return how many builds were dealt with."""
        return self.builds + self.running + self.vanished + self.unsampled + self.odd_times + self.unread

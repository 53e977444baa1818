"""The questions that are asked of spans, whoever keeps them: this machine's store, or ClickHouse.

Each has a time window and a bound. No answer depends on the source: tests/lookup/test_sources.py asks both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ..trace.span import Span
from ..trace.traits import Trait, Traits

# The highest number of spans that are read of one trace.
MOST_OF_A_TRACE = 200_000
_LATEST_NS = (1 << 63) - 1


class Window(NamedTuple):
    """From when to when, in nanoseconds since the epoch, both included."""

    from_ns: int = 0
    to_ns: int = _LATEST_NS

    def wider(self, by_ns: int) -> Window:
        """Return the window that begins so much earlier and ends so much later."""
        return Window(max(self.from_ns - by_ns, 0), min(self.to_ns + by_ns, _LATEST_NS))


ALWAYS = Window()


class Wanted(NamedTuple):
    """A trait that a span must have. ``value``: "" for any. ``begins``: whether the value is only the beginning."""

    trait: Trait
    value: str = ""
    begins: bool = False

    def fits(self, value: str) -> bool:
        """Return whether a span with this value of the trait is wanted."""
        if not self.value:
            return bool(value)
        return value.startswith(self.value) if self.begins else value == self.value


def fits_one(traits: Traits, groups: Iterable[Iterable[Wanted]]) -> bool:
    """Return whether a span with these traits has all that one of the groups wants."""
    return any(all(one.fits(getattr(traits, one.trait)) for one in group) for group in groups)


# The full job name and the build number; of other systems the pipeline's name and the id of its run.
BuildKey = tuple[str, str]


# Spans that were read before, by trace and span id.
Remembered = dict[str, dict[str, Span]]


class Newest(NamedTuple):
    """The trace in which something ended last. ``end_ns``: when, in nanoseconds since the epoch."""

    trace_id: str
    end_ns: int


class OnHost(NamedTuple):
    """A task on a host: the span of the host, and that of the task around it, None where it is not here."""

    host: Span
    task: Span | None


# What is counted: builds, their stages, Ansible's tasks and hosts, deploys, waits for the platform, or what held executors.
Counted = Literal["job", "stage", "task", "host", "deploy", "wait", "held"]
# As the days of one figure: more than any window has.
EVER_DAYS = 1_000_000
# The result of a build that tells for how long it held executors.
TOLD = "told"


@dataclass(frozen=True)
class Figures:
    """How often something ran on one day, or in some, how it ended and how long it took.

    ``names``: of what was counted: the job; job and stage; the task; the host; service and environment; queue and the job,
    or agent and its label; of what held executors the job, the label and, where that is not known, the agent: both are ""
    of a build as a whole, whose result is TOLD or "". ``day``: the first one, in UTC, as 2026-11-30, by the begin.
    ``results``: how often each result word. ``median_ns``, ``most_ns``: 50 % and 95 % took so long or less, in nanoseconds;
    ``total_ns``: all together.
    """

    names: tuple[str, ...]
    day: str
    runs: int
    results: Mapping[str, int] = field(default_factory=dict)
    median_ns: int = 0
    most_ns: int = 0
    total_ns: int = 0


class TraceSource(Protocol):
    """Answers questions about spans that have ended. Raises delivery.destinations.SetupError if it cannot be asked.

    ``around``, of some questions: windows, in which something ran; none where that is not known.
    """

    @property
    def notice(self) -> str:
        """Return one line about what was left out of the answers so far, and what to do; "" if nothing was."""

    def close(self) -> None:
        """Give back what it holds."""

    def newest(self) -> Newest | None:
        """Return the trace in which something ended last; None if there is none.

        An end in the future, from a wrong clock, counts only if there is no other.
        """

    def trace(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace, at most MOST_OF_A_TRACE; empty if the trace is unknown."""

    def outline(self, trace_ids: Sequence[str], most: int, *, failures: bool = False) -> list[Span]:
        """Return at most ``most`` spans of traces, without plays, tasks, hosts and plain steps.

        ``failures``: True also returns those that a verdict needs: see traits.tells_failure.
        """

    def traces_with(self, span_ids: Iterable[str], around: Collection[Window] = ()) -> set[str]:
        """Return the ids of the traces that have a span with one of these ids. ``around``: about when these spans ran."""

    def traces_below(self, span_ids: Iterable[str], around: Collection[Window] = (), but: Collection[str] = ()) -> set[str]:
        """Return the ids of the traces with a span whose parent has one of these ids and is not in the same trace.

        ``around``: when the parents ran. ``but``: ids of traces that are not asked for.
        """

    def noted(self, wanted: Sequence[Sequence[Wanted]], most: int, within: Window = ALWAYS) -> list[Span]:
        """Return the newest runs, playbooks, deploys and root spans with a commit that have wanted traits.

        ``wanted``: groups; all traits of one of them, so that an empty group wants any of these spans. ``within``: when the
        spans ended. Those that end in the future come last.
        """

    def builds(self, keys: Collection[BuildKey], *, fine_hosts: bool = True, around: Collection[Window] = ()) -> list[Span]:
        """Return the spans of builds.

        ``fine_hosts``: False leaves out the hosts on which an Ansible task did not fail. ``around``: when they ran; without
        it, only the last days may be looked at.
        """

    def runs(self, within: Window, most: int) -> list[Span]:
        """Return the run spans that ended within a window, newest first."""

    def stages(self, pipeline: str, within: Window, most: int) -> list[Span]:
        """Return the runs, stages and branches of a job that ended within a window, newest first."""

    def on_host(self, host: str, within: Window, most: int) -> list[OnHost]:
        """Return the newest tasks that ended on a host within a window, newest first. ``host``: its name in inventories."""

    def ran_on(self, host: str, within: Window, most: int) -> list[Newest]:
        """Return the newest traces with tasks that ended on a host within a window, each with the end of the newest task.

        The newest come first. ``host``: its name in inventories.
        """

    def figures(self, counted: Counted, within: Window, wanted: Sequence[Wanted] = (), *, days: int = 1) -> list[Figures]:
        """Return the figures of what began within a window, for each day, in the order of names and day.

        ``wanted``: all of these traits. ``days``: of how many days each figure is, from the first day of the window on.
        """

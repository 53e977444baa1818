"""Shows a trace from the platform's point of view, one lane each: receive, schedule, agent, steps, clean up. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..lookup.states import span_type
from ..trace import conventions as c
from ..trace.queries import has_times
from ..trace.span import Span

RECEIVE, SCHEDULE, AGENT, STEPS, APPROVAL, CLEAN_UP = "Receive", "Schedule", "Agent", "Steps", "Approval", "Clean up"
# In the order in which a build goes through them. An approval is a wait for a person, not for the platform.
_LANES = {
    RECEIVE: c.TYPE_RUN,
    SCHEDULE: c.TYPE_QUEUE,
    AGENT: c.TYPE_AGENT,
    STEPS: c.TYPE_STEP,
    APPROVAL: c.TYPE_INPUT,
    CLEAN_UP: c.TYPE_CLEANUP,
}
_WAITS = frozenset({SCHEDULE, AGENT, APPROVAL})
# Bars with a smaller gap than 1/1000 of the trace are drawn as one.
_FINEST = 1000


@dataclass(frozen=True)
class Lane:
    """A lane. ``busy_ns``: the time in which at least one of its spans ran. ``bars``: starts and ends, ns since the epoch.

    ``what``: the causes of the builds, or the agents that ran the steps. ``wait``: True if the lane only waits.
    """

    name: str
    count: int
    busy_ns: int
    bars: tuple[tuple[int, int], ...]
    what: tuple[str, ...]
    wait: bool


def platform_lanes(spans: Sequence[Span], moment_ns: int) -> list[Lane]:
    """Return the lanes of a trace; an empty list without a build. ``moment_ns``: the time up to which open spans count."""
    of_type: dict[str, list[Span]] = {kind: [] for kind in _LANES.values()}
    for span in spans:
        kind = span_type(span)
        if kind in of_type:
            of_type[kind].append(span)
    of_lane = {name: of_type[kind] for name, kind in _LANES.items()}
    runs = of_lane[RECEIVE]
    if not runs:
        return []
    # A step that waits for a downstream build does no work. A freestyle build counts as one step.
    starters = {run.parent_id for run in runs}
    work = [span for span in of_lane[STEPS] if span.span_id not in starters]
    of_lane[STEPS] = [*work, *(run for run in runs if c.WORKER_NAME in run.attributes)]
    times = [time for span in spans for time in (span.start_ns, _end(span, moment_ns))]
    gap = (max(times) - min(times)) // _FINEST
    found = []
    for name, members in of_lane.items():
        if name == APPROVAL and not members:
            continue
        bars = _received(runs, of_lane[SCHEDULE]) if name == RECEIVE else _bars(members, moment_ns)
        busy = sum(end - start for start, end in _merged(bars, 0))
        what = _causes(runs) if name == RECEIVE else _agents(members) if name == STEPS else ()
        found.append(Lane(name, len(members), busy, tuple(_merged(bars, gap)), what, name in _WAITS))
    return found


def _end(span: Span, moment_ns: int) -> int:
    return span.end_ns or max(moment_ns, span.start_ns)


def _bars(spans: Iterable[Span], moment_ns: int) -> list[tuple[int, int]]:
    return [(span.start_ns, _end(span, moment_ns)) for span in spans if has_times(span)]


def _received(runs: Iterable[Span], queued: Iterable[Span]) -> list[tuple[int, int]]:
    """Return when Jenkins received the builds: the start in the queue. Jenkins does not record the trigger's time."""
    since = {span.parent_id: span.start_ns for span in queued}
    moments = [since.get(run.span_id, run.start_ns) for run in runs]
    return [(moment, moment) for moment in moments]


def _merged(bars: Iterable[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(bars):
        if merged and start <= merged[-1][1] + gap:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def _causes(runs: Iterable[Span]) -> tuple[str, ...]:
    causes = [event.attributes.get(c.JENKINS_CAUSE) for run in runs for event in run.events if event.name == "trigger"]
    return tuple(dict.fromkeys(str(cause) for cause in causes if cause))


def _agents(spans: Iterable[Span]) -> tuple[str, ...]:
    workers = [span.attributes.get(c.WORKER_NAME) for span in spans]
    return tuple(dict.fromkeys(str(worker) for worker in workers if worker))

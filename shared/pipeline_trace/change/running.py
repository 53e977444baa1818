"""What runs now: where it stands, and whether that takes longer than it usually does. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ..lookup.standing import Opened, standing
from ..lookup.usual import FEWEST_RUNS, percentile
from ..trace import conventions as c
from ..trace.queries import build_name_of, run_url_of
from .entries import Entry


@dataclass(frozen=True)
class Took:
    """How long deploys of one service to one environment took that succeeded, in nanoseconds. ``runs``: how many."""

    median_ns: int
    p95_ns: int
    most_ns: int
    runs: int


@dataclass(frozen=True)
class Running:
    """A trace in which something runs. ``stands``: the names of the open spans, the outermost first.

    ``deploys``: the deploys that run in it. ``usual``: how long the first of these usually takes, None if that is not known.
    ``heard_ns``: when it was last heard of, where it should have been heard since; else 0.
    ``start_ns``: when the deploy began, else the outermost open span, in nanoseconds since the epoch. ``run``: JOB#N, ""
    outside of builds.
    """

    trace_id: str
    stands: Sequence[str]
    start_ns: int
    deploys: Sequence[Entry]
    usual: Took | None
    run: str
    url: str
    heard_ns: int = 0

    def hangs(self, now_ns: int) -> bool:
        """Return whether it runs for longer than it ever took, as far as anybody knows that it runs."""
        return not self.heard_ns and self.usual is not None and now_ns - self.start_ns > self.usual.most_ns


def running_of(opened: Iterable[Opened], deploys: Sequence[Entry]) -> list[Running]:
    """Return what runs, the newest first. ``opened``: all open spans. ``deploys``: those that run, and earlier ones."""
    traces: dict[str, list[Opened]] = {}
    for one in opened:
        traces.setdefault(one.span.trace_id, []).append(one)
    found = [_running(trace_id, spans, deploys) for trace_id, spans in traces.items()]
    return sorted(found, key=lambda one: (one.start_ns, one.trace_id), reverse=True)


def took(deploys: Iterable[Entry], service: str, environment: str) -> Took | None:
    """Return how long deploys of a service to an environment took; None where fewer than FEWEST_RUNS succeeded."""
    lengths = sorted(
        one.end_ns - one.start_ns
        for one in deploys
        if one.state == c.SUCCESS and (one.service, one.environments[0]) == (service, environment)
    )
    if len(lengths) < FEWEST_RUNS:
        return None
    return Took(round(median(lengths)), percentile(lengths, 95), lengths[-1], len(lengths))


def _running(trace_id: str, opened: Sequence[Opened], deploys: Sequence[Entry]) -> Running:
    chain = standing(one.span for one in opened)
    heard_ns = max(one.heard_ns for one in opened) if all(one.heard_ns for one in opened) else 0
    own = [one for one in deploys if one.trace_id == trace_id and not one.end_ns]
    usual = took(deploys, own[0].service, own[0].environments[0]) if own else None
    run, url = (next(filter(None, map(of, chain)), "") for of in (build_name_of, run_url_of))
    start_ns = own[0].start_ns if own else chain[0].start_ns
    return Running(trace_id, [span.name for span in chain], start_ns, own, usual, run, url, heard_ns)

"""What runs now: where it stands, and whether that takes longer than it usually does. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType

from ..lookup.standing import Opened, standing
from ..lookup.usual import FEWEST_RUNS, percentile
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, build_name_parts, run_url_of
from ..trace.span import Span
from .entries import Entry


@dataclass(frozen=True)
class Took:
    """How long deploys of one service to one environment took that succeeded, in nanoseconds. ``runs``: how many."""

    median_ns: int
    p95_ns: int
    most_ns: int
    runs: int


@dataclass(frozen=True)
class Waits:
    """What something that runs waits for. ``kind``: of pipeline_trace.wait.kind. ``what``: the label, question or build.

    ``reason``: Jenkins' own. ``since_ns``: nanoseconds since the epoch, 0 where Jenkins does not tell it.
    """

    kind: str
    what: str = ""
    reason: str = ""
    since_ns: int = 0


@dataclass(frozen=True)
class Running:
    """A trace in which something runs. ``stands``: the names of the open spans, the outermost first.

    ``deploys``: the deploys that run in it. ``usual``: how long the first of these usually takes, None if that is not known.
    ``heard_ns``: when it was last heard of, where it should have been heard since; else 0.
    ``start_ns``: when the deploy began, else the outermost open span, in nanoseconds since the epoch. ``run``: JOB#N, ""
    outside of builds. ``waits``: what it waits for, the longest wait first; several in parallel branches.
    """

    trace_id: str
    stands: Sequence[str]
    start_ns: int
    deploys: Sequence[Entry]
    usual: Took | None
    run: str
    url: str
    heard_ns: int = 0
    waits: Sequence[Waits] = ()

    def hangs(self, now_ns: int) -> bool:
        """Return whether it runs for longer than it ever took, as far as anybody knows that it runs."""
        return not self.heard_ns and self.usual is not None and now_ns - self.start_ns > self.usual.most_ns


def running_of(
    opened: Iterable[Opened], deploys: Sequence[Entry], jobs: Mapping[str, Took | None] = MappingProxyType({})
) -> list[Running]:
    """Return what runs, the newest first. ``opened``: all open spans. ``deploys``: those that run, and earlier ones.

    ``jobs``: how long builds of a job usually take, for those that deploy nothing.
    """
    traces: dict[str, list[Opened]] = {}
    for one in opened:
        traces.setdefault(one.span.trace_id, []).append(one)
    found = [_running(trace_id, spans, deploys, jobs) for trace_id, spans in traces.items()]
    return sorted(found, key=lambda one: (one.start_ns, one.trace_id), reverse=True)


def took(deploys: Iterable[Entry], service: str, environment: str) -> Took | None:
    """Return how long deploys of a service to an environment took; None where fewer than FEWEST_RUNS succeeded."""
    return took_of(
        one.end_ns - one.start_ns
        for one in deploys
        if one.state == c.SUCCESS and (one.service, one.environments[0]) == (service, environment)
    )


def took_of(lengths: Iterable[int]) -> Took | None:
    """Return how long runs took that succeeded, in nanoseconds; None where they are fewer than FEWEST_RUNS."""
    ordered = sorted(lengths)
    if len(ordered) < FEWEST_RUNS:
        return None
    return Took(round(median(ordered)), percentile(ordered, 95), ordered[-1], len(ordered))


def _running(trace_id: str, opened: Sequence[Opened], deploys: Sequence[Entry], jobs: Mapping[str, Took | None]) -> Running:
    chain = standing(one.span for one in opened)
    heard_ns = max(one.heard_ns for one in opened) if all(one.heard_ns for one in opened) else 0
    own = [one for one in deploys if one.trace_id == trace_id and not one.end_ns]
    run, url = (next(filter(None, map(of, chain)), "") for of in (build_name_of, run_url_of))
    usual = took(deploys, own[0].service, own[0].environments[0]) if own else jobs.get(job_of(run))
    start_ns = own[0].start_ns if own else chain[0].start_ns
    stands = [span.name for span in chain]
    return Running(trace_id, stands, start_ns, own, usual, run, url, heard_ns, _waits_of([one.span for one in opened]))


def _waits_of(opened: Sequence[Span]) -> list[Waits]:
    """Return what spans wait for. What waits for a build that runs here waits for what that one waits for."""
    runs = set(map(build_name_of, opened))
    found = filter(None, map(_waits, opened))
    return sorted((one for one in found if one.kind != c.WAIT_BUILD or one.what not in runs), key=lambda one: one.since_ns)


def _waits(span: Span) -> Waits | None:
    kind, what, reason = (attribute_text(span, name) for name in (c.WAIT_KIND, c.WAIT_FOR, c.WAIT_REASON))
    since = span.attributes.get(c.WAIT_SINCE)
    return Waits(kind, what, reason, since if isinstance(since, int) else 0) if kind in c.WAITS else None


def job_of(run: str) -> str:
    """Return the job of JOB#N; "" if it is not one."""
    named = build_name_parts(run)
    return named[0] if named else ""

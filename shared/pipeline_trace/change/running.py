"""What runs now: where it stands, and whether that takes longer than it usually does. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType

from ..lookup.standing import Opened, standing
from ..lookup.usual import FEWEST_RUNS, percentile
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, build_name_parts, run_url_of
from ..trace.span import Span
from .entries import Entry

# A task on a host that takes longer may be worth a question.
HOST_NS = 60 * 10**9


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
class Host:
    """The host that a task has waited for longest. ``since_ns``: since when, in nanoseconds since the epoch.

    ``usual``: how long that task usually takes there, None if that is not known.
    """

    name: str
    task: str
    since_ns: int
    span_id: str
    usual: Took | None = None

    def is_silent(self, now_ns: int) -> bool:
        """Return whether it takes a minute, and twice as long as 95 % of its runs did: perhaps the host does not answer."""
        open_ns = now_ns - self.since_ns
        return open_ns > HOST_NS and self.usual is not None and open_ns > 2 * self.usual.p95_ns


@dataclass(frozen=True)
class Lost:
    """A part of what runs that is not heard of any more, while the rest is. ``stands`` and ``heard_ns``: see Running."""

    stands: Sequence[str]
    heard_ns: int


@dataclass(frozen=True)
class Running:
    """A trace in which something runs; where several deploys run in one, each of them.

    ``stands``: the names of the open spans, the outermost first. ``deploys``: the deploy, none if it is something else.
    ``usual``: how long it usually takes, None if that is not known. ``heard_ns``: when it was last heard of, where it should
    have been heard since; else 0. ``lost``: None if all of it is heard of, or nothing. ``start_ns``: when the deploy began,
    else the outermost open span, in nanoseconds since the epoch. ``run``: JOB#N, "" outside of builds. ``waits``: what it
    waits for, the longest wait first; several in parallel branches. ``host``: None where no task on a host runs.
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
    host: Host | None = None
    lost: Lost | None = None

    def ran_ns(self, now_ns: int) -> int:
        """Return for how long it has run, in nanoseconds, as far as it was heard of."""
        return max((self.heard_ns or now_ns) - self.start_ns, 0)

    def is_late(self, now_ns: int) -> bool:
        """Return whether it runs for longer than it ever took."""
        return self.usual is not None and now_ns - self.start_ns > self.usual.most_ns

    def hangs(self, now_ns: int) -> bool:
        """Return whether it is late, or a host is silent, as far as anybody knows that it runs."""
        silent = self.host is not None and self.host.is_silent(now_ns)
        return not self.heard_ns and (silent or self.is_late(now_ns))


def running_of(
    opened: Iterable[Opened], deploys: Sequence[Entry], jobs: Mapping[str, Took | None] = MappingProxyType({})
) -> list[Running]:
    """Return what runs, the newest first. ``opened``: all open spans. ``deploys``: those that run, and earlier ones.

    ``jobs``: how long builds of a job usually take, for those that deploy nothing. How long a task usually takes
    on its host is left out: see with_usual_on_hosts.
    """
    traces: dict[str, list[Opened]] = {}
    for one in opened:
        traces.setdefault(one.span.trace_id, []).append(one)
    ended = [one for one in deploys if one.end_ns]
    found = [
        _running(part, own, ended, jobs)
        for trace_id, spans in traces.items()
        for own, part in _parts(spans, [one for one in deploys if one.trace_id == trace_id and not one.end_ns])
    ]
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


def with_heard(deploys: Iterable[Entry], opened: Iterable[Opened]) -> list[Entry]:
    """Return deploys that run, each with when it was last heard of, where it is not any more. ``opened``: all open spans."""
    heard = {(one.span.trace_id, one.span.span_id): one.heard_ns for one in opened}
    return [replace(one, heard_ns=heard.get((one.trace_id, one.span_id), 0)) for one in deploys]


def with_running(deploys: Iterable[Entry], running: Sequence[Entry]) -> list[Entry]:
    """Return deploys together with those that run, each once. What has ended of one that runs is a part of it."""
    runs: dict[tuple[str, ...], Entry] = {}
    for one in running:
        for key in _keys(one):
            runs.setdefault(key, one)
    found: list[Entry] = []
    known: set[tuple[str, str]] = set()
    for one in deploys:
        now = next((runs[key] for key in _keys(one) if key in runs), None)
        if now is None or (one.end_ns and one.start_ns < now.start_ns):
            found.append(one)
        elif not one.end_ns:
            # Whoever reads more than what is open may know more of it.
            known.add((now.trace_id, now.span_id))
            found.append(replace(one, heard_ns=now.heard_ns))
    return [*found, *(one for one in running if (one.trace_id, one.span_id) not in known)]


def _keys(one: Entry) -> tuple[tuple[str, ...], ...]:
    """Return what tells a deploy from all others. How its service is called depends on what is read with it."""
    return (one.trace_id, one.span_id, *one.environments), (one.trace_id, "", one.service, *one.environments)


def slow_hosts(running: Iterable[Running], now_ns: int) -> list[Host]:
    """Return the hosts that what runs has waited for, for a minute or more."""
    return [one.host for one in running if one.host and now_ns - one.host.since_ns > HOST_NS]


def with_usual_on_hosts(running: Iterable[Running], usual: Mapping[str, Took | None]) -> list[Running]:
    """Return what runs with how long tasks usually take on the hosts that they wait for, by the ids of the hosts' spans."""
    return [replace(one, host=replace(one.host, usual=usual.get(one.host.span_id))) if one.host else one for one in running]


def _host(chain: Sequence[Span]) -> Host | None:
    """Return the host at which something stands. ``chain``: the open spans, the outermost first."""
    if len(chain) < 2 or attribute_text(chain[-1], c.ANSIBLE_TYPE) != c.TYPE_HOST:
        return None
    span = chain[-1]
    return Host(span.name, chain[-2].name, span.start_ns, span.span_id)


def _parts(opened: Sequence[Opened], deploys: Sequence[Entry]) -> Iterator[tuple[Sequence[Entry], Sequence[Opened]]]:
    """Yield the deploys of a trace, each with what is open in it and around it, and what is open beside several of them."""
    if len(deploys) < 2:
        yield deploys, opened
        return
    parents = {one.span.span_id: one.span.parent_id or "" for one in opened}
    within = {one.span_id: one.span_id for one in deploys}
    for span_id in parents:
        _find_deploy(span_id, parents, within)
    for one in deploys:
        # Of several playbooks that are one deploy, the first may have ended: then all that is open may be of it.
        is_open = one.span_id in parents
        own = [span_id for span_id, deploy in within.items() if deploy == one.span_id]
        near = _with_around(own, parents) if is_open else parents.keys()
        yield [one], [each for each in opened if each.span.span_id in near]
    inner = parents.keys() - set(parents.values())
    beside = _with_around([span_id for span_id in inner if not within[span_id]], parents)
    if beside and all(one.span_id in parents for one in deploys):
        yield [], [each for each in opened if each.span.span_id in beside]


def _find_deploy(span_id: str, parents: Mapping[str, str], within: dict[str, str]) -> None:
    """Note for a span, and for those around it, in which deploy they are; "" for none."""
    way: list[str] = []
    while span_id in parents and span_id not in within:
        way.append(span_id)
        # A circle has an end somewhere.
        within[span_id] = ""
        span_id = parents[span_id]
    within.update(dict.fromkeys(way, within.get(span_id, "")))


def _with_around(span_ids: Iterable[str], parents: Mapping[str, str]) -> set[str]:
    """Return the ids of open spans and of those around them."""
    found: set[str] = set()
    for span_id in span_ids:
        while span_id in parents and span_id not in found:
            found.add(span_id)
            span_id = parents[span_id]
    return found


def _running(
    opened: Sequence[Opened], own: Sequence[Entry], deploys: Sequence[Entry], jobs: Mapping[str, Took | None]
) -> Running:
    heard = [one.span for one in opened if not one.heard_ns]
    # Where it is heard of, what is silent tells nothing.
    chain = standing(heard or [one.span for one in opened])
    heard_ns = own[0].heard_ns if own else 0
    if not heard:
        heard_ns = max(one.heard_ns for one in opened)
    run, url = (next(filter(None, map(of, chain)), "") for of in (build_name_of, run_url_of))
    usual = took(deploys, own[0].service, own[0].environments[0]) if own else jobs.get(job_of(run))
    start_ns = own[0].start_ns if own else chain[0].start_ns
    waits = waits_of(heard or [one.span for one in opened])
    stands = [span.name for span in chain]
    lost = _lost(opened) if heard else None
    return Running(chain[0].trace_id, stands, start_ns, own, usual, run, url, heard_ns, waits, _host(chain), lost)


def _lost(opened: Sequence[Opened]) -> Lost | None:
    silent = [one for one in opened if one.heard_ns]
    if not silent:
        return None
    return Lost([span.name for span in standing(one.span for one in silent)], max(one.heard_ns for one in silent))


def waits_of(opened: Sequence[Span]) -> list[Waits]:
    """Return what open spans wait for, the longest wait first.

    What waits for a build that runs here waits for what that one waits for.
    """
    runs = set(map(build_name_of, opened))
    found = filter(None, map(_waits, opened))
    return sorted(
        (one for one in found if one.kind != c.WAIT_BUILD or not one.what or one.what not in runs),
        key=lambda one: one.since_ns,
    )


def _waits(span: Span) -> Waits | None:
    kind, what, reason = (attribute_text(span, name) for name in (c.WAIT_KIND, c.WAIT_FOR, c.WAIT_REASON))
    since = span.attributes.get(c.WAIT_SINCE)
    since_ns = since if isinstance(since, int) and not isinstance(since, bool) and since > 0 else 0
    return Waits(kind, what, reason, since_ns) if kind in c.WAITS else None


def job_of(run: str) -> str:
    """Return the job of JOB#N; "" if it is not one."""
    named = build_name_parts(run)
    return named[0] if named else ""

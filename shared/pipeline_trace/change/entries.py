"""What lists and the board show: deploys and builds, each with who started it and how it ended. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..lookup import states
from ..lookup.lookup import Lookup
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, is_run, run_url_of
from ..trace.span import Span
from .attempt import Attempt, message_of, version_of
from .attempts import attempts_in
from .runs import RunTree
from .steps import BEFORE

# By SHA-1 or by SHA-256.
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 7
_UNKNOWN_KINDS = frozenset({"", "unknown"})


@dataclass(frozen=True)
class Entry:
    """A deploy or a build. Times are nanoseconds since the epoch; ``end_ns`` is 0 while it runs. "" is not known.

    ``environments``: of a deploy one; of a build those that it deploys to. ``state``: one of lookup.states.STATES. ``who``:
    who or what started it. ``where``: the stage that failed. ``message``: the first error. ``owner`` and ``kind``: of the
    verdict on its log, without history; "" where no poller wrote one, until answers.verdicts judges it. ``run``: JOB#N.
    ``heard_ns``: when it was last heard of, where it should have been heard since; else 0. Nobody knows what became of it.
    """

    trace_id: str
    span_id: str
    state: str
    start_ns: int
    end_ns: int
    service: str = ""
    environments: tuple[str, ...] = ()
    version: str = ""
    commit: str = ""
    branch: str = ""
    run: str = ""
    url: str = ""
    who: str = ""
    agents: tuple[str, ...] = ()
    where: str = ""
    message: str = ""
    owner: str = ""
    kind: str = ""
    heard_ns: int = 0

    @property
    def job(self) -> str:
        """Return the full name of the job."""
        return self.run.rpartition("#")[0]

    @property
    def what(self) -> str:
        """Return what was built or deployed: the version, else the commit; a commit is shortened."""
        is_commit = _WHOLE_COMMIT.fullmatch(self.version)
        return (short(self.version) if is_commit else self.version) or short(self.commit)


def short(commit: str) -> str:
    """Return the short id of a commit: a playbook may know only that."""
    return commit[:_SHORT]


# Returns entries, those that failed with owner and kind. The first argument is where their spans are.
Judge = Callable[[Lookup, Sequence[Entry]], Sequence[Entry]]


def not_judged(_lookup: Lookup, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the entries as they are: a Judge for who needs no verdicts."""
    return entries


class Deploys(NamedTuple):
    """Deploys in order of their start. ``runs``: the ids of the spans of builds that do nothing but deploy."""

    entries: list[Entry]
    runs: frozenset[str]


def deploys_of(spans: Sequence[Span]) -> list[Entry]:
    """Return the deploys in the outlines of traces, in order of their start."""
    runs = RunTree(spans)
    return [_of_attempt(runs, one) for one in _deploys(runs)]


def deploys_and_runs(spans: Sequence[Span]) -> Deploys:
    """Return the deploys in the outlines of traces, and which builds are nothing else."""
    runs = RunTree(spans)
    alone = frozenset(run.span_id for run in runs.runs if runs.environment(run))
    return Deploys([_of_attempt(runs, one) for one in _deploys(runs)], alone)


def builds_of(spans: Sequence[Span]) -> list[Entry]:
    """Return the builds in the outlines of traces, in order of their start."""
    runs = RunTree(spans)
    places: dict[str, dict[str, None]] = {}
    for one in _deploys(runs):
        run = _run_of(runs, one.span)
        if run:
            places.setdefault(run.span_id, {})[one.step] = None
    return [_of_run(runs, run, tuple(places.get(run.span_id, ()))) for run in runs.runs]


def builds_by_runs(spans: Sequence[Span]) -> list[Entry]:
    """Return the builds of some runs, in order of their start, without where they deploy: that costs more than all else."""
    runs = RunTree(spans)
    return [_of_run(runs, run, ()) for run in runs.runs]


def _deploys(runs: RunTree) -> Iterator[Attempt]:
    return (one for one in attempts_in(runs) if one.step not in BEFORE and one.state != c.SKIP)


def _of_attempt(runs: RunTree, one: Attempt) -> Entry:
    run = _run_of(runs, one.span)
    owner, kind = _verdict(one.state, (one.span, run))
    return Entry(
        trace_id=one.span.trace_id,
        span_id=one.span.span_id,
        state=one.state,
        start_ns=one.start_ns,
        end_ns=one.end_ns,
        service=one.service,
        environments=(one.step,),
        version=one.version,
        commit=one.commit,
        branch=_branch(runs, one.span),
        run=one.run,
        url=run_url_of(run or one.span),
        who=_who(runs, run) if run else "",
        agents=_agents(run),
        where=one.where,
        message=one.message,
        owner=owner,
        kind=kind,
    )


def _of_run(runs: RunTree, run: Span, environments: tuple[str, ...]) -> Entry:
    state, broken = states.state(run), runs.broken(run)
    owner, kind = _verdict(state, (run,))
    return Entry(
        trace_id=run.trace_id,
        span_id=run.span_id,
        state=state,
        start_ns=run.start_ns,
        end_ns=run.end_ns,
        service=runs.job_service(run),
        environments=environments,
        version=version_of(run, runs.playbooks(run)),
        commit=runs.commit(run),
        branch=_branch(runs, run),
        run=build_name_of(run),
        url=run_url_of(run),
        who=_who(runs, run),
        agents=_agents(run),
        where=broken.name if broken else "",
        message=message_of(run, run),
        owner=owner,
        kind=kind,
    )


def _run_of(runs: RunTree, span: Span) -> Span | None:
    return span if is_run(span) else runs.run_above(span)


def _verdict(state: str, spans: Iterable[Span | None]) -> tuple[str, str]:
    """Return owner and kind, where the poller judged what failed."""
    return verdict_on(spans) if state in c.FAILED_RESULTS else ("", "")


def verdict_on(spans: Iterable[Span | None]) -> tuple[str, str]:
    """Return owner and kind of the first span that the poller judged; "" for what is not known.

    Any sender may write these attributes: what is no owner counts as nothing.
    """
    for span in filter(None, spans):
        owner = attribute_text(span, c.FAILURE_OWNER)
        if owner in c.FAILURE_OWNERS:
            return owner, named_kind(attribute_text(span, c.FAILURE_KIND))
    return "", ""


def named_kind(kind: str) -> str:
    """Return the kind of a verdict; "" if it says that the kind is unknown."""
    return "" if kind in _UNKNOWN_KINDS else kind


def _branch(runs: RunTree, span: Span) -> str:
    return next((name for one in (span, *runs.above(span)) if (name := attribute_text(one, c.VCS_HEAD_NAME))), "")


def _who(runs: RunTree, run: Span) -> str:
    """Return who or what started a run: a person who started it or a build above it, else what the topmost one says."""
    said = ""
    for one in (run, *filter(is_run, runs.above(run))):
        causes = [event.attributes for event in one.events if event.name == "trigger"]
        who = next((str(cause[c.JENKINS_CAUSE_USER]) for cause in causes if cause.get(c.JENKINS_CAUSE_USER)), "")
        if who:
            return who
        described = next((str(text) for cause in causes if (text := cause.get(c.JENKINS_CAUSE_DESCRIPTION))), "")
        said = described or said
    return said


def _agents(run: Span | None) -> tuple[str, ...]:
    named = run.attributes.get(c.JENKINS_AGENTS) if run else None
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()

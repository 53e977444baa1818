"""Gives verdicts from history: earlier, later and parallel builds of the same and of other jobs. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from ..trace.span import Span
from ..trace.words import MAIN_BRANCHES
from . import signature
from .verdict import DEV, OPS, UNKNOWN, Verdict

FAILURE = "failure"
SUCCESS = "success"
# Failures further apart than this have different causes.
_NEAR = timedelta(hours=24)
# Kinds of failures in code. On only one agent they mean that the agent is broken.
_CODE = frozenset(("test_failure", "compile_error", "lint", "import_error", "exception", "unknown"))


@dataclass(frozen=True)
class PastBuild:
    """An ended build. ``at``: its start. ``result``: success or failure.

    ``signature``: the first evidence of its log's verdict. ``run``: its span, for who tells of it; no verdict looks at it.
    """

    job: str
    commit: str
    branch: str
    agent: str
    at: datetime
    result: str
    signature: str = ""
    run: Span | None = field(default=None, compare=False, repr=False)

    @property
    def project(self) -> str:
        """Return the repository or service of the job: its full name without the last part (the branch or the task)."""
        return self.job.rpartition("/")[0] or self.job

    @property
    def main(self) -> bool:
        """Return whether it built the main branch."""
        return self.branch in MAIN_BRANCHES


def verdict_with_history(runs: Iterable[PastBuild], failing: PastBuild, text: Verdict) -> Verdict:
    """Return the log's verdict, or another one if history tells more.

    ``runs``: other builds, also later ones. ``failing``: the failed build. ``text``: the verdict from its log.
    """
    history = _History(list(runs), failing)
    for rule in (_shared, _flaky, _one_agent, _one_change, _unchanged, _one_project):
        found = rule(history, text)
        if found:
            return _against(found, text)
    return text


def failing_alike(runs: Iterable[PastBuild], failing: PastBuild) -> list[PastBuild]:
    """Return the builds that failed as this one did, including this one, in order of time."""
    return _History(list(runs), failing).same


def _against(found: Verdict, text: Verdict) -> Verdict:
    """Return the verdict from history with the evidence from the log, and with a note if the two disagree."""
    if found.owner == text.owner:
        # Both name the same owner.
        return replace(found, confidence=max(found.confidence, text.confidence), evidence=[*found.evidence, *text.evidence])
    said = f"history decides; the log alone says {text.owner} ({text.kind})"
    return replace(found, evidence=[*found.evidence, said, *text.evidence])


@dataclass
class _History:
    runs: Sequence[PastBuild]
    failing: PastBuild

    @cached_property
    def same(self) -> list[PastBuild]:
        """Return all failures with this signature, including this one, in order of time."""
        wanted = signature.signature_of(self.failing.signature)
        alike = [
            run
            for run in self.runs
            if run.result == FAILURE and signature.are_alike(signature.signature_of(run.signature), wanted)
        ]
        return sorted([*alike, self.failing], key=lambda run: run.at)

    @cached_property
    def near(self) -> list[PastBuild]:
        """Return the failures with this signature within a day of this one."""
        return [run for run in self.same if abs(run.at - self.failing.at) <= _NEAR]

    @cached_property
    def greens(self) -> list[PastBuild]:
        return sorted((run for run in self.runs if run.result == SUCCESS), key=lambda run: run.at)

    @cached_property
    def own(self) -> list[PastBuild]:
        """Return those failures that belong to this project."""
        return [run for run in self.near if run.project == self.failing.project]

    def greens_since(self, first: datetime, matches: Callable[[PastBuild], bool]) -> list[PastBuild]:
        return [run for run in self.greens if run.at >= first and matches(run)]


def _shared(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if several projects fail with the same error: something that they share is broken."""
    failing = history.failing
    others = sorted({run.project for run in history.near} - {failing.project})
    first = history.near[0].at
    if not others:
        return None
    fine = history.greens_since(first, lambda run: run.project not in others and run.project != failing.project)
    agents = {run.agent for run in history.near}
    if len(others) < 2 and (fine or text.kind in _CODE) and len(agents) > 1:
        return None
    names = ", ".join([failing.project, *others][:6])
    evidence = [f"{len(others) + 1} projects have had the same error since {_clock(first)}: {names}"]
    where = "the service that they share"
    if len(agents) == 1:
        evidence.append(f"all of them ran on {failing.agent}")
        where = failing.agent
    kind = "network" if text.kind == "app_unhealthy" else text.kind
    return Verdict(
        OPS, kind, 0.9 if len(others) > 1 else 0.75, evidence, f"Ops looks at {where}; no single change is the cause."
    )


def _flaky(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if the same commit failed and then passed without a change: the test or step is flaky."""
    passed = [
        (run, green)
        for run in history.same
        for green in history.greens
        if (green.job, green.commit) == (run.job, run.commit) and green.at > run.at
    ]
    jobs = [run for run in history.same if run.job == history.failing.job]
    between = [green for green in history.greens if green.job == history.failing.job and jobs[0].at < green.at < jobs[-1].at]
    if not passed and not (len(jobs) > 1 and between and len({run.commit for run in jobs}) > 1):
        return None
    if _one_agent(history, text):
        return None
    if not passed and _one_change(history, text):
        return None
    runs = len(jobs) + sum(green.job == history.failing.job for green in history.greens)
    evidence = [f"{len(jobs)} of {runs} runs of {jobs[-1].job} failed with the same error"]
    if passed:
        run, green = passed[-1]
        evidence.insert(0, f"{run.commit[:10]} failed at {_clock(run.at)} and passed at {_clock(green.at)} without a change")
    if text.kind == "test_failure":
        return Verdict(
            DEV,
            "flaky_test",
            0.75,
            evidence,
            "Dev makes the test independent of time, order and other tests; another run may pass.",
        )
    return Verdict(
        UNKNOWN, "flaky_step", 0.6, evidence, "Run it again; then Dev and Ops find out together what the step depends on."
    )


def _one_agent(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if it fails on only one agent and passes on others: the agent is broken."""
    failing = history.failing
    if len(history.near) < 2 or {run.agent for run in history.near} != {failing.agent} or not failing.agent:
        return None
    first = history.near[0].at
    jobs = {run.job for run in history.near}
    elsewhere = history.greens_since(first, lambda run: run.agent != failing.agent and run.job in jobs)
    here = history.greens_since(first, lambda run: run.agent == failing.agent)
    if here or not elsewhere:
        return None
    kind = "agent_broken" if text.kind in _CODE else text.kind
    evidence = [
        f"{len(history.near)} failures since {_clock(first)}, all on {failing.agent}",
        f"it passes on {', '.join(sorted({run.agent for run in elsewhere}))}",
    ]
    return Verdict(OPS, kind, 0.85, evidence, f"Ops takes {failing.agent} out of service and looks at it; run it elsewhere.")


def _one_change(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if only this change fails, several times, while other commits pass: the change is broken."""
    failing, own = history.failing, history.own
    if {run.project for run in history.near} != {failing.project} or {run.commit for run in own} != {failing.commit}:
        branches = {run.branch for run in history.near}
        if branches != {failing.branch} or failing.main or {run.project for run in history.near} != {failing.project}:
            return None
    first = own[0].at
    passing = history.greens_since(first - _NEAR, lambda run: run.commit != failing.commit)
    since = [run for run in passing if run.at >= first]
    before = [run for run in passing if run.project == failing.project]
    if any(run.commit == failing.commit and run.project == failing.project for run in history.greens):
        return None
    again = len(own) > 1
    if not (since and (again or before)) and not (again and before and len({run.agent for run in own}) > 1):
        return None
    if text.owner == OPS and not any(run.project == failing.project for run in since):
        # Other projects that pass do not show that what only this project needs is available.
        return None
    agents = sorted({run.agent for run in own if run.agent})
    name = f"{failing.branch} ({failing.commit[:10]})" if failing.branch else failing.commit[:10]
    evidence = [f"only {name} fails, {len(own)} times on {', '.join(agents) or 'unknown agents'}"]
    shown = since or before
    evidence.append(f"green at the same time: {', '.join(sorted({f'{run.job} on {run.agent}' for run in shown})[:4])}")
    kind = "app_unhealthy" if text.kind == "network" else text.kind
    return Verdict(
        DEV, kind, 0.85 if again and since else 0.7, evidence, f"Dev looks at what {failing.commit[:10]} changed."
    )


def _unchanged(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if the same commit passed before and fails now: something around it has changed."""
    failing = history.failing
    if text.owner == OPS or not failing.commit:
        return None
    green = [
        run
        for run in history.greens
        if (run.job, run.commit) == (failing.job, failing.commit) and run.at < history.own[0].at
    ]
    if not green or (text.kind in _CODE and len(history.own) < 2):
        return None
    passed, fails = _clock(green[-1].at), _clock(history.own[0].at)
    evidence = [f"{failing.commit[:10]} passed at {passed} and has failed since {fails} without a change"]
    return Verdict(OPS, text.kind, 0.6, evidence, "Ops finds out what changed on agents and services between these times.")


def _one_project(history: _History, text: Verdict) -> Verdict | None:
    """Return a verdict if every commit of one project fails on every agent while others pass: the project is broken."""
    failing, own = history.failing, history.own
    first = own[0].at
    others = history.greens_since(first, lambda run: run.project != failing.project)
    if text.owner != UNKNOWN or len(own) < 2 or len({run.agent for run in own}) < 2 or not others:
        return None
    if {run.project for run in history.near} != {failing.project} or history.greens_since(
        first, lambda run: run not in others
    ):
        return None
    green = ", ".join(sorted({run.project for run in others})[:4])
    evidence = [f"only {failing.project} fails, {len(own)} times since {_clock(first)}", f"green at the same time: {green}"]
    return Verdict(DEV, text.kind, 0.55, evidence, f"Dev looks at the changes of {failing.project} before {_clock(first)}.")


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"

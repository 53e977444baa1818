"""Judges a failure by what the same and other jobs did before and beside it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from ..trace.words import MAIN_BRANCHES
from . import signature
from .verdict import DEV, OPS, UNKNOWN, Verdict

FAILURE = "failure"
SUCCESS = "success"
# Failures further apart have causes of their own; a green run says something of today for a shorter time.
_NEAR = timedelta(hours=24)
# Kinds that a machine has, whatever runs on it.
_CODE = frozenset(("test_failure", "compile_error", "lint", "import_error", "exception", "unknown"))


@dataclass(frozen=True)
class PastBuild:
    """One run of a job. ``at``: when it began. ``result``: success or failure.

    ``signature``: its telling line: the first evidence of its text's verdict.
    """

    job: str
    commit: str
    branch: str
    agent: str
    at: datetime
    result: str
    signature: str = ""

    @property
    def project(self) -> str:
        """The job's repository or service: the full name without the branch or the task."""
        return self.job.rpartition("/")[0] or self.job

    @property
    def main(self) -> bool:
        """Whether it ran the main branch."""
        return self.branch in MAIN_BRANCHES


def verdict_with_history(runs: Iterable[PastBuild], failing: PastBuild, text: Verdict) -> Verdict:
    """Return the text's verdict, or another one where history tells more. Runs after the failing one count as well."""
    history = _History(list(runs), failing)
    for rule in (_shared, _flaky, _one_agent, _one_change, _unchanged, _one_project):
        found = rule(history, text)
        if found:
            return _against(found, text)
    return text


def _against(found: Verdict, text: Verdict) -> Verdict:
    """Say that history decided, and what the text alone said."""
    if found.owner == text.owner:
        # Both say the same.
        return replace(found, confidence=max(found.confidence, text.confidence), evidence=[*found.evidence, *text.evidence])
    said = f"history decides: the text alone says {text.owner} ({text.kind})"
    return replace(found, evidence=[*found.evidence, said, *text.evidence])


@dataclass
class _History:
    runs: Sequence[PastBuild]
    failing: PastBuild

    @cached_property
    def same(self) -> list[PastBuild]:
        """The failures with this signature, this one among them, in their order."""
        wanted = signature.signature_of(self.failing.signature)
        alike = [
            run
            for run in self.runs
            if run.result == FAILURE and signature.are_alike(signature.signature_of(run.signature), wanted)
        ]
        return sorted([*alike, self.failing], key=lambda run: run.at)

    @cached_property
    def near(self) -> list[PastBuild]:
        """Those not long before or after this one."""
        return [run for run in self.same if abs(run.at - self.failing.at) <= _NEAR]

    @cached_property
    def greens(self) -> list[PastBuild]:
        return sorted((run for run in self.runs if run.result == SUCCESS), key=lambda run: run.at)

    @cached_property
    def own(self) -> list[PastBuild]:
        """Failures of this project."""
        return [run for run in self.near if run.project == self.failing.project]

    def greens_since(self, first: datetime, matches: Callable[[PastBuild], bool]) -> list[PastBuild]:
        return [run for run in self.greens if run.at >= first and matches(run)]


def _shared(history: _History, text: Verdict) -> Verdict | None:
    """The same failure in several projects: what they share."""
    failing = history.failing
    others = sorted({run.project for run in history.near} - {failing.project})
    first = history.near[0].at
    if not others:
        return None
    fine = history.greens_since(first, lambda run: run.project not in others and run.project != failing.project)
    agents = {run.agent for run in history.near}
    if len(others) < 2 and (fine or text.kind in _CODE) and len(agents) > 1:
        return None
    evidence = [f"{len(others) + 1} projects fail alike since {_clock(first)}: {', '.join([failing.project, *others][:6])}"]
    where = "the service that they share"
    if len(agents) == 1:
        evidence.append(f"all of them on {failing.agent}")
        where = failing.agent
    kind = "network" if text.kind == "app_unhealthy" else text.kind
    return Verdict(
        OPS, kind, 0.9 if len(others) > 1 else 0.75, evidence, f"Ops looks at {where}; no single change is the cause."
    )


def _flaky(history: _History, text: Verdict) -> Verdict | None:
    """The same commit failed so and passed without a change, on the same agent or on any."""
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
    evidence = [f"{len(jobs)} of {runs} runs of {jobs[-1].job} failed alike"]
    if passed:
        run, green = passed[-1]
        evidence.insert(0, f"{run.commit[:10]} failed at {_clock(run.at)} and passed at {_clock(green.at)} without a change")
    if text.kind == "test_failure":
        return Verdict(
            DEV,
            "flaky_test",
            0.75,
            evidence,
            "Dev makes the test independent of time, order and neighbours; a rerun will pass.",
        )
    return Verdict(UNKNOWN, "flaky_step", 0.6, evidence, "Run it again; then find out together what the step waits for.")


def _one_agent(history: _History, text: Verdict) -> Verdict | None:
    """It fails on one agent alone, where others pass."""
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
        f"passes on {', '.join(sorted({run.agent for run in elsewhere}))}",
    ]
    return Verdict(OPS, kind, 0.85, evidence, f"Ops takes {failing.agent} out of service and looks at it; run it elsewhere.")


def _one_change(history: _History, text: Verdict) -> Verdict | None:
    """Only this change fails, again and again, while other commits pass."""
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
        # What others reach says little of what this project alone needs.
        return None
    agents = sorted({run.agent for run in own if run.agent})
    evidence = [
        f"only {failing.branch} ({failing.commit[:10]}) fails, {len(own)} times on {', '.join(agents) or 'unknown agents'}"
    ]
    shown = since or before
    evidence.append(f"meanwhile green: {', '.join(sorted({f'{run.job} on {run.agent}' for run in shown})[:4])}")
    kind = "app_unhealthy" if text.kind == "network" else text.kind
    return Verdict(
        DEV, kind, 0.85 if again and since else 0.7, evidence, f"Dev looks at what {failing.commit[:10]} changed."
    )


def _unchanged(history: _History, text: Verdict) -> Verdict | None:
    """The same commit passed before and fails since: what changed is around it."""
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
    evidence = [f"{failing.commit[:10]} passed at {passed} and fails since {fails} without a change"]
    return Verdict(OPS, text.kind, 0.6, evidence, "Ops says what changed on agents and services in between.")


def _one_project(history: _History, text: Verdict) -> Verdict | None:
    """Every commit of one project fails, wherever it runs, while others pass: nobody else has what it has."""
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
    evidence = [f"only {failing.project} fails, {len(own)} times since {_clock(first)}", f"meanwhile green: {green}"]
    return Verdict(DEV, text.kind, 0.55, evidence, f"Dev looks at what came into {failing.project} before {_clock(first)}.")


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"

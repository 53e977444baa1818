"""Gives verdicts from history: earlier, later and parallel builds of the same and of other jobs. Does no I/O.

History overrules the log only where it decides: docs/ownership.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from . import kinds
from .past import NEAR, Past, PastBuild
from .verdict import DEV, OPS, UNKNOWN, Verdict

# A verdict of a log that is this sure is not overruled by one other project.
_SURE = 0.85
# How a proxy answers when nothing behind it does. An HTTP 500 is the application's own answer.
_PROXY_ANSWERS = re.compile(r"\b50[234]\b")
# What is said of a service that does not answer as it should.
_NO_ANSWER = re.compile(
    r"refused|reset|timed? ?out|unreachable|resol|unavailable|certificate|\b(?:40[13]|429|5\d\d)\b|denied|connect",
    re.IGNORECASE,
)


def verdict_with_history(runs: Iterable[PastBuild], failing: PastBuild, text: Verdict) -> Verdict:
    """Return the log's verdict, or another one if history tells more.

    ``runs``: other builds, also later ones. ``failing``: the failed build. ``text``: the verdict from its log.
    """
    if text.kind in kinds.ENDED_BY_SOMEBODY:
        return text
    past = Past(list(runs), failing)
    for rule in (_one_agent, _shared, _flaky, _one_change, _unchanged, _one_project):
        found = rule(past, text)
        if found:
            return replace(_against(found, text), program=text.program)
    return text


def _against(found: Verdict, text: Verdict) -> Verdict:
    """Return the verdict from history with the evidence from the log, and with a note if the two disagree."""
    if found.owner == text.owner:
        # Both name the same owner.
        return replace(found, confidence=max(found.confidence, text.confidence), evidence=[*found.evidence, *text.evidence])
    said = f"history decides; the log alone says {text.owner} ({text.kind})"
    return replace(found, evidence=[*found.evidence, said, *text.evidence])


def _one_agent(past: Past, text: Verdict) -> Verdict | None:
    """Return a verdict if it fails on only one agent and the same passes on others: the agent is broken.

    Whatever passes on the agent in between acquits it. One commit does not tell a broken agent from a flaky test.
    """
    failing, near = past.failing, past.near
    agent = failing.agent
    if not _only_one_agent(near) or not failing.signed.telling or text.kind == kinds.APP_UNHEALTHY:
        return None
    first, last = near[0].at, near[-1].at
    changes = {run.change for run in near if run.commit}
    if past.passed_on(agent) or any(
        green.change in changes and green.used(agent) for green in past.greens if green.at > last
    ):
        return None
    jobs = {run.job for run in near}
    elsewhere = [run for run in past.greens if run.at >= first and run.job in jobs and not run.used(agent)]
    unchanged = any(run.change in changes for run in elsewhere)
    enough = 1 if text.owner == OPS else 2
    if not elsewhere or len(changes) < (enough if unchanged else 3):
        return None
    kind = "agent_broken" if text.kind in kinds.CODE or text.kind == UNKNOWN else text.kind
    evidence = [
        f"{len(near)} failures since {_clock(first)}, all on {agent}",
        f"it passes on {', '.join(sorted({run.agent for run in elsewhere}))}",
    ]
    return Verdict(OPS, kind, 0.85, evidence, f"Ops takes {agent} out of service and looks at it; run it elsewhere.")


def _only_one_agent(runs: Iterable[PastBuild]) -> bool:
    """Return whether several failures were all on one agent that is known."""
    agents = [run.agent for run in runs]
    return len(agents) > 1 and len(set(agents)) == 1 and bool(agents[0])


def _shared(past: Past, text: Verdict) -> Verdict | None:
    """Return a verdict if several projects fail with the same error: something that they share is broken."""
    parties = len(past.parties)
    hosts = frozenset.intersection(*(run.signed.shared_hosts for run in past.near))
    if parties < 2 or (text.owner != OPS and not _is_shared(past, text, parties, named=bool(hosts))):
        return None
    names = [past.failing.project, *sorted({party[0].project for party in past.parties[1:]})]
    evidence = [f"{parties} projects have had the same error since {_clock(past.near[0].at)}: {', '.join(names[:6])}"]
    confidence = 0.9 if parties > 2 and text.kind != UNKNOWN else 0.75
    if text.owner == OPS:
        surer = confidence if hosts or parties > 2 else text.confidence
        return Verdict(OPS, text.kind, surer, evidence, text.next)
    kind = "network" if text.kind == kinds.APP_UNHEALTHY else text.kind
    where = ", ".join(sorted(hosts)) or "the service that they share"
    return Verdict(OPS, kind, confidence, evidence, f"Ops looks at {where}; no single change is the cause.")


def _is_shared(past: Past, text: Verdict, parties: int, *, named: bool) -> bool:
    """Return whether projects that fail alike share what is broken, although the log does not say that it is Ops'.

    ``named``: all name one host.
    """
    if not (named and parties > 2) and past.passed_meanwhile({run.work for run in past.near}):
        return False
    if text.kind == kinds.APP_UNHEALTHY:
        return parties > 2 and bool(_PROXY_ANSWERS.search(past.failing.signature)) and not _after_one_deploy(past)
    if (text.kind in kinds.ABSENT or (text.kind == UNKNOWN and not named)) and not _was_there(past):
        return False
    if text.owner == DEV or text.kind in kinds.CODE:
        says = _NO_ANSWER.search(past.failing.signature)
        return named and says is not None and (parties > 2 or text.confidence < _SURE)
    if parties == 2:
        return named
    # Each machine's localhost is its own.
    agent = past.failing.agent
    return named or not past.failing.signed.hosts or (_only_one_agent(past.near) and not past.passed_on(agent))


def _after_one_deploy(past: Past) -> bool:
    """Return whether one of the changes that fail was deployed before: what it broke may fail in several projects."""
    first = past.near[0].at
    commits = {run.commit for run in past.near if run.commit}
    deployed = past.greens_between(first - NEAR, first, lambda run: bool(run.environment) and run.commit in commits)
    return len({run.commit for run in deployed}) == 1


def _was_there(past: Past) -> bool:
    """Return whether something that failed passed before without a change."""
    changes = {run.change for run in past.near if run.commit}
    return any(green.change in changes and green.at < past.near[0].at for green in past.greens)


def _flaky(past: Past, text: Verdict) -> Verdict | None:
    """Return a verdict if the same commit failed and then passed without a change: the test or step is flaky.

    What the log calls Ops' stays Ops': an outage that is over looks the same.
    """
    failing = past.failing
    if text.owner == OPS:
        return None
    passed = list(past.passed_later(run for run in past.same if run.project == failing.project))
    jobs = [run for run in past.same if run.job == failing.job]
    if not passed and not _comes_and_goes(past, jobs, text):
        return None
    runs = len(jobs) + sum(green.job == failing.job for green in past.greens)
    evidence = [f"{len(jobs)} of {runs} runs of {failing.job} failed with the same error"]
    if passed:
        run, green = passed[-1]
        evidence.insert(0, f"{run.commit[:10]} failed at {_clock(run.at)} and passed at {_clock(green.at)} without a change")
    elsewhere = _only_one_agent(jobs) and not any(green.used(failing.agent) for _, green in passed)
    if text.kind == "test_failure" and not elsewhere:
        then = "Dev makes the test independent of time, order and other tests; another run may pass."
        return Verdict(DEV, "flaky_test", 0.75, evidence, then)
    then = "Run it again; then Dev and Ops find out together what the step depends on."
    return Verdict(UNKNOWN, "flaky_step", 0.6, evidence, then)


def _comes_and_goes(past: Past, jobs: list[PastBuild], text: Verdict) -> bool:
    """Return whether a job fails alike and passes in turns, over several commits. Another commit may bring an error back."""
    if text.owner == DEV and text.kind != "test_failure":
        return False
    between = past.greens_between(jobs[0].at, jobs[-1].at, lambda run: run.job == past.failing.job)
    return bool(between) and len({run.commit for run in jobs}) > 1 and not _one_change(past, text)


def _one_change(past: Past, text: Verdict) -> Verdict | None:
    """Return a verdict if only this change fails, several times, while other commits pass: the change is broken."""
    failing, own = past.failing, past.own
    branches, commits = {run.branch for run in past.near}, {run.commit for run in own}
    one_branch = branches == {failing.branch} and failing.branch and not failing.main
    if len(past.parties) > 1 or len(own) < 2 or not failing.commit or text.kind in kinds.NEVER_A_CHANGE:
        return None
    if commits != {failing.commit} and not one_branch:
        return None
    works = {run.work for run in own}
    if any(green.commit in commits and green.work in works for green in past.greens):
        return None
    shown = _green_meanwhile(past, text, works, commits)
    agents = sorted({run.agent for run in own if run.agent})
    if not shown or (text.owner != DEV and len(agents) == 1 and not any(green.used(agents[0]) for green in shown)):
        return None
    name = f"{failing.branch} ({failing.commit[:10]})" if failing.branch else failing.commit[:10]
    green = ", ".join(sorted({f"{run.job} on {run.agent}" for run in shown})[:4])
    evidence = [
        f"only {name} fails, {len(own)} times on {', '.join(agents) or 'unknown agents'}",
        f"green at the same time: {green}",
    ]
    kind = kinds.APP_UNHEALTHY if text.kind == "network" else text.kind
    return Verdict(DEV, kind, 0.85, evidence, f"Dev looks at what {failing.commit[:10]} changed.")


def _green_meanwhile(past: Past, text: Verdict, works: set[str], commits: set[str]) -> list[PastBuild]:
    """Return the builds of other commits that show that only the change is broken.

    These did the same work between the failures. Where no service is asked, the same work before and other projects between
    them are enough. Where the log says the same, whatever passes is.
    """
    first, last = past.near[0].at, past.near[-1].at
    if text.owner == DEV:
        return [green for green in past.greens if green.at >= first and green.commit not in commits]
    others = [green for green in past.passed_meanwhile(works) if green.commit not in commits]
    if others or text.owner == OPS or text.kind in kinds.OF_SERVICES:
        return others
    before = past.greens_between(first - NEAR, first, lambda run: run.work in works)
    return past.greens_between(first, last, lambda run: run.commit not in commits) if before else []


def _unchanged(past: Past, text: Verdict) -> Verdict | None:
    """Return a verdict if the same commit passed before and fails again and again now: something around it has changed.

    What the log calls Dev's becomes unknown: a test that depends on the date, a dependency without a version.
    """
    failing = past.failing
    fails = [run for run in past.own if run.change == failing.change]
    before = [green for green in past.greens if green.change == failing.change and green.at < fails[0].at]
    if text.owner == OPS or not failing.commit or len(fails) < 2 or not before:
        return None
    if text.owner == UNKNOWN and text.kind not in kinds.OF_SERVICES - {kinds.APP_UNHEALTHY, UNKNOWN}:
        return None
    if any(
        run.job == failing.job and run.commit != failing.commit and before[-1].at <= run.at <= failing.at
        for run in past.runs
    ):
        # Another commit may have left something behind.
        return None
    passed, fails_since = _clock(before[-1].at), _clock(fails[0].at)
    evidence = [f"{failing.commit[:10]} passed at {passed} and has failed since {fails_since} without a change"]
    owner, who = (UNKNOWN, "Dev and Ops find") if text.owner == DEV else (OPS, "Ops finds")
    return Verdict(owner, text.kind, 0.6, evidence, f"{who} out what changed on agents and services between these times.")


def _one_project(past: Past, text: Verdict) -> Verdict | None:
    """Return an unknown verdict with more evidence if every commit of one project fails while other projects pass.

    The owner stays unknown: a broken service that only this project uses looks the same as a broken project.
    """
    failing, own = past.failing, past.own
    first = own[0].at
    if text.owner != UNKNOWN or len(past.parties) > 1 or len({run.commit for run in own}) < 2:
        return None
    since = [run for run in past.greens if run.at >= first]
    others = sorted({run.project for run in since} - {run.project for run in own})
    if not others or len({run.project for run in since}) > len(others):
        return None
    evidence = [
        f"only {failing.project} fails, {len(own)} times since {_clock(first)}",
        f"green since: {', '.join(others[:4])}",
    ]
    then = f"Find out what changed in {failing.project}, and in what only it uses, before {_clock(first)}."
    return Verdict(UNKNOWN, text.kind, text.confidence, evidence, then)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"

"""The verdict on a build that runs now, for `pipeline-trace why`: what it waits for, or which step is slow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from pipeline_trace.lookup.usual import Usual
from pipeline_trace.lookup.wording import human_duration
from pipeline_trace.ownership import Verdict
from pipeline_trace.ownership.verdict import UNKNOWN
from pipeline_trace.ownership.waits import meaning
from pipeline_trace.place.ci.jenkins.identity import Build, build_on_page, normalised_url
from pipeline_trace.trace.queries import build_name_parts

from ..fetch.api import Controller, Login
from ..fetch.errors import ApiError
from . import waiting, wording
from .moments import Plugins
from .waits import BUILD, OpenBuild, OpenWait

# A build may wait for a build that waits for another build, and so on.
_MOST_BUILDS = 10
# A step is slow if it runs this many times longer than 95 % of the last runs of its stage, and at least this long.
_TIMES_LONGER = 1.5
_WORTH_A_WORD_MS = 30_000

# From a job's full name to the usual times of its stages, by stage name.
UsualTimes = Callable[[str], Mapping[str, Usual]]


def verdict_of_running(reference: str, environ: Mapping[str, str], usual: UsualTimes) -> Verdict | None:
    """Return the verdict on a running build; None if the build does not run or the controller does not answer.

    ``reference``: the build's URL, or JOB#N if JENKINS_URL names the controller. ``environ``: has the controller's login, as
    JENKINS_USER and JENKINS_API_TOKEN.
    """
    build = _build(reference, environ)
    if build is None:
        return None
    user, token = environ.get("JENKINS_USER", ""), environ.get("JENKINS_API_TOKEN", "")
    controller = Controller(build.controller, Login(user, token) if user and token else None)
    try:
        return _of_build(controller, build, usual)
    except ApiError:
        return None


def _build(reference: str, environ: Mapping[str, str]) -> Build | None:
    if "://" in reference and (build := build_on_page(reference)):
        return build
    named, root = build_name_parts(reference), environ.get("JENKINS_URL", "")
    try:
        return Build(normalised_url(root), named[0], int(named[1])) if named and root else None
    except ValueError:
        return None


def _of_build(controller: Controller, build: Build, usual: UsualTimes) -> Verdict | None:
    plugins = Plugins(controller)
    way: list[str] = []
    verdict: Verdict | None = None
    for _ in range(_MOST_BUILDS):
        found = waiting.open_build(plugins, build)
        if found is None:
            # The build that another one waits for has just ended, or may not be seen.
            return verdict
        name = found.name
        waits = [activity.wait for activity in found.activities if activity.wait]
        if not waits:
            return _slow(found, usual(found.job)) or _running(found, [*way, name])
        first = min(waits, key=lambda wait: math.inf if wait.since_ms is None else wait.since_ms)
        verdict = _waits(first, found, [*way, name])
        awaited = build_name_parts(first.what)
        if first.kind != BUILD or not awaited:
            return verdict
        way.append(f"{name} waits for {first.what}")
        build = Build(controller.url, awaited[0], int(awaited[1]))
    return verdict


def _slow(found: OpenBuild, usual: Mapping[str, Usual]) -> Verdict | None:
    """Return the verdict on a step that runs much longer than its whole stage usually takes; None if there is none."""
    now_ms = int(time.time() * 1000)
    for activity in found.activities:
        known = usual.get(activity.stages[-1]) if activity.stages else None
        if known is None or activity.since_ms is None:
            continue
        ran_ms = now_ms - activity.since_ms
        if ran_ms >= _WORTH_A_WORD_MS and ran_ms * 1_000_000 > known.p95_ns * _TIMES_LONGER:
            ran, takes, most = (human_duration(ns) for ns in (ran_ms * 1_000_000, known.median_ns, known.p95_ns))
            stage = activity.stages[-1]
            evidence = [
                f"{found.name} > {stage}: {activity.step} runs for {ran}",
                f"{stage} usually takes {takes}; 95 % of its last {known.count} runs took at most {most}",
                *([f"on {', '.join(found.agents)}"] if found.agents else []),
            ]
            return Verdict(UNKNOWN, "slow_step", 0.6, evidence, "Check what this step waits for, and check its agent.")
    return None


def _running(found: OpenBuild, way: list[str]) -> Verdict:
    evidence = list(wording.open_lines([found], int(time.time() * 1000)))
    return Verdict(
        UNKNOWN, "running", 0.5, [*evidence, *way[:-1]], "The build is running. Compare with the step's usual time."
    )


def _waits(wait: OpenWait, found: OpenBuild, way: list[str]) -> Verdict:
    said = f"{way[-1]} {wording.wait_text(wait, int(time.time() * 1000))}"
    meant = meaning(wait.kind, wait.what, wait.reason)
    evidence = [said, *way[:-1], *([found.url] if found.url else [])]
    return Verdict(meant.owner, meant.kind, meant.confidence, evidence, meant.next)

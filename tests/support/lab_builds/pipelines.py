"""The builds of a story as a controller has them: a Pipeline from Checkout to Publish, and the deploy that it starts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..model import START_MS, Played, play
from ..model.programs import FAILURE, SUCCESS, Agent, Item, Program, Stage, Started, Step, build, sh
from .stories import BUILD, CHECKOUT, DEPLOY, PUBLISH, STAGES, TEST, Case, Ran

_MINUTE_MS = 60_000
# Builds of one case are no history of another one: why looks a week back and a week ahead.
_APART_MS = 30 * 86_400_000
# Numbers of builds of one case begin here times its position.
_NUMBERS = 100
_DEPLOY_MS = 90_000
_SCRIPTS = {CHECKOUT: "git checkout", BUILD: "make", TEST: "make test", PUBLISH: "make publish", DEPLOY: "make deploy"}


@dataclass(frozen=True)
class Built:
    """The builds that a run of the story makes: the first one, and the deploy that it starts, if it starts one."""

    ran: Ran
    builds: tuple[Played, ...]

    @property
    def last(self) -> Played:
        """Return the build at the end of the chain."""
        return self.builds[-1]


def built(case: Case, ran: Ran, position: int) -> Built:
    """Return what a run of the story makes. ``position``: of the case on its controller."""
    number = position * _NUMBERS + ran.number
    at_ms = START_MS - position * _APART_MS + ran.minute * _MINUTE_MS
    commit = hashlib.sha1(f"{case.id} {ran.app} {ran.commit}".encode(), usedforsecurity=False).hexdigest()
    deploys = case.stage == DEPLOY
    result = FAILURE if ran.fails else SUCCESS
    last: Item = build(f"{ran.app}/deploy", number, _DEPLOY_MS, result=result) if deploys else _step(case, ran, DEPLOY)
    stages = [_stage(case, ran, name) for name in STAGES[:-1]]
    program = Program("build", [Agent(ran.agent, [*stages, Stage(DEPLOY, [last])])], declarative=True)
    first = play(program, start_ms=at_ms, job=f"{ran.app}/build", number=number, commit=commit)
    if not deploys:
        return Built(ran, (first,))
    below = play(
        Program("deploy", [Agent(ran.agent, [_stage(case, ran, DEPLOY)])], declarative=True),
        start_ms=first.element(DEPLOY).start_ms + 500,
        job=f"{ran.app}/deploy",
        number=number,
        upstream=Started(first.job, number),
        parameters=[("DEPLOY_ENV", "staging"), ("GIT_COMMIT", commit)],
    )
    return Built(ran, (first, below))


def _stage(case: Case, ran: Ran, name: str) -> Stage:
    return Stage(name, [_step(case, ran, name)])


def _step(case: Case, ran: Ran, stage: str) -> Step:
    """Return the step of a stage: the case's command in its own stage, and it fails if the build does."""
    if stage != case.stage:
        return sh(_SCRIPTS[stage], 2000)
    if not ran.fails:
        return sh(case.command, 20_000)
    message = f"script returned exit code {case.exit_status}"
    return Step("Shell Script", 20_000, case.command, FAILURE, f"{case.log}\n", message)


def all_builds(told: Sequence[Built]) -> list[Played]:
    """Return the builds of all runs."""
    return [played for one in told for played in one.builds]

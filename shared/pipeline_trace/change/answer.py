"""Answers "Can I deploy?" from the steps of a path: yes, no or not known, with a reason. Does no I/O."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ..lookup import states
from ..trace import conventions as c
from .attempt import CHECKS, MERGE, Attempt
from .steps import ServicePath, Step

YES, NO, NOT_KNOWN = "yes", "no", "not known"
# Worst first: the worst answer of several services is the answer for the change.
WORDS = (NO, NOT_KNOWN, YES)
_LONGEST = 160


@dataclass(frozen=True)
class Answer:
    """The answer for one service. ``word``: one of WORDS.

    ``step``: the environment to deploy to next, or the step that blocks. ``next``: a command to run, or "".
    """

    word: str
    reason: str
    step: str = ""
    next: str = ""


def answer_for(path: ServicePath) -> Answer:
    """Return whether the commit can go on to the next environment that it has not reached."""
    checks, merge = (next(step for step in path.steps if step.name == name) for name in (CHECKS, MERGE))
    blocking = _blocking([merge, *path.environments])
    if blocking:
        return _blocked(blocking)
    reached = [step for step in path.environments if step.state == c.SUCCESS]
    if not reached:
        return _before_any(path, checks, merge)
    after = path.environments[path.environments.index(reached[-1]) + 1 :]
    if after:
        upcoming = next((step for step in after if step.expected), after[0])
        unseen = "" if upcoming.expected else f", which has had no deploy{_of(path)} yet"
        return Answer(YES, f"{_green(reached)}; next is {upcoming.name}{unseen}", upcoming.name)
    return Answer(YES, _deployed(reached[-1]), reached[-1].name)


def _blocking(gates: Sequence[Step]) -> Step | None:
    """Return the first step whose last attempt is not a success; None if there is none.

    Such a step does not block if a later step succeeded after it.
    """
    for number, step in enumerate(gates):
        last = step.last
        if last is None or step.state == c.SUCCESS:
            continue
        since = [one.last for one in gates[number + 1 :] if one.state == c.SUCCESS and one.last]
        if not any(one.start_ns > last.start_ns for one in since):
            return step
    return None


def _blocked(step: Step) -> Answer:
    last = step.last
    if last and last.refused:
        return Answer(NO, _unsettled(step), step.name)
    if last is None or step.state not in c.FAILED_RESULTS:
        return Answer(NOT_KNOWN, _unsettled(step), step.name)
    times = f" {step.failures} times" if step.failures > 1 else ""
    alike = " with the same error, last" if step.alike else ", last" if times else ""
    where = f" at {last.where}" if last.where and last.where != last.step else ""
    message = f": {_short(last.message)}" if last.message else ""
    verb = "timed out" if step.state == c.TIMEOUT else "failed"
    reason = f"{step.name} {verb}{times}{alike} in {_run(last)}{where}{message}"
    if step.green_before:
        reason += f"; it was green before ({_run(step.green_before)})"
    return Answer(NO, reason, step.name, _why(last))


def _unsettled(step: Step) -> str:
    last = step.last
    if last is None:
        return f"{step.name} is not known"
    if step.state == states.RUNNING:
        return f"{step.name} is running now ({_run(last)})"
    if step.state == c.CANCELLATION:
        said = f": {_short(last.message)}" if last.message else ""
        return f"{step.name} was cancelled ({_run(last)}){said}"
    return f"the result of {step.name} is not known ({_run(last)})"


def _before_any(path: ServicePath, checks: Step, merge: Step) -> Answer:
    expected = next((step for step in path.environments if step.expected), None)
    if merge.state == c.SUCCESS and merge.last:
        if expected:
            return Answer(YES, f"merge is green ({_run(merge.last)}); next is {expected.name}", expected.name)
        return Answer(NOT_KNOWN, f"merge is green ({_run(merge.last)}), but the store has no deploy{_of(path)}")
    if checks.last is None:
        return Answer(NOT_KNOWN, "the store has no build and no deploy of this commit")
    if checks.state in c.FAILED_RESULTS:
        return _blocked(checks)
    if checks.state != c.SUCCESS:
        return Answer(NOT_KNOWN, _unsettled(checks), checks.name)
    return Answer(NOT_KNOWN, f"PR checks are green ({_run(checks.last)}), but the store has no build of this commit on main")


def _green(reached: Sequence[Step]) -> str:
    *names, final = (step.name for step in reached)
    said = f"{', '.join(names)} and {final}" if names else final
    last = reached[-1].last
    return f"{said} {'are' if names else 'is'} green" + (f" ({_run(last)})" if last else "")


def _deployed(step: Step) -> str:
    run = f" ({_run(step.last)})" if step.last else ""
    if step.later:
        return f"{step.name} had this commit{run}; then {step.later.what} replaced it ({_run(step.later)})"
    return f"{step.name} is deployed{run}"


def _run(attempt: Attempt) -> str:
    return attempt.run or attempt.span.name


def _why(attempt: Attempt) -> str:
    return f"pipeline-trace why {shlex.quote(attempt.run or attempt.span.trace_id)}"


def _of(path: ServicePath) -> str:
    return f" of {path.service}" if path.service else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

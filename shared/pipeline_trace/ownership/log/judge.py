"""Gives verdicts from a log: who was acting, what kind of failure it is, then the words. Reads nothing but its rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..verdict import NOTHING_FAILED, UNKNOWN, Verdict
from . import case as cases
from . import cleaning, phases
from .case import Case
from .evidence import evidence_line
from .outcome import ended_well, tells_of_failure
from .part import STATUSES, Part
from .rules import Rules, load_rules

# An earlier command is less likely to be the one that failed.
_EARLIER = 0.85
# Where nothing tells that a command failed, only so many last lines decide.
_DOUBTED = 8


def verdict_of_log(
    command: str,
    exit_status: int | None,
    log: str,
    task_result: Any = None,
    rules: Rules | None = None,
    phase: str = "",
) -> Verdict:
    """Return who should look first at a failure, from its log. Raises RulesError if the rules cannot be loaded.

    ``command``: the script that failed. ``log``: what it printed, or the end of that. ``task_result``: the failed Ansible
    result (event, host, task, action, result), or a list of them. ``rules``: None loads the default rules. ``phase``: who
    was acting, as the pipeline's stage or step tells it; "" if that is not known.
    """
    rules = rules or load_rules()
    if exit_status is not None and exit_status < 0:
        # As `exec` and Python say that a signal ended it.
        exit_status = 128 - exit_status
    lines = cleaning.lines_of(log)
    phase = phase or phases.phase_of_wrappers(rules.phases, lines)
    if exit_status == 0 or (exit_status is None and task_result is None and ended_well(rules, lines)):
        return Verdict(UNKNOWN, NOTHING_FAILED, 1.0, _last(lines), "")
    found = cases.cases_of(command, exit_status, lines, rules.lines["boilerplate"], task_result)
    told = exit_status is not None or found[0].task is not None or tells_of_failure(rules, log, lines)
    judged = _verdict_of_cases if told else _doubted
    verdict = judged(found, exit_status, "[Pipeline] " in log, rules, phase)
    return replace(verdict, program=found[0].program).settled()


def _verdict_of_cases(found: Sequence[Case], exit_status: int | None, whole: bool, rules: Rules, phase: str) -> Verdict:
    """Return the verdict on a failure. ``whole``: the log is that of a build, not of one step."""
    first = Part(rules, found[0], phase)
    verdict = first.by_words()
    if verdict:
        return verdict
    # A shell stops at the command that failed; the console log of a build continues after it.
    for one in found[1:] if exit_status is None or whole else ():
        verdict = Part(rules, one, phase).by_words()
        if verdict and verdict.owner != UNKNOWN:
            return replace(verdict, confidence=verdict.confidence * _EARLIER)
    verdict = None if exit_status in STATUSES else first.by_phase()
    return verdict or first.by_status(exit_status, read=_read(found))


def _doubted(found: Sequence[Case], exit_status: int | None, whole: bool, rules: Rules, phase: str) -> Verdict:
    """Return the verdict where nothing tells that something failed: only the last lines can be a failure that decides."""
    judge = Part(rules, found[0], phase, last=_DOUBTED)
    return judge.by_words() or judge.by_status(exit_status, read=_read(found))


def _read(found: Iterable[Case]) -> bool:
    """Return whether there was a text to read."""
    return any(one.command or any(line.strip() for line in one.lines) for one in found)


def _last(lines: Sequence[str]) -> list[str]:
    line = next((line for line in reversed(lines) if line.strip()), "")
    return [evidence_line(line)] if line else []

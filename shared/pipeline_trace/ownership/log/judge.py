"""Gives verdicts from a log: who was acting, what kind of thing went wrong there, then the words. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from ..verdict import DEV, NOTHING_FAILED, OPS, UNKNOWN, Verdict
from . import case as cases
from . import cleaning, frames, phases, testruns
from .candidates import Candidate, candidates_of
from .case import Case
from .conditions import Conditions
from .phases import UNEXPLAINED, UNSEEN, Acting
from .rules import Rules, load_rules
from .telling import best_of, how_telling

# How sure a rule is, by its strength: where the phase names the same team, none, and the other team.
_CONFIDENCE = {4: (0.95, 0.9, 0.75), 3: (0.9, 0.8, 0.5), 2: (0.8, 0.7, 0.5), 1: (0.65, 0.5, 0.4), 0: (0.65, 0.4, 0.4)}
# What only the phase tells.
_PHASE_ALONE = 0.65
# An earlier command is less likely to be the one that failed.
_EARLIER = 0.85
_MOST_LETTERS = 240
# The last lines of a log tell how it ended.
_ENDING = 12
_NEAR_THE_END = 25
# Where nothing tells that a command failed, only so many last lines decide.
_DOUBTED = 8
_HOST_FAILED = re.compile(r" : ok=\d+ .*(?:failed|unreachable)=[1-9]")
_HEALTH = re.compile(r"\bhealth|unhealthy|smoke test|readiness", re.IGNORECASE)
# Words of checks that concern the node, not the change.
_NODE = re.compile(
    r"ansible_(?:mem|mounts|processor|swap|date|kernel|uptime)"
    r"|\b(?:node|disk|memory|free|clock|ntp|chrony|load average|swap|mount|volume|uptime)\b"
)
_NO_RULE = "Read the log; no rule matches this text."
_NO_LOG = "No log could be read; look at the output where the command ran."
_STATUSES = {
    124: ("timeout", "Compare the duration with earlier runs; the log does not say what hung."),
    126: ("file_mode", "Check that the called file is executable, and check its interpreter."),
    127: ("missing_tool", "Find out whether the agent or the project's dependencies should provide the tool."),
    134: ("crash", "Find out why the process aborted."),
    137: ("out_of_memory", "Compare its memory use with the agent's memory and with earlier runs."),
    139: ("crash", "Find out what crashed: the project's program or a tool."),
    143: ("aborted", "Find out who or what ended it."),
}
# In the words of a compiler, a checker or a package manager, these still mean the machine or the network.
_OF_CODE = ("code", "test", "check", "config")
_OF_MACHINES = ("node", "network")
_DECISIVE = 4
_ERROR = 2
# What acts before a command of the project does.
_BEFORE = ("platform", "checkout")
_BY_PHASE = {
    "platform": (OPS, "platform", "Ops looks at the CI platform; it failed before a command of the project acted."),
    "checkout": (OPS, "checkout", "Ops looks at the checkout on this agent; no command of the project acted yet."),
    "build": (DEV, "build_failure", "Dev looks at the build."),
    "check": (DEV, "lint", "Dev corrects what the check found."),
    "test": (DEV, "test_failure", "Dev looks at the test that failed."),
}


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
    lines = cleaning.lines_of(log)
    phase = phase or phases.phase_of_wrappers(rules.phases, lines)
    if exit_status == 0 or (exit_status is None and task_result is None and _ended_well(rules, lines)):
        return Verdict(UNKNOWN, NOTHING_FAILED, 1.0, _last(lines), "")
    found = cases.cases_of(command, exit_status, lines, rules.lines["boilerplate"], task_result)
    told = exit_status is not None or found[0].task is not None or _failed(rules, log, lines)
    judged = _verdict_of_cases if told else _doubted
    verdict = judged(found, exit_status, "[Pipeline] " in log, rules, phase)
    return replace(verdict, program=found[0].program).settled()


def _verdict_of_cases(found: Sequence[Case], exit_status: int | None, whole: bool, rules: Rules, phase: str) -> Verdict:
    """Return the verdict on a failure. ``whole``: the log is that of a build, not of one step."""
    first = _Judge(rules, found[0], phase)
    verdict = first.by_words()
    if verdict:
        return verdict
    # A shell stops at the command that failed; the console log of a build continues after it.
    for one in found[1:] if exit_status is None or whole else ():
        verdict = _Judge(rules, one, phase).by_words()
        if verdict and verdict.owner != UNKNOWN:
            return replace(verdict, confidence=verdict.confidence * _EARLIER)
    verdict = None if exit_status in _STATUSES else first.by_phase()
    return verdict or first.by_status(exit_status, read=_read(found))


def _ended_well(rules: Rules, lines: Sequence[str]) -> bool:
    """Return whether the last lines tell of success, and none after that of a failure."""
    ending = [line for line in lines if line.strip()][-_ENDING:]
    if any(_HOST_FAILED.search(line) for line in ending):
        return False
    for line in reversed(ending):
        if rules.lines["succeeded"].on(line):
            return True
        if rules.lines["pointed"].on(line) and not rules.lines["resting"].on(line):
            return False
    return False


def _doubted(found: Sequence[Case], exit_status: int | None, whole: bool, rules: Rules, phase: str) -> Verdict:
    """Return the verdict where nothing tells that something failed: only the last lines can be a failure that decides."""
    judge = _Judge(rules, found[0], phase, last=_DOUBTED)
    return judge.by_words() or judge.by_status(exit_status, read=_read(found))


def _read(found: Iterable[Case]) -> bool:
    """Return whether there was a text to read."""
    return any(one.command or any(line.strip() for line in one.lines) for one in found)


def _failed(rules: Rules, log: str, lines: Sequence[str]) -> bool:
    """Return whether one of the last lines tells of a failure."""
    known = rules.lines
    if "##[error]" in log or "::error" in log:
        return True
    ending = [line for line in lines if line.strip() and not frames.is_frame(line)][-_NEAR_THE_END:]
    return any(known["failed"].on(line) and not known["resting"].on(line) for line in ending)


def _last(lines: Sequence[str]) -> list[str]:
    line = next((line for line in reversed(lines) if line.strip()), "")
    return [evidence_line(line)] if line else []


class _Judge:
    """Judges one part of a log."""

    def __init__(self, rules: Rules, one: Case, phase: str, last: int | None = None) -> None:
        """``last``: only so many last lines decide; None for all."""
        self._last = last
        self._rules = rules
        self._case = one
        self._starts = [0, *accumulate(len(line) + 1 for line in one.lines)]
        told = "deploy" if one.task else phase
        self._acting = Acting(rules.phases, one, self._starts, told)
        self._conditions = Conditions(rules, one, self._acting.at)

    def by_words(self) -> Verdict | None:
        """Return the verdict that words decide; None if no rule matches."""
        candidates = candidates_of(self._rules, self._case, self._starts)
        if self._last is not None:
            told = [number for number, line in enumerate(self._case.lines) if line.strip() and not frames.is_frame(line)]
            first = told[-self._last :][0] if told else 0
            candidates = [one for one in candidates if one.finding.number >= first and one.strength >= _ERROR]
            return self.of(max(candidates, key=lambda candidate: candidate.rank)) if candidates else None
        if self._case.task is None or self._case.task.action in ("command", "shell", "script"):
            tests = testruns.verdict_of_test_run(self._rules, self._case, candidates, self.of)
            if tests:
                return tests
        best = self._infrastructure(max(candidates, key=lambda candidate: candidate.rank, default=None), candidates)
        if best and best.strength >= _ERROR:
            return self._best(best, candidates)
        known = self._unreachable() or self._check()
        if known or best is None:
            return known or self._trace()
        return self._best(best, candidates) if best.strength >= 1 else self._trace() or self.of(best)

    def _infrastructure(self, best: Candidate | None, candidates: list[Candidate]) -> Candidate | None:
        """Return another candidate instead of the best, if that is Dev's by its tool alone.

        One on the same line whose words are of the machine; or a refused login, of which a package that is not found follows.
        """
        classes = self._rules.phases.classes
        if best and best.rule.kind == "dependency_resolution" and not best.rule.own:
            logins = [one for one in candidates if classes.get(one.rule.kind) == "access" and one.strength >= _ERROR]
            return max(logins, key=lambda candidate: candidate.rank, default=best)
        if best is None or best.rule.own or best.strength >= _DECISIVE or classes.get(best.rule.kind) not in _OF_CODE:
            return best
        of_machine = [
            one
            for one in candidates
            if one.finding.number == best.finding.number
            and one.rule.owner == OPS
            and one.strength >= _ERROR
            and classes.get(one.rule.kind) in _OF_MACHINES
        ]
        return max(of_machine, key=lambda candidate: candidate.rank, default=best)

    def _best(self, best: Candidate, candidates: list[Candidate]) -> Verdict:
        verdict, told = self.of(best), self.of(best_of(best, candidates, self._rules.lines["summary"]))
        # Another line may have other conditions, and so another owner.
        return self._own_fault(candidates, told if told.owner == verdict.owner else verdict)

    def by_phase(self) -> Verdict | None:
        """Return the verdict that only the phase decides; None if it decides nothing, or nothing was printed."""
        pointed = self._pointed() or self._platform() or (self._printed() if self._acting.firm else None)
        if pointed is None:
            return None
        number, line = pointed
        phase = self._acting.at(number)
        owner, kind, then = _BY_PHASE.get(phase, (UNKNOWN, "", ""))
        expected = self._rules.phases.table[phase][UNEXPLAINED]
        if expected == UNKNOWN or (phase in _BEFORE and not self._before(phase)):
            return None
        if expected == DEV and self._rules.lines["elsewhere"].on(line):
            return None
        if expected != owner:
            kind, then = "unknown", f"{expected.capitalize()} looks first at this phase ({phase})."
        return self._acted(Verdict(expected, kind, _PHASE_ALONE, self._shown(line), then), number)

    def _acted(self, verdict: Verdict, number: int) -> Verdict:
        """Return the verdict with who was acting at a line."""
        phase = self._acting.at(number)
        return replace(verdict, phase="" if phase == UNSEEN else phase)

    def by_status(self, status: int | None, *, read: bool) -> Verdict:
        """Return the verdict from the exit status alone. Its owner is always unknown. ``read``: there was a text to read."""
        pointed = self._pointed() or self._printed()
        evidence = [evidence_line(pointed[1])] if pointed else []
        if status is not None:
            evidence.append(f"exit status {status}")
        kind, then = _STATUSES.get(status or 0, ("unknown", _NO_RULE if read else _NO_LOG))
        if kind == "unknown" and read and not pointed and status is not None:
            then = f"Find out what the script means by its exit status {status}."
        verdict = Verdict(UNKNOWN, kind, 0.3, evidence, then)
        return self._acted(verdict, pointed[0]) if pointed else verdict

    def _pointed(self) -> tuple[int, str] | None:
        """Return the line, with its number, that an engineer would point at though no rule knows it."""
        known = self._rules.lines
        found = [
            (number, line)
            for number, line in enumerate(self._case.lines)
            if known["pointed"].on(line) and not any(known[name].on(line) for name in ("mute", "passing", "resting"))
        ]
        return max(found, key=lambda one: (how_telling(one[1], known["summary"]), one[0]), default=None)

    def _platform(self) -> tuple[int, str] | None:
        """Return the last line, with its number, that only the CI platform prints."""
        number = self._acting.last("platform")
        return None if number is None else (number, self._case.lines[number])

    def _printed(self) -> tuple[int, str] | None:
        """Return the last line, with its number."""
        found = [(number, line) for number, line in enumerate(self._case.lines) if line.strip()]
        return found[-1] if found else None

    def _own_fault(self, candidates: list[Candidate], verdict: Verdict) -> Verdict:
        """Return a better verdict if a new version does not answer and the log also names the cause; else the verdict."""
        if (verdict.owner, verdict.kind) != (UNKNOWN, "app_unhealthy"):
            return verdict
        others = sorted((one for one in candidates if one.strength >= 1), key=lambda one: one.rank, reverse=True)
        told = (other for other in map(self.of, others) if other.owner != UNKNOWN)
        return next(told, verdict)

    def of(self, candidate: Candidate) -> Verdict:
        """Return the verdict of a rule where it matches, with its conditions and the phase applied."""
        rule, finding = candidate.rule, candidate.finding
        owner, kind, then = rule.owner, rule.kind, rule.next
        phase = self._acting.at(finding.number)
        for where in rule.where:
            if self._conditions.hold(where.conditions, finding) and not self._conditions.any(where.exceptions, finding):
                owner, kind, then = where.owner or owner, where.kind or kind, where.next or then
                break
        else:
            if owner == UNKNOWN and self._before(phase) and candidate.strength < _DECISIVE:
                # Nothing of the project acts here.
                owner = self._rules.phases.owner(phase, kind)
        if kind == "exception" and phase != "test" and self._frames(finding.number) == frames.OTHERS:
            crash = Verdict(UNKNOWN, "tool_crash", 0.5, self._evidence(candidate), "Find out why this tool crashed.")
            return self._acted(crash, finding.number)
        confidence = self._sure(owner, kind, phase, candidate)
        return self._acted(Verdict(owner, kind, confidence, self._evidence(candidate), then), finding.number)

    def _before(self, phase: str) -> bool:
        """Return whether nothing of the project acts yet. A script with an exit status is of the project."""
        return phase in _BEFORE and not (self._acting.firm and self._case.code is not None)

    def _frames(self, number: int) -> str:
        return frames.whose_frames(self._case.lines, number)

    def _sure(self, owner: str, kind: str, phase: str, candidate: Candidate) -> float:
        same, open_, other = _CONFIDENCE[int(max(candidate.strength, 0))]
        if candidate.rule.own:
            return same
        if owner == UNKNOWN:
            return min(open_, 0.5)
        expected = self._rules.phases.owner(phase, kind)
        return same if expected == owner else open_ if expected == UNKNOWN else other

    def _evidence(self, candidate: Candidate) -> list[str]:
        return self._shown(candidate.line)

    def _shown(self, line: str) -> list[str]:
        evidence = [evidence_line(line)] if line else []
        task = self._case.task
        if task:
            evidence.append(
                f"task {task.task!r} {'could not reach' if task.unreachable else 'failed on'} {', '.join(task.hosts)}"
            )
        elif self._case.command:
            evidence.append(f"command: {evidence_line(self._case.command)}")
        return evidence

    def _unreachable(self) -> Verdict | None:
        task = self._case.task
        if not task or not task.unreachable:
            return None
        evidence = [
            evidence_line(self._case.lines[0]) if self._case.lines else "unreachable",
            f"hosts: {', '.join(task.hosts)}",
        ]
        return Verdict(OPS, "host_unreachable", 0.8, evidence, "Ops looks at the host; the change is not the cause.")

    def _check(self) -> Verdict | None:
        """Return the verdict on a failed check (assert or fail) in the playbook, if no rule matches."""
        task = self._case.task
        if not task or not (task.action in ("assert", "fail") or "assertion: " in self._case.text.lower):
            return None
        node = _NODE.search(self._case.text.lower)
        owner, kind = (OPS, "node_setup") if node else (DEV, "config_error")
        if kind == "config_error" and _HEALTH.search(f"{task.task} {self._case.text.value}"):
            kind = "app_unhealthy"
        then = "Ops looks at the node." if node else "Dev corrects the value that the playbook's check rejects."
        return Verdict(owner, kind, 0.6, [evidence_line(self._case.lines[0]) if self._case.lines else task.task], then)

    def _trace(self) -> Verdict | None:
        """Return the verdict on an exception in the project's code that no rule matches."""
        number = frames.first_frame(self._case.lines)
        if number is None or self._frames(number) != frames.OWN:
            return None
        evidence = [evidence_line(self._case.lines[number])]
        return Verdict(DEV, "exception", 0.6, evidence, "Dev looks at the exception in the code.")


def evidence_line(line: str) -> str:
    """Return a line as evidence: stripped, without its level, and cut if it is very long."""
    line = cleaning.without_level(line.strip())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"

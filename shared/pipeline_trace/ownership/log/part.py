"""Judges one part of a log: what rules match, who was acting, and the exit status. Does no I/O."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import accumulate

from ..verdict import DEV, OPS, UNKNOWN, Verdict
from . import frames, tasks, telling, testruns
from .candidates import Candidate, candidates_of
from .case import Case
from .conditions import Conditions
from .evidence import evidence_line, evidence_of
from .phases import UNEXPLAINED, UNSEEN, Acting
from .rules import DECISIVE, ERROR, SYMPTOM, Rules
from .telling import best_of, pointed_line

# How sure a rule is, by its strength: where the phase names the same team, none, and the other team.
_CONFIDENCE = {4: (0.95, 0.9, 0.75), 3: (0.9, 0.8, 0.5), 2: (0.8, 0.7, 0.5), 1: (0.65, 0.5, 0.4), 0: (0.65, 0.4, 0.4)}
# What only the phase tells.
_PHASE_ALONE = 0.65
_NO_RULE = "Read the log; no rule matches this text."
_NO_LOG = "No log could be read; look at the output where the command ran."
STATUSES = {
    124: ("timeout", "Compare the duration with earlier runs; the log does not say what hung."),
    126: ("file_mode", "Check that the called file is executable, and check its interpreter."),
    127: ("missing_tool", "Find out whether the agent or the project's dependencies should provide the tool."),
    134: ("crash", "Find out why the process aborted."),
    137: ("out_of_memory", "Compare its memory use with the agent's memory and with earlier runs."),
    139: ("crash", "Find out what crashed: the project's program or a tool."),
    143: ("terminated", "Find out who or what ended it: a person, a time limit, or the node."),
}
# In the words of a compiler, a checker or a package manager, these still mean the machine or the network.
_OF_CODE = ("code", "test", "check", "config")
_OF_MACHINES = ("node", "network")
# What acts before a command of the project does.
_BEFORE = ("platform", "checkout")
_BY_PHASE = {
    "platform": (OPS, "platform", "Ops looks at the CI platform; it failed before a command of the project acted."),
    "checkout": (OPS, "checkout", "Ops looks at the checkout on this agent; no command of the project acted yet."),
    "build": (DEV, "build_failure", "Dev looks at the build."),
    "check": (DEV, "lint", "Dev corrects what the check found."),
    "test": (DEV, "test_failure", "Dev looks at the test that failed."),
}


class Part:
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
        found = candidates_of(self._rules, self._case, self._starts)
        candidates = [one for one in found if not self._quotes_source(one)]
        if self._last is not None:
            told = [number for number, line in enumerate(self._case.lines) if line.strip() and not frames.is_frame(line)]
            first = told[-self._last :][0] if told else 0
            candidates = [one for one in candidates if one.finding.number >= first and one.strength >= ERROR]
            return self.of(max(candidates, key=lambda candidate: candidate.rank)) if candidates else None
        if self._case.task is None or self._case.task.action in ("command", "shell", "script"):
            tests = testruns.verdict_of_test_run(self._rules, self._case, candidates, self.of)
            if tests:
                return tests
        best = _infrastructure(self._rules, candidates)
        if best and best.strength >= ERROR:
            return self._best(best, candidates)
        known = tasks.unreachable(self._case) or tasks.failed_check(self._case)
        if known or best is None:
            return known or self._trace()
        if best.strength >= SYMPTOM:
            return self._best(best, candidates)
        # What is only quoted decides nothing.
        return self._trace() or (self.of(best) if best.strength >= 0 else None)

    def _quotes_source(self, one: Candidate) -> bool:
        """Return whether words of Ops are those of the source that a check shows, with its place."""
        finding = one.rule.owner == OPS and not one.rule.own and telling.is_finding(one.line)
        return finding and self._acting.at(one.finding.number) == "check"

    def _best(self, best: Candidate, candidates: list[Candidate]) -> Verdict:
        verdict, told = self.of(best), self.of(best_of(best, candidates, self._rules.lines["summary"]))
        # Another line may have other conditions, and so another owner.
        return self._own_fault(candidates, told if told.owner == verdict.owner else verdict)

    def by_phase(self) -> Verdict | None:
        """Return the verdict that only the phase decides; None if it decides nothing, or nothing was printed."""
        pointed = self._pointed or self._platform() or (self._printed() if self._acting.firm else None)
        if pointed is None:
            return None
        number, line = pointed
        phase = self._acting.at(number)
        owner, kind, then = _BY_PHASE.get(phase, (UNKNOWN, "", ""))
        expected = self._rules.phases.table[phase][UNEXPLAINED]
        if phase == "build" and telling.names_source(self._case.lines, number):
            expected = DEV
        if expected == UNKNOWN or (phase in _BEFORE and not self._before(phase)):
            return None
        if expected == DEV and self._rules.lines["elsewhere"].on(line):
            return None
        if expected != owner:
            kind, then = "unknown", f"{expected.capitalize()} looks first at this phase ({phase})."
        return self._acted(Verdict(expected, kind, _PHASE_ALONE, evidence_of(self._case, line), then), number)

    def _acted(self, verdict: Verdict, number: int) -> Verdict:
        """Return the verdict with who was acting at a line."""
        phase = self._acting.at(number)
        return replace(verdict, phase="" if phase == UNSEEN else phase)

    def by_status(self, status: int | None, *, read: bool) -> Verdict:
        """Return the verdict from the exit status alone. Its owner is always unknown. ``read``: there was a text to read."""
        pointed = self._pointed or self._printed()
        evidence = [evidence_line(pointed[1])] if pointed else []
        if status is not None:
            evidence.append(f"exit status {status}")
        kind, then = STATUSES.get(status or 0, ("unknown", _NO_RULE if read else _NO_LOG))
        if kind == "unknown" and read and not pointed and status is not None:
            then = f"Find out what the script means by its exit status {status}."
        verdict = Verdict(UNKNOWN, kind, 0.3, evidence, then)
        return self._acted(verdict, pointed[0]) if pointed else verdict

    @cached_property
    def _pointed(self) -> tuple[int, str] | None:
        return pointed_line(self._rules, self._case.lines)

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
        if verdict.owner != UNKNOWN or verdict.kind not in ("app_unhealthy", "service_unavailable"):
            return verdict
        others = sorted((one for one in candidates if one.strength >= SYMPTOM), key=lambda one: one.rank, reverse=True)
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
            if owner == UNKNOWN and self._before(phase) and candidate.strength < DECISIVE:
                # Nothing of the project acts here.
                owner = self._rules.phases.owner(phase, kind)
        if (
            kind == "exception"
            and phase != "test"
            and frames.whose_frames(self._case.lines, finding.number) == frames.OTHERS
        ):
            crash = Verdict(UNKNOWN, "tool_crash", 0.5, self._evidence(candidate), "Find out why this tool crashed.")
            return self._acted(crash, finding.number)
        confidence = self._sure(owner, kind, phase, candidate)
        return self._acted(Verdict(owner, kind, confidence, self._evidence(candidate), then), finding.number)

    def _before(self, phase: str) -> bool:
        """Return whether nothing of the project acts yet. A script with an exit status is of the project."""
        return phase in _BEFORE and not (self._acting.firm and self._case.code is not None)

    def _sure(self, owner: str, kind: str, phase: str, candidate: Candidate) -> float:
        same, open_, other = _CONFIDENCE[int(max(candidate.strength, 0))]
        if candidate.rule.own:
            return same
        if owner == UNKNOWN:
            return min(open_, 0.5)
        expected = self._rules.phases.owner(phase, kind)
        return same if expected == owner else open_ if expected == UNKNOWN else other

    def _evidence(self, candidate: Candidate) -> list[str]:
        return evidence_of(self._case, candidate.line)

    def _trace(self) -> Verdict | None:
        """Return the verdict on an exception in the project's code that no rule matches."""
        number = frames.first_frame(self._case.lines)
        if number is None or frames.whose_frames(self._case.lines, number) != frames.OWN:
            return None
        evidence = [evidence_line(self._case.lines[number])]
        return Verdict(DEV, "exception", 0.6, evidence, "Dev looks at the exception in the code.")


def _infrastructure(rules: Rules, candidates: list[Candidate]) -> Candidate | None:
    """Return the best candidate, or another one instead, if the best is Dev's by its tool alone.

    One on the same line whose words are of the machine; or a refused login: it explains that a package is not found.
    """
    best = max(candidates, key=lambda candidate: candidate.rank, default=None)
    classes = rules.phases.classes
    if best and best.rule.kind == "dependency_resolution" and not best.rule.own:
        logins = [one for one in candidates if classes.get(one.rule.kind) == "access" and one.strength >= ERROR]
        return max(logins, key=lambda candidate: candidate.rank, default=best)
    if best is None or best.rule.own or best.strength >= DECISIVE or classes.get(best.rule.kind) not in _OF_CODE:
        return best
    of_machine = [
        one
        for one in candidates
        if one.finding.number == best.finding.number
        and one.rule.owner == OPS
        and one.strength >= ERROR
        and classes.get(one.rule.kind) in _OF_MACHINES
    ]
    return max(of_machine, key=lambda candidate: candidate.rank, default=best)

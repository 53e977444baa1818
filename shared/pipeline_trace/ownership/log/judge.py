"""Gives verdicts from a log: rules match lines of the deciding part, conditions look at the rest. Does no I/O."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..verdict import DEV, OPS, UNKNOWN, Verdict
from . import blocks, testruns
from . import case as cases
from .case import Case
from .conditions import Conditions, Match
from .rules import Rule, Rules, load_rules

_CONFIDENCE = {4: 0.95, 3: 0.85, 2: 0.7, 1: 0.5, 0: 0.4}
# A warning or a retry counts a little more than a symptom; a quoted error counts less.
_PASSING = 1.5
_ERROR = 2
_QUOTED = -1
_MOST_LETTERS = 240
_TRACEBACK = re.compile(
    r"^\s+File \"(?!/usr/|/opt/|<)[^\"]+\", line \d+|^\s+at .*\((?!node:|/usr/|/opt/)[^)]*:\d+\)", re.MULTILINE
)
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


@dataclass(frozen=True)
class Candidate:
    """A rule that matches a line. ``strength``: of the match; ``order``: the rule's position."""

    rule: Rule
    finding: Match
    strength: float
    line: str
    order: int

    @property
    def rank(self) -> tuple[float, bool, int, int]:
        """Return the sort key: the strongest match wins, then an own rule, then the last line, then the first rule."""
        return self.strength, self.rule.own, self.finding.number, -self.order


def verdict_of_log(
    command: str, exit_status: int | None, log: str, task_result: Any = None, rules: Rules | None = None
) -> Verdict:
    """Return who should look first at a failure, from its log. Raises RulesError if the rules cannot be loaded.

    ``command``: the script that failed. ``log``: what it printed, or the end of that. ``task_result``: the failed Ansible
    result (event, host, task, action, result), or a list of them. ``rules``: None loads the default rules.
    """
    rules = rules or load_rules()
    found = cases.cases_of(command, exit_status, log, task_result)
    return replace(_verdict_of_cases(found, exit_status, log, rules), program=found[0].program)


def _verdict_of_cases(found: Sequence[Case], exit_status: int | None, log: str, rules: Rules) -> Verdict:
    verdict = _Judge(rules, found[0]).verdict()
    if verdict:
        return verdict
    # A shell stops at the command that failed; the console log of a build continues after it.
    for one in found[1:] if exit_status is None or "[Pipeline] " in log else ():
        verdict = _Judge(rules, one).verdict()
        if verdict and verdict.owner != UNKNOWN:
            return replace(verdict, confidence=verdict.confidence * 0.7)
    return _by_status(found[0], exit_status, read=any(found[0].lines) or any(blocks.lines_of(log)))


class _Judge:
    def __init__(self, rules: Rules, one: Case) -> None:
        self._rules = rules
        self._case = one
        self._conditions = Conditions(rules, one)
        self._chained = rules.lines["chained"].search(one.text)
        self._classes: dict[int, tuple[bool, bool, bool]] = {}

    def verdict(self) -> Verdict | None:
        """Return the verdict on this part; None if no rule matches."""
        candidates = self._candidates()
        if self._case.task is None or self._case.task.action in ("command", "shell", "script"):
            tests = testruns.verdict_of_test_run(self._rules, self._case, candidates, self.of)
            if tests:
                return tests
        best = max(candidates, key=lambda candidate: candidate.rank, default=None)
        if best and best.strength >= 1:
            return self._own_fault(candidates, self.of(best))
        return self._unreachable() or self._check() or self._traceback() or self._hint(candidates)

    def _hint(self, candidates: list[Candidate]) -> Verdict | None:
        """Return the verdict of the hint rules, which know only the kind of tool."""
        hints = sorted((one for one in candidates if 0 <= one.strength < 1), key=lambda one: one.rank, reverse=True)
        return next((verdict for verdict in map(self.of, hints) if verdict.kind != "unknown"), None)

    def _own_fault(self, candidates: list[Candidate], verdict: Verdict) -> Verdict:
        """Return a better verdict if a new version does not answer and the log also names the cause; else the verdict."""
        if (verdict.owner, verdict.kind) != (UNKNOWN, "app_unhealthy"):
            return verdict
        others = sorted((one for one in candidates if one.strength >= 2), key=lambda one: one.rank, reverse=True)
        told = (other for other in map(self.of, others) if other.owner != UNKNOWN)
        return next(told, verdict)

    def _candidates(self) -> list[Candidate]:
        text, lines = self._case.text, self._case.lines
        starts, at = [], 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        found: dict[tuple[int, int], Candidate] = {}
        for index, rule in enumerate(self._rules.rules):
            for match in rule.pattern.finditer(text):
                number = bisect_right(starts, match.start()) - 1
                muted, passing, quoted = self._class(number)
                if muted or (index, number) in found or rule.unless.on(lines[number]):
                    continue
                strength: float = rule.strength
                if strength > 1 and passing:
                    strength = _PASSING
                if rule.kind == "exception" and self._chained:
                    strength = min(strength, _ERROR)
                if rule.owner == OPS and quoted:
                    strength = _QUOTED
                name = next(
                    (
                        text.value[slice(*match.span(group))]
                        for group in range(1, (match.re.groups or 0) + 1)
                        if match[group]
                    ),
                    "",
                )
                found[index, number] = Candidate(rule, Match(number, name), strength, lines[number], index)
        return list(found.values())

    def _class(self, number: int) -> tuple[bool, bool, bool]:
        """Return whether a line only advises, whether it may have passed later, and whether it quotes."""
        if number not in self._classes:
            line, known = self._case.lines[number], self._rules.lines
            self._classes[number] = (known["mute"].on(line), known["passing"].on(line), known["quoted"].on(line))
        return self._classes[number]

    def of(self, candidate: Candidate) -> Verdict:
        """Return the verdict of a rule where it matches, with its conditions applied."""
        rule, finding = candidate.rule, candidate.finding
        owner, kind, then = rule.owner, rule.kind, rule.next
        for where in rule.where:
            if self._conditions.hold(where.conditions, finding) and not self._conditions.any(where.exceptions, finding):
                owner, kind, then = where.owner or owner, where.kind or kind, where.next or then
                break
        confidence = _CONFIDENCE[int(max(candidate.strength, 0))]
        if owner == UNKNOWN:
            confidence = min(confidence, 0.5)
        return Verdict(owner, kind, confidence, self._evidence(candidate), then)

    def _evidence(self, candidate: Candidate) -> list[str]:
        evidence = [evidence_line(candidate.line)]
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

    def _traceback(self) -> Verdict | None:
        """Return the verdict on an exception in the project's code that no rule matches."""
        found = _TRACEBACK.search(self._case.text.value)
        if not found:
            return None
        return Verdict(DEV, "exception", 0.5, [evidence_line(found[0])], "Dev looks at the exception in the code.")


def _by_status(one: Case, status: int | None, *, read: bool) -> Verdict:
    """Return the verdict from the exit status alone. Its owner is always unknown. ``read``: there was a text to read."""
    last = next((line for line in reversed(one.lines) if line.strip()), "")
    evidence = [evidence_line(last)] if last else []
    if status is not None:
        evidence.append(f"exit status {status}")
    kind, then = _STATUSES.get(status or 0, ("unknown", _NO_RULE if read else _NO_LOG))
    return Verdict(UNKNOWN, kind, 0.3, evidence, then)


def evidence_line(line: str) -> str:
    """Return a line as evidence: stripped, and cut if it is very long."""
    line = line.strip()
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}…"

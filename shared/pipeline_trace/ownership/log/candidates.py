"""Finds the lines of a part of a log that rules match, and ranks them. Does no I/O."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from ..verdict import OPS
from . import frames
from .case import Case
from .conditions import Match
from .rules import ERROR, SYMPTOM, Rule, Rules

# A warning or a retry counts a little more than a symptom; a quoted error counts less.
_PASSING = 1.5
_QUOTED = -1


@dataclass(frozen=True)
class Candidate:
    """A rule that matches a line. ``strength``: of the match. ``telling``: it does more than count or repeat failures.

    ``order``: the rule's position.
    """

    rule: Rule
    finding: Match
    strength: float
    line: str
    telling: bool
    order: int

    @property
    def rank(self) -> tuple[float, bool, bool, int, int]:
        """Return the sort key: the strongest match, an own rule, a line that tells, the last line, the first rule."""
        return self.strength, self.rule.own, self.telling, self.finding.number, -self.order


def candidates_of(rules: Rules, case: Case, starts: Sequence[int]) -> list[Candidate]:
    """Return what rules match in a part of a log. ``starts``: where each line begins in its text."""
    text, kinds = case.text, _Kinds(rules, case.lines)
    chained = rules.lines["chained"].search(text)
    found: dict[tuple[int, int], Candidate] = {}
    for index, rule in enumerate(rules.rules):
        for match in rule.pattern.finditer(text):
            number = bisect_right(starts, match.start()) - 1
            line = kinds.of(number)
            if line.muted or (index, number) in found or rule.unless.on(case.lines[number]):
                continue
            strength: float = rule.strength
            if strength > SYMPTOM and line.passing:
                strength = _PASSING
            if rule.kind == "exception" and chained:
                strength = min(strength, ERROR)
            if rule.owner == OPS and line.quoted:
                strength = _QUOTED
            groups = range(1, (match.re.groups or 0) + 1)
            name = next((text.value[slice(*match.span(group))] for group in groups if match[group]), "")
            found[index, number] = Candidate(rule, Match(number, name), strength, case.lines[number], line.telling, index)
    return list(found.values())


@dataclass(frozen=True)
class _Kind:
    """Whether a line is no failure, may have passed later, quotes, and does more than count or repeat failures."""

    muted: bool
    passing: bool
    quoted: bool
    telling: bool


class _Kinds:
    """Tells of what kind a line is. Asks once a line: many rules may match it."""

    def __init__(self, rules: Rules, lines: Sequence[str]) -> None:
        self._known = rules.lines
        self._lines = lines
        self._found: dict[int, _Kind] = {}

    def of(self, number: int) -> _Kind:
        if number not in self._found:
            line, known = self._lines[number], self._known
            muted = known["mute"].on(line) or known["resting"].on(line) or frames.is_frame(line)
            telling = not known["summary"].on(line)
            self._found[number] = _Kind(muted, known["passing"].on(line), known["quoted"].on(line), telling)
        return self._found[number]

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
    text, kinds = case.text, _Lines(rules, case.lines)
    chained = rules.lines["chained"].search(text)
    found: dict[tuple[int, int], Candidate] = {}
    for index, rule in enumerate(rules.rules):
        for match in rule.pattern.finditer(text):
            number = bisect_right(starts, match.start()) - 1
            muted, passing, quoted = kinds.of(number)
            if muted or (index, number) in found or rule.unless.on(case.lines[number]):
                continue
            strength: float = rule.strength
            if strength > SYMPTOM and passing:
                strength = _PASSING
            if rule.kind == "exception" and chained:
                strength = min(strength, ERROR)
            if rule.owner == OPS and quoted:
                strength = _QUOTED
            groups = range(1, (match.re.groups or 0) + 1)
            name = next((text.value[slice(*match.span(group))] for group in groups if match[group]), "")
            telling = not rules.lines["summary"].on(case.lines[number])
            found[index, number] = Candidate(rule, Match(number, name), strength, case.lines[number], telling, index)
    return list(found.values())


class _Lines:
    """Tells of each line whether it is no failure, whether it may have passed later, and whether it quotes."""

    def __init__(self, rules: Rules, lines: Sequence[str]) -> None:
        self._known = rules.lines
        self._lines = lines
        self._found: dict[int, tuple[bool, bool, bool]] = {}

    def of(self, number: int) -> tuple[bool, bool, bool]:
        if number not in self._found:
            line, known = self._lines[number], self._known
            muted = known["mute"].on(line) or known["resting"].on(line) or frames.is_frame(line)
            self._found[number] = (muted, known["passing"].on(line), known["quoted"].on(line))
        return self._found[number]

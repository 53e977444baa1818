"""Chooses the line that an engineer would point at, of several that say the same. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .candidates import Candidate
from .patterns import Pattern
from .rules import Rules

_PLACE = re.compile(r"[\w./\\-]+\.\w{1,6}[:(]\d+|line \d+|\b[\w.-]+\.[a-z]{2,}(?::\d+|/)|://")
_QUOTED = re.compile(r"['\"`\u2018][^'\"`\u2019]{2,}['\"`\u2019]")
# If several lines have one of these kinds, the first line is the cause. For other kinds it is the last line.
_FIRST = frozenset(
    ("compile_error", "import_error", "lint", "test_failure", "source_error", "migration", "vulnerable_dependency")
)
_LONG = 300
_SOURCE = re.compile(r"\s*(?:-->|at|in|╭─\[?|,-\[)? *(?!/(?:usr|opt|nix)/)[\w@./-]+\.\w{1,7}:\d+:\d+\b")
_FINDING = re.compile(r"\s*(?!/(?:usr|opt|var|tmp|etc)/)[\w@./-]+\.\w{1,7}:\d+(?::\d+)?[: ]")
# Lines from a message down to the place that it is about.
_BELOW = 5


def best_of(winner: Candidate, candidates: Sequence[Candidate], summary: Pattern) -> Candidate:
    """Return the candidate whose line tells most, among those of the winner's rule kind and owner that are as strong.

    ``summary``: matches lines that only count or repeat failures.
    """
    alike = [
        one
        for one in candidates
        if (one.rule.kind, one.rule.owner, one.strength) == (winner.rule.kind, winner.rule.owner, winner.strength)
    ]
    order = -1 if winner.rule.kind in _FIRST else 1
    return max(alike, key=lambda one: (how_telling(one.line, summary), order * one.finding.number, one is winner))


def how_telling(line: str, summary: Pattern) -> int:
    """Return how much a line tells: places and names count for it, a mere summary against it."""
    found = 2 * bool(_PLACE.search(line)) + bool(_QUOTED.search(line)) - (len(line) > _LONG)
    return found - 4 if summary.on(line) else found


def is_finding(line: str) -> bool:
    """Return whether a line begins with the place in a source file, as a finding of a checker or grep does."""
    return _FINDING.match(line) is not None


def names_source(lines: Sequence[str], number: int) -> bool:
    """Return whether a compiler tells the place in a source file below its message."""
    return any(_SOURCE.match(line) for line in lines[number : number + _BELOW])


def pointed_line(rules: Rules, lines: Sequence[str]) -> tuple[int, str] | None:
    """Return the line, with its number, that an engineer would point at though no rule knows it."""
    known = rules.lines
    found = [
        (number, line)
        for number, line in enumerate(lines)
        if known["pointed"].on(line) and not any(known[name].on(line) for name in ("mute", "passing", "resting"))
    ]
    return max(found, key=lambda one: (how_telling(one[1], known["summary"]), one[0]), default=None)

"""Chooses the line that an engineer would point at, of several that say the same. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .candidates import Candidate

# Lines that count or repeat failures.
_SUMMARY = re.compile(
    r"^\W*\d+ (?:failing|failed|errors?|problems?|examples?|tests?)\b|\b(?:build|compilation|command|linker command|lifecycle|step script|job)"
    r"\b.{0,40}\bfailed\b|^\W*(?:error|errors|failed|failure|fatal)\W*$|tests run:|could not compile|aborting due to|see (?:the )?.*\blog\b"
    r"|errors? (?:occurred|generated|found)|exited with|exit (?:code|status)|^\W*(?:test suites|tests|test files|suites):|short test summary"
    r"|compilation error|terminated$|\bdid not run successfully|metadata-generation-failed|^e: (?:sub-process|unable to fetch some)|maybe run ",
    re.IGNORECASE,
)
_PLACE = re.compile(r"[\w./\\-]+\.\w{1,6}[:(]\d+|line \d+|\b[\w.-]+\.[a-z]{2,}(?::\d+|/)|://")
_QUOTED = re.compile(r"['\"`\u2018][^'\"`\u2019]{2,}['\"`\u2019]")
# Of these, the first is the cause; of others, the last that was tried.
_FIRST = frozenset(
    ("compile_error", "import_error", "lint", "test_failure", "source_error", "migration", "vulnerable_dependency")
)
_LONG = 300


def best_of(winner: Candidate, candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate whose line tells most, among those of the winner's rule kind and owner that are as strong."""
    alike = [
        one
        for one in candidates
        if (one.rule.kind, one.rule.owner, one.strength) == (winner.rule.kind, winner.rule.owner, winner.strength)
    ]
    order = -1 if winner.rule.kind in _FIRST else 1
    return max(alike, key=lambda one: (how_telling(one.line), order * one.finding.number, one is winner))


def how_telling(line: str) -> int:
    """Return how much a line tells: places and names count for it, a mere summary against it."""
    found = 2 * bool(_PLACE.search(line)) + bool(_QUOTED.search(line)) - (len(line) > _LONG)
    return found - 4 if _SUMMARY.search(line) else found

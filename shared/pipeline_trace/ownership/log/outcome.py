"""Tells from the end of a log whether something failed. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import frames
from .rules import Rules

# The last lines of a log tell how it ended.
_ENDING = 12
_NEAR_THE_END = 25
_HOST_FAILED = re.compile(r" : ok=\d+ .*(?:failed|unreachable)=[1-9]")


def ended_well(rules: Rules, lines: Sequence[str]) -> bool:
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


def tells_of_failure(rules: Rules, log: str, lines: Sequence[str]) -> bool:
    """Return whether one of the last lines tells of a failure."""
    known = rules.lines
    if "##[error]" in log or "::error" in log:
        return True
    ending = [line for line in lines if line.strip() and not frames.is_frame(line)][-_NEAR_THE_END:]
    return any(known["failed"].on(line) and not known["resting"].on(line) for line in ending)

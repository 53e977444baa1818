"""Says how many spans wait for delivery, and why: each reason once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .journal import find_journals
from .reader import count_waiting
from .shipment import Outcome

# Counting reads all journals. With thousands of them, a lower bound is enough.
_MOST_SECONDS = 2.0
_MOST_REASONS = 3


def said(folder: Path, outcomes: Sequence[Outcome], advice: str) -> str:
    """Return one line about the spans that still wait after deliveries; empty if none failed. ``advice``: what to do."""
    problem = reasons(outcomes)
    return f"{problem}; {said_count(folder)}, {advice}" if problem else ""


def reasons(outcomes: Sequence[Outcome]) -> str:
    """Return why deliveries failed; empty if none failed. The reason that holds for all journals comes first."""
    failed = [one for one in outcomes if one.problem and not one.aside]
    found = list(dict.fromkeys(one.problem for one in sorted(failed, key=lambda one: not one.blocked)))
    more = [f"and {len(found) - _MOST_REASONS} more reasons"] if len(found) > _MOST_REASONS else []
    return "; ".join([*found[:_MOST_REASONS], *more])


def said_count(folder: Path) -> str:
    """Return how many spans wait in a folder, in words."""
    deadline = time.monotonic() + _MOST_SECONDS
    count = 0
    journals = find_journals(folder)
    for path in journals:
        with suppress(OSError):
            count += count_waiting(path)
        if time.monotonic() > deadline:
            return f"more than {count} spans wait in the {len(journals)} journals of {folder}"
    return f"{count} spans wait in {folder}"

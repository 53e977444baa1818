"""Says how many spans wait for delivery, and why: each reason once."""

from __future__ import annotations

import time
from collections import Counter
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
    """Return why deliveries failed, the most frequent reason first; empty if none failed."""
    blocked = next((one.problem for one in outcomes if one.blocked and one.problem), "")
    counts = Counter(one.problem for one in outcomes if one.problem and not one.aside)
    ordered = sorted(counts, key=lambda text: (text != blocked, -counts[text], text))
    words = [f"{text} ({counts[text]} journals)" if len(counts) > 1 else text for text in ordered[:_MOST_REASONS]]
    words += [f"{len(ordered) - _MOST_REASONS} more reasons"] if len(ordered) > _MOST_REASONS else []
    return "; ".join(words)


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

"""Puts the result of a poll into words."""

from __future__ import annotations

from collections.abc import Sequence

from .swept import Swept

# Lines about single builds that one poll says.
_MOST_LINES = 5


def few_lines(lines: Sequence[str]) -> list[str]:
    """Return the first lines about single builds, and how many more there are."""
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def sweep_counts(swept: Swept) -> dict[str, int]:
    """Return the non-zero counts of a poll, for the log."""
    all_counts = {
        "builds": swept.builds,
        "spans": swept.spans,
        "running": swept.running,
        "gone": swept.vanished,
        "unsampled": swept.unsampled,
        "unread": swept.unread,
    }
    return {name: count for name, count in all_counts.items() if count}


def warnings(swept: Swept) -> list[str]:
    """Return what people should know of a poll that did not fail, a line each."""
    lines = few_lines(swept.problems)
    if swept.odd_times:
        lines.append(f"{swept.odd_times} builds with impossible times are left out")
    if swept.without_times:
        lines.append(
            f"{swept.without_times} Pipeline builds have stages without times in their traces; "
            "to see the times, install the plugin Pipeline Graph View on the controller"
        )
    return lines

"""Puts the result of a poll into words."""

from __future__ import annotations

from collections.abc import Sequence

from ..fetch.client import LOGIN_NEEDED
from .swept import Swept

# Lines about single builds that one poll says.
_MOST_LINES = 5


def few_lines(lines: Sequence[str]) -> list[str]:
    """Return the first lines about single builds, and how many more there are."""
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, for example 1 build, 2 builds."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def no_job(user: str) -> str:
    """Return what to do where the login sees no job. ``user``: "" without a login."""
    return f"no job is visible {f'as {user}' if user else 'without a login'}; {LOGIN_NEEDED}"


def no_verdict(rules: str) -> str:
    """Return what to know of failed builds that were not judged. ``rules``: what is wrong with the rules."""
    return f"failed builds get no verdict: {rules}"


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
        which = "is left out:" if swept.odd_times == 1 else "are left out, the first is"
        lines.append(f"{counted(swept.odd_times, 'build')} with impossible times {which} {swept.first_odd}")
    if swept.without_times:
        have, their = ("has", "its trace") if swept.without_times == 1 else ("have", "their traces")
        lines.append(
            f"{counted(swept.without_times, 'Pipeline build')} {have} stages without times in {their}; to see the times of "
            f"later builds, {'update' if swept.outdated else 'install'} the plugin Pipeline Graph View on the controller"
            f"{' (to a version of April 2025 or newer)' if swept.outdated else ''}"
        )
    return lines

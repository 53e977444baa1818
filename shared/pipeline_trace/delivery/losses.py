"""Counts what could not be delivered, and tells it when the process that noticed it had nobody to tell.

A shipping process has no terminal. It leaves the state file of such a journal behind. ``ship``, ``doctor`` and the poller
read it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .journal import SUFFIX, progress_path
from .leftovers import SECONDS
from .progress import read_progress
from .shipment import Outcome

REJECTED, TORN, DROPPED = "rejected", "torn", "dropped"
# Seconds in which the callback may still read the state of its own journal.
_GRACE_SECONDS = 60.0


@dataclass
class Losses:
    """Spans by the reason why they did not arrive, and the receiver's first reason. ``torn``: incomplete lines."""

    counts: Counter[str] = field(default_factory=Counter)
    reason: str = ""

    def add(self, *, rejected: int = 0, torn: int = 0, dropped: int = 0, reason: str = "") -> None:
        """Count what one journal lost."""
        self.counts.update({REJECTED: rejected, TORN: torn, DROPPED: dropped})
        self.reason = self.reason or reason

    def include(self, others: Losses) -> None:
        """Add what other deliveries lost."""
        self.counts.update(others.counts)
        self.reason = self.reason or others.reason

    def said(self) -> str:
        """Return what was lost, in words; empty if nothing was."""
        words = {
            TORN: "{} incomplete lines skipped",
            DROPPED: "{} spans never written (full disk)",
            REJECTED: f"{{}} rejected by the receiver ({self.reason or 'no reason given'})",
        }
        return "; ".join(text.format(self.counts[name]) for name, text in words.items() if self.counts[name])


def of_outcomes(outcomes: Iterable[Outcome]) -> Losses:
    """Return what the journals lost that were delivered to their end."""
    losses = Losses()
    for one in outcomes:
        if one.done:
            losses.add(rejected=one.rejected, torn=one.torn, dropped=one.dropped, reason=one.reason)
    return losses


def forget_told(outcomes: Iterable[Outcome]) -> None:
    """Delete the state files of journals whose losses the caller tells."""
    for one in outcomes:
        if one.done and one.journal:
            with suppress(OSError):
                progress_path(one.journal).unlink(missing_ok=True)


def forget_old(folder: Path) -> None:
    """Delete state files that are older than 30 days and whose journal no longer exists."""
    for path in folder.glob("*.state"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > SECONDS and not path.with_suffix(SUFFIX).exists():
                path.unlink()


def untold(folder: Path, *, take: bool) -> Losses:
    """Return what earlier deliveries lost and nobody told. ``take``: delete the files, because the caller tells it."""
    losses = Losses()
    for path in sorted(folder.glob("*.state")):
        with suppress(OSError):
            if path.with_suffix(SUFFIX).exists() or time.time() - path.stat().st_mtime < _GRACE_SECONDS:
                continue
            state = read_progress(path)
            if state:
                losses.add(rejected=state.rejected, torn=state.torn, reason=state.reason)
            if take:
                path.unlink()
    return losses

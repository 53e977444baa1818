"""Keeps the delivery state of a journal in a file next to it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..trace.files import read_regular
from ..trace.span import encode
from .journal import progress_path, write_private

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Progress:
    """The delivery state of a journal.

    ``offset``: bytes read and delivered. ``delivered``, ``rejected``: numbers of spans. ``problem``: why the last delivery
    failed. ``reason``: why the receiver rejected spans.
    """

    offset: int = 0
    delivered: int = 0
    problem: str = ""
    rejected: int = 0
    reason: str = ""


def load_progress(journal: Path) -> Progress:
    """Return a journal's state; if the file is missing or broken, the state of an undelivered journal."""
    try:
        data: dict[str, Any] = json.loads(read_regular(progress_path(journal), _MOST_BYTES))
        counts = int(data["offset"]), int(data["delivered"]), str(data["problem"])
        return Progress(*counts, int(data["rejected"]), str(data["reason"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Progress()


def take_progress(journal: Path) -> Progress:
    """Return a journal's state, and delete its file. Use this after the journal is deleted."""
    state = load_progress(journal)
    progress_path(journal).unlink(missing_ok=True)
    return state


def save_progress(journal: Path, state: Progress) -> None:
    """Write a journal's state. If that fails (full disk), the last batch may be delivered twice."""
    new = journal.with_suffix(".new")
    try:
        write_private(new, encode(state.__dict__).encode("ascii"))
        os.replace(new, progress_path(journal))
    except OSError:
        new.unlink(missing_ok=True)

"""How far a journal was shipped, kept in a file beside it.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..trace.span import encode
from .journal import write_private


@dataclass(frozen=True)
class Progress:
    """How far a journal was shipped: bytes and spans delivered, why the last attempt failed, spans rejected and why."""

    offset: int = 0
    delivered: int = 0
    problem: str = ""
    rejected: int = 0
    reason: str = ""


def progress_path(journal: Path) -> Path:
    """Return where the state of a journal is kept."""
    return journal.with_suffix(".state")


def load_progress(journal: Path) -> Progress:
    """Return a journal's state; where there is none or a broken one, nothing was shipped."""
    try:
        data: dict[str, Any] = json.loads(progress_path(journal).read_bytes())
        counts = int(data["offset"]), int(data["delivered"]), str(data["problem"])
        return Progress(*counts, int(data["rejected"]), str(data["reason"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return Progress()


def take_progress(journal: Path) -> Progress:
    """Return a journal's state and remove it: the journal is gone."""
    state = load_progress(journal)
    progress_path(journal).unlink(missing_ok=True)
    return state


def save_progress(journal: Path, state: Progress) -> None:
    """Keep a journal's state; on a full disk it is lost, and the last batch may be delivered twice."""
    new = journal.with_suffix(".new")
    try:
        write_private(new, encode(state.__dict__).encode("ascii"))
        os.replace(new, progress_path(journal))
    except OSError:
        new.unlink(missing_ok=True)

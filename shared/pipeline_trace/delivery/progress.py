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

_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Progress:
    """The delivery state of a journal.

    ``offset``: bytes read and delivered. ``delivered``, ``rejected``: numbers of spans. ``problem``: why the last delivery
    failed. ``reason``: why the receiver rejected spans. ``torn``: incomplete lines. ``tries``: failed deliveries since the
    last accepted batch. ``foreign``: how many of the last answers in a row were not an OTLP receiver's. ``next_try``: when
    to deliver it again without being asked, seconds since the epoch.
    """

    offset: int = 0
    delivered: int = 0
    problem: str = ""
    rejected: int = 0
    reason: str = ""
    torn: int = 0
    tries: int = 0
    foreign: int = 0
    next_try: float = 0.0


def load_progress(journal: Path) -> Progress:
    """Return a journal's state; if the file is missing or broken, the state of an undelivered journal."""
    return read_progress(progress_path(journal)) or Progress()


def read_progress(state: Path) -> Progress | None:
    """Return what a state file says; None if it is missing or broken."""
    try:
        data: dict[str, Any] = json.loads(read_regular(state, _MOST_BYTES))
        return Progress(
            offset=int(data["offset"]),
            delivered=int(data["delivered"]),
            problem=str(data["problem"]),
            rejected=int(data["rejected"]),
            reason=str(data["reason"]),
            # 0.1.0 did not write these.
            torn=int(data.get("torn", 0)),
            tries=int(data.get("tries", 0)),
            foreign=int(data.get("foreign", 0)),
            next_try=float(data.get("next_try", 0.0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def take_progress(journal: Path) -> Progress:
    """Return a journal's state, and delete its file. Use this after the journal is deleted.

    The file stays if lines were incomplete, which only ``ship``, ``doctor`` and the poller tell (losses.py).
    """
    state = load_progress(journal)
    if not state.torn:
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

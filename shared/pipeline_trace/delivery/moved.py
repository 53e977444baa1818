"""Keeps how far the store was sent to a receiver, in a file of the home folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..trace.files import read_regular
from ..trace.span import encode
from .journal import JournalError, write_private
from .pieces import START, Mark, Place

_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Moved:
    """How far the spans of a store were sent.

    ``destination``: its name. ``store``: the number of the file's inode. ``began``: when this pass over the store did.
    ``since``: the beginning of the pass before, whose spans are there; None: this pass sends all. ``after``: the place up to
    which spans arrived. ``journal``: the name of the journal with the spans from there to ``until``, in which ``opening``
    traces begin; empty if there is none. ``spans``, ``traces``: sent in this pass. ``done_s``: when it ended, seconds since
    the epoch; 0: it did not.
    """

    destination: str
    store: int
    began: Mark
    since: Mark | None = None
    after: Place = START
    journal: str = ""
    until: Place = START
    opening: int = 0
    spans: int = 0
    traces: int = 0
    done_s: int = 0


def moved_path(home: Path) -> Path:
    """Return the path of the file in a home folder."""
    return home / "moved.json"


def load_moved(path: Path) -> Moved | None:
    """Return what the file says; None if it is missing or broken: then all is sent again."""
    try:
        data: dict[str, Any] = json.loads(read_regular(path, _MOST_BYTES))
        return Moved(
            destination=str(data["destination"]),
            store=int(data["store"]),
            began=_mark(data["began"]),
            since=_mark(data["since"]) if data["since"] else None,
            after=_place(data["after"]),
            # A name alone, wherever the file comes from.
            journal=os.path.basename(str(data["journal"])),
            until=_place(data["until"]),
            opening=int(data["opening"]),
            spans=int(data["spans"]),
            traces=int(data["traces"]),
            done_s=int(data["done_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def save_moved(path: Path, moved: Moved) -> None:
    """Write the file: all of it, or the one before stays. Raises JournalError."""
    new = path.with_suffix(".new")
    try:
        write_private(new, encode(moved.__dict__).encode("ascii"))
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise JournalError(f"cannot write {path} ({error.strerror})") from None


def _mark(data: Sequence[Any]) -> Mark:
    from_s, counts = data
    return Mark(int(from_s), {str(trace_id): int(count) for trace_id, count in counts.items()})


def _place(data: Sequence[Any]) -> Place:
    trace_id, span_id = data
    return Place(str(trace_id), str(span_id))

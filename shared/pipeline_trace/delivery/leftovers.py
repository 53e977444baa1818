"""Removes journals that nobody could deliver for a long time, with the files beside them."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .journal import SUFFIX
from .progress import load_progress
from .reader import Reader, count_waiting

_DAY = 86400
SECONDS = 30 * _DAY


class Leftover(NamedTuple):
    """Files of one journal. ``files``: the journal, its state, what was refused or set aside. ``reason``: why they go."""

    files: list[Path]
    reason: str


def remove_leftovers(folder: Path, *, dry_run: bool) -> Iterator[Leftover]:
    """Remove what is left of journals of which no file changed for SECONDS, one by one; yield what was removed.

    What a process writes or ships stays, and files of other users. ``dry_run``: remove nothing.
    """
    for stem, files in sorted(_by_journal(folder).items()):
        last_s = max(found.stat(follow_symlinks=False).st_mtime for found in files)
        days = int((time.time() - last_s) // _DAY)
        if days * _DAY < SECONDS:
            continue
        with contextlib.suppress(OSError):
            reason = _remove(folder / (stem + SUFFIX), [] if dry_run else files)
            yield Leftover(sorted(files), f"{reason or 'left by a journal that is gone'}; unchanged for {days} days")


def _remove(journal: Path, files: list[Path]) -> str:
    """Remove files of a journal. Return what waited in it; "" without one. Raises OSError if another process ships it."""
    with _claimed(journal) as reason:
        for path in files:
            path.unlink(missing_ok=True)
    return reason


@contextlib.contextmanager
def _claimed(journal: Path) -> Iterator[str]:
    """Yield what waits in a journal, while no other process can ship it; "" without one. Raises OSError if one does."""
    try:
        reader = Reader(journal)
    except FileNotFoundError:
        yield ""
        return
    try:
        # Counted before the lock: to close another descriptor of the file would release it.
        waiting, problem = count_waiting(journal), load_progress(journal).problem
        if not reader.claim() or reader.written():
            raise BlockingIOError
        yield f"{waiting} spans not delivered ({problem or 'nobody tried'})"
    finally:
        reader.close()


def _by_journal(folder: Path) -> dict[str, list[Path]]:
    """Return the regular files of this user in a folder, by the names of their journals without suffix."""
    found: dict[str, list[Path]] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            details = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(details.st_mode) and details.st_uid == os.geteuid():
                # A file that is about to be renamed, or has a use beside the journal, begins with a dot.
                stem = entry.name.removeprefix(".").partition(".")[0]
                found.setdefault(stem, []).append(Path(entry.path))
    return found

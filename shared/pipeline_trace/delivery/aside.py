"""Sets journals aside that something else than an OTLP receiver answered, again and again.

Its spans may have arrived each time, so it is not sent again by itself. Nothing is deleted.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .journal import SUFFIX, progress_path, reserve_path
from .progress import load_progress, save_progress
from .start import command_line

_FOLDER = "aside"


def set_aside(journal: Path) -> None:
    """Move a journal that no process writes out of the way of deliveries. Raises OSError.

    The caller must hold its lock (Reader.claim). Its state moves too, so that a delivery that a person asks for goes on
    where the last one ended.
    """
    folder = journal.parent / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    state = load_progress(journal)
    os.rename(journal, folder / journal.name)
    save_progress(folder / journal.name, replace(state, foreign=0, tries=0, next_try=0.0))
    progress_path(journal).unlink(missing_ok=True)
    reserve_path(journal).unlink(missing_ok=True)


def is_aside(journal: Path) -> bool:
    """Return whether a journal was set aside."""
    return (journal.parent / _FOLDER / journal.name).exists()


def count_aside(folder: Path) -> int:
    """Return how many journals of a folder are set aside."""
    with suppress(OSError):
        return sum(name.endswith(SUFFIX) for name in os.listdir(folder / _FOLDER))
    return 0


def said_aside(folder: Path) -> str:
    """Return a line that says how many journals are set aside and how to send them again; empty if none is."""
    count = count_aside(folder)
    if not count:
        return ""
    return (
        f"{count} journals are set aside in {folder / _FOLDER}: three times, something else than an OTLP receiver answered; "
        f"correct OTEL_EXPORTER_OTLP_ENDPOINT, then run: {bring_back(folder)}"
    )


def bring_back(folder: Path) -> str:
    """Return the shell command that lets journals that are set aside be delivered again."""
    return f"mv {shlex.quote(str(folder / _FOLDER))}/* {shlex.quote(str(folder))}/ && {command_line('ship')}"

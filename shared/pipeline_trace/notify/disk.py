"""Keeps what was told in the home folder, for all processes of this machine: a book, a lock, and outcomes that wait.

The book is replaced as a whole, so a kill leaves the one of before or the one of after. A kill between a message and its
note in the book sends the message again: twice is better than never.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..delivery import locks
from ..delivery.home import Home
from ..delivery.journal import write_private
from ..trace.files import read_regular
from .outcome import Outcome
from .told import Book, Story

_VERSION = 1
_MOST_BYTES = 64 << 20
_BOOK, _NEW, _READY = "book.json", "book.new", ".ready"


class BookError(Exception):
    """The book cannot be used. The message says what to do."""


def folder_of(home: Home) -> Path:
    """Return the folder of the notifier, in the home folder."""
    return home.path / "notify"


def prepare(folder: Path, now_ns: int) -> Book:
    """Make the folder and the book if they are missing, and return the book. Raises BookError, OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    book = load(folder)
    if book is None:
        book = Book(now_ns, seen_s=now_ns // 10**9)
        save(folder, book)
    return book


def load(folder: Path) -> Book | None:
    """Return the book; None if it is missing or damaged. Raises BookError if a newer version wrote it."""
    try:
        data: dict[str, Any] = json.loads(read_regular(folder / _BOOK, _MOST_BYTES))
        if int(data["version"]) > _VERSION:
            raise BookError(f"{folder / 'book.json'} is of a newer version; upgrade pipeline-trace")
        stories = [Story.from_dict(story) for story in data["stories"]]
        return Book(
            since_ns=int(data["since_ns"]),
            stories={story.place: story for story in stories},
            sent=[float(at) for at in data["sent"]],
            tries=int(data["tries"]),
            next_try=float(data["next_try"]),
            problem=str(data["problem"]),
            seen_s=int(data["seen_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def save(folder: Path, book: Book) -> None:
    """Replace the book. Raises OSError."""
    write(folder, book)
    commit(folder)


def write(folder: Path, book: Book) -> None:
    """Write a book beside the one that counts. Raises OSError, as on a full disk."""
    data = {**book.__dict__, "sent": list(book.sent), "stories": [story.to_dict() for story in book.stories.values()]}
    new = folder / _NEW
    try:
        write_private(new, json.dumps({"version": _VERSION, **data}).encode("ascii"))
    except OSError:
        new.unlink(missing_ok=True)
        raise


def commit(folder: Path) -> None:
    """Let the written book count. It needs no space on the disk. Raises OSError."""
    os.replace(folder / _NEW, folder / _BOOK)


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Yield whether this process has the book for itself. Raises OSError."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield locks.take(file)
    finally:
        os.close(file)


class Inbox:
    """Outcomes of one controller's poll, on disk, until the poll has ended: then only the last of each job counts."""

    def __init__(self, folder: Path, name: str) -> None:
        """``name``: of the file, which no other inbox may have. A killed poll leaves it, and the next goes on with it."""
        self._path = folder / f"{name}.open"
        self._ready = folder / f"{name}{_READY}"

    def add(self, outcome: Outcome) -> None:
        """Add an outcome. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, 0o600)
        try:
            # The first line end closes a line that a kill or a full disk has cut.
            os.write(file, f"\n{json.dumps(outcome.to_dict())}\n".encode("ascii"))
        finally:
            os.close(file)

    def close(self) -> None:
        """Let the outcomes count. Raises OSError."""
        if self._ready.exists():
            # The notifier has not read the last poll's yet; the next poll closes both.
            return
        with suppress(FileNotFoundError):
            os.rename(self._path, self._ready)


def ready(folder: Path) -> list[Path]:
    """Return the files of outcomes that count now. Whoever has read one deletes it, after the book is saved."""
    return sorted(folder.glob(f"*{_READY}"))


def outcomes_in(path: Path) -> Iterator[Outcome]:
    """Yield the outcomes in a file. A damaged line is left out."""
    try:
        lines = read_regular(path, _MOST_BYTES).splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield Outcome.from_dict(json.loads(line))

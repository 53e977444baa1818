"""The append-only file between those who make spans and those who deliver them.

A line each: ``open`` when something begins, ``span`` when it has ended, ``end`` when the writer is done. It is what makes a
kill, a crash or a dead Collector cost nothing. Standard library only: this runs inside ansible-playbook.

Two fcntl record locks a journal, not flock: forked workers would inherit that. Byte 0: "being written"; byte 1: "being
shipped". The kernel lets go of them when their holder dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from ..trace.span import Span, encode

SUFFIX = ".journal"
WRITTEN, SHIPPED = 0, 1
_RESERVE = 4096


class JournalError(Exception):
    """A journal cannot be made. The message says why."""


class Writer:
    """Writes one journal. Not for several threads; a forked child must not use it."""

    def __init__(self, folder: Path) -> None:
        """Make a journal in the folder. Raises JournalError."""
        name = f"{time.time_ns():020d}-{os.getpid()}"
        self.path = folder / (name + SUFFIX)
        self.dropped = 0
        self.spans = 0
        self.problem = ""
        self._torn = False
        hidden = folder / f".{name}"
        self._reserve = reserve_path(self.path)
        try:
            self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # Locked before it can be found: a journal without a writer would be shipped and deleted.
            lock(self._file, WRITTEN)
            os.rename(hidden, self.path)
            write_private(self._reserve, bytes(_RESERVE))
        except OSError as error:
            raise JournalError(f"cannot write {self.path} ({error.strerror})") from None

    def open(self, span: Span) -> None:
        """Note that a span has begun."""
        self.open_line(encode({"type": "open", **span.to_dict()}))

    def span(self, span: Span) -> None:
        """Write a span that has ended."""
        self.span_line(encode({"type": "span", **span.to_dict()}))

    def open_line(self, line: str) -> None:
        """Note that a span has begun, by its line (see lines.py)."""
        self._append(line)

    def span_line(self, line: str) -> None:
        """Write a span that has ended, by its line (see lines.py)."""
        if self._append(line):
            self.spans += 1
        else:
            self.dropped += 1

    def end(self, reason: str = "") -> None:
        """Note that nothing more comes, and let go of the journal. See note_end."""
        if self._file < 0:
            return
        self.note_end(reason)
        os.close(self._file)
        self._file = -1

    def note_end(self, reason: str) -> None:
        """Note that the writer is about to end; where it goes on after all, the last such line counts.

        ``reason``: the name of the signal that ends the writer (SIGTERM, SIGINT), or nothing.
        """
        # On a full disk this makes the room that the last line needs.
        self._reserve.unlink(missing_ok=True)
        self._append(encode({"type": "end", "reason": reason, "dropped": self.dropped}))

    def sync(self) -> None:
        """Have all that was written on the disk, so that it outlives a power cut."""
        os.fsync(self._file)

    def discard(self) -> None:
        """Remove the journal: nothing is to be recorded."""
        self.path.unlink(missing_ok=True)
        self._reserve.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1

    def _append(self, line: str) -> bool:
        """Write one line with one call; tell whether all of it is there."""
        data = (("\n" if self._torn else "") + line + "\n").encode("ascii")
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self.problem = error.strerror or str(error)
            return False
        # After a short write (full disk) the next line begins with a newline, so that the torn one stands alone.
        self._torn = written < len(data)
        if self._torn:
            self.problem = os.strerror(errno.ENOSPC)
        return not self._torn


def reserve_path(journal: Path) -> Path:
    """Return the file that keeps room for a journal's last line."""
    return journal.with_name(f".{journal.stem}.reserve")


def write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def lock(file: int, which: int) -> bool:
    """Take a journal's record lock, WRITTEN or SHIPPED; tell whether it was free."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, which)
    except OSError:
        return False
    return True


def unlock(file: int, which: int) -> None:
    """Give a record lock back."""
    fcntl.lockf(file, fcntl.LOCK_UN, 1, which)


def find_journals(folder: Path) -> list[Path]:
    """Return the journals in a folder, oldest first."""
    return sorted(path for path in folder.glob("*" + SUFFIX) if path.is_file() and not path.is_symlink())

"""Writes journals: append-only files of spans that wait for delivery.

Each line is one record: ``open`` when a span begins, ``span`` when it ends, and ``end`` when the writer ends. So spans
survive a kill, a crash, or a receiver that is down.

Each journal has two fcntl record locks: byte 0 means "being written", byte 1 "being shipped". The kernel releases a lock
when the process that holds it ends. flock is not possible, because forked workers would inherit the lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from ..trace.span import Span, encode
from . import locks

SUFFIX = ".journal"
WRITTEN, SHIPPED = 0, 1
_RESERVE = 4096


class JournalError(Exception):
    """A journal cannot be created. The message says why, and what to do."""


class Writer:
    """Writes one journal. Do not use it from several threads, or in a forked child process."""

    def __init__(self, folder: Path) -> None:
        """Create a journal in the folder. Raises JournalError."""
        name = f"{time.time_ns():020d}-{os.getpid()}"
        self.path = folder / (name + SUFFIX)
        self.dropped = 0
        self.spans = 0
        self.problem = ""
        self._torn = False
        hidden = folder / f".{name}"
        self._reserve = reserve_path(self.path)
        self._file = -1
        try:
            self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # Lock it before others can find it: they ship and delete a journal without a writer.
            lock(self._file, WRITTEN)
            write_private(self._reserve, bytes(_RESERVE))
            os.rename(hidden, self.path)
        except OSError as error:
            self._undo(hidden)
            if isinstance(error, locks.NoLocksError):
                raise JournalError(f"cannot use {folder}: {error}") from None
            raise JournalError(
                f"cannot write {self.path} ({error.strerror}); free space there, or set PIPELINE_TRACE_HOME"
            ) from None

    def _undo(self, hidden: Path) -> None:
        """Close and remove what was opened."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            for path in (hidden, self._reserve):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def open(self, span: Span) -> None:
        """Write a span that has begun."""
        self.open_line(encode({"type": "open", **span.to_dict()}))

    def span(self, span: Span) -> None:
        """Write a span that has ended."""
        self.span_line(encode({"type": "span", **span.to_dict()}))

    def open_line(self, line: str) -> None:
        """Write a span that has begun, as a line of trace/lines.py."""
        self._append(line)

    def span_line(self, line: str) -> None:
        """Write a span that has ended, as a line of trace/lines.py."""
        if self._append(line):
            self.spans += 1
        else:
            self.dropped += 1

    def end(self, reason: str = "") -> None:
        """Write the ``end`` line (see note_end), and close the journal."""
        if self._file < 0:
            return
        self.note_end(reason)
        os.close(self._file)
        self._file = -1

    def note_end(self, reason: str) -> None:
        """Write that the writer is about to end. If it continues after all, the last such line counts.

        ``reason``: the name of the signal that ends the writer (SIGTERM, SIGINT), or empty.
        """
        # On a full disk, this frees the space for the last line.
        self._reserve.unlink(missing_ok=True)
        self._append(encode({"type": "end", "reason": reason, "dropped": self.dropped}))

    @property
    def size(self) -> int:
        """How many bytes are written."""
        return os.fstat(self._file).st_size

    def sync(self) -> None:
        """Flush the journal to disk, so that it survives a power failure."""
        os.fsync(self._file)

    def discard(self) -> None:
        """Delete the journal, if nothing is to be recorded."""
        self.path.unlink(missing_ok=True)
        self._reserve.unlink(missing_ok=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, line: str) -> bool:
        """Write one line with one system call. Return whether all of it is written."""
        data = (("\n" if self._torn else "") + line + "\n").encode("ascii")
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self.problem = error.strerror or str(error)
            return False
        # After a short write (full disk), the next line begins with a newline, so that only one line is incomplete.
        self._torn = written < len(data)
        if self._torn:
            self.problem = os.strerror(errno.ENOSPC)
        return not self._torn


def reserve_path(journal: Path) -> Path:
    """Return the path of the file that reserves space for a journal's last line."""
    return journal.with_name(f".{journal.stem}.reserve")


def progress_path(journal: Path) -> Path:
    """Return the path of a journal's state file."""
    return journal.with_suffix(".state")


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o600)
    try:
        if os.write(file, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def lock(file: int, which: int) -> bool:
    """Take a journal's record lock. ``which``: WRITTEN or SHIPPED. Return whether the lock was free. Raises NoLocksError."""
    return locks.take(file, 1, which)


def unlock(file: int, which: int) -> None:
    """Release a record lock."""
    fcntl.lockf(file, fcntl.LOCK_UN, 1, which)


def find_journals(folder: Path) -> list[Path]:
    """Return the journals in a folder, oldest first: regular files of this user or of the folder's owner."""
    try:
        owners = {os.geteuid(), folder.stat().st_uid}
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if entry.name.endswith(SUFFIX) and _is_ours(entry, owners)]
    except OSError:
        return []
    return [Path(path) for path in sorted(found)]


def _is_ours(entry: os.DirEntry[str], owners: set[int]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid in owners
    except OSError:
        return False

"""The append-only file between those who make spans and those who deliver them.

A line each: ``open`` when something begins, ``span`` when it has ended, ``end`` when the writer is done. It is what makes a
kill, a crash or a dead Collector cost nothing. Standard library only: this runs inside ansible-playbook.

Two fcntl record locks a journal, not flock: forked workers would inherit that. Byte 0: "being written"; byte 1: "being
shipped". The kernel lets go of them when their holder dies.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..trace.span import Span, encode

SUFFIX = ".journal"
_WRITTEN, _SHIPPED = 0, 1
_RESERVE = 4096
_DECODER = json.JSONDecoder()
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
_OPEN = b'{"type":"open",'
_SPAN_ID = re.compile(rb'"span_id":"([0-9a-f]{16})"')


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
        self._reserve = _reserve(self.path)
        try:
            self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # Locked before it can be found: a journal without a writer would be shipped and deleted.
            _lock(self._file, _WRITTEN)
            os.rename(hidden, self.path)
            _write(self._reserve, bytes(_RESERVE))
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


class Opened(NamedTuple):
    """What an ``open`` line holds. Read only where it is needed: nearly all of them are followed by their span."""

    span_id: str
    raw: bytes

    def span(self) -> Span | None:
        """Return the span as it began, None where the line is torn."""
        try:
            return _span(_DECODER.decode(self.raw.decode("utf-8")), self.raw)
        except _MALFORMED:
            return None


class Line(NamedTuple):
    """A journal's line. ``end``: the offset in bytes behind it. Of ``end`` lines ``span`` and ``opened`` are None."""

    kind: str
    end: int
    span: Span | None = None
    opened: Opened | None = None
    reason: str = ""
    dropped: int = 0


class Reader:
    """Reads and ships one journal. Holds the file open: closing another descriptor of it would drop our lock."""

    def __init__(self, path: Path) -> None:
        """Open a journal. Raises OSError, FileNotFoundError included."""
        self.path = path
        self.torn = 0
        self._offset = 0
        self._rest = 0
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def claim(self) -> bool:
        """Take the lock "being shipped"; tell whether we have it and the journal is still there."""
        return _lock(self._file, _SHIPPED) and os.fstat(self._file).st_nlink > 0

    def written(self) -> bool:
        """Tell whether somebody is writing it. Never true for a journal of this process's own."""
        if not _lock(self._file, _WRITTEN):
            return True
        _unlock(self._file, _WRITTEN)
        return False

    def lines(self) -> Iterator[Line]:
        """Yield the whole lines that are there beyond those already yielded; the caller may stop at any of them.

        A line that is torn or not ours is skipped and counted in ``torn``.
        """
        rest = b""
        while chunk := os.pread(self._file, 1 << 18, self._offset + len(rest)):
            *whole, rest = (rest + chunk).split(b"\n")
            for raw in whole:
                self._offset += len(raw) + 1
                line = _parse(raw, self._offset)
                if line:
                    yield line
                elif raw:
                    self.torn += 1
        self._rest = len(rest)

    def count_torn_end(self) -> None:
        """Count the last line as torn where it has no end: for a journal that nobody writes any more."""
        self.torn += self._rest > 0
        self._rest = 0

    def ended(self) -> bool:
        """Tell whether the last line says that nothing more comes."""
        size = os.fstat(self._file).st_size
        return b'{"type":"end"' in os.pread(self._file, 200, max(size - 200, 0))

    def modified_ns(self) -> int:
        """Return when it was last written: nanoseconds since the epoch."""
        return os.fstat(self._file).st_mtime_ns

    def delete(self, *, keep_state: bool = False) -> None:
        """Remove the journal and what is kept about it."""
        self.path.unlink(missing_ok=True)
        _reserve(self.path).unlink(missing_ok=True)
        if not keep_state:
            state_path(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the journal and its locks."""
        os.close(self._file)


def _reserve(journal: Path) -> Path:
    """Return the file that keeps room for a journal's last line."""
    return journal.with_name(f".{journal.stem}.reserve")


def _write(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _parse(raw: bytes, end: int) -> Line | None:
    opened = _opened(raw)
    if opened:
        return Line("open", end, opened=opened)
    try:
        # Decoded here: json would first look for other encodings.
        data = _DECODER.decode(raw.decode("utf-8"))
        kind = data["type"]
        if kind == "span":
            return Line(kind, end, _span(data, raw))
        if kind == "open":
            return Line(kind, end, opened=Opened(_span(data, raw).span_id, raw))
        if kind == "end":
            return Line(kind, end, reason=str(data.get("reason", "")), dropped=int(data.get("dropped", 0)))
    except _MALFORMED:
        pass
    return None


def _opened(raw: bytes) -> Opened | None:
    """Read what an ``open`` line opens where that can be seen at a glance: with links, it holds several ids."""
    if raw.startswith(_OPEN) and raw.endswith(b"}"):
        found = _SPAN_ID.findall(raw)
        if len(found) == 1:
            return Opened(found[0].decode("ascii"), raw)
    return None


def _span(data: Any, raw: bytes) -> Span:
    return _repaired(data) if b"\\ud" in raw else Span.from_dict(data)


def _repaired(data: object) -> Span:
    """Read a span in which a name may hold half a character, which no receiver takes."""
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return Span.from_dict(json.loads(text))


def _lock(file: int, which: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, which)
    except OSError:
        return False
    return True


def _unlock(file: int, which: int) -> None:
    fcntl.lockf(file, fcntl.LOCK_UN, 1, which)


@dataclass(frozen=True)
class State:
    """How far a journal was shipped: bytes and spans delivered, why the last attempt failed, spans rejected and why."""

    offset: int = 0
    delivered: int = 0
    problem: str = ""
    rejected: int = 0
    reason: str = ""


def state_path(journal: Path) -> Path:
    """Return where the state of a journal is kept."""
    return journal.with_suffix(".state")


def load_state(journal: Path) -> State:
    """Return a journal's state; where there is none or a broken one, nothing was shipped."""
    try:
        data: dict[str, Any] = json.loads(state_path(journal).read_bytes())
        counts = int(data["offset"]), int(data["delivered"]), str(data["problem"])
        return State(*counts, int(data["rejected"]), str(data["reason"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return State()


def take_state(journal: Path) -> State:
    """Return a journal's state and remove it: the journal is gone."""
    state = load_state(journal)
    state_path(journal).unlink(missing_ok=True)
    return state


def save_state(journal: Path, state: State) -> None:
    """Keep a journal's state; on a full disk it is lost, and the last batch may be delivered twice."""
    new = journal.with_suffix(".new")
    try:
        _write(new, encode(state.__dict__).encode("ascii"))
        os.replace(new, state_path(journal))
    except OSError:
        new.unlink(missing_ok=True)


def find(folder: Path) -> list[Path]:
    """Return the journals in a folder, oldest first."""
    return sorted(path for path in folder.glob("*" + SUFFIX) if path.is_file() and not path.is_symlink())


def waiting(journal: Path) -> int:
    """Return how many spans of a journal have not been delivered, those still open included.

    Raises OSError where the journal cannot be read.
    """
    offset = load_state(journal).offset
    opened: set[str] = set()
    count = 0
    end = 0
    with journal.open("rb") as file:
        for raw in file:
            end += len(raw)
            line = _parse(raw.rstrip(b"\n"), end)
            if line and line.opened:
                opened.add(line.opened.span_id)
            elif line and line.span:
                opened.discard(line.span.span_id)
                count += end > offset
    return count + len(opened)


def all_waiting(folder: Path) -> int:
    """Return how many spans wait in a folder's journals; those of other users are not ours to count."""
    count = 0
    for path in find(folder):
        with suppress(OSError):
            count += waiting(path)
    return count

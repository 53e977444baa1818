"""Reads journals: their lines, who writes and ships them, and how much of them still waits.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..trace.span import Span
from .journal import SHIPPED, WRITTEN, find_journals, lock, reserve_path, unlock
from .progress import load_progress, progress_path

_DECODER = json.JSONDecoder()
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
_OPEN = b'{"type":"open",'
_SPAN_ID = re.compile(rb'"span_id":"([0-9a-f]{16})"')


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
        return lock(self._file, SHIPPED) and os.fstat(self._file).st_nlink > 0

    def written(self) -> bool:
        """Tell whether somebody is writing it. Never true for a journal of this process's own."""
        if not lock(self._file, WRITTEN):
            return True
        unlock(self._file, WRITTEN)
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
                line = _parsed(raw, self._offset)
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
        reserve_path(self.path).unlink(missing_ok=True)
        if not keep_state:
            progress_path(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the journal and its locks."""
        os.close(self._file)


def count_waiting(journal: Path) -> int:
    """Return how many spans of a journal have not been delivered, those still open included.

    Raises OSError where the journal cannot be read.
    """
    offset = load_progress(journal).offset
    opened: set[str] = set()
    count = 0
    end = 0
    with journal.open("rb") as file:
        for raw in file:
            end += len(raw)
            line = _parsed(raw.rstrip(b"\n"), end)
            if line and line.opened:
                opened.add(line.opened.span_id)
            elif line and line.span:
                opened.discard(line.span.span_id)
                count += end > offset
    return count + len(opened)


def count_all_waiting(folder: Path) -> int:
    """Return how many spans wait in a folder's journals; those of other users are not ours to count."""
    count = 0
    for path in find_journals(folder):
        with suppress(OSError):
            count += count_waiting(path)
    return count


def _parsed(raw: bytes, end: int) -> Line | None:
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

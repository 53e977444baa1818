"""Reads journals: their lines, whether they are being written or shipped, and how many spans wait in them."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..trace.files import open_regular
from ..trace.span import Span
from .journal import SHIPPED, WRITTEN, lock, progress_path, reserve_path, unlock
from .progress import load_progress

# Bytes. A longer line is skipped. Our spans have a few kilobytes, and a line is in memory as a whole.
MOST_LINE = 16 << 20
_PIECE = 1 << 18
# How many bytes before a mark are compared.
_BEFORE = 64
_DECODER = json.JSONDecoder()
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
_OPEN = b'{"type":"open",'
_END = b'{"type":"end"'
_SPAN_ID = re.compile(rb'"span_id":"([0-9a-f]{16})"')


class Opened(NamedTuple):
    """The content of an ``open`` line, parsed only when needed: for nearly all of them, the ended span follows."""

    span_id: str
    raw: bytes

    def span(self) -> Span | None:
        """Return the open span, or None if the line is not valid."""
        try:
            return _span(_DECODER.decode(self.raw.decode("utf-8")), self.raw)
        except _MALFORMED:
            return None


class Line(NamedTuple):
    """A line of a journal. ``end``: the offset in bytes after the line.

    ``kind`` is span, open or end; a span line has ``span``, an open line has ``opened``. An end line has neither, but has
    ``reason`` and ``dropped``.
    """

    kind: str
    end: int
    span: Span | None = None
    opened: Opened | None = None
    reason: str = ""
    dropped: int = 0


class Mark(NamedTuple):
    """How far a journal is read. ``before``: the last bytes before ``offset``."""

    device: int
    inode: int
    offset: int
    before: bytes


class Reader:
    """Reads one journal. Keeps one descriptor open: closing a second descriptor of the file would release our lock."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        """Open a journal. ``write``: also to take its locks. Raises OSError, such as FileNotFoundError."""
        self.path = path
        self.torn = 0
        self._offset = 0
        self._rest = 0
        self._skipping = False
        self._file = open_regular(path, os.O_RDWR if write else os.O_RDONLY)

    def claim(self) -> bool:
        """Take the lock "being shipped". Return whether we have it and the journal still exists. Raises NoLocksError."""
        return lock(self._file, SHIPPED) and os.fstat(self._file).st_nlink > 0

    def written(self) -> bool:
        """Return whether another process is writing the journal. Always False if this process writes it.

        Raises NoLocksError.
        """
        if not lock(self._file, WRITTEN):
            return True
        unlock(self._file, WRITTEN)
        return False

    def lines(self) -> Iterator[Line]:
        """Yield the complete lines that are new since the last call. The caller may stop at any line.

        This skips incomplete, unknown and endless lines, and counts them in ``torn``.
        """
        for raw in self.raw_lines():
            line = parsed(raw, self._offset)
            if line:
                yield line
            elif raw:
                self.torn += 1

    def raw_lines(self) -> Iterator[bytes]:
        """Yield what ``lines`` reads as bytes, without the end of the line. Endless lines are counted in ``torn``."""
        rest: list[bytes] = []
        size = 0
        while chunk := os.pread(self._file, _PIECE, self._offset + size):
            whole = chunk.split(b"\n")
            last = whole.pop()
            for raw in whole:
                raw, rest, size = b"".join([*rest, raw]), [], 0
                self._offset += len(raw) + 1
                if self._skipping:
                    self.torn += 1
                    self._skipping = False
                else:
                    yield raw
            rest.append(last)
            size += len(last)
            if size > MOST_LINE or self._skipping:
                # Not even its end is there. What comes until then is not kept.
                self._skipping, self._offset, rest, size = True, self._offset + size, [], 0
        self._rest = size + self._skipping

    def mark(self) -> Mark:
        """Return how far this journal is read, for ``resume`` of a later reader."""
        found = os.fstat(self._file)
        start = max(self._offset - _BEFORE, 0)
        return Mark(found.st_dev, found.st_ino, self._offset, os.pread(self._file, self._offset - start, start))

    def resume(self, mark: Mark) -> bool:
        """Go on at a mark. Return whether that is possible: if not, another file is here, or this one was written anew.

        Then the reader stays at the beginning.
        """
        found = os.fstat(self._file)
        same = (found.st_dev, found.st_ino) == (mark.device, mark.inode)
        # The end of what was read is compared too: an inode's number is used again, and a file can be written anew.
        if not same or os.pread(self._file, len(mark.before), mark.offset - len(mark.before)) != mark.before:
            return False
        self._offset = mark.offset
        return True

    def count_torn_end(self) -> None:
        """Add the last line to ``torn`` if it is incomplete. Use this only when no process writes the journal."""
        self.torn += self._rest > 0
        self._rest = 0

    def ended(self) -> bool:
        """Return whether the last line is an ``end`` line."""
        return _END in self._last()

    def end(self) -> Line | None:
        """Return the last line if it is a whole ``end`` line."""
        _before, kind, rest = self._last().rpartition(_END)
        return parsed(kind + rest.rstrip(b"\n")) if kind else None

    def _last(self) -> bytes:
        size = os.fstat(self._file).st_size
        return os.pread(self._file, 200, max(size - 200, 0))

    def modified_ns(self) -> int:
        """Return the time of the last write in nanoseconds since the epoch."""
        return os.fstat(self._file).st_mtime_ns

    def delete(self, *, keep_state: bool = False) -> None:
        """Delete the journal and its reserve file, and its state file unless ``keep_state``."""
        self.path.unlink(missing_ok=True)
        reserve_path(self.path).unlink(missing_ok=True)
        if not keep_state:
            progress_path(self.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journal, which releases its locks."""
        os.close(self._file)


def count_waiting(journal: Path) -> int:
    """Return how many spans of a journal are not delivered, including open spans.

    Raises OSError if the journal cannot be read.
    """
    offset = load_progress(journal).offset
    opened: set[str] = set()
    count = 0
    with contextlib.closing(Reader(journal, write=False)) as reader:
        for line in reader.lines():
            if line.opened:
                opened.add(line.opened.span_id)
            elif line.span:
                opened.discard(line.span.span_id)
                count += line.end > offset
    return count + len(opened)


def parsed(raw: bytes, end: int = 0) -> Line | None:
    """Return the content of a line; None if it is not valid. ``end``: the offset in bytes after the line."""
    opened = _opened(raw)
    if opened:
        return Line("open", end, opened=opened)
    try:
        # Decoded here, because json would first try other encodings.
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
    """Return the content of an ``open`` line without parsing its JSON; None if the line has several ids (with links)."""
    if raw.startswith(_OPEN) and raw.endswith(b"}"):
        found = _SPAN_ID.findall(raw)
        if len(found) == 1:
            return Opened(found[0].decode("ascii"), raw)
    return None


def _span(data: Any, raw: bytes) -> Span:
    return _repaired(data) if b"\\ud" in raw else Span.from_dict(data)


def _repaired(data: object) -> Span:
    """Return a span with broken characters (halves of surrogate pairs) replaced, because no receiver accepts them."""
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return Span.from_dict(json.loads(text))

"""Compares a git working tree with git's index, without git: to compare contents, git would run the repository's filters.

Source of the format: gitformat-index(5).
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...trace.files import read_regular

_MOST_INDEX = 32 << 20
# Bytes of files that are read, because their times do not tell whether they changed.
_MOST_READ = 8 << 20
# Time of modification, mode and size; between them: time of change, device, inode, user, group.
_STAT = struct.Struct(">8xII8xI8xI")
_ASSUME_VALID, _EXTENDED, _STAGE = 0x8000, 0x4000, 0x3000
_SKIP_WORKTREE, _INTENT_TO_ADD = 0x4000, 0x2000
_SUBMODULE = 0o160000
_CLOCK_EVERY = 128


class _UnknownError(Exception):
    """What is in the working tree cannot be told cheaply and safely."""


class _Entry(NamedTuple):
    name: bytes
    mode: int
    mtime_ns: int
    size: int
    oid: bytes
    # Not all is merged or added; and: git does not look at the file.
    unfinished: bool
    ignored: bool


def is_unchanged(tree: Path, git: Path, oid_size: int, seconds: float) -> bool | None:
    """Return whether the tracked files are as in the index; None if that cannot be told in time and without filters.

    ``git``: the git folder of the working tree. ``oid_size``: bytes of an object's id.
    """
    deadline = time.monotonic() + seconds
    try:
        index = git / "index"
        written_ns = index.stat().st_mtime_ns
        look = _Look(os.fsencode(tree), written_ns, (git / "info" / "attributes").exists())
        for number, entry in enumerate(_entries(read_regular(index, _MOST_INDEX), oid_size)):
            if number % _CLOCK_EVERY == 0 and time.monotonic() > deadline:
                return None
            if entry.unfinished or not (entry.ignored or look.same(entry)):
                return False
    except (OSError, ValueError, struct.error, IndexError, _UnknownError):
        return None
    return True


class _Look:
    """Looks at files. ``written_ns``: when the index was written. ``converts``: git may convert a content or filter it."""

    def __init__(self, tree: bytes, written_ns: int, converts: bool) -> None:
        self._tree = tree + b"/"
        self._written_ns = written_ns
        self._converts = converts
        self._read = 0

    def same(self, entry: _Entry) -> bool:
        """Return whether a file is as git knows it. Raises _UnknownError, OSError."""
        # Entries are sorted, so that a folder's .gitattributes comes before nearly all of its files.
        self._converts = self._converts or entry.name.rpartition(b"/")[2] == b".gitattributes"
        path = self._tree + entry.name
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_IFMT(found.st_mode) != stat.S_IFMT(entry.mode):
            return False
        if stat.S_ISREG(entry.mode) and bool(found.st_mode & 0o100) != bool(entry.mode & 0o100):
            # Whether this counts is in the configuration.
            raise _UnknownError
        as_noted = found.st_mtime_ns == entry.mtime_ns and found.st_size & 0xFFFFFFFF == entry.size
        # A file that was written after the index could have changed within a tick of the clock.
        return (as_noted and found.st_mtime_ns < self._written_ns) or self._same_content(path, entry, found.st_size)

    def _same_content(self, path: bytes, entry: _Entry, size: int) -> bool:
        self._read += size
        if self._read > _MOST_READ:
            raise _UnknownError
        content = os.readlink(path) if stat.S_ISLNK(entry.mode) else read_regular(Path(os.fsdecode(path)), size)
        if _oid(content, len(entry.oid)) == entry.oid:
            return True
        # Git may convert line ends by the user's own configuration.
        if self._converts or b"\r\n" in content:
            raise _UnknownError
        return False


def _oid(content: bytes, size: int) -> bytes:
    # Imported here, because it is rarely needed and loads a large library.
    from hashlib import sha1, sha256

    data = b"blob %d\0" % len(content) + content
    return sha1(data, usedforsecurity=False).digest() if size == 20 else sha256(data).digest()


def _entries(data: bytes, oid_size: int) -> Iterator[_Entry]:
    """Yield the entries of an index. Raises _UnknownError, ValueError, struct.error, IndexError."""
    magic, version, count = struct.unpack_from(">4sII", data)
    if magic != b"DIRC" or version not in (2, 3, 4):
        raise _UnknownError
    at, name = 12, b""
    for _number in range(count):
        seconds, nanoseconds, mode, size = _STAT.unpack_from(data, at)
        begin = at
        at += _STAT.size
        oid = data[at : at + oid_size]
        at += oid_size
        flags, more = struct.unpack_from(">H", data, at)[0], 0
        at += 2
        if flags & _EXTENDED:
            more = struct.unpack_from(">H", data, at)[0]
            at += 2
        if version == 4:
            cut, at = _cut(data, at)
            name = name[: len(name) - cut]
        else:
            name = b""
        end = data.index(b"\0", at)
        name += data[at:end]
        if not name:
            # An index that changes another file: this entry's name is there.
            raise _UnknownError
        # Versions 2 and 3 fill up to a multiple of eight bytes.
        at = end + 1 if version == 4 else begin + (end - begin + 8) // 8 * 8
        ignored = mode == _SUBMODULE or bool(flags & _ASSUME_VALID or more & _SKIP_WORKTREE)
        unfinished = bool(flags & _STAGE or more & _INTENT_TO_ADD)
        yield _Entry(name, mode, seconds * 1_000_000_000 + nanoseconds, size, oid, unfinished, ignored)
    if data[at : at + 4] == b"link":
        # The same without such an entry.
        raise _UnknownError


def _cut(data: bytes, at: int) -> tuple[int, int]:
    """Return how much of the last name is not in the next one, and the position after that number."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = (value + 1 << 7) | byte & 0x7F
    return value, at + 1

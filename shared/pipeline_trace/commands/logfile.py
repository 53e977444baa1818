"""Reads the end of a log, in UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import BinaryIO

# Only the end of a log is read. An even number: a character of UTF-16 has two bytes or four.
_MOST_BYTES = 4 << 20
_PIECE = 1 << 20
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_end(name: str) -> str:
    """Return the end of a log. ``name``: a file, or - for standard input. Raises OSError."""
    if name == "-":
        return _of_stream(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        return _of_file(file) if file.seekable() else _of_stream(file)


def _of_file(file: BinaryIO) -> str:
    mark = file.read(2)
    start = max(file.seek(0, 2) - _MOST_BYTES, 0)
    file.seek(start + start % 2)
    return decoded(file.read(_MOST_BYTES), mark)


def _of_stream(file: BinaryIO) -> str:
    end = mark = file.read(2)
    while piece := file.read(_PIECE):
        end += piece
        over = max(len(end) - _MOST_BYTES, 0)
        end = end[over + over % 2 :]
    return decoded(end, mark)


def decoded(data: bytes, mark: bytes) -> str:
    """Return the text of a log's end. ``mark``: the first two bytes of the log, which may say that it is in UTF-16."""
    encoding = _encoding(data, mark)
    if encoding == "utf-8":
        # In a log of UTF-8, the output of some programs (wsl.exe) is in UTF-16.
        return data.decode(encoding, "replace").removeprefix("\ufeff").replace("\0", "")
    return data[: len(data) & ~1].decode(encoding, "replace").removeprefix("\ufeff")


def _encoding(data: bytes, mark: bytes) -> str:
    """Return utf-8, utf-16-le or utf-16-be. In UTF-16, one byte of each letter, digit, space and line's end is zero."""
    if mark in _UTF_16:
        # Other bytes may begin so too.
        return _UTF_16[mark] if data.count(0) >= len(data) / 10 else "utf-8"
    most = len(data) / 2 * 0.8
    if data[1::2].count(0) > most:
        return "utf-16-le"
    return "utf-16-be" if data[0::2].count(0) > most else "utf-8"

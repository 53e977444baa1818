"""Reads small files that others may have made: only regular ones, and only up to a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes. Raises OSError if it is another or a larger file.

    It never waits, as for the writer of a FIFO, and never reads without end, as from a device.
    """
    file = open_regular(path, os.O_RDONLY)
    try:
        found = b""
        while len(found) <= most and (piece := os.read(file, min(most + 1 - len(found), 1 << 20))):
            found += piece
    finally:
        os.close(file)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes", str(path))
    return found


def open_regular(path: Path, flags: int) -> int:
    """Return a descriptor of a regular file. ``flags``: of os.open. Raises OSError if it is another kind of file."""
    # First without opening it: that alone has an effect on some devices.
    _check(os.stat(path), path)
    file = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _check(os.fstat(file), path)
    except OSError:
        os.close(file)
        raise
    return file


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))

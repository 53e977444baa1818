"""Takes record locks. Some file systems have none, such as NFS without its lock service: that is not "somebody has it"."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_TAKEN = (errno.EACCES, errno.EAGAIN)
_NONE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_CHECKED = ".locks"


class NoLocksError(OSError):
    """The file system gives no locks. The message says what to do."""

    def __init__(self, number: int) -> None:
        said = "its file system gives no locks; set PIPELINE_TRACE_HOME to a folder on a local disk"
        super().__init__(number, said)

    def __str__(self) -> str:
        return str(self.strerror)


def take(file: int, length: int = 0, start: int = 0) -> bool:
    """Take an exclusive lock of bytes, without waiting. Return whether it was free. ``length``: 0 means to the end.

    Raises NoLocksError, OSError.
    """
    return _lock(file, fcntl.LOCK_EX, length, start)


def check(folder: Path) -> None:
    """Check that a folder's file system gives locks. Raises NoLocksError. What cannot be checked is no error."""
    try:
        # Several users may share the folder, and check at the same time.
        flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        file = os.open(folder / _CHECKED, flags, 0o644)
    except OSError:
        return
    try:
        _lock(file, fcntl.LOCK_SH, 0, 0)
    except NoLocksError:
        raise
    except OSError:
        pass
    finally:
        os.close(file)


def _lock(file: int, kind: int, length: int, start: int) -> bool:
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB, length, start)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise NoLocksError(error.errno) if error.errno in _NONE else error from None
    return True

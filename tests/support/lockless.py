"""A folder on a file system without locks, such as NFS without its lock service."""

from __future__ import annotations

import errno
import fcntl
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

_SITE = """
    import errno, fcntl, os
    lockf = fcntl.lockf
    def refusing(file, *args):
        if os.readlink(f"/proc/self/fd/{file}").startswith(LOCKLESS):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        return lockf(file, *args)
    fcntl.lockf = refusing
"""


def without_locks(patch: pytest.MonkeyPatch, folder: Path, number: int = errno.ENOLCK) -> None:
    """Let locks of files in a folder fail with an error, in this process."""
    lockf = fcntl.lockf

    def refusing(file: int, *args: Any) -> None:
        if os.readlink(f"/proc/self/fd/{file}").startswith(str(folder)):
            raise OSError(number, os.strerror(number))
        lockf(file, *args)

    patch.setattr(fcntl, "lockf", refusing)


def site(tests: Path, folder: Path) -> str:
    """Return a PYTHONPATH with which processes find no locks in a folder. ``tests``: a folder of the test's own."""
    (tests / "site").mkdir()
    text = textwrap.dedent(_SITE).replace("LOCKLESS", repr(str(folder)))
    (tests / "site" / "sitecustomize.py").write_text(text, encoding="utf-8")
    return str(tests / "site")

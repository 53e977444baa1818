"""Finds the folder for journals, the store and the poller's state on this machine."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import locks

HOME = "PIPELINE_TRACE_HOME"


class HomeError(Exception):
    """No folder is writable. The message says which variable to set."""


@dataclass(frozen=True)
class Home:
    """The folder, and a warning if it is not the configured one."""

    path: Path
    warning: str = ""

    @property
    def journals(self) -> Path:
        """The folder of journals that are being written or wait for delivery."""
        return self.path / "journals"

    @property
    def store(self) -> Path:
        """The local store, an SQLite file."""
        return self.path / "traces.db"


def find_home(environ: Mapping[str, str]) -> Home:
    """Return the folder. Creates it with mode 0700 if it does not exist.

    It is PIPELINE_TRACE_HOME, else $XDG_STATE_HOME/pipeline-trace, else ~/.local/state/pipeline-trace. If that is not
    writable (no HOME, a random uid in a container) or its file system gives no locks (NFS), it is
    $TMPDIR/pipeline-trace-UID, if that belongs to this user. Raises HomeError if neither is writable.
    """
    try:
        wanted = _wanted(environ)
        problem = _prepare(wanted) if wanted else "there is no home folder"
    except KeyError:
        wanted, problem = Path(environ[HOME]), "no such user"
    if wanted and not problem:
        return Home(wanted)
    # Imported here, because it is rarely needed.
    from tempfile import gettempdir

    spare = Path(environ.get("TMPDIR") or gettempdir()) / f"pipeline-trace-{os.getuid()}"
    spare_problem = _prepare(spare, shared_parent=True)
    if spare_problem:
        raise HomeError(
            f"cannot write {wanted or 'a home folder'} ({problem}) or {spare} ({spare_problem}); "
            f"set {HOME} to a writable folder on a local disk"
        )
    asked = f"{HOME}={wanted}" if environ.get(HOME) else str(wanted)
    return Home(
        spare,
        f"cannot use {asked} ({problem}); using {spare}. Set {HOME} to a writable folder on a local disk" if wanted else "",
    )


def _wanted(environ: Mapping[str, str]) -> Path | None:
    if environ.get(HOME):
        return _expanded(environ[HOME], environ)
    if os.path.isabs(environ.get("XDG_STATE_HOME", "")):
        return Path(environ["XDG_STATE_HOME"]) / "pipeline-trace"
    home = environ.get("HOME", "")
    # A container's user without a passwd entry has HOME=/. Our files do not belong there.
    return Path(home) / ".local/state/pipeline-trace" if os.path.isabs(home) and home != "/" else None


def _expanded(name: str, environ: Mapping[str, str]) -> Path:
    """Return a path with its tilde expanded. Raises KeyError if the user does not exist or HOME is not set."""
    if name == "~" or name.startswith("~/"):
        return Path(environ["HOME"]) / name[2:]
    if name.startswith("~"):
        user, *rest = name[1:].split("/", 1)
        return Path(pwd.getpwnam(user).pw_dir).joinpath(*rest)
    return Path(name).absolute()


def _prepare(folder: Path, *, shared_parent: bool = False) -> str:
    """Create the folder and its journals folder. Return the problem, or an empty string if there is none."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        # In a folder that is writable for all, another user may have created this folder, or a link with its name.
        if shared_parent and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077):
            return "it belongs to another user"
        (folder / "journals").mkdir(mode=0o700, exist_ok=True)
        if not os.access(folder / "journals", os.W_OK | os.X_OK):
            return "Permission denied"
        locks.check(folder)
    except locks.NoLocksError:
        return "its file system gives no locks"
    except OSError as error:
        return error.strerror or str(error)
    return ""

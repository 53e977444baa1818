"""The folder where this machine's journals, store and poller states are.

Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = "PIPELINE_TRACE_HOME"


class HomeError(Exception):
    """No folder can be written. The message says which variable mends it."""


@dataclass(frozen=True)
class Home:
    """The folder, and a line for people where it is not the one asked for."""

    path: Path
    warning: str = ""

    @property
    def journals(self) -> Path:
        """Journals that are being written or wait for delivery."""
        return self.path / "journals"

    @property
    def store(self) -> Path:
        """The local store, an SQLite file."""
        return self.path / "traces.db"


def find_home(environ: Mapping[str, str]) -> Home:
    """Return the folder, made where it is missing, with 0700.

    PIPELINE_TRACE_HOME, else $XDG_STATE_HOME/pipeline-trace, else ~/.local/state/pipeline-trace. Where that cannot be
    written (no HOME, a random uid in a container): $TMPDIR/pipeline-trace-UID, if it is ours. Raises HomeError.
    """
    try:
        wanted = _wanted(environ)
        problem = _prepare(wanted) if wanted else "there is no home folder"
    except KeyError:
        wanted, problem = Path(environ[HOME]), "no such user"
    if wanted and not problem:
        return Home(wanted)
    # Imported where needed, as this seldom is.
    from tempfile import gettempdir

    spare = Path(environ.get("TMPDIR") or gettempdir()) / f"pipeline-trace-{os.getuid()}"
    spare_problem = _prepare(spare, shared_parent=True)
    if spare_problem:
        raise HomeError(f"cannot write {wanted or 'a home folder'} ({problem}) nor {spare} ({spare_problem}); set {HOME}")
    asked = f"{HOME}={wanted}" if environ.get(HOME) else str(wanted)
    return Home(spare, f"{asked} cannot be written ({problem}); using {spare} instead" if wanted else "")


def _wanted(environ: Mapping[str, str]) -> Path | None:
    if environ.get(HOME):
        return _expanded(environ[HOME], environ)
    if os.path.isabs(environ.get("XDG_STATE_HOME", "")):
        return Path(environ["XDG_STATE_HOME"]) / "pipeline-trace"
    home = environ.get("HOME", "")
    # A container's user without an entry has HOME=/, where nothing of ours belongs.
    return Path(home) / ".local/state/pipeline-trace" if os.path.isabs(home) and home != "/" else None


def _expanded(name: str, environ: Mapping[str, str]) -> Path:
    """Return a path without its tilde. Raises KeyError where it names a user who is not there."""
    if name == "~" or name.startswith("~/"):
        return Path(environ["HOME"]) / name[2:]
    if name.startswith("~"):
        user, *rest = name[1:].split("/", 1)
        return Path(pwd.getpwnam(user).pw_dir).joinpath(*rest)
    return Path(name).absolute()


def _prepare(folder: Path, *, shared_parent: bool = False) -> str:
    """Make the folder and its journals folder; return what is wrong, or nothing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        # In a folder that everybody can write, somebody else may have made ours, or a link in its place.
        if shared_parent and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077):
            return "it belongs to another user"
        (folder / "journals").mkdir(mode=0o700, exist_ok=True)
        if not os.access(folder / "journals", os.W_OK | os.X_OK):
            return "Permission denied"
    except OSError as error:
        return error.strerror or str(error)
    return ""

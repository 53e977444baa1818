"""No CI system: a person's own machine. What is run is told by the git commit, and whether the tree has changes.

The commit is read from git's files; only the look at the tree asks git, within a time that holds whatever happens.
Standard library only: this runs inside ansible-playbook.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...trace import conventions as c
from ...trace.span import AttributeValue
from ..w3c import Place, context_of, place_outside_ci

_REVISION = re.compile(r"[0-9a-f]{40,64}")
_HEAD = "refs/heads/"


def locate(environ: Mapping[str, str], seconds: float) -> Place:
    """Return where a process outside CI stands.

    ``seconds``: how long git may take to look at the tree. A process with a parent leaves it to that to say the commit.
    """
    place = place_outside_ci(environ)
    if context_of(environ)[0]:
        return place
    return replace(place, attributes=checkout_attributes(Path.cwd(), environ, seconds))


def checkout_attributes(folder: Path, environ: Mapping[str, str], seconds: float) -> dict[str, AttributeValue]:
    """Return the commit, the branch and whether the tree is clean, as far as they are known; nothing outside git."""
    with suppress(OSError, UnicodeDecodeError):
        git = _find(folder)
        if git:
            revision, branch = _head(git)
            if revision:
                return {
                    c.VCS_HEAD_REVISION: revision,
                    **({c.VCS_HEAD_NAME: branch, c.VCS_HEAD_TYPE: "branch"} if branch else {}),
                    **_clean(folder, environ, seconds),
                }
    return {}


def _find(folder: Path) -> Path | None:
    """Return git's folder of a working tree: ``.git`` itself, or where that file points."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return above / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    return None


def _head(git: Path) -> tuple[str, str]:
    """Return the commit and the branch, empty where they are not known."""
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return (head if _REVISION.fullmatch(head) else ""), ""
    name = head[4:].strip()
    common = git
    with suppress(FileNotFoundError):
        # Of a linked working tree: branches are those of the main one.
        common = git / (git / "commondir").read_text(encoding="utf-8").strip()
    return _resolved(common, name), name.removeprefix(_HEAD) if name.startswith(_HEAD) else ""


def _resolved(common: Path, name: str) -> str:
    with suppress(OSError):
        revision = (common / name).read_text(encoding="utf-8").strip()
        return revision if _REVISION.fullmatch(revision) else ""
    with suppress(FileNotFoundError):
        for line in (common / "packed-refs").read_text(encoding="utf-8").splitlines():
            revision, *packed = line.split(" ", 1)
            if packed == [name] and _REVISION.fullmatch(revision):
                return revision
    return ""


def _clean(folder: Path, environ: Mapping[str, str], seconds: float) -> dict[str, AttributeValue]:
    """Return whether tracked files are as committed; nothing where git does not say so in time."""
    # Nothing of the repository's own is to run, nor be written.
    words = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=no", "--ignore-submodules"]
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return {}
    try:
        said = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {}
    return {c.GIT_CLEAN: not said} if process.returncode == 0 else {}

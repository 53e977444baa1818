"""No CI system, such as on a laptop: gives the git commit, and whether the working tree has changes.

The commit comes from git's files. Only the check for changes runs git, with a time limit.
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
    """Return the place of a process outside CI. ``seconds``: the time limit for git.

    If TRACEPARENT names a parent, the git attributes are left out: the parent has them.
    """
    place = place_outside_ci(environ)
    if context_of(environ)[0]:
        return place
    return replace(place, attributes=checkout_attributes(Path.cwd(), environ, seconds))


def checkout_attributes(folder: Path, environ: Mapping[str, str], seconds: float) -> dict[str, AttributeValue]:
    """Return attributes of the commit, the branch and a clean tree, as far as known; none outside a git repository."""
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
    """Return the git folder of a working tree: ``.git``, or the folder that a ``.git`` file names; None without one."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return above / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    return None


def _head(git: Path) -> tuple[str, str]:
    """Return the commit and the branch, each empty if unknown."""
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return (head if _REVISION.fullmatch(head) else ""), ""
    name = head[4:].strip()
    common = git
    with suppress(FileNotFoundError):
        # A linked working tree: its branches are in the folder of the main one.
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
    """Return the attribute that says if the tracked files are unchanged; none if git does not answer in time."""
    # Run no program of the repository, and write nothing to it.
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

"""No CI system, such as on a laptop: gives the git commit, and whether the working tree has changes.

The commit comes from git's files, and so do changes in the working tree. Only the check for changes that are added but not
committed runs git, with a time limit.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...trace import conventions as c
from ...trace.files import read_regular
from ...trace.span import AttributeValue
from ..w3c import Place, context_of, place_outside_ci
from . import gitindex

_REVISION = re.compile(r"[0-9a-f]{40,64}")
_HEAD = "refs/heads/"
# Bytes of HEAD and other files of one line, and of all packed branches.
_MOST_TEXT, _MOST_REFS = 4096, 32 << 20
# With these, git looks at another repository than we do.
_ELSEWHERE = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"})
# Write nothing. If an object is missing (a partial clone), do not ask a server for it.
_HARMLESS = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


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
    with suppress(OSError, ValueError):
        tree, git = _find(folder)
        if git:
            revision, branch = _head(git)
            if revision:
                return {
                    c.VCS_HEAD_REVISION: revision,
                    **({c.VCS_HEAD_NAME: branch, c.VCS_HEAD_TYPE: "branch"} if branch else {}),
                    **_clean(tree, git, len(revision) // 2, environ, seconds),
                }
    return {}


def _find(folder: Path) -> tuple[Path, Path | None]:
    """Return a working tree, and its git folder: ``.git``, or the folder that a ``.git`` file names; None without one."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        if git.is_dir():
            return above, git
        if git.is_file():
            return above, above / _text(git).partition("gitdir:")[2].strip()
    return folder, None


def _head(git: Path) -> tuple[str, str]:
    """Return the commit and the branch, each empty if unknown."""
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return (head if _REVISION.fullmatch(head) else ""), ""
    name = head[4:].strip()
    common = git
    with suppress(FileNotFoundError):
        # A linked working tree: its branches are in the folder of the main one.
        common = git / _text(git / "commondir")
    return _resolved(common, name), name.removeprefix(_HEAD) if name.startswith(_HEAD) else ""


def _resolved(common: Path, name: str) -> str:
    with suppress(OSError):
        revision = _text(common / name)
        return revision if _REVISION.fullmatch(revision) else ""
    with suppress(FileNotFoundError):
        for line in _text(common / "packed-refs", _MOST_REFS).splitlines():
            revision, *packed = line.split(" ", 1)
            if packed == [name] and _REVISION.fullmatch(revision):
                return revision
    return ""


def _text(path: Path, most: int = _MOST_TEXT) -> str:
    return read_regular(path, most).decode("utf-8").strip()


def _clean(tree: Path, git: Path, oid_size: int, environ: Mapping[str, str], seconds: float) -> dict[str, AttributeValue]:
    """Return the attribute that says if the tracked files are unchanged; none if that cannot be told in time."""
    began = time.monotonic()
    clean = gitindex.is_unchanged(tree, git, oid_size, seconds)
    if clean:
        clean = _is_committed(tree, environ, seconds - (time.monotonic() - began))
    return {} if clean is None else {c.GIT_CLEAN: clean}


def _is_committed(tree: Path, environ: Mapping[str, str], seconds: float) -> bool | None:
    """Return whether the index is as the commit; None if git does not answer in time.

    This compares ids only. So git runs no filter, hook or monitor of the repository, and asks no server.
    """
    words = ["git", "-c", "core.fsmonitor=false", "diff-index", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--"]
    try:
        process = subprocess.Popen(
            words,
            cwd=tree,
            env={name: value for name, value in environ.items() if name not in _ELSEWHERE} | _HARMLESS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        status = process.wait(max(seconds, 0))
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    return {0: True, 1: False}.get(status)

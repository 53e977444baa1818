"""Keeps a controller's answer about a build's place in a file, so that the next process in the build need not ask again.

Also that it was refused, so that the next process need not say so again.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ....trace.files import read_regular
from ....trace.span import encode
from ...w3c import KEY, TRACEPARENT
from .chain import BuildPlace
from .identity import Build
from .inside import ControllerAnswer

_KEEP_SECONDS = 7 * 86400
_MOST_BYTES = 1 << 20


def kept_answer(folder: Path, build: Build) -> ControllerAnswer | None:
    """Return the kept answer for a build, or None. It has no flow graph, because that changes during a build."""
    try:
        data = json.loads(read_regular(_path(folder, build), _MOST_BYTES))
        return ControllerAnswer(BuildPlace(data["trace_id"], sampled=data["sampled"]), dict(data["parameters"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep_answer(folder: Path, build: Build, answer: ControllerAnswer) -> None:
    """Write the answer for a build. If that fails, nothing is kept, and the next process asks again."""
    parameters = {name: value for name, value in answer.parameters.items() if name in (TRACEPARENT, KEY)}
    data = {"trace_id": answer.place.trace_id, "sampled": answer.place.sampled, "parameters": parameters}
    path = _path(folder, build)
    new = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        new.write_text(encode(data), encoding="ascii")
        os.replace(new, path)
        _forget_old(folder)


def is_first_refusal(folder: Path, build: Build) -> bool:
    """Note that a build's process was refused. Return whether it is the first one here; True too if that cannot be noted."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.close(
            os.open(_path(folder, build).with_suffix(".refused"), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        )
        _forget_old(folder)
    except FileExistsError:
        return False
    except OSError:
        pass
    return True


def _path(folder: Path, build: Build) -> Path:
    return folder / (sha256("\0".join(build.key).encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".json")


def _forget_old(folder: Path) -> None:
    oldest = time.time() - _KEEP_SECONDS
    for path in folder.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink()

"""A generated Jenkins controller of any size, in a process of its own, made by varying recorded builds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

from .plugins import GRAPH_VIEW, KINDS, NONE, STAGE_VIEW

__all__ = ["GRAPH_VIEW", "KINDS", "NONE", "STAGE_VIEW", "Controller", "Counted"]


@dataclass(frozen=True)
class Counted:
    """The controller's view since it was asked last.

    ``missing``: requests answered with 404. ``bytes``: sent. ``at_once``: the most requests under way at once;
    ``connections``: the most that were open. ``cpu_s``: its own CPU time, s. ``polls``: the requests of each whole poll,
    and whether there was a new build for it.
    """

    requests: int
    bytes: int
    missing: int
    at_once: int
    connections: int
    cpu_s: float
    polls: Sequence[tuple[int, bool]]


class Controller:
    """A generated controller, seen by who polls it. A context manager."""

    def __init__(self, jobs: int, builds: int, *, kind: str = GRAPH_VIEW, delay_ms: float = 0) -> None:
        """``kind``: of KINDS. ``delay_ms``: milliseconds before each answer, as of a controller far away."""
        command = [sys.executable, "-m", "controller", kind, str(jobs), str(builds), str(delay_ms)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=Path(__file__).resolve().parents[1]
        )
        assert self._process.stdout
        self.pid = self._process.pid
        self.kind = kind
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def counted(self) -> Counted:
        """Return what came since it was asked before."""
        return Counted(**self._say("counted"))

    def grow(self, polls: int) -> None:
        """Let each of the next polls find a new build of some plain job."""
        self._say(f"grow/{polls}")

    def run(self, builds: int) -> None:
        """Let so many Pipelines run, from now on."""
        self._say(f"run/{builds}")

    def _say(self, what: str) -> Any:
        with urlopen(f"{self.url}/{what}", timeout=60) as answer:
            return json.load(answer)

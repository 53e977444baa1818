"""A generated Jenkins controller of any size, in a process of its own, made by varying recorded builds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.request import urlopen


@dataclass(frozen=True)
class Counted:
    """The controller's view since it was asked last.

    ``missing``: requests answered with 404. ``bytes``: sent. ``at_once``: the most requests under way at once;
    ``connections``: the most that were open. ``cpu_s``: its own CPU time, s. ``plain_builds``: plain Pipeline builds that
    were asked for, ``plain_requests``: how often in all, ``plain_most``: the most about one of them.
    """

    requests: int
    bytes: int
    missing: int
    at_once: int
    connections: int
    cpu_s: float
    plain_builds: int
    plain_requests: int
    plain_most: int


class Controller:
    """A generated controller, seen by who polls it. A context manager."""

    def __init__(self, jobs: int, builds: int, *, delay_ms: float = 0) -> None:
        """``delay_ms``: milliseconds before each answer, as of a controller far away."""
        command = [sys.executable, "-m", "controller", str(jobs), str(builds), str(delay_ms)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=Path(__file__).resolve().parents[1]
        )
        assert self._process.stdout
        self.pid = self._process.pid
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
        with urlopen(f"{self.url}/counted", timeout=60) as answer:
            return Counted(**json.load(answer))

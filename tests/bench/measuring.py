"""Runs one process to its end and tells what it and the processes that it left behind cost."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import struct_rusage

from marks import FILE

_PR_SET_CHILD_SUBREAPER = 36
_LONGEST = 120.0


@dataclass(frozen=True)
class Process:
    """What a process was. CPU (``cpu_s``, with the children that it waited for) and ``wall_s`` in seconds.

    ``left_cpu_s``: CPU of what it started and left behind, e.g. the shipping process. ``pause_s``: from its last hook to its
    exit. ``late_s``: from its exit to that of the last one it left behind. ``notes``: see marks.py.
    """

    cpu_s: float
    wall_s: float
    pause_s: float
    left_cpu_s: float
    left: int
    late_s: float
    notes: Mapping[str, float]


class Runner:
    """Runs processes one after another. ``own``: children of ours that are none of theirs."""

    def __init__(self, folder: Path, own: Sequence[int]) -> None:
        """``folder``: for notes."""
        self._marks = folder / "marks.json"
        self._own = {*own}
        # Orphans become our children: their CPU time can then be had from wait4, to the microsecond.
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")

    def run(self, command: Sequence[object], environ: Mapping[str, str]) -> Process:
        """Run a process. Raises AssertionError with what it printed where it fails."""
        self._marks.unlink(missing_ok=True)
        log = self._marks.with_suffix(".log")
        with log.open("w") as output:
            began = time.monotonic()
            started = subprocess.Popen(
                [str(word) for word in command],
                env={**environ, FILE: str(self._marks)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(started.pid, 0)
        ended = time.monotonic()
        started.returncode = os.waitstatus_to_exitcode(status)
        left = self._left_behind(ended + _LONGEST)
        assert started.returncode == 0, log.read_text()
        notes = json.loads(self._marks.read_text())
        return Process(
            cpu_s=_cpu(usage),
            wall_s=ended - began,
            pause_s=ended - notes["last_hook_ns"] / 1e9,
            left_cpu_s=sum(map(_cpu, left)),
            left=len(left),
            late_s=time.monotonic() - ended,
            notes=notes,
        )

    def _left_behind(self, deadline: float) -> list[struct_rusage]:
        """Wait for all that the process has left behind."""
        usages = []
        while pids := _children() - self._own:
            for pid in pids:
                done, _, usage = os.wait4(pid, os.WNOHANG)
                if done:
                    usages.append(usage)
            assert time.monotonic() < deadline, f"still there: {pids}"
            time.sleep(0.01)
        return usages


def _cpu(usage: struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _children() -> set[int]:
    """Return the ids of this process's children, zombies included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid():
            found.add(int(stat.parent.name))
    return found

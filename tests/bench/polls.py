"""Measures the poller against a generated controller: backfills, polls that find nothing, and polls that find one build."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from controller import Controller, Counted
from receiver import Receiver

OTLP, STORE, NONE = "OTLP over HTTP", "local store", "none: journals only"
_COMMAND = Path(sys.executable).with_name("pipeline-trace")
_TICKS = os.sysconf("SC_CLK_TCK")
# So many polls, one a second, are measured together; as many find one new build each.
_IDLE_POLLS = 10
_FOUND = 50
RUNNING = 200


@dataclass(frozen=True)
class Backfill:
    """One backfill: a process of its own from start to end. CPU and wall time in s, peak memory in MB.

    ``spans``, ``twice``: what the receiver got, and how much of it more than once; None where there is none.
    """

    kind: str
    detail: str
    destination: str
    builds: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    seen: Counted
    spans: int | None = None
    twice: int = 0

    @property
    def cpu_ms(self) -> float:
        """CPU per build, ms; the start of the process is in it."""
        return self.cpu_s * 1000 / self.builds

    @property
    def per_second(self) -> float:
        """Builds per second; the delivery is in it."""
        return self.builds / self.wall_s

    @property
    def requests(self) -> float:
        """Requests per build, those of the sweep included."""
        return self.seen.requests / self.builds

    @property
    def kilobytes(self) -> float:
        """What the controller sent per build, kB."""
        return self.seen.bytes / 1000 / self.builds

    @property
    def server_ms(self) -> float:
        """CPU of the controller per build, ms."""
        return self.seen.cpu_s * 1000 / self.builds

    @property
    def at_once(self) -> int:
        """Requests under way at once, at most; connections bound them where the controller answers without a delay."""
        return self.seen.at_once

    @property
    def connections(self) -> int:
        """Connections that were open at once, at most."""
        return self.seen.connections


@dataclass(frozen=True)
class Idle:
    """Polls that find nothing new, of a poller that runs all the time. CPU in s, each per poll; peak memory in MB.

    ``while_running``: requests of a poll while RUNNING Pipelines run, beyond those of an idle one.
    """

    cpu_s: float
    requests: float
    megabytes: float
    peak_mb: float
    while_running: float


class Bench:
    """Measures, each time with a poller's home and state of its own."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self._folder = folder
        self._receiver = receiver

    def backfill(self, controller: Controller, detail: str, destination: str, *jobs: str) -> Backfill:
        """Poll all builds of a controller, or of some of its jobs, into a destination."""
        only = [word for job in jobs for word in ("--include", job)]
        with self._home(destination) as environ:
            controller.counted()
            self._receiver.take()
            cpu_s, wall_s, peak_mb, said = self._once(controller, environ, "--detail", detail, *only)
            seen, received = controller.counted(), self._receiver.take()
        found = re.search(r"(\d+) builds? read", said)
        assert found, said
        spans = received.distinct if destination == OTLP else None
        twice = received.spans - received.distinct
        return Backfill(controller.kind, detail, destination, int(found[1]), cpu_s, wall_s, peak_mb, seen, spans, twice)

    def idle(self, controller: Controller) -> Idle:
        """Poll a controller again and again of which all builds were read before; then while builds run."""
        with self._home(NONE) as environ:
            self._once(controller, environ, "--detail", "build")
            with self._poller(controller, environ) as process:
                time.sleep(5)
                controller.counted()
                began_s = _cpu_s(process)
                time.sleep(_IDLE_POLLS * 1.2)
                cpu_s, seen = _cpu_s(process) - began_s, controller.counted()
                peak_mb = _peak_mb(process)
                controller.run(RUNNING)
                # The polls that find them.
                time.sleep(5)
                controller.counted()
                time.sleep(_IDLE_POLLS * 1.2)
                running = controller.counted()
        polls, requests = len(seen.polls), _requests(seen)
        return Idle(cpu_s / polls, requests, seen.bytes / 1e6 / polls, peak_mb, _requests(running) - requests)

    def alone(self, controller: Controller) -> list[float]:
        """Return the requests of polls that find one new plain build each, beyond those of idle ones."""
        with self._home(NONE) as environ:
            self._once(controller, environ, "--detail", "step")
            with self._poller(controller, environ):
                time.sleep(5)
                controller.counted()
                time.sleep(3)
                idle = _requests(controller.counted())
                controller.grow(_FOUND)
                time.sleep(_FOUND * 1.1 + 5)
                seen = controller.counted()
        found = [requests - idle for requests, grown in seen.polls if grown]
        assert len(found) > _FOUND / 2, seen.polls
        return found

    @contextmanager
    def _poller(self, controller: Controller, environ: dict[str, str]) -> Iterator[int]:
        """Run a poller that polls every second; give its process id."""
        words = [str(_COMMAND), "poll", "--interval", "1", "--detail", "step", "--jenkins-url", controller.url]
        poller = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield poller.pid
        finally:
            poller.terminate()
            poller.wait()

    def _once(self, controller: Controller, environ: dict[str, str], *options: str) -> tuple[float, float, float, str]:
        """Run ``poll --once``; return CPU and wall time, s, peak memory, MB, and what it said."""
        output = self._folder / "output"
        words = [str(_COMMAND), "poll", "--once", "--jenkins-url", controller.url, *options]
        began = time.monotonic()
        with output.open("w") as file:
            process = subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s, said = time.monotonic() - began, output.read_text()
        assert process.returncode == 0, said
        return usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss / 1000, said

    @contextmanager
    def _home(self, destination: str) -> Iterator[dict[str, str]]:
        """Give an environment whose journals and state are gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            more = {
                OTLP: {"OTEL_EXPORTER_OTLP_ENDPOINT": self._receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
                NONE: {"OTEL_TRACES_EXPORTER": "none"},
                STORE: {},
            }
            names = ("PATH", "LANG", "TMPDIR")
            kept = {name: os.environ[name] for name in names if name in os.environ}
            yield {**kept, "HOME": home, "PIPELINE_TRACE_HOME": home, **more[destination]}


def _requests(seen: Counted) -> float:
    """Return the requests of a poll, the median of those that were seen."""
    return median(requests for requests, _ in seen.polls)


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_mb(process: int) -> float:
    return float(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000

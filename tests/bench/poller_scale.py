"""What the poller costs itself and the controller: idle polls of many jobs, and a backfill of many builds.

    .venv/bin/python tests/bench/poller_scale.py [--rounds 3] [--jobs 5000] [--builds 10000] [--output FILE]

The controller is generated (tests/bench/controller), the receiver counts, each in a process of its own. Prints Markdown;
``--output`` puts it between the marks in a file.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import environment
import tables
from controller import Controller, Counted
from receiver import Receiver

OTLP, STORE, NONE = "OTLP over HTTP", "local store", "none: journals only"
_COMMAND = Path(sys.executable).with_name("pipeline-trace")
_TOLD = ("requests", "urllib3", "python-jenkins", "opentelemetry-sdk", "protobuf")
_TICKS = os.sysconf("SC_CLK_TCK")
# So many idle polls are measured together.
_IDLE_POLLS = 10
# As long as a controller far away, or a busy one, takes to answer.
_DELAY_MS = 20


@dataclass(frozen=True)
class Backfill:
    """One backfill: a process of its own from start to end. CPU and wall time in s, peak memory in MB.

    ``spans``, ``twice``: what the receiver got, and how much of it more than once; None where there is none.
    """

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
    def plain_requests(self) -> float:
        """Requests about a plain Pipeline build: one agent, no nesting, in no chain of builds."""
        return self.seen.plain_requests / self.seen.plain_builds

    @property
    def kilobytes(self) -> float:
        """What the controller sent per build, kB."""
        return self.seen.bytes / 1000 / self.builds

    @property
    def server_busy(self) -> float:
        """How much of the time the controller computed, %."""
        return 100 * self.seen.cpu_s / self.wall_s


@dataclass(frozen=True)
class Idle:
    """Polls that find nothing new, of a poller that runs all the time. CPU in s, each per poll; peak memory in MB."""

    cpu_s: float
    requests: float
    megabytes: float
    peak_mb: float


class Bench:
    """Measures, each time with a poller's home and state of its own."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self._folder = folder
        self._receiver = receiver

    def backfill(self, controller: Controller, detail: str, destination: str, builds: int) -> Backfill:
        """Poll all builds of a controller into a destination."""
        with self._home(destination) as environ:
            controller.counted()
            self._receiver.take()
            cpu_s, wall_s, peak_mb, said = self._once(controller, environ, "--detail", detail)
            seen, received = controller.counted(), self._receiver.take()
        assert f"{builds} builds read" in said, said
        spans = received.distinct if destination == OTLP else None
        twice = received.spans - received.distinct
        return Backfill(detail, destination, builds, cpu_s, wall_s, peak_mb, seen, spans, twice)

    def idle(self, controller: Controller) -> Idle:
        """Poll a controller again and again of which all builds were read before."""
        with self._home(NONE) as environ:
            self._once(controller, environ, "--detail", "build")
            words = [str(_COMMAND), "poll", "--interval", "1", "--jenkins-url", controller.url]
            poller = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(5)
                controller.counted()
                began_s = _cpu_s(poller.pid)
                time.sleep(_IDLE_POLLS * 1.2)
                cpu_s, seen = _cpu_s(poller.pid) - began_s, controller.counted()
                peak_mb = _peak_mb(poller.pid)
            finally:
                poller.terminate()
                poller.wait()
        polls = seen.requests / self._sweep(controller)
        return Idle(cpu_s / polls, seen.requests / polls, seen.bytes / 1e6 / polls, peak_mb)

    def _sweep(self, controller: Controller) -> int:
        """Return how many requests a sweep is."""
        with self._home(NONE) as environ:
            controller.counted()
            self._once(controller, environ, "--include", "none of them")
            return controller.counted().requests

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


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_mb(process: int) -> float:
    return float(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000


def _of(runs: Sequence[Backfill | Idle], figure: str, digits: int) -> str:
    return tables.spread((getattr(run, figure) for run in runs), digits)


def _median(runs: Sequence[Backfill | Idle], figure: str) -> float:
    return float(median(getattr(run, figure) for run in runs))


def backfills(runs: Sequence[Sequence[Backfill]]) -> list[str]:
    """Return the table of backfills. ``runs``: of each kind, the rounds."""
    heads = ["builds", "detail", "destination", "CPU, ms per build", "builds per second", "peak memory, MB"]
    heads += ["requests per build", "spans arrived", "the controller computed, % of the time"]

    def row(rounds: Sequence[Backfill]) -> list[str]:
        one = rounds[0]
        figures = [_of(rounds, "cpu_ms", 1), _of(rounds, "per_second", 0), _of(rounds, "peak_mb", 0)]
        figures += [_of(rounds, "requests", 2), _arrived(rounds), _of(rounds, "server_busy", 0)]
        return [f"{one.builds:,}", one.detail, one.destination, *figures]

    return tables.table(heads, map(row, runs))


def _arrived(rounds: Sequence[Backfill]) -> str:
    if rounds[0].spans is None:
        return "–"
    counts = sorted({run.spans or 0 for run in rounds})
    twice = sum(run.twice for run in rounds)
    return "–".join(f"{count:,}" for count in (counts if len(counts) < 2 else (counts[0], counts[-1]))) + f", {twice} twice"


def views(runs: Sequence[Sequence[Backfill]], idle: Sequence[Idle]) -> list[str]:
    """Return the table of what the controller sees."""
    heads = ["what", "requests at once", "connections", "requests per build", "about a plain Pipeline", "kB per build"]

    def row(name: str, rounds: Sequence[Backfill]) -> list[str]:
        most = [str(max(getattr(run.seen, figure) for run in rounds)) for figure in ("at_once", "connections")]
        plain = f"{_of(rounds, 'plain_requests', 2)}, at most {max(run.seen.plain_most for run in rounds)}"
        return [name, *most, _of(rounds, "requests", 2), plain, _of(rounds, "kilobytes", 1)]

    rows = [row(f"backfill, {rounds[0].detail}, {rounds[0].destination}", rounds) for rounds in runs]
    idle_row = ["idle poll", "1", "1", f"{_of(idle, 'requests', 0)} a poll", "–", f"{_of(idle, 'megabytes', 2)} MB a poll"]
    return tables.table(heads, [*rows, idle_row])


def targets(stage: Sequence[Backfill], idle: Sequence[Idle]) -> list[str]:
    """Return the targets beside what was reached."""
    rows = [
        ("requests of an idle poll ≤ 3", _median(idle, "requests"), 3, 0),
        ("CPU of an idle poll ≤ 0.5 s", _median(idle, "cpu_s"), 0.5, 2),
        ("requests about a plain Pipeline build, detail stage ≤ 3", _median(stage, "plain_requests"), 3, 2),
        ("CPU per build ≤ 10 ms, detail stage, delivery included", _median(stage, "cpu_ms"), 10, 1),
        ("peak memory ≤ 150 MB", _median(stage, "peak_mb"), 150, 0),
        ("requests at once ≤ 4", max(run.seen.connections for run in stage), 4, 0),
    ]
    made = [[name, f"{value:.{digits}f}", "yes" if value <= most else "**no**"] for name, value, most, digits in rows]
    per_second = _median(stage, "per_second")
    made.append(["builds per second ≥ 100, detail stage", f"{per_second:.0f}", "yes" if per_second >= 100 else "**no**"])
    return tables.table(["target", "reached (median)", "met"], made)


def report(options: argparse.Namespace) -> str:
    """Measure, and return the report as Markdown."""
    few = max(options.builds // 10, 100)
    found: dict[tuple[str, str], list[Backfill]] = {}
    idle: list[Idle] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Receiver(Path(sys.executable)) as receiver:
        bench = Bench(Path(folder), receiver)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            with Controller(options.jobs, options.builds) as controller:
                for destination in (OTLP, NONE):
                    run = bench.backfill(controller, "stage", destination, options.builds)
                    found.setdefault(("stage", destination), []).append(run)
                idle.append(bench.idle(controller))
            with Controller(options.jobs // 10, few) as controller:
                for detail, destination in (("stage", STORE), ("step", OTLP), ("step", NONE)):
                    run = bench.backfill(controller, detail, destination, few)
                    found.setdefault((detail, destination), []).append(run)
            with Controller(options.jobs // 10, few, delay_ms=_DELAY_MS) as controller:
                found.setdefault(("slow", OTLP), []).append(bench.backfill(controller, "stage", OTLP, few))
    slow = found.pop(("slow", OTLP))
    runs = list(found.values())
    versions = [f"{os.cpu_count()} cores ({environment.processor()})", f"Linux {platform.release()}"]
    versions += [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _TOLD)]
    versions.append(f"load average {os.getloadavg()[2]:.0f} over the last 15 minutes, its own in it")
    lines = [f"{'; '.join(versions)}. {options.jobs:,} jobs. Median (least–most) of {options.rounds} rounds.", ""]
    lines += ["Command: `" + shlex.join([".venv/bin/python", "tests/bench/poller_scale.py", *sys.argv[1:]]) + "`", ""]
    lines += ["### Targets", "", *targets(found["stage", OTLP], idle), ""]
    lines += ["### Backfill", "", *backfills(runs), ""]
    lines += [
        f"With {_DELAY_MS} ms before each answer (detail stage, {OTLP}): {_of(slow, 'per_second', 0)} builds per second,"
    ]
    lines += [f"at most {max(run.seen.at_once for run in slow)} requests at once.", ""]
    lines += ["### Idle polls", "", f"CPU {_of(idle, 'cpu_s', 3)} s a poll, {_of(idle, 'requests', 0)} requests,"]
    lines += [f"{_of(idle, 'megabytes', 2)} MB sent by the controller; peak memory {_of(idle, 'peak_mb', 0)} MB.", ""]
    lines += ["### The controller's view", "", *views(runs, idle)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--builds", type=int, default=10000, help="a tenth of them at detail step")
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/performance.md")
    options = parser.parse_args()
    text = report(options)
    print(text)
    if options.output:
        tables.put(options.output, Path(__file__).name, text)


if __name__ == "__main__":
    main()

"""What the poller costs itself and the controller, by the plugin that tells the times of stages and steps.

    .venv/bin/python tests/bench/poller_scale.py [--rounds 3] [--jobs 5000] [--builds 10000] [--output FILE]

The controller is generated (tests/bench/controller), the receiver counts, each in a process of its own. Prints Markdown;
``--output`` puts it between the marks in a file.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import environment
import tables
from controller import GRAPH_VIEW, STAGE_VIEW, Controller
from controller.world import BUSY_AT, World
from polls import NONE, OTLP, RUNNING, STORE, Backfill, Bench, Idle
from receiver import Receiver

_TOLD = ("requests", "urllib3", "python-jenkins", "opentelemetry-sdk", "protobuf")
_NAMES = {GRAPH_VIEW: "Graph View", STAGE_VIEW: "Stage View"}
# As long as a controller far away, or a busy one, takes to answer.
_DELAY_MS = 20
# The smaller controller: so large that it has jobs with a hundred builds, of which one starts those of another.
_FEW_JOBS, _FEW_BUILDS = 250, 721
_HUNDREDS = ("plain job", "job that starts builds, and the job of those")
# What a build of a job's hundred may cost at most.
_MOST_OF_HUNDRED = {GRAPH_VIEW: 2.5, STAGE_VIEW: 1.5}


@dataclass
class Rounds:
    """What was measured with one kind of controller; each list has a round's figures after the other's.

    ``whole``: backfills of all jobs. ``fewer``: of the smaller controller, by detail and destination. ``slow``: of one that
    takes time to answer. ``hundreds``: of one or two jobs, by their name. ``alone``: requests about builds found alone.
    """

    kind: str
    whole: list[Backfill] = field(default_factory=list)
    fewer: dict[tuple[str, str], list[Backfill]] = field(default_factory=dict)
    slow: list[Backfill] = field(default_factory=list)
    hundreds: dict[str, list[Backfill]] = field(default_factory=dict)
    idle: list[Idle] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def measure(self, bench: Bench, jobs: int, builds: int) -> None:
        """Measure one round."""
        with Controller(jobs, builds, kind=self.kind) as controller:
            self.whole.append(bench.backfill(controller, "step", OTLP))
            assert self.whole[-1].builds == builds
            self.idle.append(bench.idle(controller))
        few = max(jobs // 10, _FEW_JOBS), max(builds // 10, _FEW_BUILDS)
        with Controller(*few, kind=self.kind) as controller:
            for detail, destination in (("stage", OTLP), ("step", STORE), ("step", NONE)):
                found = self.fewer.setdefault((detail, destination), [])
                found.append(bench.backfill(controller, detail, destination))
            names = list(World(*few, 0).jobs)
            busy = [names[index] for index in BUSY_AT]
            for name, own in zip(_HUNDREDS, (busy[:1], busy[1:]), strict=True):
                self.hundreds.setdefault(name, []).append(bench.backfill(controller, "step", NONE, *own))
            self.alone += bench.alone(controller)
        with Controller(*few, kind=self.kind, delay_ms=_DELAY_MS) as controller:
            self.slow.append(bench.backfill(controller, "step", OTLP))

    @property
    def backfills(self) -> list[list[Backfill]]:
        """Return the backfills of all jobs: of each kind, the rounds."""
        return [self.whole, *self.fewer.values()]


def _of(runs: Sequence[Backfill | Idle], figure: str, digits: int) -> str:
    return tables.spread((getattr(run, figure) for run in runs), digits)


def _median(runs: Sequence[Backfill | Idle], figure: str) -> float:
    return float(median(getattr(run, figure) for run in runs))


def targets(found: Sequence[Rounds]) -> list[str]:
    """Return the targets beside what was reached."""
    made = []
    for one in found:
        hundred = max(_median(runs, "requests") for runs in one.hundreds.values())
        most = _MOST_OF_HUNDRED[one.kind]
        rows = [
            ("requests about a plain build found alone ≤ 3 (median)", median(one.alone), 3, 0),
            ("the most of them ≤ 3", max(one.alone), 3, 0),
            (f"requests per build of a job's hundred ≤ {most}", hundred, most, 2),
            ("CPU per build ≤ 8 ms, delivery included", _median(one.whole, "cpu_ms"), 8, 1),
            ("peak memory ≤ 80 MB", _median(one.whole, "peak_mb"), 80, 0),
            ("requests at once ≤ 4", max(run.at_once for run in one.slow), 4, 0),
            ("requests of an idle poll ≤ 2", _median(one.idle, "requests"), 2, 0),
            ("CPU of an idle poll ≤ 0.1 s", _median(one.idle, "cpu_s"), 0.1, 2),
            (f"further requests while {RUNNING} Pipelines run ≤ 2", _median(one.idle, "while_running"), 2, 0),
        ]
        for name, value, limit, digits in rows:
            made.append([_NAMES[one.kind], name, f"{value:.{digits}f}", "yes" if value <= limit else "**no**"])
        fast = _median(one.whole, "per_second")
        made.append([_NAMES[one.kind], "builds per second ≥ 150", f"{fast:.0f}", "yes" if fast >= 150 else "**no**"])
    return tables.table(["plugin", "target, detail step", "reached (median)", "met"], made)


def backfills(found: Sequence[Rounds]) -> list[str]:
    """Return the table of backfills."""
    heads = ["plugin", "builds", "detail", "destination", "CPU, ms per build", "builds per second", "peak memory, MB"]
    heads += ["requests per build", "kB per build", "the controller's CPU, ms per build", "spans arrived"]

    def row(rounds: Sequence[Backfill]) -> list[str]:
        one = rounds[0]
        figures = [_of(rounds, "cpu_ms", 1), _of(rounds, "per_second", 0), _of(rounds, "peak_mb", 0)]
        figures += [_of(rounds, "requests", 2), _of(rounds, "kilobytes", 1), _of(rounds, "server_ms", 1), _arrived(rounds)]
        return [_NAMES[one.kind], f"{one.builds:,}", one.detail, one.destination, *figures]

    return tables.table(heads, [row(rounds) for one in found for rounds in one.backfills])


def _arrived(rounds: Sequence[Backfill]) -> str:
    if rounds[0].spans is None:
        return "–"
    counts = sorted({run.spans or 0 for run in rounds})
    twice = sum(run.twice for run in rounds)
    return "–".join(f"{count:,}" for count in (counts if len(counts) < 2 else (counts[0], counts[-1]))) + f", {twice} twice"


def requests(found: Sequence[Rounds]) -> list[str]:
    """Return the table of requests about builds found alone and about a job's hundred."""
    made = []
    for one in found:
        counts = sorted(Counter(one.alone).items())
        about = ", ".join(f"{requests:.0f} for {builds} of {len(one.alone)}" for requests, builds in counts)
        made.append([_NAMES[one.kind], "a plain build found alone", about])
        for name, runs in one.hundreds.items():
            made.append([_NAMES[one.kind], f"{runs[0].builds} builds of a {name}", f"{_of(runs, 'requests', 2)} a build"])
    return tables.table(["plugin", "what is read", "requests"], made)


def idle_polls(found: Sequence[Rounds]) -> list[str]:
    """Return the table of polls that find nothing."""
    heads = ["plugin", "requests", "CPU, s", "MB sent by the controller", "peak memory, MB"]
    heads.append(f"further requests while {RUNNING} Pipelines run")
    figures = (("requests", 0), ("cpu_s", 3), ("megabytes", 2), ("peak_mb", 0), ("while_running", 0))
    return tables.table(
        heads, [[_NAMES[one.kind], *(_of(one.idle, name, digits) for name, digits in figures)] for one in found]
    )


def report(options: argparse.Namespace) -> str:
    """Measure, and return the report as Markdown."""
    found = [Rounds(kind) for kind in _NAMES]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Receiver(Path(sys.executable)) as receiver:
        bench = Bench(Path(folder), receiver)
        for number in range(options.rounds):
            for one in found:
                print(f"round {number + 1} of {options.rounds}, {_NAMES[one.kind]}", file=sys.stderr)
                one.measure(bench, options.jobs, options.builds)
    versions = [f"{os.cpu_count()} cores ({environment.processor()})", f"Linux {platform.release()}"]
    versions += [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _TOLD)]
    versions.append(f"load average {os.getloadavg()[2]:.0f} over the last 15 minutes, its own in it")
    lines = [f"{'; '.join(versions)}. {options.jobs:,} jobs. Median (least–most) of {options.rounds} rounds.", ""]
    lines += ["Command: `" + shlex.join([".venv/bin/python", "tests/bench/poller_scale.py", *sys.argv[1:]]) + "`", ""]
    lines += ["### Targets", "", *targets(found), ""]
    lines += ["### Requests", "", *requests(found), ""]
    lines += ["### Backfill", "", *backfills(found), ""]
    lines += [f"With {_DELAY_MS} ms before each answer (detail step, {OTLP}):", ""]
    lines += [
        f"- {_NAMES[one.kind]}: {_of(one.slow, 'per_second', 0)} builds per second, "
        f"at most {max(run.at_once for run in one.slow)} requests at once."
        for one in found
    ]
    lines += ["", "### Idle polls", "", *idle_polls(found)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--builds", type=int, default=10000, help="a tenth of them, or 721, on the smaller controller")
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/performance.md")
    options = parser.parse_args()
    if options.jobs < _FEW_JOBS:
        parser.error(f"--jobs must be at least {_FEW_JOBS}, so that {RUNNING} Pipelines can run at once")
    text = report(options)
    print(text)
    if options.output:
        tables.put(options.output, Path(__file__).name, text)


if __name__ == "__main__":
    main()

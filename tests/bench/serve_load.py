"""What `pipeline-trace serve` takes in: spans per second with 1 and 100 clients, its CPU time and memory; the pages' times.

    .venv/bin/python tests/bench/serve_load.py [--rounds 3] [--seconds 5] [--output FILE]

Prints Markdown; ``--output`` puts it between the marks in a file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import support
from support.serving import Server

_CLIENT = Path(__file__).with_name("load_client.py")
_BEGIN, _END = "<!-- written by tests/bench/serve_load.py -->\n", "<!-- until here (serve) -->\n"
_CASES = [(protocol, clients, spans) for spans in (512, 20) for protocol in ("http", "grpc") for clients in (1, 100)]
_PACKAGES = ("starlette", "uvicorn", "grpcio", "protobuf")


@dataclass(frozen=True)
class Sample:
    """A load. ``seconds``: until the last answer. ``spans``: accepted; ``stored``: found in the store afterwards.

    ``took``: seconds for each request. ``cpu_s`` and ``peak_mb``: the server's.
    """

    seconds: float
    spans: int
    stored: int
    refused: int
    took: Sequence[float]
    cpu_s: float
    peak_mb: float


def measure(protocol: str, clients: int, spans: int, seconds: int) -> Sample:
    """Load a server of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        env = support.environ(Path(folder))
        with Server(env) as server:
            address = (server.url if protocol == "http" else server.grpc).removeprefix("http://")
            # A process for every 50: one alone would wait for itself.
            counts = [min(50, clients)] * max(1, clients // 50)
            words = [[sys.executable, _CLIENT, protocol, address, n, spans, seconds, at] for at, n in enumerate(counts)]
            running = [subprocess.Popen([*map(str, line)], stdout=subprocess.PIPE, text=True) for line in words]
            said = [json.loads(process.communicate()[0]) for process in running]
            cpu_s, peak_mb = _cpu_s(server.process.pid), server.peak_kb() / 1000
        took = [second for one in said for second in one["took"]]
        with sqlite3.connect(server.store) as database:
            stored = database.execute("SELECT count(*) FROM spans").fetchone()[0]
        refused = sum(one["refused"] for one in said)
    return Sample(max(one["elapsed"] for one in said), len(took) * spans, stored, refused, took, cpu_s, peak_mb)


def pages(traces: int) -> list[str]:
    """Return a table of how long pages take: the list of so many traces, a report of 10,000 spans."""
    sys.path.insert(0, str(_CLIENT.parent))
    from load_client import _MARK, template

    from pipeline_trace.delivery.destinations.store import Store
    from pipeline_trace.serve.bodies import PROTOBUF, parse
    from pipeline_trace.serve.receiver import receive

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        env = support.environ(Path(folder))
        home = Path(env["PIPELINE_TRACE_HOME"])
        home.mkdir()
        store = Store(home / "traces.db")
        for count, numbers in ((20, range(1, traces + 1)), (10_000, range(traces + 1, traces + 2))):
            for number in numbers:
                body = template(count, number * 100)
                trace = receive(parse(body.replace(_MARK, number.to_bytes(16, "big")), PROTOBUF))
                store.deliver(trace.spans, 5.0)
        store.close()
        with Server(env) as server:
            began = time.monotonic()
            while "Still reading" in _get(f"{server.url}/")[1]:
                time.sleep(0.2)
            indexed = time.monotonic() - began
            rows = [("the list for the first time, until it is whole", indexed)]
            for name, path in (
                (f"the list of {traces + 1:,} traces", "/"),
                ("the list, searched for a text that is nowhere", "/traces?q=nowhere"),
                ("the report of a trace of 20 spans", f"/trace/{1:032x}"),
                ("the report of a trace of 10,000 spans", f"/trace/{traces + 1:032x}"),
            ):
                rows.append((name, median(_get(server.url + path)[0] for _ in range(7))))
            peak = server.peak_kb() / 1000
    return [
        "| page | ms |",
        "| --- | --- |",
        *(f"| {name} | {seconds * 1000:,.0f} |" for name, seconds in rows),
        f"| peak memory of the server | {peak:.0f} MB |",
    ]


def report(options: argparse.Namespace) -> str:
    """Measure, and return the report as Markdown."""
    rounds = f"Median (least–most) of {options.rounds} rounds of {options.seconds} s."
    lines = [f"{_machine()}. Load average before: {os.getloadavg()[0]:.1f}. {rounds}", ""]
    lines += ["Command: `" + shlex.join([".venv/bin/python", "tests/bench/serve_load.py", *sys.argv[1:]]) + "`", ""]
    lines += [
        "| over | clients | spans a request | spans/s | requests/s | answer, ms (median) | 99 % within, ms "
        "| server's CPU, µs per span | peak memory, MB | not accepted | accepted and not stored |",
        "| --- " * 11 + "|",
    ]
    found: dict[tuple[str, int, int], list[Sample]] = {case: [] for case in _CASES}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for case in _CASES:
            found[case].append(measure(*case, options.seconds))
    lines += [_row(case, samples) for case, samples in found.items()]
    return "\n".join([*lines, "", *pages(options.traces), ""])


def _row(case: tuple[str, int, int], samples: Sequence[Sample]) -> str:
    protocol, clients, spans = case
    cells = [
        {"http": "HTTP", "grpc": "gRPC"}[protocol],
        str(clients),
        str(spans),
        _range([s.spans / s.seconds for s in samples], "{:,.0f}"),
        _range([len(s.took) / s.seconds for s in samples], "{:,.0f}"),
        _range([median(s.took) * 1000 for s in samples], "{:,.1f}"),
        _range([sorted(s.took)[int(len(s.took) * 0.99)] * 1000 for s in samples], "{:,.0f}"),
        _range([s.cpu_s * 1e6 / s.spans for s in samples], "{:.0f}"),
        _range([s.peak_mb for s in samples], "{:.0f}"),
        f"{sum(s.refused for s in samples)}",
        f"{sum(max(s.spans - s.stored, 0) for s in samples)}",
    ]
    return f"| {' | '.join(cells)} |"


def _range(values: Sequence[float], form: str) -> str:
    least, middle, most = (form.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({least}–{most})"


def _machine() -> str:
    models = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    packages = "; ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), the clients on the same ones; Linux "
        f"{platform.release()}; Python {platform.python_version()}; SQLite {sqlite3.sqlite_version}; {packages}"
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _get(url: str) -> tuple[float, str]:
    began = time.monotonic()
    with urlopen(url, timeout=120) as answer:
        text = answer.read().decode()
    return time.monotonic() - began, text


def put(path: Path, text: str, mark: str, last: str) -> None:
    """Put the text between the marks in a file."""
    before, begin, rest = path.read_text().partition(mark)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise SystemExit(f"{path} has no marks")
    path.write_text(before + begin + "\n" + text + "\n" + end + after)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each load")
    parser.add_argument("--traces", type=int, default=5000, help="in the list")
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/performance.md")
    options = parser.parse_args()
    text = report(options)
    print(text)
    if options.output:
        put(options.output, text, _BEGIN, _END)


if __name__ == "__main__":
    main()

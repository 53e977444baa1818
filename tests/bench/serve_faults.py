"""What `pipeline-trace serve` loses when something fails under load: accepted spans that are not in its store afterwards.

    .venv/bin/python tests/bench/serve_faults.py [--rounds 10] [--output FILE]

Prints Markdown; ``--output`` puts it between the marks in a file.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shlex
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import support
from load_client import _MARK, over_grpc, over_http, template
from serve_load import _machine, put
from support.serving import Server

_CLIENTS, _SPANS, _SECONDS = 8, 100, 2.0
_BEGIN, _END = "<!-- written by tests/bench/serve_faults.py -->\n", "<!-- until here (serve) -->\n"


@dataclass
class Load:
    """Clients that send until they are told to stop, and remember the traces of accepted requests."""

    server: Server
    accepted: set[bytes] = field(default_factory=set)
    refused: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        """Be one client."""
        body = template(_SPANS)
        address = (self.server.url if number % 2 else self.server.grpc).removeprefix("http://")
        connect = over_http if number % 2 else over_grpc
        send = connect(address)
        while not self.stop.is_set():
            trace = os.urandom(16)
            try:
                accepted = send(body.replace(_MARK, trace))
            except (OSError, HTTPException):
                accepted, send = False, connect(address)
            if accepted:
                self.accepted.add(trace)
            else:
                self.refused += 1
                self.stop.wait(0.02)


@contextmanager
def loaded(server: Server) -> Iterator[Load]:
    """Load a server meanwhile."""
    load = Load(server)
    threads = [threading.Thread(target=load.run, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()


def killed(server: Server) -> None:
    """End it without a warning."""
    time.sleep(random.uniform(0.3, _SECONDS))
    os.kill(server.process.pid, signal.SIGKILL)


def ended(server: Server) -> None:
    """End it as service managers do."""
    time.sleep(random.uniform(0.3, _SECONDS))
    server.process.terminate()
    assert server.process.wait(20) == 0


def full(server: Server) -> None:
    """Let no file grow for a second, as a full disk does."""
    time.sleep(_SECONDS / 2)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    time.sleep(1)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    time.sleep(_SECONDS / 2)


def busy(server: Server) -> None:
    """Let another process write into the store for longer than the server waits for it."""
    time.sleep(_SECONDS / 2)
    other = sqlite3.connect(server.store, isolation_level=None, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(6)
    other.execute("ROLLBACK")
    other.close()
    time.sleep(_SECONDS / 2)


_FAULTS: dict[str, Callable[[Server], None]] = {
    "killed (SIGKILL)": killed,
    "ended (TERM)": ended,
    "no file may grow for 1 s (a full disk)": full,
    "another process holds the store for 6 s": busy,
}


def measure(fault: Callable[[Server], None]) -> tuple[int, int, int]:
    """Return accepted requests, those of them whose spans are not all stored, and requests that were not accepted."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        env = support.environ(Path(folder))
        server = Server(env)
        with loaded(server) as load:
            fault(server)
        if server.process.poll() is None:
            server.end()
        server.process.communicate()
        # As the next start finds it.
        with sqlite3.connect(server.store) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            stored = dict(database.execute("SELECT trace_id, count(*) FROM spans GROUP BY trace_id"))
    lost = sum(stored.get(trace.hex(), 0) != _SPANS for trace in load.accepted)
    return len(load.accepted), lost, load.refused


def report(rounds: int) -> str:
    """Measure, and return the report as Markdown."""
    lines = [
        f"{_machine()}. {_CLIENTS} clients, half over HTTP, half over gRPC; {_SPANS} spans a request; {rounds} rounds each.",
        "",
        "Command: `" + shlex.join([".venv/bin/python", "tests/bench/serve_faults.py", *sys.argv[1:]]) + "`",
        "",
        "| what happened under load | spans accepted | of them lost | requests not accepted |",
        "| --- | --- | --- | --- |",
    ]
    for name, fault in _FAULTS.items():
        print(name, file=sys.stderr)
        found = [measure(fault) for _ in range(rounds)]
        accepted, lost, refused = (sum(counts) for counts in zip(*found, strict=True))
        lines.append(f"| {name} | {accepted * _SPANS:,} | {lost * _SPANS:,} | {refused:,} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", type=Path, help="a file with marks, e.g. docs/reliability.md")
    options = parser.parse_args()
    text = report(options.rounds)
    print(text)
    if options.output:
        put(options.output, text, _BEGIN, _END)


if __name__ == "__main__":
    main()

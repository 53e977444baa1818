"""The process of its own in which a running writer's journal is shipped.

ansible-playbook forks a worker for every host and task, so no SDK, no gRPC and no exporter thread may live in it. The
shipping process outlives its parent's kill. Standard library only, apart from the destinations.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import home, ship
from .destinations import SetupError, configured
from .journal import all_waiting, load_state, save_state

# What works without Click: in a Galaxy install, and in the process that the callback starts.
COMMANDS = ("follow", "ship")

# Jenkins kills by these, at the end of a build and on abort: what is to arrive must outlive both.
_KILLED_BY = ("BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE")
# Ignored by default: it may come before the process is ready for it.
_CALL = signal.SIGURG
# Allocations between two walks of the garbage collector: some batches' worth.
_GARBAGE = 50_000


class Shipper:
    """The running process, seen from the journal's writer."""

    def __init__(self, journal: Path, environ: Mapping[str, str], flush_limit: float) -> None:
        """Start the process. ``flush_limit``: seconds it may take after the writer's end. Raises OSError."""
        self._journal = journal
        self._environ = {name: value for name, value in environ.items() if name not in _KILLED_BY}
        self._flush_limit = flush_limit
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command(), "follow", str(self._journal), "--flush-limit", str(self._flush_limit)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            start_new_session=True,
        )

    def settle(self) -> None:
        """Wait until all is delivered and the journal gone, the flush limit is over, or the process gave up."""
        deadline = time.monotonic() + self._flush_limit
        if self._process.poll() is not None and self._process.returncode < 0:
            # Somebody killed it on the way.
            self._process = self._start()
        with contextlib.suppress(OSError):
            self._process.send_signal(_CALL)
        while self._journal.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return
            time.sleep(0.005)

    def release(self) -> None:
        """Leave the process alone: it goes on by itself."""
        # Popen warns about a child that still runs when it is collected; ours is meant to.
        self._process.returncode = 0


def command() -> list[str]:
    """Return the command that runs this package with the Python that runs us, installed by pip or not."""
    return [sys.executable or "python3", str(Path(__file__).with_name("__main__.py"))]


def hint(*arguments: str) -> str:
    """Return the command line that runs a command, as it is had on this machine."""
    beside = Path(sys.executable).with_name("pipeline-trace")
    here = [str(beside)] if beside.exists() else command()
    return shlex.join([*(["pipeline-trace"] if shutil.which("pipeline-trace") else here), *arguments])


def viewer(trace_id: str) -> str:
    """Return what to do to see a trace of this machine's store."""
    # A Galaxy install has neither the commands nor what they need.
    if Path(__file__).with_name("commands").is_dir() and importlib.util.find_spec("click"):
        return f"see it with: {hint('show', trace_id)}"
    return f"to see it: {sys.executable} -m pip install pipeline-trace, then pipeline-trace show"


def main(arguments: Sequence[str]) -> int:
    """Run ``follow JOURNAL --flush-limit SECONDS`` or ``ship``; return the exit status, 0 where all was delivered."""
    parser = argparse.ArgumentParser(prog="pipeline-trace")
    commands = parser.add_subparsers(dest="command", required=True)
    following = commands.add_parser("follow", help="deliver a journal while it is written")
    following.add_argument("journal", type=Path)
    following.add_argument("--flush-limit", type=float, default=5.0)
    commands.add_parser("ship", help="deliver what journals still hold")
    options = parser.parse_args(arguments)
    if options.command == "follow":
        return _follow(options.journal, options.flush_limit)
    delivered, problem = ship_waiting(os.environ)
    sys.stdout.write(delivered + "\n")
    sys.stderr.write(problem and f"pipeline-trace: {problem}\n")
    return 1 if problem else 0


def ship_waiting(environ: Mapping[str, str]) -> tuple[str, str]:
    """Deliver what journals still hold; return what was done and what is wrong (or nothing), each a line for people."""
    try:
        place = home.find(environ)
        destination = configured(environ, place.store)
    except (home.HomeError, SetupError) as error:
        return "nothing delivered", str(error)
    outcomes = ship.ship_all(place.journals, destination)
    destination.close()
    delivered, torn = sum(o.delivered for o in outcomes if o.done), sum(o.torn for o in outcomes)
    said = f"{delivered} spans delivered to {destination.name}"
    said += f"; {torn} torn lines skipped" if torn else ""
    rejected = sum(o.rejected for o in outcomes)
    reason = next((o.reason for o in outcomes if o.reason), "no reason given")
    said += f"; {rejected} rejected by the receiver ({reason})" if rejected else ""
    problem = next((o.problem for o in sorted(outcomes, key=lambda o: not o.blocked) if o.problem), "")
    if problem and any(o.blocked for o in outcomes):
        spans = all_waiting(place.journals)
        problem = f"{problem}; {spans} spans wait in {place.journals}, run this again when the receiver answers"
    return said, problem


def _follow(journal: Path, flush_limit: float) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {_CALL})
    try:
        destination = configured(os.environ, home.Home(journal.parent.parent).store)
    except SetupError as error:
        save_state(journal, replace(load_state(journal), problem=str(error)))
        return 1
    # What the SDK's import made stays; walking through it for each batch is half of the collector's work.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    outcome = ship.follow(journal, destination, flush_limit, _wait)
    if outcome.done:
        # Nobody waits for us any more: what earlier runs could not deliver.
        ship.ship_all(journal.parent, destination)
    destination.close()
    return 0 if outcome.done else 1


def _wait(seconds: float) -> None:
    """Sleep, but wake up where the writer calls."""
    signal.sigtimedwait({_CALL}, seconds)

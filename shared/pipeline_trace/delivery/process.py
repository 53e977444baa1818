"""What works without Click: ``ship``, and ``follow``, which is the process that shipper.py starts.

Standard library only, apart from the destinations.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import home, ship
from .destinations import SetupError, configured_destination
from .progress import load_progress, save_progress
from .reader import count_all_waiting
from .start import CALL

# Allocations between two walks of the garbage collector: some batches' worth.
_GARBAGE = 50_000
# Seconds; the callback has an option for it.
_FLUSH_LIMIT = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run ``follow JOURNAL --flush-limit SECONDS`` or ``ship``; return the exit status, 0 where all was delivered."""
    parser = argparse.ArgumentParser(prog="pipeline-trace")
    commands = parser.add_subparsers(dest="command", required=True)
    following = commands.add_parser("follow", help="deliver a journal while it is written")
    following.add_argument("journal", type=Path)
    following.add_argument("--flush-limit", type=float, default=_FLUSH_LIMIT)
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
        place = home.find_home(environ)
        destination = configured_destination(environ, place.store)
    except (home.HomeError, SetupError) as error:
        return "nothing delivered", str(error)
    outcomes = ship.ship_all_patiently(place.journals, destination, _FLUSH_LIMIT)
    destination.close()
    delivered, torn = sum(o.delivered for o in outcomes if o.done), sum(o.torn for o in outcomes)
    said = f"{delivered} spans delivered to {destination.name}"
    said += f"; {torn} torn lines skipped" if torn else ""
    rejected = sum(o.rejected for o in outcomes)
    reason = next((o.reason for o in outcomes if o.reason), "no reason given")
    said += f"; {rejected} rejected by the receiver ({reason})" if rejected else ""
    problem = next((o.problem for o in sorted(outcomes, key=lambda o: not o.blocked) if o.problem), "")
    if problem and any(o.blocked for o in outcomes):
        spans = count_all_waiting(place.journals)
        problem = f"{problem}; {spans} spans wait in {place.journals}, run this again when the receiver answers"
    return said, problem


def _follow(journal: Path, flush_limit: float) -> int:
    # `exec` starts this with its own signals blocked; those that came before the new session were meant for its command.
    for number in signal.sigpending():
        signal.sigtimedwait({number}, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, {CALL})
    try:
        destination = configured_destination(os.environ, home.Home(journal.parent.parent).store)
    except SetupError as error:
        save_progress(journal, replace(load_progress(journal), problem=str(error)))
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
    signal.sigtimedwait({CALL}, seconds)

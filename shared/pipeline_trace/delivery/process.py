"""Runs the commands ``ship`` and ``follow`` without Click. ``follow`` is the shipping process that start.py starts."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import aside, home, losses, ship, shipment, waiting
from .destinations import Destination, SetupError, configured_destination, configured_teller
from .progress import load_progress, save_progress
from .start import CALL
from .telling import Telling

# Allocations between two runs of the garbage collector: about as many as some batches need.
_GARBAGE = 50_000
# Seconds. The callback's option flush_limit has the same default.
_FLUSH_LIMIT = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run ``follow JOURNAL --flush-limit SECONDS`` or ``ship``. Return the exit status: 0 if all spans are delivered."""
    parser = argparse.ArgumentParser(prog="pipeline-trace")
    commands = parser.add_subparsers(dest="command", required=True)
    following = commands.add_parser("follow", help="deliver a journal while it is written")
    following.add_argument("journal", type=Path)
    following.add_argument("--flush-limit", type=float, default=_FLUSH_LIMIT)
    commands.add_parser("ship", help="deliver the spans that wait in journals")
    options = parser.parse_args(arguments)
    if options.command == "follow":
        return _follow(options.journal, options.flush_limit)
    delivered, problem = ship_waiting(os.environ)
    sys.stdout.write(delivered + "\n")
    sys.stderr.write(problem and f"pipeline-trace: {problem}\n")
    return 1 if problem else 0


def ship_waiting(environ: Mapping[str, str]) -> tuple[str, str]:
    """Deliver the spans that wait in journals. Return two lines for the user: the result, and the problem or empty."""
    try:
        place = home.find_home(environ)
        destination = configured_destination(environ, place.store)
    except (home.HomeError, SetupError) as error:
        return "nothing delivered", str(error)
    outcomes, earlier = deliver_waiting(place, destination)
    destination.close()
    done = [f"{sum(o.delivered for o in outcomes if o.done)} spans delivered to {destination.name}"]
    return "; ".join([*done, *said_lost(outcomes, earlier)]), said_problems(place, outcomes)


def deliver_waiting(place: home.Home, destination: Destination) -> tuple[list[shipment.Outcome], str]:
    """Deliver the spans that wait in journals. Return what became of each, and what earlier deliveries lost, in words."""
    earlier = losses.untold(place.journals, take=True).said()
    outcomes = ship.ship_all_patiently(place.journals, destination, _FLUSH_LIMIT)
    losses.forget_told(outcomes)
    return outcomes, earlier


def said_lost(outcomes: Sequence[shipment.Outcome], earlier: str) -> list[str]:
    """Return what was lost, in words; nothing if nothing was. ``earlier``: what earlier deliveries lost."""
    return [*filter(None, [losses.of_outcomes(outcomes).said(), earlier and f"earlier, in the background: {earlier}"])]


def said_problems(place: home.Home, outcomes: Sequence[shipment.Outcome]) -> str:
    """Return one line about what was not delivered and what to do; empty if nothing is left to do."""
    problems = [waiting.said(place.journals, outcomes, "run this command again when it takes them")]
    if not problems[0] and ship.delivered_by_others(place.journals):
        waits = waiting.said_count(place.journals)
        problems[0] = f"{waits}; another process is delivering them, run this command again in a moment"
    problems += [aside.said_aside(place.journals), place.warning]
    return "; ".join(filter(None, problems))


def _follow(journal: Path, flush_limit: float) -> int:
    # `exec` starts us with its signals blocked. Signals from before our new session were for the command of `exec`.
    for number in signal.sigpending():
        signal.sigtimedwait({number}, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, {CALL})
    try:
        destination = configured_destination(os.environ, home.Home(journal.parent.parent).store)
        # Objects of the SDK's import stay for ever. Without freeze, they are half of the garbage collector's work.
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        telling = Telling(lambda: configured_teller(os.environ, destination))
        outcome = ship.follow(journal, destination, flush_limit, _wait, telling.look)
        telling.close()
        if outcome.done:
            # No process waits for us now, so deliver what earlier processes left.
            ship.ship_all(journal.parent, destination)
            losses.forget_old(journal.parent)
        destination.close()
    except Exception as error:
        # Any error: nobody sees our stderr, but the writer and `ship` read the state.
        if journal.exists():
            save_progress(journal, replace(load_progress(journal), problem=shipment.said(error)))
        return 1
    return 0 if outcome.done else 1


def _wait(seconds: float) -> None:
    """Sleep, but wake up if the writer sends the signal CALL."""
    signal.sigtimedwait({CALL}, seconds)

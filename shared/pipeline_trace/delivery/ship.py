"""Delivers what journals hold, in batches, saving how far it got after every accepted one.

At least once, with stable ids. What was open when its writer died is closed here. Standard library only, apart from the
destinations.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from .destinations import DeliveryError, Destination, SetupError
from .journal import SUFFIX, find_journals
from .reader import Reader
from .shipment import Outcome, Shipment

_TICK = 0.1
_BATCH_SECONDS = 1.0
_SLOWEST_RETRY = 30.0
# How long one delivery may take where no flush limit presses.
_PATIENCE = 60.0
_KEEP_SECONDS = 600.0


def ship_one(path: Path, destination: Destination, timeout: float = _PATIENCE) -> Outcome:
    """Deliver a journal that nobody writes; leave one that is being written or shipped by others.

    ``timeout``: seconds for each batch. Raises nothing: what went wrong is in the outcome.
    """
    try:
        reader = Reader(path)
    except OSError as error:
        return Outcome(problem="" if isinstance(error, FileNotFoundError) else f"{path}: {error.strerror}")
    try:
        if not reader.claim() or reader.written():
            return Outcome()
        shipment = Shipment(reader, destination)
        with contextlib.suppress(DeliveryError, SetupError):
            shipment.finish(timeout, reader.modified_ns())
        return shipment.outcome
    finally:
        reader.close()


def ship_all(folder: Path, destination: Destination, timeout: float = _PATIENCE) -> list[Outcome]:
    """Deliver every journal in a folder that nobody writes, oldest first; stop where the destination fails."""
    _forget_states(folder)
    outcomes = []
    for path in find_journals(folder):
        outcomes.append(ship_one(path, destination, timeout))
        if outcomes[-1].blocked:
            break
    return outcomes


def ship_all_patiently(folder: Path, destination: Destination, patience: float) -> list[Outcome]:
    """Deliver every journal in a folder that nobody writes; wait for those that another process is delivering.

    ``patience``: seconds for these. What the other process gave up is delivered here then.
    """
    outcomes = ship_all(folder, destination)
    deadline = time.monotonic() + patience
    if any(outcome.blocked for outcome in outcomes) or not _delivered_by_others(folder):
        return outcomes
    while time.monotonic() < deadline and _delivered_by_others(folder):
        time.sleep(_TICK / 2)
    return [*outcomes, *ship_all(folder, destination)]


def _delivered_by_others(folder: Path) -> bool:
    """Tell whether another process delivers a journal that nobody writes any more."""
    for path in find_journals(folder):
        with contextlib.suppress(OSError), contextlib.closing(Reader(path)) as reader:
            # In this order: whoever writes has a process that is about to claim it.
            if not reader.written() and not reader.claim():
                return True
    return False


def follow(path: Path, destination: Destination, flush_limit: float, wait: Callable[[float], None]) -> Outcome:
    """Deliver a journal while it is written, until its writer has ended or died.

    ``flush_limit``: seconds after the writer's end. ``wait(seconds)`` returns early where the writer calls.
    """
    try:
        reader = Reader(path)
    except OSError as error:
        return Outcome(problem=str(error))
    if not reader.claim():
        reader.close()
        return Outcome()
    try:
        shipment = Shipment(reader, destination)
        _while_written(shipment, reader, flush_limit, wait)
        died_ns = time.time_ns()
        # A delivery may have been under way when the writer ended; it waits for us from then on.
        since_end = (died_ns - reader.modified_ns()) / 1e9 if reader.ended() else 0.0
        deadline = time.monotonic() + flush_limit - since_end
        with contextlib.suppress(DeliveryError, SetupError):
            # One try: the destination tries again by itself, as long as its time and the receiver's answers allow.
            shipment.finish(max(deadline - time.monotonic(), 0.05), died_ns)
        return shipment.outcome
    finally:
        reader.close()


def _while_written(shipment: Shipment, reader: Reader, timeout: float, wait: Callable[[float], None]) -> None:
    """Deliver at least every second as long as somebody writes; where the receiver fails, try more and more rarely."""
    next_try, pause = time.monotonic() + _BATCH_SECONDS, _BATCH_SECONDS
    while reader.written():
        wait(_TICK)
        if time.monotonic() < next_try:
            continue
        try:
            shipment.step(timeout)
            pause = _BATCH_SECONDS
        except SetupError:
            pause = _SLOWEST_RETRY
        except DeliveryError:
            pause = min(pause * 2, _SLOWEST_RETRY)
        next_try = time.monotonic() + pause


def _forget_states(folder: Path) -> None:
    """Remove states that were kept for somebody who did not come."""
    for state in folder.glob("*.state"):
        with contextlib.suppress(FileNotFoundError):
            if not state.with_suffix(SUFFIX).exists() and time.time() - state.stat().st_mtime > _KEEP_SECONDS:
                state.unlink()

"""Delivers journals: one, all of a folder, or one that is still being written.

Every span is delivered at least once, with the same ids each time.
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
# Seconds for one batch, if there is no flush limit.
_PATIENCE = 60.0
_KEEP_SECONDS = 600.0


def ship_one(path: Path, destination: Destination, timeout: float = _PATIENCE) -> Outcome:
    """Deliver a journal, unless another process writes or ships it. Return the outcome, with the problem if there is one.

    ``timeout``: seconds for each batch.
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
    """Deliver all journals of a folder that no process writes, oldest first. Stop if the destination fails."""
    _forget_states(folder)
    outcomes = []
    for path in find_journals(folder):
        outcomes.append(ship_one(path, destination, timeout))
        if outcomes[-1].blocked:
            break
    return outcomes


def ship_all_patiently(folder: Path, destination: Destination, patience: float) -> list[Outcome]:
    """Deliver all journals of a folder that no process writes, and wait for those that other processes ship.

    ``patience``: seconds to wait. Then this delivers what the other processes left.
    """
    outcomes = ship_all(folder, destination)
    deadline = time.monotonic() + patience
    if any(outcome.blocked for outcome in outcomes) or not _delivered_by_others(folder):
        return outcomes
    while time.monotonic() < deadline and _delivered_by_others(folder):
        time.sleep(_TICK / 2)
    return [*outcomes, *ship_all(folder, destination)]


def _delivered_by_others(folder: Path) -> bool:
    """Return whether another process ships a journal that no process writes."""
    for path in find_journals(folder):
        with contextlib.suppress(OSError), contextlib.closing(Reader(path)) as reader:
            # In this order: a journal that is being written has a shipping process, which is about to claim it.
            if not reader.written() and not reader.claim():
                return True
    return False


def follow(path: Path, destination: Destination, flush_limit: float, wait: Callable[[float], None]) -> Outcome:
    """Deliver a journal while it is being written, until its writer ends or is killed. Return the outcome.

    ``flush_limit``: seconds for the delivery after the writer's end. ``wait(seconds)``: sleeps, or returns early if the
    writer asks for it.
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
        now_ns = time.time_ns()
        # A delivery may have been in progress when the writer ended. It waits for us from then on.
        died_ns = reader.modified_ns() if reader.ended() else now_ns
        since_end = (now_ns - died_ns) / 1e9
        deadline = time.monotonic() + flush_limit - since_end
        with contextlib.suppress(DeliveryError, SetupError):
            # Once only: the destination itself retries within its timeout.
            shipment.finish(max(deadline - time.monotonic(), 0.05), died_ns)
        return shipment.outcome
    finally:
        reader.close()


def _while_written(shipment: Shipment, reader: Reader, timeout: float, wait: Callable[[float], None]) -> None:
    """Deliver about every second while the journal is being written. After failures, wait longer and longer."""
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
    """Delete old state files whose journal is deleted."""
    for state in folder.glob("*.state"):
        with contextlib.suppress(FileNotFoundError):
            if not state.with_suffix(SUFFIX).exists() and time.time() - state.stat().st_mtime > _KEEP_SECONDS:
                state.unlink()

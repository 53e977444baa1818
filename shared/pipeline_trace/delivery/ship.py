"""Delivers journals: one, all of a folder, or one that is still being written.

Every span is delivered at least once, with the same ids each time. Whatever an error is, it ends at the journal that it
occurred in: it is noted there, and the delivery is tried again later.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ..trace.clock import start_clock
from .aside import set_aside
from .destinations import DeliveryError, Destination
from .journal import find_journals
from .progress import load_progress
from .reader import Opened, Reader
from .schedule import Patience, Queue
from .shipment import Outcome, Shipment, said

_TICK = 0.1
_BATCH_SECONDS = 1.0
_SLOWEST_RETRY = 30.0
# Seconds for one batch, if no process waits for it. The destination may have a lower limit.
_PATIENCE = 60.0
# Seconds for a batch after the flush limit: enough for a receiver that answers.
_LAST_SECONDS = 1.0
# Gets open spans by their id. Returns at once, and raises nothing.
Look = Callable[[Mapping[str, Opened]], None]


def ship_one(path: Path, destination: Destination, timeout: float = _PATIENCE) -> Outcome:
    """Deliver a journal, unless another process writes or ships it. Return the outcome, with the problem if there is one.

    ``timeout``: seconds for each batch.
    """
    try:
        reader = Reader(path)
    except OSError as error:
        return Outcome(problem="" if isinstance(error, FileNotFoundError) else f"{path}: {error.strerror}")
    with contextlib.closing(reader):
        try:
            return _ship(reader, destination, timeout)
        except Exception as error:
            # A file of this journal fails: the others do not need it.
            return Outcome(problem=f"{path}: {said(error)}")


def _ship(reader: Reader, destination: Destination, timeout: float) -> Outcome:
    if not reader.claim() or reader.written():
        return Outcome()
    shipment = Shipment(reader, destination)
    if not shipment.foreign:
        try:
            shipment.finish(timeout, reader.modified_ns())
        except Exception as error:
            shipment.failed(error, time.time())
    outcome = shipment.outcome
    if shipment.foreign:
        set_aside(reader.path)
        outcome.aside = True
    return outcome


def ship_all(
    folder: Path,
    destination: Destination,
    timeout: float = _PATIENCE,
    *,
    all_now: bool = False,
    without: Collection[Path] = (),
) -> list[Outcome]:
    """Deliver all journals of a folder that no process writes, until the destination accepts none of them.

    ``all_now``: also those that failed and whose next try is later, because a person asks for it. Journals that did not fail
    come first. ``without``: journals to leave alone. If the last outcome is ``blocked``, the rest was not tried.
    """
    states = [(path, load_progress(path)) for path in find_journals(folder) if path not in without]
    queue, patience = Queue(states, time.time(), all_now=all_now), Patience()
    outcomes: list[Outcome] = []
    path = queue.take()
    while path:
        last = ship_one(path, destination, patience.seconds(timeout))
        outcomes.append(last)
        # Without a journal, it could not be read: that says nothing about the destination.
        if patience.is_over(failed=bool(last.problem and last.journal), delivered=last.done):
            last.blocked = True
        path = None if last.blocked else queue.take(after_failure=bool(last.problem))
    return outcomes


def ship_all_patiently(folder: Path, destination: Destination, patience: float) -> list[Outcome]:
    """Deliver all journals of a folder that no process writes, and wait for those that other processes ship.

    ``patience``: seconds to wait. Then this delivers what the other processes left, and what failed only for a moment.
    """
    outcomes = ship_all(folder, destination, all_now=True)
    deadline = time.monotonic() + patience
    if any(outcome.blocked for outcome in outcomes):
        return outcomes
    again = {one.journal: one.wait for one in outcomes if one.wait is not None and one.wait <= patience}
    if not again and not delivered_by_others(folder):
        return outcomes
    time.sleep(max(again.values(), default=0.0))
    while time.monotonic() < deadline and delivered_by_others(folder):
        time.sleep(_TICK / 2)
    # What is delivered again has a new outcome.
    final = [one for one in outcomes if one.journal not in again and (one.done or one.problem)]
    failed = {one.journal for one in final if one.problem and one.journal}
    return final + ship_all(folder, destination, all_now=True, without=failed)


def delivered_by_others(folder: Path) -> bool:
    """Return whether another process ships a journal that no process writes."""
    for path in find_journals(folder):
        with contextlib.suppress(OSError), contextlib.closing(Reader(path)) as reader:
            # In this order: a journal that is being written has a shipping process, which is about to claim it.
            if not reader.written() and not reader.claim():
                return True
    return False


def follow(
    path: Path,
    destination: Destination,
    flush_limit: float,
    wait: Callable[[float], None],
    look: Look = lambda opened: None,
) -> Outcome:
    """Deliver a journal while it is being written, until its writer ends or is killed. Return the outcome.

    ``flush_limit``: seconds for the delivery after the writer's end. ``wait(seconds)``: sleeps, or returns early if the
    writer asks for it. ``look``: gets the open spans after each delivery while the writer is there.
    """
    try:
        reader = Reader(path)
    except OSError as error:
        return Outcome(problem=str(error))
    with contextlib.closing(reader):
        if not reader.claim():
            return Outcome()
        shipment, now = Shipment(reader, destination), start_clock()
        held, alive = _while_written(shipment, reader, wait, look)
        # The writer waits for us from its end on. A delivery may have been in progress at that time. Somebody may have set
        # the clock since then.
        ago = max(min((time.time_ns() - reader.modified_ns()) / 1e9, time.monotonic() - alive), 0.0)
        since_end = ago if reader.ended() else 0.0
        died_ns = now() - int(since_end * 1e9)
        _finish(shipment, time.monotonic() + flush_limit - since_end, died_ns, held)
        return shipment.outcome


class _Held(NamedTuple):
    """A refusal of a receiver that asks to wait. ``until``: of the monotonic clock."""

    error: DeliveryError
    until: float


def _while_written(
    shipment: Shipment, reader: Reader, wait: Callable[[float], None], look: Look
) -> tuple[_Held | None, float]:
    """Deliver about every second while the journal is being written. After failures, wait longer and longer.

    Return the last refusal, if the receiver asked to wait and was not asked again, and when (of the monotonic clock) the
    writer was there last.
    """
    held = None
    alive = time.monotonic()
    next_try, pause = alive + _BATCH_SECONDS, _BATCH_SECONDS
    while reader.written():
        alive = time.monotonic()
        wait(_TICK)
        # After some answers that are not an OTLP receiver's, `ship` sets the journal aside when it is complete.
        if time.monotonic() < next_try or shipment.foreign:
            continue
        held = None
        try:
            shipment.step(_PATIENCE)
            pause = _BATCH_SECONDS
            look(shipment.opened)
        except DeliveryError as error:
            pause = max(min(pause * 2, _SLOWEST_RETRY), error.wait or 0.0)
            held = _Held(error, time.monotonic() + error.wait) if error.wait else None
        except Exception as error:
            shipment.failed(error, time.time())
            pause = _SLOWEST_RETRY
        next_try = time.monotonic() + pause
    return held, alive


def _finish(shipment: Shipment, deadline: float, died_ns: int, held: _Held | None) -> None:
    """Deliver the rest, and try again until the deadline if that may help. ``held``: wait for the end of this first."""
    pause = _TICK
    if held and held.until >= deadline:
        shipment.failed(held.error, time.time())
        return
    if held:
        time.sleep(max(held.until - time.monotonic(), 0.0))
    while not shipment.foreign:
        try:
            shipment.finish(max(deadline - time.monotonic(), _LAST_SECONDS), died_ns)
            return
        except Exception as error:
            asked = error.wait if isinstance(error, DeliveryError) else None
            pause = min(pause * 2, _BATCH_SECONDS * 2) if asked is None else asked
            early = isinstance(error, DeliveryError) and error.passing
            if not early or time.monotonic() + pause >= deadline:
                shipment.failed(error, time.time())
                return
        time.sleep(pause)

"""Sends all that the store holds to an OTLP receiver, once: `ship --store`.

Each piece goes the way of all spans, through a journal. At most one such journal waits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from . import home, listening, locks, losses
from .aside import is_aside
from .destinations import DeliveryError, Destination, SetupError, configured_destination, traces_endpoint
from .destinations.store import Store
from .journal import JournalError, Writer
from .moved import Moved, load_moved, moved_path, save_moved
from .pieces import START, Piece, set_mark, write_piece
from .process import deliver_waiting, said_lost, said_problems
from .ship import ship_one
from .shipment import Outcome

_NO_RECEIVER = (
    "there is no receiver to send the local store to; set OTEL_EXPORTER_OTLP_ENDPOINT, for example to "
    "http://collector.example.com:4318"
)
_ITSELF = (
    "the receiver that OTEL_EXPORTER_OTLP_ENDPOINT names is `serve` with this very store; set it to the receiver that shall "
    "have the history"
)
_BUSY = "another process is sending this store; run this command again when it has ended, if spans are left"
# Seconds without an accepted batch in which a receiver that is busy is tried again: a Collector's queue may be full.
_PATIENCE = 60.0
_PAUSE, _LONGEST_PAUSE = 0.5, 8.0


@dataclass
class Sent:
    """What `ship --store` did.

    ``spans`` and ``traces``: that were sent from the store; ``before``: how many of these spans an interrupted run sent.
    ``only_new``: they arrived in the store after all others were sent. ``done_s``: when all of it was sent, seconds since
    the epoch; 0: something is left. ``unreadable``: rows of the store that cannot be read. ``waited``: spans of other
    journals. ``lost``: what never arrives, in words. ``problem``: why not all is sent, and what to do.
    """

    store: Path
    destination: str
    spans: int = 0
    traces: int = 0
    before: int = 0
    only_new: bool = True
    done_s: int = 0
    unreadable: int = 0
    waited: int = 0
    lost: str = ""
    problem: str = ""


def ship_store(environ: Mapping[str, str], told: Callable[[float], None]) -> Sent:
    """Deliver the spans that wait in journals, then those of the store that were not sent before.

    ``told``: called with the part that is done, from 0 to 1. Raises SetupError, HomeError, OSError.
    """
    if not traces_endpoint(environ):
        raise SetupError(_NO_RECEIVER)
    place = home.find_home(environ)
    if listening.page_of(place, environ, ""):
        raise SetupError(_ITSELF)
    with _alone(place.path / "moved.lock"), closing(configured_destination(environ, place.store)) as destination:
        return _Move(place, destination, told).run()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from doing the same at once. Raises SetupError if another process does it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not locks.take(file):
            raise SetupError(_BUSY)
        yield
    finally:
        os.close(file)


class _Move:
    """One run."""

    def __init__(self, place: home.Home, destination: Destination, told: Callable[[float], None]) -> None:
        self._place = place
        self._destination = destination
        self._told = told
        self._path = moved_path(place.path)
        self._outcomes: list[Outcome] = []
        self._sent = Sent(place.store, destination.name)

    def run(self) -> Sent:
        """Send until all is sent, or something is in the way."""
        earlier, problem = "", ""
        try:
            known, free = self._resume()
            if free:
                outcomes, earlier = deliver_waiting(self._place, self._destination)
                self._outcomes += outcomes
                self._sent.waited = sum(one.delivered for one in outcomes if one.done)
                if self._place.store.exists() and not any(one.blocked for one in outcomes):
                    self._send(known)
        except JournalError as error:
            what = str(error).partition("; ")[0]
            problem = f"{what}; free some space there, then run this command again: it goes on where it stopped"
        except (DeliveryError, SetupError) as error:
            # The store cannot be read.
            problem = str(error)
        self._sent.lost = "; ".join(said_lost(self._outcomes, earlier))
        self._sent.problem = "; ".join(filter(None, [problem, said_problems(self._place, self._outcomes)]))
        return self._sent

    def _resume(self) -> tuple[Moved | None, bool]:
        """Deliver the piece that an interrupted run left. Return how far this store was sent; whether to go on."""
        known = load_moved(self._path)
        if not known or (known.destination, known.store) != (self._destination.name, _number(self._place.store)):
            return None, True
        if not known.done_s:
            self._sent.spans, self._sent.traces, self._sent.before = known.spans, known.traces, known.spans
        if not known.journal:
            return known, True
        delivered = self._deliver(known)
        return delivered, delivered is not None

    def _send(self, known: Moved | None) -> None:
        """Send what the store has. ``known``: how far it was sent."""
        with closing(Store(self._place.store)) as store:
            if known and not known.done_s:
                known = self._pass(store, known)
                if not known:
                    return
                known = self._finished(known)
            mark = store.run(set_mark)
            begun = Moved(self._destination.name, _number(store.path), mark, since=known.began if known else None)
            moved = self._pass(store, begun)
            if moved and known and moved.after == START:
                # Nothing is new.
                self._sent.done_s = known.done_s
            elif moved:
                self._finished(moved)

    def _pass(self, store: Store, moved: Moved) -> Moved | None:
        """Send the rest of a pass over the store. Return its end; None if something is in the way."""
        self._sent.only_new &= moved.since is not None
        while True:
            piece = store.run(partial(write_piece, folder=self._place.journals, since=moved.since, after=moved.after))
            self._sent.unreadable += piece.unreadable
            if piece.writer:
                delivered = self._deliver(self._kept(moved, piece, piece.writer))
                if not delivered:
                    return None
                moved = delivered
                self._told(moved.after.part)
            # Another process may have taken the journal elsewhere: then the piece is written again.
            if piece.is_last and moved.after == piece.last:
                return moved

    def _kept(self, moved: Moved, piece: Piece, writer: Writer) -> Moved:
        """Let a piece's journal survive whatever happens now. Raises JournalError: then there is none."""
        kept = replace(moved, journal=writer.path.name, until=piece.last, opening=piece.traces)
        try:
            writer.sync()
            save_moved(self._path, kept)
        except BaseException as error:
            writer.discard()
            if isinstance(error, OSError):
                raise JournalError(f"cannot write {writer.path} ({error.strerror})") from None
            raise
        writer.end()
        return kept

    def _deliver(self, moved: Moved) -> Moved | None:
        """Deliver the piece on its way. Return how far that is; None if something is in the way."""
        path = self._place.journals / moved.journal
        outcome = _deliver_patiently(path, self._destination)
        self._outcomes.append(outcome)
        if outcome.done:
            losses.forget_told([outcome])
            self._sent.spans += outcome.delivered
            self._sent.traces += moved.opening
            spans, traces = moved.spans + outcome.delivered, moved.traces + moved.opening
            moved = replace(moved, after=moved.until, journal="", spans=spans, traces=traces)
        elif is_aside(path):
            # It is kept there, and told.
            moved = replace(moved, after=moved.until, journal="")
        elif path.exists():
            return None
        else:
            # Who took it may have another destination, such as this very store.
            moved = replace(moved, journal="")
        save_moved(self._path, moved)
        return None if outcome.problem or outcome.aside else moved

    def _finished(self, moved: Moved) -> Moved:
        """Note that all of the store is sent."""
        self._sent.done_s = int(time.time())
        finished = replace(moved, done_s=self._sent.done_s)
        save_moved(self._path, finished)
        return finished


def _deliver_patiently(path: Path, destination: Destination) -> Outcome:
    """Deliver a journal, and try again for a while if that may help. Return the outcome; an empty one if it is gone."""
    last, pause, deadline = Outcome(), _PAUSE, time.monotonic() + _PATIENCE
    while True:
        outcome = ship_one(path, destination)
        if outcome.done or outcome.aside or (outcome.problem and outcome.wait is None):
            return outcome
        if not path.exists():
            return last
        if outcome.delivered > last.delivered:
            pause, deadline = _PAUSE, time.monotonic() + _PATIENCE
        pause = max(pause, outcome.wait or 0.0)
        if time.monotonic() + pause > deadline:
            return outcome
        time.sleep(pause)
        last, pause = outcome, min(pause * 2, _LONGEST_PAUSE)


def _number(store: Path) -> int:
    """Return the number of the store's inode: another file has another one. 0 if there is none."""
    try:
        return store.stat().st_ino
    except FileNotFoundError:
        return 0

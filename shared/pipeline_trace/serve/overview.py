"""Reads what the first page shows: what runs now, and the board. Whoever follows it has the board some seconds later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ..change.board import board_of
from ..change.entries import Entry, deploys_of
from ..change.running import Running, running_of
from ..change.search import Found, Search, find_for_board, said_cut
from ..lookup.source import Window
from .first_page import First
from .reading import Reading

_BOARD_NS = 30 * 86_400 * 10**9
# It reads hundreds of traces: not for each look at what runs.
_BOARD_SECONDS = 20.0
_MOST_SPANS = 20_000


class Overview:
    """Every thread may use it."""

    def __init__(self, reading: Reading, now_ns: Callable[[], int]) -> None:
        """``now_ns``: the time, in nanoseconds since the epoch."""
        self._reading = reading
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._found, self._read_at = Found(()), float("-inf")
        # What runs, with the open spans that it was read for.
        self._live: tuple[frozenset[str], Sequence[Entry]] = frozenset(), ()

    def now(self) -> First:
        """Return what is shown, all of it as it is now. Raises SetupError, sqlite3.Error."""
        with self._lock:
            return self._first()

    def again(self) -> First:
        """Return what is shown, the board as it was some seconds ago. Raises SetupError, sqlite3.Error."""
        with self._lock:
            return self._first(_BOARD_SECONDS)

    def _first(self, seconds: float = 0.0) -> First:
        if time.monotonic() - self._read_at >= seconds:
            search = Search(began=Window(self._now_ns() - _BOARD_NS))
            with self._reading.open_lookup() as lookup:
                self._found = find_for_board(lookup, search)
            self._read_at = time.monotonic()
        return First(self._running(), board_of(self._found.entries), said_cut(self._found))

    def _running(self) -> list[Running]:
        opened = self._reading.open_spans()
        spans = {one.span.span_id: one.span for one in opened}
        ids = frozenset(spans)
        if ids != self._live[0]:
            with self._reading.open_lookup() as lookup:
                outlines = lookup.outlines(sorted({span.trace_id for span in spans.values()}), _MOST_SPANS) if spans else []
            # What other machines tell of is in no journal here.
            here = {span.span_id for span in outlines}
            elsewhere = [span for span_id, span in spans.items() if span_id not in here]
            self._live = ids, [one for one in deploys_of([*outlines, *elsewhere]) if not one.end_ns]
        return running_of(opened, [*self._live[1], *(one for one in self._found.entries if one.end_ns)])

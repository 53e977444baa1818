"""Tells a receiver what has begun while a run lasts, beside the delivery of spans and never in its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from ..trace.span import Span
from .destinations import Teller
from .opened import PACE, Beats, Pace
from .reader import Opened


class Telling:
    """Tells of the open spans of one run. Whatever goes wrong: they are told no more, and nobody hears of it."""

    def __init__(self, make: Callable[[], Teller | None], pace: Pace = PACE) -> None:
        """``make``: returns who is told, or None for nobody. Called when there is something to tell."""
        self._make = make
        self._pace = pace
        self._beats = Beats(pace)
        self._teller: Teller | None = None
        self._thread: threading.Thread | None = None
        self._over = False

    def look(self, opened: Mapping[str, Opened]) -> None:
        """Begin to tell what is due, unless something is on its way already. Returns at once. ``opened``: spans by id."""
        try:
            if not self._over and not self._is_busy() and (self._teller is None or self._teller.wanted):
                due = self._beats.due(opened, time.monotonic())
                if due:
                    self._thread = threading.Thread(target=self._tell, args=(due,), daemon=True)
                    self._thread.start()
        except Exception:
            # Such as no more threads. Spans come first.
            self._over = True

    def close(self) -> None:
        """Let go of what is on its way."""
        self._over = True
        if self._teller:
            with suppress(Exception):
                self._teller.close()

    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _tell(self, due: Sequence[Span]) -> None:
        try:
            # Imports packages, so not before a run is long enough, and not where spans wait for it.
            self._teller = self._teller or self._make()
            self._over = not (self._teller and self._teller.tell(due, self._pace.every)) or self._over
        except Exception:
            self._over = True

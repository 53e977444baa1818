"""Tells which builds run, after a poll. Whatever goes wrong with it, the polls go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipeline_trace.delivery.destinations import SetupError, Teller
from pipeline_trace.delivery.opened import PACE
from pipeline_trace.trace.span import Span

from ..fetch.errors import ApiError
from .database import StateError

# After an error of ours.
_AGAIN_SECONDS = 3600.0
_NEVER = float("inf")


class TellingOpen:
    """Tells one receiver of the builds of one controller. ``interval``: seconds between two polls."""

    def __init__(
        self,
        make: Callable[[], Teller | None],
        interval: float,
        warn: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``make``: returns who is told, None for nobody. ``warn``: called with a line if something is wrong with us."""
        self._make = make
        # Of polls that are nearer to each other than PACE.every, each so many seconds one tells.
        self._apart = PACE.every - min(interval, PACE.every) / 2
        self._interval = interval
        self._warn = warn
        self._clock = clock
        self._teller: Teller | None = None
        self._told: float | None = None
        self._not_before = float("-inf")

    def polled(self, look: Callable[[], Sequence[Span]]) -> None:
        """Tell what ``look`` returns, if it is time. It is called only if somebody wants to know."""
        now = self._clock()
        if now < self._not_before or (self._told is not None and now - self._told < self._apart):
            return
        try:
            if self._is_wanted():
                self._tell(look(), now)
        except (ApiError, StateError):
            # The next poll says it.
            return
        except SetupError:
            # What delivers the spans says it.
            self._not_before = _NEVER
        except Exception as error:
            self._not_before = now + _AGAIN_SECONDS
            self._warn(f"what runs is not told ({type(error).__name__}: {error}); please report this error")

    def close(self) -> None:
        """Close the connections."""
        if self._teller:
            self._teller.close()

    def _is_wanted(self) -> bool:
        if self._teller is None:
            self._teller = self._make()
        if self._teller is None:
            return False
        # Without a span, it only finds out whether the receiver takes any. One that refuses is not asked again.
        if not self._teller.tell((), PACE.every):
            self._not_before = _NEVER
            return False
        return self._teller.wanted

    def _tell(self, spans: Sequence[Span], now: float) -> None:
        # Polls that take long are farther from each other.
        took = now - self._told if self._told is not None else 0.0
        self._told = now
        if self._teller and spans:
            self._teller.tell(spans, max(PACE.every, self._interval, took))

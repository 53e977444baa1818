"""Tells which builds run, beside the polls. Whatever goes wrong with it, the polls go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from pipeline_trace.delivery.destinations import SetupError, Teller
from pipeline_trace.delivery.opened import PACE
from pipeline_trace.trace.span import Span

from ..fetch.errors import ApiError
from .database import StateError

# How long it tells nothing after an error in our own code.
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
        """``make``: returns who is told, None for nobody. ``warn``: called with a line where they cannot be told."""
        self._make = make
        # Of polls that are nearer to each other than PACE.every, each so many seconds one tells.
        self._apart = PACE.every - min(interval, PACE.every) / 2
        self._interval = interval
        self._warn = warn
        self._clock = clock
        self._teller: Teller | None = None
        self._looked: float | None = None
        self._not_before = float("-inf")
        self._thread: threading.Thread | None = None
        self._said = ""
        self._closed = False

    def polled(self, look: Callable[[], Sequence[Span]]) -> None:
        """Begin to tell what ``look`` returns, if it is time. It is called only if somebody wants to know. Returns at once.

        A controller that does not answer must not hold up the next poll.
        """
        now = self._clock()
        early = self._looked is not None and now - self._looked < self._apart
        if self._closed or now < self._not_before or early or (self._thread and self._thread.is_alive()):
            return
        # Polls that take long are farther from each other.
        apart = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        self._thread = threading.Thread(
            target=self._tell, args=(look, now, max(PACE.every, self._interval, apart)), daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Wait until all is told."""
        if self._thread:
            self._thread.join()

    def close(self) -> None:
        """Let go of what is on its way, and close the connections."""
        self._closed = True
        if self._teller:
            self._teller.close()

    def _tell(self, look: Callable[[], Sequence[Span]], now: float, every: float) -> None:
        problem = ""
        try:
            if self._is_wanted():
                spans = look()
                if self._teller and spans and not self._closed:
                    self._teller.tell(spans, every)
        except (ApiError, StateError) as error:
            problem = f"what runs is not told now: {error}"
        except SetupError:
            # What delivers the spans says it.
            self._not_before = _NEVER
        except Exception as error:
            self._not_before = now + _AGAIN_SECONDS
            problem = f"what runs is not told ({type(error).__name__}: {error}); please report this error"
        if problem and problem != self._said and not self._closed:
            self._warn(problem)
        self._said = problem

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

"""Decides which journal is delivered next, when a failed one is tried again, and when to stop trying.

One journal never holds up the others: healthy ones come first, and the destination counts as down only after another
journal failed too.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from .progress import Progress

_FIRST_PAUSE = 30.0
_LONGEST_PAUSE = 3600.0
# A receiver may ask for at most this (answers.py). A later time in a state file comes from a clock that was wrong.
_LONGEST_WAIT = 86_400.0 + _LONGEST_PAUSE
# Journals that fail one after the other, and the seconds that they may take together.
_MOST_FAILURES = 10
_MOST_SECONDS = 10.0
# Seconds for a batch of a journal after another one failed.
_SHORT = 3.0


def next_try(tries: int, asked: float | None, now: float) -> float:
    """Return when to try a journal again, seconds since the epoch. ``asked``: the seconds that the receiver asks for.

    The first failure is often a passing one, so it costs no pause. Then the pauses double, up to an hour.
    """
    pause = 0.0 if tries < 2 else min(_FIRST_PAUSE * 2 ** min(tries - 2, 20), _LONGEST_PAUSE)
    return now + max(pause, asked or 0.0)


class Queue:
    """The journals to deliver: those that never failed, oldest first; then the others by their next try."""

    def __init__(self, journals: Iterable[tuple[Path, Progress]], now: float, *, all_now: bool) -> None:
        """``now``: seconds since the epoch. ``all_now``: also those whose next try is later."""
        due = [(path, state) for path, state in journals if all_now or not now < state.next_try <= now + _LONGEST_WAIT]
        self._healthy = deque(sorted(path for path, state in due if not state.tries))
        self._failed = deque(path for _try, path in sorted((state.next_try, path) for path, state in due if state.tries))

    def take(self, *, after_failure: bool = False) -> Path | None:
        """Return the next journal; None if there is none. After a failure, the newest one that never failed.

        What one batch caused may concern its neighbours in time too, such as all builds of one job.
        """
        if self._healthy:
            return self._healthy.pop() if after_failure else self._healthy.popleft()
        return self._failed.popleft() if self._failed else None


class Patience:
    """Bounds the work of one call on journals that fail."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._spent = 0.0
        self._began = clock()

    def seconds(self, most: float) -> float:
        """Return the time limit for a batch of the next journal. ``most``: the limit while none failed."""
        self._began = self._clock()
        return min(most, _SHORT) if self._failures else most

    def is_over(self, *, failed: bool, delivered: bool) -> bool:
        """Note how the journal ended. Return whether the others would fail too.

        A journal that was neither failed nor delivered, such as one that another process ships, says nothing.
        """
        if failed:
            self._failures += 1
            self._spent += self._clock() - self._began
        elif delivered:
            self._failures, self._spent = 0, 0.0
        return self._failures >= _MOST_FAILURES or (self._failures > 1 and self._spent >= _MOST_SECONDS)

"""How often a controller is asked: evenly spaced beginnings of requests, for all threads together."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Rate:
    """Lets so many requests a second begin; ``per_second`` None: as many as come."""

    def __init__(self, per_second: float | None, sleep: Callable[[float], object] = time.sleep) -> None:
        self._pause = 1 / per_second if per_second else 0.0
        self._sleep = sleep
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Return when the next request may begin."""
        if not self._pause:
            return
        with self._lock:
            begin = max(time.monotonic(), self._next)
            self._next = begin + self._pause
        self._sleep(max(begin - time.monotonic(), 0.0))

"""Limits how many requests begin in a second, for all threads together. The requests are evenly spaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Rate:
    """A limit of requests per second. ``per_second``: None for no limit."""

    def __init__(self, per_second: float | None, sleep: Callable[[float], object] = time.sleep) -> None:
        self._pause = 1 / per_second if per_second else 0.0
        self._sleep = sleep
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Wait until the next request may begin."""
        if not self._pause:
            return
        with self._lock:
            begin = max(time.monotonic(), self._next)
            self._next = begin + self._pause
        self._sleep(max(begin - time.monotonic(), 0.0))

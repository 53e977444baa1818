"""How the time of a computation grows with its size, in CPU time: no clock of a busy machine decides a test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_TIMES = 4
# Between 4, which is linear, and 16, which is quadratic.
_MOST = 10
# What is done in less is too little to tell.
_SECONDS = 0.05
_TRIES = 5


def assert_linear(work: Callable[[int], Callable[[], object]], size: int) -> None:
    """See that four times as much takes about four times the CPU time, and not sixteen times.

    ``work(size)`` returns what is measured, ready to be called: what it takes to make its data is not counted.
    """
    small, large = work(size // _TIMES), work(size)
    least = [math.inf, math.inf]
    for _ in range(_TRIES):
        least = [min(seconds, _cpu_seconds(each)) for seconds, each in zip(least, (small, large), strict=True)]
        if least[1] < _MOST * least[0] + _SECONDS:
            return
    raise AssertionError(f"{_TIMES} times as much took {least[1]:.3f} s of CPU instead of {least[0]:.3f} s")


def _cpu_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun

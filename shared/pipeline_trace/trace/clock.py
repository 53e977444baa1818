"""A clock for the spans of one run: it begins with the time of day, and no change of that clock moves it.

And the time after which a time in a span comes from a wrong clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Unlike the monotonic clock, this one counts the time in which a laptop sleeps.
_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
# Between machines.
_CLOCKS_DIFFER_NS = 300 * 10**9


def _ticks() -> int:
    return time.monotonic_ns() if _BOOT is None else time.clock_gettime_ns(_BOOT)


def start_clock() -> Callable[[], int]:
    """Return a function that returns the time in nanoseconds since the epoch. It never goes back, and never jumps."""
    began = time.time_ns() - _ticks()
    if _BOOT is None:
        read = time.monotonic_ns
        return lambda: began + read()
    boot, read_clock = _BOOT, time.clock_gettime_ns
    return lambda: began + read_clock(boot)


def horizon_ns() -> int:
    """Return the time, in nanoseconds since the epoch, after which a time counts as in the future: five minutes from now."""
    return time.time_ns() + _CLOCKS_DIFFER_NS

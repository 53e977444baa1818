"""The time that figures are of: some days until today, and as many before. Days are those of UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

from ..lookup.source import Window

DAY_NS = 86_400 * 10**9


class Periods(NamedTuple):
    """A period and the one before. ``days``: of each. ``now``: from a midnight to the end of today.

    ``since_ns``: a midnight since which runs and deploys are here, in nanoseconds since the epoch; 0 if nobody asked.
    """

    days: int
    now: Window
    before: Window
    since_ns: int = 0

    @property
    def both(self) -> Window:
        """Return the two as one."""
        return Window(self.before.from_ns, self.now.to_ns)

    @property
    def recorded(self) -> Window:
        """Return the part of the period of which runs and deploys are here."""
        return Window(max(self.now.from_ns, self.since_ns), self.now.to_ns)

    @property
    def recorded_days(self) -> int:
        """Return of how many days of the period runs and deploys are here."""
        return (self.recorded.to_ns + 1 - self.recorded.from_ns) // DAY_NS

    @property
    def knows_before(self) -> bool:
        """Return whether the whole period before was recorded: only then its numbers can be compared."""
        return self.since_ns <= self.before.from_ns

    def day(self, at: int) -> Window:
        """Return a day of the period, by its place from 0."""
        from_ns = self.now.from_ns + at * DAY_NS
        return Window(from_ns, from_ns + DAY_NS - 1)


def periods_of(days: int, now_ns: int) -> Periods:
    """Return the last days, today included, and as many before. ``now_ns``: the time, in nanoseconds since the epoch."""
    tomorrow_ns = (now_ns // DAY_NS + 1) * DAY_NS
    from_ns = tomorrow_ns - days * DAY_NS
    return Periods(days, Window(from_ns, tomorrow_ns - 1), Window(from_ns - days * DAY_NS, from_ns - 1))


def day_of(time_ns: int) -> str:
    """Return the day of a time in nanoseconds since the epoch, such as 2026-11-30."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, timezone.utc):%Y-%m-%d}"


def days_in(window: Window) -> list[str]:
    """Return all days of a window, in their order."""
    return [day_of(time_ns) for time_ns in range(window.from_ns, window.to_ns + 1, DAY_NS)]

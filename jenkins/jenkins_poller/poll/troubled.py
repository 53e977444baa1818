"""Builds that cannot be read: tried again, later and later, and given up a day after the first try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..fetch.api import Controller
from .database import Database

_MINUTE_MS = 60_000
DAY_MS = 1440 * _MINUTE_MS
# The pauses between two tries. Together they are a day.
_PAUSES_MS = (5 * _MINUTE_MS, 15 * _MINUTE_MS, 60 * _MINUTE_MS, 240 * _MINUTE_MS, 1120 * _MINUTE_MS)
# In place of a build number: the list of the job's builds cannot be read.
LIST = 0

# After so many problems in a row, the controller itself may be the problem.
_SUSPICIOUS = 5

Key = tuple[str, int]


@dataclass(frozen=True)
class Trouble:
    """Why a build cannot be read. ``first_ms``, ``next_ms``: the first and the next try, milliseconds since the epoch."""

    reason: str
    first_ms: int
    next_ms: int
    tries: int

    def waits(self, now_ms: int) -> bool:
        """Return whether it is too early for the next try. If the clock was set back, it is not."""
        return now_ms < self.next_ms <= now_ms + _PAUSES_MS[-1]

    def ends(self, now_ms: int) -> bool:
        """Return whether the next try is the last one."""
        return now_ms - self.first_ms >= DAY_MS


class Troubles:
    """The builds of one controller that could not be read. Keys are full job names and numbers, or LIST."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self) -> Mapping[Key, Trouble]:
        """Return all of them. Raises StateError."""
        rows = self._database.rows("SELECT job, number, reason, first_ms, next_ms, tries FROM troubled")
        return {(job, number): Trouble(*rest) for job, number, *rest in rows}

    def failed(self, key: Key, before: Trouble | None, reason: str, now_ms: int) -> str:
        """Store that a build could not be read. Return what to say of it: "" if that was said. Raises StateError.

        ``before``: what was known of it. Forgets the build if it is given up.
        """
        name = key[0] if key[1] == LIST else f"{key[0]}#{key[1]}"
        if before and before.ends(now_ms):
            self.over(key)
            self._give_up(key)
            return f"gave up on {name}: {reason}"
        tries = before.tries if before else 0
        next_ms = now_ms + _PAUSES_MS[min(tries, len(_PAUSES_MS) - 1)]
        row = (*key, reason, before.first_ms if before else now_ms, next_ms, tries + 1)
        with self._database.writing():
            self._database.change("INSERT OR REPLACE INTO troubled VALUES (?, ?, ?, ?, ?, ?)", *row)
        told = before is not None and before.reason == reason
        return "" if told else f"{name} cannot be read ({reason}); it is tried again, later and later"

    def over(self, key: Key) -> None:
        """Forget that a build could not be read. Raises StateError."""
        with self._database.writing():
            self._database.change("DELETE FROM troubled WHERE job = ? AND number = ?", *key)

    def _give_up(self, key: Key) -> None:
        with self._database.writing():
            self._database.change("DELETE FROM open_builds WHERE job = ? AND number = ?", *key)


class Streak:
    """Problems in a row. After a few, the controller is asked whether it answers at all."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._length = 0
        self._asked = False

    def note(self, *, problem: bool) -> None:
        """Note how a try ended."""
        self._length = self._length + 1 if problem else 0
        self._asked = self._asked and problem

    def check(self) -> None:
        """Raise ApiError if the problems are the controller's. Asks it once for each streak."""
        if self._length >= _SUSPICIOUS and not self._asked:
            self._asked = True
            self._controller.document("api/json", "mode")

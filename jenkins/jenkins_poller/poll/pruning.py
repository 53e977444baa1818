"""Forgets old builds that the controller no longer lists, a few jobs a poll, each job at most once a day."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..fetch.api import Controller, job_path
from ..fetch.errors import ApiError
from ..fetch.shape import WHOLE, query, shaped
from .database import Database
from .troubled import DAY_MS

_LEAST_AGE_MS = 90 * DAY_MS
# In one poll: jobs looked at in the state, jobs asked for, and rows of one job taken away.
_MOST_LOOKED, _MOST_ASKED, _MOST_ROWS = 50, 5, 5000
_NAME = "pruning"
_SHAPE = {"firstBuild": {"number": WHOLE}}


class Pruner:
    """Prunes the state of one controller."""

    def __init__(self, database: Database, controller: Controller, since: float) -> None:
        """``since``: seconds; younger builds stay, and so do those of the last 90 days."""
        self._database = database
        self._controller = controller
        self._least_age_ms = max(round(since * 1000), _LEAST_AGE_MS)

    def prune(self, listed: Collection[str], polled: Callable[[str], bool], now_ms: int) -> None:
        """Forget some old builds, if it is time. Raises StateError.

        ``listed``: the jobs that the controller lists. ``polled``: whether a job, by its full name, is polled: nothing is
        known of the others. ``now_ms``: milliseconds since the epoch.
        """
        kept = self._database.remembered(_NAME) or {"after": "", "ended_ms": 0}
        after, ended_ms = kept["after"], kept["ended_ms"]
        if not after and ended_ms <= now_ms < ended_ms + DAY_MS:
            return
        before_ms, asked = now_ms - self._least_age_ms, 0
        for _ in range(_MOST_LOOKED):
            job = self._database.rows("SELECT min(job) FROM placed WHERE job > ?", after)[0][0]
            if job is None:
                self._troubles(listed, polled, before_ms)
                self._left_names(before_ms)
                after, ended_ms = "", now_ms
                break
            after = job
            if polled(job) and self._has_old(job, before_ms):
                asked += job in listed
                self._forget(job, self._first(job) if job in listed else None, before_ms)
            if asked == _MOST_ASKED:
                break
        self._database.remember(_NAME, {"after": after, "ended_ms": ended_ms})

    def _has_old(self, job: str, before_ms: int) -> bool:
        return bool(
            self._database.rows("SELECT 1 FROM placed WHERE job = ? AND began_ms BETWEEN 1 AND ? LIMIT 1", job, before_ms)
        )

    def _first(self, job: str) -> int | None:
        """Return the lowest number that a job lists; None if it lists no build, 0 if that is not known."""
        try:
            answer = self._controller.document(f"{job_path(job)}api/json", query(_SHAPE))
        except ApiError:
            return 0
        if "firstBuild" not in answer:
            return 0
        return None if answer["firstBuild"] is None else int(shaped(answer, _SHAPE).get("firstBuild", {}).get("number", 0))

    def _forget(self, job: str, first: int | None, before_ms: int) -> None:
        """Forget a job's old builds with numbers below the first that is listed; all old ones if none is."""
        old = "job = ? AND began_ms BETWEEN 1 AND ? AND (? IS NULL OR number < ?)"
        unplaced = "NOT EXISTS (SELECT 1 FROM placed AS p WHERE p.job = revisions.job AND p.number = revisions.number)"
        with self._database.writing():
            rows = f"SELECT rowid FROM placed WHERE {old} LIMIT {_MOST_ROWS}"
            self._database.change(f"DELETE FROM placed WHERE rowid IN ({rows})", job, before_ms, first, first)
            self._database.change(f"DELETE FROM revisions WHERE job = ? AND {unplaced}", job)

    def _troubles(self, listed: Collection[str], polled: Callable[[str], bool], before_ms: int) -> None:
        """Forget the troubles of jobs that are gone."""
        jobs = self._database.rows("SELECT DISTINCT job FROM troubled WHERE first_ms <= ?", before_ms)
        gone = [(job,) for (job,) in jobs if job not in listed and polled(job)]
        with self._database.writing():
            for table in ("troubled", "open_builds"):
                self._database.change_each(f"DELETE FROM {table} WHERE job = ?", gone)

    def _left_names(self, before_ms: int) -> None:
        with self._database.writing():
            self._database.change("DELETE FROM left_names WHERE left_ms <= ?", before_ms)

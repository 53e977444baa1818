"""Recognises jobs by the builds that they list: one that was renamed or moved, and one that was deleted and made again.

A build is known again by its start and by its number in Jenkins' queue, which is given only once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..fetch.api import Controller, job_path
from ..fetch.errors import FATAL, ApiError
from ..fetch.shape import WHOLE, listed, query, shaped
from .discovery import Job
from .state import Cursor, State

# The newest builds of a job to look at.
_LISTED = 50
_SHAPE = {"builds": listed({"number": WHOLE, "timestamp": WHOLE, "queueId": WHOLE}, _LISTED)}


@dataclass(frozen=True)
class Begin:
    """When a build began, milliseconds since the epoch, and its number in the queue; 0 if that is not known."""

    at_ms: int
    queue_id: int

    def is_of(self, other: Begin) -> bool:
        """Return whether both are of the same build."""
        same_queue = 0 in (self.queue_id, other.queue_id) or self.queue_id == other.queue_id
        return self.at_ms == other.at_ms and same_queue


class Histories:
    """Compares, during one poll, what jobs list with what is remembered of them."""

    def __init__(self, controller: Controller, state: State) -> None:
        self._controller = controller
        self._state = state
        self._begins: dict[str, dict[int, Begin]] = {}

    def earlier_name(self, job: Job, missing: Mapping[str, Cursor]) -> str:
        """Return the name that a new job had before; "" if it is really new. Raises ApiError, StateError.

        ``missing``: known jobs that the controller lists no longer.
        """
        able = [name for name, cursor in missing.items() if 1 < cursor.next_number <= job.next_number]
        known = {name: begins for name in able if (begins := self._known(name))}
        shown = self._shown(job) if known else None
        for name, begins in known.items():
            both = begins.keys() & (shown or {}).keys()
            if shown and both and all(begins[number].is_of(shown[number]) for number in both):
                return name
        return ""

    def restored_up_to(self, job: Job, cursor: Cursor) -> int | None:
        """Return the highest known number of a job that was made again or restored; 0 if none of its builds is known.

        None if it is the same job, or if that cannot be told now. Raises ApiError, StateError.
        """
        shown = self._shown(job)
        if shown is None:
            return None
        begins = self._known(job.name)
        both = begins.keys() & shown.keys()
        others = {number for number in both if not begins[number].is_of(shown[number])}
        if job.next_number >= cursor.next_number and not others:
            return None
        return max((number for number in both - others if number < min(others, default=number + 1)), default=0)

    def _known(self, job: str) -> dict[int, Begin]:
        if job not in self._begins:
            self._begins[job] = {number: Begin(at_ms, queue_id) for number, at_ms, queue_id in self._state.last_told(job)}
        return self._begins[job]

    def _shown(self, job: Job) -> dict[int, Begin] | None:
        """Return the newest builds that a job lists; None if it does not tell them."""
        try:
            answer = shaped(self._controller.document(f"{job_path(job.name)}api/json", query(_SHAPE)), _SHAPE)
        except FATAL:
            raise
        except ApiError:
            return None
        builds = answer.get("builds", ())
        return {one["number"]: Begin(one.get("timestamp", 0), one.get("queueId", 0)) for one in builds if "number" in one}

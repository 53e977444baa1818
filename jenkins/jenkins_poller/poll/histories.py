"""Recognises jobs by the builds that they list: one that was renamed or moved, and one that was deleted and made again.

A build is known again by its start and by its number in Jenkins' queue, which is given only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        self._asked: dict[str, dict[int, Begin] | None] = {}
        self._told: dict[tuple[int, int], list[str]] | None = None

    def earlier_name(self, job: Job, known: Mapping[str, Cursor], listed: Mapping[str, Job]) -> str:
        """Return the name that a new job had before; "" if it is really new. Raises ApiError, StateError.

        ``known``: the jobs that it may have been. ``listed``: what the controller lists, by name. A job that is listed and
        still has its builds was not renamed: the new one is a copy.
        """
        able = {name for name, cursor in known.items() if 1 < cursor.next_number <= job.next_number}
        shown = (self._shown(job) if able and self._jobs_by_build(known) else None) or {}
        told = self._jobs_by_build(known) if shown else {}
        alike = {name for number, begin in shown.items() for name in told.get((number, begin.at_ms), ())} & able
        for name in sorted(alike, key=lambda name: (name in listed, name)):
            begins = self._known(name)
            same = all(begins[number].is_of(shown[number]) for number in begins.keys() & shown.keys())
            if same and (name not in listed or self.restored_up_to(listed[name], known[name]) == 0):
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

    def _jobs_by_build(self, known: Mapping[str, Cursor]) -> Mapping[tuple[int, int], Sequence[str]]:
        """Return the jobs of which a build was told, by its number and start."""
        if self._told is None:
            self._told = {}
            for name in known:
                for number, begin in self._known(name).items():
                    self._told.setdefault((number, begin.at_ms), []).append(name)
        return self._told

    def _known(self, job: str) -> dict[int, Begin]:
        if job not in self._begins:
            self._begins[job] = {number: Begin(at_ms, queue_id) for number, at_ms, queue_id in self._state.last_told(job)}
        return self._begins[job]

    def _shown(self, job: Job) -> dict[int, Begin] | None:
        """Return the newest builds that a job lists; None if it does not tell them. Asks once."""
        if job.name not in self._asked:
            self._asked[job.name] = self._ask(job)
        return self._asked[job.name]

    def _ask(self, job: Job) -> dict[int, Begin] | None:
        try:
            answer = shaped(self._controller.document(f"{job_path(job.name)}api/json", query(_SHAPE)), _SHAPE)
        except FATAL:
            raise
        except ApiError:
            return None
        builds = answer.get("builds", ())
        return {one["number"]: Begin(one.get("timestamp", 0), one.get("queueId", 0)) for one in builds if "number" in one}

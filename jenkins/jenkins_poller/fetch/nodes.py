"""Fetches times and log of one node of a Pipeline build from wfapi, the API of the plugin Pipeline: REST API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins.identity import Build

from .api import Controller, NotFound, build_path

_STARTED = re.compile(r"Starting building: <a href=['\"]([^'\"]+/\d+/)['\"]")
_SCHEDULED = re.compile(r"Scheduling project: <a href=['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Times:
    """When a node ran, and how it ended. ``start_ms``: milliseconds since the epoch. ``duration_ms``: milliseconds."""

    start_ms: int
    duration_ms: int
    status: str = ""
    description: str = ""
    error: str = ""
    error_type: str = ""

    @property
    def end_ms(self) -> int:
        """Return the end, milliseconds since the epoch."""
        return self.start_ms + self.duration_ms


def node_answer(controller: Controller, build: Build, node_id: str, what: str) -> Mapping[str, Any] | None:
    """Return wfapi's answer about a node; None if it is ``null``, as for a ``build`` step. Raises ApiError."""
    answer = controller.get(f"{build_path(build)}execution/node/{node_id}/wfapi/{what}")
    return answer if isinstance(answer, Mapping) else None


def node_times(controller: Controller, build: Build, node_id: str) -> Times | None:
    """Return when a node ran; None if wfapi does not say. Raises ApiError, NotFound included."""
    return known_times(node_answer(controller, build, node_id, "describe"))


def node_log(controller: Controller, build: Build, node_id: str) -> str:
    """Return the last 10 KB of a node's log, as HTML; "" if it has none. Raises ApiError."""
    try:
        return str((node_answer(controller, build, node_id, "log") or {}).get("text") or "")
    except NotFound:
        return ""


def started_builds(controller: str, log: str) -> list[Build]:
    """Return the builds that a ``build`` step started, from the step's log."""
    found = []
    for path in _STARTED.findall(log):
        job, number = path_to_job(path.rstrip("/").rpartition("/")[0]), path.rstrip("/").rpartition("/")[2]
        found.append(Build(controller, job, int(number)))
    return found


def scheduled_jobs(log: str) -> list[str]:
    """Return the jobs that a ``build`` step scheduled, from its log. A step that does not wait logs no build number."""
    return [path_to_job(path) for path in _SCHEDULED.findall(log)]


def path_to_job(path: str) -> str:
    """Return the full job name in a link such as /jenkins/job/Team%20A/job/x/."""
    below = path[path.find("/job/") + 1 :].strip("/").split("/")
    return "/".join(unquote(name) for name in below[1::2])


def known_times(answer: Mapping[str, Any] | None) -> Times | None:
    """Return the times in wfapi's answer about a node; None if there are none."""
    return times_of(answer) if answer and "startTimeMillis" in answer else None


def times_of(answer: Mapping[str, Any]) -> Times:
    """Return the times in wfapi's answer about a stage or step."""
    error = answer.get("error") or {}
    return Times(
        start_ms=int(answer.get("startTimeMillis") or 0),
        duration_ms=max(int(answer.get("durationMillis") or 0), 0),
        status=str(answer.get("status") or ""),
        description=str(answer.get("parameterDescription") or ""),
        error=str(error.get("message") or ""),
        error_type=str(error.get("type") or ""),
    )

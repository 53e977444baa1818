"""Finds jobs and their new builds: one request for all jobs, and one more for each job with new builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..fetch.api import Controller, job_path

_LEVELS = 4
_PAGE = 100
_BUILD = "number,timestamp,result,building"


@dataclass(frozen=True)
class Job:
    """A job. ``url``: as the controller shows it, below its configured root URL. ``next_number``: of the next build."""

    name: str
    url: str
    next_number: int


@dataclass(frozen=True)
class Listed:
    """A build in the list of its job. ``timestamp_ms``: the start, milliseconds since the epoch."""

    number: int
    timestamp_ms: int
    running: bool


@dataclass(frozen=True)
class Selection:
    """Which jobs to poll, as globs on full names. Without ``include``, all jobs that ``exclude`` does not match."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Return whether to poll a job. ``name``: its full name."""
        included = not self.include or any(fnmatchcase(name, glob) for glob in self.include)
        return included and not any(fnmatchcase(name, glob) for glob in self.exclude)


def find_jobs(controller: Controller, selection: Selection) -> Iterator[Job]:
    """Yield the selected jobs of a controller, in folders of any depth. Raises ApiError."""
    folders = [""]
    while folders:
        folder = folders.pop()
        document = controller.document(f"{job_path(folder) if folder else ''}api/json", _sweep_tree(_LEVELS))
        for name, data in _items(document, folder):
            if "nextBuildNumber" in data:
                if selection.wants(name):
                    yield Job(name, str(data.get("url") or ""), int(data["nextBuildNumber"]))
            elif _cut_off(data):
                folders.append(name)


def _sweep_tree(levels: int) -> str:
    inner = f",{_sweep_tree(levels - 1)}" if levels > 1 else ",jobs[name]{0,1}"
    return f"jobs[_class,name,fullName,url,nextBuildNumber{inner}]"


def _items(document: Mapping[str, Any], folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for data in document.get("jobs") or ():
        if not (data.get("fullName") or data.get("name")):
            continue
        name = data.get("fullName") or f"{folder}/{data['name']}".lstrip("/")
        yield name, data
        if not _cut_off(data):
            yield from _items(data, name)


def _cut_off(data: Mapping[str, Any]) -> bool:
    """Return whether the answer leaves out a folder's jobs: below the requested levels, jobs have no URL."""
    inside = data.get("jobs")
    return bool(inside) and not any("url" in child for child in inside or ())


def root_url_of(job: Job) -> str:
    """Return the controller's configured root URL, from a job's ``url``."""
    depth = job.name.count("/") + 1
    return job.url.rstrip("/").rsplit("/job/", depth)[0]


@dataclass(frozen=True)
class JobListing:
    """A job's new builds, newest first. ``highest``: the highest number in the job's list; 0 if the list is empty."""

    new: tuple[Listed, ...]
    highest: int


def list_builds(controller: Controller, job: str, *, above: int, since_ms: int) -> JobListing:
    """Return a job's builds with numbers greater than ``above`` that started at ``since_ms`` or later. Raises ApiError.

    ``since_ms``: milliseconds since the epoch. Jenkins limits ``builds`` to 100; ``allBuilds`` has all, but is slow.
    """
    start, field, highest, old, new = 0, "builds", 0, False, list[Listed]()
    while True:
        tree = f"{field}[{_BUILD}]{{{start},{start + _PAGE}}}"
        page = controller.document(f"{job_path(job)}api/json", tree).get(field) or []
        for data in page:
            listed = Listed(int(data["number"]), int(data.get("timestamp") or 0), _running(data))
            highest = max(highest, listed.number)
            if listed.number <= above:
                return JobListing(tuple(new), highest)
            old = listed.timestamp_ms < since_ms
            if not old:
                new.append(listed)
        # Only the last build of a page counts: a single old build among newer ones means that the controller's clock jumped.
        if old or len(page) < _PAGE:
            return JobListing(tuple(new), highest)
        start, field = start + _PAGE, "allBuilds"


def _running(data: Mapping[str, Any]) -> bool:
    return bool(data.get("building")) or ("result" in data and data["result"] is None)

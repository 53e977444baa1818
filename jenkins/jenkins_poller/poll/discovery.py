"""Which builds are new, which are still open: one request for all jobs, one more for each job that moved."""

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
    """A job as the sweep sees it. ``url``: as the controller shows it, by its configured root URL."""

    name: str
    url: str
    next_number: int


@dataclass(frozen=True)
class Listed:
    """A build as a job lists it. ``timestamp_ms``: its start, milliseconds since the epoch."""

    number: int
    timestamp_ms: int
    running: bool


@dataclass(frozen=True)
class Selection:
    """Which jobs are wanted, by globs over full names; a name is wanted where no include is given."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Tell whether a job is wanted."""
        included = not self.include or any(fnmatchcase(name, glob) for glob in self.include)
        return included and not any(fnmatchcase(name, glob) for glob in self.exclude)


def find_jobs(controller: Controller, selection: Selection) -> Iterator[Job]:
    """Yield every job of a controller that builds, in folders of any depth. Raises ApiError."""
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
    """Tell whether a folder's jobs were not answered: below the asked levels they have no names of their own."""
    inside = data.get("jobs")
    return bool(inside) and not any("url" in child for child in inside or ())


def root_url_of(job: Job) -> str:
    """Return the controller's configured root URL, from a job's ``url``."""
    depth = job.name.count("/") + 1
    return job.url.rstrip("/").rsplit("/job/", depth)[0]


@dataclass(frozen=True)
class Listing:
    """A job's new builds, newest first; ``highest``: the highest number that the job lists at all, 0 where it lists none."""

    new: tuple[Listed, ...]
    highest: int


def list_builds(controller: Controller, job: str, *, above: int, since_ms: int) -> Listing:
    """Return a job's builds down to a number (exclusive) or a start time, milliseconds since the epoch. Raises ApiError.

    ``builds`` is capped at 100 by Jenkins; ``allBuilds`` goes further back, and is slow.
    """
    start, field, highest, old, new = 0, "builds", 0, False, list[Listed]()
    while True:
        tree = f"{field}[{_BUILD}]{{{start},{start + _PAGE}}}"
        page = controller.document(f"{job_path(job)}api/json", tree).get(field) or []
        for data in page:
            listed = Listed(int(data["number"]), int(data.get("timestamp") or 0), _running(data))
            highest = max(highest, listed.number)
            if listed.number <= above:
                return Listing(tuple(new), highest)
            old = listed.timestamp_ms < since_ms
            if not old:
                new.append(listed)
        # A single old one among newer ones: the controller's clock had jumped.
        if old or len(page) < _PAGE:
            return Listing(tuple(new), highest)
        start, field = start + _PAGE, "allBuilds"


def _running(data: Mapping[str, Any]) -> bool:
    return bool(data.get("building")) or ("result" in data and data["result"] is None)

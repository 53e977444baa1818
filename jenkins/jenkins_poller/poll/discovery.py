"""Finds jobs and their new builds: one request for all jobs, and one more for each job with new builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pipeline_trace.place.ci.jenkins.identity import normalised_url

from ..fetch.api import Controller, job_path
from ..fetch.errors import FATAL, ApiError, Malformed, NotFound, one_line
from ..fetch.records import objects
from ..fetch.shape import WHOLE, shaped

_LEVELS = 4
_PAGE = 100
# Builds of one job. A job with more new ones has a list without end.
_MOST_LISTED = 200_000
# Folders below the requested levels, each of which costs a request; and folders inside one another.
_MOST_FOLDERS = 2000
_MOST_DEPTH = 50
# Letters of a full name: more than the path of a file has.
_LONGEST_NAME = 4096
# Jenkins' numbers have 31 bits.
_HIGHEST = (1 << 31) - 1
# What stands for half a surrogate pair.
_NO_LETTER = "\ufffd"
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


def find_jobs(controller: Controller, selection: Selection, seen: Callable[[], object] = lambda: None) -> Iterator[Job]:
    """Yield the selected jobs of a controller, each once, in folders of any depth. Raises ApiError.

    Leaves out jobs and folders that cannot be read, with one warning each. ``seen``: called for each visible job.
    """
    folders, asked = [""], {""}
    found: set[str] = set()
    while folders:
        for name, data in _items(_folder(controller, folders.pop())):
            if "nextBuildNumber" in data:
                seen()
                if name in found or not selection.wants(name):
                    continue
                found.add(name)
                problem = _problem(name) or _number_problem(data["nextBuildNumber"])
                if not problem:
                    yield Job(name, _text(data.get("url")), data["nextBuildNumber"])
            elif _cut_off(data) and name not in asked:
                if len(asked) >= _MOST_FOLDERS:
                    controller.warn(f"there are more than {_MOST_FOLDERS} folders on deep levels; the others are not read")
                    continue
                asked.add(name)
                problem = _problem(name)
                if not problem:
                    folders.append(name)
            else:
                continue
            if problem:
                controller.warn(f"{name}: {problem}; it is not read")


def _folder(controller: Controller, folder: str) -> tuple[str, Mapping[str, Any]]:
    """Return a folder's name and document. It is empty, with a warning, if only this folder cannot be read."""
    path = f"{job_path(folder) if folder else ''}api/json"
    try:
        return folder, controller.document(path, _sweep_tree(_LEVELS))
    except ApiError as error:
        if not folder or isinstance(error, FATAL):
            raise
        if not isinstance(error, NotFound):
            controller.warn(f"{folder}: its jobs are not read: {error}")
        return folder, {}


def _problem(name: str) -> str:
    """Return why a job or folder of this name cannot be asked for; "" if it can."""
    if len(name) > _LONGEST_NAME:
        return "its name is too long"
    if name.count("/") >= _MOST_DEPTH:
        return "it lies in too many folders"
    return "" if _encodable(name) and _NO_LETTER not in name else "its name is not valid Unicode"


def _number_problem(number: object) -> str:
    whole = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _HIGHEST
    return "" if whole else f"its next build number is {one_line(repr(number), 40)}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sweep_tree(levels: int) -> str:
    inner = f",{_sweep_tree(levels - 1)}" if levels > 1 else ",jobs[name]{0,1}"
    return f"jobs[_class,name,fullName,url,nextBuildNumber{inner}]"


def _items(folder: tuple[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the jobs and folders in a folder's document, with their full names. ``folder``: its name and document."""
    todo = [folder]
    while todo:
        outer, data = todo.pop()
        if data is not folder[1]:
            yield outer, data
            if _cut_off(data):
                continue
        for inner in reversed(objects(data.get("jobs"))):
            name = _text(inner.get("name"))
            full = _text(inner.get("fullName")) or (f"{outer}/{name}".lstrip("/") if name else "")
            if full:
                todo.append((full, inner))


def _cut_off(data: Mapping[str, Any]) -> bool:
    """Return whether the answer leaves out a folder's jobs: below the requested levels, jobs have no URL."""
    inside = data.get("jobs")
    return bool(inside) and not any("url" in child for child in objects(inside))


def root_url_of(job: Job) -> str:
    """Return the controller's configured root URL, from a job's ``url``; "" if that is not the URL of a job so deep."""
    depth = job.name.count("/") + 1
    parts = job.url.rstrip("/").rsplit("/job/", depth)
    try:
        return normalised_url(parts[0]) if len(parts) == depth + 1 and _encodable(parts[0]) else ""
    except ValueError:
        return ""


@dataclass(frozen=True)
class JobListing:
    """A job's new builds, newest first. ``highest``: the highest number in the job's list; 0 if the list is empty."""

    new: tuple[Listed, ...]
    highest: int


def list_builds(controller: Controller, job: str, *, above: int, since_ms: int) -> JobListing:
    """Return a job's builds with numbers greater than ``above`` that started at ``since_ms`` or later. Raises ApiError.

    ``since_ms``: milliseconds since the epoch. Jenkins limits ``builds`` to 100; ``allBuilds`` has all, but is slow.
    """
    start, field, old, new = 0, "builds", False, list[Listed]()
    seen: set[int] = set()
    while True:
        tree = f"{field}[{_BUILD}]{{{start},{start + _PAGE}}}"
        page = controller.document(f"{job_path(job)}api/json", tree).get(field) or []
        if not isinstance(page, list):
            raise Malformed("the list of its builds is no list; look at the job in Jenkins")
        known = len(seen)
        for data in objects(page):
            number = data.get("number")
            if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= _HIGHEST:
                controller.warn(f"{job}: a build in its list has no number; it is not read")
                continue
            if number <= above:
                return JobListing(tuple(new), max(number, max(seen, default=0)))
            started_ms = shaped(data.get("timestamp"), WHOLE) or 0
            # Without a possible start, only reading the build shows what it is.
            old = 0 < started_ms < since_ms
            if not old and number not in seen:
                new.append(Listed(number, started_ms, _running(data)))
            seen.add(number)
        # Only the last build of a page counts: a single old build among newer ones means that the controller's clock jumped.
        if old or len(page) < _PAGE:
            return JobListing(tuple(new), max(seen, default=0))
        start, field = start + _PAGE, "allBuilds"
        if len(seen) == known or start >= _MOST_LISTED:
            raise Malformed("the list of its builds does not end; look at the job in Jenkins")


def _running(data: Mapping[str, Any]) -> bool:
    return bool(data.get("building")) or ("result" in data and data["result"] is None)

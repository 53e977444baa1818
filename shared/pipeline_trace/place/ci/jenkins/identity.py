"""Defines the identity of a Jenkins build (controller, job, number), and reads it from URLs.

A multi-configuration (matrix) project runs one build for each cell of its matrix. A cell has no ``job/`` in its path, as in
``job/multi/REGION=eu/1/``, and its span is one of the project's build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from ....trace.ids import span_id, trace_id

# A view in front of a job: the job's own address has none.
_VIEW = re.compile(r"/view/[^/]+(?=/(?:view|job)/)")


@dataclass(frozen=True, slots=True)
class Build:
    """A build's identity. ``controller``: its root URL, normalised. ``job``: the full name, with folders.

    ``cell``: of a cell of a multi-configuration project, its axes, such as ``REGION=eu,TIER=a``; ``job`` is the project.
    Else empty. ``generation``: above 0 if the job was deleted and made again, and its numbers began anew. Only the poller
    can know it.
    """

    controller: str
    job: str
    number: int
    cell: str = ""
    generation: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key that the build's ids follow from (see trace/ids.py)."""
        return (*self._key, "configuration", self.cell) if self.cell else self._key

    @property
    def _key(self) -> tuple[str, ...]:
        # Without a generation, the key is that of versions that knew none.
        generation = ("generation", str(self.generation)) if self.generation else ()
        return ("jenkins", self.controller, self.job, str(self.number), *generation)

    @property
    def name(self) -> str:
        """Return the build's name as every command takes it: JOB#N."""
        return f"{self.job}#{self.number}"

    @property
    def trace_id(self) -> str:
        """Return the id of the trace if this build is the root of its chain; of a cell, that of its project's build."""
        return trace_id(self._key)

    @property
    def run_span_id(self) -> str:
        """Return the id of the build's run span; of a cell, the id of its span in its project's build."""
        return span_id(self.key)

    @property
    def path(self) -> str:
        """Return the build's path below the controller's address, with a slash at the end."""
        cell = f"{quote(self.cell, safe='=,')}/" if self.cell else ""
        return f"{job_path(self.job)}{cell}{self.number}/"

    def span_id(self, *part: str) -> str:
        """Return the id of a span within the build, such as ``("stage", name, occurrence)``."""
        return span_id((*self.key, *part))


def normalised_url(url: str) -> str:
    """Return a controller's root URL with lower-case scheme and host, without default port and trailing slash.

    Raises ValueError if it is not an http or https URL.
    """
    wrong = ValueError(f"{url!r} is not an http(s) URL; use one such as https://jenkins.example.com/")
    try:
        parts = urlsplit(url.strip())
        number = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    port = f":{number}" if number and number != default else ""
    return f"{parts.scheme.lower()}://{host.lower()}{port}{parts.path.rstrip('/')}"


def job_path(full_name: str) -> str:
    """Return a job's path below the controller's address, with a slash at the end."""
    return "".join(f"job/{quote(name, safe='')}/" for name in full_name.split("/"))


def build_on_page(url: str) -> Build | None:
    """Return the build that a page of Jenkins is about, as people copy it from a browser; None where it is about none.

    Its console, its stages, a view, a page of Blue Ocean, with a query or a fragment: ``…/view/all/job/app/5/console?x=1``.
    """
    try:
        parts = urlsplit(url.strip())
        server = f"{parts.scheme}://{parts.netloc}"
        segments = [segment for segment in _VIEW.sub("", parts.path).split("/") if segment]
        found = _of_blue_ocean(server, segments) or _of_job_page(server, segments)
        return found and Build(normalised_url(found.root), found.job, found.number, found.cell)
    except ValueError:
        return None


def _of_job_page(server: str, segments: list[str]) -> BuildUrl | None:
    """Return the build whose address a page's address begins with."""
    for end, segment in enumerate(segments, 1):
        found = build_url_parts("/".join([server, *segments[:end]])) if _is_number(segment) else None
        if found:
            return found
    return None


def _of_blue_ocean(server: str, segments: list[str]) -> BuildUrl | None:
    """Return the build of a page of Blue Ocean: ``blue/organizations/jenkins/FOLDER%2FJOB/detail/BRANCH/5/pipeline``."""
    for at in range(len(segments) - 6):
        if (
            segments[at : at + 2] == ["blue", "organizations"]
            and segments[at + 4] == "detail"
            and _is_number(segments[at + 6])
        ):
            pipeline, branch = unquote(segments[at + 3]), unquote(segments[at + 5])
            # A Pipeline that is not multibranch has its own name in the place of the branch.
            own = pipeline.rpartition("/")[2] == branch
            job = pipeline if own else f"{pipeline}/{quote(branch, safe='')}"
            return BuildUrl("/".join([server, *segments[:at]]), job, int(segments[at + 6]))
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


class BuildUrl(NamedTuple):
    """The parts of a build's URL. ``root``: the controller's URL. ``job`` and ``cell``: see Build."""

    root: str
    job: str
    number: int
    cell: str = ""


def build_url_parts(url: str) -> BuildUrl | None:
    """Return the parts of a build's URL; None if it is not a build URL.

    Use this before JOB_NAME: the path of a URL is ASCII, but an agent in the C locale can damage JOB_NAME.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    number = parts.path.rstrip("/").rpartition("/")[2]
    if not parts.hostname or not _is_number(number):
        return None
    found = job_in_path(parts.path.rstrip("/").removesuffix(number))
    root = f"{parts.scheme}://{parts.netloc}{found.root}"
    return BuildUrl(root, found.job, int(number), found.cell) if found.job else None


class JobPath(NamedTuple):
    """The parts of a job's path. ``root``: the controller's path. ``job`` and ``cell``: see Build. Empty: it has none."""

    root: str
    job: str
    cell: str


def job_in_path(path: str) -> JobPath:
    """Return the parts of a job's path. A cell is named by its axes, or ``default`` without any."""
    segments = [segment for segment in path.split("/") if segment]
    cell = ""
    if len(segments) >= 3 and segments[-3] == "job" and segments[-2] != "job":
        last = unquote(segments[-1])
        cell = last if "=" in last or last == "default" else ""
    names: list[str] = []
    rest = segments[:-1] if cell else segments
    while len(rest) >= 2 and rest[-2] == "job":
        names.insert(0, unquote(rest[-1]))
        rest = rest[:-2]
    return JobPath("".join(f"/{segment}" for segment in rest), "/".join(names), cell)


def cell_of_name(name: str, axes: Mapping[str, str]) -> tuple[str, str]:
    """Return the full job name and the cell of a JOB_NAME. ``axes``: the variables, among which are those of a cell's axes.

    Another job can have such a name too, but not such variables.
    """
    job, last = name.rpartition("/")[::2]
    pairs = [pair.partition("=") for pair in last.split(",")]
    is_cell = job and all(sign and axes.get(axis) == value for axis, sign, value in pairs)
    return (job, last) if is_cell else (name, "")

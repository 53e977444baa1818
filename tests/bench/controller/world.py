"""Which jobs and builds a generated controller has. Pure; the same for the same numbers.

Jobs lie in folders of teams, in multibranch projects within folders, one of them below the fourth level, and at the top.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .recorded import Recorded, load, repeated

MOST_STAGES = 60
# Plain pipelines whose stages are run several times, by how many they have.
_PLAIN = {
    1: ("51", "/job/timer-job/2"),
    2: ("70", "/job/Team A/job/déploy ünï/1"),
    5: ("72", "/job/Team A/job/multi/job/main/1"),
}
_BROKEN = (("31", "/job/fail-sh/1"), ("33", "/job/unstable-tests/1"))
_NESTED = ("20", "/job/parallel-nested/1")
_FREESTYLE = ("10", "/job/hello-freestyle/1")
# How many builds the jobs have, in turns; some are busy.
_BUILDS = (0, 1, 1, 1, 2, 2, 5)
_BUSY_EVERY, _BUSY = 500, 150
_DAY_MS = 86_400_000
_CLASSES = {"freestyle": "hudson.model.FreeStyleProject", "plain": "org.jenkinsci.plugins.workflow.job.WorkflowJob"}


@dataclass(frozen=True)
class Job:
    """A job. ``kind``: plain, freestyle; ``upstream``: the job whose builds start the ones of this one, or nothing."""

    name: str
    kind: str
    builds: int
    upstream: str = ""


@dataclass(frozen=True)
class Variant:
    """A build: what it was made from, and its start, milliseconds since the epoch."""

    recorded: Recorded
    start_ms: int

    @property
    def plain(self) -> bool:
        """Tell whether it is a Pipeline with one agent, without nesting and without failed tests."""
        return self.recorded.run is not None and not self.recorded.tests and self.recorded is not load(*_NESTED)


class World:
    """The jobs of a controller by full name, and its builds."""

    def __init__(self, jobs: int, builds: int, now_ms: int) -> None:
        """``now_ms``: when the last builds ended at the latest, milliseconds since the epoch; the first, six days before."""
        self._now_ms = now_ms
        self.jobs: dict[str, Job] = {}
        # Jobs that start others, and those that are started.
        self.chained: set[str] = set()
        left = builds
        for index, (name, kind) in enumerate(_names(jobs)):
            count = min(_BUSY if index % _BUSY_EVERY == _BUSY_EVERY // 2 else _BUILDS[index % len(_BUILDS)], left)
            left -= count
            before = next(reversed(self.jobs.values()), None)
            chained = before is not None and index % 10 == 9 and before.builds >= count
            self.jobs[name] = Job(name, kind, count, before.name if before and chained else "")
            self.chained |= {before.name, name} if before and chained else set()
        last = next(reversed(self.jobs.values()))
        self.jobs[last.name] = Job(last.name, last.kind, last.builds + left)

    def build(self, job: str, number: int) -> Variant | None:
        """Return a build; None where there is none."""
        found = self.jobs.get(job)
        if found is None or not 0 < number <= found.builds:
            return None
        chance = random.Random(f"{job} {number}")
        start = self._now_ms - 6 * _DAY_MS + int(5.9 * _DAY_MS * (number - chance.random()) / found.builds)
        if found.kind == "freestyle":
            return Variant(load(*_FREESTYLE), start)
        luck = chance.random()
        if luck < 0.05:
            return Variant(load(*chance.choice(_BROKEN)), start)
        if luck < 0.1:
            return Variant(load(*_NESTED), start)
        # As many have 1 to 2 as have 30 to 60.
        stages = int(MOST_STAGES ** chance.random())
        fitting = [size for size in _PLAIN if size <= stages]
        size = chance.choice(fitting)
        return Variant(repeated(load(*_PLAIN[size]), stages // size), start)

    def builds(self) -> Iterator[tuple[str, int, Variant]]:
        """Yield job, number and what it is of every build."""
        for job in self.jobs.values():
            for number in range(1, job.builds + 1):
                variant = self.build(job.name, number)
                assert variant
                yield job.name, number, variant

    def tree(self) -> list[dict[str, Any]]:
        """Return the jobs as the controller's own document lists them: folders in folders. ``url`` without the root."""
        top: list[dict[str, Any]] = []
        folders: dict[str, list[dict[str, Any]]] = {"": top}
        for job in self.jobs.values():
            outer, _, own = job.name.rpartition("/")
            kind = (
                "hudson.model.FreeStyleProject"
                if job.kind == "freestyle"
                else "org.jenkinsci.plugins.workflow.job.WorkflowJob"
            )
            _inside(outer, folders).append({**_names_of(job.name, own, kind), "nextBuildNumber": job.builds + 1})
        return top


def job_path(name: str) -> str:
    """Return the path of a job, with a slash at its end. Generated names need no quoting."""
    return "".join(f"/job/{part}" for part in name.split("/")) + "/"


def _names(count: int) -> Iterator[tuple[str, str]]:
    """Yield full names and kinds of so many jobs."""
    for index in range(count):
        team, service = f"team-{index // 100:02}", f"service-{index // 10 % 10}"
        if index == count // 2:
            yield f"{team}/platform/shared/tools/deep", "plain"
        elif index % 10 == 0:
            yield f"job-{index}", "freestyle"
        elif index % 10 < 5:
            yield f"{team}/{service}/app/PR-{index}", "plain"
        else:
            yield f"{team}/{service}-{index % 10}", "plain"


def _names_of(name: str, own: str, kind: str) -> dict[str, Any]:
    return {"_class": kind, "name": own, "fullName": name, "url": job_path(name)}


def _inside(name: str, folders: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the list of a folder's jobs; the folder is made where it is missing."""
    if name not in folders:
        outer, _, own = name.rpartition("/")
        folders[name] = []
        folder = {**_names_of(name, own, "com.cloudbees.hudson.plugins.folder.Folder"), "jobs": folders[name]}
        _inside(outer, folders).append(folder)
    return folders[name]

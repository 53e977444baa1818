"""Which jobs and builds a generated controller has. Pure; the same for the same numbers.

Jobs lie in folders of teams, in multibranch projects within folders, one of them below the fourth level, and at the top.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .recorded import Recorded, load, repeated, under_way

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
_STARTER = ("11", "/job/app-build/1")
# So many builds are started by each build of _STARTER, by a step each.
STARTS = 3
# How many builds the jobs have, in turns; of so many jobs, three are busy: a plain one, one that starts builds of the last.
_BUILDS = (0, 1, 1, 1, 2, 2, 5)
BUSY_AT, BUSY = (247, 248, 249), 100
_BUSY_EVERY = 1000
_DAY_MS = 86_400_000
CLASSES = {"freestyle": "hudson.model.FreeStyleProject", "plain": "org.jenkinsci.plugins.workflow.job.WorkflowJob"}


@dataclass(frozen=True)
class Job:
    """A job. ``kind``: plain, freestyle. ``builds``: how many have ended.

    ``upstream``: the job whose builds start the ones of this one; ``downstream``: the other way round; or nothing.
    """

    name: str
    kind: str
    builds: int
    upstream: str = ""
    downstream: str = ""


@dataclass(frozen=True)
class Variant:
    """A build: what it was made from, and its start, milliseconds since the epoch."""

    recorded: Recorded
    start_ms: int

    @property
    def plain(self) -> bool:
        """Tell whether it is a Pipeline with one agent that succeeded, without nesting, and that starts no build."""
        of_kind = self.recorded is not load(*_NESTED) and self.recorded is not load(*_STARTER)
        return self.recorded.run is not None and self.recorded.succeeded and of_kind


class World:
    """The jobs of a controller by full name, and its builds."""

    def __init__(self, jobs: int, builds: int, now_ms: int) -> None:
        """``now_ms``: when the last builds ended at the latest, milliseconds since the epoch; the first, six days before."""
        self._now_ms = now_ms
        self.jobs: dict[str, Job] = {}
        # Builds that came later, and jobs with a build that runs.
        self._grown = Counter[str]()
        self.running: set[str] = set()
        left = builds
        for index, (name, kind) in enumerate(_names(jobs)):
            count = min(BUSY if index % _BUSY_EVERY in BUSY_AT else _BUILDS[index % len(_BUILDS)], left)
            left -= count
            before = next(reversed(self.jobs.values()), None)
            upstream = before.name if before and index % 10 == 9 and before.builds >= count else ""
            self.jobs[name] = Job(name, kind, count, upstream)
            if before and upstream:
                self.jobs[upstream] = Job(upstream, before.kind, before.builds, before.upstream, name)
        last = next(reversed(self.jobs.values()))
        self.jobs[last.name] = Job(last.name, last.kind, last.builds + left, last.upstream, last.downstream)

    def last(self, job: Job) -> int:
        """Return the number of a job's last build; 0 if it has none."""
        return job.builds + self._grown[job.name] + (job.name in self.running)

    def grow(self) -> None:
        """Let another plain job have one more build, which has just ended."""
        for job in self.jobs.values():
            free = job.kind == "plain" and not job.upstream and not job.downstream and job.name not in self.running
            if free and not self._grown[job.name] and job.builds and self._ended(job, job.builds + 1).plain:
                self._grown[job.name] = 1
                return
        raise LookupError("every plain job has a new build")

    def run(self, count: int) -> None:
        """Let so many jobs have a Pipeline that runs."""
        plain = [job.name for job in self.jobs.values() if job.kind == "plain"]
        if len(plain) < count:
            raise LookupError(f"of {len(self.jobs)} jobs {len(plain)} have Pipelines")
        self.running = set(plain[:count])

    def build(self, job: str, number: int) -> Variant | None:
        """Return a build; None where there is none."""
        found = self.jobs.get(job)
        if found is None or not 0 < number <= self.last(found):
            return None
        ended = self._ended(found, number)
        return Variant(under_way(ended.recorded), self._now_ms) if self.runs(found, number) else ended

    def runs(self, job: Job, number: int) -> bool:
        """Return whether a build runs."""
        return job.name in self.running and number == self.last(job)

    def _ended(self, job: Job, number: int) -> Variant:
        chance = random.Random(f"{job.name} {number}")
        start = self._now_ms - 6 * _DAY_MS + int(5.9 * _DAY_MS * (number - chance.random()) / max(job.builds, 1))
        start = min(start, self._now_ms)
        if job.kind == "freestyle":
            return Variant(load(*_FREESTYLE), start)
        downstream = self.jobs.get(job.downstream)
        if downstream and STARTS * (number - 1) < downstream.builds:
            return Variant(load(*_STARTER), start)
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
            numbered = {"nextBuildNumber": self.last(job) + 1}
            _inside(outer, folders).append({**_names_of(job.name, own, CLASSES[job.kind]), **numbered})
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

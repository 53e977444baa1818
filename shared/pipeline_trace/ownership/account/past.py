"""Tells what the builds around a failed one show: since when it fails, what was green, what fails alike, what passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile

from ...trace import conventions as c
from ...trace.queries import attribute_text, revision_of
from ...trace.span import Span
from ..past import NEAR, SUCCESS, Past, PastBuild
from .codehost import compare_url, repository_of
from .record import Others, Streak
from .shown import build_of, clean

# How many builds of the job are counted.
_COUNTED = 10


class Around:
    """The builds around a failed one. ``builds``: others, as the judge compared them. ``failing``: the failed one."""

    def __init__(self, builds: Sequence[PastBuild], failing: PastBuild) -> None:
        self._failing = failing
        self._builds = sorted(builds, key=lambda build: build.at)

    @property
    def projects(self) -> int:
        """Return how many other projects fail alike within a day."""
        return len({build.project for build in self._alike} - {self._failing.project})

    def streak(self) -> Streak:
        """Return since when and how often the job fails so."""
        failing = self._failing
        counted = self._until[-_COUNTED:]
        green = self._green
        again = next((one for one in self._builds if one.job == failing.job and one.at > failing.at and _green(one)), None)
        return Streak(
            job=clean(failing.job),
            first=build_of(_run(self._first)),
            alike=sum(map(self._fails_so, counted)),
            builds=len(counted),
            green=build_of(_run(green)) if green else None,
            commits=_commits(green, self._since) if green else (),
            authors=_authors(self._since) if green else None,
            compare=_compared(_run(green), _run(failing)) if green else "",
            green_again=build_of(_run(again)) if again else None,
        )

    def alike(self) -> list[Others]:
        """Return other jobs that fail alike within a day, newest first."""
        return _by_job(self._alike)

    def fine(self) -> list[Others]:
        """Return what passes since the job fails so, newest first: other jobs on its agent, and the job itself elsewhere."""
        first, last = self._first.at, self._failing.at + NEAR
        failed = {build.job for build in self._alike}
        passed = (one for one in self._builds if _green(one) and first <= one.at <= last and one.job not in failed)
        return _by_job([build for build in passed if self._tells(build)])

    def _tells(self, green: PastBuild) -> bool:
        """Return whether a green build narrows the cause down: the same job elsewhere, or another one on the same agent."""
        failing = self._failing
        here = green.agent == failing.agent
        if green.job == failing.job:
            return bool(green.agent) and not here
        return (here and bool(failing.agent)) or _job(green) == _job(failing)

    def _fails_so(self, build: PastBuild) -> bool:
        return id(build) in self._same

    @cached_property
    def _same(self) -> set[int]:
        return set(map(id, Past(self._builds, self._failing).same))

    @cached_property
    def _alike(self) -> list[PastBuild]:
        """Return the builds of other jobs that fail alike within a day."""
        failing = self._failing
        near = (one for one in self._builds if one.job != failing.job and abs(one.at - failing.at) <= NEAR)
        return list(filter(self._fails_so, near))

    @cached_property
    def _until(self) -> list[PastBuild]:
        """Return the builds of this job up to the failed one, in order of time."""
        failing = self._failing
        return [*(one for one in self._builds if one.job == failing.job and one.at <= failing.at), failing]

    @cached_property
    def _green(self) -> PastBuild | None:
        return next(filter(_green, reversed(self._until)), None)

    @cached_property
    def _since(self) -> list[PastBuild]:
        """Return the builds of this job after its last green one, up to the failed one."""
        return list(takewhile(lambda build: not _green(build), reversed(self._until)))[::-1]

    @property
    def _first(self) -> PastBuild:
        return next(filter(self._fails_so, self._since))


def _green(build: PastBuild) -> bool:
    return build.result == SUCCESS


def _run(build: PastBuild) -> Span:
    if build.run is None:
        raise ValueError("a build without its run has no account")
    return build.run


def _job(build: PastBuild) -> str:
    """Return the job without the environment that it deploys to."""
    return attribute_text(_run(build), c.PIPELINE_NAME)


def _by_job(builds: Iterable[PastBuild]) -> list[Others]:
    found: dict[tuple[str, str], list[PastBuild]] = {}
    for build in builds:
        found.setdefault((build.job, build.agent), []).append(build)
    newest = sorted(found.items(), key=lambda item: item[1][-1].at, reverse=True)
    return [Others(clean(job), clean(agent), len(ones), build_of(_run(ones[-1]))) for (job, agent), ones in newest]


def _commits(green: PastBuild, since: Iterable[PastBuild]) -> list[str]:
    commits = dict.fromkeys(build.commit for build in since)
    return [clean(commit) for commit in commits if commit and commit != green.commit]


def _authors(since: Iterable[PastBuild]) -> int | None:
    """Return how many people's changes the builds have; None if several builds have some: people may be the same."""
    counts = [count for one in since if isinstance(count := _run(one).attributes.get(c.JENKINS_CHANGE_AUTHORS), int)]
    return counts[0] if len(counts) == 1 else None


def _compared(green: Span, failing: Span) -> str:
    """Return the page that compares the commits of two runs, if both are surely of one repository."""
    old, new = revision_of(green), revision_of(failing)
    repository = repository_of(failing)
    return clean(compare_url(repository, old, new)) if old != new and repository_of(green) == repository else ""

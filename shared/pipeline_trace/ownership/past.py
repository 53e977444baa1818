"""Compares a failed build with other builds: which failed alike, and which passed meanwhile. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import unquote

from ..trace.span import Span
from ..trace.words import MAIN_BRANCHES
from .signature import Signature, signature_of

FAILURE = "failure"
SUCCESS = "success"
# Jenkins' name of the node that the controller itself is.
CONTROLLER = "built-in"
# Failures further apart than this have different causes.
NEAR = timedelta(hours=24)


@dataclass(frozen=True)
class PastBuild:
    """An ended build. ``at``: its start. ``result``: success or failure.

    ``agent``: where it failed. ``agents``: all agents that it used. ``environment``: where it deploys to.
    ``repository``: its address. ``signature``: the first evidence of its log's verdict. ``kind`` and ``program``: as in
    this verdict. "" and None: not known. ``run``: its span, for who tells of it; no verdict looks at it.
    """

    job: str
    commit: str
    branch: str
    agent: str
    at: datetime
    result: str
    signature: str = ""
    kind: str = ""
    program: str = ""
    exit_status: int | None = None
    agents: Sequence[str] = ()
    environment: str = ""
    repository: str = ""
    run: Span | None = field(default=None, compare=False, repr=False)

    @property
    def project(self) -> str:
        """Return the repository or service of the job: its full name without the last part (the branch or the task)."""
        return self.job.rpartition("/")[0] or self.job

    @property
    def work(self) -> str:
        """Return what the job does: its full name, without the branch in a multibranch project."""
        folder, _, last = self.job.rpartition("/")
        name, to, environment = last.partition(" to ")
        name, branch = (unquote(text).replace("/", "-") for text in (name, self.branch))
        if folder and f"{branch}-".startswith(f"{name}-"):
            return f"{folder}{to}{environment}"
        return self.job

    @property
    def main(self) -> bool:
        """Return whether it built the main branch."""
        return self.branch in MAIN_BRANCHES

    @property
    def change(self) -> tuple[str, str]:
        """Return the job and the commit: another run of the same is a run without a change."""
        return self.job, self.commit

    @cached_property
    def signed(self) -> Signature:
        """Return the signature of its deciding line. A line that names its agent names a host."""
        found = signature_of(self.signature)
        return replace(found, hosts=found.hosts | {self.agent}) if self._names_its_agent else found

    @property
    def _names_its_agent(self) -> bool:
        # An agent may be called "docker" or "linux", as programs and systems are.
        telling = self.agent != CONTROLLER and any(not letter.isalpha() for letter in self.agent)
        return telling and re.search(rf"(?<![\w-]){re.escape(self.agent)}(?![\w-])", self.signature) is not None

    def used(self, agent: str) -> bool:
        """Return whether it used an agent."""
        return agent in self.agents or agent == self.agent

    def fails_like(self, other: PastBuild) -> bool:
        """Return whether two failures are alike: kind, program and exit status where both are known, and the line.

        A line that tells nothing makes only failures of the same change alike.
        """
        known = ((self.kind, other.kind), (self.program, other.program), (self.exit_status, other.exit_status))
        if any(one not in ("", None) and two not in ("", None) and one != two for one, two in known):
            return False
        if not self.signed.like(other.signed):
            return False
        return self.signed.telling or bool(self.commit and self.change == other.change)


def parties_of(runs: Iterable[PastBuild]) -> list[list[PastBuild]]:
    """Group builds by what one cause of theirs may be: a project, a repository, a commit, or a branch other than main.

    Jobs that build one commit are one change. So are branches of one name in several repositories: a bot's, or a person's.
    """
    found: list[tuple[set[tuple[str, str]], list[PastBuild]]] = []
    for run in runs:
        keys = {("project", run.project), ("repository", run.repository), ("commit", run.commit)}
        keys.add(("branch", "" if run.main else run.branch))
        keys = {key for key in keys if key[1]}
        same = [one for one in found if not keys.isdisjoint(one[0])]
        found = [one for one in found if keys.isdisjoint(one[0])]
        found.append((keys.union(*(one[0] for one in same)), [*(run for one in same for run in one[1]), run]))
    return [members for _, members in found]


@dataclass
class Past:
    """A failed build among others, earlier and later ones."""

    runs: Sequence[PastBuild]
    failing: PastBuild

    @cached_property
    def same(self) -> list[PastBuild]:
        """Return all failures like this one, including this one, in order of time."""
        alike = [run for run in self.runs if run.result == FAILURE and self.failing.fails_like(run)]
        return sorted([*alike, self.failing], key=lambda run: run.at)

    @cached_property
    def near(self) -> list[PastBuild]:
        """Return the failures like this one within a day of it."""
        return [run for run in self.same if abs(run.at - self.failing.at) <= NEAR]

    @cached_property
    def parties(self) -> list[list[PastBuild]]:
        """Return the near failures in groups that do not depend on each other; the group of this one first."""
        return sorted(parties_of(self.near), key=lambda party: self.failing not in party)

    @cached_property
    def own(self) -> Sequence[PastBuild]:
        """Return the near failures that may have the cause in common with this one because of one project or change."""
        return sorted(self.parties[0], key=lambda run: run.at)

    @cached_property
    def greens(self) -> list[PastBuild]:
        """Return the builds that passed, in order of time."""
        return sorted((run for run in self.runs if run.result == SUCCESS), key=lambda run: run.at)

    @cached_property
    def _last_green(self) -> dict[tuple[str, str], PastBuild]:
        return {green.change: green for green in self.greens if green.commit}

    def passed_later(self, runs: Iterable[PastBuild]) -> Iterator[tuple[PastBuild, PastBuild]]:
        """Yield the failures whose job passed later with the same commit, each with the last build that did."""
        for run in runs:
            green = self._last_green.get(run.change)
            if green and green.at > run.at:
                yield run, green

    def greens_between(
        self, first: datetime, last: datetime, matches: Callable[[PastBuild], bool] = lambda _: True
    ) -> list[PastBuild]:
        """Return the builds that passed between two times, and match."""
        return [run for run in self.greens if first <= run.at <= last and matches(run)]

    def passed_on(self, agent: str) -> bool:
        """Return whether anything passed on an agent between the first near failure and the last."""
        return bool(self.greens_between(self.near[0].at, self.near[-1].at, lambda run: run.used(agent)))

    def passed_meanwhile(self, works: Collection[str]) -> list[PastBuild]:
        """Return the builds of these works that passed between the first near failure and the last."""
        return self.greens_between(self.near[0].at, self.near[-1].at, lambda run: run.work in works)

"""One time that a step of the way was gone, and what several kinds of it have in common. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import conventions as c
from ..report import model
from ..span import Span
from . import environments, waits
from .tree import VERSIONS, Runs, failed, parameter, run_name, said

LOCAL, CHECKS, REVIEW, MERGE = "Local", "PR checks", "review", "merge"


@dataclass(frozen=True)
class Attempt:
    """One time that a step was gone.

    ``step``: LOCAL, CHECKS, MERGE or an environment. ``state``: one of report.model.STATES; ``skip``: a stage was there
    and did not run. ``where``: the stage that failed. ``span``: the run, the stage or the playbook.
    """

    step: str
    service: str
    commit: str
    state: str
    start_ns: int
    end_ns: int
    span: Span
    run: str = ""
    where: str = ""
    message: str = ""
    waited: tuple[waits.Wait, ...] = ()
    version: str = ""

    @property
    def ran_ns(self) -> int:
        """How long it ran, without the waits within."""
        return max(self.end_ns - self.start_ns - waits.covered_ns(self.waited, self.start_ns, self.end_ns), 0)


def of_playbooks(runs: Runs, books: Sequence[Span], place: str, service: str) -> Attempt:
    first = books[0]
    state = worst([model.state(one) for one in books])
    end = 0 if state == model.RUNNING else max(one.end_ns for one in books)
    name, version = run_name(runs.run_above(first) or first), version_of(first, books)
    commit = runs.commit(first)
    return Attempt(place, service, commit, state, first.start_ns, end, first, name, "", why(books), (), version)


def by_place(books: Sequence[Span]) -> dict[tuple[str, str], list[Span]]:
    found: dict[tuple[str, str], list[Span]] = {}
    for book in books:
        place = environments.environment(said(book, c.DEPLOYMENT_ENVIRONMENT))
        found.setdefault((place, said(book, c.DEPLOYMENT_NAME)), []).append(book)
    return found


def worst(states: Sequence[str]) -> str:
    return min(states, key=model.STATES.index)


def why(books: Sequence[Span]) -> str:
    return next((text for book in books if failed(book) and (text := model.message(book))), "")


def version_of(span: Span, books: Sequence[Span]) -> str:
    told = next((version for book in books if (version := said(book, c.ARTIFACT_VERSION))), "")
    return told or said(span, c.ARTIFACT_VERSION) or parameter(span, VERSIONS)

"""An attempt at a step of the path, and helpers that the kinds of attempts share. Does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..lookup import states
from ..lookup.states import has_failed
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, parameter
from ..trace.span import Span
from ..trace.words import environment_name
from . import waits
from .runs import RunTree

LOCAL, CHECKS, REVIEW, MERGE = "Local", "PR checks", "review", "merge"


@dataclass(frozen=True)
class Attempt:
    """One build, stage or playbook that goes through one step of a change's path. Times are nanoseconds since the epoch.

    ``step``: LOCAL, CHECKS, MERGE or an environment. ``state``: one of lookup.states.STATES; ``skip`` means that the stage
    exists but did not run. ``span``: the span of the build, stage or playbook; of several playbooks the first that failed,
    else the first. ``run``: the build, JOB#N. ``where``: the stage that failed. ``refused``: a person rejected the approval.
    ``waited``: waits to show with this attempt. ``paused``: waits in its time that another attempt shows. ``timed``: False
    if it is not known how long it ran.
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
    refused: bool = False
    waited: tuple[waits.Wait, ...] = ()
    version: str = ""
    paused: tuple[waits.Wait, ...] = ()
    timed: bool = True

    @property
    def what(self) -> str:
        """Return what was deployed: the short commit, else the version."""
        return self.commit[:7] or self.version

    @property
    def ran_ns(self) -> int:
        """Return how long it ran, in nanoseconds, without its waits."""
        waited = waits.covered_ns((*self.waited, *self.paused), self.start_ns, self.end_ns)
        return max(self.end_ns - self.start_ns - waited, 0)


def of_playbooks(runs: RunTree, books: Sequence[Span], place: str, service: str) -> Attempt:
    """Return the one deploy that these playbooks make up. ``place``: the environment."""
    first = books[0]
    state = worst([states.state(one) for one in books])
    end = 0 if state == states.RUNNING else max(one.end_ns for one in books)
    name, version = build_name_of(runs.run_above(first) or first), version_of(first, books)
    commit = runs.commit(first)
    span = next(filter(has_failed, books), first)
    return Attempt(place, service, commit, state, first.start_ns, end, span, name, "", why(books), version=version)


def by_place(books: Sequence[Span]) -> dict[tuple[str, str], list[Span]]:
    """Return the playbooks, grouped by environment and service."""
    found: dict[tuple[str, str], list[Span]] = {}
    for book in books:
        place = environment_name(attribute_text(book, c.DEPLOYMENT_ENVIRONMENT))
        found.setdefault((place, attribute_text(book, c.DEPLOYMENT_NAME)), []).append(book)
    return found


def worst(all_states: Sequence[str]) -> str:
    """Return the worst of these states, in the order of lookup.states.STATES."""
    return min(all_states, key=states.STATES.index)


def why(books: Sequence[Span]) -> str:
    """Return the message of the first failed playbook; "" if none has a message."""
    return next((text for book in books if has_failed(book) and (text := states.message(book))), "")


def message_of(span: Span, run: Span) -> str:
    """Return the error message of a part of a run, or who cancelled it."""
    stopped = run.attributes.get(c.JENKINS_INTERRUPTION_DESCRIPTIONS)
    said_so = ", ".join(map(str, stopped)) if isinstance(stopped, list) and states.state(span) == c.CANCELLATION else ""
    return states.message(span) or said_so


def is_refused(span: Span, run: Span) -> bool:
    """Return whether a person stopped a part of a run by rejecting the approval."""
    return states.state(span) == c.CANCELLATION and "Rejection" in str(run.attributes.get(c.JENKINS_INTERRUPTIONS))


def version_of(span: Span, books: Sequence[Span]) -> str:
    """Return the deployed version: from the playbooks, else from the run or its parameters."""
    told = next((version for book in books if (version := attribute_text(book, c.ARTIFACT_VERSION))), "")
    return told or attribute_text(span, c.ARTIFACT_VERSION) or parameter(span, c.ARTIFACT_VERSION)

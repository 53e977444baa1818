"""Reads builds that have ended again, and adds the spans that were missing, for example since a plugin was installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline_trace.place.ci.jenkins.identity import Build

from ..fetch.api import Controller
from ..fetch.errors import FATAL, ApiError, NotFound
from . import discovery, levels
from .finding import Found
from .reading import Group, ReadBuild, groups
from .state import State
from .swept import Swept


def ended_builds(
    controller: Controller, state: State, found: Found, since_ms: int, swept: Swept, stopping: Callable[[], bool]
) -> Iterator[Group]:
    """Yield the builds that began at ``since_ms`` or later, have ended, and are not open any more.

    ``found``: of the poll before. Raises ApiError if the controller itself does not answer.
    """
    still_open = state.open_builds()
    for job, root in found.controllers.items():
        if stopping():
            return
        try:
            listed = discovery.list_builds(controller, job, above=0, since_ms=since_ms).new
        except (*FATAL, NotFound) as error:
            if isinstance(error, FATAL):
                raise
            continue
        except ApiError as error:
            swept.problems.append(f"{job} cannot be read again ({error})")
            continue
        left_out = still_open.get(job, {})
        numbers = sorted(one.number for one in listed if not one.running and one.number not in left_out)
        builds = [Build(root, job, number, generation=found.generations.get(job, 0)) for number in numbers]
        yield from groups(builds, found.newest, {})


def only_missing(state: State, read: ReadBuild) -> ReadBuild:
    """Return the result with the spans alone that were not told before, and at the higher of both levels."""
    if not read.spans or not state.place_of(read.build):
        return read
    told = state.level_of(read.build)
    level = max(told or levels.RUN, read.level, key=levels.ORDER.index)
    # The run was told, and with it the links to builds of its commit.
    return replace(read, spans=levels.missing(read.spans, told), level=level, revision="")

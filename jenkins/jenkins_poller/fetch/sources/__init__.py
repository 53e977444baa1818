"""Where the times of stages and steps come from: a module for each plugin that tells them.

The flow graph, which every Pipeline build has, tells names, ids and nesting. It has no times. A source adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline_trace.place.ci.jenkins.identity import Build

from ..times import Times


class Missing(Exception):
    """The controller does not answer where the plugin would: it is not installed, or too old to tell times.

    ``outdated``: it is too old.
    """

    def __init__(self, message: str, *, outdated: bool = False) -> None:
        super().__init__(message)
        self.outdated = outdated


@dataclass(frozen=True)
class Wanted:
    """A Pipeline build that has ended. ``recent``: it is among the ten newest builds of its job.

    ``branch``: it belongs to a multibranch project. ``steps``: whether to tell its steps too, not only its stages.
    """

    build: Build
    document: Mapping[str, Any]
    recent: bool = True
    branch: bool = False
    steps: bool = True


@dataclass
class Told:
    """What a source tells of a build. Dictionaries have node ids as keys.

    ``agents``: the agent's name, by the stage or branch that the source names with it. ``started``: paths of builds that a
    ``build`` step started, such as ``job/app/1/``. ``stages``: node ids and names of the stages in order, for a build
    without a flow graph. ``end_ms``: the build's end, milliseconds since the epoch; 0 if it is not told. ``ends``: whether
    the end of a stage that holds others is right. ``steps``: whether steps are told where they were wanted.
    """

    plugin: str
    times: dict[str, Times] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    started: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stages: list[tuple[str, str]] = field(default_factory=list)
    end_ms: int = 0
    ends: bool = True
    steps: bool = True


def each(wanted: Sequence[Wanted], tell: Callable[[Wanted], Told]) -> dict[Build, Told]:
    """Return what is told of each build by itself. Leaves out builds that are missing. Raises Missing if all are."""
    found: dict[Build, Told] = {}
    missing: Missing | None = None
    for one in wanted:
        try:
            found[one.build] = tell(one)
        except Missing as error:
            missing = error
    if missing and not found:
        raise missing
    return found


class Source(Protocol):
    """Asks one plugin in one way. ``asks``: what it asks for, as a name of this way."""

    plugin: str
    asks: str

    def tell(self, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        """Return what the plugin tells of builds of one job. Leaves out builds that it cannot tell.

        Raises Missing if the plugin does not answer, and ApiError.
        """

"""The plugin Pipeline Graph View, which Jenkins' setup wizard installs since February 2024: two requests a build.

Source: its REST answers ``tree`` and ``allSteps``. The paths changed twice; until April 2025 times were words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from pipeline_trace.place.ci.jenkins.identity import Build

from ..api import Controller, build_path
from ..errors import NotFound, Passing
from ..records import NodeId, Record, Whole, objects, record, records
from ..times import ABORTED, FAILED, NOT_EXECUTED, SUCCESS, UNSTABLE, Times
from . import Missing, Told, Wanted, each

PLUGIN = "Pipeline Graph View"

# Stages, steps, and the log of a node. The newest first: from February 2026, from May 2025, before.
PATHS = (
    ("stages/tree", "stages/allSteps", "stages/log"),
    ("pipeline-overview/tree", "pipeline-overview/allSteps", "pipeline-overview/log"),
    ("pipeline-graph/tree", "pipeline-console/allSteps", "pipeline-console/log"),
)
_TREE, _STEPS, _LOG = range(3)
_NO_LOG = "No logs found"
_STATES = {
    "success": SUCCESS,
    "unstable": UNSTABLE,
    "failure": FAILED,
    "aborted": ABORTED,
    "skipped": NOT_EXECUTED,
    "not_built": NOT_EXECUTED,
}
# What the plugin makes up itself.
_NO_STAGE = ("PIPELINE_START", "PARALLEL_BLOCK", "STEPS_BLOCK")


class _Timed(Record):
    id: NodeId = ""
    name: str = ""
    state: str = ""
    type: str = ""
    # Missing while the node runs; a text in old versions.
    start_ms: Whole | None = Field(None, alias="startTimeMillis")
    duration_ms: Whole | None = Field(None, alias="totalDurationMillis")

    def times(self, description: str = "") -> Times | None:
        """Return the times; None if they are not told. A stage that a restart left out began in 1970."""
        if not self.start_ms or self.start_ms < 0 or self.duration_ms is None:
            return None
        return Times(self.start_ms, max(self.duration_ms, 0), self.status, description)

    @property
    def status(self) -> str:
        """Return how it ended, in the words of ``times``."""
        return _STATES.get(self.state.lower(), "")


class Stage(_Timed):
    """A stage or a parallel branch. ``cause``: why it does not get an agent, while it waits."""

    agent: str = ""
    cause: str = Field("", alias="causeOfBlockage")


class _Started(Record):
    path: str = Field("", alias="classicUrl")


class _Input(Record):
    message: str = ""


class Step(_Timed):
    """A step. ``name``: its argument or label, else its name."""

    stage_id: NodeId = Field("", alias="stageId")
    started: _Started = Field(_Started(classicUrl=""), alias="buildStep")
    question: _Input = Field(_Input(), alias="inputStep")


class GraphView:
    """Asks Pipeline Graph View."""

    plugin = PLUGIN
    asks = "stages/tree"

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._paths: tuple[tuple[str, str, str], ...] = PATHS

    def tell(self, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        """See Source.tell."""
        return each(wanted, self._told)

    def stages(self, build: Build) -> list[Stage]:
        """Return the stages and branches, outer before inner. Raises Missing, ApiError."""
        return list(_flat(self._data(build, _TREE).get("stages")))

    def steps(self, build: Build) -> list[Step]:
        """Return the steps. Raises Missing, ApiError."""
        return records(Step, self._data(build, _STEPS).get("steps"))

    def log(self, build: Build, node_id: str, most_bytes: int) -> str:
        """Return a node's whole log, and the exception of a failed step behind it; "" if it is longer than ``most_bytes``.

        Raises Missing, ApiError.
        """
        for paths in self._paths:
            try:
                text = self._controller.text(f"{build_path(build)}{paths[_LOG]}?nodeId={node_id}", most_bytes)
            except NotFound:
                continue
            return "" if text.startswith(_NO_LOG) else text
        raise Missing(f"{build_path(build)}{PATHS[0][_LOG]} was not found")

    def _told(self, wanted: Wanted) -> Told:
        told = Told(self.plugin)
        tree = self._ended(wanted.build, self._data(wanted.build, _TREE), "complete")
        stages = list(_flat(tree.get("stages")))
        if stages and not any(isinstance(stage.start_ms, int) for stage in stages):
            raise Missing(f"{self.plugin} tells times in words", outdated=True)
        for stage in stages:
            if stage.type in _NO_STAGE:
                continue
            told.stages.append((stage.id, stage.name))
            _keep(told, stage.id, stage.times(), stage.status)
            if stage.agent:
                told.agents[stage.id] = stage.agent
        for step in self._steps_of(wanted):
            _keep(told, step.id, step.times(step.name), step.status)
            if step.started.path:
                told.started[step.id] = (step.started.path,)
        told.end_ms = max((times.end_ms for times in told.times.values() if times.known), default=0)
        return told

    def _steps_of(self, wanted: Wanted) -> list[Step]:
        """Return the steps; an empty list if the plugin tells the stages alone."""
        try:
            data = self._data(wanted.build, _STEPS) if wanted.steps else {}
        except Missing:
            return []
        return records(Step, self._ended(wanted.build, data, "runIsComplete").get("steps"))

    def _ended(self, build: Build, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Return the data of a build that has ended. A plugin may still keep what it knew while the build ran.

        ``name``: of the field that says so. Raises Passing.
        """
        if data.get(name) is False:
            raise Passing(f"{self.plugin} does not know yet that {build.name} has ended")
        return data

    def _data(self, build: Build, which: int) -> Mapping[str, Any]:
        """Return the answer of ``tree`` or ``allSteps``. Remembers which path the plugin has."""
        for paths in self._paths:
            try:
                answer = self._controller.build(build, paths[which])
            except NotFound:
                continue
            self._paths = (paths,)
            data = answer.get("data", answer)
            return data if isinstance(data, Mapping) else {}
        self._paths = PATHS
        raise Missing(f"{build_path(build)}{PATHS[0][which]} was not found")


def _keep(told: Told, node_id: str, times: Times | None, status: str) -> None:
    if not node_id:
        return
    if times:
        told.times[node_id] = times
    elif status == NOT_EXECUTED:
        told.times[node_id] = Times(0, 0, status, known=False)


def _flat(stages: object) -> Iterator[Stage]:
    todo = objects(stages)[::-1]
    while todo:
        answer = todo.pop()
        yield record(Stage, answer)
        todo += objects(answer.get("children"))[::-1]

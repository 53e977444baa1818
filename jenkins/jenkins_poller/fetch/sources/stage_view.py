"""The plugin Pipeline: REST API (``wfapi``), which comes with Stage View.

One request tells up to ten builds of a job with all their stages and steps. An older build costs one request for its stages.
Its steps would cost one more for each stage: a hundred builds in their first poll would be a load on the controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from pipeline_trace.place.ci.jenkins.identity import Build

from ..api import Controller, build_path, job_path
from ..errors import FATAL, ApiError, NotFound
from ..records import NodeId, Record, Whole, objects, record
from ..times import Times
from . import Missing, Told, Wanted, each

PLUGIN = "Pipeline: Stage View"


class _Error(Record):
    message: str = ""
    type: str = ""


class _Node(Record):
    id: NodeId = ""
    name: str = ""
    status: str = ""
    start_ms: Whole | None = Field(None, alias="startTimeMillis")
    duration_ms: Whole | None = Field(None, alias="durationMillis")
    description: str = Field("", alias="parameterDescription")
    error: _Error = _Error()

    def times(self) -> Times | None:
        """Return the times; None if they are not told. A stage that a restart left out began in 1970."""
        if not self.start_ms or self.start_ms < 0:
            return None
        duration = max(self.duration_ms or 0, 0)
        return Times(self.start_ms, duration, self.status, self.description, self.error.message, self.error.type)


class Run(Record):
    """A build. ``end_ms``: milliseconds since the epoch."""

    status: str = ""
    end_ms: Whole = Field(0, alias="endTimeMillis")


class RecentRuns:
    """Asks for the newest builds of a job at once."""

    plugin = PLUGIN
    asks = "wfapi/runs"

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def tell(self, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        """See Source.tell. Tells recent builds alone: the plugin's list ends after the newest ten."""
        recent = {str(one.build.number): one for one in wanted if one.recent}
        if not recent:
            return {}
        oldest = min(one.build.number for one in recent.values())
        steps = any(one.steps for one in recent.values())
        path = f"{job_path(wanted[0].build.job)}wfapi/runs?{'fullStages=true&' if steps else ''}since=%23{oldest}"
        try:
            answer = self._controller.get(path)
        except NotFound as error:
            raise Missing(str(error)) from None
        except FATAL:
            raise
        except ApiError:
            # One odd build, or too much at once: each build is asked for alone.
            return {}
        runs = {str(run.get("id")): run for run in objects(answer)}
        return {one.build: told_of(runs[number]) for number, one in recent.items() if number in runs}


class SingleRuns:
    """Asks for one build after the other."""

    plugin = PLUGIN
    asks = "wfapi/describe"

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def tell(self, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        """See Source.tell. Tells the steps of recent builds alone."""
        return each(wanted, self._told)

    def _told(self, wanted: Wanted) -> Told:
        try:
            run = dict(self._controller.build(wanted.build, "wfapi/describe"))
        except NotFound as error:
            raise Missing(str(error)) from None
        told = told_of(run)
        told.steps = wanted.recent
        for stage_id, _ in told.stages if wanted.steps and wanted.recent else ():
            for times_id, times in _steps(node_answer(self._controller, wanted.build, stage_id)).items():
                told.times.setdefault(times_id, times)
        return told


def told_of(run: Mapping[str, Any]) -> Told:
    """Return what an answer about a build tells: its stages, and their steps where the answer has them."""
    told = Told(PLUGIN, end_ms=record(Run, run).end_ms, ends=False)
    for answer in objects(run.get("stages")):
        stage = record(_Node, answer)
        told.stages.append((stage.id, stage.name))
        told.times[stage.id] = stage.times() or Times(0, 0, stage.status, known=False)
        for step_id, times in _steps(answer).items():
            told.times.setdefault(step_id, times)
    return told


def node_times(controller: Controller, build: Build, node_id: str) -> Times | None:
    """Return when any node of the flow graph ran; None if the plugin does not say or is missing. Raises ApiError."""
    return record(_Node, node_answer(controller, build, node_id)).times()


def node_answer(controller: Controller, build: Build, node_id: str, what: str = "describe") -> Mapping[str, Any]:
    """Return the answer about a node; empty if it is ``null``, as for a ``build`` step, or not there. Raises ApiError."""
    try:
        answer = controller.get(f"{build_path(build)}execution/node/{node_id}/wfapi/{what}")
    except NotFound:
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _steps(stage: Mapping[str, Any]) -> dict[str, Times]:
    found = ((node.id, node.times()) for node in (record(_Node, step) for step in objects(stage.get("stageFlowNodes"))))
    return {node_id: times for node_id, times in found if times}

"""The plugin Blue Ocean: two requests a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from pydantic import Field

from pipeline_trace.place.ci.jenkins.identity import Build

from ..api import Controller
from ..errors import NotFound
from ..records import NodeId, Record, Whole, records
from ..times import ABORTED, FAILED, NOT_EXECUTED, SUCCESS, UNSTABLE, Times
from . import Missing, Told, Wanted, each

PLUGIN = "Blue Ocean"

_RESULTS = {"SUCCESS": SUCCESS, "UNSTABLE": UNSTABLE, "FAILURE": FAILED, "ABORTED": ABORTED}
_MOST = "?limit=10000"


class _Node(Record):
    id: NodeId = ""
    name: str = Field("", alias="displayName")
    description: str = Field("", alias="displayDescription")
    type: str = ""
    state: str = ""
    result: str = ""
    start: str = Field("", alias="startTime")
    duration_ms: Whole | None = Field(None, alias="durationInMillis")

    def times(self) -> Times | None:
        """Return the times; None if they are not told."""
        try:
            start_ms = int(datetime.strptime(self.start, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1000)
        except ValueError:
            return None
        if start_ms <= 0 or self.duration_ms is None:
            return None
        # The end of a branch is told wrong: it is that of the first stage in any branch.
        duration_ms = 0 if self.type == "PARALLEL" else max(self.duration_ms, 0)
        return Times(start_ms, duration_ms, self.status, self.description)

    @property
    def status(self) -> str:
        """Return how it ended, in the words of ``times``. An empty stage is NOT_BUILT, though it was not skipped."""
        return NOT_EXECUTED if self.state == "SKIPPED" else _RESULTS.get(self.result, "")


class BlueOcean:
    """Asks Blue Ocean."""

    plugin = PLUGIN
    asks = "blue/rest"

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def tell(self, wanted: Sequence[Wanted]) -> Mapping[Build, Told]:
        """See Source.tell."""
        return each(wanted, self._told)

    def _told(self, wanted: Wanted) -> Told:
        told = Told(self.plugin, ends=False)
        path = run_path(wanted.build, wanted.branch)
        try:
            stages = records(_Node, self._controller.get(f"{path}nodes/{_MOST}"))
            steps = records(_Node, self._controller.get(f"{path}steps/{_MOST}")) if wanted.steps else []
        except NotFound as error:
            raise Missing(str(error)) from None
        for node in stages:
            told.stages.append((node.id, node.name))
            told.times[node.id] = node.times() or Times(0, 0, node.status, known=False)
        for node in steps:
            times = node.times()
            if times:
                told.times[node.id] = times
        told.end_ms = max((times.end_ms for times in told.times.values() if times.known), default=0)
        return told


def run_path(build: Build, branch: bool) -> str:
    """Return a build's path below the controller's address. ``branch``: the job is one of a multibranch project."""
    *outer, last = build.job.split("/")
    folders = "".join(f"pipelines/{quote(name, safe='')}/" for name in outer)
    own = f"{'branches' if branch else 'pipelines'}/{quote(last, safe='')}/"
    return f"blue/rest/organizations/jenkins/{folders}{own}runs/{build.number}/"

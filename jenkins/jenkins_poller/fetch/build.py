"""One build's facts, fetched: what the controller says of it, with as few requests as the wanted detail allows."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace.place.ci.jenkins.identity import Build

from . import flow, steplog
from .api import Controller, NotFound, build_path
from .nodes import Times, known_times, node_answer, started_builds, times_of

BUILD, STAGE, STEP = "build", "stage", "step"
DETAILS = (BUILD, STAGE, STEP)

_OWN_TREE = (
    "_class,number,url,result,building,timestamp,duration,builtOn,"
    "changeSets[items[author[fullName]]],changeSet[items[author[fullName]]],runs[number,url,result,timestamp,duration,builtOn],"
    + documents.TREE.replace(
        "actions[",
        "actions[waitingDurationMillis,blockedDurationMillis,buildableDurationMillis,queuingDurationMillis,"
        "failCount,skipCount,totalCount,lastBuiltRevision[SHA1,branch[SHA1,name]],remoteUrls,",
        1,
    )
)
# A run may have 300,000 nodes; beyond the limit its stages are told, without what is in them.
MOST_NODES = 5000
_GRAPH_TREE = _OWN_TREE.replace("actions[", f"actions[{documents.GRAPH_TREE}{{0,{MOST_NODES + 1}}},", 1)
_TESTS_TREE = "suites[name,cases[className,name,status]],childReports[result[suites[name,cases[className,name,status]]]]"

_RUNNING_ON = re.compile(r"Running on (?:<a href=['\"][^'\"]*/computer/([^/'\"]+)/|(\S+) in )")
_ANSWERED = re.compile(r"(?:Approved|Aborted|Rejected) by (?:<a [^>]*>([^<]+)</a>|([^<\n]+))")
_STATUSES = {"red": "FAILED", "aborted": "ABORTED", "yellow": "UNSTABLE"}
MOST_TESTS = 50
# A build's own steps are asked for one by one only where no stage lists them; more of them than this are left out.
_MOST_LOOSE_STEPS = 200
# Of a build's failed steps, the logs of the last ones are read: a request each.
_MOST_LOGS = 3
# A console longer than this, in bytes, is not read for its end.
_MOST_CONSOLE = 4 << 20


@dataclass
class Fetched:
    """What the controller said of a finished build, by node id where it is about nodes.

    ``end_ms``: its end by wfapi, milliseconds since the epoch: a busy controller starts a build some time after its
    ``timestamp``, and ``duration`` counts from that start. ``answered_by``: who approved or aborted an input. ``logs``: the
    ends of the logs of failed steps, masked; ``console``: of the whole build, where it failed without such a step.
    ``failed_tests``: suite and case, the first ones. ``left_out``: steps that were not asked for. ``too_large``: the graph
    has more than MOST_NODES nodes.
    """

    build: Build
    document: Mapping[str, Any]
    flow: flow.Flow = field(default_factory=flow.Flow)
    times: dict[str, Times] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    started: dict[str, list[Build]] = field(default_factory=dict)
    answered_by: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    console: str = ""
    failed_tests: list[tuple[str, str]] = field(default_factory=list)
    end_ms: int = 0
    left_out: int = 0
    no_stages: bool = False
    too_large: bool = False


def own_document(controller: Controller, build: Build, detail: str) -> Mapping[str, Any]:
    """Return a build's own document. Raises ApiError, NotFound included."""
    return controller.build(build, "api/json", _OWN_TREE if detail == BUILD else _GRAPH_TREE)


def is_pipeline(document: Mapping[str, Any]) -> bool:
    """Tell whether a build is a Pipeline run."""
    return documents.short_class(document) == "WorkflowRun"


def is_running(document: Mapping[str, Any]) -> bool:
    """Tell whether a build has not ended."""
    return bool(document.get("building")) or document.get("result") is None


def fetch_build(controller: Controller, build: Build, document: Mapping[str, Any], detail: str) -> Fetched:
    """Fetch the rest of a build that has ended. ``document``: its own. Raises ApiError, NotFound where it is gone."""
    fetched = Fetched(build, document)
    fetched.failed_tests = _failed_tests(controller, fetched)
    if detail == BUILD:
        return fetched
    if is_pipeline(document):
        _fetch_pipeline(controller, fetched, detail)
    # Where a build that it started failed, that one's log tells.
    by_itself = not any(step.starts_build and step.node.color == "red" for step in fetched.flow.walk())
    if detail == STEP and document.get("result") == "FAILURE" and not fetched.logs and by_itself:
        fetched.console = _console(controller, build)
    return fetched


def _fetch_pipeline(controller: Controller, fetched: Fetched, detail: str) -> None:
    document = fetched.document
    nodes = documents.graph_nodes(document)
    fetched.too_large = len(nodes) > MOST_NODES
    if not fetched.too_large:
        fetched.flow = flow.flow_of(graph.nodes_by_id(nodes))
    _Pipeline(controller, fetched, STAGE if fetched.too_large else detail).fetch()


def _console(controller: Controller, build: Build) -> str:
    """Return the end of a build's console, nothing where it has none or one too long to read."""
    try:
        return steplog.log_tail(controller.text(f"{build_path(build)}consoleText", _MOST_CONSOLE))
    except NotFound:
        return ""


def _failed_tests(controller: Controller, fetched: Fetched) -> list[tuple[str, str]]:
    """Return suite and case of the tests that failed, where the build says that some did."""
    actions = documents.actions_of(fetched.document, "TestResultAction", "AggregatedTestResultAction")
    if not any(action.get("failCount") for action in actions):
        return []
    try:
        report = controller.build(fetched.build, "testReport/api/json", _TESTS_TREE)
    except NotFound:
        return []
    reports = [report, *(child.get("result") or {} for child in report.get("childReports") or ())]
    return [
        (str(suite.get("name") or ""), f"{case.get('className') or ''}.{case.get('name') or ''}".strip("."))
        for one in reports
        for suite in one.get("suites") or ()
        for case in suite.get("cases") or ()
        if case.get("status") in ("FAILED", "REGRESSION")
    ][:MOST_TESTS]


class _Pipeline:
    """Fetches what a Pipeline run's graph does not say: times, agents, descriptions."""

    def __init__(self, controller: Controller, fetched: Fetched, detail: str) -> None:
        self._controller = controller
        self._fetched = fetched
        self._steps = detail == STEP
        self._loose = 0
        self._missed = False
        self._described: dict[str, Times | None] = {}

    def fetch(self) -> None:
        try:
            run = self._controller.build(self._fetched.build, "wfapi/describe")
        except NotFound:
            # Gone since it was first asked for: this raises NotFound too.
            self._controller.build(self._fetched.build, "api/json", "number")
            # The Pipeline REST API plugin is missing: of times there is nothing but the run's own.
            self._fetched.no_stages = True
            self._fetched.flow = flow.Flow()
            return
        self._fetched.end_ms = int(run.get("endTimeMillis") or 0)
        stages = run.get("stages") or ()
        for stage in stages:
            self._fetched.times[str(stage["id"])] = times_of(stage)
        if not self._fetched.flow.top:
            # No graph, or one that is too large: wfapi has the stages, one after another.
            self._fetched.flow = flow.flow_without_graph(
                (str(stage["id"]), str(stage.get("name") or "")) for stage in stages
            )
        for element in list(self._fetched.flow.walk()):
            self._look_at(element)
        if self._steps:
            self._failed_logs()
        if self._missed:
            # A node that is not there: is it the node alone, or the build? Half a build is not to be told.
            self._controller.build(self._fetched.build, "api/json", "number")

    def _failed_logs(self) -> None:
        """The logs of the last failed steps: of a build that was tried again, the last try decided."""
        failed = [element for element in self._fetched.flow.walk() if self._failed(element)]
        for step in sorted(failed, key=lambda element: int(element.id))[-_MOST_LOGS:]:
            answer = self._node(step.id, "log") or {}
            text = str(answer.get("text") or "")
            # Where its beginning was cut off, the first line is a piece of one.
            text = steplog.node_log_text(text.partition("\n")[2] if answer.get("hasMore") else text)
            if text:
                self._fetched.logs[step.id] = text

    def _failed(self, element: flow.Element) -> bool:
        """Tell whether a step failed by itself: a ``build`` step's log is in what it started."""
        if element.kind != flow.STEP or element.starts_build or element.is_input:
            return False
        return element.node.color == "red"

    def _look_at(self, element: flow.Element) -> None:
        if element.kind == flow.AGENT:
            self._agent(element)
        elif element.kind == flow.BRANCH:
            self._block(element)
        elif element.kind == flow.STAGE:
            self._block(element)
            if self._steps and any(child.kind == flow.STEP for child in element.children):
                self._stage_steps(element)
        elif self._steps:
            self._step(element)

    def _block(self, element: flow.Element) -> None:
        """A block's true end is the start of the node that closes it; wfapi is right of plain stages only."""
        times = self._fetched.times.get(element.id)
        if times and not element.has_blocks:
            return
        times = times or self._describe(element.id)
        end = self._describe(element.end_id) if element.end_id else None
        if times and end:
            times = replace(times, duration_ms=max(end.start_ms - times.start_ms, 0))
        if times:
            self._fetched.times[element.id] = times

    def _stage_steps(self, stage: flow.Element) -> None:
        answer = self._node(stage.id, "describe")
        for step in (answer or {}).get("stageFlowNodes") or ():
            self._fetched.times.setdefault(str(step["id"]), times_of(step))

    def _step(self, step: flow.Element) -> None:
        if step.id not in self._fetched.times:
            if self._loose == _MOST_LOOSE_STEPS:
                self._fetched.left_out += 1
                return
            self._loose += 1
            times = self._between(step) if step.starts_build else self._describe(step.id)
            if times:
                self._fetched.times[step.id] = times
        if step.is_input:
            match = _ANSWERED.search(self._log(step.id))
            if match:
                self._fetched.answered_by[step.id] = html.unescape(match[1] or match[2])
        if step.starts_build:
            text = self._log(step.id)
            self._fetched.started[step.id] = started_builds(self._fetched.build.controller, text)

    def _between(self, step: flow.Element) -> Times | None:
        """Return when a ``build`` step ran, of which wfapi says nothing: between its neighbours in the graph."""
        before = self._describe(step.node.before) if step.node.before else None
        after_id = self._fetched.flow.after.get(step.id)
        after = self._describe(after_id) if after_id else None
        if not (before and after):
            return None
        status = _STATUSES.get(step.node.color, "SUCCESS")
        return Times(before.end_ms, max(after.start_ms - before.end_ms, 0), status, error_type=after.error_type)

    def _agent(self, element: flow.Element) -> None:
        times = self._describe(element.id)
        if times:
            self._fetched.times[element.id] = times
        if not self._steps:
            # Its name costs a request more.
            return
        match = _RUNNING_ON.search(self._log(element.id))
        if match:
            name = unquote(match[1] or match[2])
            # The controller's own node is called "(built-in)" in URLs and "built-in" in builds.
            self._fetched.agents[element.id] = name.strip("()")

    def _describe(self, node_id: str) -> Times | None:
        """Return what wfapi says of a node by itself."""
        if node_id not in self._described:
            self._described[node_id] = known_times(self._node(node_id, "describe"))
        return self._described[node_id]

    def _log(self, node_id: str) -> str:
        return str((self._node(node_id, "log") or {}).get("text") or "")

    def _node(self, node_id: str, what: str) -> Mapping[str, Any] | None:
        try:
            return node_answer(self._controller, self._fetched.build, node_id, what)
        except NotFound:
            self._missed = True
            return None

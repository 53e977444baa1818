"""Fetches what a controller says about one build, with as few requests as the wanted detail allows.

wfapi is the API of the plugin Pipeline: REST API. It has the times and logs of stages and steps. Their nesting comes from
the flow graph, in Jenkins' own API.
"""

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
# A build may have 300,000 graph nodes. Above this limit, only its stages are fetched.
MOST_NODES = 5000
_GRAPH_TREE = _OWN_TREE.replace("actions[", f"actions[{documents.GRAPH_TREE}{{0,{MOST_NODES + 1}}},", 1)
_TESTS_TREE = "suites[name,cases[className,name,status]],childReports[result[suites[name,cases[className,name,status]]]]"

_RUNNING_ON = re.compile(r"Running on (?:<a href=['\"][^'\"]*/computer/([^/'\"]+)/|(\S+) in )")
_ANSWERED = re.compile(r"(?:Approved|Aborted|Rejected) by (?:<a [^>]*>([^<]+)</a>|([^<\n]+))")
_STATUSES = {"red": "FAILED", "aborted": "ABORTED", "yellow": "UNSTABLE"}
MOST_TESTS = 50
# Steps outside of stages cost one request each. The steps above this limit are left out.
_MOST_LOOSE_STEPS = 200
# The logs of a build's last failed steps are fetched, one request each.
_MOST_LOGS = 3
# The end of a console log is read only if the log is not longer than this, in bytes.
_MOST_CONSOLE = 4 << 20


@dataclass
class Fetched:
    """What the controller says about a build that has ended. Dictionaries have node ids as keys.

    ``end_ms``: the end by wfapi, milliseconds since the epoch. (``timestamp`` plus ``duration`` is too early on a busy
    controller: it starts a build some time after ``timestamp``, and ``duration`` counts from that start.)
    ``answered_by``: who approved or aborted an input step. ``logs``: the ends of the logs of failed steps, masked.
    ``console``: the end of the build's log, masked, if the build failed without a failed step. ``failed_tests``: suite and
    case, at most MOST_TESTS. ``left_out``: how many steps were not fetched. ``no_stages``: the controller has no wfapi.
    ``too_large``: the graph has more than MOST_NODES nodes.
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
    """Return a build's JSON document, with its flow graph unless ``detail`` is BUILD. Raises ApiError, NotFound included."""
    return controller.build(build, "api/json", _OWN_TREE if detail == BUILD else _GRAPH_TREE)


def is_pipeline(document: Mapping[str, Any]) -> bool:
    """Return whether a build is a Pipeline build."""
    return documents.short_class(document) == "WorkflowRun"


def is_running(document: Mapping[str, Any]) -> bool:
    """Return whether a build has not ended."""
    return bool(document.get("building")) or document.get("result") is None


def fetch_build(controller: Controller, build: Build, document: Mapping[str, Any], detail: str) -> Fetched:
    """Fetch the rest of a build that has ended. Raises ApiError, and NotFound if the build was deleted.

    ``document``: the build's JSON document.
    """
    fetched = Fetched(build, document)
    fetched.failed_tests = _failed_tests(controller, fetched)
    if detail == BUILD:
        return fetched
    if is_pipeline(document):
        _fetch_pipeline(controller, fetched, detail)
    # If a build that it started failed, the reason is in the log of that build.
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
    """Return the end of a build's console log; "" if there is none or it is too long."""
    try:
        return steplog.log_tail(controller.text(f"{build_path(build)}consoleText", _MOST_CONSOLE))
    except NotFound:
        return ""


def _failed_tests(controller: Controller, fetched: Fetched) -> list[tuple[str, str]]:
    """Return suite and case of the failed tests, at most MOST_TESTS. Asks only if the build reports failed tests."""
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
    """Fetches what the graph of a Pipeline build does not have: times, agents, descriptions, logs."""

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
            # If the build was deleted meanwhile, this raises NotFound too.
            self._controller.build(self._fetched.build, "api/json", "number")
            # The build exists, so the plugin Pipeline: REST API is missing. Only the times of the whole build are known.
            self._fetched.no_stages = True
            self._fetched.flow = flow.Flow()
            return
        self._fetched.end_ms = int(run.get("endTimeMillis") or 0)
        stages = run.get("stages") or ()
        for stage in stages:
            self._fetched.times[str(stage["id"])] = times_of(stage)
        if not self._fetched.flow.top:
            # There is no graph, or it is too large. wfapi has the stages as a list.
            self._fetched.flow = flow.flow_without_graph(
                (str(stage["id"]), str(stage.get("name") or "")) for stage in stages
            )
        for element in list(self._fetched.flow.walk()):
            self._look_at(element)
        if self._steps:
            self._failed_logs()
        if self._missed:
            # A node was not found. If the build was deleted meanwhile, this raises NotFound: do not report half a build.
            self._controller.build(self._fetched.build, "api/json", "number")

    def _failed_logs(self) -> None:
        """Fetch the logs of the last failed steps: after a retry, the last attempt decides."""
        failed = [element for element in self._fetched.flow.walk() if self._failed(element)]
        for step in sorted(failed, key=lambda element: int(element.id))[-_MOST_LOGS:]:
            answer = self._node(step.id, "log") or {}
            text = str(answer.get("text") or "")
            # If the beginning was cut off, the first line is incomplete.
            text = steplog.node_log_text(text.partition("\n")[2] if answer.get("hasMore") else text)
            if text:
                self._fetched.logs[step.id] = text

    def _failed(self, element: flow.Element) -> bool:
        """Return whether a step itself failed. The reason of a failed ``build`` step is in the build that it started."""
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
        """Set a block's end to the start of the node that closes it: wfapi is right only for stages without blocks."""
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
        """Return the times of a ``build`` step, which wfapi does not have: between its neighbours in the graph."""
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
            # The agent's name costs another request.
            return
        match = _RUNNING_ON.search(self._log(element.id))
        if match:
            name = unquote(match[1] or match[2])
            # The controller's built-in node is "(built-in)" in URLs and "built-in" in builds.
            self._fetched.agents[element.id] = name.strip("()")

    def _describe(self, node_id: str) -> Times | None:
        """Return wfapi's times of a node; None if it has none. Asks once."""
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

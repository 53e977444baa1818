"""Fetches what a controller says about builds that have ended, with as few requests as the wanted detail allows.

Names, ids and nesting come from the flow graph, which is in a build's document. A source adds the times. What no source
tells is asked for, one request each: an agent's name, who answered an input, which build a step started, why a step failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace.place.ci.jenkins.identity import Build

from . import agents, flow, steplog
from .api import Controller, build_path
from .bounds import Bounds, told_times
from .checkouts import Checkouts, checkouts_of
from .document import BUILD, MOST_NODES, STEP, is_pipeline
from .errors import FATAL, ApiError, Malformed, NotFound
from .nodelog import MOST_LOG, NodeLogs, build_of_path, is_build_path
from .records import objects
from .sources import Told, Wanted, stage_view
from .sources.choice import Sources
from .times import NOT_EXECUTED, Times

# A node's id; and the path of a build that a step started.
_NODE = re.compile(r"[0-9]{1,18}")
_TESTS = "suites[name,cases[className,name,status]]"
_TESTS_TREE = f"{_TESTS},childReports[result[{_TESTS}]]"
MOST_TESTS = 50
# The logs of a build's last failed steps are fetched, one request each.
_MOST_LOGS = 3
# Bytes of a log's beginning: it says where the Jenkinsfile and the libraries came from.
_LOG_BEGINNING = 128 << 10
# What a source tells may lie so far outside of the build's own times, milliseconds.
_SLACK_MS = 600_000
# Stage View tells the newest builds of a job in one request.
_RECENT = 10


@dataclass
class Fetched:
    """What the controller says about a build that has ended. Dictionaries have node ids as keys.

    ``end_ms``: the end by a source, milliseconds since the epoch. (``timestamp`` plus ``duration`` is too early on a busy
    controller: it starts a build some time after ``timestamp``, and ``duration`` counts from that start.)
    ``answered_by``: who approved or aborted an input step. ``logs``: the ends of the logs of failed steps, masked.
    ``errors``: their exceptions' messages, where a log has them. ``console``: the end of the build's log, masked, if it
    failed without a failed step. ``failed_tests``: suite and case, at most MOST_TESTS. ``plugin``: the source; "" if no
    plugin tells times. ``too_large``: the graph has more than MOST_NODES nodes. ``held_ms``: how long each ``node`` step had
    an agent, milliseconds; None where it is not known. ``labels``: see Reader.labels.
    """

    build: Build
    document: Mapping[str, Any]
    flow: flow.Flow = field(default_factory=flow.Flow)
    times: dict[str, Times] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    held_ms: dict[str, int | None] = field(default_factory=dict)
    started: dict[str, list[Build]] = field(default_factory=dict)
    answered_by: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    console: str = ""
    failed_tests: list[tuple[str, str]] = field(default_factory=list)
    checkouts: Checkouts = field(default_factory=Checkouts)
    end_ms: int = 0
    plugin: str = ""
    too_large: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def no_times(self) -> bool:
        """Return whether it is a Pipeline build whose stages have no times, because no plugin tells them."""
        return bool(self.flow.top) and not self.plugin


class Reader:
    """Fetches builds of one controller at one detail: build, stage or step."""

    def __init__(
        self,
        controller: Controller,
        detail: str,
        sources: Sources | None = None,
        present: Callable[[Build], Build] = lambda build: build,
    ) -> None:
        """``present``: returns a build that an answer names, in its job's present generation."""
        self.present = present
        self.controller = controller
        self.detail = detail
        self.sources = sources or Sources(controller)
        self.logs = NodeLogs(controller, self.sources)
        # Of agents by their name, the only label that they have besides it; see computers.Computers.
        self.labels: Mapping[str, str] = {}

    def fetch(
        self, read: Mapping[Build, Mapping[str, Any]], newest: int = 0, last_try: Collection[Build] = ()
    ) -> dict[Build, Fetched | ApiError]:
        """Return what is known of builds of one job, or the error. Raises ApiError if the sources do not answer.

        ``read``: their documents. ``newest``: the job's highest build number. ``last_try``: builds that are told without
        times if the sources cannot tell them.
        """
        wanted = [
            Wanted(build, document, newest - build.number < _RECENT, _is_branch(document), self.detail == STEP)
            for build, document in read.items()
            if self.detail != BUILD and is_pipeline(document)
        ]
        told = self._told(wanted)
        found: dict[Build, Fetched | ApiError] = {}
        for build, document in read.items():
            known = told.get(build)
            if isinstance(known, ApiError) and build in last_try:
                known = None
            try:
                found[build] = known if isinstance(known, ApiError) else self._one(build, document, known)
            except Exception as error:
                found[build] = _told_error(error)
        return found

    def _told(self, wanted: Sequence[Wanted]) -> dict[Build, Told | ApiError]:
        """Return what the sources tell. If they fail for several builds at once, asks for each build alone."""
        try:
            return dict(self.sources.tell(wanted))
        except FATAL:
            raise
        except Exception as error:
            if len(wanted) == 1:
                return {wanted[0].build: _told_error(error)}
        return {build: told for one in wanted for build, told in self._told([one]).items()}

    def _one(self, build: Build, document: Mapping[str, Any], told: Told | None) -> Fetched:
        fetched = Fetched(build, document, labels=self.labels)
        fetched.failed_tests = _failed_tests(self.controller, fetched)
        fetched.checkouts = _checkouts(self.controller, build, document)
        if self.detail == BUILD:
            return fetched
        if is_pipeline(document):
            self._pipeline(fetched, told)
        # If a build that it started failed, the reason is in the log of that build.
        by_itself = not any(step.starts_build and step.node.color == "red" for step in fetched.flow.walk())
        explained = bool(fetched.logs) and _explains(fetched.flow)
        if self.detail == STEP and document.get("result") == "FAILURE" and not explained and by_itself:
            fetched.console = _console(self.controller, build)
        return fetched

    def _pipeline(self, fetched: Fetched, told: Told | None) -> None:
        nodes = documents.graph_nodes(fetched.document)
        fetched.too_large = len(nodes) > MOST_NODES
        if not fetched.too_large:
            fetched.flow = flow.flow_of(graph.nodes_by_id(nodes))
        if not fetched.flow.top and told:
            fetched.flow = flow.flow_without_graph(stage for stage in told.stages if _NODE.fullmatch(stage[0]))
        fetched.plugin = told.plugin if told else ""
        steps = self.detail == STEP and not fetched.too_large
        elements = list(fetched.flow.walk())
        self._times(fetched, told, steps)
        if not steps:
            return
        fetched.agents = agents.names(fetched.flow, told.agents if told else {}, lambda node: self._agent(fetched, node))
        for element in elements:
            if element.is_input:
                answered = self.logs.answered_by(fetched.build, element.id)
                fetched.answered_by.update({element.id: answered} if answered else {})
            elif element.starts_build:
                fetched.started[element.id] = [self.present(one) for one in self._started(fetched.build, element, told)]
        self._failed_logs(fetched)

    def _times(self, fetched: Fetched, told: Told | None, steps: bool) -> None:
        """Set the times of all elements, or of all but the steps and agents."""
        document = fetched.document
        start_ms = int(document.get("timestamp") or 0)
        if told is None:
            fetched.times = {}
        else:
            fetched.times = told_times(fetched.flow, _possible(told.times, document))
            fetched.end_ms = told.end_ms if _in_build(told.end_ms, document) else 0
        for stage in fetched.flow.stages():
            word = fetched.times.get(stage.id)
            # No source tells it: an empty stage of Declarative Pipeline was skipped, because there it has a step.
            told_so = word.status if word else ""
            stage.skipped |= told_so == NOT_EXECUTED if told_so else stage.empty and _is_declarative(document)
        end_ms = max(start_ms + int(document.get("duration") or 0), fetched.end_ms)
        ask = self._ask(fetched, told)
        bounds = Bounds(fetched.flow, fetched.times, start_ms, end_ms, ask)
        bounds.complete(ends=told.ends if told else True)
        if steps:
            fetched.held_ms = {one.id: bounds.held_ms(one) for one in fetched.flow.walk() if one.kind == flow.AGENT}
        else:
            kept = {element.id for element in fetched.flow.walk() if element.kind in (flow.STAGE, flow.BRANCH)}
            fetched.times = {node: times for node, times in fetched.times.items() if node in kept}

    def _ask(self, fetched: Fetched, told: Told | None) -> Callable[[str], Times | None] | None:
        """Return how to ask for the times of a node; None if nobody tells them.

        Where the source left out the steps, only these are worth a request each: the last that failed, waits for a person's
        answer, and ends of stages.
        """
        if told is None or told.plugin != stage_view.PLUGIN:
            return None
        worth = {step.id for step in _last_failed(fetched.flow)} | {stage.end_id for stage in fetched.flow.stages()}
        worth |= {element.id for element in fetched.flow.walk() if element.is_input}

        def ask(node_id: str) -> Times | None:
            if not told.steps and node_id not in worth:
                return None
            return stage_view.node_times(self.controller, fetched.build, node_id)

        return ask

    def _agent(self, fetched: Fetched, node_id: str) -> str:
        return self.logs.agent(fetched.build, node_id)

    def _started(self, build: Build, step: flow.Element, told: Told | None) -> list[Build]:
        paths = told.started.get(step.id) if told else None
        if paths is None:
            return self.logs.started(build, step.id).on(build.controller)
        return [build_of_path(build.controller, path) for path in paths if is_build_path(path)]

    def _failed_logs(self, fetched: Fetched) -> None:
        """Fetch the logs of the last failed steps."""
        for step in _last_failed(fetched.flow):
            log = self.logs.failed(fetched.build, step.id)
            if log.text:
                fetched.logs[step.id] = log.text
            if log.error:
                fetched.errors[step.id] = log.error


def _told_error(error: Exception) -> ApiError:
    """Return what one build is told with. An error of ours in one build must not stop the others."""
    if isinstance(error, ApiError):
        return error
    return Malformed(f"it cannot be read ({type(error).__name__}: {error}); please report this error")


def _in_build(moment_ms: int, document: Mapping[str, Any]) -> bool:
    """Return whether a moment lies in the build, or not far from it: a busy controller notes its begin and end late."""
    start_ms = int(document.get("timestamp") or 0)
    end_ms = start_ms + max(int(document.get("duration") or 0), 0)
    return start_ms - _SLACK_MS <= moment_ms <= end_ms + _SLACK_MS


def _possible(told: Mapping[str, Times], document: Mapping[str, Any]) -> dict[str, Times]:
    """Return the times that a source tells. Those that do not lie in the build are unknown."""
    return {
        node: times
        if not times.known or (_in_build(times.start_ms, document) and _in_build(times.end_ms, document))
        else replace(times, known=False)
        for node, times in told.items()
    }


def _failed(element: flow.Element) -> bool:
    """Return whether a step itself failed. The reason of a failed ``build`` step is in the build that it started."""
    if element.kind != flow.STEP or element.starts_build or element.is_input:
        return False
    return element.node.color == "red"


def _last_failed(found: flow.Flow) -> list[flow.Element]:
    """Return the last failed steps, at most _MOST_LOGS: after a retry, the last attempt decides."""
    failed = [element for element in found.walk() if _failed(element)]
    return sorted(failed, key=lambda element: int(element.id))[-_MOST_LOGS:]


def _is_declarative(document: Mapping[str, Any]) -> bool:
    return any(action.get("restartEnabled") for action in documents.actions_of(document, "RestartDeclarativePipelineAction"))


def _explains(found: flow.Flow) -> bool:
    """Return whether a step or stage at the top level failed. If not, the Pipeline caught the errors and failed later."""
    shown = [element for element in found.top if element.kind != flow.AGENT]
    return any((element.node.color if element.kind == flow.STEP else element.end_color) == "red" for element in shown)


def _is_branch(document: Mapping[str, Any]) -> bool:
    return any(documents.actions_of(document, "SCMRevisionAction"))


def _console(controller: Controller, build: Build) -> str:
    """Return the end of a build's console log; "" if there is none or it is too long."""
    try:
        return steplog.log_tail(controller.text(f"{build_path(build)}consoleText", MOST_LOG))
    except NotFound:
        return ""


def _checkouts(controller: Controller, build: Build, document: Mapping[str, Any]) -> Checkouts:
    """Return what a build checked out. Asks for the beginning of its log only if the document leaves it unclear."""
    found = checkouts_of(build, document)
    if not found.unclear or not is_pipeline(document):
        return found
    try:
        return checkouts_of(build, document, controller.beginning(f"{build_path(build)}consoleText", _LOG_BEGINNING))
    except NotFound:
        return found


def _failed_tests(controller: Controller, fetched: Fetched) -> list[tuple[str, str]]:
    """Return suite and case of the failed tests, at most MOST_TESTS. Asks only if the build reports failed tests."""
    actions = documents.actions_of(fetched.document, *documents.TEST_ACTIONS)
    if not any(action.get("failCount") for action in actions):
        return []
    try:
        report = controller.build(fetched.build, "testReport/api/json", _TESTS_TREE)
    except NotFound:
        return []
    reports = [report, *(child.get("result") for child in objects(report.get("childReports")))]
    return [
        (str(suite.get("name") or ""), f"{case.get('className') or ''}.{case.get('name') or ''}".strip("."))
        for one in reports
        for suite in objects(one.get("suites") if isinstance(one, Mapping) else None)
        for case in objects(suite.get("cases"))
        if case.get("status") in ("FAILED", "REGRESSION")
    ][:MOST_TESTS]

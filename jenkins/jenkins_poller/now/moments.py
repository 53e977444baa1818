"""Asks what a controller's plugins and logs say about the nodes of a build that runs.

Stage View tells of any node when it began. Graph View tells it of stages and steps, all in one answer; until the build's
next node begins, it repeats its first answer, so what is missing in it means nothing. Without both, the logs tell the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import RLock
from typing import TypeVar

from pipeline_trace.place.ci.jenkins.graph import FlowNode
from pipeline_trace.place.ci.jenkins.identity import Build

from ..fetch import flow
from ..fetch.api import Controller, build_path
from ..fetch.errors import ApiError, LoginRefused, NotFound, Unreachable, Untrusted
from ..fetch.nodelog import NodeLogs, StartedLog
from ..fetch.sources import Missing, graph_view, stage_view
from ..fetch.sources.choice import Known, Sources
from ..fetch.times import Times, possible_ms

# Answers about single nodes, of one build. A build may have hundreds of branches.
_MOST_ASKED = 20
# Of these nodes, what follows may begin long after the node before.
LOCK_START = "Lock shared resource : Start"
_WAITING = (flow.AGENT_START, LOCK_START)
_PARALLEL_END = "Execute in parallel : End"
_WAYS = {
    stage_view.PLUGIN: (stage_view.RecentRuns.asks, stage_view.SingleRuns.asks),
    graph_view.PLUGIN: (graph_view.GraphView.asks,),
}

Told = TypeVar("Told")


class Plugins:
    """Asks the plugins of one controller, and remembers which of them answer. Thread-safe."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.graph_view = graph_view.GraphView(controller)
        self._lock = RLock()
        self._has: dict[str, bool] = {}

    def node(self, build: Build, node_id: str) -> Times | None:
        """Return what Stage View says of a node; None if it does not say. Raises ApiError."""
        if not self._may_have(stage_view.PLUGIN):
            return None
        try:
            answer = self.controller.get(f"{build_path(build)}execution/node/{node_id}/wfapi/describe")
        except NotFound:
            # Perhaps the plugin does not know the node.
            self.look_for_stage_view(build)
            return None
        self._has[stage_view.PLUGIN] = True
        # Of a `build` step the answer is null.
        told = stage_view.told_of({"stages": [answer]}).times.get(node_id) if isinstance(answer, Mapping) else None
        return told if told and told.known else None

    def look_for_stage_view(self, build: Build) -> None:
        """Ask Stage View about a build as a whole, unless it is known whether the plugin is there. Raises ApiError."""
        with self._lock:
            if stage_view.PLUGIN not in self._has:
                self._check(stage_view.PLUGIN, build, lambda: self.controller.build(build, "wfapi/describe"))

    @property
    def has_stage_view(self) -> bool:
        """Return whether Stage View has answered. It says all that Graph View says, and is never out of date."""
        return self._has.get(stage_view.PLUGIN, False)

    def questions(self, build: Build) -> list[str]:
        """Return the questions to people, by Stage View; none if it does not say. Raises ApiError."""
        if not self.has_stage_view:
            return []
        try:
            answer = self.controller.get(f"{build_path(build)}wfapi/pendingInputActions")
        except NotFound:
            return []
        asked = [one.get("message") for one in answer if isinstance(one, Mapping)] if isinstance(answer, list) else []
        return [one for one in asked if isinstance(one, str)]

    def viewed(self, build: Build, ask: Callable[[graph_view.GraphView], Sequence[Told]]) -> Sequence[Told]:
        """Return what Graph View says of a build; nothing if it is missing. Raises ApiError."""
        found = list[Told]()

        def once() -> None:
            try:
                found.extend(ask(self.graph_view))
            except Missing as error:
                raise NotFound(str(error)) from None

        if not self.has_stage_view and self._may_have(graph_view.PLUGIN):
            self._check(graph_view.PLUGIN, build, once)
        return found

    def logs(self) -> NodeLogs:
        """Return the reader of logs, which does not ask what was missing."""
        now_ms = time.time_ns() // 1_000_000
        missing = {way: now_ms for plugin, ways in _WAYS.items() if not self._may_have(plugin) for way in ways}
        present = frozenset(plugin for plugin, has in self._has.items() if has)
        return NodeLogs(self.controller, Sources(self.controller, Known(self.controller.session, present, missing)))

    def _may_have(self, plugin: str) -> bool:
        return self._has.get(plugin, True)

    def _check(self, plugin: str, build: Build, ask: Callable[[], object]) -> None:
        """Ask a plugin for what it has of every build. Raises ApiError; NotFound if the build was deleted meanwhile."""
        try:
            ask()
        except NotFound:
            with self._lock:
                if plugin not in self._has:
                    self.controller.build(build, "api/json", "number")
                    self._has[plugin] = False
        else:
            self._has[plugin] = True


class Moments:
    """What is told of one build that runs. An answer that fails tells nothing.

    Raises ApiError if the controller itself does not answer; NotFound if the build was deleted meanwhile.
    """

    def __init__(self, plugins: Plugins, build: Build, nodes: Mapping[str, FlowNode]) -> None:
        self._plugins = plugins
        self._build = build
        self._nodes = nodes
        self._described: dict[str, Times | None] = {}
        self._left = _MOST_ASKED

    def described(self, node_id: str) -> Times | None:
        """Return what Stage View says of a node."""
        if node_id not in self._described:
            self._described[node_id] = self._asked(lambda: self._plugins.node(self._build, node_id), None)
        return self._described[node_id]

    def step(self, node_id: str) -> graph_view.Step | None:
        """Return what Graph View says of a step."""
        return self._steps.get(node_id)

    def stage(self, node_id: str) -> graph_view.Stage | None:
        """Return what Graph View says of a stage or branch."""
        return self._stages.get(node_id)

    def since(self, node: FlowNode) -> int | None:
        """Return when a node began, milliseconds since the epoch."""
        described = self.described(node.id)
        if described:
            return possible_ms(described.start_ms)
        told = self.stage(node.id) if node.is_start else self.step(node.id)
        told_ms = possible_ms(told.start_ms) if told else None
        return self.before(node) if told_ms is None else told_ms

    def before(self, node: FlowNode) -> int | None:
        """Return when what is before a node was over, milliseconds since the epoch; None if that is not told.

        A block that still runs has no end, so that its begin counts.
        """
        earlier = self._nodes.get(node.before or "")
        while earlier is not None and earlier.name != _PARALLEL_END:
            told = self._passed(earlier)
            if told is not None:
                return told
            if earlier.name in _WAITING or not (earlier.is_start or earlier.is_end):
                return None
            earlier = self._nodes.get(earlier.before or "")
        return None

    def questions(self) -> list[str]:
        """Return all questions to people, by Stage View."""
        return self._quietly(lambda: self._plugins.questions(self._build), [])

    def log(self, node_id: str) -> str:
        """Return the end of a node's log, masked."""
        return self._asked(lambda: self._plugins.logs().text(self._build, node_id), "")

    def started(self, node_id: str) -> StartedLog:
        """Return which builds a ``build`` step started, by its log."""
        return self._asked(lambda: self._plugins.logs().started(self._build, node_id), StartedLog())

    def _passed(self, node: FlowNode) -> int | None:
        """Return when a node was over: a step's end, a block's end or begin."""
        described = self.described(node.id)
        if described:
            return possible_ms(described.start_ms if node.is_start else described.end_ms)
        told: graph_view.Step | graph_view.Stage | None
        told = self.stage(node.closes or node.id) if node.is_start or node.is_end else self.step(node.id)
        begun_ms = possible_ms(told.start_ms) if told else None
        if told is None or begun_ms is None or node.is_start:
            return begun_ms
        return begun_ms + told.duration_ms if told.duration_ms is not None else None

    @cached_property
    def _steps(self) -> Mapping[str, graph_view.Step]:
        none: Sequence[graph_view.Step] = ()
        found = self._quietly(lambda: self._plugins.viewed(self._build, lambda view: view.steps(self._build)), none)
        return {step.id: step for step in found}

    @cached_property
    def _stages(self) -> Mapping[str, graph_view.Stage]:
        none: Sequence[graph_view.Stage] = ()
        found = self._quietly(lambda: self._plugins.viewed(self._build, lambda view: view.stages(self._build)), none)
        return {stage.id: stage for stage in found}

    def _asked(self, ask: Callable[[], Told], otherwise: Told) -> Told:
        if not self._left:
            return otherwise
        self._left -= 1
        return self._quietly(ask, otherwise)

    @staticmethod
    def _quietly(ask: Callable[[], Told], otherwise: Told) -> Told:
        try:
            return ask()
        except (Unreachable, LoginRefused, Untrusted, NotFound):
            raise
        except ApiError:
            return otherwise

"""Makes what the plugin Pipeline Graph View answers about a build, from the build's flow graph. Does no I/O.

``stages/tree`` has the stages and branches, nested, ``stages/allSteps`` the steps. Ids are those of the flow graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline_trace.place.ci.jenkins.graph import FlowNode, nodes_by_id, stages_by_id

_BRANCH = "Branch: "
_DECLARATIVE = "Declarative: "
_PARALLEL = "Execute in parallel : Start"
_END = "End of Pipeline"
_STATES = {"blue": "success", "yellow": "unstable", "red": "failure", "aborted": "aborted"}
# A step shows its name beside its argument, but these two do not.
_UNTITLED = ("Shell Script", "Print Message")
_NOT_RUN = ("skipped", "not_built")


@dataclass(frozen=True)
class Told:
    """What the plugin knows about a build, apart from its graph. The keys of all fields are node ids.

    ``path``: the path of the build, such as ``/job/a/1/``. ``started_ms`` and ``begins``: when the run and each node
    began, milliseconds since the epoch; 0 for a node without a time. ``agents``: the agent that an ``Allocate node :
    Start`` node got. ``blockages``: why such a node has none yet. ``arguments``: of steps without a label. ``builds``: the
    build that a step started, as the plugin says it. ``inputs``: what a step that waits for a person asks. ``pauses``: how
    long a step has waited for a person, milliseconds. ``skipped`` and ``left_out``: stages that did not run, because of
    a condition or a failure before, or because the build was restarted from a later one.
    """

    path: str
    started_ms: int
    begins: Mapping[str, int]
    complete: bool = True
    agents: Mapping[str, str] = field(default_factory=dict)
    blockages: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    builds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pauses: Mapping[str, int] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()


def started(path: str, display_name: str) -> dict[str, str]:
    """Return what the plugin says about a build that a step started. ``path``: of the build, such as ``/job/a/1/``."""
    url = path.lstrip("/")
    return {"classicUrl": url, "pipelineViewUrl": f"{url}stages", "displayName": display_name}


def tree(graph: Sequence[Mapping[str, Any]], told: Told) -> dict[str, Any]:
    """Return the data of ``stages/tree``. ``graph``: the nodes of FlowGraphAction."""
    view = _View(graph, told)
    return {"stages": [view.stage(entry) for entry in view.shown() if entry.parent is None], "complete": told.complete}


def all_steps(graph: Sequence[Mapping[str, Any]], told: Told) -> dict[str, Any]:
    """Return the data of ``stages/allSteps``. ``graph``: the nodes of FlowGraphAction."""
    return {"steps": _View(graph, told).steps(), "runIsComplete": told.complete}


@dataclass
class _Entry:
    """A stage, a branch or a parallel block. ``into``: the entry around it that shows it, if it does not show itself."""

    node: FlowNode
    type: str
    name: str
    parent: _Entry | None = None
    into: _Entry | None = None
    children: list[_Entry] = field(default_factory=list)

    def shown_by(self) -> _Entry:
        return self.into.shown_by() if self.into else self


class _View:
    """The entries of one build and their states."""

    def __init__(self, graph: Sequence[Mapping[str, Any]], told: Told) -> None:
        self._told = told
        self._nodes = nodes_by_id(graph)
        self._followed = {node.before for node in self._nodes.values()}
        self._finish = next((node.id for node in self._nodes.values() if node.name == _END), None)
        self._entries = self._found()

    def shown(self) -> Iterator[_Entry]:
        """Yield the entries that the tree shows, outer before inner."""
        for entry in self._entries.values():
            if entry.into is None and (entry.parent is None or self._state(entry.parent) not in _NOT_RUN):
                yield entry

    def stage(self, entry: _Entry) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": entry.node.id,
            "name": entry.name,
            "children": [self.stage(child) for child in self.shown() if child.parent is entry],
            "state": self._state(entry),
            "type": entry.type,
            "title": entry.name,
            "isSequential": False,
            "synthetic": entry.type == "PIPELINE_START" or entry.node.name.startswith(_DECLARATIVE),
            "placeholder": entry.type == "PIPELINE_START",
            "pauseDurationMillis": 0,
            **self._times(entry.node, self._end(entry)),
            "agent": self._agent(entry),
            "url": f"{self._told.path}stages/?selected-node={entry.node.id}",
            "causeOfBlockage": next((self._told.blockages[id_] for id_ in self._inside(entry, self._told.blockages)), None),
        }
        if entry.type == "PIPELINE_START":
            found["startTimeMillis"] = self._told.started_ms
            if "totalDurationMillis" in found:
                found["totalDurationMillis"] = self._told.begins[str(self._finish)] - self._told.started_ms
        return _without_nothing(found)

    def steps(self) -> list[dict[str, Any]]:
        """Return the steps by the ids of their stages. Steps outside are lost, unless there is no stage at all."""
        found = [self._step(node) for node in self._nodes.values() if self._is_step(node)]
        found.append(self._exception())
        return sorted((step for step in found if step), key=lambda step: (int(step["stageId"]), int(step["id"])))

    def _found(self) -> dict[str, _Entry]:
        stages = stages_by_id(self._nodes)
        entries: dict[str, _Entry] = {}
        for node in self._nodes.values():
            if node.id in stages:
                entries[node.id] = _Entry(node, "STAGE", node.name.removeprefix(_DECLARATIVE))
            elif node.is_start and node.name.startswith(_BRANCH):
                entries[node.id] = _Entry(node, "PARALLEL", node.name.removeprefix(_BRANCH))
            elif node.is_start and node.name == _PARALLEL:
                entries[node.id] = _Entry(node, "PARALLEL_BLOCK", "Parallel")
        for entry in entries.values():
            entry.parent = next((entries[block.id] for block in self._around(entry.node) if block.id in entries), None)
            if entry.parent and _merges(entry, entry.parent):
                entry.into = entry.parent
        for entry in entries.values():
            entry.parent = entry.parent.shown_by() if entry.parent else None
        if not entries and self._nodes:
            first = next(iter(self._nodes.values()))
            entries[first.id] = _Entry(first, "PIPELINE_START", "System Generated")
        return entries

    def _around(self, node: FlowNode) -> Iterator[FlowNode]:
        block = node.block
        while block is not None:
            yield self._nodes[block]
            block = self._nodes[block].block

    def _is_inside(self, node: FlowNode, entry: _Entry) -> bool:
        return entry.type == "PIPELINE_START" or any(block is entry.node for block in self._around(node))

    def _inside(self, entry: _Entry, ids: Mapping[str, object]) -> list[str]:
        return [id_ for id_ in ids if id_ in self._nodes and self._is_inside(self._nodes[id_], entry)]

    def _end(self, entry: _Entry) -> str | None:
        return self._finish if entry.type == "PIPELINE_START" else entry.node.closed_by

    def _state(self, entry: _Entry) -> str:
        ids = [entry.node.id, *(other.node.id for other in self._entries.values() if other.into is entry)]
        if self._told.skipped.intersection(ids):
            return "skipped"
        if self._told.left_out.intersection(ids):
            return "not_built"
        end = self._end(entry)
        if end is None:
            if self._inside(entry, self._told.blockages):
                return "queued"
            return "paused" if self._inside(entry, self._told.inputs) else "running"
        state = _state_of(self._nodes[end])
        return state if state != "success" else self._warning(entry)

    def _warning(self, entry: _Entry) -> str:
        """Return the state of an entry without an error: a step in it may have set another one, as junit does."""
        colors = {
            _color(node)
            for node in self._nodes.values()
            # A step is red because of an error that was caught, a block because catchError said so.
            if (node.is_start or _color(node) == "yellow") and not node.is_end and self._is_inside(node, entry)
        }
        return next((_STATES[color] for color in ("red", "yellow") if color in colors), "success")

    def _times(self, node: FlowNode, end: str | None) -> dict[str, int]:
        start = self._told.begins[node.id]
        times = {"startTimeMillis": start}
        if end is not None:
            times["totalDurationMillis"] = self._told.begins[end] - start
        return times

    def _agent(self, entry: _Entry) -> str | None:
        """Return the agent, which the plugin finds only in some places: see its ``getStageNode``."""
        for id_ in sorted(self._told.agents, key=int, reverse=True):
            allocate = self._nodes.get(id_)
            if allocate is None:
                continue
            around = [block.id for block in self._around(allocate)] + [next(iter(self._nodes))]
            found = around[0] == entry.node.id or any(block is allocate for block in self._around(entry.node))
            if entry.type == "PARALLEL" and len(around) > 2:
                found = around[2] == entry.node.id
            if found:
                return self._told.agents[id_]
        return None

    def _is_step(self, node: FlowNode) -> bool:
        return not (node.is_start or node.is_end or node.name == _END or node.before is None)

    def _next(self, node: FlowNode) -> str | None:
        """Return the node at whose begin a step ends, as the plugin sees it: see its ``NodeRelationshipFinder``.

        The last step of a branch ends with the first branch that ends after the step began, be it another one.
        """
        later = [other for other in self._nodes.values() if int(other.id) > int(node.id)]
        beside = next((other.id for other in later if other.block == node.block), None)
        if beside is not None or node.block is None:
            return beside
        outer = self._nodes[node.block].block
        return next((other.id for other in later if other.block == outer), None)

    def _stage_of(self, node: FlowNode) -> str | None:
        inner = next((self._entries[block.id] for block in self._around(node) if block.id in self._entries), None)
        if inner is not None:
            return inner.shown_by().node.id
        return next((entry.node.id for entry in self._entries.values() if entry.type == "PIPELINE_START"), None)

    def _step(self, node: FlowNode) -> dict[str, Any] | None:
        stage = self._stage_of(node)
        if stage is None:
            return None
        argument = self._told.arguments.get(node.id, "")
        running = node.id not in self._followed and not self._told.complete
        return _step_answer(
            {
                "id": node.id,
                "name": argument or node.name,
                "state": ("paused" if node.id in self._told.inputs else "running") if running else _state_of(node),
                "type": "STEP",
                "title": node.name if argument and node.name not in _UNTITLED else "",
                "pauseDurationMillis": self._told.pauses.get(node.id, 0),
                **self._times(node, None if running else self._next(node)),
                "stageId": stage,
                "inputStep": self._told.inputs.get(node.id) if running else None,
                "buildStep": self._told.builds.get(node.id),
            }
        )

    def _exception(self) -> dict[str, Any] | None:
        """Return the step that stands for an exception of the script itself: the end of the block that threw it."""
        if self._finish is None or _color(self._nodes[self._finish]) != "red":
            return None
        uncaught = [node for node in self._nodes.values() if _color(node) == "red" and self._ends_all(node)]
        if not uncaught or not uncaught[0].closes:
            return None
        end, start = uncaught[0], self._nodes[uncaught[0].closes]
        stage = start.id if start.id in self._entries else self._stage_of(start)
        if stage is None:
            return None
        own = {"id": end.id, "name": "Pipeline error", "state": "failure", "type": "UNHANDLED_EXCEPTION", "title": ""}
        stage = self._entries[stage].shown_by().node.id
        return _step_answer({**own, "pauseDurationMillis": 0, **self._times(start, end.id), "stageId": stage})

    def _ends_all(self, node: FlowNode) -> bool:
        """Return whether the error of a step or block ended all blocks around it, and so the build."""
        ends = [self._nodes[block.closed_by] for block in self._around(node) if block.closed_by]
        return not node.is_start and all(_color(end) == "red" for end in ends)


def _merges(entry: _Entry, parent: _Entry) -> bool:
    """Return whether an entry is shown as the one around it."""
    if entry.type == "PARALLEL_BLOCK":
        return parent.type == "STAGE"
    return entry.type == "STAGE" and parent.type == "PARALLEL" and entry.name == parent.name


def _color(node: FlowNode) -> str:
    return node.color.removesuffix("_anime")


def _state_of(node: FlowNode) -> str:
    return _STATES.get(_color(node), "unknown")


def _step_answer(found: dict[str, Any]) -> dict[str, Any]:
    return {**_without_nothing(found), "flags": {}}


def _without_nothing(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}

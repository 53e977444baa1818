"""Recorded builds, and how they are varied: the same build with its stages run several times. Pure, apart from reading."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace_demo.recording import Recording

_RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"
_NODE_LINK = re.compile(r"(?<=/node/)\d+")
_STAGE = "Stage : Start"


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a controller answered about one build.

    ``document``: its ``api/json``; ``run``: its ``wfapi/describe``, None for a freestyle build; ``nodes``: by node id and
    ``describe`` or ``log``; ``tests``: its ``testReport``. ``stages``: how many it has.
    """

    document: dict[str, Any]
    run: dict[str, Any] | None
    nodes: dict[tuple[int, str], Any] = field(default_factory=dict)
    tests: dict[str, Any] | None = None

    @property
    def stages(self) -> int:
        """Return how many stages wfapi lists."""
        return len((self.run or {}).get("stages") or ())

    @property
    def succeeded(self) -> bool:
        """Return whether it ended well."""
        return bool(self.document["result"] == "SUCCESS")

    @property
    def url_path(self) -> str:
        """Return the path of the URL by which it is called in its own answers, with a slash at its end."""
        return urlsplit(self.document["url"]).path


@cache
def load(scenario: str, path: str) -> Recorded:
    """Return a build of a recording. ``scenario``: the beginning of the file's name; ``path``: decoded."""
    (file,) = _RECORDINGS.glob(f"{scenario}-*.jsonl")
    recorded = Recording.load(file).at()
    nodes = {}
    for key, answer in recorded.answers.items():
        match = re.fullmatch(re.escape(path) + r"/execution/node/(\d+)/wfapi/(describe|log)", key)
        if match:
            nodes[int(match[1]), match[2]] = answer
    run = recorded.answers.get(f"{path}/wfapi/describe")
    return Recorded(recorded.objects[path], run, nodes, recorded.objects.get(f"{path}/testReport"))


@cache
def repeated(recorded: Recorded, times: int) -> Recorded:
    """Return a build whose stages, from the first to the last, ran so many times, one after another."""
    if times == 1 or recorded.run is None:
        return recorded
    return _Repeat(recorded, times).build()


@cache
def under_way(recorded: Recorded) -> Recorded:
    """Return a build as it is while it runs, half of its nodes done."""
    actions = [
        {**action, "nodes": action["nodes"][: len(action["nodes"]) // 2]} if "nodes" in action else action
        for action in recorded.document["actions"]
    ]
    document = {**recorded.document, "actions": actions, "building": True, "result": None, "duration": 0}
    run = recorded.run and {
        **recorded.run,
        "status": "IN_PROGRESS",
        "stages": recorded.run["stages"][: len(recorded.run["stages"]) // 2],
    }
    return replace(recorded, document=document, run=run, tests=None)


class _Repeat:
    """Ids rise as nodes are made: what is before the first stage keeps its ids, what comes after the last moves on."""

    def __init__(self, recorded: Recorded, times: int) -> None:
        self._recorded = recorded
        self._times = times
        read = graph.nodes_by_id(documents.graph_nodes(recorded.document))
        outer = [node for node in read.values() if node.is_start and node.name == _STAGE and not _in_stage(node, read)]
        self._first, self._last = int(outer[0].id), int(outer[-1].closed_by or 0)
        self._stages = {int(node_id) for node_id in graph.stages_by_id(read)}
        began, ended = (recorded.nodes[node_id, "describe"]["startTimeMillis"] for node_id in (self._first, self._last))
        self._length_ms = ended - began

    def build(self) -> Recorded:
        run, document = self._recorded.run or {}, self._recorded.document
        later_ms = (self._times - 1) * self._length_ms
        actions = [
            {**action, "nodes": self._spread(action["nodes"])} if "nodes" in action else action
            for action in document["actions"]
        ]
        run = {
            **run,
            "stages": self._spread(run["stages"]),
            "endTimeMillis": run["endTimeMillis"] + later_ms,
            "durationMillis": run["durationMillis"] + later_ms,
        }
        document = {**document, "actions": actions, "duration": document["duration"] + later_ms}
        nodes = {}
        for (node_id, what), answer in self._recorded.nodes.items():
            for copy in self._copies(node_id):
                nodes[self._moved(node_id, copy), what] = self._copied(answer, copy)
        return replace(self._recorded, document=document, run=run, nodes=nodes)

    def _spread(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return nodes or stages with their copies, in the order of their new ids."""
        made = [self._copied(item, copy) for item in items for copy in self._copies(int(item["id"]))]
        return sorted(made, key=lambda item: int(item["id"]))

    def _copies(self, node_id: int) -> range:
        if node_id < self._first:
            return range(1)
        return range(self._times) if node_id <= self._last else range(self._times - 1, self._times)

    def _moved(self, node_id: int, copy: int) -> int:
        return node_id if node_id < self._first else node_id + copy * (self._last - self._first + 1)

    def _copied(self, value: Any, copy: int) -> Any:
        """Return an answer about a node, a stage or a graph's node as it is in a copy."""

        def move(text: str) -> str:
            return str(self._moved(int(text), copy))

        if isinstance(value, list):
            return [self._copied(item, copy) for item in value]
        if not isinstance(value, dict):
            return value
        made = {name: self._field(name, field, copy, move) for name, field in value.items()}
        own = str(value.get("id", ""))
        if own.isdigit() and copy and int(own) in self._stages:
            for name in made.keys() & {"name", "displayName"}:
                made[name] = f"{made[name]} {copy + 1}"
        if own == str(self._first) and copy and "parents" in made:
            made["parents"] = [str(self._moved(self._last, copy - 1))]
        return made

    def _field(self, name: str, value: Any, copy: int, move: Callable[[str], str]) -> Any:
        if name in ("id", "nodeId") and str(value).isdigit():
            return move(value)
        if name in ("parents", "parentNodes"):
            return [move(parent) for parent in value]
        if name == "startTimeMillis":
            return value + copy * self._length_ms
        if name in ("href", "consoleUrl"):
            return _NODE_LINK.sub(lambda match: move(match[0]), value)
        return self._copied(value, copy)


def _in_stage(node: graph.FlowNode, nodes: dict[str, graph.FlowNode]) -> bool:
    block = nodes.get(node.block or "")
    return block is not None and (block.name == _STAGE or _in_stage(block, nodes))

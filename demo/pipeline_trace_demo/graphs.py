"""Tells which nodes of a flow graph existed at a moment. Does no I/O.

Jenkins numbers nodes in the order of creation. A graph has no times. The times of stages and steps come from the answers of
plugins, and many other nodes are created together with the node before them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .exchanges import Exchange
from .merging import has_ids

_WFAPI = re.compile(r"(?P<build>.*/[0-9]+)/execution/node/[^/]+/wfapi/\w+")
_GRAPH_VIEW = re.compile(r"(?P<build>.*/[0-9]+)/stages/(?:tree|allSteps)")
# A body waits for what its block needs: `node` for an agent, `lock` for the resource.
_BODY = ": Body : Start"


class Times(NamedTuple):
    """When a node began and ended, milliseconds since the epoch. ``end``: infinity if it is not known."""

    start: float
    end: float = math.inf


def node_times(exchanges: Iterable[Exchange]) -> dict[str, dict[str, Times]]:
    """Return the times of nodes that plugins have shown, by build path and node id. Later answers override."""
    found: dict[str, dict[str, Times]] = {}
    for exchange in exchanges:
        match = _WFAPI.fullmatch(exchange.path) or _GRAPH_VIEW.fullmatch(exchange.path)
        if match and isinstance(exchange.body, dict):
            found.setdefault(match["build"], {}).update(_times(exchange.body))
    return found


def graph_nodes(document: Any) -> list[Any] | None:
    """Return the nodes in a build's document; None if it shows none."""
    action = _graph_action(document)
    return action.get("nodes") if action else None


def with_graph(build: dict[str, Any], nodes: list[Any], times: Mapping[str, Times], moment_ms: int) -> dict[str, Any]:
    """Return ``build`` with those of ``nodes``, its whole graph, that existed at the moment; with all if it had ended.

    If it shows nodes without ids, their number says how many. Otherwise the last ones run.
    """
    action = _graph_action(build)
    if action is None or has_ids(action.get("nodes")):
        return build
    cut = nodes
    if build.get("building") is not False:
        if "nodes" in action:
            first = {node["id"] for node in _ordered(nodes)[: len(action["nodes"])]}
            cut = [node for node in nodes if node["id"] in first]
        else:
            begun = beginnings(nodes, times, build.get("timestamp", math.inf))
            cut = _unfinished([node for node in nodes if begun[node["id"]] <= moment_ms])
    actions = [{**action, "nodes": cut} if item == action else item for item in build["actions"]]
    return {**build, "actions": actions}


def beginnings(nodes: list[Any], times: Mapping[str, Times], build_began: float) -> dict[str, float]:
    """Return when each node began at the latest, milliseconds since the epoch; infinity where nothing says it.

    ``nodes``: the whole graph. ``build_began``: when the first node began.
    """
    known = {node["id"]: node for node in nodes}
    ordered = _ordered(nodes)
    found: dict[str, float] = {}
    for node in ordered:
        parents = [known[parent] for parent in node.get("parents") or [] if parent in known]
        after = max((_after(node, parent, times, found) for parent in parents), default=build_began)
        found[node["id"]] = times[node["id"]].start if node["id"] in times else after
    latest = math.inf
    for node in reversed(ordered):
        latest = found[node["id"]] = min(found[node["id"]], latest)
    return found


def written(nodes: list[Any], times: Mapping[str, Times], build_began: float) -> dict[str, float]:
    """Return from when the final log of each node may be shown, milliseconds since the epoch.

    That is its beginning; of a block that waited, the beginning of its body, because then the log says more. Arguments as
    of ``beginnings``.
    """
    begun = beginnings(nodes, times, build_began)
    bodies = {parent: node["id"] for node in nodes if _is_body(node) for parent in node.get("parents") or []}
    return {node_id: begun[bodies.get(node_id, node_id)] for node_id in begun}


def _after(node: Any, parent: Any, times: Mapping[str, Times], found: Mapping[str, float]) -> float:
    """Return when ``node`` began if it was created together with the end of ``parent``; otherwise infinity."""
    kind, before = _kind(node), _kind(parent)
    if before == "StepAtomNode":
        return times[parent["id"]].end if parent["id"] in times else math.inf
    waits = before != "StepEndNode" and (kind.endswith("EndNode") or _is_body(node))
    return math.inf if waits else found[parent["id"]]


def _unfinished(nodes: list[Any]) -> list[Any]:
    """Return the nodes of a graph that runs. The recorded colours are those of the end."""
    left = {parent for node in nodes for parent in node.get("parents") or []}
    return [node if node["id"] in left else {**node, "iconColor": "blue_anime", "running": True} for node in nodes]


def _ordered(nodes: list[Any]) -> list[Any]:
    return sorted(nodes, key=lambda node: int(node["id"]))


def _is_body(node: Any) -> bool:
    return str(node.get("displayName")).endswith(_BODY)


def _kind(node: Any) -> str:
    return str(node.get("_class")).rpartition(".")[2]


def _times(answer: dict[str, Any]) -> Iterator[tuple[str, Times]]:
    shown = [answer, *answer.get("stageFlowNodes", [])]
    data = answer.get("data")
    if isinstance(data, dict):
        shown = [*data.get("stages", []), *data.get("steps", [])]
    while shown:
        node = shown.pop()
        shown += node.get("children") or []
        # An unhandled exception is shown at a block's end, with the times of the block.
        if node.get("startTimeMillis", 0) > 0 and node.get("type") != "UNHANDLED_EXCEPTION":
            start, duration = node["startTimeMillis"], node.get("durationMillis", node.get("totalDurationMillis"))
            yield node["id"], Times(start, start + (math.inf if duration is None else duration))


def _graph_action(document: Any) -> dict[str, Any] | None:
    if isinstance(document, dict):
        for action in document.get("actions") or []:
            if str(action.get("_class")).endswith(".FlowGraphAction"):
                return dict(action)
    return None

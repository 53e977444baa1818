"""A Pipeline run's flow graph: which block a node is in, and which nodes are stages. Pure.

Source: FlowGraphAction.nodes of Jenkins' workflow-api. ``StepStartNode`` opens a block, ``StepEndNode`` closes it; an end
node closes the innermost block that is open where it stands. Nesting follows from ``parents`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STAGE = "Stage : Start"


@dataclass
class Node:
    """A node of the graph, with the ids of others.

    ``block``: the start of the block it is in; ``before``: what ran just before it; ``closes``: the start that an end node
    closes; ``closed_by``: the end that closes a start node.
    """

    id: str
    name: str
    color: str
    is_start: bool
    is_end: bool
    block: str | None = None
    before: str | None = None
    closes: str | None = None
    closed_by: str | None = None


def nodes_by_id(documents: Iterable[Mapping[str, Any]]) -> dict[str, Node]:
    """Return a run's nodes by id, in order of their numeric ids.

    Nodes without an id, a class or known parents are left out: the answer was pruned or is of another version.
    """
    known = [d for d in documents if str(d.get("id", "")).isdecimal() and "_class" in d]
    nodes: dict[str, Node] = {}
    for document in sorted(known, key=lambda d: int(d["id"])):
        kind = document["_class"].rpartition(".")[2]
        node = Node(
            str(document["id"]),
            str(document.get("displayName") or ""),
            str(document.get("iconColor") or ""),
            kind in ("StepStartNode", "BlockStartNode"),
            kind in ("StepEndNode", "BlockEndNode"),
        )
        _place(node, [str(p) for p in document.get("parents") or []], nodes)
        nodes[node.id] = node
    return nodes


def _place(node: Node, parents: list[str], nodes: Mapping[str, Node]) -> None:
    before = next((nodes[parent] for parent in parents if parent in nodes), None)
    inside = _inside(before, nodes)
    node.before = before.id if before else None
    if node.is_end and inside is not None:
        node.closes = inside
        nodes[inside].closed_by = node.id
        node.block = nodes[inside].block
    else:
        node.block = inside


def _inside(before: Node | None, nodes: Mapping[str, Node]) -> str | None:
    """Return the block in which that lies what follows a node."""
    if before is None:
        return None
    # Behind an end node one is in the block around the one that it closed: Node.block is just that.
    return before.id if before.is_start else before.block


@dataclass(frozen=True)
class Stage:
    """A stage: its node, and its occurrence among the stages of its name, counted from 0 by numeric id."""

    node: Node
    occurrence: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the part of the stage's key behind the build's."""
        return ("stage", self.node.name, str(self.occurrence))


def stages_by_id(nodes: Mapping[str, Node]) -> dict[str, Stage]:
    """Return the stages by node id: start nodes inside a ``Stage : Start``."""
    counts: dict[str, int] = {}
    found: dict[str, Stage] = {}
    for node in nodes.values():
        outer = nodes.get(node.block or "")
        if node.is_start and outer is not None and outer.name == _STAGE and outer.is_start:
            found[node.id] = Stage(node, counts.get(node.name, 0))
            counts[node.name] = counts.get(node.name, 0) + 1
    return found

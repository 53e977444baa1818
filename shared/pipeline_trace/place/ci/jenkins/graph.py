"""Reads the flow graph of a Pipeline build: the block of each node, and the stages. Does no I/O.

Source: FlowGraphAction.nodes of the Jenkins plugin workflow-api. ``StepStartNode`` opens a block, and ``StepEndNode`` closes
the innermost open block. The nesting follows from ``parents`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STAGE = "Stage : Start"
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(slots=True)
class FlowNode:
    """A node of the graph. Its last four fields are ids of other nodes.

    ``is_step``: it is a step without a block. The first and the last node of a graph are no steps. ``block``: the start
    node of the block that the node is in. ``before``: the node that ran just before. ``closes``: of an end node, its start
    node. ``closed_by``: of a start node, its end node.
    """

    id: str
    name: str
    color: str
    is_start: bool
    is_end: bool
    is_step: bool = False
    block: str | None = None
    before: str | None = None
    closes: str | None = None
    closed_by: str | None = None


def nodes_by_id(documents: Iterable[Mapping[str, Any]]) -> dict[str, FlowNode]:
    """Return a build's nodes by id, in order of their numeric ids.

    Takes any JSON. Ignores documents without a numeric id or a class, as from a pruned answer or another version, and a
    second one with the same id. Ignores unknown parents.
    """
    known = {id_: d for d in reversed(list(documents)) if (id_ := _id(d)) is not None}
    nodes: dict[str, FlowNode] = {}
    for id_, document in sorted(known.items()):
        kind = document["_class"].rpartition(".")[2]
        parents = document.get("parents")
        node = FlowNode(
            str(id_),
            str(document.get("displayName") or ""),
            str(document.get("iconColor") or ""),
            kind in ("StepStartNode", "BlockStartNode"),
            kind in ("StepEndNode", "BlockEndNode"),
            kind in ("StepAtomNode", "AtomNode"),
        )
        _place(node, [str(parent) for parent in parents] if isinstance(parents, list) else [], nodes)
        nodes[node.id] = node
    return nodes


def _id(document: object) -> int | None:
    """Return the id of a node's document; None if it is not one."""
    if not isinstance(document, Mapping) or not isinstance(document.get("_class"), str):
        return None
    return int(text) if _ID.fullmatch(text := str(document.get("id", ""))) else None


def _place(node: FlowNode, parents: list[str], nodes: Mapping[str, FlowNode]) -> None:
    before = next((nodes[parent] for parent in parents if parent in nodes), None)
    inside = _inside(before, nodes)
    node.before = before.id if before else None
    if node.is_end and inside is not None:
        node.closes = inside
        nodes[inside].closed_by = node.id
        node.block = nodes[inside].block
    else:
        node.block = inside


def _inside(before: FlowNode | None, nodes: Mapping[str, FlowNode]) -> str | None:
    """Return the start node of the block that the next node after this one is in; None outside all blocks."""
    if before is None:
        return None
    # After an end node, this is the block around the closed block, which is the end node's own block.
    return before.id if before.is_start else before.block


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its node, and its number among the stages with the same name, from 0, in order of numeric ids."""

    node: FlowNode
    occurrence: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the part of the stage's key that follows the build's key."""
        return ("stage", self.node.name, str(self.occurrence))


def stages_by_id(nodes: Mapping[str, FlowNode]) -> dict[str, Stage]:
    """Return the stages by node id. A stage is a start node directly inside a node named ``Stage : Start``."""
    counts: dict[str, int] = {}
    found: dict[str, Stage] = {}
    for node in nodes.values():
        outer = nodes.get(node.block or "")
        if node.is_start and outer is not None and outer.name == _STAGE and outer.is_start:
            found[node.id] = Stage(node, counts.get(node.name, 0))
            counts[node.name] = counts.get(node.name, 0) + 1
    return found

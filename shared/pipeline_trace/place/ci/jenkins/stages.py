"""Finds the stage that a process is in, also where several stages of its name run at once. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .graph import FlowNode, Stage, stages_by_id

ALLOCATE = "Allocate node : Start"
_PARALLEL = "Execute in parallel : Start"
# A cell of a declarative matrix, such as "Matrix - OS = 'debian', JAVA = '17'". Jenkins sets these variables in the cell.
_CELL = re.compile(r"(?:Branch: )?Matrix - (?=\w+ = ')")
_AXIS = re.compile(r"(\w+) = '(.*?)'(?:, (?=\w+ = ')|$)")
# NODE_NAME of the controller's own node, in newer and older versions. In logs, it is always "Jenkins".
_BUILT_IN = ("built-in", "master")


def candidates(name: str, nodes: Mapping[str, FlowNode], environ: Mapping[str, str]) -> list[Stage]:
    """Return the stages of this name that a process with this environment can be in: those that run, else all."""
    found = [stage for stage in stages_by_id(nodes).values() if stage.node.name == name]
    found = [stage for stage in found if is_running(stage)] or found
    found = _innermost(found, nodes)
    return [stage for stage in found if _fits(stage, nodes, environ)] or found


def is_running(stage: Stage) -> bool:
    """Return whether a stage has not ended."""
    return stage.node.closed_by is None


def agents_of(stages: Sequence[Stage], nodes: Mapping[str, FlowNode]) -> dict[str, list[str]]:
    """Return the ids of the ``node`` blocks that can tell running stages apart, by the stage's node id.

    These are the open blocks around each stage, and those in it that are in no other stage.
    """
    blocks = [node for node in nodes.values() if node.name == ALLOCATE and node.is_start and node.closed_by is None]
    owners = stages_by_id(nodes).keys()
    inside: dict[str, list[str]] = {}
    for block in blocks:
        owner = next((around.id for around in _around(block, nodes) if around.id in owners), "")
        inside.setdefault(owner, []).append(block.id)
    found: dict[str, list[str]] = {}
    for stage in stages:
        outer = next((around.id for around in _around(stage.node, nodes) if around.name == ALLOCATE), None)
        found[stage.node.id] = [*inside.get(stage.node.id, []), *([outer] if outer else [])]
    shared = set.intersection(*map(set, found.values())) if found else set()
    return {id_: [block for block in own if block not in shared] for id_, own in found.items()}


def runs_here(log: str, environ: Mapping[str, str]) -> bool:
    """Return whether the log of a ``node`` block names the agent and the workspace of this environment.

    Two blocks that are open at once never have the same agent and workspace.
    """
    name, workspace = environ.get("NODE_NAME", ""), environ.get("WORKSPACE", "")
    if not name or not workspace:
        return False
    names = (name, "Jenkins") if name in _BUILT_IN else (name,)
    ends = tuple(f"Running on {one} in {workspace}" for one in names)
    return any(line.rstrip().endswith(ends) for line in log.splitlines())


def _innermost(stages: Sequence[Stage], nodes: Mapping[str, FlowNode]) -> list[Stage]:
    """Leave out stages that only wait for another of the stages in them, which is in no branch of its own."""
    ids = {stage.node.id for stage in stages}
    outer: set[str] = set()
    for stage in stages:
        for block in _around(stage.node, nodes):
            if block.name == _PARALLEL:
                break
            if block.id in ids:
                outer.add(block.id)
    return [stage for stage in stages if stage.node.id not in outer]


def _fits(stage: Stage, nodes: Mapping[str, FlowNode], environ: Mapping[str, str]) -> bool:
    """Return whether the variables have the values of the matrix cells around a stage."""
    names = [block.name for block in _around(stage.node, nodes)]
    cells = [name[match.end() :] for name in names if (match := _CELL.match(name))]
    return all(environ.get(axis) == value for cell in cells for axis, value in _AXIS.findall(cell))


def _around(node: FlowNode, nodes: Mapping[str, FlowNode]) -> Iterator[FlowNode]:
    """Yield the blocks around a node, inner before outer."""
    block = node.block
    while block is not None:
        yield nodes[block]
        block = nodes[block].block

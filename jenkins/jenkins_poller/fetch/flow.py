"""Turns the flow graph of a Pipeline build into a tree of elements. Each element becomes a span.

Blocks that only contain other blocks ("Set environment variables", "Execute in parallel") become no element. A branch that
contains only a stage of the same name becomes one element with this stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pipeline_trace.place.ci.jenkins.graph import FlowNode, Stage, stages_by_id

STAGE, BRANCH, AGENT, STEP = "stage", "branch", "agent", "step"

_STAGE = "Stage : Start"
_BRANCH = "Branch: "
AGENT_START = "Allocate node : Start"
# Blocks of the plugins Pipeline: Nodes and Processes, Lockable Resources, and Throttle Concurrent Builds.
_WAITING = (AGENT_START, "Lock shared resource : Start", "Throttle execution")
# A step of Declarative Pipeline itself. Every skipped stage has one.
_INTERNAL = "Get contextual object from internal APIs"
BUILD_STEP = "Building "
INPUT = "Wait for interactive input"
# The colors of a node that is marked by catchError or unstable, and of the end of what failed.
_WARNED = ("red", "yellow")
_ENDED_BADLY = ("red", "aborted")
_RETRY_BODY = "Retry the body up to N times : Body : Start"
TIME_LIMIT = "Enforce time limit : Start"


@dataclass(slots=True)
class Element:
    """A stage, branch, agent or step.

    ``agent_id``: the innermost ``node`` block around it. ``limited``: there is a ``timeout`` block around it.
    ``holds_limit``: it contains a ``timeout`` block. ``end_color``: the state at its end, as the color of Jenkins' icon.
    ``attempt``: the number of the attempt in the ``retry`` block around it, from 1; 0 without ``retry``. ``branch_id``: of a
    stage that stands for the branch around it, the branch's node id. ``warned``: something in it is marked unstable or
    failed, by ``catchError`` or ``unstable``. ``empty``: a stage in which nothing ran; perhaps it was skipped.
    """

    kind: str
    node: FlowNode
    name: str
    key: tuple[str, ...]
    parent: Element | None
    agent_id: str | None = None
    limited: bool = False
    children: list[Element] = field(default_factory=list)
    skipped: bool = False
    holds_limit: bool = False
    end_color: str = ""
    attempt: int = 0
    branch_id: str = ""
    warned: bool = False
    empty: bool = False

    @property
    def id(self) -> str:
        """Return the node's id."""
        return self.node.id

    @property
    def end_id(self) -> str | None:
        """Return the id of the node that closes the block; None while it is open."""
        return self.node.closed_by

    @property
    def is_input(self) -> bool:
        """Return whether it is an ``input`` step, which waits for a person."""
        return self.kind == STEP and self.node.name == INPUT

    @property
    def starts_build(self) -> bool:
        """Return whether it is a ``build`` step."""
        return self.kind == STEP and self.node.name.startswith(BUILD_STEP)

    @property
    def has_blocks(self) -> bool:
        """Return whether it contains stages or branches. If so, wfapi's duration of it ends at the first of them."""
        return any(child.kind in (STAGE, BRANCH) for child in self.children)

    def walk(self) -> Iterator[Element]:
        """Yield this element and all elements in it, outer before inner."""
        todo = [self]
        while todo:
            element = todo.pop()
            yield element
            todo.extend(reversed(element.children))


@dataclass(slots=True)
class Flow:
    """The elements of a build. ``nodes``: the graph. ``after``: from a node id to the id of the node that ran next."""

    top: list[Element] = field(default_factory=list)
    nodes: Mapping[str, FlowNode] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    def walk(self) -> Iterator[Element]:
        """Yield all elements, outer before inner."""
        for element in self.top:
            yield from element.walk()

    def stages(self) -> list[Element]:
        """Return the stages, outer before inner."""
        return [element for element in self.walk() if element.kind == STAGE]

    def find(self, node_id: str) -> Element | None:
        """Return the element of a node; None if the node became no element."""
        return next((element for element in self.walk() if element.id == node_id), None)


def is_agent(node: FlowNode) -> bool:
    """Return whether a node begins a ``node`` block."""
    return node.is_start and node.name == AGENT_START


def is_branch(node: FlowNode) -> bool:
    """Return whether a node begins a parallel branch."""
    return node.is_start and node.name.startswith(_BRANCH)


def may_wait(node: FlowNode) -> bool:
    """Return whether a block may wait before it begins with what is in it: for an agent or a lock."""
    return node.is_start and node.name.startswith(_WAITING)


def flow_of(nodes: Mapping[str, FlowNode]) -> Flow:
    """Return the elements of a flow graph. ``nodes``: the graph, as ``graph.nodes_by_id`` returns it."""
    flow = Flow(nodes=nodes, after={node.before: node.id for node in reversed(list(nodes.values())) if node.before})
    found_stages = stages_by_id(nodes)
    elements: dict[str, Element] = {}
    for node in nodes.values():
        element = _element(node, nodes, found_stages, elements)
        if element is None:
            continue
        elements[node.id] = element
        (element.parent.children if element.parent else flow.top).append(element)
    _merge_branches(flow)
    for element in flow.walk():
        element.end_color = nodes[element.end_id].color if element.end_id else ""
    _find_skipped(flow)
    _count_attempts(nodes, elements)
    for node in nodes.values():
        warned = node.color in _WARNED and not node.is_end and (node.is_start or node.color == "yellow")
        if node.name == TIME_LIMIT or warned:
            for block in _around(node, nodes):
                if block.id in elements:
                    elements[block.id].holds_limit |= node.name == TIME_LIMIT
                    elements[block.id].warned |= warned
    return flow


def flow_without_graph(stages: Iterable[tuple[str, str]]) -> Flow:
    """Return a flow of stages in sequence, for a build without a graph. ``stages``: node ids and names."""
    counts: dict[str, int] = {}
    flow = Flow()
    for node_id, name in sorted(stages, key=lambda stage: int(stage[0])):
        node = FlowNode(node_id, name, "", is_start=True, is_end=False)
        flow.top.append(Element(STAGE, node, name, Stage(node, counts.get(name, 0)).key, None))
        counts[name] = counts.get(name, 0) + 1
    return flow


def _element(
    node: FlowNode, nodes: Mapping[str, FlowNode], found_stages: Mapping[str, Stage], elements: Mapping[str, Element]
) -> Element | None:
    around = list(_around(node, nodes))
    parent = next((elements[b.id] for b in around if b.id in elements and elements[b.id].kind in (STAGE, BRANCH)), None)
    agent = next((b.id for b in around if b.name == AGENT_START), None)
    limited = any(b.name == TIME_LIMIT for b in around)
    step_key = ("step", node.id)
    if node.id in found_stages:
        return Element(STAGE, node, node.name, found_stages[node.id].key, parent, agent, limited)
    if node.is_start and node.name.startswith(_BRANCH):
        return Element(BRANCH, node, node.name[len(_BRANCH) :], step_key, parent, agent, limited)
    if node.is_start and node.name == AGENT_START:
        return Element(AGENT, node, node.name, step_key, parent, agent, limited)
    if not node.is_step or node.name == _INTERNAL:
        return None
    return Element(STEP, node, node.name, step_key, parent, agent, limited)


def _around(node: FlowNode, nodes: Mapping[str, FlowNode]) -> Iterator[FlowNode]:
    """Yield the blocks around a node, inner before outer."""
    block = node.block
    while block is not None:
        yield nodes[block]
        block = nodes[block].block


def _count_attempts(nodes: Mapping[str, FlowNode], elements: Mapping[str, Element]) -> None:
    """Number the attempts of ``retry``: the block has one body for each attempt."""
    bodies: dict[str, dict[str, int]] = {}
    for node in nodes.values():
        if node.is_start and node.name == _RETRY_BODY and node.block:
            attempts = bodies.setdefault(node.block, {})
            attempts[node.id] = len(attempts) + 1
    for element in elements.values():
        body = next((block for block in _around(element.node, nodes) if block.name == _RETRY_BODY), None)
        if body is not None and body.block:
            element.attempt = bodies[body.block][body.id]


def _merge_branches(flow: Flow) -> None:
    """Replace a branch by the stage in it, if the stage is its only child and has the same name."""
    for element in list(flow.walk()):
        only = element.children[0] if element.kind == BRANCH and len(element.children) == 1 else None
        if only is None or only.kind != STAGE or only.name != element.name:
            continue
        siblings = element.parent.children if element.parent else flow.top
        siblings[siblings.index(element)] = only
        only.parent = element.parent
        only.branch_id = element.id


def _find_skipped(flow: Flow) -> None:
    """Mark the stages of Declarative Pipeline that did not run, and the stages with nothing in them.

    After a failure, the other sources say of a stage that did not run that it failed. Only the graph shows the difference:
    the stage has nothing but Declarative's internal step, or it is empty and the failure came before it.
    """
    occupied = {node.block for node in flow.nodes.values() if node.block and node.name != _INTERNAL and not _wraps(node)}
    internal = {node.block for node in flow.nodes.values() if node.name == _INTERNAL}
    failed = (int(node.id) for node in flow.nodes.values() if not node.is_start and node.color in _ENDED_BADLY)
    first_failed = min(failed, default=None)
    for stage in reversed(flow.stages()):
        nothing_ran = all(child.kind == STAGE and (child.skipped or child.empty) for child in stage.children)
        if stage.id in occupied or not nothing_ran:
            continue
        failed_before = first_failed is not None and first_failed < int(stage.id) and stage.end_color in _ENDED_BADLY
        stage.skipped = stage.id in internal or failed_before
        # Where Declarative's step marks skipped stages, a stage around marked ones is not skipped itself.
        stage.empty = not stage.skipped and not (internal and stage.children)


def _wraps(node: FlowNode) -> bool:
    """Return whether a node is only the frame of a stage: what is in the stage has the stage's body as its block."""
    return node.is_end or node.name == _STAGE

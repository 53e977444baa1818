"""What is true of a played build: its flow graph with exact times, and the elements that it should be told as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .programs import Started

STAGE, BRANCH, AGENT, STEP = "stage", "branch", "agent", "step"
SKIPPED, NOT_BUILT, RUNNING = "SKIPPED", "NOT_BUILT", "RUNNING"
START, END, ATOM, FIRST, LAST = "StepStartNode", "StepEndNode", "StepAtomNode", "FlowStartNode", "FlowEndNode"
_PACKAGES = {FIRST: "graph", LAST: "graph"}


@dataclass(frozen=True)
class Error:
    """An exception. ``message``: None for an interruption. ``type``: its class. ``color``: red or aborted.

    ``cause`` and ``why``: of an interruption, the class and the words of its cause.
    """

    color: str
    message: str | None
    type: str
    cause: str = ""
    why: str = ""


def interruption(cause: str, why: str) -> Error:
    """Return the exception of something that is stopped."""
    return Error("aborted", None, "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException", cause, why)


@dataclass(frozen=True)
class Node:
    """A node of the flow graph. Times are milliseconds since the epoch.

    ``at_ms``: when it began. ``begin_ms``: the same as Jenkins tells it: 0 for a stage that a restart left out.
    ``end_ms``: when the next node of its thread began. ``block``: the id of the innermost block around it. ``closed_by``: of
    a start node, the id of its end node. ``argument``:
    of a step, or the label that an ``Allocate node : Start`` asks for. ``agent``: what that node got. ``asked``: the
    question of an ``input`` step.
    """

    id: str
    kind: str
    name: str
    parents: tuple[str, ...]
    color: str
    at_ms: int
    end_ms: int
    block: str | None = None
    closed_by: str | None = None
    begin_ms: int = 0
    argument: str = ""
    agent: str = ""
    log: str = ""
    error: Error | None = None
    starts: Started | None = None
    started_result: str = ""
    asked: str = ""
    running: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """Return the node as FlowGraphAction has it, without the fields that nobody asks for."""
        return {
            "_class": f"org.jenkinsci.plugins.workflow.{_PACKAGES.get(self.kind, 'cps.nodes')}.{self.kind}",
            "displayName": self.name,
            "iconColor": f"{self.color}_anime" if self.running else self.color,
            "id": self.id,
            "parents": list(self.parents),
            "running": self.running,
        }


@dataclass(frozen=True)
class Element:
    """What a stage, branch, agent or step should be told as. Times are milliseconds since the epoch.

    ``kind``: stage, branch, agent or step. ``parent``: the id of the stage or branch around it. ``result``: SUCCESS,
    UNSTABLE, FAILURE, ABORTED; SKIPPED, NOT_BUILT, RUNNING. ``end_ms``: None while it runs. ``agent``: the one that it ran
    on, or that an agent element got. ``given_ms``: when an agent element got it; None: not yet, never. ``attempt``: in a
    ``retry``, from 1. ``branch``: the id of the branch that is told as this stage, which is in it alone.
    """

    kind: str
    name: str
    id: str
    parent: str | None
    result: str
    start_ms: int
    end_ms: int | None
    agent: str = ""
    started: Started | None = None
    attempt: int = 0
    branch: str = ""
    given_ms: int | None = None


@dataclass(frozen=True)
class Played:
    """A build. ``result``: None while it runs. Times are milliseconds since the epoch.

    ``start_ms``: ``timestamp``. ``run_ms``: when the run began, a little later. ``raw``: the elements before branches and
    stages of one name are one. ``skipped`` and ``left_out``: ids of stages that did not run. ``tests``: how many tests
    failed; None: it reports no tests. ``error``: the exception that ended it. ``commit``: of its checkout of the branch
    ``branch``; "" if it checked out nothing.
    """

    job: str
    number: int
    start_ms: int
    run_ms: int
    end_ms: int
    result: str | None
    nodes: tuple[Node, ...]
    raw: tuple[Element, ...]
    skipped: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    upstream: Started | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    tests: int | None = None
    moment_ms: int | None = None
    error: Error | None = None
    declarative: bool = False
    commit: str = ""
    branch: str = "main"

    @property
    def running(self) -> bool:
        return self.result is None

    @cached_property
    def elements(self) -> list[Element]:
        """Return what the build should be told as, in order of ids."""
        return _merged(self.raw)

    @property
    def graph(self) -> list[dict[str, Any]]:
        """Return the nodes of FlowGraphAction."""
        return [node.document for node in self.nodes]

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        return {node.id: node for node in self.nodes}

    def element(self, name: str, kind: str = STAGE) -> Element:
        """Return the first element of a name."""
        return next(element for element in self.elements if (element.name, element.kind) == (name, kind))

    def at(self, moment_ms: int | None) -> Played:
        """Return the build as it is at a moment: it may still run. None: at its end."""
        if moment_ms is None or moment_ms >= self.end_ms:
            return self
        begun = {node.id for node in self.nodes if node.at_ms <= moment_ms}
        nodes = [_node_at(node, moment_ms, begun) for node in self.nodes if node.id in begun]
        raw = [_element_at(element, moment_ms) for element in self.raw if element.id in begun]
        tests = self.tests if any(node.name.startswith("Archive JUnit") and not node.running for node in nodes) else None
        return replace(self, result=None, error=None, nodes=tuple(nodes), raw=tuple(raw), moment_ms=moment_ms, tests=tests)


def _node_at(node: Node, moment_ms: int, begun: set[str]) -> Node:
    if node.kind == START:
        given = node.agent if node.end_ms <= moment_ms else ""
        closed_by = node.closed_by if node.closed_by in begun else None
        color = node.color if closed_by else "blue"
        return replace(node, agent=given, closed_by=closed_by, running=closed_by is None, color=color)
    if node.kind == ATOM and node.end_ms > moment_ms:
        return replace(node, color="blue", error=None, running=True, started_result="")
    return node


def _element_at(element: Element, moment_ms: int) -> Element:
    given = element.given_ms if element.given_ms is not None and element.given_ms <= moment_ms else None
    agent = element.agent if element.kind != AGENT or given is not None else ""
    if element.end_ms is not None and element.end_ms <= moment_ms:
        return replace(element, given_ms=given, agent=agent)
    return replace(element, result=RUNNING, end_ms=None, given_ms=given, agent=agent)


def _merged(raw: Iterable[Element]) -> list[Element]:
    """Put a stage in the place of the branch around it, if it is alone in it and has its name."""
    found = {element.id: element for element in raw}
    for branch in [element for element in found.values() if element.kind == BRANCH]:
        inside = [element for element in found.values() if element.parent == branch.id]
        if len(inside) == 1 and (inside[0].kind, inside[0].name) == (STAGE, branch.name):
            found[inside[0].id] = replace(inside[0], parent=branch.parent, branch=branch.id)
            del found[branch.id]
    return list(found.values())

"""Tells what one running build does and waits for, in each of its parallel branches.

The flow graph decides where the build is. A step that waits looks successful in the plugins' answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace.place.ci.jenkins.graph import FlowNode
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.redact import masked

from ..fetch import flow
from ..fetch.document import MOST_NODES, STEP, is_pipeline, is_running, own_document
from ..fetch.flow import Element
from ..fetch.nodelog import StartedLog
from ..fetch.times import possible_ms
from .around import Around
from .matching import Waiting, fitting
from .moments import LOCK_START, Moments, Plugins
from .waits import APPROVAL, BUILD, LOCK, RUNNING, Activity, OpenBuild, OpenWait

_BRANCH = "Branch: "
_BUILD_PATH = re.compile(r"job/.+/\d+/?")
_RESOURCE = re.compile(r"acquire lock on \[(?:Resource: )?([^\]\n]+)\]")
_HOLDER = re.compile(r"locked by (?:build )?(\S.*? #\d+)")
_OR = " or "
_WAITS_FOR_AGENT = "Still waiting to schedule task"


@dataclass(frozen=True)
class Head:
    """The place of an activity in the flow graph. ``around``: the stages and branches, outer before inner.

    ``element``: the step, or the ``node`` block that waits for an agent; None between two steps, and at a lock.
    """

    around: tuple[Element, ...]
    element: Element | None = None
    argument: str = ""


@dataclass(frozen=True)
class Running:
    """A running build. ``waiting``: its ``node`` steps without an agent, by their place in ``open.activities``.

    ``document``: its JSON document. ``heads``: one for each activity; none without a flow graph. ``since``: returns when an
    element began, milliseconds since the epoch, and None if that is not told.
    """

    open: OpenBuild
    waiting: Mapping[int, Waiting]
    document: Mapping[str, Any] = field(default_factory=dict)
    heads: Sequence[Head] = ()
    since: Callable[[Element], int | None] = lambda element: None

    def completed(self, waits: Iterable[OpenWait]) -> OpenBuild:
        """Return the build with what its steps without an agent wait for, in the order of ``waiting``."""
        activities = list(self.open.activities)
        for at, wait in zip(self.waiting, waits, strict=True):
            activities[at] = replace(activities[at], wait=wait)
        return replace(self.open, activities=tuple(activities))


def read_running(plugins: Plugins, build: Build, around: Around) -> Running | None:
    """Return what a build does; None if it has ended. Raises ApiError; NotFound if it was deleted."""
    document = own_document(plugins.controller, build, STEP)
    if not is_running(document):
        return None
    head = head_of(build, document, around)
    answered = documents.graph_nodes(document) if is_pipeline(document) else ()
    nodes = graph.nodes_by_id(answered) if len(answered) <= MOST_NODES else {}
    moments = Moments(plugins, build, nodes)
    heads = _Heads(moments, build, around, nodes, head.open.since_ms or 0)
    found = list(_told(plugins, heads, answered, nodes)) if is_pipeline(document) else []
    return Running(
        replace(head.open, activities=tuple(told.activity for told in found)),
        {at: told.waiting for at, told in enumerate(found) if told.waiting},
        document,
        [told.head for told in found if told.head],
        lambda element: moments.since(element.node),
    )


def head_of(build: Build, document: Mapping[str, Any], around: Around) -> Running:
    """Return a running build without what it does and waits for, from its document."""
    begun_ms, url = possible_ms(int(document.get("timestamp") or 0)), str(document.get("url") or "")
    agents = around.running.get(url, ())
    return Running(OpenBuild(build.job, build.number, url, RUNNING, begun_ms, agents), {}, document)


class _Told(NamedTuple):
    """What happens at a node. ``waiting``: of a step without an agent, which is known when all builds are."""

    activity: Activity
    waiting: Waiting | None = None
    head: Head | None = None


def _told(
    plugins: Plugins, heads: _Heads, answered: Sequence[Mapping[str, Any]], nodes: Mapping[str, FlowNode]
) -> Iterator[_Told]:
    if nodes:
        followed = {str(parent) for node in answered for parent in node.get("parents") or ()}
        yield from map(heads.told, _ends([node for node in nodes.values() if node.id not in followed], nodes))
    elif question := heads.question_of_build(plugins):
        # Without the graph, only the state of the whole build is known.
        yield _Told(Activity((), wait=OpenWait(APPROVAL, None, question)))


def _ends(heads: Sequence[FlowNode], nodes: Mapping[str, FlowNode]) -> Sequence[FlowNode]:
    """Return the nodes at which a build is, without the branches that have ended and wait for the others."""
    open_ = [node for node in heads if not (node.closes and nodes[node.closes].name.startswith(_BRANCH))]
    return open_ or heads[:1]


class _Heads:
    """Tells what happens at the nodes at which one build is."""

    def __init__(self, moments: Moments, build: Build, around: Around, nodes: Mapping[str, FlowNode], begun_ms: int) -> None:
        self._moments = moments
        self._build = build
        self._around = around
        self._nodes = nodes
        self._begun_ms = begun_ms
        self._elements = {element.id: element for element in flow.flow_of(nodes).walk()}

    def told(self, node: FlowNode) -> _Told:
        """Return what happens at a node."""
        element, stages = self._elements.get(node.id), self._stages(node)
        activity = Activity(
            tuple(stage.name for stage in stages),
            attempt=element.attempt if element else 0,
            limited=element.limited if element else False,
        )
        head = Head(stages, element if element not in stages else None)
        if node.name == flow.AGENT_START and node.is_start:
            return _Told(activity, self._waiting(node), head)
        if node.name == LOCK_START and node.is_start:
            return _Told(replace(activity, wait=self._for_lock(node)), head=head)
        if node.is_start or node.is_end:
            # Between two steps.
            return _Told(activity, head=head)
        wait = self._wait(node)
        if wait:
            return _Told(replace(activity, wait=wait), head=head)
        argument = self._argument(node)
        step = f"{node.name}: {argument}" if argument else node.name
        head = replace(head, argument=argument)
        return _Told(replace(activity, step=step, since_ms=self._moments.since(node)), head=head)

    def question_of_build(self, plugins: Plugins) -> str:
        """Return the questions that a build without a graph asks; "" if it asks none, or only the graph would tell."""
        plugins.look_for_stage_view(self._build)
        return masked("; ".join(self._moments.questions()))

    def _stages(self, node: FlowNode) -> tuple[Element, ...]:
        """Return the stages and branches around a node, outer before inner."""
        found = (self._elements.get(block.id) for block in self._around_node(node))
        return tuple(one for one in found if one and one.kind in (flow.STAGE, flow.BRANCH))[::-1]

    def _around_node(self, node: FlowNode) -> Iterator[FlowNode]:
        """Yield a node and the blocks around it, inner before outer."""
        block: FlowNode | None = node
        while block is not None:
            yield block
            block = self._nodes[block.block] if block.block else None

    def _waiting(self, node: FlowNode) -> Waiting:
        described = self._moments.described(node.id)
        if described:
            one = Waiting(self._build, self._begun_ms, possible_ms(described.start_ms), True, masked(described.description))
        else:
            cause = next((stage.cause for block in self._around_node(node) if (stage := self._moments.stage(block.id))), "")
            one = Waiting(self._build, self._begun_ms, self._moments.before(node), cause=cause)
        if one.cause or len(fitting(one, self._around.items)) == 1:
            return one
        # The step says it itself after 15 seconds.
        _, said, reason = self._moments.log(node.id).partition(_WAITS_FOR_AGENT)
        return replace(one, cause=next(iter(reason.split("\n")[1:]), "").strip()) if said else one

    def _for_lock(self, node: FlowNode) -> OpenWait:
        described, log = self._moments.described(node.id), self._moments.log(node.id)
        resources, holders = _RESOURCE.findall(log), _HOLDER.findall(log)
        what = resources[-1] if resources else masked(described.description) if described else ""
        reason = f"held by {holders[-1]}" if holders else log.rpartition("\n")[2]
        return OpenWait(LOCK, self._moments.since(node), what, reason)

    def _wait(self, node: FlowNode) -> OpenWait | None:
        """Return what a step waits for; None if it is not such a step."""
        if node.name.startswith(flow.BUILD_STEP):
            return self._for_build(node)
        step = None if self._moments.described(node.id) else self._moments.step(node.id)
        told = step.question.message if step else ""
        if node.name != flow.INPUT and not told:
            return None
        return OpenWait(APPROVAL, self._moments.since(node), self._question(node, told))

    def _question(self, node: FlowNode, told: str) -> str:
        asked = [told] if told else self._moments.questions()
        if len(asked) == 1:
            return masked(asked[0])
        # The question, then what a person may press. With parameters, the log has no question.
        lines = self._moments.log(node.id).split("\n")
        return "\n".join(lines[:-1]) if _OR in lines[-1] else masked("; ".join(asked))

    def _for_build(self, node: FlowNode) -> OpenWait | None:
        # Stage View says nothing of a `build` step itself.
        before_ms, step = self._moments.before(node), self._moments.step(node.id)
        told_ms = possible_ms(step.start_ms) if step else None
        since_ms = before_ms if told_ms is None else told_ms
        path = step.started.path if step else ""
        log = StartedLog((path.rstrip("/"),)) if _BUILD_PATH.fullmatch(path) else self._moments.started(node.id)
        builds = log.on(self._build.controller)
        if builds:
            return OpenWait(BUILD, since_ms, builds[-1].name)
        if not log.jobs:
            # A step with a label such as "Building the image".
            return None
        item = self._around.queued(log.jobs[-1], self._build)
        why = item.wait().reason if item else ""
        return OpenWait(BUILD, since_ms, log.jobs[-1], f"not started yet: {why}" if why else "not started yet")

    def _argument(self, node: FlowNode) -> str:
        described, step = self._moments.described(node.id), self._moments.step(node.id)
        argument = described.description if described else step.name if step else ""
        return "" if argument == node.name else masked(argument)

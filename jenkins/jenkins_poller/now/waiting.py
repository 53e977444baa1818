"""Finds the builds that are queued or run on a controller now, since when, and what they wait for.

Sends one request for the queue, one for the agents, and for each running Pipeline build one for its flow graph and one or
two for each of its active nodes. In wfapi (the API of the plugin Pipeline: REST API), a step that waits looks successful,
so the graph, the queue and the agents decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.queries import build_name
from pipeline_trace.trace.redact import masked as redacted

from ..fetch import flow
from ..fetch.api import Controller, Forbidden, NotFound, build_path
from ..fetch.document import MOST_NODES, STEP, is_pipeline, is_running, own_document
from ..fetch.nodelog import NodeLogs, path_to_job
from ..fetch.sources.choice import Sources
from ..fetch.sources.stage_view import node_times
from ..poll.discovery import Selection

AGENT, EXECUTOR, APPROVAL, BUILD, QUIET_PERIOD, BLOCKED = "agent", "executor", "approval", "build", "quiet period", "blocked"
QUEUED, RUNNING = "queued", "running"

_QUEUE_TREE = "items[_class,id,inQueueSince,why,stuck,task[_class,name,fullName,url]]"
_EXECUTABLE = "currentExecutable[url,number]"
_AGENTS_TREE = f"computer[displayName,offline,offlineCauseReason,executors[{_EXECUTABLE}],oneOffExecutors[{_EXECUTABLE}]]"
_PLACEHOLDER = "PlaceholderTask"
# Jenkins creates a queue item for an agent when the `node` step starts: within 1 ms in recordings, later if it is busy.
_SAME_MS = 250
_BY_CLASS = {"WaitingItem": QUIET_PERIOD, "BlockedItem": BLOCKED}


@dataclass(frozen=True)
class OpenWait:
    """What a build waits for. ``since_ms``: milliseconds since the epoch; None if Jenkins does not say.

    ``what``: the label, the question to a person, the build or the job. ``reason``: Jenkins' own reason for the wait.
    ``stuck``: Jenkins marks the queue item as stuck.
    """

    kind: str
    since_ms: int | None
    what: str = ""
    reason: str = ""
    stuck: bool = False


@dataclass(frozen=True)
class Activity:
    """What a running build does now, in one of its parallel branches. ``wait``: None if a step runs.

    ``since_ms``: milliseconds since the epoch; None if it is not known.
    """

    stages: tuple[str, ...]
    step: str = ""
    since_ms: int | None = None
    wait: OpenWait | None = None


@dataclass(frozen=True)
class OpenBuild:
    """A build that runs or is queued. ``number``: None if it is queued. ``since_ms``: milliseconds since the epoch."""

    job: str
    number: int | None
    url: str
    state: str
    since_ms: int | None
    agents: tuple[str, ...] = ()
    activities: tuple[Activity, ...] = ()

    @property
    def name(self) -> str:
        """Return the build's name, JOB#N, as commands accept it; for a queued build, the job's name."""
        return build_name(self.job, self.number) if self.number else self.job


@dataclass(frozen=True)
class _Item:
    """A queue item."""

    kind: str
    since_ms: int
    why: str
    stuck: bool
    name: str
    url: str
    for_agent: bool

    def wait(self, what: str = "", note: str = "") -> OpenWait:
        reason = f"{self.why} ({note})" if note else self.why
        return OpenWait(self.kind, self.since_ms, what, redacted(reason), self.stuck)


@dataclass(frozen=True)
class _Agents:
    """The controller's agents. ``offline``: the reason, by agent. ``running``: the agents of a build, by build URL."""

    offline: Mapping[str, str]
    running: Mapping[str, tuple[str, ...]]

    def note(self, why: str) -> str:
        """Return why the agent that ``why`` names is offline; "" if no reason was given."""
        return next((cause for name, cause in self.offline.items() if cause and name in why), "")


def open_builds(controller: Controller, selection: Selection, warn: Callable[[str], object]) -> list[OpenBuild]:
    """Return the builds that are queued or run, the oldest first. Raises ApiError.

    ``warn``: called with a message for each part that the login may not read.
    """
    items, agents = _around(controller, warn)
    found = [_queued(item) for item in items if not item.for_agent and selection.wants(path_to_job(_path(item.url)))]
    for url in agents.running:
        path = _path(url).rstrip("/")
        build = Build(controller.url, path_to_job(path.rpartition("/")[0]), int(path.rpartition("/")[2]))
        if selection.wants(build.job):
            with suppress(NotFound):
                found += filter(None, [_Running(controller, build, items, agents).open()])
    return sorted(found, key=lambda one: (one.since_ms or 0, one.job, one.number or 0))


def open_build(controller: Controller, build: Build, warn: Callable[[str], object]) -> OpenBuild | None:
    """Return what one running build does; None if it has ended or was deleted. See ``open_builds``."""
    with suppress(NotFound):
        return _Running(controller, build, *_around(controller, warn)).open()
    return None


def _around(controller: Controller, warn: Callable[[str], object]) -> tuple[list[_Item], _Agents]:
    """Return the queue and the agents, as far as the login may read them."""
    items, agents = list[_Item](), _Agents({}, {})
    try:
        items = list(_queue(controller))
    except (Forbidden, NotFound) as error:
        warn(f"cannot read the queue: {error}")
    try:
        agents = _agents(controller)
    except (Forbidden, NotFound) as error:
        warn(f"cannot read which builds run: {error}")
    return items, agents


def _queue(controller: Controller) -> Iterator[_Item]:
    for data in controller.document("queue/api/json", _QUEUE_TREE).get("items") or ():
        task = data.get("task") or {}
        why = str(data.get("why") or "")
        kind = _BY_CLASS.get(documents.short_class(data), EXECUTOR if "executor" in why else AGENT)
        yield _Item(
            kind,
            int(data.get("inQueueSince") or 0),
            why,
            bool(data.get("stuck")),
            str(task.get("name") or ""),
            str(task.get("url") or ""),
            documents.short_class(task) == _PLACEHOLDER,
        )


def _agents(controller: Controller) -> _Agents:
    offline: dict[str, str] = {}
    running: dict[str, tuple[str, ...]] = {}
    for data in controller.document("computer/api/json", _AGENTS_TREE).get("computer") or ():
        name = str(data.get("displayName") or "")
        if data.get("offline"):
            offline[name] = str(data.get("offlineCauseReason") or "")
        for url in _executing(data, "executors"):
            running[url] = (*running.get(url, ()), *(() if name in running.get(url, ()) else (name,)))
        for url in _executing(data, "oneOffExecutors"):
            # The Pipeline itself runs on the controller. The executors show where its steps run.
            running.setdefault(url, ())
    return _Agents(offline, running)


def _executing(data: Mapping[str, Any], field: str) -> Iterator[str]:
    for executor in data.get(field) or ():
        executable = executor.get("currentExecutable") or {}
        if executable.get("url") and executable.get("number"):
            yield str(executable["url"])


def _queued(item: _Item) -> OpenBuild:
    activity = Activity((), wait=item.wait())
    return OpenBuild(path_to_job(_path(item.url)), None, item.url, QUEUED, item.since_ms, (), (activity,))


class _Running:
    """Reads the state of one running build."""

    def __init__(self, controller: Controller, build: Build, items: list[_Item], agents: _Agents) -> None:
        self._controller = controller
        self._build = build
        self._items = items
        self._agents = agents
        self._logs = NodeLogs(controller, Sources(controller))
        self._blocks: set[str] = set()

    def open(self) -> OpenBuild | None:
        document = own_document(self._controller, self._build, STEP)
        if not is_running(document):
            return None
        activities = tuple(self._activities(document)) if is_pipeline(document) else ()
        since_ms = int(document.get("timestamp") or 0) or None
        url = str(document.get("url") or "")
        agents = self._agents.running.get(url, ())
        return OpenBuild(self._build.job, self._build.number, url, RUNNING, since_ms, agents, activities)

    def _activities(self, document: Mapping[str, Any]) -> Iterator[Activity]:
        answered = documents.graph_nodes(document)
        if not answered or len(answered) > MOST_NODES:
            # Without the graph, only the state of the whole build is known.
            yield from self._by_status()
            return
        nodes = graph.nodes_by_id(answered)
        elements = {element.id: element for element in flow.flow_of(nodes).walk()}
        self._blocks = {node.id for node in nodes.values() if node.is_start}
        followed = {str(parent) for node in answered for parent in node.get("parents") or ()}
        for node in nodes.values():
            if node.id not in followed:
                yield self._activity(node, _stages(node, nodes, elements))

    def _by_status(self) -> Iterator[Activity]:
        with suppress(NotFound):
            run = self._controller.build(self._build, "wfapi/describe")
            if run.get("status") == "PAUSED_PENDING_INPUT":
                yield Activity((), wait=OpenWait(APPROVAL, None, self._question()))

    def _activity(self, node: graph.FlowNode, stages: tuple[str, ...]) -> Activity:
        if node.name == flow.AGENT_START:
            return Activity(stages, wait=self._for_agent(node))
        if node.name == flow.INPUT:
            return Activity(stages, wait=OpenWait(APPROVAL, self._since(node), self._question()))
        if node.name.startswith(flow.BUILD_STEP):
            return Activity(stages, wait=self._for_build(node))
        if node.is_start or node.is_end:
            # Between two steps.
            return Activity(stages)
        described = node_times(self._controller, self._build, node.id)
        name = f"{node.name}: {redacted(described.description)}" if described and described.description else node.name
        return Activity(stages, name, described.start_ms if described else None)

    def _since(self, node: graph.FlowNode) -> int | None:
        described = node_times(self._controller, self._build, node.id)
        return described.start_ms if described else None

    def _since_before(self, node: graph.FlowNode) -> int | None:
        """Return the start of a node that wfapi does not know: when the node before it ended."""
        before = node_times(self._controller, self._build, node.before) if node.before else None
        if before is None:
            return None
        # A block that still runs has no end. Its start is the best known time.
        return before.start_ms if node.before in self._blocks else before.end_ms

    def _for_agent(self, node: graph.FlowNode) -> OpenWait:
        described = node_times(self._controller, self._build, node.id)
        since_ms = described.start_ms if described else None
        label = described.description if described else ""
        for item in self._items:
            if item.for_agent and self._is_for(item, since_ms):
                return item.wait(label, self._agents.note(item.why))
        return OpenWait(AGENT, since_ms, label)

    def _is_for(self, item: _Item, since_ms: int | None) -> bool:
        """Return whether a queue item belongs to this build: by its name or URL, otherwise by its time."""
        if item.url or item.name:
            return item.url.strip("/").endswith(build_path(self._build).strip("/"))
        return since_ms is not None and abs(item.since_ms - since_ms) <= _SAME_MS

    def _for_build(self, node: graph.FlowNode) -> OpenWait:
        log = self._logs.started(self._build, node.id)
        since_ms = self._since_before(node)
        builds = log.on(self._build.controller)
        if builds:
            return OpenWait(BUILD, since_ms, builds[-1].name)
        return OpenWait(BUILD, since_ms, next(iter(log.jobs), ""), "not started yet")

    def _question(self) -> str:
        """Return the question to a person; "" if it has been answered meanwhile."""
        answer = self._controller.get(f"{build_path(self._build)}wfapi/pendingInputActions")
        asked = (
            [str(one.get("message") or "") for one in answer if isinstance(one, Mapping)] if isinstance(answer, list) else []
        )
        return redacted("; ".join(asked))


def _stages(
    node: graph.FlowNode, nodes: Mapping[str, graph.FlowNode], elements: Mapping[str, flow.Element]
) -> tuple[str, ...]:
    """Return the names of the stages and branches around a node, outer before inner."""
    names: list[str] = []
    block: graph.FlowNode | None = node
    while block is not None:
        element = elements.get(block.id)
        if element and element.kind in (flow.STAGE, flow.BRANCH):
            names.insert(0, element.name)
        block = nodes[block.block] if block.block else None
    return tuple(names)


def _path(url: str) -> str:
    return urlsplit(url).path

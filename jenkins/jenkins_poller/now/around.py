"""Reads what a controller's queue holds, and which builds its executors run: two requests, however many builds there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import Field

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace.redact import masked

from ..fetch.api import Controller
from ..fetch.errors import Forbidden, NotFound
from ..fetch.nodelog import path_to_job
from ..fetch.records import Record, Whole, record, records
from ..fetch.times import possible_ms
from .waits import AGENT, BLOCKED, EXECUTOR, QUIET_PERIOD, OpenWait

_QUEUE_TREE = "items[_class,id,inQueueSince,why,stuck,task[_class,name,url],actions[causes[upstreamProject,upstreamBuild]]]"
_EXECUTABLE = "currentExecutable[url,number]"
_AGENTS_TREE = f"computer[displayName,offline,offlineCauseReason,executors[{_EXECUTABLE}],oneOffExecutors[{_EXECUTABLE}]]"
_PLACEHOLDER = "PlaceholderTask"
_BY_CLASS = {"WaitingItem": QUIET_PERIOD, "BlockedItem": BLOCKED}
# A name in Jenkins' typographic quotes.
_QUOTED = re.compile("\u2018([^\u2019]+)\u2019")
# What Jenkins calls its built-in node in a reason.
_CONTROLLER = "Jenkins"


class _Cause(Record):
    job: str = Field("", alias="upstreamProject")
    number: Whole = Field(0, alias="upstreamBuild")


class _Task(Record):
    kind: str = Field("", alias="_class")
    name: str = ""
    url: str = ""


class _Queued(Record):
    kind: str = Field("", alias="_class")
    since_ms: Whole = Field(0, alias="inQueueSince")
    why: str = ""
    stuck: bool = False
    task: _Task = _Task(_class="")
    actions: list[object] = []


class _Executable(Record):
    url: str = ""
    number: Whole = 0


class _Executor(Record):
    runs: _Executable = Field(_Executable(url=""), alias="currentExecutable")


class _Computer(Record):
    name: str = Field("", alias="displayName")
    offline: bool = False
    cause: str = Field("", alias="offlineCauseReason")
    executors: list[object] = []
    one_off: list[object] = Field([], alias="oneOffExecutors")


@dataclass(frozen=True)
class Item:
    """An item of the queue. ``since_ms``: milliseconds since the epoch; None if Jenkins does not say.

    ``name``, ``url``: of the job; empty for most items that wait for an agent of a ``node`` step, which is ``for_agent``.
    ``started_by``: job and number of the builds that it is for.
    """

    kind: str
    since_ms: int | None
    why: str
    stuck: bool = False
    name: str = ""
    url: str = ""
    for_agent: bool = False
    started_by: frozenset[tuple[str, int]] = frozenset()

    @property
    def job(self) -> str:
        """Return the job's full name; "" if the item does not name it."""
        return path_to_job(_path(self.url)) if self.url else ""

    def wait(self, what: str = "", note: str = "") -> OpenWait:
        """Return what the item waits for. ``note``: added to the reason."""
        reason = f"{self.why} ({note})" if note else self.why
        return OpenWait(self.kind, self.since_ms, masked(what), masked(reason), self.stuck)


@dataclass(frozen=True)
class Around:
    """The queue and the agents. ``offline``: by agent, why it is offline; "" if it is online, or nobody says why.

    ``running``: the agents on which a build runs, by build URL. ``queue_told``, ``runs_told``: whether the controller told
    what is queued, and which builds run.
    """

    items: Sequence[Item] = ()
    offline: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    queue_told: bool = True
    runs_told: bool = True

    def note(self, why: str) -> str:
        """Return why the agent that ``why`` names is offline; "" if no reason was given."""
        return next((cause for name, cause in self.offline.items() if cause and name in why), "")

    def label(self, why: str) -> str:
        """Return the label that ``why`` names; "" if it names none, or only agents."""
        names = {name for name in _QUOTED.findall(why) if name not in self.offline and name != _CONTROLLER}
        return names.pop() if len(names) == 1 else ""

    def queued(self, job: str, started_by: Build) -> Item | None:
        """Return the item of a job's build that a build started; None if it is not in the queue."""
        own = [item for item in self.items if item.job == job]
        by_cause = [item for item in own if (started_by.job, started_by.number) in item.started_by]
        return by_cause[0] if by_cause else own[0] if len(own) == 1 and not own[0].started_by else None


def kind_of(why: str) -> str:
    """Return the kind of a wait for an agent, from Jenkins' reason."""
    return EXECUTOR if "executor" in why else AGENT


def read_around(controller: Controller, warn: Callable[[str], object]) -> Around:
    """Return the queue and the agents, as far as the login may read them. Raises ApiError.

    ``warn``: called with a message for each part that the login may not read, or that is not there.
    """
    queue = _listed(controller, "queue/api/json", _QUEUE_TREE, lambda said: warn(f"cannot read the queue: {said}"))
    agents = _listed(
        controller, "computer/api/json", _AGENTS_TREE, lambda said: warn(f"it is not known which builds run: {said}")
    )
    items, computers = [_item(one) for one in records(_Queued, queue)], records(_Computer, agents)
    offline = {one.name: one.cause if one.offline else "" for one in computers if one.name}
    return Around(items, offline, _running(computers), queue is not None, agents is not None)


def _listed(controller: Controller, path: str, tree: str, warn: Callable[[str], object]) -> list[object] | None:
    """Return the list that ``tree`` asks for; None, and a warning, if the controller does not tell it. Raises ApiError."""
    name = tree.partition("[")[0]
    try:
        answer = controller.document(path, tree).get(name)
    except (Forbidden, NotFound) as error:
        warn(str(error))
        return None
    if not isinstance(answer, list):
        warn(f"{controller.url}/{path} has no list {name}; check what answers, for example a proxy")
        return None
    return answer


def build_of(controller: str, url: str) -> Build | None:
    """Return the build at a URL that Jenkins answered; None if it is no build's. ``controller``: its root URL."""
    job, _, number = _path(url).rstrip("/").rpartition("/")
    return Build(controller, path_to_job(job), int(number)) if number.isdecimal() and "/job/" in job else None


def _item(queued: _Queued) -> Item:
    causes = [record(_Cause, cause) for action in queued.actions if isinstance(action, Mapping) for cause in _causes(action)]
    return Item(
        _BY_CLASS.get(_short(queued.kind), kind_of(queued.why)),
        possible_ms(queued.since_ms),
        queued.why,
        queued.stuck,
        queued.task.name,
        queued.task.url,
        _short(queued.task.kind) == _PLACEHOLDER,
        frozenset((cause.job, cause.number) for cause in causes if cause.job),
    )


def _causes(action: Mapping[str, object]) -> Sequence[object]:
    causes = action.get("causes")
    return causes if isinstance(causes, list) else ()


def _short(kind: str) -> str:
    return kind.rpartition(".")[2].rpartition("$")[2]


def _running(computers: Sequence[_Computer]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for computer in computers:
        for executor in records(_Executor, computer.executors):
            names = found.setdefault(executor.runs.url, ())
            found[executor.runs.url] = names if computer.name in names else (*names, computer.name)
        for executor in records(_Executor, computer.one_off):
            # The Pipeline itself runs on the controller. The executors show where its steps run.
            found.setdefault(executor.runs.url, ())
    found.pop("", None)
    return found


def _path(url: str) -> str:
    return urlsplit(url).path

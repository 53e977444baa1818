"""Reads the facts about a build from the JSON of the Jenkins API. Does no I/O.

Takes any JSON: what is missing or has another type than Jenkins gives it counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .chain import Cause, Facts
from .identity import Build, job_in_path

# The fields that a build's place depends on. The poller asks for more.
TREE = (
    "actions[_class,causes[_class,shortDescription,upstreamProject,upstreamBuild,upstreamUrl],parameters[_class,name,value]]"
)
GRAPH_TREE = "nodes[_class,id,displayName,parents,iconColor]"

# Exceptions and interruptions that mean a failure of the platform: the last part of the class name.
PLATFORM_FAILURES = frozenset(
    {
        "RemovedNodeCause",
        "RemovedNodeTimeoutCause",
        "NodeRestartedCause",
        "ChannelClosedException",
        "ClosedChannelException",
        "RequestAbortedException",
        "AgentOfflineException",
        "MissingContextVariableException",
    }
)

# Counts of tests: JUnit's, and those of Maven jobs, of multi-configuration builds and of builds that aggregate others.
TEST_ACTIONS = (
    "TestResultAction",
    "AggregatedTestResultAction",
    "MatrixTestResult",
    "SurefireReport",
    "SurefireAggregatedReport",
)

_REPEATS = ("ReplayCause", "RestartDeclarativePipelineCause", "RebuildCause")
_NUMBER = re.compile(r"#([0-9]{1,18})")

# The kind for each cause: by the last part of the class name. Other causes keep the class name.
_KINDS = {
    "UserIdCause": "user",
    "UserCause": "user",
    "TimerTriggerCause": "timer",
    "SCMTriggerCause": "scm",
    "BranchEventCause": "webhook",
    "BranchIndexingCause": "branch indexing",
    "GitHubPushCause": "webhook",
    "GitLabWebHookCause": "webhook",
    "BitBucketPushCause": "webhook",
    "RemoteCause": "remote",
    "UpstreamCause": "upstream",
    "BuildUpstreamCause": "upstream",
    "ReplayCause": "replay",
    "RestartDeclarativePipelineCause": "restart",
    "RebuildCause": "rebuild",
}


def short_class(document: Mapping[str, Any]) -> str:
    """Return the class of a document without package and outer class, such as ``UserIdCause``."""
    return str(document.get("_class") or "").rpartition(".")[2].rpartition("$")[2]


def actions_of(document: Mapping[str, Any], *names: str) -> Iterator[Mapping[str, Any]]:
    """Yield a build's actions of these classes. Never look up actions by position: their number changes between answers."""
    # Most actions are empty.
    yield from (action for action in _objects(document.get("actions")) if short_class(action) in names)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in a list; none if the value is no list."""
    yield from (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()


def parameters_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a build's parameters that have a value. In the API, password parameters have none."""
    found: dict[str, str] = {}
    for action in actions_of(document, "ParametersAction"):
        for parameter in _objects(action.get("parameters")):
            value = parameter.get("value")
            if isinstance(parameter.get("name"), str) and value is not None:
                found[parameter["name"]] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def facts_of(build: Build, document: Mapping[str, Any]) -> Facts:
    """Return the facts in the JSON document of a build."""
    causes: list[Cause] = []
    repeats: Build | None = None
    for action in actions_of(document, "CauseAction"):
        for data in _objects(action.get("causes")):
            if short_class(data) in _REPEATS:
                repeats = _repeated(build, data) or repeats
            causes.append(_cause(build.controller, data))
    return Facts(causes, parameters_of(document), repeats)


def _cause(controller: str, data: Mapping[str, Any]) -> Cause:
    name = short_class(data)
    upstream = _upstream(controller, data) if name not in _REPEATS else None
    return Cause(
        kind=_KINDS.get(name, "upstream" if upstream else name),
        build=upstream,
        by_step=name == "BuildUpstreamCause",
        description=str(data.get("shortDescription") or ""),
        who=str(data.get("userName") or data.get("userId") or data.get("addr") or ""),
    )


def _upstream(controller: str, data: Mapping[str, Any]) -> Build | None:
    """Return the build that a cause names, or None."""
    job, number, url = data.get("upstreamProject"), _number(data.get("upstreamBuild")), data.get("upstreamUrl")
    if not isinstance(job, str) or not job or number is None:
        return None
    # The full name of a cell could be that of a job in a folder. The path tells them apart.
    path = job_in_path(url if isinstance(url, str) else "")
    return Build(controller, path.job, number, path.cell) if path.cell else Build(controller, job, number)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _repeated(build: Build, data: Mapping[str, Any]) -> Build | None:
    """Return the repeated build, or None. Some causes name it only in the description ("Replayed #12")."""
    number = _number(data.get("upstreamBuild"))
    match = _NUMBER.search(str(data.get("shortDescription") or ""))
    if number is not None:
        job = data.get("upstreamProject")
        return Build(build.controller, job if isinstance(job, str) and job else build.job, number)
    return Build(build.controller, build.job, int(match[1])) if match else None


def graph_nodes(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes of a build's flow graph as in the document; empty without a graph."""
    for action in actions_of(document, "FlowGraphAction"):
        return list(_objects(action.get("nodes")))
    return []

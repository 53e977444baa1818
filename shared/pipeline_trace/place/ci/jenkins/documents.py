"""From a controller's JSON to what a build's place depends on. Pure; standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .chain import Cause, Facts
from .identity import Build

# What a build's place depends on, and what else is known of a cause.
TREE = (
    "actions[_class,causes[_class,shortDescription,upstreamProject,upstreamBuild,userId,userName,addr,note],"
    "parameters[_class,name,value]]"
)
GRAPH_TREE = "nodes[_class,id,displayName,parents,iconColor]"

# Exceptions and interruptions that say that the platform failed, by the last part of their class.
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

_REPEATS = ("ReplayCause", "RestartDeclarativePipelineCause", "RebuildCause")
_NUMBER = re.compile(r"#(\d+)")

# By the last part of the cause's class; what is not listed is called by its class.
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
    """Return the class's own name of a document: behind the last dot and dollar."""
    return str(document.get("_class") or "").rpartition(".")[2].rpartition("$")[2]


def actions_of(document: Mapping[str, Any], *names: str) -> Iterator[Mapping[str, Any]]:
    """Yield a build's actions of these classes. Several answers list different numbers of actions: never by position."""
    for action in document.get("actions") or ():
        # Most are empty.
        if action and isinstance(action, Mapping) and short_class(action) in names:
            yield action


def parameters_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a build's parameters that have a value; password parameters have none in the API."""
    found: dict[str, str] = {}
    for action in actions_of(document, "ParametersAction"):
        for parameter in action.get("parameters") or ():
            value = parameter.get("value")
            if isinstance(parameter.get("name"), str) and value is not None:
                found[parameter["name"]] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def facts_of(build: Build, document: Mapping[str, Any]) -> Facts:
    """Return the facts that a build's document holds."""
    causes: list[Cause] = []
    repeats: Build | None = None
    for action in actions_of(document, "CauseAction"):
        for data in action.get("causes") or ():
            if short_class(data) in _REPEATS:
                repeats = _repeated(build, data) or repeats
            causes.append(_cause(build.controller, data))
    return Facts(causes, parameters_of(document), repeats)


def _cause(controller: str, data: Mapping[str, Any]) -> Cause:
    name = short_class(data)
    upstream = None
    if data.get("upstreamProject") and isinstance(data.get("upstreamBuild"), int) and name not in _REPEATS:
        upstream = Build(controller, str(data["upstreamProject"]), data["upstreamBuild"])
    return Cause(
        kind=_KINDS.get(name, "upstream" if upstream else name),
        build=upstream,
        by_step=name == "BuildUpstreamCause",
        description=str(data.get("shortDescription") or ""),
        who=str(data.get("userName") or data.get("userId") or data.get("addr") or ""),
    )


def _repeated(build: Build, data: Mapping[str, Any]) -> Build | None:
    """Return the build that is repeated: only the sentence names it ("Replayed #12")."""
    number = data.get("upstreamBuild")
    match = _NUMBER.search(str(data.get("shortDescription") or ""))
    if isinstance(number, int):
        return Build(build.controller, str(data.get("upstreamProject") or build.job), number)
    return Build(build.controller, build.job, int(match[1])) if match else None


def graph_nodes(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes of a run's flow graph as answered, or nothing where it has none."""
    for action in actions_of(document, "FlowGraphAction"):
        return [node for node in action.get("nodes") or () if isinstance(node, Mapping)]
    return []

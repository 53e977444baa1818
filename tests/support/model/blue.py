"""What the plugin Blue Ocean REST says about played builds: nodes (stages and branches, flat) and steps."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from .truth import ATOM, BRANCH, NOT_BUILT, SKIPPED, STAGE, Element, Node, Played

_PACKAGE = "io.jenkins.blueocean.rest.impl.pipeline"
_LINK = "io.jenkins.blueocean.rest.hal.Link"
_POST = "Declarative: "
_INTERNAL = "Get contextual object from internal APIs"
_COLORS = {"red": "FAILURE", "aborted": "ABORTED", "yellow": "UNSTABLE"}


def run_path(played: Played) -> str:
    """Return the path of a build, with a slash at its end."""
    pipelines = "".join(f"/pipelines/{quote(part)}" for part in played.job.split("/"))
    return f"/blue/rest/organizations/jenkins{pipelines}/runs/{played.number}/"


def nodes(played: Played) -> list[dict[str, Any]]:
    """Return the answer of ``nodes/``. A branch that wraps a stage of its name stands for both, and post actions lack.

    A stage inside a scripted stage or branch lacks too: the plugin shows nesting for Declarative only.
    """
    found = [element for element in played.raw if _is_shown(played, element)]
    answers = []
    for number, element in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        before = found[number - 1] if number else None
        inside = [other for other in found if other.kind == BRANCH and _outer(played, other) == element.id]
        edges = inside or ([following] if following else [])
        kind = "PARALLEL" if element.kind == BRANCH else "STAGE"
        holder = _outer(played, element) if kind == "PARALLEL" else (before.id if before else None)
        answers.append(
            {
                **_head(played, "PipelineNodeImpl", "nodes", element.id),
                "displayDescription": None,
                "displayName": element.name,
                **_times(played, element),
                "input": None,
                "type": kind,
                "causeOfBlockage": None,
                "edges": [
                    {
                        "_class": f"{_PACKAGE}.PipelineNodeImpl$EdgeImpl",
                        "id": edge.id,
                        "type": "PARALLEL" if edge.kind == BRANCH else "STAGE",
                    }
                    for edge in edges
                ],
                "firstParent": holder,
                "restartable": False,
            }
        )
    return answers


def steps(played: Played) -> list[dict[str, Any]]:
    """Return the answer of ``steps/``, of the whole build."""
    return [_step(played, node) for node in played.nodes if node.kind == ATOM and node.name != _INTERNAL]


def _is_shown(played: Played, element: Element) -> bool:
    if element.name.startswith(_POST) or element.kind not in (STAGE, BRANCH):
        return False
    return element.kind == BRANCH or not any(
        other.kind == BRANCH and other.id == element.parent and other.name == element.name for other in played.raw
    )


def _outer(played: Played, element: Element) -> str | None:
    """Return the id of the shown element around another."""
    parents = {other.id: other for other in played.raw}
    parent = element.parent
    while parent is not None and not _is_shown(played, parents[parent]):
        parent = parents[parent].parent
    return parent


def _times(played: Played, element: Element) -> dict[str, Any]:
    """Return begin, duration and state. A node begins with the first thing in it, and one that is empty has no times."""
    node = played.by_id[element.id]
    first = played.by_id.get(next((other.id for other in played.nodes if other.block == node.id), ""))
    if first is None or element.result == NOT_BUILT:
        return {"durationInMillis": 0, "startTime": None, "result": "NOT_BUILT", "state": NOT_BUILT}
    if element.result == SKIPPED:
        result, state = NOT_BUILT, SKIPPED
    else:
        result, state = ("UNKNOWN", "RUNNING") if element.end_ms is None else (element.result, "FINISHED")
    end_ms = element.end_ms or played.moment_ms or played.end_ms
    times = {"durationInMillis": end_ms - first.at_ms, "startTime": _date(first.at_ms)}
    return {**times, "result": result, "state": state}


def _step(played: Played, node: Node) -> dict[str, Any]:
    end_ms = (played.moment_ms or node.end_ms) if node.running else node.end_ms
    paused = node.running and node.asked
    finished = {"result": _COLORS.get(node.color, "SUCCESS"), "state": "FINISHED"}
    asked: dict[str, Any] = {
        "id": f"A{node.at_ms:x}",
        "message": node.asked,
        "ok": "Proceed",
        "parameters": [],
        "submitter": None,
    }
    return {
        **_head(played, "PipelineStepImpl", "steps", node.id),
        "displayDescription": node.argument or None,
        "displayName": node.name,
        "durationInMillis": end_ms - node.at_ms,
        "input": asked if paused else None,
        "startTime": _date(node.at_ms),
        "type": "STEP",
        **({"result": "UNKNOWN", "state": "PAUSED" if paused else "RUNNING"} if node.running else finished),
    }


def _head(played: Played, name: str, kind: str, node_id: str) -> dict[str, Any]:
    path = f"{run_path(played)}{kind}/{node_id}/"
    links = {what: {"_class": _LINK, "href": path + end} for what, end in (("self", ""), ("actions", "actions/"))}
    return {"_class": f"{_PACKAGE}.{name}", "_links": links, "actions": [], "id": node_id}


def _date(ms: int) -> str:
    date = datetime.fromtimestamp(ms // 1000, timezone.utc)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}+0000"

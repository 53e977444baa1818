"""What the plugin Pipeline: REST API (Stage View) says about played builds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .documents import build_path
from .truth import ATOM, END, NOT_BUILT, SKIPPED, STAGE, START, Element, Node, Played

_MOST_RUNS = 11
_STATUSES = {"red": "FAILED", "aborted": "ABORTED"}
_RESULTS = {"SUCCESS": "SUCCESS", "UNSTABLE": "UNSTABLE", "FAILURE": "FAILED", "ABORTED": "ABORTED"}


def describe(played: Played) -> dict[str, Any]:
    """Return the answer of ``wfapi/describe``: the stages, flat, in the order of their begin."""
    return _run(played, full=False)


def runs(builds: Sequence[Played], *, full: bool, since: str = "") -> list[dict[str, Any]]:
    """Return the answer of ``wfapi/runs``. ``builds``: of the job, newest first. ``since``: a display name, such as ``#3``.

    Jenkins stops after the build of that name, or after eleven.
    """
    found = []
    for played in builds:
        found.append(_run(played, full=full))
        if f"#{played.number}" == since or len(found) == _MOST_RUNS:
            break
    return found


def pending(played: Played) -> list[dict[str, Any]]:
    """Return the answer of ``wfapi/pendingInputActions``: the questions that a build asks."""
    base = f"{build_path(played)}wfapi/inputSubmit"
    return [
        {
            "id": f"A{node.at_ms:x}",
            "proceedText": "Proceed",
            "message": node.asked,
            "inputs": [],
            "proceedUrl": base,
            "abortUrl": base,
            "redirectApprovalUrl": None,
        }
        for node in played.nodes
        if node.asked and node.running
    ]


def describe_node(played: Played, node: Node) -> dict[str, Any] | None:
    """Return the answer of ``execution/node/ID/wfapi/describe``; None, which is ``null``, for a ``build`` step."""
    if node.starts:
        return None
    stage = next((element for element in played.raw if element.kind == STAGE and element.id == node.id), None)
    if stage is not None:
        return _stage(played, stage, full=True)
    return _node(played, node, console=False)


def _run(played: Played, *, full: bool) -> dict[str, Any]:
    last = played.moment_ms or played.end_ms
    status = _RESULTS.get(str(played.result), "IN_PROGRESS")
    if not played.nodes and not played.running:
        status = "NOT_EXECUTED"
    if any(node.asked and node.running for node in played.nodes):
        status = "PAUSED_PENDING_INPUT"
    stages = [_stage(played, element, full=full) for element in played.raw if element.kind == STAGE]
    return {
        "_links": {"self": {"href": f"{build_path(played)}wfapi/describe"}},
        "id": str(played.number),
        "name": f"#{played.number}",
        "status": status,
        "startTimeMillis": played.run_ms,
        "endTimeMillis": last,
        "durationMillis": last - played.run_ms,
        "queueDurationMillis": 4,
        "pauseDurationMillis": sum(stage["pauseDurationMillis"] for stage in stages),
        "stages": stages,
    }


def _stage(played: Played, element: Element, *, full: bool) -> dict[str, Any]:
    node = played.by_id[element.id]
    steps = [one for one in played.nodes if one.kind == ATOM and _shown_in(played, one) == element.id]
    found = _head(played, node, _status_of_stage(played, element, steps))
    end_ms = played.moment_ms or played.end_ms
    if node.closed_by is not None:
        # The end node counts too.
        end_ms = played.by_id[node.closed_by].end_ms
    if inner := _inner(played, element):
        # The plugin knows no nesting: a stage ends where the next one begins.
        end_ms = min(other.at_ms for other in inner)
    start_ms = node.begin_ms
    found["startTimeMillis"] = start_ms
    found["durationMillis"] = end_ms - start_ms if start_ms else 0
    found["pauseDurationMillis"] = sum(_pause(played, step) for step in steps)
    if full:
        found["stageFlowNodes"] = [_node(played, step, console=True) for step in steps]
    return found


def _status_of_stage(played: Played, element: Element, steps: Sequence[Node]) -> str:
    if element.result in (SKIPPED, NOT_BUILT):
        # A stage that is skipped after a failure looks as if it had failed itself.
        end = played.by_id[str(played.by_id[element.id].closed_by)]
        return _STATUSES.get(end.color, "NOT_EXECUTED")
    if any(step.asked and step.running for step in steps):
        return "PAUSED_PENDING_INPUT"
    return _RESULTS.get(element.result, "IN_PROGRESS")


def _shown_in(played: Played, step: Node) -> str | None:
    """Return the id of the stage that lists a step: the innermost around it, if no other stage lies between.

    In a stage with stages, the steps before the first of them are listed, and those in branches and after it are not.
    """
    stages = {element.id for element in played.raw if element.kind == STAGE}
    block, crossed = step.block, False
    while block is not None and block not in stages:
        crossed = crossed or played.by_id[block].name.startswith("Branch: ")
        block = played.by_id[block].block
    if block is None:
        return None
    holder = next(element for element in played.raw if element.id == block)
    inner = _inner(played, holder)
    if inner and (crossed or step.at_ms > min(other.at_ms for other in inner)):
        return None
    return block


def _inner(played: Played, stage: Element) -> list[Node]:
    """Return the stages inside a stage."""
    return [played.by_id[one.id] for one in played.raw if one.kind == STAGE and _is_in(played, one, stage)]


def _is_in(played: Played, inner: Element, outer: Element) -> bool:
    block = played.by_id[inner.id].block
    while block is not None:
        if block == outer.id:
            return True
        block = played.by_id[block].block
    return False


def _node(played: Played, node: Node, *, console: bool) -> dict[str, Any]:
    status = _STATUSES.get(node.color, "SUCCESS") if node.error else "SUCCESS"
    if node.name == "Stage : Body : End" and not node.begin_ms:
        status = "NOT_EXECUTED"
    if node.asked and node.running and console:
        status = "PAUSED_PENDING_INPUT"
    found = _head(played, node, status)
    path = f"{build_path(played)}execution/node/{node.id}"
    if node.kind == ATOM:
        found["_links"]["log"] = {"href": f"{path}/wfapi/log"}
    if console:
        found["_links"]["console"] = {"href": f"{path}/log"}
    if node.argument:
        found["parameterDescription"] = node.argument
    end_ms = played.moment_ms if node.running and node.kind == ATOM else node.end_ms
    found["startTimeMillis"] = node.begin_ms
    found["durationMillis"] = (end_ms or node.end_ms) - node.begin_ms if node.begin_ms else 0
    found["pauseDurationMillis"] = _pause(played, node)
    if node.kind == ATOM:
        found["parentNodes"] = list(node.parents)
    return found


def _pause(played: Played, node: Node) -> int:
    return ((played.moment_ms or node.end_ms) if node.running else node.end_ms) - node.at_ms if node.asked else 0


def _head(played: Played, node: Node, status: str) -> dict[str, Any]:
    path = f"{build_path(played)}execution/node/{node.id}/wfapi/describe"
    found: dict[str, Any] = {
        "_links": {"self": {"href": path}},
        "id": node.id,
        "name": node.name,
        "execNode": "",
        "status": status,
    }
    end = played.by_id.get(str(node.closed_by)) if node.kind == START else node
    error = end.error if end and end.kind in (END, ATOM) else None
    if error and status in ("FAILED", "ABORTED"):
        found["error"] = {"message": error.message, "type": error.type}
    return found

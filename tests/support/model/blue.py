"""What the plugin Blue Ocean REST says about played builds: nodes (stages and branches, flat) and steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from .truth import ATOM, BRANCH, NOT_BUILT, SKIPPED, STAGE, Element, Node, Played

_PACKAGE = "io.jenkins.blueocean.rest.impl.pipeline"
_LINK = "io.jenkins.blueocean.rest.hal.Link"
# The post actions are shown by the names of their steps only.
_SYNTHETIC = "Declarative: "
_INTERNAL = "Get contextual object from internal APIs"
_COLORS = {"red": "FAILURE", "aborted": "ABORTED", "yellow": "UNSTABLE"}


def run_path(played: Played) -> str:
    """Return the path of a build, with a slash at its end."""
    pipelines = "".join(f"/pipelines/{quote(part)}" for part in played.job.split("/"))
    return f"/blue/rest/organizations/jenkins{pipelines}/runs/{played.number}/"


def nodes(played: Played) -> list[dict[str, Any]]:
    """Return the answer of ``nodes/``: first the stages one after the other with their branches, then what is in branches.

    A branch stands for the stage of its name in it. Stages inside of others are shown for Declarative Pipelines only.
    """
    view = _View(played)
    return [
        _node(played, element, following, before, view.end_ms(element)) for element, following, before in view.in_order()
    ]


def steps(played: Played) -> list[dict[str, Any]]:
    """Return the answer of ``steps/``, of the whole build."""
    return [_step(played, node) for node in played.nodes if node.kind == ATOM and node.name != _INTERNAL]


class _View:
    """Which stages and branches of a build are shown, and what follows what."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._raw = {element.id: element for element in played.raw}
        self._shown = [element for element in played.raw if self._is_shown(element)]

    def in_order(self) -> Iterator[tuple[Element, list[Element], Element | None]]:
        """Yield each stage and branch with what follows it and with its first parent."""
        main = [element for element in self._shown if element.kind == STAGE and not self._branch_of(element)]
        before: Element | None = None
        late: list[tuple[int, Element, list[Element], Element]] = []
        for number, stage in enumerate(main):
            after = main[number + 1 : number + 2]
            branches = sorted((one for one in self._shown if self._stage_of(one) is stage), key=lambda one: one.name)
            yield stage, branches or after, before
            before = None if branches else stage
            for branch in branches:
                inside = [one for one in self._shown if one.kind == STAGE and self._branch_of(one) is branch]
                yield branch, inside[:1] or after, stage
                chain = [branch, *inside]
                late += [(int(branch.id), one, chain[at + 2 : at + 3] or after, chain[at]) for at, one in enumerate(inside)]
        loose = [one for one in self._shown if one.kind == BRANCH and self._stage_of(one) is None]
        yield from ((branch, list[Element](), None) for branch in loose)
        for _id, one, following, outer in sorted(late, key=lambda entry: entry[0]):
            yield one, following, outer

    def end_ms(self, element: Element) -> int:
        """Return the end as the plugin tells it: what holds stages, and what is beside it, ends with the first of them."""
        *_, outermost = element, *self._around(element)
        inner = [one for one in self._played.raw if one.kind == STAGE and outermost in self._around(one)]
        if inner and (element.kind == BRANCH or any(element in self._around(one) for one in inner)):
            return min(one.start_ms for one in inner)
        closed_by = self._played.by_id[element.id].closed_by
        return self._played.by_id[closed_by].end_ms if closed_by else self._played.moment_ms or self._played.end_ms

    def _around(self, element: Element) -> Iterator[Element]:
        parent = element.parent
        while parent is not None:
            yield self._raw[parent]
            parent = self._raw[parent].parent

    def _is_shown(self, element: Element) -> bool:
        if element.name.startswith(_SYNTHETIC) or element.kind not in (STAGE, BRANCH):
            return False
        around = list(self._around(element))
        if element.kind == BRANCH or not around:
            return True
        return self._played.declarative and (around[0].kind, around[0].name) != (BRANCH, element.name)

    def _branch_of(self, element: Element) -> Element | None:
        return next((one for one in self._around(element) if one.kind == BRANCH), None)

    def _stage_of(self, element: Element) -> Element | None:
        """Return the stage outside all branches that a branch is shown below."""
        stages = [one for one in self._around(element) if one.kind == STAGE and not self._branch_of(one)]
        return next((one for one in stages if one in self._shown), None) if element.kind == BRANCH else None


def _node(played: Played, element: Element, following: list[Element], before: Element | None, end_ms: int) -> dict[str, Any]:
    edge = f"{_PACKAGE}.PipelineNodeImpl$EdgeImpl"
    return {
        **_head(played, "PipelineNodeImpl", "nodes", element.id),
        "displayDescription": None,
        "displayName": element.name,
        **_times(played, element, end_ms),
        "input": None,
        "type": _type(element),
        "causeOfBlockage": None,
        "edges": [{"_class": edge, "id": one.id, "type": _type(one)} for one in following],
        "firstParent": before.id if before else None,
        "restartable": False,
    }


def _type(element: Element) -> str:
    return "PARALLEL" if element.kind == BRANCH else "STAGE"


def _times(played: Played, element: Element, end_ms: int) -> dict[str, Any]:
    """Return begin, duration and state. A node begins with the first thing in it; one that is empty has no times."""
    first = next((other for other in played.nodes if other.block == element.id), None)
    if first is None or element.result == NOT_BUILT:
        return {"durationInMillis": 0, "startTime": None, "result": "NOT_BUILT", "state": NOT_BUILT}
    if element.result == SKIPPED:
        result, state = NOT_BUILT, SKIPPED
    elif element.end_ms is None:
        result, state = "UNKNOWN", "PAUSED" if _asks(played, element) else "RUNNING"
    else:
        result, state = element.result, "FINISHED"
    return {
        "durationInMillis": end_ms - first.at_ms,
        "startTime": _date(first.at_ms),
        "result": result,
        "state": state,
    }


def _asks(played: Played, element: Element) -> bool:
    """Return whether a step right in a stage waits for a person."""
    return any(one.parent == element.id and played.by_id[one.id].asked and one.end_ms is None for one in played.raw)


def _step(played: Played, node: Node) -> dict[str, Any]:
    end_ms = (played.moment_ms or node.end_ms) if node.running else node.end_ms
    paused = node.running and node.asked
    finished = {"result": _COLORS.get(node.color, "SUCCESS"), "state": "FINISHED"}
    unfinished = {"result": "UNKNOWN", "state": "PAUSED" if paused else "RUNNING"}
    asked: dict[str, Any] = {"id": f"A{node.at_ms:x}", "message": node.asked, "ok": "Proceed", "parameters": []}
    return {
        **_head(played, "PipelineStepImpl", "steps", node.id),
        "displayDescription": node.argument or None,
        "displayName": node.name,
        "durationInMillis": end_ms - node.at_ms,
        "input": asked if paused else None,
        "startTime": _date(node.at_ms),
        "type": "STEP",
        **(unfinished if node.running else finished),
    }


def _head(played: Played, name: str, kind: str, node_id: str) -> dict[str, Any]:
    path = f"{run_path(played)}{kind}/{node_id}/"
    links = {what: {"_class": _LINK, "href": path + end} for what, end in (("self", ""), ("actions", "actions/"))}
    return {"_class": f"{_PACKAGE}.{name}", "_links": links, "actions": [], "id": node_id}


def _date(ms: int) -> str:
    date = datetime.fromtimestamp(ms // 1000, timezone.utc)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}+0000"

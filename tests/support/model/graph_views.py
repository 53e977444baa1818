"""What the plugin Pipeline Graph View says about played builds, as its versions of three years say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline_trace_demo import graph_view
from pipeline_trace_demo.graph_view import Told

from .documents import WHY, build_path, display_name, job_path, waiting
from .programs import Started
from .truth import ATOM, Played

_INTERNAL_FIELDS = ("agent", "causeOfBlockage", "placeholder", "url")
_INPUT = {"cancel": "Abort", "ok": "Proceed", "parameters": False}
_STAGE_FIELDS = ("agent", "nextSibling", "seqContainerName", "totalDurationMillis")
_STEP_FIELDS = ("inputStep", "totalDurationMillis")


def told(played: Played, *, stale: bool = False) -> Told:
    """Return what the plugin knows of a build apart from its graph.

    ``stale``: a running build was first asked for before Jenkins had finished its last node. The plugin keeps that answer
    until another node begins, so that nobody hears what the node waits for, where it runs and what it started.
    """
    nodes = played.nodes
    settled = [node for node in nodes if not (stale and node.running and node is nodes[-1])]
    until = played.moment_ms or played.end_ms
    return Told(
        build_path(played),
        played.run_ms,
        {node.id: node.begin_ms for node in nodes},
        complete=not played.running,
        agents={node.id: node.agent for node in settled if node.agent},
        blockages={node.id: WHY.format(node.argument) for node in waiting(played) if node in settled},
        arguments={node.id: node.argument for node in nodes if node.kind == ATOM and node.argument},
        builds={node.id: _started(node.starts) for node in settled if node.starts},
        inputs={
            node.id: {**_INPUT, "message": node.asked, "id": f"A{node.at_ms:x}"}
            for node in settled
            if node.asked and node.running
        },
        pauses={node.id: (until if node.running else node.end_ms) - node.at_ms for node in nodes if node.asked},
        skipped=played.skipped,
        left_out=played.left_out,
    )


def _started(build: Started) -> dict[str, str]:
    return graph_view.started(f"{job_path(build.job)}{build.number}/", display_name(build.job, build.number))


def tree(played: Played, *, stale: bool = False) -> dict[str, Any]:
    """Return the data of ``stages/tree``, of 2026. ``stale``: see ``told``."""
    return graph_view.tree(played.graph, told(played, stale=stale))


def all_steps(played: Played, *, stale: bool = False) -> dict[str, Any]:
    """Return the data of ``stages/allSteps``, of 2026. ``stale``: see ``told``."""
    return graph_view.all_steps(played.graph, told(played, stale=stale))


def walk(stages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the stages of a tree, outer before inner."""
    for stage in stages:
        yield stage
        yield from walk(stage["children"])


def tree_2025(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-overview/tree``: null where the later versions leave a field out."""
    data = tree(played)
    return {**data, "stages": [_stage_2025(stage) for stage in data["stages"]]}


def all_steps_2025(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-overview/allSteps``: no ``buildStep``, and null as in the tree."""
    data = all_steps(played)
    return {**data, "steps": [_step_2025(step) for step in data["steps"]]}


def tree_of_spring(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-graph/tree``, of April 2025: what runs has the time so far as its duration."""
    data = tree_2025(played)
    return {**data, "stages": [_so_far(played, stage) for stage in data["stages"]]}


def all_steps_of_spring(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-console/allSteps``, of April 2025: it does not say whether the run has ended."""
    steps = [_so_far(played, step) for step in all_steps_2025(played)["steps"]]
    return {"steps": [{name: value for name, value in step.items() if name != "inputStep"} for step in steps]}


def _so_far(played: Played, answer: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(answer)
    if found["totalDurationMillis"] is None:
        found["totalDurationMillis"] = (played.moment_ms or played.end_ms) - found["startTimeMillis"]
    if "children" in found:
        found["children"] = [_so_far(played, child) for child in found["children"]]
    return found


def _stage_2025(stage: Mapping[str, Any]) -> dict[str, Any]:
    found = {**dict.fromkeys(_STAGE_FIELDS), **stage, "children": [_stage_2025(child) for child in stage["children"]]}
    found.pop("causeOfBlockage", None)
    return found


def _step_2025(step: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in step.items() if name not in ("buildStep", "flags")}
    return {**dict.fromkeys(_STEP_FIELDS), **kept}


def tree_2024(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-graph/tree``: its times are words."""
    data, now_ms = tree(played), played.moment_ms or played.end_ms + 1000
    return {**data, "stages": [_stage_2024(stage, now_ms) for stage in data["stages"]]}


def all_steps_2024(played: Played) -> dict[str, Any]:
    """Return the data of ``pipeline-console/allSteps``: its times are words."""
    now_ms = played.moment_ms or played.end_ms + 1000
    return {"steps": [_step_2024(played, step, now_ms) for step in all_steps(played)["steps"]]}


def _stage_2024(stage: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    kept = {name: value for name, value in stage.items() if name not in _INTERNAL_FIELDS}
    none = {"seqContainerName": None, "nextSibling": None, "completePercent": 50}
    children = [_stage_2024(child, now_ms) for child in stage["children"]]
    return {**kept, **none, **_in_words(stage, now_ms), "children": children}


def _step_2024(played: Played, step: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    kept = {name: value for name, value in step.items() if name not in ("inputStep", "buildStep", "flags")}
    name = played.by_id[step["id"]].name
    title = name if step["name"] != name else ""
    return {**kept, "title": title, "completePercent": 50, **_in_words(step, now_ms)}


def _in_words(answer: Mapping[str, Any], now_ms: int) -> dict[str, str]:
    start_ms = answer["startTimeMillis"]
    took = answer.get("totalDurationMillis", now_ms - start_ms)
    return {
        "startTimeMillis": f"Started {_words(now_ms - start_ms)} ago",
        "totalDurationMillis": f"Took {_words(took)}",
        "pauseDurationMillis": f"Queued {_words(answer['pauseDurationMillis'])}",
    }


def _words(ms: int) -> str:
    if ms < 100:
        return f"{ms} ms"
    if ms < 10_000:
        return f"{round(ms / 1000, 1 if ms >= 1000 else 2):g} sec"
    if ms < 60_000:
        return f"{ms // 1000} sec"
    return f"{ms // 60_000} min {ms // 1000 % 60} sec"

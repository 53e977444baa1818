"""The answers of wfapi (the plugin Pipeline: REST API) about a job's runs, and those about one run. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_RUN = re.compile(r"(?P<job>.*)/(?P<number>[0-9]+)/wfapi/describe")
_MOST_RUNS = 10


def described(path: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return the ``wfapi/describe`` answers that are contained in an entry of ``wfapi/runs?fullStages=true``, by path."""
    found: dict[str, Any] = {}
    stages = []
    for stage in run.get("stages", []):
        stages.append({name: value for name, value in stage.items() if name != "stageFlowNodes"})
        if "stageFlowNodes" in stage:
            found[f"{path}/execution/node/{stage['id']}/wfapi/describe"] = stage
        for node in stage.get("stageFlowNodes", []):
            links = {name: link for name, link in node["_links"].items() if name != "console"}
            found[f"{path}/execution/node/{node['id']}/wfapi/describe"] = {**node, "_links": links}
    found[f"{path}/wfapi/describe"] = {**run, "stages": stages}
    return found


def runs(job: str, answers: Mapping[str, Any], since: str | None, full_stages: bool) -> list[Any] | None:
    """Return a job's ``wfapi/runs``: at most 10 runs, newest first, from their descriptions; None if there are none.

    ``since``: the name of a run (``#7``), which is the last one to list. ``full_stages``: whether to show the nodes of
    stages, as far as they are known.
    """
    numbers = [int(match["number"]) for match in map(_RUN.fullmatch, answers) if match and match["job"] == job]
    listed: list[Any] = []
    for number in sorted(numbers, reverse=True)[:_MOST_RUNS]:
        path = f"{job}/{number}"
        run = answers[f"{path}/wfapi/describe"]
        listed.append({**run, "stages": [_full(path, stage, answers) for stage in run["stages"]]} if full_stages else run)
        if run["name"] == since:
            break
    return listed or None


def _full(path: str, stage: dict[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    description = answers.get(f"{path}/execution/node/{stage['id']}/wfapi/describe")
    if not isinstance(description, dict) or "stageFlowNodes" not in description:
        return stage
    return {**stage, "stageFlowNodes": description["stageFlowNodes"]}

"""What Pipeline Graph View answers is made from a flow graph as a real controller made it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import support

from pipeline_trace.place.ci.jenkins.graph import nodes_by_id
from pipeline_trace_demo import graph_view
from pipeline_trace_demo.graph_view import Told

Recorded = dict[str, Any]
_WAITS = "There are no nodes with the label ‘macos’"


def _recorded(name: str) -> list[Recorded]:
    lines = (support.RECORDINGS / "plugins" / f"graph-view-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _name(recorded: Recorded) -> str:
    return f"{recorded['scenario']}{recorded['build']}{len(recorded['nodes'])}"


def _walk(stages: list[Any]) -> Iterator[dict[str, Any]]:
    for stage in stages:
        yield stage
        yield from _walk(stage["children"])


def _told(recorded: Recorded) -> Told:
    """Return what the plugin knew, as its answers say it: times, and what is in no graph."""
    stages, steps = list(_walk(recorded["tree"]["stages"])), recorded["all_steps"]["steps"]
    nodes = nodes_by_id(recorded["nodes"])
    begins = dict.fromkeys(nodes, 0)
    after = {node.before: node.id for node in reversed(list(nodes.values())) if node.before}
    # The last step of a branch may have the end of another branch: the stages decide.
    for answer in [*steps, *stages]:
        if answer["type"] == "UNHANDLED_EXCEPTION":
            continue
        begins[answer["id"]] = answer["startTimeMillis"]
        node = nodes[answer["id"]]
        end = after.get(node.id) if answer["type"] == "STEP" else node.closed_by
        end = next(reversed(nodes)) if answer["type"] == "PIPELINE_START" else end
        if end and "totalDurationMillis" in answer:
            begins[end] = answer["startTimeMillis"] + answer["totalDurationMillis"]
    waiting = [id_ for id_, node in nodes.items() if node.name == "Allocate node : Start" and node.closed_by is None]
    return Told(
        recorded["build"],
        next((stage["startTimeMillis"] for stage in stages if stage["type"] == "PIPELINE_START"), 0),
        begins,
        complete=recorded["tree"]["complete"],
        agents=recorded["agents"],
        blockages={id_: _WAITS for id_ in waiting if id_ not in recorded["agents"]},
        arguments={step["id"]: step["name"] for step in steps if step["name"] != nodes[step["id"]].name},
        builds={step["id"]: step["buildStep"] for step in steps if "buildStep" in step},
        inputs={step["id"]: step["inputStep"] for step in steps if "inputStep" in step},
        pauses={step["id"]: step["pauseDurationMillis"] for step in steps},
        skipped=frozenset(stage["id"] for stage in stages if stage["state"] == "skipped"),
        left_out=frozenset(stage["id"] for stage in stages if stage["state"] == "not_built"),
    )


@pytest.mark.parametrize("recorded", [*_recorded("ended"), *_recorded("running")], ids=_name)
def test_stages_and_steps_are_made_as_a_real_controller_made_them(recorded: Recorded) -> None:
    told = _told(recorded)
    assert graph_view.tree(recorded["nodes"], told) == recorded["tree"]
    assert graph_view.all_steps(recorded["nodes"], told) == recorded["all_steps"]

"""Stages of one name that run at once: which of them a process is in. Recorded graphs, in the middle of their runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from support.graphs import node, recorded
from support.model import START_MS, Element, play, shapes
from support.model.programs import Program
from support.model.truth import STAGE, STEP

from pipeline_trace.place.ci.jenkins.graph import FlowNode, nodes_by_id
from pipeline_trace.place.ci.jenkins.stages import agents_of, candidates, runs_here

WORKSPACE = "/srv/ws"


def graph(name: str, job: str, number: int, until: int) -> dict[str, FlowNode]:
    """Return a recorded graph as it was before the node ``until``."""
    return nodes_by_id([document for document in recorded(name, job, number) if int(document["id"]) < until])


def ids(name: str, nodes: Mapping[str, FlowNode], **environ: str) -> list[str]:
    return [stage.node.id for stage in candidates(name, nodes, environ)]


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"REGION": "eu", "TIER": "a"}, ["26"]),
        ({"REGION": "us", "TIER": "a"}, ["28"]),
        ({"REGION": "eu", "TIER": "b"}, ["30"]),
        ({"REGION": "us", "TIER": "b"}, ["26", "28", "30"]),
        ({"REGION": "eu"}, ["26", "28", "30"]),
        ({}, ["26", "28", "30"]),
    ],
)
def test_the_axes_of_a_declarative_matrix_tell_its_cells(environ: dict[str, str], found: list[str]) -> None:
    assert ids("deploy", graph("r6", "matrix-decl", 2, 34), **environ) == found


def test_a_cell_that_has_ended_is_told_too() -> None:
    assert ids("deploy", graph("r6", "matrix-decl", 2, 99), REGION="us", TIER="a") == ["28"]


@pytest.mark.parametrize("value", ["debian", "it's", "a, b", "x = y", "", "ü"])
def test_the_values_of_axes_are_any_text(value: str) -> None:
    nodes = nodes_by_id(
        [
            node(2, "Start of Pipeline", "first"),
            node(3, "Execute in parallel : Start", "start", 2),
            node(4, f"Branch: Matrix - OS = '{value}', JAVA = '17'", "start", 3),
            node(5, "Stage : Start", "start", 4),
            node(6, "deploy", "start", 5),
            node(7, "Branch: Matrix - OS = 'other', JAVA = '17'", "start", 3),
            node(8, "Stage : Start", "start", 7),
            node(9, "deploy", "start", 8),
        ]
    )
    assert ids("deploy", nodes, OS=value, JAVA="17") == ["6"]
    assert ids("deploy", nodes, OS="other", JAVA="17") == ["9"]


def test_of_stages_in_each_other_the_inner_one_runs() -> None:
    nodes = nodes_by_id(
        [
            node(2, "Start of Pipeline", "first"),
            node(3, "Stage : Start", "start", 2),
            node(4, "deploy", "start", 3),
            node(5, "Stage : Start", "start", 4),
            node(6, "deploy", "start", 5),
        ]
    )
    assert ids("deploy", nodes) == ["6"]


def test_a_stage_in_a_branch_does_not_exclude_the_one_around_the_branches() -> None:
    nodes = nodes_by_id(
        [
            node(2, "Start of Pipeline", "first"),
            node(3, "Stage : Start", "start", 2),
            node(4, "deploy", "start", 3),
            node(5, "Execute in parallel : Start", "start", 4),
            node(6, "Branch: a", "start", 5),
            node(7, "Stage : Start", "start", 6),
            node(8, "deploy", "start", 7),
        ]
    )
    assert ids("deploy", nodes) == ["4", "8"]


@pytest.mark.parametrize("program", [*shapes.NAMED.values(), *map(shapes.generated, range(30))], ids=lambda one: one.name)
def test_at_each_step_of_a_build_its_stage_is_among_those_found_and_alone_unless_others_run_at_once(
    program: Program,
) -> None:
    build = play(program, start_ms=START_MS)
    raw = {element.id: element for element in build.raw}
    for step in (one for one in build.raw if one.kind == STEP and one.end_ms):
        around = [one for one in way_up(step, raw) if one.kind == STAGE]
        if not around:
            continue
        moment = (step.start_ms + (step.end_ms or 0)) // 2
        found = ids(around[0].name, nodes_by_id(build.at(moment).graph))
        assert around[0].id in found
        others = [raw[one] for one in found if one != around[0].id]
        assert all(one.start_ms <= moment < (one.end_ms or 0) for one in others)


def way_up(element: Element, raw: Mapping[str, Element]) -> Iterator[Element]:
    while element.parent is not None:
        element = raw[element.parent]
        yield element


def test_agents_are_those_in_and_around_the_stage_and_in_no_other() -> None:
    nodes = graph("g-20", "parallel-nested", 1, 40)
    assert agents_of(candidates("Compile", nodes, {}), nodes) == {"33": ["26"], "35": ["27"]}
    inside = [candidates(name, nodes, {})[0] for name in ("linux", "windows")]
    assert agents_of(inside, nodes) == {"21": ["26"], "23": ["27"]}


def test_an_agent_of_all_candidates_tells_nothing() -> None:
    nodes = graph("r6", "matrix-decl", 2, 34)
    assert agents_of(candidates("deploy", nodes, {}), nodes) == {"26": [], "28": [], "30": []}


@pytest.mark.parametrize(
    ("log", "name", "here"),
    [
        (f"Running on agent-1 in {WORKSPACE}\r\n", "agent-1", True),
        (f"[2026-08-04T16:30:00.000Z] Running on agent-1 in {WORKSPACE}\n", "agent-1", True),
        (f"Still waiting to schedule task\nRunning on my agent in {WORKSPACE}\n", "my agent", True),
        (f"Running on Jenkins in {WORKSPACE}\n", "built-in", True),
        (f"Running on Jenkins in {WORKSPACE}\n", "master", True),
        (f"Running on Jenkins in {WORKSPACE}\n", "agent-1", False),
        (f"Running on agent-1 in {WORKSPACE}@2\n", "agent-1", False),
        (f"Running on agent-1 in {WORKSPACE}\n", "agent-11", False),
        ("Still waiting to schedule task\n", "agent-1", False),
        (f"Running on  in {WORKSPACE}\n", "", False),
        ("", "agent-1", False),
    ],
)
def test_agent_and_workspace_must_both_be_those_of_the_process(log: str, name: str, here: bool) -> None:
    assert runs_here(log, {"NODE_NAME": name, "WORKSPACE": WORKSPACE}) is here


def test_without_a_workspace_no_agent_is_told() -> None:
    assert not runs_here("Running on agent-1 in \n", {"NODE_NAME": "agent-1"})

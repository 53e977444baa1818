"""What is inside what in recorded Pipeline runs, and what of it becomes a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.graphs import node, recorded

from jenkins_poller.fetch import flow
from jenkins_poller.fetch.flow import AGENT, BRANCH, STAGE, STEP, Element, Flow
from pipeline_trace.place.ci.jenkins import graph


def read(documents: Sequence[Mapping[str, Any]]) -> Flow:
    return flow.flow_of(graph.nodes_by_id(documents))


def outline(elements: list[Element], *kinds: str) -> list[Any]:
    """Return names, nested, of the elements of these kinds."""
    found: list[Any] = []
    for element in elements:
        inside = outline(element.children, *kinds)
        if element.kind in kinds:
            found.append([element.name, inside] if inside else element.name)
        else:
            found += inside
    return found


def find(read_flow: Flow, node_id: str) -> Element:
    element = read_flow.find(node_id)
    assert element is not None
    return element


def test_stages_nest_and_a_branch_that_wraps_a_stage_of_its_name_is_one_with_it() -> None:
    nested = read(recorded("20", "parallel-nested"))
    assert outline(nested.top, STAGE, BRANCH) == [
        "Prepare",
        ["Test", [["Unit", ["Setup", "Run"]], ["Integration", ["Setup", "Run"]], "Lint"]],
        ["Package", ["Wheel", "Image"]],
        "Publish",
    ]
    assert not [element for element in nested.walk() if element.kind == BRANCH]


def test_a_merged_branch_has_the_stages_key_and_end() -> None:
    unit = find(read(recorded("20", "parallel-nested")), "21")
    assert (unit.key, unit.end_id, unit.parent and unit.parent.name) == (("stage", "Unit", "0"), "58", "Test")


def test_branches_that_are_more_than_a_stage_stay() -> None:
    scripted = read(recorded("21", "parallel-scripted"))
    assert outline(scripted.top, STAGE, BRANCH) == [
        ["Outer", [["a", [["Inner", [["x", ["Deep"]], ["y", ["Deep"]]]]]], ["b", ["Inner"]], "branch without stage"]],
        "Outer", "Loop", "Loop", "Loop", "Empty",
    ]  # fmt: skip


def test_a_branchs_name_is_without_its_prefix_and_its_key_is_its_nodes() -> None:
    branch = find(read(recorded("21", "parallel-scripted")), "10")
    assert (branch.kind, branch.name, branch.key, branch.end_id) == (BRANCH, "branch without stage", ("step", "10"), "34")
    assert [child.name for child in branch.children] == ["Sleep", "Print Message"]


def test_occurrences_are_those_that_a_process_in_the_build_counts() -> None:
    keys = {element.id: element.key for element in read(recorded("21", "parallel-scripted")).stages()}
    assert keys["12"] == ("stage", "Inner", "0")
    assert keys["25"] == ("stage", "Inner", "1")
    assert [keys[id_] for id_ in ("66", "71", "76")] == [("stage", "Loop", str(number)) for number in range(3)]


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("20", "parallel-nested"),
        ("21", "parallel-scripted"),
        ("34", "skip-stage"),
        ("36", "retry-timeout"),
        ("40", "approve-me"),
    ],
)
def test_keys_are_unique_in_a_build_and_every_element_is_in_the_tree_once(name: str, job: str) -> None:
    elements = list(read(recorded(name, job)).walk())
    assert len({element.key for element in elements}) == len({element.id for element in elements}) == len(elements)
    for element in elements:
        assert all(child.parent is element for child in element.children)


def test_blocks_that_only_hold_others_are_no_elements() -> None:
    for name, job in (("20", "parallel-nested"), ("21", "parallel-scripted"), ("34", "skip-stage"), ("36", "retry-timeout")):
        names = {element.name for element in read(recorded(name, job)).walk()}
        assert not [n for n in names if " : Body : " in n or n.startswith(("Stage : ", "Execute in parallel", "Branch: "))]
        assert "Set environment variables : Start" not in names
        assert "Start of Pipeline" not in names
        assert "Get contextual object from internal APIs" not in names


def test_agents_are_the_innermost_and_have_no_children() -> None:
    nested = read(recorded("20", "parallel-nested"))
    agents = [element for element in nested.walk() if element.kind == AGENT]
    assert [(agent.id, agent.parent and agent.parent.name) for agent in agents] == [
        ("5", "Prepare"), ("26", "Unit"), ("27", "Integration"), ("28", "Lint"), ("73", "Package"), ("91", "Publish"),
    ]  # fmt: skip
    assert not [agent for agent in agents if agent.children]
    runs_on = {element.id: element.agent_id for element in nested.walk()}
    assert (runs_on["37"], runs_on["38"], runs_on["36"], runs_on["77"], runs_on["13"]) == ("26", "27", "28", "73", None)


def test_an_agent_around_all_stages_is_at_the_top_beside_them() -> None:
    skip = read(recorded("34", "skip-stage"))
    assert [(element.kind, element.name) for element in skip.top] == [
        (AGENT, "Allocate node : Start"),
        (STAGE, "Build"),
        (STAGE, "Deploy"),
        (STAGE, "Group"),
        (STAGE, "Notify"),
    ]
    assert {element.agent_id for element in skip.stages()} == {"3"}


def test_a_step_outside_of_stages_is_at_the_top() -> None:
    scripted = read(recorded("21", "parallel-scripted"))
    assert [element.id for element in scripted.top if element.kind == STEP] == ["59"]


def test_stages_that_when_left_out_are_skipped_with_all_in_them() -> None:
    skipped = {stage.name: stage.skipped for stage in read(recorded("34", "skip-stage")).stages()}
    assert skipped == {"Build": False, "Deploy": True, "Group": True, "G1": True, "G2": True, "Notify": False}


def test_a_stage_after_a_failed_one_is_skipped_and_post_actions_are_not() -> None:
    skipped = {stage.name: stage.skipped for stage in read(recorded("36", "retry-timeout")).stages()}
    assert skipped == {"Flaky": False, "Slow": False, "Never": True, "Declarative: Post Actions": False}


@pytest.mark.parametrize(("name", "job"), [("20", "parallel-nested"), ("21", "parallel-scripted"), ("40", "approve-me")])
def test_a_stage_that_ran_is_not_skipped_even_where_it_is_empty(name: str, job: str) -> None:
    assert not [stage.name for stage in read(recorded(name, job)).stages() if stage.skipped]


def test_retries_are_steps_one_after_the_other() -> None:
    flaky = find(read(recorded("36", "retry-timeout")), "6")
    assert [(step.id, step.node.color) for step in flaky.children] == [("9", "red"), ("12", "blue")]


def test_what_runs_in_a_time_limit_and_what_holds_one() -> None:
    found = read(recorded("36", "retry-timeout"))
    assert [element.id for element in found.walk() if element.limited] == ["21"]
    assert [element.name for element in found.stages() if element.holds_limit] == ["Slow"]
    assert [element.end_color for element in found.stages()] == ["blue", "aborted", "aborted", "blue"]


def test_a_wait_for_a_person_is_told_apart() -> None:
    waits = [element for element in read(recorded("40", "approve-me")).walk() if element.is_input]
    assert [(element.id, element.parent and element.parent.name) for element in waits] == [("14", "Approve")]


def test_steps_that_start_builds_are_told_apart() -> None:
    found = [element for element in read(recorded("11", "app-build")).walk() if element.starts_build]
    assert [(element.id, element.parent and element.parent.name) for element in found] == [
        ("42", "Deploy integration"), ("47", "Deploy staging"), ("52", "Deploy production"),
    ]  # fmt: skip


def test_what_came_just_after_a_node_is_known() -> None:
    assert read(recorded("36", "retry-timeout")).after["6"] == "7"


def test_walking_yields_outer_before_inner() -> None:
    seen: set[int] = set()
    for element in read(recorded("21", "parallel-scripted")).walk():
        assert element.parent is None or id(element.parent) in seen
        seen.add(id(element))


def test_has_blocks_tells_where_wfapis_duration_stops_too_early() -> None:
    nested = read(recorded("20", "parallel-nested"))
    assert {stage.name for stage in nested.stages() if stage.has_blocks} == {"Test", "Unit", "Integration", "Package"}


@pytest.mark.parametrize("ids", [range(0), range(3), range(20), range(40), range(65)])
def test_a_run_under_way_can_be_read_at_any_moment(ids: range) -> None:
    documents = [document for document in recorded("20", "parallel-nested") if int(document["id"]) <= ids.stop]
    read(documents)


def test_a_branch_with_a_stage_of_its_name_and_something_else_stays() -> None:
    documents = [
        node(2, "Start of Pipeline", "first"),
        node(3, "Execute in parallel : Start", "start", 2),
        node(4, "Branch: a", "start", 3),
        node(5, "Print Message", "step", 4),
        node(6, "Stage : Start", "start", 5),
        node(7, "a", "start", 6),
    ]
    assert outline(read(documents).top, STAGE, BRANCH) == [["a", ["a"]]]
    assert read(documents).find("4") is not None


def test_deep_nesting_needs_no_recursion() -> None:
    documents = [node(2, "Start of Pipeline", "first")]
    for number in range(3, 3_003, 2):
        documents += [node(number, "Stage : Start", "start", number - 1), node(number + 1, f"s{number}", "start", number)]
    assert len(read(documents).stages()) == 1_500

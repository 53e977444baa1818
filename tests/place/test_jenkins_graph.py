"""The flow graph: nesting from parents alone, stages counted by numeric id. Recorded graphs and made-up ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.graphs import node, recorded

from pipeline_trace.place.ci.jenkins.graph import FlowNode, nodes_by_id, stages_by_id


def blocks(nodes: Mapping[str, FlowNode], id_: str) -> list[str]:
    """Return the names of the blocks around a node, inner before outer."""
    found = []
    block = nodes[id_].block
    while block is not None:
        found.append(nodes[block].name)
        block = nodes[block].block
    return found


def occurrences(documents: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    return {id_: (stage.node.name, stage.occurrence) for id_, stage in stages_by_id(nodes_by_id(documents)).items()}


@pytest.mark.parametrize(("name", "job"), [("20", "parallel-nested"), ("21", "parallel-scripted")])
def test_recorded_lists_are_not_in_the_order_of_ids(name: str, job: str) -> None:
    ids = [int(document["id"]) for document in recorded(name, job)]
    assert ids != sorted(ids)
    assert list(nodes_by_id(recorded(name, job))) == [str(id_) for id_ in sorted(ids)]


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
def test_every_block_of_a_finished_run_is_closed_by_an_end_of_its_own(name: str, job: str) -> None:
    nodes = nodes_by_id(recorded(name, job))
    starts = [node for node in nodes.values() if node.is_start]
    ends = [node for node in nodes.values() if node.is_end]
    assert len(starts) == len(ends) > 0
    assert {node.closed_by for node in starts} == {node.id for node in ends}
    for end in ends:
        assert end.closes is not None
        start = nodes[end.closes]
        assert start.closed_by == end.id
        assert start.block == end.block
        assert int(start.id) < int(end.id)


def test_an_end_has_the_name_of_its_start() -> None:
    nodes = nodes_by_id(recorded("20", "parallel-nested"))
    for closing, opening in (("Stage : End", "Stage : Start"), ("Allocate node : End", "Allocate node : Start")):
        ends = [node for node in nodes.values() if node.name == closing]
        assert ends
        assert all(node.closes and nodes[node.closes].name == opening for node in ends)


def test_nesting_of_declarative_parallels() -> None:
    nodes = nodes_by_id(recorded("20", "parallel-nested"))
    assert blocks(nodes, "53") == [
        "Run", "Stage : Start", "Allocate node : Body : Start", "Allocate node : Start", "Integration", "Stage : Start",
        "Branch: Integration", "Execute in parallel : Start", "Test", "Stage : Start",
    ]  # fmt: skip
    # What comes after the parallel is in none of its branches.
    assert blocks(nodes, "72") == ["Stage : Start"]
    assert blocks(nodes, "69") == ["Stage : Start"]


def test_nesting_of_scripted_parallels() -> None:
    nodes = nodes_by_id(recorded("21", "parallel-scripted"))
    assert [name for name in blocks(nodes, "32") if ":" not in name or name.startswith("Branch")] == [
        "Deep", "Branch: y", "Inner", "Branch: a", "Outer",
    ]  # fmt: skip
    assert blocks(nodes, "33") == ["Branch: branch without stage", "Execute in parallel : Start", "Outer", "Stage : Start"]
    assert blocks(nodes, "59") == ["Allocate node : Body : Start", "Allocate node : Start"]


def test_occurrences_are_counted_by_numeric_id_although_the_list_is_in_another_order() -> None:
    found = occurrences(recorded("20", "parallel-nested"))
    assert found == {
        "4": ("Prepare", 0), "13": ("Test", 0), "21": ("Unit", 0), "23": ("Integration", 0), "25": ("Lint", 0),
        "33": ("Setup", 0), "35": ("Setup", 1), "47": ("Run", 0), "52": ("Run", 1),
        "72": ("Package", 0), "76": ("Wheel", 0), "81": ("Image", 0), "90": ("Publish", 0),
    }  # fmt: skip
    found = occurrences(recorded("21", "parallel-scripted"))
    assert {id_: stage for id_, stage in found.items() if stage[0] in ("Outer", "Inner", "Deep", "Loop")} == {
        "4": ("Outer", 0), "61": ("Outer", 1), "12": ("Inner", 0), "25": ("Inner", 1), "27": ("Deep", 0), "29": ("Deep", 1),
        "66": ("Loop", 0), "71": ("Loop", 1), "76": ("Loop", 2),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["20", "21"])
def test_the_order_of_the_list_makes_no_difference(name: str) -> None:
    documents = recorded(name, "parallel-nested" if name == "20" else "parallel-scripted")
    assert nodes_by_id(documents) == nodes_by_id(documents[::-1]) == nodes_by_id(sorted(documents, key=lambda d: d["id"]))


def test_ids_are_numbers_and_not_words() -> None:
    documents = [
        node(2, "Start of Pipeline", "first"),
        node(9, "Stage : Start", "start", 2),
        node(10, "A", "start", 9),
        node(11, "Stage : Body : End", "end", 10),
        node(99, "Stage : End", "end", 11),
        node(100, "Stage : Start", "start", 99),
        node(101, "A", "start", 100),
    ]
    assert occurrences(documents[::-1]) == {"10": ("A", 0), "101": ("A", 1)}


def test_a_skipped_stage_and_one_after_it_are_stages() -> None:
    assert [name for name, _ in occurrences(recorded("34", "skip-stage")).values()] == [
        "Build", "Deploy", "Group", "G1", "G2", "Notify",
    ]  # fmt: skip


def test_a_run_under_way_has_blocks_that_are_open() -> None:
    documents = [document for document in recorded("20", "parallel-nested") if int(document["id"]) <= 40]
    nodes = nodes_by_id(documents)
    open_stages = {stage.node.name for stage in stages_by_id(nodes).values() if stage.node.closed_by is None}
    assert open_stages == {"Test", "Unit", "Integration", "Lint", "Setup"}
    assert stages_by_id(nodes)["4"].node.closed_by == "10"


def test_a_stage_named_like_a_block_is_a_stage() -> None:
    documents = [
        node(2, "Start of Pipeline", "first"),
        node(3, "Stage : Start", "start", 2),
        node(4, "Allocate node : Start", "start", 3),
        node(5, "Stage : Start", "start", 4),
        node(6, "Branch: x", "start", 5),
    ]
    assert [name for name, _ in occurrences(documents).values()] == ["Allocate node : Start", "Branch: x"]


def test_the_stages_key_holds_its_name_and_occurrence() -> None:
    assert stages_by_id(nodes_by_id(recorded("20", "parallel-nested")))["52"].key == ("stage", "Run", "1")


@pytest.mark.parametrize(
    "broken",
    [
        {}, {"id": "7"}, {"_class": "x.StepAtomNode"}, {"_class": "x.StepAtomNode", "id": None},
        {"_class": "x.StepAtomNode", "id": "seven"}, {"_class": "x.StepAtomNode", "id": "²"},
    ],
)  # fmt: skip
def test_what_is_no_node_is_left_out(broken: dict[str, Any]) -> None:
    documents = [
        node(2, "Start of Pipeline", "first"),
        broken,
        node(3, "Stage : Start", "start", 2),
        node(4, "A", "start", 3),
    ]
    assert list(nodes_by_id(documents)) == ["2", "3", "4"]


def test_a_node_whose_parents_are_unknown_stands_alone() -> None:
    nodes = nodes_by_id([node(5, "Shell Script", "step", 4), {**node(6, "x", "step"), "parents": None}])
    assert [(n.block, n.before) for n in nodes.values()] == [(None, None), (None, None)]


def test_an_end_without_a_start_closes_nothing() -> None:
    nodes = nodes_by_id([node(2, "Start of Pipeline", "first"), node(3, "Stage : End", "end", 2)])
    assert (nodes["3"].closes, nodes["3"].block) == (None, None)


def test_a_parent_with_a_higher_id_makes_no_loop() -> None:
    nodes = nodes_by_id([node(3, "a", "start", 4), node(4, "b", "start", 3)])
    assert blocks(nodes, "4") == ["a"]
    assert blocks(nodes, "3") == []


def test_no_nodes_are_no_stages() -> None:
    assert nodes_by_id([]) == {}
    assert stages_by_id({}) == {}


def test_a_graph_of_many_nodes_is_read_in_reasonable_time_without_recursion() -> None:
    documents = [node(2, "Start of Pipeline", "first")]
    documents += [node(number, f"block {number}", "start", number - 1) for number in range(3, 5_003)]
    documents += [node(number, "Shell Script", "step", number - 1) for number in range(5_003, 20_003)]
    nodes = nodes_by_id(documents)
    assert nodes["20002"].block == "5002"

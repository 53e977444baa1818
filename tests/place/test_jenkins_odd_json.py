"""The readers of Jenkins' JSON take any JSON: recorded answers with values that are missing, null or of other types."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import support

from pipeline_trace.place.ci.jenkins import documents, stages
from pipeline_trace.place.ci.jenkins.graph import nodes_by_id, stages_by_id
from pipeline_trace.place.ci.jenkins.identity import Build

ODD: tuple[Any, ...] = (None, True, 7, -1, 1.5, "", "7", "x", "9" * 5000, [], [None], [[]], {}, {"_class": 7}, [7, "x", {}])
MUTATIONS = 300
RECORDED = [
    ("11", "/job/app-deploy/2"),
    ("20", "/job/parallel-nested/1"),
    ("50", "/job/leaf-freestyle/1"),
    ("r5", "/job/multi/REGION=eu/1"),
    ("r6", "/job/matrix-decl/2"),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list or object in a document, with a key of it."""
    todo = [value]
    while todo:
        one = todo.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            yield one, key
            todo.append(one[key])


def mutated(document: Any, chance: random.Random) -> Any:
    """Return a copy with one to five values that are missing, odd, or there twice."""
    changed = copy.deepcopy(document)
    for _ in range(chance.randint(1, 5)):
        found = list(places(changed))
        if not found:
            break
        inside, key = chance.choice(found)
        way = chance.random()
        if way < 0.2:
            del inside[key]
        elif way < 0.3 and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        else:
            inside[key] = copy.deepcopy(chance.choice(ODD))
    return changed


def read(document: Any) -> None:
    """Read all that the readers give, and follow it to its ends."""
    facts = documents.facts_of(Build("https://ci.example.com", "app", 7), document)
    assert all(isinstance(value, str) for pair in facts.parameters.items() for value in pair)
    for cause in facts.causes:
        assert cause.build is None or (isinstance(cause.build.job, str) and type(cause.build.number) is int)
    nodes = nodes_by_id(documents.graph_nodes(document))
    for name in {stage.node.name for stage in stages_by_id(nodes).values()}:
        stages.agents_of(stages.candidates(name, nodes, {"REGION": "eu"}), nodes)
    for node in nodes.values():
        block, seen = node.block, 0
        while block is not None:
            block, seen = nodes[block].block, seen + 1
            assert seen <= len(nodes)


def documented(name: str, path: str) -> Any:
    document = copy.deepcopy(support.recording(name).at(None).objects[path])
    # A part of the graph is enough to change in many ways.
    actions = [{**action, "nodes": action["nodes"][:40]} if "nodes" in action else action for action in document["actions"]]
    return {"_class": document["_class"], "actions": actions}


@pytest.mark.parametrize(("name", "path"), RECORDED)
def test_no_change_of_a_recorded_answer_raises_an_error(name: str, path: str) -> None:
    document, chance = documented(name, path), random.Random(f"{name} {path}")
    read(document)
    for _ in range(MUTATIONS):
        read(mutated(document, chance))


@pytest.mark.parametrize("field", ["_class", "id", "displayName", "parents", "iconColor"])
def test_every_field_of_every_node_may_be_odd(field: str) -> None:
    document = documented("20", "/job/parallel-nested/1")
    for value in ODD:
        for node in documents.graph_nodes(document):
            node[field] = value  # type: ignore[index]
        read(document)


def test_a_second_node_with_an_id_is_ignored() -> None:
    def node(id_: int, name: str, *parents: str) -> dict[str, Any]:
        return {"_class": "x.StepStartNode", "id": str(id_), "displayName": name, "parents": [*parents]}

    nodes = nodes_by_id([node(5, "a"), node(5, "b", "5")])
    assert [(found.name, found.block) for found in nodes.values()] == [("a", None)]

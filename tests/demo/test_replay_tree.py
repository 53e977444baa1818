"""Jenkins' tree= queries: their grammar, and the recorded answers to real ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
import support

from pipeline_trace_demo.tree import Node, TreeError, parse, select

ALL = {"_class": "x", "a": 1, "n": None, "l": [{}, {}, {"_class": "z"}], "s": [1, 2]}
# How many queries there are: none may go uncompared.
ASKED_WITH_TREE = {
    "10-hello-freestyle": 14,
    "11-app-build-deploy": 14,
    "20-parallel-nested": 3,
    "40-input": 7,
    "50-upstream": 29,
    "60-queue": 23,
    "70-folders-unicode": 7,
    "incident-host-down": 46,
    "98-incident-hangs-now": 27,
}


def evaluate(document: Any, tree: str) -> Any:
    return select(document, parse(tree))


@pytest.mark.parametrize(
    ("tree", "shown"),
    [
        ("a", {"_class": "x", "a": 1}),
        ("nosuchfield", {"_class": "x"}),
        ("a,nosuchfield[b]", {"_class": "x", "a": 1}),
        ("o", {"_class": "x", "o": {"_class": "y"}}),
        ("o[p]", {"_class": "x", "o": {"_class": "y", "p": 2}}),
        ("*", {**ALL, "o": {"_class": "y"}}),
        ("o[*],a", {"_class": "x", "a": 1, "o": {"_class": "y", "p": 2, "q": {}}}),
        ("*,o[p]", {**ALL, "o": {"_class": "y", "p": 2}}),
        ("l[i]{0,2}", {"_class": "x", "l": [{"i": 0}, {"i": 1}]}),
        ("l[i]{1}", {"_class": "x", "l": [{"i": 1}]}),
        ("l[i]{1,}", {"_class": "x", "l": [{"i": 1}, {"_class": "z", "i": 2}]}),
        ("l[i]{,1}", {"_class": "x", "l": [{"i": 0}]}),
        ("l[i]{5,9}", {"_class": "x", "l": []}),
        ("s{1,2}", {"_class": "x", "s": [2]}),
    ],
)
def test_what_a_query_shows(tree: str, shown: dict[str, Any]) -> None:
    document = {
        "_class": "x",
        "a": 1,
        "n": None,
        "o": {"_class": "y", "p": 2, "q": {"r": 3}},
        "l": [{"i": 0}, {"i": 1}, {"_class": "z", "i": 2}],
        "s": [1, 2],
    }
    assert evaluate(document, tree) == shown


def test_a_maps_keys_are_data() -> None:
    builds = {"origin/main": {"_class": "Build", "buildNumber": 1, "marked": {"SHA1": "0"}}}
    document = {"buildsByBranchName": builds}
    assert evaluate(document, "*") == {"buildsByBranchName": {"origin/main": {"_class": "Build"}}}
    assert evaluate(document, "buildsByBranchName[buildNumber]") == {
        "buildsByBranchName": {"origin/main": {"_class": "Build", "buildNumber": 1}}
    }


def test_selecting_changes_nothing() -> None:
    document = {"l": [{"i": 0, "k": 0}]}
    evaluate(document, "l[i]")["l"][0]["i"] = 9
    assert document == {"l": [{"i": 0, "k": 0}]}


@pytest.mark.parametrize("tree", ["bad[", "bad[]", "a]", "a,", ",a", "a,,b", "", "a{", "a{}", "a{x}", "a{1,2", "a[b]c"])
def test_malformed_queries(tree: str) -> None:
    with pytest.raises(TreeError):
        parse(tree)


def test_an_error_says_where() -> None:
    with pytest.raises(TreeError, match="position 4") as error:
        parse("bad[")
    assert error.value.position == 4


def test_nodes() -> None:
    assert parse("a,b[c]{0,5}") == Node({"a": Node(), "b": Node({"c": Node()}, 0, 5)})


@pytest.mark.parametrize("name", ASKED_WITH_TREE)
def test_recorded_queries_give_the_recorded_answers(name: str) -> None:
    recording = support.recording(name)
    compared = 0
    for exchange in recording.exchanges:
        if exchange.is_document and exchange.status == 200 and "tree=" in exchange.query:
            tree = parse_qs(exchange.query)["tree"][0]
            document = recording.at(exchange.at_ms if not exchange.late else None).compose()[exchange.path]
            assert comparable(evaluate(document, tree)) == comparable(exchange.body), (exchange.path, tree)
            compared += 1
    assert compared == ASKED_WITH_TREE[name]


def comparable(answer: Any, name: str = "") -> Any:
    # Two answers about one build hold different numbers of actions of which nothing is shown, in different order.
    if isinstance(answer, dict):
        return {name: comparable(value, name) for name, value in answer.items()}
    if isinstance(answer, list):
        items = [comparable(item) for item in answer]
        return sorted((item for item in items if item), key=lambda item: item["_class"]) if name == "actions" else items
    return answer

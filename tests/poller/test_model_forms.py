"""The model of a controller answers as each plugin was recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest
import support
from support.model import START_MS, Played, blue, graph_views, play, played, shapes, wfapi
from support.model.programs import Agent, Branch, Parallel, Program, Stage, declarative_parallel, echo, sh, sleep
from support.model.truth import BRANCH

# What a key may hold in recorded answers: the names of its values' types.
Form = dict[str, set[str]]


def outline(stages: Iterable[dict[str, Any]]) -> list[Any]:
    return [(stage["name"], stage["type"], stage["state"], outline(stage["children"])) for stage in stages]


def form(answers: Sequence[Mapping[str, Any]]) -> tuple[Form, set[str]]:
    """Return the types of each key's values, and the keys that all answers have."""
    types: Form = {}
    for answer in answers:
        for key, value in answer.items():
            types.setdefault(key, set()).add(type(value).__name__)
    return types, set.intersection(*(set(answer) for answer in answers))


def assert_like(made: Sequence[Mapping[str, Any]], recorded: Sequence[Mapping[str, Any]]) -> None:
    """No key and no type is made that was not recorded, and what every recorded answer has is never missing."""
    types, always = form(recorded)
    for answer in made:
        assert always <= set(answer)
        assert {
            key: type(value).__name__ for key, value in answer.items() if type(value).__name__ not in types.get(key, ())
        } == {}


def answers(of: Callable[[Played], Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what the named programs' builds answer, at their ends and on the way."""
    builds = [played(name) for name in shapes.NAMED]
    moments = [build.at(START_MS + 4000) for build in builds]
    return [answer for build in [*builds, *moments] for answer in of(build)]


def recorded(path: str) -> list[Any]:
    """Return the recorded answers with 200 to paths that match."""
    files = [next(support.RECORDINGS.glob(f"{name}-*.jsonl")) for name in ("11", "20", "21", "30", "33", "34", "36", "40")]
    exchanges = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()[1:]]
    found = [one for one in exchanges if one["status"] == 200 and re.search(path, one["path"])]
    return [one["json"] for one in found if one.get("json")]


@cache
def of_plugin(name: str) -> list[dict[str, Any]]:
    """Return the recorded answers of a plugin."""
    text = (support.RECORDINGS / "plugins" / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def blue_recordings(what: str, scenario: str = "") -> list[dict[str, Any]]:
    pages = [one for one in of_plugin("blue-ocean") if f"/{what}/" in one["path"] and one["scenario"].startswith(scenario)]
    return [answer for page in pages for answer in page["json"]]


# What ran when 20-parallel-nested and 21-parallel-scripted were recorded.
_RAN = {
    "20": Program("parallel-nested", [
        Stage("Prepare", [Agent("built-in", [sh("sleep 1")])]),
        Stage("Test", [declarative_parallel(
            Branch("Unit", [Agent("built-in", [Stage("Setup", [sh("sleep 1")]), Stage("Run", [sh("sleep 2", 2000)])])]),
            Branch("Integration", [Agent("built-in", [
                Stage("Setup", [sh("sleep 2", 2000)]), Stage("Run", [sh("sleep 1")]),
            ])]),
            Branch("Lint", [Agent("built-in", [sh("sleep 1; echo lint")])]),
        )]),
        Stage("Package", [Agent("built-in", [Stage("Wheel", [sh("sleep 1")]), Stage("Image", [sh("sleep 1")])])]),
        Stage("Publish", [Agent("built-in", [sh("sleep 1")])]),
    ], declarative=True),
    "21": Program("parallel-scripted", [
        Stage("Outer", [Parallel([
            Branch("a", [Stage("Inner", [Parallel([
                Branch("x", [Stage("Deep", [sh("sleep 1")])]), Branch("y", [Stage("Deep", [sh("sleep 2", 2000)])]),
            ])])]),
            Branch("b", [Stage("Inner", [sh("sleep 1")])]),
            Branch("branch without stage", [sleep(1), echo("no stage here")]),
        ])]),
        Agent("built-in", [
            sh("echo step outside any stage", 300), Stage("Outer", [sh("sleep 1; echo second Outer")]),
            *(Stage("Loop", [echo(f"iteration {number}")]) for number in range(3)), Stage("Empty"),
        ]),
    ]),
}  # fmt: skip


def blue_outline(nodes: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return name, type, state, first parent and edges, these by their names."""
    names = {node["id"]: node["displayName"] for node in nodes}
    found = []
    for node in nodes:
        following = sorted(names[edge["id"]] for edge in node["edges"])
        found.append((node["displayName"], node["type"], node["state"], names.get(node["firstParent"]), following))
    return found


@pytest.mark.parametrize("scenario", sorted(_RAN))
def test_a_build_of_the_recorded_shape_is_told_as_it_was_recorded(scenario: str) -> None:
    build = play(_RAN[scenario], start_ms=START_MS)
    assert blue_outline(blue.nodes(build)) == blue_outline(blue_recordings("nodes", scenario))
    views = [one for one in of_plugin("graph-view-2024") if one["path"].endswith("/tree")]
    (view,) = [one["json"]["data"] for one in views if one["scenario"].startswith(scenario)]
    assert outline(graph_views.tree_2024(build)["stages"]) == outline(view["stages"])
    (run,) = [one for one in recorded(r"/1/wfapi/describe") if one["stages"] and f"/job/{build.job}/" in str(one["_links"])]
    names = [stage["name"] for stage in wfapi.describe(build)["stages"]]
    assert sorted(names) == sorted(stage["name"] for stage in run["stages"])


def test_graph_views_answers_look_like_recorded_ones() -> None:
    builds = of_plugin("graph-view-ended") + of_plugin("graph-view-running")
    trees = [stage for one in builds for stage in graph_views.walk(one["tree"]["stages"])]
    assert_like(answers(lambda build: list(graph_views.walk(graph_views.tree(build)["stages"]))), trees)
    steps = [step for one in builds for step in one["all_steps"]["steps"]]
    assert_like(answers(lambda build: graph_views.all_steps(build)["steps"]), steps)


def test_graph_views_answers_of_2024_look_like_recorded_ones() -> None:
    found = [one["json"]["data"] for one in of_plugin("graph-view-2024")]
    trees = [stage for one in found for stage in graph_views.walk(one.get("stages", ()))]
    assert_like(answers(lambda build: list(graph_views.walk(graph_views.tree_2024(build)["stages"]))), trees)
    steps = [step for one in found for step in one.get("steps", ())]
    assert_like(answers(lambda build: graph_views.all_steps_2024(build)["steps"]), steps)


def test_what_later_versions_of_graph_view_leave_out_is_null_in_those_of_2025() -> None:
    (stage,) = graph_views.tree_2025(played("agents").at(START_MS + 3000))["stages"]
    assert (stage["state"], stage["agent"], stage["totalDurationMillis"]) == ("queued", None, None)
    assert "causeOfBlockage" not in stage
    (step,) = [one for one in graph_views.all_steps_2025(played("deploy-fails"))["steps"] if "Building" in one["name"]]
    assert (step["inputStep"], "buildStep" in step) == (None, False)


def test_what_runs_had_its_time_so_far_in_the_spring_of_2025() -> None:
    running = played("plain").at(START_MS + 2000)
    (stage,) = graph_views.tree_of_spring(running)["stages"]
    assert stage["startTimeMillis"] + stage["totalDurationMillis"] == START_MS + 2000
    assert set(graph_views.all_steps_of_spring(running)) == {"steps"}


@pytest.mark.parametrize(
    ("name", "after_ms", "fresh"), [("deploys", 8000, "buildStep"), ("deploys", 25_000, "inputStep")], ids=["build", "input"]
)
def test_a_stale_answer_does_not_tell_what_the_last_node_does(name: str, after_ms: int, fresh: str) -> None:
    build = played(name).at(START_MS + after_ms)
    (step,) = [step for step in graph_views.all_steps(build)["steps"] if step["state"] in ("running", "paused")]
    (stale,) = [step for step in graph_views.all_steps(build, stale=True)["steps"] if step["state"] == "running"]
    assert (fresh in step, fresh in stale, step["id"]) == (True, False, stale["id"])


def test_wfapis_answers_look_like_recorded_ones() -> None:
    runs = [run for page in recorded(r"wfapi/runs\?fullStages=true") for run in page] + recorded(r"\d/wfapi/describe")
    runs = [run for run in runs if "stages" in run]
    assert_like(answers(lambda build: wfapi.runs([build], full=True)), runs)
    nodes = recorded(r"execution/node/\d+/wfapi/describe")
    made = answers(lambda build: [one for node in build.nodes if (one := wfapi.describe_node(build, node))])
    assert_like([one for one in made if "stageFlowNodes" in one], [one for one in nodes if "stageFlowNodes" in one])
    assert_like([one for one in made if "parentNodes" in one], [one for one in nodes if "parentNodes" in one])
    assert_like(made, nodes)


def test_blue_oceans_answers_look_like_recorded_ones() -> None:
    for what, made in (("nodes", blue.nodes), ("steps", blue.steps)):
        assert_like(answers(made), blue_recordings(what))


def test_wfapis_stage_with_stages_stops_at_the_first_of_them() -> None:
    nested = played("nested")
    outer, inner = nested.element("Outer"), nested.element("Inner")
    told = wfapi.describe(nested)["stages"][0]
    assert told["startTimeMillis"] + told["durationMillis"] == inner.start_ms < (outer.end_ms or 0)
    (run,) = wfapi.runs([nested], full=True)
    assert [step["parameterDescription"] for step in run["stages"][0]["stageFlowNodes"]] == ["before"]


def test_wfapi_lists_eleven_builds_at_most_and_none_before_the_one_asked_for() -> None:
    builds = [play(shapes.NAMED["plain"], start_ms=START_MS, number=number) for number in range(20, 0, -1)]
    assert [run["id"] for run in wfapi.runs(builds, full=True)] == [str(number) for number in range(20, 9, -1)]
    assert [run["id"] for run in wfapi.runs(builds, full=True, since="#18")] == ["20", "19", "18"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parallel-top-level", [("Prepare", "STAGE"), ("Parallel", "PARALLEL_BLOCK"), ("Clean up", "STAGE")]),
        ("no-stage", [("System Generated", "PIPELINE_START")]),
        ("parallel-only", [("Parallel", "PARALLEL_BLOCK")]),
        ("syntax-error", []),
    ],
)
def test_graph_view_shows_at_the_top(name: str, expected: list[tuple[str, str]]) -> None:
    assert [(stage["name"], stage["type"]) for stage in graph_views.tree(played(name))["stages"]] == expected


def test_graph_view_hides_what_is_in_skipped_stages_and_shows_a_branch_for_its_stage() -> None:
    assert outline(graph_views.tree(played("when"))["stages"]) == [
        ("Checkout SCM", "STAGE", "success", []),
        ("Build", "STAGE", "success", []),
        ("Deploy", "STAGE", "skipped", []),
        ("Group", "STAGE", "skipped", []),
        ("Pair", "STAGE", "success", [("A", "PARALLEL", "skipped", []), ("B", "PARALLEL", "success", [])]),
        ("Notify", "STAGE", "success", []),
    ]


def test_graph_view_ends_the_last_step_of_a_branch_with_the_first_branch_that_ends() -> None:
    build = played("parallel-scripted")
    (step,) = [step for step in graph_views.all_steps(build)["steps"] if step["name"] == "slow"]
    told_ms, true = step["startTimeMillis"] + step["totalDurationMillis"], build.element("slow", BRANCH)
    assert told_ms == build.element("staged", BRANCH).end_ms < (true.end_ms or 0)


def test_graph_view_loses_steps_outside_of_stages() -> None:
    names = {step["name"] for step in graph_views.all_steps(played("loose"))["steps"]}
    assert names == {"in one", "in two"}

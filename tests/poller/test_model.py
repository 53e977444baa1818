"""The model of a controller is true to itself, to the product's reading of flow graphs, and to what plugins know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from support import polling
from support.model import START_MS, ModelJenkins, Played, blue, graph_views, play, played, shapes, wfapi
from support.model.documents import build_path
from support.model.programs import Program
from support.model.truth import AGENT, BRANCH, NOT_BUILT, RUNNING, SKIPPED, STAGE, STEP, Error

from jenkins_poller.fetch import flow
from pipeline_trace.place.ci.jenkins import graph

_EVERY = [*shapes.NAMED.values(), *map(shapes.generated, range(60))]
_PROGRAMS = pytest.mark.parametrize("program", _EVERY, ids=lambda program: program.name)


def assert_read_as_expected(build: Played) -> flow.Flow:
    found = flow.flow_of(graph.nodes_by_id(build.graph))
    read = {(one.kind, one.name, one.id, one.parent.id if one.parent else None, one.attempt) for one in found.walk()}
    assert read == {(one.kind, one.name, one.id, one.parent, one.attempt) for one in build.elements}
    return found


@_PROGRAMS
def test_flow_graphs_are_read_as_the_expected_elements(program: Program) -> None:
    build = play(program, start_ms=START_MS)
    found = assert_read_as_expected(build)
    skipped = {stage.id for stage in found.stages() if stage.skipped}
    true = {one.id for one in build.elements if one.result == SKIPPED}
    if program.marks_skips:
        assert skipped == true
    else:
        # What a source says decides of the others, which are empty.
        assert skipped <= true <= skipped | {stage.id for stage in found.stages() if stage.empty}


@_PROGRAMS
def test_a_build_is_the_same_each_time_and_its_elements_lie_in_their_parents(program: Program) -> None:
    build = play(program, start_ms=START_MS)
    assert build == play(program, start_ms=START_MS)
    elements = {element.id: element for element in build.elements}
    assert len(elements) == len(build.elements)
    for element in elements.values():
        outer = elements.get(element.parent or "")
        first, last = (outer.start_ms, outer.end_ms) if outer else (build.run_ms, build.end_ms)
        assert last is not None
        assert element.end_ms is not None
        assert first < element.start_ms <= element.end_ms <= last
    for node in build.nodes:
        assert all(int(parent) < int(node.id) and build.by_id[parent].at_ms <= node.at_ms for parent in node.parents)


@_PROGRAMS
def test_at_each_moment_what_has_ended_is_as_at_the_end(program: Program) -> None:
    build = play(program, start_ms=START_MS)
    at_end = {element.id: element for element in build.raw}
    for moment in range(build.start_ms, build.end_ms, max((build.end_ms - build.start_ms) // 9, 1)):
        now = build.at(moment)
        assert now.running
        assert_read_as_expected(now)
        for element in now.raw:
            assert element.result in (RUNNING, at_end[element.id].result)
            assert (element.end_ms is None) == (element.result == RUNNING) == (int(at_end[element.id].end_ms or 0) > moment)


@_PROGRAMS
def test_graph_view_tells_times_and_results_of_stages_and_branches(program: Program) -> None:
    build = play(program, start_ms=START_MS)
    stages = {stage["id"]: stage for stage in graph_views.walk(graph_views.tree(build)["stages"])}
    parents = {element.id: element for element in build.raw}
    for element in build.raw:
        outer = parents.get(element.parent or "")
        hidden = outer is not None and (outer.result == SKIPPED or (outer.kind, outer.name) == (BRANCH, element.name))
        if element.kind not in (STAGE, BRANCH) or hidden or element.result == NOT_BUILT:
            continue
        told = stages[element.id]
        assert told["startTimeMillis"] == element.start_ms
        assert told["startTimeMillis"] + told["totalDurationMillis"] == element.end_ms
        skipped_in_branch = element.kind == BRANCH and told["state"] == "skipped"
        assert skipped_in_branch or told["state"] == element.result.lower()


@_PROGRAMS
def test_wfapi_tells_times_of_everything_but_steps_that_start_builds(program: Program) -> None:
    build = play(program, start_ms=START_MS)
    for element in build.raw:
        told = wfapi.describe_node(build, build.by_id[element.id])
        if element.started:
            assert told is None
            continue
        assert told is not None
        if element.result != NOT_BUILT:
            assert told["startTimeMillis"] == element.start_ms
        if element.kind == STEP:
            assert told["startTimeMillis"] + told["durationMillis"] == element.end_ms
        if element.kind == AGENT and element.given_ms is not None:
            assert told["startTimeMillis"] + told["durationMillis"] == element.given_ms


def test_results_are_what_the_programs_say() -> None:
    results = {
        name: played(name).result for name in ("plain", "unstable", "fails", "timeout", "catch-error", "stopped", "throws")
    }
    assert results == {
        "plain": "SUCCESS", "unstable": "UNSTABLE", "fails": "FAILURE", "timeout": "ABORTED", "catch-error": "UNSTABLE",
        "stopped": "ABORTED", "throws": "FAILURE",
    }  # fmt: skip
    causes = {name: (played(name).error or Error("", None, "")).why for name in ("stopped", "timeout", "refused", "fails")}
    assert causes == {
        "stopped": "Aborted by jane", "timeout": "Timeout has been exceeded", "refused": "Rejected by jane", "fails": "",
    }  # fmt: skip
    assert [(one.name, one.result) for one in played("fails").elements if one.kind == STAGE] == [
        ("Build", "SUCCESS"), ("Deploy", "FAILURE"), ("Smoke test", SKIPPED), ("Group", SKIPPED), ("Inner", SKIPPED),
        ("Declarative: Post Actions", "SUCCESS"),
    ]  # fmt: skip


def test_a_poller_reads_every_build_and_its_stages_at_their_times(tmp_path: Path) -> None:
    builds = [play(program, start_ms=START_MS + 1000 * at) for at, program in enumerate(shapes.NAMED.values())]
    with ModelJenkins(builds, plugins={"wfapi"}, root=polling.ROOT) as jenkins:
        poller = polling.Polling(tmp_path, jenkins)
        poller.sweep()
        assert jenkins.missed == []
    assert set(poller.emitted) == {(build.job, str(build.number)) for build in builds}
    deploy = next(build for build in builds if build.job == "deploys").element("Deploy staging")
    (span,) = [span for span in poller.spans if span.name.endswith("Deploy staging")]
    assert span.start_ns == deploy.start_ms * 1_000_000


def ask(jenkins: ModelJenkins, path: str) -> Any:
    answer = requests.get(jenkins.url + path, timeout=10)
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_a_controller_answers_for_the_plugins_that_it_has_at_the_time() -> None:
    build = played("plain")
    paths = [f"{build_path(build)}{rest}" for rest in ("stages/tree", "wfapi/describe")]
    paths.append(f"{blue.run_path(build)}nodes/?limit=10000")
    with ModelJenkins([build]) as jenkins:
        assert [isinstance(ask(jenkins, path), int) for path in paths] == [False, True, True]
        jenkins.plugins = {"wfapi", "blue-ocean"}
        assert [isinstance(ask(jenkins, path), int) for path in paths] == [True, False, False]
        assert jenkins.requests == paths * 2
        assert jenkins.missed == [paths[1], paths[2], paths[0]]


def test_a_controller_evaluates_tree_and_lists_jobs_in_folders() -> None:
    builds = [play(shapes.NAMED["plain"], start_ms=START_MS, job="Team Ä/shop", number=number) for number in (1, 2)]
    with ModelJenkins(builds, root="https://ci.example.com") as jenkins:
        jobs = ask(jenkins, "/api/json?tree=jobs[fullName,nextBuildNumber,jobs[fullName,url,nextBuildNumber]]")["jobs"]
        (shop,) = jobs[0]["jobs"]
        assert (shop["fullName"], shop["nextBuildNumber"]) == ("Team Ä/shop", 3)
        assert shop["url"] == "https://ci.example.com/job/Team%20%C3%84/job/shop/"
        listed = ask(jenkins, "/job/Team%20%C3%84/job/shop/api/json?tree=builds[number]{0,1}")
        assert [build["number"] for build in listed["builds"]] == [2]
        assert ask(jenkins, "/api/json?tree=jobs[") == 500
        path = "/job/Team%20%C3%84/job/shop/1/api/json"
        assert "nodes" not in ask(jenkins, path)["actions"][-1]
        assert len(ask(jenkins, f"{path}?tree=actions[nodes[id]{{0,5}}]")["actions"][-1]["nodes"]) == 5


def test_a_controller_whose_clock_stands_says_what_runs_and_what_waits() -> None:
    build = played("no-agent")
    with ModelJenkins([build], plugins={"graph-view", "wfapi"}, moment_ms=START_MS + 20_000) as jenkins:
        document = ask(jenkins, f"{build_path(build)}api/json?tree=building,result,duration")
        assert (document["building"], document["result"], document["duration"]) == (True, None, 0)
        tree = ask(jenkins, f"{build_path(build)}stages/tree")["data"]
        assert (tree["complete"], [stage["state"] for stage in tree["stages"]]) == (False, ["success", "queued"])
        (item,) = ask(jenkins, "/queue/api/json")["items"]
        assert item["why"] == tree["stages"][1]["causeOfBlockage"] == "There are no nodes with the label ‘macos’"
        jenkins.moment_ms = None
        assert ask(jenkins, f"{build_path(build)}api/json?tree=result")["result"] == "ABORTED"
        assert ask(jenkins, "/queue/api/json")["items"] == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_graph_views_answers_are_wrapped_or_plain(wrapped: bool) -> None:
    with ModelJenkins([played("plain")], wrapped=wrapped) as jenkins:
        answer = ask(jenkins, "/job/plain/1/stages/tree")
        assert ("data" in answer, "stages" in answer) == (wrapped, not wrapped)


def test_logs_name_agents_and_started_builds_in_every_form() -> None:
    build = played("deploys")
    step, agent = build.element("Building deploy", STEP), build.element("Allocate node : Start", AGENT)
    node = f"{build_path(build)}execution/node/{step.id}"
    with ModelJenkins([build], plugins={"graph-view", "wfapi"}) as jenkins:
        assert "<a href='/job/deploy/1/'" in ask(jenkins, f"{node}/wfapi/log")["text"]
        html = requests.get(f"{jenkins.url}{node}/log/logText/progressiveHtml?start=0", timeout=10)
        assert "<a href='/job/deploy/1/'" in html.text
        text = requests.get(f"{jenkins.url}{node}/log/logText/progressiveText?start=0", timeout=10)
        assert "Starting building: deploy #1\r\n" in text.text
        assert int(text.headers["X-Text-Size"]) == len(text.content)
        told = requests.get(f"{jenkins.url}{build_path(build)}stages/log?nodeId={agent.id}", timeout=10)
        assert told.text.startswith("Running on linux-1 in ")


def test_a_failed_steps_log_ends_with_its_exception_in_graph_view() -> None:
    build = played("no-stage-fails")
    (step,) = [one for one in build.elements if one.result == "FAILURE"]
    with ModelJenkins([build]) as jenkins:
        told = requests.get(f"{jenkins.url}{build_path(build)}stages/log?nodeId={step.id}", timeout=10)
        assert told.text == "+ exit 2\nboom\nscript returned exit code 2"

"""The generated controller of the benchmark: it answers as a Jenkins with each plugin does, so that its figures count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from controller import GRAPH_VIEW, STAGE_VIEW, Controller
from controller.answers import Answers
from controller.world import STARTS, World
from support.polling import Polling

from jenkins_poller.fetch.api import Controller as Api
from pipeline_trace.trace.span import Span

pytestmark = pytest.mark.process
Poll = Callable[[Controller], Polling]


@pytest.fixture
def poll(tmp_path: Path) -> Poll:
    def begin(jenkins: Controller) -> Polling:
        return Polling(tmp_path / jenkins.kind, jenkins)

    return begin


def tree(spans: list[Span]) -> Counter[tuple[object, ...]]:
    """Return what is true whatever plugin tells the times. Stage View alone tells how long an agent was waited for."""
    names = {span.span_id: span.name for span in spans}
    return Counter(
        (
            span.resource["cicd.pipeline.name"],
            span.resource["cicd.pipeline.run.id"],
            span.name,
            names.get(str(span.parent_id)),
        )
        for span in spans
        if not span.name.startswith("Allocate")
    )


def test_graph_view_and_stage_view_tell_the_same_builds(poll: Poll) -> None:
    found = []
    for kind in (GRAPH_VIEW, STAGE_VIEW):
        with Controller(100, 150, kind=kind) as jenkins:
            polling = poll(jenkins)
            assert (polling.sweep().builds, polling.sweep().builds) == (150, 0)
        found.append(tree(polling.spans))
        polling.state.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [GRAPH_VIEW, STAGE_VIEW])
def test_each_poll_finds_the_build_that_came_since(poll: Poll, kind: str) -> None:
    with Controller(60, 60, kind=kind) as jenkins:
        polling = poll(jenkins)
        polling.sweep()
        jenkins.counted()
        jenkins.grow(2)
        assert [polling.sweep().builds for _ in range(4)] == [1, 1, 0, 0]
        (_, first), (_, second), (_, third) = jenkins.counted().polls
        assert (first, second, third) == (True, True, False)
        polling.state.close()


def test_builds_run_until_somebody_says_otherwise(poll: Poll) -> None:
    with Controller(60, 60) as jenkins:
        polling = poll(jenkins)
        polling.sweep()
        jenkins.run(5)
        assert [polling.sweep().running for _ in range(2)] == [5, 5]
        listed = Api(jenkins.url).document("computer/api/json", "computer[oneOffExecutors[currentExecutable[url,number]]]")
        urls = [one["currentExecutable"]["url"] for computer in listed["computer"] for one in computer["oneOffExecutors"]]
        assert len(set(urls)) == 5
        polling.state.close()


@pytest.mark.parametrize(
    ("since", "numbers"), [("20", [20]), ("15", [20, 19, 18, 17, 16, 15]), ("1", list(range(20, 9, -1)))]
)
def test_stage_view_lists_runs_down_to_one_or_more_than_ten(since: str, numbers: list[int]) -> None:
    with Controller(1, 20, kind=STAGE_VIEW) as jenkins:
        (job,) = World(1, 20, 0).jobs
        path = "".join(f"job/{part}/" for part in job.split("/"))
        runs = Api(jenkins.url).get(f"{path}wfapi/runs?fullStages=true&since=%23{since}")
    assert [int(run["id"]) for run in runs] == numbers
    assert any(stage["stageFlowNodes"] for run in runs for stage in run["stages"])


def test_a_build_starts_those_that_say_it_did() -> None:
    world = World(250, 723, 0)
    job = next(job for job in world.jobs.values() if job.downstream and job.builds == 100)
    answers = Answers(world, "http://jenkins", GRAPH_VIEW)
    before = "".join(f"/job/{part}" for part in job.name.split("/"))
    after = "".join(f"/job/{part}" for part in job.downstream.split("/"))
    assert f'"classicUrl":"{after[1:]}/{STARTS + 2}/"'.encode() in (answers.answer(f"{before}/2/stages/allSteps") or b"")
    tree = "actions[causes[upstreamProject,upstreamBuild]]"
    said = json.loads(answers.answer(f"{after}/{STARTS + 2}/api/json?tree={tree}") or b"")
    (cause,) = [cause for action in said["actions"] for cause in action.get("causes", ())]
    assert (cause["upstreamProject"], cause["upstreamBuild"]) == (job.name, 2)

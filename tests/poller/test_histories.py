"""Jobs that were renamed, moved, or deleted and made again: nothing is told twice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import support
from support.polling import ROOT, Polling, Run

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace_demo.replay import Fault, Replay

JOB = "app-deploy"
BUILT: set[Run] = {("app-build", "1"), ("app-build", "2")}
BUILDS = BUILT | {(JOB, "1"), (JOB, "2"), (JOB, "3")}
LATER_MS = 500_000_000


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        yield replay


@pytest.fixture
def polling(tmp_path: Path, jenkins: Replay) -> Iterator[Polling]:
    """A poller that has told all builds."""
    found = Polling(tmp_path / "poller", jenkins)
    assert emitted(found) == BUILDS
    yield found
    found.state.close()


def emitted(polling: Polling) -> set[Run]:
    """Sweep; return the builds that were emitted by that."""
    before = len(polling.spans)
    polling.sweep()
    return {(str(s.resource[c.PIPELINE_NAME]), str(s.resource[c.PIPELINE_RUN_ID])) for s in polling.spans[before:]}


def runs(polling: Polling, job: str = JOB) -> list[str]:
    """Return the ids of a job's run spans, in the order in which they were emitted."""
    return [s.span_id for s in polling.spans if s.attributes[c.JENKINS_TYPE] == c.TYPE_RUN and s.name == f"RUN {job}"]


def run_id(number: int, generation: int = 0) -> str:
    return Build(ROOT, JOB, number, generation=generation).run_span_id


def made_again(jenkins: Replay, builds: int) -> None:
    """Show the job as one that has had so many builds since it was made again."""
    jenkins.load(support.recording("11"))
    for number in range(builds + 1, 4):
        jenkins.drop_build(JOB, number)
    jenkins.edit(f"/job/{JOB}/api/json", lambda job: {**job, "nextBuildNumber": builds + 1})
    for number in range(1, builds + 1):
        jenkins.edit(f"/job/{JOB}/{number}/api/json", another_start)


def another_start(build: dict[str, Any]) -> dict[str, Any]:
    return {**build, "timestamp": build["timestamp"] + LATER_MS, "queueId": build["queueId"] + 1000}


def renamed(jenkins: Replay, name: str, builds: int = 3) -> None:
    """Show the job under another name."""
    job = deepcopy(jenkins.documents[f"/job/{JOB}"])
    jenkins.load(support.recording("11"))
    jenkins.drop_job(JOB)
    url = ROOT + "".join(f"/job/{part}" for part in name.split("/")) + "/"
    own = {"name": name.rpartition("/")[2], "fullName": name, "url": url, "nextBuildNumber": builds + 1}
    shown = [{**build, "url": f"{url}{build['number']}/"} for build in job["builds"]]
    moved = {**job, **own, "builds": shown, "allBuilds": shown}
    jenkins.edit("/api/json", lambda document: {**document, "jobs": [*document["jobs"], moved]})
    path = url.removeprefix(ROOT).rstrip("/")
    jenkins.documents[path] = moved
    jenkins.documents.update({f"{path}/{build['number']}": build for build in shown})


@pytest.mark.parametrize("name", ["app-release", "team/app-deploy"])
def test_builds_of_a_job_that_was_renamed_or_moved_are_not_told_again(polling: Polling, jenkins: Replay, name: str) -> None:
    renamed(jenkins, name)
    assert emitted(polling) == set()
    assert set(polling.state.cursors()) == {"app-build", name}
    jenkins.reset()
    assert emitted(polling) == set()
    assert len(jenkins.requests) == 1


def test_nothing_is_added_to_the_builds_of_a_renamed_job(polling: Polling, jenkins: Replay) -> None:
    renamed(jenkins, "app-release")
    polling.sweep()
    before = len(polling.spans)
    polling.sweep(reread_age=1e9)
    assert len(polling.spans) == before


def test_a_new_job_is_not_taken_for_one_that_is_gone(polling: Polling, jenkins: Replay) -> None:
    renamed(jenkins, "another")
    for build in jenkins.documents["/job/another"]["builds"]:
        build.update(another_start(build))
    assert emitted(polling) == {("another", "1"), ("another", "2"), ("another", "3")}


def test_a_copy_beside_the_job_is_a_job_of_its_own(polling: Polling, jenkins: Replay) -> None:
    """Nothing is missing, so nothing is compared."""
    job = {"name": "copy", "fullName": "copy", "url": f"{ROOT}/job/copy/", "nextBuildNumber": 1}
    jenkins.edit("/api/json", lambda document: {**document, "jobs": [*document["jobs"], job]})
    jenkins.reset()
    assert emitted(polling) == set()
    assert [request.path for request in jenkins.requests if "queueId" in request.path] == []


def test_builds_of_a_job_made_again_are_told_with_ids_of_their_own(polling: Polling, jenkins: Replay) -> None:
    made_again(jenkins, 1)
    assert emitted(polling) == {(JOB, "1")}
    made_again(jenkins, 2)
    assert emitted(polling) == {(JOB, "2")}
    assert emitted(polling) == set()
    assert runs(polling)[3:] == [run_id(1, 1), run_id(2, 1)]
    assert len({span.span_id for span in polling.spans}) == len(polling.spans)


@pytest.mark.parametrize("builds", [3, 2])
def test_a_job_that_is_back_with_the_same_numbers_is_recognised_by_its_builds(
    polling: Polling, jenkins: Replay, builds: int
) -> None:
    jenkins.drop_job(JOB)
    assert emitted(polling) == set()
    made_again(jenkins, builds)
    assert emitted(polling) == {(JOB, str(number)) for number in range(1, builds + 1)}
    assert set(runs(polling)[3:]) == {run_id(number, 1) for number in range(1, builds + 1)}
    jenkins.reset()
    assert emitted(polling) == set()
    assert len(jenkins.requests) == 1


def test_a_job_that_was_hidden_for_a_while_is_the_same_job(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_job(JOB)
    polling.sweep()
    jenkins.load(support.recording("11"))
    assert emitted(polling) == set()
    jenkins.reset()
    polling.sweep()
    assert len(jenkins.requests) == 1


def test_a_job_made_again_while_a_build_of_the_old_one_was_open(tmp_path: Path, jenkins: Replay) -> None:
    still = {"building": True, "result": None, "duration": 0}
    jenkins.edit(f"/job/{JOB}/3/api/json", lambda document: {**document, **still})
    polling = Polling(tmp_path / "other", jenkins)
    assert emitted(polling) == BUILDS - {(JOB, "3")}
    made_again(jenkins, 1)
    assert emitted(polling) == {(JOB, "1")}
    jenkins.reset()
    polling.sweep()
    assert len(jenkins.requests) == 1
    polling.state.close()


def test_a_controller_restored_from_a_backup_tells_again_only_what_it_lost(polling: Polling, jenkins: Replay) -> None:
    """The numbers of the lost builds are given a second time."""
    for number in (2, 3):
        jenkins.drop_build(JOB, number)
    jenkins.edit(f"/job/{JOB}/api/json", lambda job: {**job, "nextBuildNumber": 2})
    assert emitted(polling) == set()
    jenkins.load(support.recording("11"))
    for number in (2, 3):
        jenkins.edit(f"/job/{JOB}/{number}/api/json", another_start)
    assert emitted(polling) == {(JOB, "2"), (JOB, "3")}
    assert runs(polling)[3:] == [run_id(2, 1), run_id(3, 1)]


def test_a_job_whose_builds_cannot_be_listed_is_looked_at_by_the_next_poll(polling: Polling, jenkins: Replay) -> None:
    made_again(jenkins, 1)
    jenkins.faults = [Fault(f"^/job/{JOB}/api", "status", status=500)]
    assert emitted(polling) == set()
    jenkins.faults = []
    assert emitted(polling) == {(JOB, "1")}


def test_a_build_that_names_one_of_a_job_made_again_means_the_present_one(polling: Polling, jenkins: Replay) -> None:
    """app-build#1 has started app-deploy#1, in both generations."""
    told = len(polling.spans)
    made_again(jenkins, 1)
    jenkins.drop_build("app-build", 2)
    jenkins.edit("/job/app-build/api/json", lambda job: {**job, "nextBuildNumber": 2})
    jenkins.edit("/job/app-build/1/api/json", another_start)
    assert emitted(polling) == {("app-build", "1"), (JOB, "1")}
    upstream = Build(ROOT, "app-build", 1, generation=1)
    added = {span.span_id: span for span in polling.spans[told:]}
    assert {span.trace_id for span in added.values()} == {upstream.trace_id}
    parent = added[added[run_id(1, 1)].parent_id or ""]
    assert run_id(1, 1) in [link.span_id for link in parent.links]


def test_without_a_generation_ids_are_those_of_earlier_versions() -> None:
    build = Build(ROOT, JOB, 1)
    assert build.key == ("jenkins", ROOT, JOB, "1")
    again = Build(ROOT, JOB, 1, generation=1)
    assert again.key == ("jenkins", ROOT, JOB, "1", "generation", "1")
    assert (again.trace_id, again.run_span_id) != (build.trace_id, build.run_span_id)
    assert again.path == build.path

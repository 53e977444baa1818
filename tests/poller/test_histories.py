"""Jobs that were renamed, moved, or deleted and made again: nothing is told twice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def builds_of(jenkins: Replay, job: str = JOB) -> list[dict[str, Any]]:
    """Return the builds that a job lists, newest first."""
    return deepcopy(jenkins.documents[f"/job/{job}"]["builds"])


def other_builds(count: int) -> list[dict[str, Any]]:
    """Return the builds, newest first, of a job that was made after all others."""
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        return [another_start(build) for build in builds_of(replay) if build["number"] <= count]


def shown(jenkins: Replay, jobs: Mapping[str, list[dict[str, Any]]], gone: Sequence[str] = (JOB,)) -> None:
    """Show jobs with their builds, by name and in this order, in place of those that are gone."""
    jenkins.load(support.recording("11"))
    model = deepcopy(jenkins.documents[f"/job/{JOB}"])
    for job in gone:
        jenkins.drop_job(job)
    documents = dict[str, dict[str, Any]]()
    listed = list[dict[str, Any]]()
    for name, builds in jobs.items():
        path = "".join(f"/job/{part}" for part in name.split("/"))
        moved = [{**build, "url": f"{ROOT}{path}/{build['number']}/"} for build in builds]
        highest = max((build["number"] for build in builds), default=0)
        own = {"name": name.rpartition("/")[2], "fullName": name, "url": f"{ROOT}{path}/", "nextBuildNumber": highest + 1}
        listed.append({**model, **own, "builds": moved, "allBuilds": moved})
        documents |= {path: listed[-1], **{f"{path}/{build['number']}": build for build in moved}}
    jenkins.edit("/api/json", lambda document: {**document, "jobs": [*document["jobs"], *listed]})
    jenkins.documents.update(documents)


def renamed(jenkins: Replay, name: str) -> None:
    """Show the job under another name."""
    shown(jenkins, {name: builds_of(jenkins)})


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


@pytest.mark.parametrize("polled", [True, False], ids=["polled between", "at once"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_new_job_with_the_name_of_a_renamed_one_has_ids_of_its_own(
    polling: Polling, jenkins: Replay, polled: bool, count: int
) -> None:
    old = builds_of(jenkins)
    if polled:
        renamed(jenkins, "app-old")
        assert emitted(polling) == set()
    shown(jenkins, {JOB: other_builds(count), "app-old": old})
    assert emitted(polling) == {(JOB, str(number)) for number in range(1, count + 1)}
    shown(jenkins, {JOB: other_builds(3), "app-old": old})
    polling.sweep()
    assert sorted(runs(polling)[3:]) == sorted(run_id(number, 1) for number in (1, 2, 3))
    assert runs(polling, "app-old") == []
    assert len({span.span_id for span in polling.spans}) == len(polling.spans)
    jenkins.reset()
    assert emitted(polling) == set()
    assert len(jenkins.requests) == 1


def test_every_later_job_of_a_name_has_ids_of_its_own(polling: Polling, jenkins: Replay) -> None:
    first, second = builds_of(jenkins), other_builds(2)
    shown(jenkins, {JOB: second, "older": first})
    polling.sweep()
    third = [another_start(build) for build in second]
    shown(jenkins, {JOB: third, "old": second, "older": first})
    assert emitted(polling) == {(JOB, "1"), (JOB, "2")}
    assert sorted(runs(polling)[5:]) == sorted(run_id(number, 2) for number in (1, 2))


def test_a_job_that_gets_its_name_back_has_ids_as_before(polling: Polling, jenkins: Replay) -> None:
    """Playbooks in its builds know no generation, and no build had the ids of its next ones."""
    old = builds_of(jenkins)
    renamed(jenkins, "app-old")
    polling.sweep()
    fourth = {**another_start(old[0]), "number": 4}
    shown(jenkins, {JOB: [fourth, *old]})
    assert emitted(polling) == {(JOB, "4")}
    assert runs(polling)[3:] == [run_id(4)]


def test_a_renamed_job_gives_its_old_name_to_another_renamed_one(polling: Polling, jenkins: Replay) -> None:
    """app-build is called app-deploy now, and app-deploy is called app-old."""
    shown(jenkins, {JOB: builds_of(jenkins, "app-build"), "app-old": builds_of(jenkins)}, gone=[JOB, "app-build"])
    assert emitted(polling) == set()
    assert {name: cursor.cursor for name, cursor in polling.state.cursors().items()} == {JOB: 2, "app-old": 3}


def test_a_build_that_ran_when_its_job_was_renamed_is_told_under_the_new_name(tmp_path: Path, jenkins: Replay) -> None:
    old = builds_of(jenkins)
    still = {"building": True, "result": None, "duration": 0}
    jenkins.edit(f"/job/{JOB}/3/api/json", lambda document: {**document, **still})
    polling = Polling(tmp_path / "other", jenkins)
    polling.sweep()
    shown(jenkins, {JOB: other_builds(1), "app-old": old})
    assert emitted(polling) == {(JOB, "1"), ("app-old", "3")}
    polling.state.close()


def test_a_copy_with_all_builds_is_a_job_of_its_own(polling: Polling, jenkins: Replay) -> None:
    """The job that was copied still has its builds."""
    shown(jenkins, {JOB: builds_of(jenkins), "copy": builds_of(jenkins)})
    assert emitted(polling) == {("copy", "1"), ("copy", "2"), ("copy", "3")}
    assert set(polling.state.cursors()) == {"app-build", JOB, "copy"}
    jenkins.reset()
    assert emitted(polling) == set()
    assert len(jenkins.requests) == 1


def test_a_copy_beside_the_job_is_a_job_of_its_own(polling: Polling, jenkins: Replay) -> None:
    """It has no builds, so nothing is compared."""
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

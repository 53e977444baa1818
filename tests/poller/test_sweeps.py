"""Sweep after sweep of a controller that goes on: every build is emitted once, whatever happens between two polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from controller import Controller
from controller.world import World
from support.polling import ROOT, Polling, Run

from jenkins_poller.poll.state import Cursor
from pipeline_trace_demo.replay import Fault, Replay

JOB = "app-deploy"
BUILT = {("app-build", "1"), ("app-build", "2")}
BUILDS = BUILT | {(JOB, "1"), (JOB, "2"), (JOB, "3")}


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        yield replay


@pytest.fixture
def polling(tmp_path: Path, jenkins: Replay) -> Iterator[Polling]:
    found = Polling(tmp_path / "poller", jenkins)
    yield found
    found.state.close()


def next_number(jenkins: Replay, number: int) -> None:
    """Have the job say which number its next build gets."""
    jenkins.edit(f"/job/{JOB}/api/json", lambda document: {**document, "nextBuildNumber": number})


def only_the_first(jenkins: Replay) -> None:
    """Show the job as it was after its first build."""
    jenkins.drop_build(JOB, 2)
    jenkins.drop_build(JOB, 3)
    next_number(jenkins, 2)


def running(jenkins: Replay, number: int) -> None:
    """Show a build as running."""
    still = {"building": True, "result": None, "duration": 0}
    jenkins.edit(f"/job/{JOB}/{number}/api/json", lambda document: {**document, **still})


def emitted(polling: Polling) -> set[Run]:
    """Sweep; return the builds that were emitted by that."""
    before = len(polling.spans)
    polling.sweep()
    return {
        (str(span.resource["cicd.pipeline.name"]), str(span.resource["cicd.pipeline.run.id"]))
        for span in polling.spans[before:]
    }


def asked(polling: Polling, jenkins: Replay) -> list[str]:
    """Sweep; return the paths that were asked for."""
    jenkins.reset()
    polling.sweep()
    return [request.path.partition("?")[0] for request in jenkins.requests]


def test_builds_that_begin_and_end_between_two_polls_are_emitted(polling: Polling, jenkins: Replay) -> None:
    only_the_first(jenkins)
    assert emitted(polling) == BUILT | {(JOB, "1")}
    jenkins.load(support.recording("11"))
    assert emitted(polling) == {(JOB, "2"), (JOB, "3")}
    assert emitted(polling) == set()


def test_a_build_that_ends_after_later_ones_is_emitted_when_it_ends(polling: Polling, jenkins: Replay) -> None:
    running(jenkins, 1)
    assert emitted(polling) == BUILDS - {(JOB, "1")}
    # Only what is open is asked for again.
    assert asked(polling, jenkins) == ["/api/json", "/computer/api/json", f"/job/{JOB}/1/api/json"]
    jenkins.load(support.recording("11"))
    assert emitted(polling) == {(JOB, "1")}
    assert asked(polling, jenkins) == ["/api/json"]


def test_a_job_that_is_listed_twice_is_read_once(polling: Polling, jenkins: Replay) -> None:
    jenkins.edit("/api/json", lambda document: {**document, "jobs": [*document["jobs"], *document["jobs"]]})
    polling.sweep()
    assert set(polling.emitted) == BUILDS
    assert len({span.span_id for span in polling.spans}) == len(polling.spans)


def test_builds_discarded_before_they_were_seen_are_not_asked_for_for_ever(polling: Polling, jenkins: Replay) -> None:
    next_number(jenkins, 8)
    assert emitted(polling) == BUILDS
    # The number may have been given away just now.
    assert asked(polling, jenkins) == ["/api/json", "/computer/api/json", f"/job/{JOB}/api/json"]
    assert asked(polling, jenkins) == ["/api/json"]


def test_a_build_discarded_between_others_is_no_gap_for_those(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_build(JOB, 2)
    assert emitted(polling) == BUILDS - {(JOB, "2")}
    polling.sweep()
    assert asked(polling, jenkins) == ["/api/json"]


def test_a_build_deleted_while_it_was_open_is_counted_and_forgotten(polling: Polling, jenkins: Replay) -> None:
    running(jenkins, 3)
    polling.sweep()
    jenkins.load(support.recording("11"))
    jenkins.drop_build(JOB, 3)
    jenkins.edit("/computer/api/json", lambda document: {**document, "computer": []})
    assert polling.sweep().vanished == 1
    assert asked(polling, jenkins) == ["/api/json"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_builds_older_than_the_beginning_are_left_out(tmp_path: Path, jenkins: Replay, number: int) -> None:
    """Whether a job's builds are few, so that nobody lists them, or not."""
    since = jenkins.documents[f"/job/{JOB}/{number}"]["timestamp"]
    starts = {run: jenkins.documents[f"/job/{run[0]}/{run[1]}"]["timestamp"] for run in BUILDS}
    polling = Polling(tmp_path / "poller", jenkins, since_ms=since)
    assert emitted(polling) == {run for run, start in starts.items() if start >= since}
    assert asked(polling, jenkins) == ["/api/json"]
    polling.state.close()


@pytest.mark.parametrize("spot", ["^/job/app-deploy/", "^/job/"])
def test_the_beginning_is_kept_if_the_first_sweep_fails_or_ends_early(tmp_path: Path, jenkins: Replay, spot: str) -> None:
    since = jenkins.documents[f"/job/{JOB}/2"]["timestamp"]
    starts = {run: jenkins.documents[f"/job/{run[0]}/{run[1]}"]["timestamp"] for run in BUILDS}
    polling = Polling(tmp_path / "poller", jenkins, since_ms=since)
    jenkins.faults = [Fault(spot, "starting")]
    polling.failing()
    jenkins.faults = []
    polling.wait(minutes=3 * 24 * 60)
    polling.sweep()
    assert set(polling.emitted) == {run for run, start in starts.items() if start >= since}
    polling.state.close()


def test_the_beginning_moves_on_with_the_time(tmp_path: Path, jenkins: Replay) -> None:
    starts = [document["timestamp"] for path, document in jenkins.documents.items() if path.startswith(f"/job/{JOB}/")]
    polling = Polling(tmp_path / "poller", jenkins, since_ms=min(starts))
    jenkins.drop_job(JOB)
    assert {job for job, _ in emitted(polling)} <= {"app-build"}
    jenkins.load(support.recording("11"))
    polling.wait(minutes=(max(starts) - min(starts)) / 60_000)
    assert emitted(polling) == {(JOB, "3")}
    polling.state.close()


def test_a_start_in_the_past_is_no_end_of_the_list(tmp_path: Path, jenkins: Replay) -> None:
    """The controller's clock had jumped back for one build."""
    since = jenkins.documents[f"/job/{JOB}/1"]["timestamp"]
    jenkins.edit(f"/job/{JOB}/2/api/json", lambda document: {**document, "timestamp": 1_000})
    polling = Polling(tmp_path / "poller", jenkins, since_ms=since)
    assert {run for run in emitted(polling) if run[0] == JOB} == {(JOB, "1"), (JOB, "3")}
    polling.state.close()


@pytest.mark.parametrize("seen", [0, 50, 199])
def test_more_than_a_hundred_builds_since_the_last_poll_are_all_read(tmp_path: Path, seen: int) -> None:
    with Replay(support.recording("80"), root_url=ROOT) as jenkins:
        jobs = [path.removeprefix("/job/") for path, document in jenkins.documents.items() if "nextBuildNumber" in document]
        polling = Polling(tmp_path / "poller", jenkins, detail="build")
        for job in jobs:
            polling.state.found(job, Cursor(seen + 1, seen, settled=True), ())
        found = emitted(polling)
        polling.state.close()
    expected = {(job, str(number)) for job in jobs for number in range(seen + 1, 301)}
    assert found == expected


@pytest.mark.process
def test_every_build_of_a_controller_with_deep_folders_and_branches_is_read_once(tmp_path: Path) -> None:
    with Controller(100, 150) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins, detail="stage")
        assert polling.sweep().builds == 150
        emitted = polling.emitted
        polling.state.close()
    expected = {(job, str(number)) for job, number, _ in World(100, 150, 0).builds()}
    assert any(job.count("/") == 4 for job, _ in expected)
    assert set(emitted) == expected
    ids: list[Any] = [one for found in emitted.values() for one in found]
    assert len(set(ids)) == len(ids)

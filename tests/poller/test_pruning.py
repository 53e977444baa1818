"""Old builds that the controller no longer lists are forgotten: a few jobs a poll, once a day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support.polling import ROOT, Polling, Run

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace_demo.replay import Replay

DAY = 24 * 60
JOB = "app-deploy"
BUILT: set[Run] = {("app-build", "1"), ("app-build", "2")}
BUILDS: set[Run] = BUILT | {(JOB, "1"), (JOB, "2"), (JOB, "3")}


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        yield replay


@pytest.fixture
def polling(tmp_path: Path, jenkins: Replay) -> Iterator[Polling]:
    """A poller for builds of the last week that has told all builds of the controller, as if they had begun now."""
    first = Polling(tmp_path / "first", jenkins)
    first.sweep()
    first.state.close()
    now_ms = int(time.time() * 1000)
    found = Polling(tmp_path / "second", jenkins, since_ms=now_ms - 7 * DAY * 60_000, state_of=first)
    with found.state.writing():
        found.state.change("UPDATE placed SET began_ms = ?", now_ms)
    yield found
    found.state.close()


def remembered(polling: Polling) -> set[Run]:
    return {run for run in BUILDS if polling.state.place_of(Build(ROOT, run[0], int(run[1])))}


def first_listed(jenkins: Replay, job: str, number: int | None) -> None:
    first = None if number is None else {"number": number}
    jenkins.edit(f"/job/{job}/api/json", lambda document: {**document, "firstBuild": first})


def test_builds_below_the_first_that_is_listed_are_forgotten_after_ninety_days(polling: Polling, jenkins: Replay) -> None:
    first_listed(jenkins, JOB, 3)
    first_listed(jenkins, "app-build", 1)
    polling.wait(minutes=89 * DAY)
    polling.sweep()
    assert remembered(polling) == BUILDS
    polling.wait(minutes=2 * DAY)
    polling.sweep()
    assert remembered(polling) == BUILT | {(JOB, "3")}


def test_all_old_builds_of_a_job_that_lists_none_are_forgotten(polling: Polling, jenkins: Replay) -> None:
    first_listed(jenkins, JOB, None)
    first_listed(jenkins, "app-build", 1)
    polling.wait(minutes=91 * DAY)
    polling.sweep()
    assert remembered(polling) == BUILT


def test_all_old_builds_of_a_job_that_is_gone_are_forgotten_without_asking(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_job(JOB)
    first_listed(jenkins, "app-build", 1)
    polling.wait(minutes=91 * DAY)
    jenkins.reset()
    polling.sweep()
    assert remembered(polling) == BUILT
    assert not [request.path for request in jenkins.requests if f"/job/{JOB}/" in request.path]
    revisions = polling.state.rows("SELECT DISTINCT job FROM revisions")
    assert revisions in ([], [("app-build",)])


def test_a_controller_that_does_not_tell_its_first_build_keeps_all(polling: Polling, jenkins: Replay) -> None:
    jenkins.edit(f"/job/{JOB}/api/json", lambda document: {k: v for k, v in document.items() if k != "firstBuild"})
    first_listed(jenkins, "app-build", 1)
    polling.wait(minutes=91 * DAY)
    polling.sweep()
    assert remembered(polling) == BUILDS


def test_it_is_asked_once_a_day(polling: Polling, jenkins: Replay) -> None:
    first_listed(jenkins, JOB, 1)
    first_listed(jenkins, "app-build", 1)
    polling.wait(minutes=91 * DAY)
    polling.sweep()
    jenkins.reset()
    polling.sweep()
    assert len(jenkins.requests) == 1
    polling.wait(minutes=DAY)
    jenkins.reset()
    polling.sweep()
    assert len(jenkins.requests) == 3


def test_a_longer_window_keeps_builds_longer(tmp_path: Path, jenkins: Replay) -> None:
    """The window of this poller goes back to 1970."""
    polling = Polling(tmp_path / "poller", jenkins)
    first_listed(jenkins, JOB, None)
    polling.sweep()
    polling.sweep()
    assert remembered(polling) == BUILDS
    polling.state.close()


def test_a_name_that_a_renamed_job_has_left_is_forgotten_after_ninety_days(polling: Polling, jenkins: Replay) -> None:
    jenkins.drop_job(JOB)
    first_listed(jenkins, "app-build", 1)
    polling.state.renamed(JOB, "app-old", round(polling.age_of(0) * 1000))
    polling.wait(minutes=89 * DAY)
    polling.sweep()
    assert polling.state.generation_of_new(JOB) == 1
    polling.wait(minutes=2 * DAY)
    polling.sweep()
    assert polling.state.generation_of_new(JOB) == 0

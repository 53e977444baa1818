"""Builds that cannot be read stop no other build; they are told once, tried again later and later, and given up."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import support
from support.polling import ROOT, Polling

from jenkins_poller.fetch.api import Controller
from jenkins_poller.poll.finding import Found
from jenkins_poller.poll.troubled import Trouble
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace_demo.replay import Fault, Replay

BAD = 40
JOB = "a-broken"
RECORDED = 5
HOUR = 60
GIVEN_UP = "gave up on "


def add_broken_job(jenkins: Replay, path: str) -> None:
    """Add a job, first in the list, with 40 builds like the one at this path."""
    url = f"{ROOT}/job/{JOB}/"
    recorded = jenkins.documents[path]

    def build(number: int) -> dict[str, Any]:
        # Not a copy of one document, which an edit of it would change.
        return {**deepcopy(recorded), "number": number, "url": f"{url}{number}/", "queueId": 900 + number}

    builds = [build(number) for number in range(BAD, 0, -1)]
    own = {"name": JOB, "fullName": JOB, "url": url, "nextBuildNumber": BAD + 1, "builds": builds, "allBuilds": builds}
    job = {"_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob", **own}

    def add(documents: dict[str, Any]) -> dict[str, Any]:
        return {**documents, "jobs": [job, *documents["jobs"]]}

    jenkins.edit("/api/json", add)
    composed = jenkins.documents
    composed[f"/job/{JOB}"] = job
    composed.update({f"/job/{JOB}/{one['number']}": one for one in builds})


@pytest.fixture
def jenkins() -> Iterator[Replay]:
    """A controller with a job whose builds' stages are 500 for ever."""
    with Replay(support.recording("11"), root_url=ROOT) as replay:
        add_broken_job(replay, "/job/app-build/1")
        replay.faults = [Fault(f"^/job/{JOB}/(\\d+/)?wfapi", "status", status=500)]
        yield replay


@pytest.fixture
def polling(tmp_path: Path, jenkins: Replay) -> Iterator[Polling]:
    found = Polling(tmp_path / "poller", jenkins)
    yield found
    found.state.close()


def asked(jenkins: Replay) -> list[str]:
    return [request.path for request in jenkins.requests if f"/job/{JOB}/" in request.path]


def test_all_other_builds_are_read_at_once_and_the_bad_ones_told_once(polling: Polling, jenkins: Replay) -> None:
    swept = polling.sweep()
    assert (swept.builds, swept.unread, len(swept.problems)) == (RECORDED, BAD, BAD)
    assert swept.problems[0].startswith(f"{JOB}#1 cannot be read (")
    assert "answered 500" in swept.problems[0]
    for _ in range(3):
        jenkins.reset()
        swept = polling.sweep()
        assert (swept.builds, swept.unread, swept.problems) == (0, BAD, [])
        assert asked(jenkins) == []


def test_forty_forbidden_builds_stop_no_other(polling: Polling, jenkins: Replay) -> None:
    jenkins.faults = [Fault(f"^/job/{JOB}/", "status", status=403)]
    swept = polling.sweep()
    # The list of the job's builds is forbidden too.
    assert (swept.builds, swept.unread, len(swept.problems)) == (RECORDED, 1, 1)
    assert "403" in swept.problems[0]
    jenkins.reset()
    assert (polling.sweep().unread, asked(jenkins)) == (1, [])


def test_forbidden_builds_whose_list_may_be_read_are_told(tmp_path: Path, jenkins: Replay) -> None:
    polling = Polling(tmp_path / "poller", jenkins, detail="build")
    jenkins.faults = [Fault(f"^/job/{JOB}/\\d+/api", "status", status=403)]
    swept = polling.sweep()
    assert (swept.builds, swept.unread) == (RECORDED + BAD, 0)
    polling.state.close()


def test_they_are_tried_again_later_and_later_and_given_up_after_a_day(polling: Polling, jenkins: Replay) -> None:
    jenkins.faults = [Fault(f"^/job/{JOB}/.*tree=(builds\\[)?_class", "status", status=500)]
    tries, minutes = [], 0
    said: list[str] = []
    while minutes <= 25 * HOUR:
        jenkins.reset()
        said += polling.sweep().problems
        if asked(jenkins):
            tries.append(minutes)
        polling.wait(minutes=5)
        minutes += 5
    assert tries == [0, 5, 20, 80, 320, 24 * HOUR]
    assert len(said) == 2 * BAD
    assert [line.startswith(f"{GIVEN_UP}{JOB}#") for line in said] == [False] * BAD + [True] * BAD
    assert polling.state.open_builds() == {}
    polling.sweep()
    assert polling.sweep().unread == 0


def test_builds_whose_stages_nobody_tells_are_told_without_times_after_a_day(polling: Polling, jenkins: Replay) -> None:
    for minutes in (0, 5, 15, 60, 240):
        polling.wait(minutes=minutes)
        polling.sweep()
    assert len(polling.emitted) == RECORDED
    polling.wait(minutes=24 * HOUR)
    swept = polling.sweep()
    assert (swept.builds, swept.without_times, swept.unread, swept.problems) == (BAD, BAD, 0, [])
    assert polling.state.open_builds() == {}


def test_a_build_that_can_be_read_at_last_is_told(polling: Polling, jenkins: Replay) -> None:
    polling.sweep()
    jenkins.faults = []
    assert polling.sweep().builds == 0
    polling.wait(minutes=6)
    swept = polling.sweep()
    assert (swept.builds, swept.unread) == (BAD, 0)
    assert polling.sweep().unread == 0


def test_another_reason_is_told_again(polling: Polling, jenkins: Replay) -> None:
    polling.sweep()
    jenkins.faults = [Fault(f"^/job/{JOB}/(\\d+/)?wfapi", "status", status=403)]
    polling.wait(minutes=6)
    problems = polling.sweep().problems
    assert len(problems) == BAD
    assert "403" in problems[0]


def test_a_clock_that_was_set_back_does_not_hold_up_the_next_try(polling: Polling, jenkins: Replay) -> None:
    polling.sweep()
    jenkins.faults = []
    polling.wait(minutes=-365 * 24 * HOUR)
    assert polling.sweep().builds == BAD


def test_what_is_due_again_comes_after_what_is_healthy() -> None:
    builds = [Build(ROOT, job, number) for job, number in (("a", 1), ("a", 2), ("b", 1))]
    found = Found(builds, {"a": 2, "b": 1}, troubles={("a", 1): Trouble("500", 0, 0, 1)})
    assert [group.builds for group in found.groups()] == [(builds[1],), (builds[2],), (builds[0],)]


@pytest.mark.parametrize("status", [500, 403])
def test_a_controller_that_answers_nothing_any_more_ends_the_sweep_and_is_no_builds_fault(
    polling: Polling, jenkins: Replay, status: int
) -> None:
    jenkins.faults = [Fault("^/job/|tree=mode", "status", status=status)]
    assert str(status) in polling.failing()
    jenkins.faults = []
    # Perhaps the list of one job was not told before the controller was asked.
    assert polling.sweep().builds >= RECORDED
    polling.wait(minutes=6)
    polling.sweep()
    assert len(polling.emitted) == BAD + RECORDED


@pytest.mark.usefixtures("impatient")
def test_what_was_told_of_builds_is_said_if_the_poll_fails_later(env: dict[str, str], jenkins: Replay) -> None:
    """A build is told once. The list of one job is odd, then the controller is gone."""
    jenkins.edit("/job/app-deploy/api/json", lambda job: {**job, "nextBuildNumber": 50, "builds": 7})
    jenkins.faults = [Fault("^/job/app-build/", "starting")]
    done = support.poll(jenkins.url, env=env)
    failed, odd = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "503" in failed
    assert "app-deploy cannot be read" in odd


def test_a_controller_whose_lists_all_fail_ends_the_sweep_soon(polling: Polling, jenkins: Replay) -> None:
    jobs = [{"name": f"j{n}", "fullName": f"j{n}", "url": f"{ROOT}/job/j{n}/", "nextBuildNumber": 99} for n in range(100)]
    jenkins.edit("/api/json", lambda document: {**document, "jobs": jobs})
    jenkins.faults = [Fault("^/job/|tree=mode", "status", status=500)]
    polling.failing()
    assert len(jenkins.requests) < 20


def test_a_list_of_builds_that_is_odd_stops_no_other_job(tmp_path: Path) -> None:
    with Replay(support.recording("11"), root_url=ROOT) as jenkins:
        jenkins.edit("/job/app-deploy/api/json", lambda job: {**job, "nextBuildNumber": 50, "builds": 7})
        polling = Polling(tmp_path / "poller", jenkins)
        swept = polling.sweep()
        assert (swept.builds, swept.unread) == (2, 1)
        assert swept.problems[0].startswith("app-deploy cannot be read (the list of its builds is not told")
        assert polling.sweep().problems == []
        jenkins.load(support.recording("11"))
        polling.wait(minutes=6)
        swept = polling.sweep()
        assert (swept.builds, swept.unread) == (3, 0)
        polling.state.close()


def test_builds_with_impossible_times_are_counted(tmp_path: Path) -> None:
    with Replay(support.recording("11"), root_url=ROOT) as jenkins:
        jenkins.edit("/job/app-deploy/1/api/json", lambda build: {**build, "timestamp": -5})
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().odd_times == 1
        assert polling.sweep().odd_times == 0
        polling.state.close()


# The command


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Controller.__init__.__kwdefaults__, "first_pause", 0.001)


@pytest.mark.usefixtures("impatient")
def test_the_command_says_the_first_five_and_how_many_more_and_succeeds(env: dict[str, str], jenkins: Replay) -> None:
    done = support.poll(jenkins.url, env=env)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith(f", {BAD} could not be read")
    lines = done.stderr.splitlines()
    assert len(lines) == 6
    assert lines[-1].endswith(f"and {BAD - 5} more")
    assert all("cannot be read" in line for line in lines[:-1])
    done = support.poll(jenkins.url, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"0 builds read, 0 spans, {BAD} could not be read"


@pytest.mark.usefixtures("impatient")
def test_the_command_says_how_many_times_are_impossible(env: dict[str, str]) -> None:
    with Replay(support.recording("11"), root_url=ROOT) as jenkins:
        jenkins.edit("/job/app-deploy/1/api/json", lambda build: {**build, "timestamp": 0})
        done = support.poll(jenkins.url, env=env)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert done.stderr.endswith(": 1 build with impossible times is left out: app-deploy#1\n")


def test_forty_bad_builds_cost_a_bounded_time(tmp_path: Path, jenkins: Replay) -> None:
    polling = Polling(tmp_path / "poller", jenkins)
    jenkins.reset()
    polling.sweep()
    polling.state.close()
    # Two tries for each request about a build alone, one for its stages with another plugin, and some for each group.
    assert len(asked(jenkins)) <= 2 * 2 * BAD + 2 * BAD + 2 * 4 * BAD // 10

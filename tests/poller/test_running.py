"""Builds that run cost one request for all of them, until they have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support.model import ModelJenkins, play, shapes
from support.polling import Polling

from jenkins_poller.fetch import computers
from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.errors import Forbidden
from pipeline_trace_demo.replay import Fault, Replay

START_MS = 1_790_000_000_000
RUNNING = 200


def paths(requests: list[str]) -> list[str]:
    return [request.partition("?")[0] for request in requests]


def test_two_hundred_running_builds_cost_one_request_and_are_told_when_they_end(tmp_path: Path) -> None:
    builds = [play(shapes.NAMED["plain"], start_ms=START_MS, job=f"app-{number}") for number in range(RUNNING)]
    with ModelJenkins(builds, moment_ms=START_MS + 1000) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins, detail="build")
        polling.sweep()
        for _ in range(2):
            jenkins.forget_requests()
            swept = polling.sweep()
            assert (swept.running, swept.active.total(), swept.builds) == (RUNNING, RUNNING, 0)
            assert paths(jenkins.requests) == ["/api/json", "/computer/api/json"]
        jenkins.moment_ms = None
        assert (polling.sweep().builds, polling.sweep().builds) == (RUNNING, 0)
        polling.state.close()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_without_the_list_each_open_build_is_asked_for(tmp_path: Path, status: int) -> None:
    with Replay(support.recording("41")) as jenkins:
        (path,) = [path for path, one in jenkins.documents.items() if path.startswith("/job/") and "timestamp" in one]
        jenkins.edit(f"{path}/api/json", lambda build: build.update(building=True, result=None))
        jenkins.faults = [Fault("/computer/", "status", status=status)]
        polling = Polling(tmp_path / "poller", jenkins, detail="build")
        for _ in range(2):
            jenkins.reset()
            assert polling.sweep().running == 1
            assert f"{path}/api/json" in paths([request.path for request in jenkins.requests])
        jenkins.load(support.recording("41"))
        assert polling.sweep().running == 0
        polling.state.close()


class Canned(Controller):
    """Answers with one document."""

    def __init__(self, answer: Any) -> None:
        super().__init__("https://ci.example.com")
        self._answer = answer

    def get(self, path: str, tree: str = "") -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def on(url: object) -> dict[str, Any]:
    return {"idle": False, "currentExecutable": {"url": url}}


def agent(*executors: Any, offline: bool = False, one_off: Any = ()) -> dict[str, Any]:
    return {"offline": offline, "numExecutors": len(executors), "executors": list(executors), "oneOffExecutors": one_off}


IDLE = {"idle": True, "currentExecutable": None}


def test_agents_are_counted_by_state_and_builds_named_by_their_urls() -> None:
    answer = {
        "computer": [
            agent(one_off=[on("https://ci.example.com/jenkins/job/Team%20A/job/app/7/")]),
            agent(IDLE, on("https://ci.example.com/jenkins/job/lib/3/")),
            agent(IDLE, offline=True),
            agent(IDLE, IDLE),
        ]
    }
    found = computers.look(Canned(answer))
    assert found.agents == {"available": 1, "busy": 1, "offline": 1}
    assert found.running == {("Team A/app", 7), ("lib", 3)}


def test_agents_with_one_label_besides_their_name_are_known_by_it() -> None:
    def labelled(name: object, *labels: object, kind: str = "hudson.slaves.SlaveComputer") -> dict[str, Any]:
        return {"_class": kind, "displayName": name, "assignedLabels": [{"name": label} for label in labels]}

    answer = {
        "computer": [
            labelled("linux-1", "linux-1", "linux"),
            labelled("linux-2", "linux-2", "linux", "docker"),
            labelled("pod-x7k2p", "pod-x7k2p"),
            labelled("Built-In Node", "built-in", "docker", kind="hudson.model.Hudson$MasterComputer"),
            labelled("odd", "odd", 7, None, "", "odd-one"),
            {"displayName": "bare", "assignedLabels": None},
        ]
    }
    labels = {name: label for name, label in computers.look(Canned(answer)).labels.items() if label}
    assert labels == {"linux-1": "linux", "built-in": "docker", "odd": "odd-one"}


def test_a_cell_that_runs_is_not_its_projects_build() -> None:
    answer = {"computer": [agent(on("https://ci.example.com/job/multi/REGION=eu/4/"))]}
    assert computers.look(Canned(answer)).running == frozenset()


@pytest.mark.parametrize("url", [None, 5, "", "nowhere", "https://[", "https://ci.example.com/job/app/"])
def test_what_is_no_builds_url_is_passed_over(url: object) -> None:
    answer = {"computer": [None, agent(on(url), None), agent(one_off=None)]}
    assert computers.look(Canned(answer)).running == frozenset()


@pytest.mark.parametrize("answer", [{}, {"computer": None}, [], Forbidden("no")])
def test_a_controller_that_does_not_tell_has_no_running_builds(answer: Any) -> None:
    assert computers.look(Canned(answer)).running == frozenset()

"""Which plugin tells the times is remembered, and said once and when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from support.model import ModelJenkins, play, shapes
from support.polling import Polling

from jenkins_poller.fetch.sources.choice import Known
from jenkins_poller.poll import plugins
from jenkins_poller.poll.state import State
from pipeline_trace_demo.replay import Replay

START_MS = 1_790_000_000_000
BUILDS = [play(shapes.NAMED["plain"], start_ms=START_MS + n * 100_000, job="app", number=n) for n in (1, 2, 3)]
HUNDRED = [play(shapes.NAMED["plain"], start_ms=START_MS + n * 100_000, job="app", number=n) for n in range(1, 101)]
OTHERS = ("/wfapi/", "/blue/")


def test_a_new_poller_does_not_ask_again_for_the_plugins_that_are_missing(tmp_path: Path) -> None:
    with ModelJenkins(BUILDS[:1], {"graph-view"}) as jenkins:
        first = Polling(tmp_path / "one", jenkins)
        first.sweep()
        first.state.close()
        assert any(other in path for path in jenkins.requests for other in OTHERS)
        jenkins.builds = BUILDS[:2]
        jenkins.forget_requests()
        second = Polling(tmp_path / "two", jenkins, state_of=first)
        assert second.sweep().builds == 1
        second.state.close()
        assert not [path for path in jenkins.requests for other in OTHERS if other in path]


def test_three_builds_of_many_find_out_what_is_missing(tmp_path: Path) -> None:
    with ModelJenkins(HUNDRED, {"wfapi"}) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().builds == len(HUNDRED)
        polling.state.close()
        assert len(jenkins.missed) <= 12, jenkins.missed


def test_a_build_too_old_for_the_list_of_stage_view_costs_one_request_for_its_times(tmp_path: Path) -> None:
    with ModelJenkins(HUNDRED, {"wfapi"}) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().builds == len(HUNDRED)
        polling.state.close()
        of_times = [path for path in jenkins.requests if path.endswith("/wfapi/describe")]
        assert len(of_times) == len(set(of_times)) == len(HUNDRED) - 10


def test_what_tells_the_times_is_part_of_the_result(tmp_path: Path) -> None:
    with ModelJenkins(BUILDS[:1], {"graph-view"}) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert polling.sweep().times_from == "times of stages come from Pipeline Graph View"
        assert polling.sweep().times_from == "times of stages come from Pipeline Graph View"
        polling.state.close()


def test_without_a_plugin_the_one_to_install_is_named(tmp_path: Path) -> None:
    with ModelJenkins(BUILDS[:1], set()) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        assert "install Pipeline Graph View" in polling.sweep().times_from
        polling.state.close()


def test_nothing_is_said_before_a_pipeline_was_read() -> None:
    assert plugins.said(Known()) == ""


def test_what_is_known_survives(tmp_path: Path) -> None:
    state = State(tmp_path / "pollers", "https://ci.example.com")
    assert plugins.load(state) is None
    known = Known("a1", frozenset({"Blue Ocean"}), {"stages/tree": 5})
    plugins.save(state, known)
    assert plugins.load(state) == known
    state.close()


@pytest.mark.parametrize(("options", "lines"), [((), 0), (("-v",), 1)])
def test_the_command_says_it_if_it_is_asked_to_be_verbose(env: dict[str, str], options: tuple[str, ...], lines: int) -> None:
    with Replay(support.recording("11")) as jenkins:
        done = support.poll(jenkins.url, *options, env=env)
    assert done.returncode == 0
    assert done.stderr.count("times of stages come from Pipeline: Stage View") == lines

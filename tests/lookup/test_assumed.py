"""A process that could not ask the controller is below the stage that was under way, not the first one of its name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import support
from support.model import ModelJenkins, play
from support.model.programs import Agent, Program, Stage, sh
from support.spans import span

from pipeline_trace.delivery.destinations.store import Store
from pipeline_trace.lookup.assumed import with_stages
from pipeline_trace.place.ci.jenkins.inside import build_of, locate
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

RUN = {c.PIPELINE_NAME: "app", c.PIPELINE_RUN_ID: "7", c.PIPELINE_RUN_URL: "https://ci/job/app/7/"}


def stage(number: int, start: int, end: int, *, name: str = "Deploy", **resource: str) -> Span:
    made = span(number, 1, start, end, name=name, jenkins_type=c.TYPE_STAGE)
    made.resource = {**RUN, **resource}
    return made


def playbook(start: int, end: int, *, parent: int = 2) -> Span:
    made = span(9, parent, start, end, name="playbook site.yml")
    made.attributes[c.JENKINS_STAGE_ASSUMED] = True
    return made


def parent(*spans: Span) -> int:
    (found,) = (one for one in with_stages(spans) if one.name == "playbook site.yml")
    return int(found.parent_id or "0", 16)


FIRST, SECOND, THIRD = stage(2, 0, 100), stage(3, 200, 300), stage(4, 400, 500)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [(10, 90, 2), (210, 290, 3), (410, 490, 4), (195, 290, 3), (90, 290, 3), (210, 0, 3), (120, 190, 2), (600, 700, 2)],
)
def test_the_stage_is_the_one_that_ran_longest_at_the_same_time(start: int, end: int, found: int) -> None:
    assert parent(FIRST, SECOND, THIRD, playbook(start, end)) == found


def test_a_stage_that_still_runs_is_one_too() -> None:
    assert parent(FIRST, stage(3, 200, 0), playbook(210, 290)) == 3


@pytest.mark.parametrize(
    "other",
    [
        stage(3, 200, 300, name="Test"),
        stage(3, 200, 300, **{c.PIPELINE_RUN_ID: "8"}),
        stage(3, 200, 300, **{c.PIPELINE_RUN_URL: "https://another/job/app/7/"}),
        span(3, 1, 200, 300, name="Deploy"),
    ],
)
def test_other_names_builds_and_spans_do_not_count(other: Span) -> None:
    assert parent(FIRST, other, playbook(210, 290)) == 2


def test_of_stages_that_run_at_once_none_is_chosen() -> None:
    assert parent(FIRST, stage(3, 200, 300), stage(4, 200, 300), playbook(210, 290)) == 2


def test_without_times_nothing_is_corrected() -> None:
    untimed = stage(3, 200, 200)
    untimed.attributes[c.JENKINS_TIMES_UNKNOWN] = True
    assert parent(FIRST, untimed, playbook(200, 200)) == 2


def test_what_the_controller_told_stays() -> None:
    told = replace(playbook(210, 290), attributes={})
    assert parent(FIRST, SECOND, told) == 2


PROGRAM = Program(
    "twice",
    [
        Agent(
            "linux-1",
            [Stage("Deploy", [sh("one", 5000)]), Stage("Test", [sh("t", 900)]), Stage("Deploy", [sh("two", 7000)])],
        )
    ],
)


def test_a_polled_build_shows_it_below_the_second_stage_of_its_name(tmp_path: Path) -> None:
    env = support.environ(tmp_path)
    build = play(PROGRAM, start_ms=1_790_000_000_000)
    second = max((one for one in build.elements if one.name == "Deploy"), key=lambda one: one.start_ms)
    with ModelJenkins([build], plugins={"wfapi"}) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
        environ = {"JENKINS_URL": jenkins.url, "BUILD_URL": f"{jenkins.url}/job/twice/1/", "BUILD_NUMBER": "1"}
        place = locate({**environ, "STAGE_NAME": "Deploy"}, lambda build: None)
        assert place is not None
        known = build_of(environ)
        assert known is not None
    start = (second.start_ms + 1000) * 1_000_000
    made = Span(place.trace_id, f"{9:016x}", place.parent_id, "playbook site.yml", start, start + 1_000_000_000)
    made.attributes = dict(place.attributes)
    store = Store(Path(env["PIPELINE_TRACE_HOME"]) / "traces.db")
    store.deliver([made], 5.0)
    store.close()
    done = support.trace("show", known.name, "--format", "json", env=env)
    (found,) = (one for one in json.loads(done.stdout) if one["name"] == "playbook site.yml")
    assert found["parent_span_id"] == known.span_id("stage", "Deploy", "1")

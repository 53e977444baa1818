"""Builds that run are told as open spans, with the ids, parents and names under which they are told when they have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.model import ModelJenkins, Node, Played, play, shapes
from support.model.sources import SOURCES, UNTIMED
from support.polling import Polling

from jenkins_poller.fetch.errors import ApiError
from jenkins_poller.now import following
from jenkins_poller.now.around import Around
from jenkins_poller.now.moments import Plugins
from jenkins_poller.now.running import Running
from pipeline_trace.lookup.standing import standing
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

START_MS = 1_800_000_000_000


def node_of(played: Played, name: str, nth: int = 0) -> Node:
    return [node for node in played.nodes if node.name.startswith(name)][nth]


class Followed:
    """A controller with one build, and a poller that looks at it while it runs and when it has ended."""

    def __init__(self, folder: Path, played: Played, moment_ms: int, source: str) -> None:
        plugins, stale = SOURCES[source]
        with ModelJenkins([played], plugins, moment_ms=moment_ms, stale=stale) as jenkins:
            polling = Polling(folder / "poller", jenkins)
            self.open = polling.opened(polling.sweep())
            jenkins.moment_ms = None
            polling.sweep()
            polling.state.close()
            self.ended = {span.span_id: span for span in polling.spans}


MOMENTS = {
    "a step": ("deploys", "Shell Script", ["RUN app", "Build", "Shell Script"]),
    "a person": ("deploys", "Wait for interactive", ["RUN app", "Deploy production", "Wait for input"]),
    "a build": ("deploys", "Building deploy", ["RUN app", "Deploy staging", "Building deploy"]),
}
PLAYED = ("deploys", "nested", "parallel-scripted", "parallel-agents", "retry", "blocks", "no-agent", "timeout", "loose")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shape", MOMENTS)
def test_it_stands_where_the_build_is(tmp_path: Path, shape: str, source: str) -> None:
    program, node, expected = MOMENTS[shape]
    played = play(shapes.NAMED[program], start_ms=START_MS, job="app")
    found = Followed(tmp_path, played, node_of(played, node).at_ms + 500, source)
    assert [span.name for span in standing(found.open)] == expected


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("program", PLAYED)
def test_whatever_is_open_ends_under_the_same_id(tmp_path: Path, program: str, source: str) -> None:
    played = play(shapes.NAMED[program], start_ms=START_MS, job="app")
    for number, at_ms in enumerate(
        range(played.start_ms + 100, played.end_ms, max((played.end_ms - played.start_ms) // 7, 1))
    ):
        found = Followed(tmp_path / str(number), played, at_ms, source)
        assert found.open
        for span in found.open:
            # Of a wait for an agent not every source tells afterwards.
            waited = span.attributes.get(c.WAIT_KIND) == c.WAIT_AGENT and span.span_id not in found.ended
            if not waited:
                assert said(span) == said(found.ended[span.span_id]), f"{at_ms - START_MS} ms after the begin"


@pytest.mark.parametrize("source", [name for name in SOURCES if name not in UNTIMED])
def test_stages_begin_when_they_are_told_to_have_begun_afterwards(tmp_path: Path, source: str) -> None:
    played = play(shapes.NAMED["nested"], start_ms=START_MS, job="app")
    found = Followed(tmp_path, played, node_of(played, "Shell Script", 1).at_ms + 100, source)
    stages = [span for span in found.open if span.attributes[c.JENKINS_TYPE] == c.TYPE_STAGE]
    assert [span.name for span in stages] == ["Outer", "Inner", "Innermost"]
    for stage in stages:
        assert c.JENKINS_TIMES_UNKNOWN not in stage.attributes
        assert abs(stage.start_ns - found.ended[stage.span_id].start_ns) <= 100 * 10**6


def said(span: Span) -> tuple[object, ...]:
    kind = span.attributes[c.JENKINS_TYPE]
    # The label is told by the queue, which has forgotten it afterwards.
    name = "" if kind == c.TYPE_AGENT else span.name
    return span.trace_id, span.parent_id, name, span.kind, kind, span.resource


def test_what_a_build_waits_for_is_said(tmp_path: Path) -> None:
    played = play(shapes.NAMED["no-agent-in-branch"], start_ms=START_MS, job="app")
    since_ms = node_of(played, "Allocate node : Start", 1).at_ms
    found = Followed(tmp_path, played, since_ms + 3000, "graph view")
    (waiting,) = [span for span in found.open if c.WAIT_KIND in span.attributes]
    said = {name: value for name, value in waiting.attributes.items() if name.startswith("pipeline_trace.wait")}
    assert waiting.name == "Allocate agent macos"
    assert abs(int(str(said.pop(c.WAIT_SINCE))) // 10**6 - since_ms) <= 100
    assert said == {
        c.WAIT_KIND: "agent",
        c.WAIT_FOR: "macos",
        c.WAIT_REASON: "There are no nodes with the label ‘macos’",
        c.WAIT_STUCK: True,
    }


def test_a_lock_has_no_span_so_its_stage_waits(tmp_path: Path) -> None:
    played = play(shapes.NAMED["blocks"], start_ms=START_MS, job="app")
    found = Followed(tmp_path, played, node_of(played, "Lock shared resource : Start").at_ms + 3000, "graph view")
    (waiting,) = [span for span in found.open if c.WAIT_KIND in span.attributes]
    assert (waiting.name, waiting.attributes[c.WAIT_KIND]) == ("Publish", "lock")
    assert waiting.attributes[c.WAIT_FOR] == "database"


def test_details_are_asked_for_of_the_ten_that_run_for_longest_and_the_others_are_told_to_run(tmp_path: Path) -> None:
    builds = [play(shapes.NAMED["plain"], start_ms=START_MS - number * 10, job=f"app-{number:02}") for number in range(35)]
    with ModelJenkins(builds, moment_ms=START_MS + 1000) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        polling.sweep()
        swept = polling.sweep()
        told, requests = [], []
        for _ in range(4):
            jenkins.forget_requests()
            told.append(polling.opened(swept))
            requests.append(len(jenkins.requests))
        # Of each of the others one request, once: ten of them a look.
        assert [len(jobs_of(spans)) for spans in told] == [20, 30, 35, 35]
        # The queue and the agents; of each of the ten its document and its steps. When its stages began is known.
        assert requests[-1] == 2 + 10 * 2
        assert requests[1] - requests[-1] == 10
        oldest = [f"app-{number}" for number in range(25, 35)]
        assert jobs_of([span for span in told[-1] if span.attributes[c.JENKINS_TYPE] == c.TYPE_STAGE]) == oldest
        runs = [span for span in told[-1] if span.attributes[c.JENKINS_TYPE] == c.TYPE_RUN]
        assert len(runs) == 35
        jenkins.moment_ms = None
        polling.sweep()
        ended = {span.span_id: said(span) for span in polling.spans}
        assert [said(run) for run in runs] == [ended[run.span_id] for run in runs]
        polling.state.close()


def jobs_of(spans: list[Span]) -> list[str]:
    return sorted({str(span.resource[c.PIPELINE_NAME]) for span in spans})


def test_what_is_known_of_a_build_is_not_asked_for_again(tmp_path: Path) -> None:
    played = play(shapes.NAMED["nested"], start_ms=START_MS, job="app")
    moment_ms = node_of(played, "Shell Script", 1).at_ms + 100
    with ModelJenkins([played], SOURCES["stage view"][0], moment_ms=moment_ms) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        swept = polling.sweep()
        first = polling.opened(swept)
        jenkins.forget_requests()
        assert polling.opened(swept) == first
        # The queue, the agents, the document, and the step.
        assert len(jenkins.requests) == 4
        polling.state.close()


def test_an_odd_build_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = [play(shapes.NAMED["plain"], start_ms=START_MS, job=name) for name in ("good", "odd")]
    honest = following.read_running

    def read(plugins: Plugins, build: Build, around: Around) -> Running | None:
        if build.job == "odd":
            raise ValueError("nobody thought of it")
        return honest(plugins, build, around)

    monkeypatch.setattr(following, "read_running", read)
    with ModelJenkins(builds, moment_ms=START_MS + 1000) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        warned: list[str] = []
        opened = polling.opened(polling.sweep(), warned)
        polling.state.close()
    assert {span.resource[c.PIPELINE_NAME] for span in opened} == {"good"}
    assert warned == ["what odd#1 does is not told (ValueError: nobody thought of it); please report this error"]


def test_a_controller_that_is_away_is_an_error_of_the_look_alone(tmp_path: Path) -> None:
    with ModelJenkins([play(shapes.NAMED["plain"], start_ms=START_MS)], moment_ms=START_MS + 1000) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        swept = polling.sweep()
    with pytest.raises(ApiError):
        polling.opened(swept)
    polling.state.close()

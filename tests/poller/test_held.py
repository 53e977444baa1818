"""A run tells for how long its build held executors of agents, where that is known to a second; else nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support.model import START_MS, ModelJenkins, Played, play, shapes
from support.model.programs import Agent, Branch, Parallel, Program, Stage, sh
from support.model.truth import AGENT
from support.polling import ROOT, Polling

from jenkins_poller.fetch.build import Fetched
from jenkins_poller.spans.held import held_attributes
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import is_run
from pipeline_trace.trace.span import AttributeValue, Span
from pipeline_trace_demo.replay import Replay

SECOND_MS = 1000
HELD = (c.JENKINS_HELD_LABELS, c.JENKINS_HELD_WORKERS, c.JENKINS_HELD_LENGTHS_MS)


def runs_of(folder: Path, builds: list[Played], plugins: set[str], detail: str = "step") -> dict[str, Span]:
    """Return the runs that a poller tells of played builds, by their job."""
    with ModelJenkins(builds, plugins) as jenkins:
        polling = Polling(folder, jenkins, detail=detail)
        polling.sweep()
        polling.state.close()
    return {str(span.attributes[c.PIPELINE_NAME]): span for span in polling.spans if is_run(span)}


def lines(run: Span) -> list[tuple[AttributeValue, ...]]:
    return list(zip(*(run.attributes[name] for name in HELD), strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("plugins", [{"wfapi"}, {"graph-view"}], ids=["stage-view", "graph-view"])
def test_what_is_told_is_true_to_a_second_for_each_agent(tmp_path: Path, plugins: set[str]) -> None:
    programs = [*shapes.NAMED.values(), *map(shapes.generated, range(40))]
    builds = [play(program, start_ms=START_MS + SECOND_MS * at) for at, program in enumerate(programs)]
    runs, known = runs_of(tmp_path / "poller", builds, plugins), 0
    for build in builds:
        told = runs[build.job].attributes.get(c.JENKINS_HELD_MS)
        held = [one for one in build.raw if one.kind == AGENT and one.given_ms is not None]
        true = sum(int(one.end_ms or 0) - int(one.given_ms or 0) for one in held)
        if isinstance(told, int):
            known += 1
            assert abs(told - true) <= SECOND_MS * len(held), build.job
    assert known > len(builds) // 2


def test_parallel_branches_on_one_agent_hold_an_executor_each(tmp_path: Path) -> None:
    branches = [Branch(name, [Agent("linux-1", [Stage(name, [sh("make", 30_000)])], wait_ms=5000)]) for name in "ab"]
    build = play(Program("two", [Stage("Test", [Parallel(branches)])]), start_ms=START_MS)
    run = runs_of(tmp_path / "poller", [build], {"wfapi"})["two"]
    ((label, worker, length),) = lines(run)
    assert (bool(label), worker) == (True, "")
    assert length == run.attributes[c.JENKINS_HELD_MS]
    assert isinstance(length, int)
    assert 60_000 <= length <= 64_000


def test_an_agent_whose_label_is_not_told_has_its_name(tmp_path: Path) -> None:
    build = play(Program("quick", [Agent("linux-1", [Stage("Build", [sh("make", 30_000)])], wait_ms=50)]), start_ms=START_MS)
    run = runs_of(tmp_path / "poller", [build], {"graph-view"})["quick"]
    ((label, worker, length),) = lines(run)
    assert (label, worker) == ("", "linux-1")
    assert isinstance(length, int)
    assert 30_000 <= length <= 32_000


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["docker"], ("docker", "")), (["docker", "linux"], ("", "linux-1")), ([], ("", "linux-1")), ([""], ("", "linux-1"))],
)
def test_the_only_label_of_an_agent_stands_for_the_one_that_is_not_told(
    tmp_path: Path, labels: list[str], expected: tuple[str, str]
) -> None:
    build = play(Program("slow", [Agent("linux-1", [Stage("Build", [sh("make", 30_000)])], wait_ms=50)]), start_ms=START_MS)
    with ModelJenkins([build], {"graph-view"}, moment_ms=START_MS + 20_000) as jenkins:
        jenkins.labels = {"linux-1": labels}
        polling = Polling(tmp_path / "poller", jenkins)
        # When a build is open, the next poll asks what the agents do.
        polling.sweep()
        polling.sweep()
        # A cloud removes an agent when its build ends.
        jenkins.moment_ms, jenkins.labels = None, {"linux-1": None}
        polling.sweep()
        polling.state.close()
    (run,) = filter(is_run, polling.spans)
    ((label, worker, length),) = lines(run)
    assert (label, worker) == expected
    assert isinstance(length, int)


def test_the_built_in_node_is_called_as_builds_call_it() -> None:
    document = {"_class": "hudson.model.FreeStyleBuild", "builtOn": "", "number": 7, "duration": 70_000}
    found = held_attributes(Fetched(Build(ROOT, "free", 7), document, labels={"built-in": "docker", "Built-In Node": "no"}))
    assert (found[c.JENKINS_HELD_LABELS], found[c.JENKINS_HELD_WORKERS]) == (["docker"], [""])


def test_a_pipeline_without_agents_held_none(tmp_path: Path) -> None:
    build = play(Program("none", [Stage("Wait", [sh("sleep 1")])]), start_ms=START_MS)
    run = runs_of(tmp_path / "poller", [build], {"graph-view"})["none"]
    assert run.attributes[c.JENKINS_HELD_MS] == 0
    assert not run.attributes.keys() & set(HELD)


@pytest.mark.parametrize(("plugins", "detail"), [(set(), "step"), ({"wfapi"}, "stage"), ({"wfapi"}, "build")])
def test_nothing_is_told_where_the_times_of_agents_are_not_read(tmp_path: Path, plugins: set[str], detail: str) -> None:
    build = play(Program("two", [Agent("linux-1", [Stage("Build", [sh("make", 30_000)])])]), start_ms=START_MS)
    run = runs_of(tmp_path / "poller", [build], plugins, detail)["two"]
    assert not run.attributes.keys() & {c.JENKINS_HELD_MS, *HELD}


def replayed(folder: Path, name: str) -> list[Span]:
    with Replay(support.recording(name)) as jenkins:
        polling = Polling(folder, jenkins)
        polling.sweep()
        polling.state.close()
    return polling.spans


def test_a_freestyle_build_holds_an_executor_as_long_as_it_runs(tmp_path: Path) -> None:
    runs = [span for span in replayed(tmp_path / "poller", "10") if is_run(span)]
    assert runs
    for run in runs:
        length = (run.end_ns - run.start_ns) // 10**6
        assert run.attributes[c.JENKINS_HELD_MS] == length
        assert lines(run) == [("", run.attributes[c.WORKER_NAME], length)]


_CELLS = [("linux-1", 60_000, 7), ("linux-2", 30_000, 7), ("linux-3", 9000, 6)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # The third one is of an earlier build.
        ([{"builtOn": agent, "duration": took, "number": number} for agent, took, number in _CELLS], 90_000),
        ([{}, {}], None),
        ([], None),
    ],
)
def test_a_multi_configuration_build_holds_what_its_configurations_hold(
    told: list[dict[str, Any]], expected: int | None
) -> None:
    document = {"_class": "hudson.matrix.MatrixBuild", "builtOn": "", "number": 7, "duration": 70_000, "runs": told}
    found = held_attributes(Fetched(Build(ROOT, "multi", 7), document))
    assert found.get(c.JENKINS_HELD_MS) == expected
    if expected:
        assert found[c.JENKINS_HELD_WORKERS] == ["linux-1", "linux-2"]

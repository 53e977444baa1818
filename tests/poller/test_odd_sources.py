"""What a plugin tells wrong, late or in part: what can be told is told, and no time is made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.model import START_MS, ModelJenkins, play, played
from support.model.programs import Agent, Program, Stage, Throw, Try, echo, sh
from support.polling import Polling

from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Fetched, Reader
from jenkins_poller.fetch.document import STEP, own_document
from jenkins_poller.fetch.errors import Passing
from jenkins_poller.spans.spans import spans_of_build
from pipeline_trace.place.ci.jenkins.chain import BuildPlace
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.faults import Answer

ROOT = "https://ci.example.com"
MS = 1_000_000
DAY_MS = 86_400_000
Change = Callable[[dict[str, Any]], Any]


class Odd(ModelJenkins):
    """A controller with Graph View whose answers to paths that end so are changed; None is a 404."""

    def __init__(self, name: str, changes: dict[str, Change | None], **more: Any) -> None:
        super().__init__([played(name)], **more)
        self._changes = changes

    def _found(self, path: str, query: dict[str, str]) -> Answer | None:
        answer = super()._found(path, query)
        for end, change in self._changes.items():
            if path.endswith(end) and answer:
                if change is None:
                    return None
                document = json.loads(answer.body)
                change(document["data"])
                return replace(answer, body=json.dumps(document).encode())
        return answer


def fetched(name: str, changes: dict[str, Change | None], *, last_try: bool = False, **more: Any) -> Fetched | Exception:
    build = Build(ROOT, played(name).job, played(name).number)
    with Odd(name, changes, **more) as jenkins, closing(Controller(jenkins.url, first_pause=0.001)) as controller:
        reader = Reader(controller, STEP)
        document = own_document(controller, build, STEP)
        return reader.fetch({build: document}, build.number, {build} if last_try else ())[build]


def spans(name: str, changes: dict[str, Change | None], **more: Any) -> dict[str, Span]:
    """Return the spans of stages and steps by node, and the run."""
    found = fetched(name, changes, **more)
    assert isinstance(found, Fetched), found
    made = spans_of_build(found, BuildPlace(found.build.trace_id), {})
    return {
        str(span.attributes.get(c.TASK_RUN_ID, "run")): span for span in made if span.name not in ("Clean up", "Schedule")
    }


def stage(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in data["stages"] if one["name"] == name)
    return found


@pytest.mark.parametrize(("end", "name"), [("stages/tree", "complete"), ("stages/allSteps", "runIsComplete")])
def test_what_the_plugin_kept_of_a_running_build_is_not_taken_for_its_end(end: str, name: str) -> None:
    found = fetched("plain", {end: lambda data: data.update({name: False})})
    assert isinstance(found, Passing)
    assert "has ended" in str(found)
    told = fetched("plain", {end: lambda data: data.update({name: False})}, last_try=True)
    assert isinstance(told, Fetched)
    assert told.no_times


def test_stages_keep_their_times_where_the_steps_are_not_told() -> None:
    whole, found = spans("plain", {}), spans("plain", {"stages/allSteps": None})
    assert whole.keys() == found.keys()
    stages = [node for node, span in whole.items() if span.attributes[c.JENKINS_TYPE] == c.TYPE_STAGE]
    assert stages
    assert [found[node].end_ns for node in stages] == [whole[node].end_ns for node in stages]


def test_nodes_without_an_id_give_their_times_to_nobody() -> None:
    whole = spans("plain", {})
    found = spans("plain", {"stages/tree": lambda data: stage(data, "Build").update(id=None)})
    assert c.JENKINS_TIMES_UNKNOWN not in found[element(whole, "Test")].attributes
    assert found[element(whole, "Test")].start_ns == whole[element(whole, "Test")].start_ns


def test_ids_that_are_numbers_are_read() -> None:
    def change(data: dict[str, Any]) -> None:
        for one in data["stages"]:
            one["id"] = float(one["id"])

    assert {node: span.end_ns for node, span in spans("plain", {"stages/tree": change}).items()} == {
        node: span.end_ns for node, span in spans("plain", {}).items()
    }


def element(found: dict[str, Span], name: str) -> str:
    return next(node for node, span in found.items() if span.name == name)


@pytest.mark.parametrize("start_ms", [-5, 1, 1_790_000_000, START_MS - DAY_MS, START_MS + DAY_MS, 10**17])
def test_times_outside_of_the_build_are_unknown(start_ms: int) -> None:
    whole = spans("plain", {})
    found = spans("plain", {"stages/tree": lambda data: stage(data, "Test").update(startTimeMillis=start_ms)})
    run = found["run"]
    assert (run.start_ns, run.end_ns) == (whole["run"].start_ns, whole["run"].end_ns)
    for span in found.values():
        assert run.start_ns <= span.start_ns <= span.end_ns <= run.end_ns, span.name


def test_a_stage_that_is_told_too_long_makes_neither_run_nor_step_longer() -> None:
    whole = spans("plain", {})
    found = spans("plain", {"stages/tree": lambda data: stage(data, "Test").update(totalDurationMillis=DAY_MS)})
    assert found["run"].end_ns == whole["run"].end_ns
    steps = [node for node, span in whole.items() if span.attributes[c.JENKINS_TYPE] == c.TYPE_STEP]
    assert [found[node].end_ns for node in steps] == [whole[node].end_ns for node in steps]


def test_a_plugin_that_is_too_old_is_told_from_one_that_is_missing() -> None:
    for plugins, outdated in (({"graph-view-2024"}, True), (set[str](), False), ({"graph-view"}, False)):
        build = Build(ROOT, played("plain").job, played("plain").number)
        with Odd("plain", {}, plugins=plugins) as jenkins, closing(Controller(jenkins.url)) as controller:
            reader = Reader(controller, STEP)
            reader.fetch({build: own_document(controller, build, STEP)}, build.number)
            assert reader.sources.outdated is outdated


def test_where_the_pipeline_caught_its_errors_and_failed_later_the_end_of_its_log_says_why() -> None:
    caught = Stage("Build", [Try([sh("first", status=1)], [echo("never mind")])])
    program = Program("caught", [Agent("linux-1", [caught, Throw("No such property: vresion")])])
    build, explained = play(program, start_ms=START_MS), played("fails")
    for one in (build, explained):
        key = Build(ROOT, one.job, one.number)
        with ModelJenkins([one]) as jenkins, closing(Controller(jenkins.url)) as controller:
            found = Reader(controller, STEP).fetch({key: own_document(controller, key, STEP)}, one.number)[key]
        assert isinstance(found, Fetched)
        assert found.logs
        assert bool(found.console) is (one is build)


@pytest.mark.parametrize("end", ["\n", ""])
def test_the_last_line_of_a_log_is_kept_where_the_exception_follows_on_it(tmp_path: Path, end: str) -> None:
    step = sh("curl -f https://mirror.example", 900, status=22, log=f"curl: (22) The requested URL returned error: 502{end}")
    with ModelJenkins([play(Program("glued", [Agent("linux-1", [Stage("Get", [step])])]), start_ms=START_MS)]) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        polling.sweep()
    (failed,) = [span for span in polling.spans if c.JENKINS_LOG in span.attributes]
    assert str(failed.attributes[c.JENKINS_LOG]).endswith("curl: (22) The requested URL returned error: 502")
    assert failed.status_message == "script returned exit code 22"

"""Odd builds, each the only one of its job: what can be told is told, the rest is counted, and none stops another."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import support
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from support import hostile
from support.polling import ROOT, Polling

from pipeline_trace.delivery.destinations import otlp
from pipeline_trace.place.ci.jenkins.identity import job_path
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Fault, Replay

DAY_MS = 86_400_000
HALF, NUL, ESCAPE, LONG = "half \ud83d", "nul\0x", "\x1b[31mred\x1b[0m\nnext", "x" * 100_000
Change = Callable[[dict[str, Any]], object]


def cause(**fields: Any) -> Change:
    return action("hudson.model.CauseAction", causes=[fields])


def action(kind: str, **fields: Any) -> Change:
    return lambda build: build.update(actions=[{"_class": kind, **fields}])


def parameters(*items: Any) -> Change:
    return action("hudson.model.ParametersAction", parameters=list(items))


def git(**fields: Any) -> Change:
    return action("hudson.plugins.git.util.BuildData", **fields)


def update(**fields: Any) -> Change:
    return lambda build: build.update(fields)


UPSTREAM = "hudson.model.Cause$UpstreamCause"
QUEUE = "jenkins.metrics.impl.TimeInQueueAction"
TESTS = "hudson.tasks.junit.TestResultAction"
TOLD: dict[str, Change] = {
    "as it is": lambda build: None,
    "negative duration": update(duration=-73_000),
    "endless duration": update(duration=1 << 61),
    "no duration": update(duration=None),
    "duration in words": update(duration="12"),
    "unknown result": update(result="PAUSED"),
    "empty result": update(result=""),
    "long result": update(result=LONG),
    "no actions": update(actions=None),
    "actions in words": update(actions="none"),
    "empty actions": update(actions=[None, {}, {"_class": None}, 3]),
    "no causes": action("hudson.model.CauseAction", causes=None),
    "empty causes": action("hudson.model.CauseAction", causes=[None, {}, "x"]),
    "long cause": cause(_class="x" + LONG, shortDescription=LONG, userName=LONG),
    "half cause": cause(_class=HALF, shortDescription=HALF, userId=NUL),
    "no parameters": action("hudson.model.ParametersAction", parameters=None),
    "empty parameters": parameters(None, {"name": None, "value": "x"}, {"name": "", "value": "y"}),
    "odd parameters": parameters({"name": "A", "value": {"a": 1}}, {"name": "B", "value": ["a", None]}),
    "long parameter": parameters({"name": LONG, "value": LONG}),
    "half parameter": parameters({"name": HALF, "value": HALF}),
    "control letters": parameters({"name": NUL, "value": ESCAPE}),
    "no change sets": update(changeSet=None, changeSets=None),
    "empty change sets": update(changeSet={"items": [None]}, changeSets=[None, {}]),
    "no author": update(changeSet={"items": [{"author": None}, {"author": {"fullName": None}}, {}]}),
    "no revision": git(lastBuiltRevision=None, remoteUrls=None),
    "no branch": git(lastBuiltRevision={"SHA1": "a" * 40, "branch": [None, {}]}, remoteUrls=[None]),
    "half revision": git(lastBuiltRevision={"SHA1": HALF, "branch": [{"name": HALF}]}, remoteUrls=[HALF, LONG]),
    "long revision": git(lastBuiltRevision={"SHA1": LONG}),
    "no address": update(url=None),
    "half address": update(url=f"{ROOT}/job/{HALF}/1/"),
    "long address": update(url=f"{ROOT}/job/{LONG}/1/"),
    "no class": lambda build: build.pop("_class"),
    "long agent": update(builtOn=LONG),
    "odd agent": update(builtOn=ESCAPE + HALF + NUL),
    "empty cells": update(runs=[None, {}]),
    "cell without address": update(runs=[{"number": 1, "timestamp": 5, "url": ""}, {"number": 1, "timestamp": 5}]),
    "cell in 1970": update(runs=[{"number": 1, "timestamp": -5, "url": f"{ROOT}/job/x/A=b/1/"}]),
    "queue without times": action(QUEUE, waitingDurationMillis=None, queuingDurationMillis=None),
    "negative queue": action(QUEUE, waitingDurationMillis=-5, queuingDurationMillis=-5),
    "endless queue": action(QUEUE, waitingDurationMillis=1 << 60, queuingDurationMillis=1 << 61),
    "tests in words": action(TESTS, failCount="3", totalCount=4, skipCount=None),
    "Maven": lambda build: (
        build.update(_class="hudson.maven.MavenModuleSetBuild", result="UNSTABLE"),
        action("hudson.maven.reporters.SurefireAggregatedReport", failCount=2, skipCount=1, totalCount=40)(build),
    ),
    "upstream in words": cause(_class=UPSTREAM, upstreamProject="x", upstreamBuild="12", shortDescription=None),
    "upstream 0": cause(_class=UPSTREAM, upstreamProject="gone", upstreamBuild=0),
    "its own upstream": cause(_class=UPSTREAM, upstreamProject="its own upstream", upstreamBuild=1),
    "half upstream": cause(_class=UPSTREAM, upstreamProject=HALF, upstreamBuild=1),
    "external": update(_class="hudson.model.ExternalRun", builtOn=None),
    "TRACEPARENT of nothing": parameters({"name": "TRACEPARENT", "value": f"00-{'0' * 32}-{'0' * 16}-01"}),
    "n" * 250: lambda build: None,
    NUL: lambda build: None,
    ESCAPE: lambda build: None,
}
IMPOSSIBLE: dict[str, Change] = {
    "1970": update(timestamp=0),
    "before 1970": update(timestamp=-1000),
    "in two years": lambda build: build.update(timestamp=build["timestamp"] + 800 * DAY_MS),
    "never": update(timestamp=9_999_999_999_999_999),
    "no time": update(timestamp=None, duration=None),
    "time in words": lambda build: build.update(timestamp=str(build["timestamp"])),
    "time without end": update(timestamp=10**400),
}
NAMED: dict[str, tuple[Change, str]] = {
    "another build": (update(number=2), "the answer is not the document of this build"),
    "no number": (update(number=None), "the answer is not the document of this build"),
    "neither ends nor runs": (update(result=None, building=False), "it does not run, and has no result"),
}


@cache
def real() -> dict[str, Any]:
    with Replay(support.recording("10"), root_url=ROOT) as jenkins:
        found: dict[str, Any] = jenkins.documents["/job/hello-freestyle/1"]
    return found


def job(name: str) -> dict[str, Any]:
    return {"name": name, "fullName": name, "url": f"{ROOT}/job/x/", "nextBuildNumber": 2}


class Odd:
    """A controller with builds that a test has changed, one a job. A healthy job stands at both ends."""

    def __init__(self, changes: dict[str, Change]) -> None:
        self.jobs = ["first", *changes, "last"]
        self.documents: dict[str, Any] = {"/api/json": {"jobs": list(map(job, self.jobs))}}
        for name in self.jobs:
            build = deepcopy(real())
            build["url"] = f"{ROOT}/job/x/1/"
            changes.get(name, lambda build: None)(build)
            self.documents[f"/{job_path(name)}1/api/json"] = build

    def answer(self, path: str) -> hostile.Pieces:
        found = self.documents.get(path.partition("?")[0])
        return hostile.of_json(found) if found else [b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"]


@pytest.fixture
def folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Path]:
    caplog.set_level(logging.WARNING)
    yield tmp_path
    assert [record.getMessage() for record in caplog.records] == []


def spans_by_job(spans: list[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(str(span.resource[c.PIPELINE_NAME]), []).append(span)
    return found


def test_what_can_be_told_is_told_and_a_receiver_can_take_it(folder: Path) -> None:
    odd = Odd(TOLD)
    with hostile.answering(odd.answer) as jenkins:
        polling = Polling(folder / "poller", jenkins)
        swept = polling.sweep()
        polling.state.close()
    told = spans_by_job(polling.spans)
    assert sorted(told) == sorted(odd.jobs)
    assert (swept.problems, swept.odd_times) == ([], 0)
    for span in polling.spans:
        assert 0 < span.start_ns <= span.end_ns < 1 << 63
        assert span.end_ns - span.start_ns < DAY_MS * 10**6, (span.name, span.start_ns, span.end_ns)
        texts = [span.name, span.status_message, *span.attributes, *map(str, span.attributes.values())]
        assert max(map(len, texts)) <= 1100, span.name
    encode_spans(otlp._span_maker()(polling.spans)).SerializeToString()


def of(name: str, folder: Path) -> list[Span]:
    with hostile.answering(Odd({name: TOLD[name]}).answer) as jenkins:
        polling = Polling(folder / "poller", jenkins)
        polling.sweep()
        polling.state.close()
    return spans_by_job(polling.spans)[name]


def test_no_count_of_tests_is_made_up(folder: Path) -> None:
    run = of("tests in words", folder)[0]
    assert run.attributes[c.JENKINS_TESTS_TOTAL] == 4
    assert c.JENKINS_TESTS_FAILED not in run.attributes


def test_tests_of_maven_count(folder: Path) -> None:
    run = of("Maven", folder)[0]
    assert [run.attributes[name] for name in (c.JENKINS_TESTS_TOTAL, c.JENKINS_TESTS_FAILED)] == [40, 2]


@pytest.mark.parametrize("name", ["no author", "empty change sets"])
def test_nobody_is_no_author(folder: Path, name: str) -> None:
    assert c.JENKINS_CHANGE_AUTHORS not in of(name, folder)[0].attributes


@pytest.mark.parametrize("name", ["negative queue", "endless queue", "queue without times"])
def test_an_impossible_wait_is_no_wait(folder: Path, name: str) -> None:
    assert [span.attributes[c.JENKINS_TYPE] for span in of(name, folder)] == [c.TYPE_RUN]


@pytest.mark.parametrize("name", ["half revision", "long revision", "no revision"])
def test_what_is_no_revision_is_none(folder: Path, name: str) -> None:
    assert c.VCS_HEAD_REVISION not in of(name, folder)[0].attributes


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_build_with_an_impossible_time_is_counted_and_stops_no_other(folder: Path, name: str) -> None:
    with hostile.answering(Odd({name: IMPOSSIBLE[name]}).answer) as jenkins:
        polling = Polling(folder / "poller", jenkins)
        swept = polling.sweep()
        polling.state.close()
    assert swept.odd_times == 1
    assert sorted(spans_by_job(polling.spans)) == ["first", "last"]


@pytest.mark.parametrize("name", NAMED)
def test_a_build_that_cannot_be_told_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    change, reason = NAMED[name]
    with hostile.answering(Odd({name: change}).answer) as jenkins:
        polling = Polling(tmp_path / "poller", jenkins)
        (said,) = polling.sweep().problems
        polling.state.close()
    assert f"{name}#1" in said
    assert reason in said
    assert sorted(spans_by_job(polling.spans)) == ["first", "last"]


# Pipelines


@pytest.mark.parametrize("number", ["9" * 5000, "\u0663", "\u00b2", "-1", "1x", ""], ids=lambda number: ascii(number)[:9])
def test_what_is_no_number_of_a_started_build_links_nothing(folder: Path, number: str) -> None:
    log = {"text": f"Starting building: <a href='/job/app-deploy/{number}/'>app-deploy</a>", "hasMore": False}
    with Replay(support.recording("11"), root_url=ROOT) as jenkins:
        starters = [path for path in jenkins.documents if re.fullmatch("/job/app-build/[0-9]+", path)]
        assert starters
        jenkins.faults = [Fault("app-build/.*/wfapi/log", "status", status=200, body=json.dumps(log))]
        polling = Polling(folder / "poller", jenkins)
        swept = polling.sweep()
        polling.state.close()
    assert swept.problems == []
    links = [link for span in polling.spans for link in span.links if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED]
    assert links == []


@pytest.mark.parametrize("node", ["x", "9" * 5000, "-1", "\u0663", ""], ids=lambda node: ascii(node)[:9])
def test_a_stage_without_a_node_stops_no_build(folder: Path, node: str) -> None:
    """Without a flow graph, the source alone tells the stages."""
    stages = [{"id": node, "name": "Odd", "status": "SUCCESS", "startTimeMillis": 1, "durationMillis": 1}]
    runs = [{"id": "1", "name": "#1", "status": "SUCCESS", "stages": stages}]
    build = {**real(), "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun", "url": f"{ROOT}/job/a/1/"}
    answers = {"/api/json": {"jobs": [job("a")]}, "/job/a/1/api/json": build, "/job/a/wfapi/runs": runs}
    with hostile.answering(lambda path: hostile.of_json(answers.get(path.partition("?")[0], {}))) as jenkins:
        polling = Polling(folder / "poller", jenkins)
        swept = polling.sweep()
        polling.state.close()
    assert (swept.problems, swept.builds) == ([], 1)

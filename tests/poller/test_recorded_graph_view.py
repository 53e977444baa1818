"""Builds of a real controller with Graph View alone, and odd builds of one with Stage View, become what they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from support.polling import ROOT, Polling

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

MS = 1_000_000
GRAPH_VIEW = [name for name in support.scenarios() if name.startswith("g-")]
# The plugin's words for how a stage ended, as results of spans.
RESULTS = {
    "success": {c.SUCCESS},
    "unstable": {c.FAILURE},
    "failure": {c.FAILURE},
    "aborted": {c.CANCELLATION, c.TIMEOUT},
    "skipped": {c.SKIP},
    "not_built": {c.SKIP},
}


@pytest.fixture
def polled(tmp_path: Path) -> Iterator[Any]:
    """Return a function that polls a recording, and returns the spans of a build."""
    opened: list[Polling] = []

    def poll(scenario: str, job: str = "", number: int = 1) -> list[Span]:
        with Replay(support.recording(scenario), root_url=ROOT) as jenkins:
            polling = Polling(tmp_path / scenario, jenkins)
            opened.append(polling)
            polling.sweep()
        own = Build(ROOT, job, number)
        return [
            span
            for span in polling.spans
            if not job or (span.resource[c.PIPELINE_NAME], span.resource[c.PIPELINE_RUN_ID]) == (own.job, str(own.number))
        ]

    yield poll
    for polling in opened:
        polling.state.close()


def trees(scenario: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the last recorded answer of ``stages/tree`` of each build that had ended, flat, by job and number."""
    (file,) = support.RECORDINGS.glob(f"{scenario}.jsonl")
    found = {}
    for line in file.read_text("utf-8").splitlines()[1:]:
        exchange = json.loads(line)
        path = exchange["path"].removesuffix("/stages/tree")
        if path != exchange["path"] and exchange["status"] == 200 and exchange["json"]["data"]["complete"]:
            build = Build(ROOT, *job_and_number(path))
            found[build.job, str(build.number)] = list(flat(exchange["json"]["data"]["stages"]))
    return found


def job_and_number(path: str) -> tuple[str, int]:
    from jenkins_poller.fetch.nodelog import build_of_path

    build = build_of_path(ROOT, path)
    return build.job, build.number


def flat(stages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for stage in stages:
        yield stage
        yield from flat(stage["children"])


def by_node(spans: list[Span]) -> dict[tuple[str, str, str], Span]:
    return {
        (
            str(span.resource[c.PIPELINE_NAME]),
            str(span.resource[c.PIPELINE_RUN_ID]),
            str(span.attributes[c.TASK_RUN_ID]),
        ): span
        for span in spans
        if c.TASK_RUN_ID in span.attributes
    }


@pytest.mark.parametrize("scenario", GRAPH_VIEW)
def test_each_stage_that_the_plugin_tells_is_a_span_with_its_times_and_result(scenario: str, polled: Any) -> None:
    made = polled(scenario)
    spans = by_node(made)
    runs = {(span.resource[c.PIPELINE_NAME], span.resource[c.PIPELINE_RUN_ID]) for span in made}
    told = 0
    for (job, number), stages in trees(scenario).items():
        for stage in stages:
            # Of some builds, the tree was recorded and the document was not.
            if stage["type"] not in ("STAGE", "PARALLEL") or (job, number) not in runs:
                continue
            span = spans.get((job, number, stage["id"])) or next(
                # A branch and the stage of its name in it are one span, with the stage's id.
                span
                for (own_job, own_number, _), span in spans.items()
                if (own_job, own_number, span.name) == (job, number, stage["name"])
            )
            assert span.name.removeprefix("Declarative: ") == stage["name"]
            assert span.attributes[c.TASK_RUN_RESULT] in RESULTS[stage["state"]], (job, stage["name"])
            if stage["startTimeMillis"]:
                assert span.start_ns == stage["startTimeMillis"] * MS
                assert span.end_ns == (stage["startTimeMillis"] + stage["totalDurationMillis"]) * MS
            if stage.get("agent") and stage["type"] == "STAGE" and c.WORKER_NAME in span.attributes:
                assert span.attributes[c.WORKER_NAME] == stage["agent"]
            told += 1
    assert told or scenario in ("g-00-root", "g-10-hello-freestyle", "g-22-no-stage", "g-61-syntax-error"), scenario


def names(spans: list[Span], result: str) -> set[str]:
    return {span.name for span in spans if span.attributes.get(c.TASK_RUN_RESULT) == result}


def named(spans: list[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


def test_the_run_is_cleaned_up_after_the_last_branch_of_a_parallel_at_the_top(polled: Any) -> None:
    spans = polled("r1-parallel-top-level")
    branches = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_BRANCH]
    assert branches
    (cleanup,) = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_CLEANUP]
    assert cleanup.start_ns >= max(span.end_ns for span in branches)


def test_stages_after_a_failure_are_skipped(polled: Any) -> None:
    spans = polled("r2-skipped-after-error")
    stages = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_STAGE]
    failed = [span for span in stages if span.attributes[c.TASK_RUN_RESULT] == c.FAILURE]
    skipped = names(stages, c.SKIP)
    assert len(failed) == 1
    assert "test" in skipped
    assert all(span.start_ns >= failed[0].start_ns for span in stages if span.name in skipped)


@pytest.mark.parametrize(("scenario", "result"), [("r3-timeout", c.TIMEOUT), ("r4-abort", c.CANCELLATION)])
def test_a_time_limit_is_told_from_an_abort(scenario: str, result: str, polled: Any) -> None:
    spans = polled(scenario)
    (run,) = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_RUN]
    assert run.attributes[c.PIPELINE_RESULT] == result
    assert result in {span.attributes.get(c.TASK_RUN_RESULT) for span in spans}


def test_stages_that_a_restart_left_out_are_skipped_and_not_of_1970(polled: Any) -> None:
    spans = polled("r7-restart-from-stage", "restartable", 4)
    (run,) = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_RUN]
    build = named(spans, "build")
    assert build.attributes[c.TASK_RUN_RESULT] == c.SKIP
    assert run.start_ns <= build.start_ns <= build.end_ns <= run.end_ns
    assert named(spans, "deploy").attributes[c.TASK_RUN_RESULT] == c.SUCCESS


def test_cells_of_a_matrix_hold_their_stages(polled: Any) -> None:
    spans = polled("r6-matrix-cells")
    cells = {span.span_id: span for span in spans if span.name.startswith("Matrix - ")}
    assert len(cells) == 3
    inside = [span for span in spans if span.parent_id in cells and span.attributes[c.JENKINS_TYPE] == c.TYPE_STAGE]
    assert len({(span.parent_id, span.name) for span in inside}) == len(inside) >= 3
    for span in inside:
        cell = cells[str(span.parent_id)]
        assert cell.start_ns <= span.start_ns
        assert span.end_ns <= cell.end_ns


def test_the_steps_of_a_wait_for_a_lock_are_there(polled: Any) -> None:
    spans = polled("r11-lock-wait")
    assert {span.attributes[c.JENKINS_TYPE] for span in spans} >= {c.TYPE_RUN, c.TYPE_STAGE, c.TYPE_STEP}


def test_what_failed_says_why_without_stage_view(polled: Any) -> None:
    spans = polled("g-11-app-build-deploy", "app-deploy", 5)
    (failed,) = [
        span
        for span in spans
        if span.attributes[c.JENKINS_TYPE] == c.TYPE_STEP and span.attributes[c.TASK_RUN_RESULT] == c.FAILURE
    ]
    assert "UNREACHABLE" in str(failed.attributes[c.JENKINS_LOG])
    assert failed.status_message == "script returned exit code 4"
    (run,) = [span for span in spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_RUN]
    assert run.status_message == "script returned exit code 4"

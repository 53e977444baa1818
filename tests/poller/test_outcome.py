"""Jenkins' results in the conventions' words: made-up documents in a table, and what recorded builds come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import support

from jenkins_poller.fetch import flow
from jenkins_poller.fetch.api import Controller
from jenkins_poller.fetch.build import Fetched, Reader
from jenkins_poller.fetch.document import STEP, own_document
from jenkins_poller.fetch.times import Times
from jenkins_poller.spans import outcome
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace_demo.replay import Replay

FLOW_INTERRUPTED = "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException"


def document(result: str | None, *interruptions: str, **more: Any) -> dict[str, Any]:
    causes = [{"_class": name, "shortDescription": f"because of {name}"} for name in interruptions]
    actions: list[dict[str, Any]] = [{}, {"_class": "hudson.model.CauseAction"}]
    if causes:
        actions.append({"_class": "jenkins.model.InterruptedBuildAction", "causes": causes})
    return {"result": result, "actions": actions, **more}


@cache
def recorded(name: str, job: str, number: int = 1) -> Fetched:
    with Replay(support.recording(name)) as replay:
        controller, build = Controller(replay.url, first_pause=0.001), Build(replay.url, job, number)
        found = Reader(controller, STEP).fetch({build: own_document(controller, build, STEP)}, number)[build]
    assert isinstance(found, Fetched)
    return found


def words(fetched: Fetched, *kinds: str) -> dict[str, str]:
    return {
        f"{element.name} {element.id}": outcome.result_of_element(element, fetched.times.get(element.id), fetched)
        for element in fetched.flow.walk()
        if element.kind in (kinds or (flow.STAGE, flow.BRANCH, flow.STEP))
    }


@pytest.mark.parametrize(
    ("result", "word"),
    [
        ("SUCCESS", "success"),
        ("UNSTABLE", "failure"),
        ("FAILURE", "failure"),
        ("ABORTED", "cancellation"),
        ("NOT_BUILT", "skip"),
    ],
)
def test_a_builds_result(result: str, word: str) -> None:
    assert outcome.result_of_build(document(result)) == word


@pytest.mark.parametrize(
    ("result", "interruption", "word"),
    [
        ("ABORTED", "jenkins.model.CauseOfInterruption$UserInterruption", "cancellation"),
        ("ABORTED", "org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout", "timeout"),
        ("ABORTED", "org.jenkinsci.plugins.workflow.support.steps.input.Rejection", "cancellation"),
        ("FAILURE", "org.jenkinsci.plugins.workflow.support.steps.build.DownstreamFailureCause", "failure"),
        ("ABORTED", "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$RemovedNodeCause", "error"),
        ("FAILURE", "org.jenkinsci.plugins.workflow.support.steps.ExecutorStepExecution$RemovedNodeTimeoutCause", "error"),
        ("ABORTED", "org.jenkinsci.plugins.workflow.steps.SomethingNew", "cancellation"),
        # A time limit that was caught: the build failed for another reason.
        ("FAILURE", "org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout", "failure"),
    ],
)
def test_what_interrupted_a_build_tells_results_apart(result: str, interruption: str, word: str) -> None:
    assert outcome.result_of_build(document(result, interruption)) == word


def test_interruptions_are_the_last_parts_of_their_classes() -> None:
    assert outcome.interruption_classes(document("ABORTED", "a.b$C", "d.E")) == {"C", "E"}


@pytest.mark.parametrize(
    "broken",
    [
        {"result": "SUCCESS"},
        {"result": "SUCCESS", "actions": None},
        {"result": "SUCCESS", "actions": [None, {}, 5]},
        {"result": "SUCCESS", "actions": [{"_class": "jenkins.model.InterruptedBuildAction"}]},
        {"result": "SUCCESS", "actions": [{"_class": "jenkins.model.InterruptedBuildAction", "causes": None}]},
        {"result": "SUCCESS", "actions": [{"_class": "jenkins.model.InterruptedBuildAction", "causes": [{}]}]},
    ],
)
def test_a_document_with_less_in_it_is_no_error(broken: dict[str, Any]) -> None:
    assert outcome.result_of_build(broken) == "success"


@pytest.mark.parametrize(
    ("name", "job", "word"),
    [
        ("20", "parallel-nested", "success"),
        ("30", "fail-error", "failure"),
        ("31", "fail-sh", "failure"),
        ("33", "unstable-tests", "failure"),
        ("34", "skip-stage", "success"),
        ("36", "retry-timeout", "timeout"),
        ("39", "abort-me", "cancellation"),
        ("40", "approve-me", "success"),
        ("40", "approve-holding", "cancellation"),
    ],
)
def test_recorded_builds(name: str, job: str, word: str) -> None:
    assert outcome.result_of_build(recorded(name, job).document) == word


def test_the_step_that_failed_its_stage_and_what_came_after() -> None:
    assert words(recorded("30", "fail-error")) == {
        "One 6": "success", "Shell Script 7": "success",
        "Boom 11": "failure", "Error signal 12": "failure",
        "Never 16": "skip",
        "Declarative: Post Actions 21": "success", "Print Message 22": "success", "Print Message 23": "success",
    }  # fmt: skip


def test_unstable_steps_and_stages_are_failures_although_wfapi_calls_the_step_a_success() -> None:
    assert words(recorded("33", "unstable-tests")) == {
        "Test 6": "failure", "Shell Script 7": "success", "Archive JUnit-formatted test results 8": "failure",
        "Quality gate 12": "failure", "Set stage result to unstable 13": "failure",
        "After 17": "success", "Print Message 18": "success",
    }  # fmt: skip


def test_stages_left_out_are_skipped() -> None:
    assert words(recorded("34", "skip-stage"), flow.STAGE) == {
        "Build 6": "success", "Deploy 11": "skip", "Group 16": "skip", "G1 19": "skip", "G2 24": "skip",
        "Notify 31": "success",
    }  # fmt: skip


def test_a_time_limit_is_a_timeout_and_a_retry_that_worked_a_success() -> None:
    assert words(recorded("36", "retry-timeout")) == {
        "Flaky 6": "success", "Shell Script 9": "failure", "Shell Script 12": "success",
        "Slow 18": "timeout", "Shell Script 21": "timeout",
        "Never 27": "skip",
        "Declarative: Post Actions 32": "success", "Shell Script 33": "success",
    }  # fmt: skip


def test_an_abort_is_a_cancellation() -> None:
    assert words(recorded("39", "abort-me")) == {
        "Start 6": "success", "Shell Script 7": "success",
        "Long 11": "cancellation", "Shell Script 12": "cancellation",
        "Never 16": "skip",
        "Declarative: Post Actions 21": "success", "Print Message 22": "success",
    }  # fmt: skip


def test_a_rejected_approval_is_a_cancellation() -> None:
    found = words(recorded("40", "approve-holding"))
    assert found["Gate 11"] == found["Wait for interactive input 14"] == "cancellation"


def test_branches_of_a_green_run_are_green() -> None:
    assert set(words(recorded("21", "parallel-scripted")).values()) == {"success"}


@pytest.mark.parametrize(
    ("error_type", "word"),
    [
        ("hudson.AbortException", "failure"),
        ("java.io.IOException", "failure"),
        ("hudson.remoting.ChannelClosedException", "error"),
        ("java.nio.channels.ClosedChannelException", "error"),
        ("hudson.remoting.RequestAbortedException", "error"),
        ("org.jenkinsci.plugins.workflow.steps.MissingContextVariableException", "error"),
    ],
)
def test_a_lost_agent_is_an_error_of_the_platform(error_type: str, word: str) -> None:
    fetched = recorded("31", "fail-sh")
    step = fetched.flow.find("12")
    assert step is not None
    assert outcome.result_of_element(step, replace(fetched.times["12"], error_type=error_type), fetched) == word


@pytest.mark.parametrize(
    ("result", "interruption", "word"),
    [
        ("FAILURE", "x.DownstreamFailureCause", "failure"),
        ("ABORTED", "x.CauseOfInterruption$UserInterruption", "cancellation"),
        ("ABORTED", "x.ExecutorStepExecution$RemovedNodeCause", "error"),
        ("ABORTED", "x.TimeoutStepExecution$ExceededTimeout", "timeout"),
    ],
)
def test_an_interrupted_step_is_what_interrupted_the_build(result: str, interruption: str, word: str) -> None:
    fetched = recorded("39", "abort-me")
    step = fetched.flow.find("12")
    assert step is not None
    told = replace(fetched, document=document(result, interruption))
    assert outcome.result_of_element(step, fetched.times["12"], told) == word


def test_an_element_of_which_nothing_is_known_is_no_failure() -> None:
    fetched = recorded("20", "parallel-nested")
    step = fetched.flow.find("7")
    assert step is not None
    assert outcome.result_of_element(step, None, fetched) == "success"


def interruption_of(fetched: Fetched, step_id: str) -> tuple[str, str]:
    step = fetched.flow.find(step_id)
    assert step is not None
    times = fetched.times[step_id]
    return outcome.error_of_element(outcome.result_of_element(step, times, fetched), step, times, fetched)


def failed_step(told: dict[str, Any]) -> tuple[flow.Element, Fetched]:
    """Return a failed step of a build with this document."""
    fetched = recorded("31", "fail-sh")
    step = fetched.flow.find("12")
    assert step is not None
    return step, replace(fetched, document=told)


def test_an_errors_type_and_message_are_the_steps_own() -> None:
    assert interruption_of(recorded("30", "fail-error"), "12") == ("AbortException", "custom failure message")
    assert interruption_of(recorded("31", "fail-sh"), "12") == ("AbortException", "script returned exit code 2")


def test_a_timeout_has_the_type_and_message_of_one() -> None:
    kind, message = interruption_of(recorded("36", "retry-timeout"), "21")
    assert kind == "timeout"
    assert message


def test_an_interruption_without_a_message_has_the_builds() -> None:
    step, fetched = failed_step(document("FAILURE", "x.build.DownstreamFailureCause"))
    times = Times(0, 0, "FAILED", error_type=FLOW_INTERRUPTED)
    assert outcome.error_of_element("failure", step, times, fetched) == (
        "DownstreamFailureCause",
        "because of x.build.DownstreamFailureCause",
    )


def test_what_only_marks_the_build_is_unstable() -> None:
    assert interruption_of(recorded("33", "unstable-tests"), "13")[0] == "UNSTABLE"


def _with(**change: Any) -> Callable[[Times], Times]:
    return lambda times: replace(times, **change)


@pytest.mark.parametrize("change", [_with(error_type=""), _with(status=""), _with(status="NEW_WORD")])
def test_an_error_always_has_a_type(change: Callable[[Times], Times]) -> None:
    step, fetched = failed_step(document("FAILURE"))
    assert outcome.error_of_element("failure", step, change(recorded("31", "fail-sh").times["12"]), fetched)[0]

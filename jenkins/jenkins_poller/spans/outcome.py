"""Translates Jenkins' results into those of OpenTelemetry's semantic conventions for CI/CD.

``failure`` means that something in the build failed; ``error`` means that the platform failed. Take a build's result from
its own document, never from wfapi (the plugin Pipeline: REST API): there, a time-out is FAILED, and a Jenkinsfile that does
not compile is NOT_EXECUTED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.trace import conventions as c

from ..fetch import flow
from ..fetch.build import Fetched
from ..fetch.times import ABORTED, FAILED, NOT_EXECUTED, SUCCESS, UNSTABLE, Times

_RESULTS = {
    "SUCCESS": c.SUCCESS,
    "UNSTABLE": c.FAILURE,
    "FAILURE": c.FAILURE,
    "NOT_BUILT": c.SKIP,
    "ABORTED": c.CANCELLATION,
}
_STATUSES = {
    SUCCESS: c.SUCCESS,
    UNSTABLE: c.FAILURE,
    FAILED: c.FAILURE,
    ABORTED: c.CANCELLATION,
    NOT_EXECUTED: c.SKIP,
}
_COLORS = {"red": c.FAILURE, "yellow": c.FAILURE, "aborted": c.CANCELLATION}

_INTERRUPTED = "FlowInterruptedException"


def result_of_build(document: Mapping[str, Any]) -> str:
    """Return the result of a build that has ended."""
    word = _RESULTS.get(str(document.get("result")), c.FAILURE)
    causes = interruption_classes(document)
    if causes & documents.PLATFORM_FAILURES:
        return c.ERROR
    if word == c.CANCELLATION and "ExceededTimeout" in causes:
        return c.TIMEOUT
    return word


def interruption_classes(document: Mapping[str, Any]) -> set[str]:
    """Return the class names of a build's interruptions, without packages."""
    return {
        documents.short_class(cause)
        for action in documents.actions_of(document, "InterruptedBuildAction")
        for cause in action.get("causes") or ()
    }


def result_of_element(element: flow.Element, times: Times | None, fetched: Fetched) -> str:
    """Return the result of a stage, branch or step."""
    if element.skipped:
        return c.SKIP
    status = times.status if times else ""
    if times and times.error_type.rpartition(".")[2] in documents.PLATFORM_FAILURES:
        return c.ERROR
    word = _STATUSES.get(status, c.SUCCESS)
    color = _end_color(element)
    if word == c.SUCCESS and color in _COLORS and (element.kind != flow.BRANCH or color != "yellow"):
        word = _COLORS[color]
    if word == c.SUCCESS and element.warned and element.kind != flow.STEP:
        word = c.FAILURE
    if (
        times
        and times.error_type.endswith(_INTERRUPTED)
        and interruption_classes(fetched.document) & documents.PLATFORM_FAILURES
    ):
        return c.ERROR
    return _interrupted(element, fetched) if word == c.CANCELLATION else word


def error_of_element(word: str, element: flow.Element, times: Times, fetched: Fetched) -> tuple[str, str]:
    """Return ``error.type`` and the message of a stage, branch or step that did not succeed. ``word``: its result.

    No source has a message for an interruption. It comes from the build's document. A stage without a message of its own has
    that of the step that failed in it.
    """
    kind = times.error_type.rpartition(".")[2]
    if word == c.TIMEOUT:
        return c.TIMEOUT, "the time limit was exceeded"
    inside = list(element.walk())
    message = times.error or next((fetched.errors[inner.id] for inner in inside if inner.id in fetched.errors), "")
    started = [inner for inner in inside if inner.starts_build and inner.node.color == "red"]
    if not message and (started or kind == _INTERRUPTED or word == c.CANCELLATION):
        for action in documents.actions_of(fetched.document, "InterruptedBuildAction"):
            for cause in action.get("causes") or ():
                return documents.short_class(cause), str(cause.get("shortDescription") or "")
    if not message:
        message = next((f"{build.name} failed" for step in started for build in fetched.started.get(step.id, ())), "")
    return kind or _status(element, times), message


def _status(element: flow.Element, times: Times) -> str:
    """Return how an element ended, in Stage View's words. A step that only marks the build is successful there."""
    if times.status not in ("", SUCCESS):
        return times.status
    return {"red": FAILED, "aborted": ABORTED}.get(_end_color(element), UNSTABLE)


def _end_color(element: flow.Element) -> str:
    return element.node.color if element.kind == flow.STEP else element.end_color


def _interrupted(element: flow.Element, fetched: Fetched) -> str:
    """Return the result for an interruption. No source distinguishes time-outs from aborts; the build's document does.

    If the interruption was caught, the document does not say anything: then a time limit around the element decides.
    """
    causes = interruption_classes(fetched.document)
    aborted = fetched.document.get("result") == "ABORTED"
    if causes & documents.PLATFORM_FAILURES:
        return c.ERROR
    if "ExceededTimeout" in causes and (element.limited or element.holds_limit or len(causes) == 1):
        return c.TIMEOUT
    if not aborted and "DownstreamFailureCause" in causes:
        return c.FAILURE
    return c.TIMEOUT if element.limited and not aborted else c.CANCELLATION

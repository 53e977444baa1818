"""Turns a build's JSON document into span attributes and events: tests, parameters, causes, time in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.place.ci.jenkins.chain import Facts
from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace import redact
from pipeline_trace.trace.span import AttributeValue, Event

_LONGEST_VALUE = 1000
# A longer one is not the address of a page.
_LONGEST_URL = 8000
# Ten years in milliseconds. Nothing lasts longer.
_LONGEST_MS = 3653 * 86_400_000
_TESTS = {"totalCount": c.JENKINS_TESTS_TOTAL, "failCount": c.JENKINS_TESTS_FAILED, "skipCount": c.JENKINS_TESTS_SKIPPED}


def build_resource(
    build: Build, document: Mapping[str, Any], service: Mapping[str, AttributeValue]
) -> dict[str, AttributeValue]:
    """Return the resource attributes of a build's spans. ``service``: the resource attributes of the controller."""
    return {
        **service,
        c.PIPELINE_NAME: build.job,
        c.PIPELINE_RUN_ID: str(build.number),
        c.PIPELINE_RUN_URL: build_url(document),
    }


def service_name(controller: str) -> str:
    """Return the service name of a controller: its host name."""
    return urlsplit(controller).hostname or controller


def build_url(document: Mapping[str, Any]) -> str:
    """Return a build's URL as the controller shows it; "" if it is none."""
    url = str(document.get("url") or "")
    return url if len(url) <= _LONGEST_URL else ""


def lasted_ms(value: object) -> int:
    """Return a duration in milliseconds; 0 if the value cannot be one."""
    return value if isinstance(value, int) and 0 <= value <= _LONGEST_MS else 0


def test_counts(document: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return the numbers of tests; an empty dictionary if the build reported no tests."""
    for data in documents.actions_of(document, *documents.TEST_ACTIONS):
        if isinstance(data.get("totalCount"), int):
            return {name: data[field] for field, name in _TESTS.items() if isinstance(data.get(field), int)}
    return {}


def author_count(document: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return the number of authors of a build's changes. Names and addresses are not recorded."""
    sets = [*(document.get("changeSets") or ()), document.get("changeSet") or {}]
    names = {(item.get("author") or {}).get("fullName") for one in sets for item in one.get("items") or ()} - {None}
    return {c.JENKINS_CHANGE_AUTHORS: len(names)} if names else {}


def interruption_attributes(document: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return what interrupted a build and who did it, in Jenkins' words."""
    causes = [
        cause for action in documents.actions_of(document, "InterruptedBuildAction") for cause in action.get("causes") or ()
    ]
    said = [short_text(str(cause.get("shortDescription"))) for cause in causes if cause.get("shortDescription")]
    classes = sorted({short_text(documents.short_class(cause)) for cause in causes})
    return {c.JENKINS_INTERRUPTIONS: classes, c.JENKINS_INTERRUPTION_DESCRIPTIONS: said} if causes else {}


def failed_test_events(names: Iterable[tuple[str, str]], time_ns: int) -> list[Event]:
    """Return one event for each failed test. ``names``: suite and case. ``time_ns``: nanoseconds since the epoch."""
    return [
        Event(
            "test failed",
            time_ns,
            {c.TEST_SUITE_NAME: short_text(suite), c.TEST_CASE_NAME: short_text(case), c.TEST_CASE_RESULT_STATUS: "fail"},
        )
        for suite, case in names
    ]


def parameter_attributes(document: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return a build's parameters, with masked secrets. If a name shows that the value is secret, all of it is masked."""
    return {
        f"{c.JENKINS_PARAMETER_PREFIX}{short_text(name)}": redact.MASK if redact.is_secret_name(name) else short_text(value)
        for name, value in documents.parameters_of(document).items()
        if value
    }


def short_text(value: str) -> str:
    """Return the beginning of a text with masked secrets, at most _LONGEST_VALUE characters long."""
    return redact.masked_start(value, _LONGEST_VALUE)


def trigger_events(facts: Facts, time_ns: int) -> list[Event]:
    """Return one event for each cause of the build. ``time_ns``: nanoseconds since the epoch."""
    return [
        Event(
            "trigger",
            time_ns,
            {
                c.JENKINS_CAUSE: short_text(cause.kind),
                c.JENKINS_CAUSE_DESCRIPTION: short_text(cause.description),
                **({c.JENKINS_CAUSE_USER: short_text(cause.who)} if cause.who else {}),
            },
        )
        for cause in facts.causes
    ]


def queue_ms(document: Mapping[str, Any]) -> dict[str, int] | None:
    """Return how long a build waited in the queue, in milliseconds: the total, and by phase.

    Return None if the build does not say: this needs the Metrics plugin on the controller.
    """
    for data in documents.actions_of(document, "TimeInQueueAction"):
        phases = {phase: data.get(f"{phase}DurationMillis") for phase in ("waiting", "blocked", "buildable")}
        known = {phase: value for phase, value in phases.items() if isinstance(value, int) and 0 <= value <= _LONGEST_MS}
        if known:
            return {"total": lasted_ms(data.get("queuingDurationMillis")) or sum(known.values()), **known}
    return None

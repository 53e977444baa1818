"""Counts and failed cases of tests, from Maven jobs and from reports that aggregate those of other builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support.polling import Polling

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.queries import failed_tests
from pipeline_trace.trace.span import Span
from pipeline_trace_demo.replay import Replay

JOB = "/job/unstable-tests/1"
MAVEN = "hudson.maven.MavenModuleSetBuild"


def suite(name: str, *failing: str, count: int = 3) -> dict[str, Any]:
    """Return a suite of a report: these cases fail, the others pass."""
    passing = [f"case {number}" for number in range(count - len(failing))]
    cases = [{"className": f"shop.{name}", "name": case, "status": "PASSED"} for case in passing]
    return {"name": name, "cases": [*cases, *({**cases[0], "name": case, "status": "REGRESSION"} for case in failing)]}


def aggregated(*children: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a report of a parent: one child for each module, with the suites of its own report."""
    reports = [
        {
            "child": {"number": 1, "url": f"http://127.0.0.1/job/unstable-tests/com.example${number}/1/"},
            "result": {"_class": "hudson.tasks.junit.TestResult", "suites": suites},
        }
        for number, suites in enumerate(children)
    ]
    return {"_class": "hudson.tasks.test.AggregatedTestResultAction", "childReports": reports}


def run_of(folder: Path, build: str, action: str, counts: tuple[int, int, int], report: dict[str, Any]) -> Span:
    """Return the run of a build of a class, with an action that counts tests: failed, skipped, in total."""
    named = dict(zip(("failCount", "skipCount", "totalCount"), counts, strict=True))

    def with_tests(document: dict[str, Any]) -> dict[str, Any]:
        kept = [one for one in document["actions"] if "totalCount" not in one]
        return {**document, "_class": build, "actions": [*kept, {"_class": action, **named, "urlName": "testReport"}]}

    with Replay(support.recording("33")) as jenkins:
        jenkins.edit(f"{JOB}/api/json", with_tests)
        jenkins.edit(f"{JOB}/testReport/api/json", lambda _: report)
        polling = Polling(folder, jenkins)
        polling.sweep()
    (run,) = [span for span in polling.spans if span.attributes[c.JENKINS_TYPE] == c.TYPE_RUN]
    return run


def told(run: Span) -> tuple[Any, ...]:
    names = (c.JENKINS_TESTS_FAILED, c.JENKINS_TESTS_SKIPPED, c.JENKINS_TESTS_TOTAL)
    return tuple(run.attributes.get(name) for name in names)


@pytest.mark.parametrize(
    ("build", "action"),
    [
        (MAVEN, "hudson.maven.reporters.SurefireAggregatedReport"),
        ("hudson.matrix.MatrixBuild", "hudson.tasks.test.MatrixTestResult"),
        ("hudson.model.FreeStyleBuild", "hudson.tasks.test.AggregatedTestResultAction"),
    ],
)
def test_an_aggregated_report_names_the_failed_cases_of_all_its_children(tmp_path: Path, build: str, action: str) -> None:
    report = aggregated([suite("Cart", "adds")], [suite("Price"), suite("Tax", "rounds", "adds up")])
    run = run_of(tmp_path, build, action, (3, 1, 40), report)
    assert told(run) == (3, 1, 40)
    assert failed_tests(run) == ["Cart shop.Cart.adds", "Tax shop.Tax.rounds", "Tax shop.Tax.adds up"]


def test_a_maven_module_has_its_own_report(tmp_path: Path) -> None:
    report = {"_class": "hudson.tasks.junit.TestResult", "suites": [suite("Cart", "adds")]}
    run = run_of(tmp_path, "hudson.maven.MavenBuild", "hudson.maven.reporters.SurefireReport", (1, 0, 3), report)
    assert told(run) == (1, 0, 3)
    assert failed_tests(run) == ["Cart shop.Cart.adds"]


def test_a_child_without_a_report_hides_no_other(tmp_path: Path) -> None:
    report = aggregated([suite("Cart", "adds")], [suite("Tax", "rounds")])
    report["childReports"][0] = {"child": None, "result": None}
    report["childReports"].insert(0, None)
    run = run_of(tmp_path, MAVEN, "hudson.maven.reporters.SurefireAggregatedReport", (2, 0, 6), report)
    assert told(run) == (2, 0, 6)
    assert failed_tests(run) == ["Tax shop.Tax.rounds"]


def test_no_more_than_fifty_cases_are_named(tmp_path: Path) -> None:
    failing = [f"fails {number}" for number in range(40)]
    report = aggregated([suite("Cart", *failing, count=41)], [suite("Tax", *failing, count=41)])
    run = run_of(tmp_path, MAVEN, "hudson.maven.reporters.SurefireAggregatedReport", (80, 0, 82), report)
    assert told(run) == (80, 0, 82)
    assert len(failed_tests(run)) == 50

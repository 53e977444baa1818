"""A recorded stage that did not run, because an earlier one failed or a restart left it out, is skipped for every reader."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import support

from pipeline_trace_demo.replay import Replay

SKIPPED = {"r2": {"test", "deploy"}, "r7": {"build"}}
JOBS = {"r2": "decl#1", "r7": "restartable#4"}


@pytest.fixture(scope="module", params=SKIPPED)
def polled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """A recording's name, and a store with its builds."""
    env = support.environ(tmp_path_factory.mktemp(request.param))
    with Replay(support.recording(request.param)) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
    return request.param, env


def test_show_marks_it_as_skipped(polled: tuple[str, dict[str, str]]) -> None:
    name, env = polled
    said = support.trace("show", JOBS[name], env=env).stdout
    assert set(re.findall(r"- stage (\S+)  ", said)) == SKIPPED[name]
    assert not re.search(r"✗ stage (test|deploy|build)\b", said)
    assert "1970" not in said
    if name == "r7":
        assert "- stage build  –" in said


def test_why_does_not_name_it(polled: tuple[str, dict[str, str]]) -> None:
    name, env = polled
    verdict = json.loads(support.trace("why", "--format", "json", JOBS[name], env=env).stdout)
    if name == "r7":
        assert verdict["kind"] == "nothing_failed"
    else:
        assert "decl > lint > Shell Script" in verdict["evidence"]


def test_path_counts_no_attempt_of_it(polled: tuple[str, dict[str, str]]) -> None:
    name, env = polled
    path: dict[str, Any] = json.loads(support.trace("path", "--format", "json", JOBS[name], env=env).stdout)
    (service,) = path["services"]
    last = [step["last"] for step in service["steps"] if step["last"]]
    assert [one["failed_at"] for one in last] == [None if name == "r7" else "lint"]
    assert [one["run"] for one in last] == [JOBS[name]]


def test_the_report_lists_it_as_no_trouble(polled: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    name, env = polled
    page = tmp_path / "report.html"
    assert support.trace("report", JOBS[name], "--output", page, env=env).returncode == 0
    text = page.read_text(encoding="utf-8")
    failed = re.findall(r'<span class="trouble-head">.*?<strong>(.*?)</strong>', text)
    assert failed == ([] if name == "r7" else ["Shell Script"])
    data = json.loads(re.search(r'id="trace-data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    skipped = [values for values in data["rows"] if data["states"][values[3]] == "skip"]
    assert {data["texts"][values[1]] for values in skipped} == SKIPPED[name]
    # Within the run: its bar never begins in 1970.
    assert all(0 <= values[4] <= data["extent"] for values in skipped)

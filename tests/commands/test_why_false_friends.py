"""`pipeline-trace why` on recorded builds whose history looks as if it told whose the failure is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support

from pipeline_trace_demo.replay import Replay


def why(recording: str, build: str, folder: Path) -> dict[str, Any]:
    env = support.environ(folder)
    with Replay(support.recording(recording)) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
    done = support.trace("why", "--format", "json", build, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


@pytest.mark.parametrize("build", ["unit-tests-a#1", "package-b#1"])
def test_two_jobs_that_exit_on_one_agent_with_other_statuses_have_nothing_in_common(build: str, tmp_path: Path) -> None:
    verdict = why("r15", build, tmp_path)
    assert verdict["owner"] == "unknown"
    assert "projects" not in "\n".join(verdict["evidence"])
    assert "built-in" not in verdict["next"]


@pytest.mark.parametrize("build", ["prop#1", "failing-down#1"])
def test_an_application_that_answers_500_in_a_build_that_others_started_is_unhealthy(build: str, tmp_path: Path) -> None:
    verdict = why("r8", build, tmp_path)
    assert verdict["kind"] == "app_unhealthy"
    assert "build failing-down#1" in "\n".join(verdict["evidence"])

"""A deploy that two builds share, because the queue joined what both had started: `why` and `path` find it for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support

from pipeline_trace_demo.replay import Replay

COMMITS = {"noprop": "a" * 40, "prop": "b" * 40}


@pytest.fixture(scope="module", params=["pipeline", "build"])
def env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store with the recorded builds: two builds of a commit each, and the deploy to staging that both started."""
    env = support.environ(tmp_path_factory.mktemp("shared"))
    with Replay(support.recording("r8")) as jenkins:
        for job, commit in COMMITS.items():
            checked_out = {
                "_class": "hudson.plugins.git.util.BuildData",
                "lastBuiltRevision": {"SHA1": commit, "branch": [{"SHA1": commit, "name": "refs/remotes/origin/main"}]},
                "remoteUrls": [f"https://git.example.com/shop/{job}.git"],
            }
            _add(jenkins, job, checked_out)
        parameter = {"_class": "hudson.model.StringParameterValue", "name": "ENVIRONMENT", "value": "staging"}
        _add(jenkins, "failing-down", {"_class": "hudson.model.ParametersAction", "parameters": [parameter]})
        done = support.poll(jenkins.url, "--trace-per", request.param, env=env)
        assert done.returncode == 0, done.stderr
    return env


def _add(jenkins: Replay, job: str, action: dict[str, Any]) -> None:
    jenkins.edit(f"/job/{job}/1/api/json", lambda found: {**found, "actions": [*found["actions"], action]})


def answered(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = support.trace(*arguments, "--format", "json", env=env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_has_one_parent(env: dict[str, str]) -> None:
    (deploy,) = [run for run in support.by_type(support.stored(env), "run") if run["name"] == "RUN failing-down"]
    linked = {link["attributes"]["cicd.pipeline.name"] for link in deploy["links"]}
    assert linked == ({"prop"} if deploy["parent_span_id"] else {"noprop", "prop"})


def test_why_names_its_failing_step_for_the_build_that_failed_with_it(env: dict[str, str]) -> None:
    verdict, own = answered(env, "why", "prop#1"), answered(env, "why", "failing-down#1")
    assert (verdict["owner"], verdict["kind"]) == (own["owner"], own["kind"]) == ("unknown", "app_unhealthy")
    assert verdict["evidence"][:2] == own["evidence"][:2]
    assert "prop > go > Building failing-down > failing-down > deploy > Shell Script" in verdict["evidence"]
    assert any(line.startswith("build failing-down#1") for line in verdict["evidence"])


@pytest.mark.parametrize("job", COMMITS)
def test_path_shows_the_deploy_for_each_of_the_commits(env: dict[str, str], job: str) -> None:
    by_commit, by_build = answered(env, "path", COMMITS[job]), answered(env, "path", f"{job}#1")
    assert by_commit == by_build
    (staging,) = [step for step in by_commit["services"][0]["steps"] if step["step"] == "staging"]
    assert (staging["state"], staging["attempts"]) == ("failure", 1)
    assert (staging["last"]["run"], staging["last"]["commit"]) == ("failing-down#1", COMMITS[job])
    assert (by_commit["answer"]["answer"], by_commit["answer"]["step"]) == ("no", "staging")


def test_where_the_deploy_is_not_in_the_store_its_builds_own_line_is_told(tmp_path: Path) -> None:
    alone = support.environ(tmp_path)
    with Replay(support.recording("r8")) as jenkins:
        assert support.poll(jenkins.url, "--include", "prop", env=alone).returncode == 0
    assert answered(alone, "why", "prop#1")["evidence"][0].startswith("failing-down #1 completed with status FAILURE")

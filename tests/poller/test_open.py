"""`poll --once --open` tells what is queued or runs right now, since when, and what it waits for."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import Any

import pytest
import support

from jenkins_poller.now import wording
from jenkins_poller.now.waits import Activity, OpenBuild, OpenWait
from pipeline_trace_demo.faults import Fault
from pipeline_trace_demo.replay import Replay

Env = dict[str, str]


def listed(jenkins: Replay, env: Env, *arguments: str) -> subprocess.CompletedProcess[str]:
    return support.trace("poll", "--once", "--open", "--jenkins-url", jenkins.url, *arguments, env=env)


def opened(jenkins: Replay, env: Env, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return what is open, by job."""
    done = listed(jenkins, env, "--format", "json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return {one["job"]: one for one in json.loads(done.stdout)}


def waits(one: dict[str, Any]) -> tuple[list[str], str, str, int | None]:
    (activity,) = one["activities"]
    wait = activity["waits_for"]
    return activity["stages"], wait["kind"], wait["what"], wait["since_unix_nano"]


def test_a_deploy_waits_for_an_agent_that_is_offline_and_its_build_waits_for_it(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        found = opened(jenkins, env)
        # The queue, the agents; each run's graph; of the build step its log and its beginning; of the agent its wait.
        assert len(jenkins.requests) == 7
    deploy, build = found["shop/deploy"], found["shop/build"]
    assert waits(deploy) == ([], "agent", "deploy-prod", 1795451143717 * 10**6)
    wait = deploy["activities"][0]["waits_for"]
    assert (wait["reason"], wait["stuck"]) == ("‘prod-deploy-1’ is offline (kernel update)", True)
    assert (deploy["number"], deploy["state"], deploy["since_unix_nano"]) == (246, "running", 1795451143545 * 10**6)
    assert waits(build)[:3] == (["Deploy production"], "build", "shop/deploy#246")
    assert 1795451132877 < waits(build)[3] / 10**6 < 1795451143945


def test_a_deploy_waits_for_a_person(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451195000) as jenkins:
        stages, kind, what, since = waits(opened(jenkins, env)["shop/deploy"])
    assert (stages, kind, what) == (["Approve"], "approval", "Deploy to production?")
    assert since


def test_once_it_was_approved_the_step_that_runs_is_told(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451225962) as jenkins:
        deploy = opened(jenkins, env, "--include", "shop/deploy")["shop/deploy"]
    (activity,) = deploy["activities"]
    assert (activity["stages"], activity["waits_for"]) == (["Run playbook"], None)
    assert activity["step"].startswith("Shell Script: ansible-playbook -i inventory deploy.yml")


def test_the_agent_on_which_it_runs_is_told(env: Env) -> None:
    # Nobody looked at the queue there.
    with Replay(support.recording("41"), moment_ms=1795445477007) as jenkins:
        done = listed(jenkins, env)
    assert "queue/api/json was not found (404)" in done.stderr
    assert done.stdout.splitlines()[0].endswith(" on Built-In Node")


@pytest.mark.parametrize(
    ("moment_ms", "job", "kind", "reason"),
    [
        (1795445605619, "wants-gpu-freestyle", "agent", "There are no nodes with the label ‘gpu’"),
        (1795445619953, "wait-deploy", "executor", "Waiting for next available executor on ‘deploy-agent’"),
        (1795445636985, "quiet-period", "quiet period", "In the quiet period. Expires in 4.3 sec"),
    ],
)
def test_a_queued_job_says_what_it_waits_for(env: Env, moment_ms: int, job: str, kind: str, reason: str) -> None:
    with Replay(support.recording("60"), moment_ms=moment_ms) as jenkins:
        one = opened(jenkins, env)[job]
    assert (one["number"], one["state"]) == (None, "queued")
    assert (waits(one)[1], one["activities"][0]["waits_for"]["reason"]) == (kind, reason)


def test_a_pipeline_within_waits_for_a_label_that_no_agent_has(env: Env) -> None:
    with Replay(support.recording("60"), moment_ms=1795445605619) as jenkins:
        one = opened(jenkins, env)["wants-gpu"]
    assert waits(one)[:3] == (["Train"], "agent", "gpu")
    assert one["activities"][0]["waits_for"]["reason"] == "There are no nodes with the label ‘gpu’"


def test_for_people_each_build_and_each_wait_is_a_line(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        done = listed(jenkins, env)
    build, stage, deploy, agent = done.stdout.splitlines()
    assert build.startswith("shop/build#81 running since 2026-11-23 16:25:32 UTC (")
    assert stage.startswith("  Deploy production: waits for a build (shop/deploy#246) since 2026-11-23 16:25:43 UTC (")
    assert deploy.startswith("shop/deploy#246 running since ")
    assert agent.endswith("): ‘prod-deploy-1’ is offline (kernel update); Jenkins calls it stuck")


def test_in_a_narrow_terminal_lines_go_on_in_the_next_and_times_stay_whole() -> None:
    wait = OpenWait("agent", 1795956569175, "macos", "There are no nodes with the label ‘macos’", stuck=True)
    script = "for host in one two three four; do\n  echo $host\n" * 9
    doing = (
        Activity(("Mac", "intel"), wait=wait),
        Activity(("Mac", "linux"), f"Shell Script: {script}", 1795956569186, None, 2, True),
    )
    build = OpenBuild("mobile", 7, "", "running", 1795956566800, ("mac-1",), doing)
    lines = list(wording.shown_lines(wording.open_lines([build], 1795956590000), 60, utc=True))
    assert lines == [
        "mobile#7 running since 2026-11-29 12:49:26 UTC (23.2 s) on",
        "  mac-1",
        "  Mac > intel: waits for an agent (macos)",
        "    since 2026-11-29 12:49:29 UTC (20.8 s): There are no",
        "    nodes with the label ‘macos’; Jenkins calls it stuck",
        "  Mac > linux: Shell Script: for host in one two three four;",
        "    do echo $host for host in one two three four; do echo",
        "    $host for host in … (attempt 2, in a timeout)",
        "    since 2026-11-29 12:49:29 UTC (20.8 s)",
    ]


def test_jobs_that_are_not_wanted_are_not_asked_about(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        assert list(opened(jenkins, env, "--exclude", "shop/deploy")) == ["shop/build"]


def test_nothing_open_is_said(env: Env) -> None:
    with Replay(support.recording("98")) as jenkins:
        assert listed(jenkins, env).stdout == "no build is queued or running\n"
        assert opened(jenkins, env) == {}


def test_a_queue_that_may_not_be_seen_is_one_line_and_the_rest_is_told(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        jenkins.faults = [Fault("/queue/", "status", status=403)]
        done = listed(jenkins, env)
    assert done.returncode == 0
    assert "cannot read the queue" in done.stderr
    assert "waits for an agent (deploy-prod) since" in done.stdout


SPOILT = {
    "forbidden": Fault("/computer/", "status", status=403),
    "not found": Fault("/computer/", "status", status=404),
    "null": Fault("/computer/", "status", status=200, body='{"computer": null}'),
}


@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("form", ["text", "json"])
def test_not_to_know_which_builds_run_is_one_line_and_status_1(env: Env, fault: str, form: str) -> None:
    with Replay(support.recording("98"), moment_ms=1795451225962) as jenkins:
        jenkins.faults = [SPOILT[fault]]
        done = listed(jenkins, env, "--format", form)
    assert (done.returncode, done.stdout) == (1, "" if form == "text" else "[]\n")
    (line,) = done.stderr.splitlines()
    assert "it is not known which builds run: " in line


def test_what_is_queued_is_told_even_where_it_is_not_known_which_builds_run(env: Env) -> None:
    with Replay(support.recording("60"), moment_ms=1795445636985) as jenkins:
        jenkins.faults = [SPOILT["forbidden"]]
        done = listed(jenkins, env, "--format", "json")
    assert done.returncode == 1
    assert "quiet-period" in {one["job"] for one in json.loads(done.stdout)}


def test_without_the_queue_it_is_not_said_that_nothing_is_queued(env: Env) -> None:
    with Replay(support.recording("98")) as jenkins:
        jenkins.faults = [Fault("/queue/", "status", status=403)]
        assert listed(jenkins, env).stdout == "no build is running; it is not known which are queued\n"


@pytest.mark.parametrize("odd_ms", [-1795451143717, 5, 0])
@pytest.mark.parametrize(
    ("recording", "moment_ms"),
    [("60", 1795445619953), ("g-60-queue-scripted", 1795956590000), ("g-41-running", 1795956520100)],
)
def test_a_time_that_cannot_be_is_unknown(env: Env, recording: str, moment_ms: int, odd_ms: int) -> None:
    def spoilt(value: Any) -> Any:
        times = ("inQueueSince", "startTimeMillis", "timestamp")
        if isinstance(value, dict):
            return {name: odd_ms if name in times else spoilt(inner) for name, inner in value.items()}
        return [spoilt(inner) for inner in value] if isinstance(value, list) else value

    with Replay(support.recording(recording), moment_ms=moment_ms) as jenkins:
        # What one answer does not tell is asked for elsewhere.
        for _ in range(2):
            opened(jenkins, env)
            for path in {request.path.partition("?")[0] for request in jenkins.requests}:
                # Some of the requests found nothing there.
                with suppress(KeyError):
                    jenkins.edit(path, spoilt)
        found, text = opened(jenkins, env), listed(jenkins, env).stdout
    assert found
    activities = [activity for one in found.values() for activity in one["activities"]]
    waits_for = [activity["waits_for"] or {} for activity in activities]
    assert {one.get("since_unix_nano") for one in [*found.values(), *activities, *waits_for]} == {None}
    assert "since" not in text


def test_it_needs_no_state_so_that_it_works_beside_a_service(env: Env) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        listed(jenkins, env)
        assert listed(jenkins, env).returncode == 0
    assert support.stored(env) == []


def test_without_once_it_is_wrong_usage(env: Env) -> None:
    done = support.trace("poll", "--open", "--jenkins-url", "http://127.0.0.1:1", env=env)
    assert (done.returncode, "--open works only together with --once" in done.stderr) == (2, True)

"""`pipeline-trace why` names owner, kind and what is at fault: on recorded incidents, and on what hangs right now."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
import support

from pipeline_trace_demo.replay import Replay

Env = dict[str, str]


def why(env: Env, *arguments: str) -> dict[str, Any]:
    done = support.trace("why", "--format", "json", *arguments, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert list(verdict)[:6] == ["owner", "kind", "confidence", "evidence", "next", "says"]
    return verdict


def failed_runs(env: Env) -> list[str]:
    """Return the failed builds, upstream ones too."""
    runs = [span for span in support.by_type(support.stored(env), "run") if span["status"]["code"] == "ERROR"]
    return [f"{run['attributes']['cicd.pipeline.name']}#{run['attributes']['cicd.pipeline.run.id']}" for run in runs]


@pytest.fixture(scope="module")
def polled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Env:
    env = support.environ(tmp_path_factory.mktemp("incident"))
    with Replay(support.recording(request.param)) as jenkins:
        assert support.poll(jenkins.url, env=env).returncode == 0
    return env


@pytest.mark.parametrize("polled", ["incident-host-down", "96"], indirect=True)
def test_a_host_that_refuses_ssh_is_ops_in_every_failed_build_upstream_ones_too(polled: Env) -> None:
    runs = failed_runs(polled)
    assert {run.partition("#")[0] for run in runs} >= {"shop/build", "shop/deploy", "orders/deploy"}
    for run in runs:
        verdict = why(polled, run)
        assert (verdict["owner"], verdict["kind"]) == ("ops", "host_unreachable"), run
        assert verdict["evidence"][0] == "web2 could not be reached"
        assert "web2" in verdict["next"]
        assert "environment staging" in "\n".join(verdict["evidence"])


@pytest.mark.parametrize("polled", ["incident-host-down"], indirect=True)
def test_another_teams_failure_alike_is_evidence(polled: Env) -> None:
    evidence = why(polled, "shop/deploy#140")["evidence"]
    assert any(line.startswith("2 projects have had the same error since ") and "orders" in line for line in evidence)


@pytest.mark.parametrize("polled", ["incident-broken-change"], indirect=True)
def test_a_change_that_fails_its_own_health_check_is_dev_and_the_commit_is_named(polled: Env) -> None:
    runs = failed_runs(polled)
    assert len(runs) == 6
    for run in runs:
        verdict = why(polled, run)
        assert (verdict["owner"], verdict["kind"]) == ("dev", "app_unhealthy"), run
        assert "version 1.8.0 reports: missing setting DB_URL" in verdict["evidence"]
        assert "63d034dacd87e7b59b3e6168946aa5b8cd943d34" in "\n".join(verdict["evidence"])
        # What passes is told by its own key.
        assert not any("green at the same time" in line for line in verdict["because"])


@pytest.mark.parametrize("polled", ["incident-broken-change"], indirect=True)
def test_the_verdict_by_the_text_is_on_the_run_and_on_the_step(polled: Env) -> None:
    labelled = [s for s in support.stored(polled) if "pipeline_trace.failure.owner" in s["attributes"]]
    assert {span["resource"]["cicd.pipeline.name"] for span in labelled} == {"shop/deploy"}
    assert {span["attributes"]["jenkins.type"] for span in labelled} == {"run", "step"}
    said = {
        (s["attributes"]["pipeline_trace.failure.owner"], s["attributes"]["pipeline_trace.failure.kind"]) for s in labelled
    }
    assert said == {("dev", "app_unhealthy")}


@pytest.mark.parametrize("polled", ["incident-broken-change"], indirect=True)
def test_the_answer_for_people_begins_with_who_should_look_and_ends_with_what_to_do(polled: Env) -> None:
    lines = support.trace("why", "shop/build#62", env=polled).stdout.splitlines()
    assert lines[0].startswith("Dev should look at what 63d034dacd changed: ")
    assert "% sure, " in lines[1]
    assert lines[-3:-1] == [
        "Next        Dev looks at what 63d034dacd changed.",
        "            pipeline-trace show 'shop/deploy#187'",
    ]
    assert lines[-1].startswith("            the build's page http://127.0.0.1:")


@pytest.mark.parametrize("polled", ["incident-host-down"], indirect=True)
def test_an_upstream_build_tells_since_when_its_downstream_fails_and_what_is_fine(polled: Env) -> None:
    told = why(polled, "shop/build#47")
    assert told["says"] == "Ops should look at web2: Ansible could not reach it, and 1 other project fails alike."
    assert (told["build"]["name"], told["since"]["name"], told["last_green"]["name"]) == (
        "shop/deploy#140",
        "shop/deploy#134",
        "shop/deploy#131",
    )
    assert (told["failed_alike"], told["of_last_builds"], told["hosts"]) == (4, 7, ["web2"])
    # The same commit passed before.
    assert "commits_since" not in told
    assert [build["name"] for build in told["started"]["builds"]] == ["shop/build#47", "shop/deploy#140"]
    assert [one["job"] for one in told["fails_alike"]] == ["orders/deploy to staging"]
    assert [one["job"] for one in told["passes"]] == ["orders/deploy to integration", "shop/deploy to integration"]


@pytest.mark.parametrize("polled", ["33"], indirect=True)
def test_tests_that_failed_are_named(polled: Env) -> None:
    verdict = why(polled, "unstable-tests#1")
    assert (verdict["owner"], verdict["kind"]) == ("dev", "test_failure")
    assert verdict["evidence"][0] == "tests failed: s s.A.bad"


@pytest.mark.parametrize("polled", ["39"], indirect=True)
def test_an_aborted_build_has_not_failed_and_who_aborted_it_is_told(polled: Env) -> None:
    verdict = why(polled, "abort-me#1")
    assert (verdict["owner"], verdict["kind"]) == ("unknown", "aborted")
    assert "Aborted by" in verdict["evidence"][0]


@pytest.mark.parametrize("polled", ["11"], indirect=True)
def test_a_trace_without_a_failure_says_so(polled: Env) -> None:
    assert why(polled)["kind"] == "nothing_failed"


@pytest.mark.parametrize("job", ["shop/job/build/81", "shop/job/deploy/246"])
def test_a_deploy_that_hangs_for_an_agent_names_ops_and_the_agent_upstream_too(env: Env, job: str) -> None:
    with Replay(support.recording("98"), moment_ms=1795451144020) as jenkins:
        verdict = why(env, f"{jenkins.url}/job/{job}/")
    assert (verdict["owner"], verdict["kind"]) == ("ops", "no_agent")
    assert "shop/deploy#246 waits for an agent (deploy-prod)" in verdict["evidence"][0]
    assert "‘prod-deploy-1’ is offline (kernel update)" in verdict["evidence"][0]


@pytest.mark.parametrize("job", ["shop/job/build/82", "shop/job/deploy/249"])
def test_a_deploy_that_hangs_for_an_approval_says_what_is_asked(env: Env, job: str) -> None:
    with Replay(support.recording("98"), moment_ms=1795451195000) as jenkins:
        verdict = why(env, f"{jenkins.url}/job/{job}/")
    assert verdict["kind"] == "waiting_for_approval"
    assert "shop/deploy#249 waits for a person (Deploy to production?) since " in verdict["evidence"][0]


@pytest.mark.parametrize(
    ("recording", "moment_ms", "job", "kind", "said"),
    [
        ("g-60-queue", 1795956590000, "waits-for-agent/2", "no_agent", "There are no nodes with the label ‘macos’"),
        ("g-48-lock", 1795956606100, "lock-waiter/1", "waiting_for_lock", "lock-waiter#1 waits for a lock since "),
        ("g-40-input", 1795956422300, "input/1", "waiting_for_approval", "waits for a person (Deploy to production?)"),
        ("g-67", 1795957193000, "call-hangs/1", "waiting_for_build", "not started yet: In the quiet period"),
        # Nobody asked for the other build there, so nothing more is known.
        ("g-67", 1795957202000, "call-hangs/1", "waiting_for_build", "waits for a build (Team Ärger/lang#1)"),
    ],
)
def test_without_stage_view_a_wait_is_told_too(
    env: Env, recording: str, moment_ms: int, job: str, kind: str, said: str
) -> None:
    with Replay(support.recording(recording), moment_ms=moment_ms) as jenkins:
        verdict = why(env, f"{jenkins.url}/job/{job}/")
    assert (verdict["kind"], said in verdict["evidence"][0]) == (kind, True)


def test_a_build_that_is_neither_here_nor_running_is_one_line(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    # The controller is asked again after pauses.
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    done = support.trace("why", "http://127.0.0.1:1/job/app/5/", env=env)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "fetch it with: pipeline-trace poll --once --jenkins-url" in done.stderr


@pytest.mark.process
def test_a_playbook_without_jenkins_is_judged_by_its_hosts(env: Env) -> None:
    playbook = support.write_playbook(
        support.Path(env["PIPELINE_TRACE_HOME"]).parent,
        """
- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Read the settings
      ansible.builtin.debug: {msg: "{{ not_there }}"}
""",
    )
    assert support.run_playbook(playbook, env=env).returncode == 2
    verdict = why(env)
    assert verdict["owner"] == "dev"
    assert "not_there" in verdict["evidence"][0]


@pytest.mark.parametrize(("detail", "logs"), [("step", 3), ("stage", 0), ("build", 0)])
def test_only_at_detail_step_the_logs_of_failed_steps_are_read(env: Env, detail: str, logs: int) -> None:
    with Replay(support.recording("incident-broken-change")) as jenkins:
        assert support.poll(jenkins.url, "--detail", detail, "--include", "shop/deploy", env=env).returncode == 0
        asked = [request.path for request in jenkins.requests]
    # Of the three deploys that failed; agents' names are in logs too, of a node of their own.
    assert sum("consoleText" in path or "stages/log?nodeId=15" in path for path in asked) == logs
    assert sum("jenkins.log" in span["attributes"] for span in support.stored(env)) == logs


def test_a_step_that_runs_much_longer_than_its_stage_usually_does_is_told(env: Env) -> None:
    with Replay(support.recording("98")) as jenkins:
        # So that there are runs to compare with: six deploys that ended.
        assert support.poll(jenkins.url, "--include", "shop/deploy", env=env).returncode == 0
        for span in support.by_type(support.stored(env), "run"):
            assert span["attributes"]["cicd.pipeline.name"] == "shop/deploy"
    # The store knows it as ended; here it runs, since long.
    forget(env, "249")
    with Replay(support.recording("98"), moment_ms=1795451225962) as jenkins:
        verdict = why(env, f"{jenkins.url}/job/shop/job/deploy/249/")
    assert (verdict["owner"], verdict["kind"]) == ("unknown", "slow_step")
    assert verdict["evidence"][0].startswith("shop/deploy#249 > Run playbook: Shell Script: ansible-playbook")
    assert verdict["evidence"][1].startswith("Run playbook usually takes ")


def forget(env: Env, run: str) -> None:
    with sqlite3.connect(support.Path(env["PIPELINE_TRACE_HOME"]) / "traces.db") as database:
        database.execute("DELETE FROM spans WHERE run = ?", (run,))


@pytest.mark.parametrize("polled", ["11"], indirect=True)
def test_of_a_build_that_succeeded_nothing_failed(polled: Env) -> None:
    good = next(
        f"{run['attributes']['cicd.pipeline.name']}#{run['attributes']['cicd.pipeline.run.id']}"
        for run in support.by_type(support.stored(polled), "run")
        if run["status"]["code"] != "ERROR"
    )
    done = support.trace("why", good, env=polled)
    assert done.returncode == 0
    assert done.stdout.startswith("Nothing failed.\n")
    assert "sure" not in done.stdout
    assert "Owner" not in done.stdout


@pytest.mark.parametrize("named", ["url", "console", "name"])
@pytest.mark.parametrize("command", ["why", "show"])
def test_a_build_that_runs_is_found_under_every_name(env: Env, command: str, named: str) -> None:
    with Replay(support.recording("g-40-input"), moment_ms=1795956422300) as jenkins:
        reference = {
            "url": f"{jenkins.url}/job/input/1/",
            "console": f"{jenkins.url.replace('http', 'HTTP')}/job/input/1/console",
            "name": "input#1",
        }[named]
        done = support.trace(command, reference, env={**env, "JENKINS_URL": jenkins.url})
    assert (done.returncode, done.stderr) == (0, "")
    assert "poll" not in done.stdout
    assert "waits for a person (Deploy to production?)" in done.stdout


def test_where_spans_go_elsewhere_an_empty_store_says_where(env: Env) -> None:
    sent = {**env, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.com:4318"}
    done = support.trace("show", env=sent)
    assert done.returncode == 1
    assert "spans go to http://collector.example.com:4318;" in done.stderr
    done = support.trace("show", env={**sent, "PIPELINE_TRACE_URL": "https://traces.example.com/{trace_id}"})
    assert "look there: https://traces.example.com/{trace_id}" in done.stderr

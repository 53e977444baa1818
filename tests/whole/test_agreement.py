"""A build that the poller reads and a playbook that runs in it come to the same trace, with no wiring between them.

Real playbooks, with the environment that a recorded build had; a replayed controller, asked by both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import support
from support import processes
from support.builds import (
    ONE_TASK,
    assert_under,
    build_environ,
    deploy_environ,
    of_build,
    playbook_of,
    poll,
    run_of,
    run_playbook,
    running_until,
    stage_of,
)
from support.otlp_receiver import Receiver

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.trace import ids
from pipeline_trace_demo.replay import Fault, Replay

pytestmark = pytest.mark.process

Spans = list[dict[str, Any]]
Document = dict[str, Any]

POLL_FIRST, PLAYBOOK_FIRST = "poll first", "playbook first"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"
# Behind the fastest answers and well before the slowest ones of these tests: the agent's question may take 2 seconds.
QUESTION_SECONDS, SLACK_SECONDS, SLOW_SECONDS = 2.0, 4.0, 30.0


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    return support.write_playbook(tmp_path, ONE_TASK)


def edit_build(jenkins: Replay, job: str, number: int, change: Callable[[Document], None]) -> None:
    jenkins.edit(f"/job/{job}/{number}/api/json", change)


def parameter(name: str, value: str) -> Callable[[Document], None]:
    """Return an edit that gives a build a parameter."""

    def change(document: Document) -> None:
        kept = {**documents.parameters_of(document), name: value}
        others = [a for a in document["actions"] if documents.short_class(a) != "ParametersAction"]
        values = [{"_class": "hudson.model.StringParameterValue", "name": n, "value": v} for n, v in kept.items()]
        document["actions"] = [*others, {"_class": "hudson.model.ParametersAction", "parameters": values}]

    return change


def warnings(done: support.Completed) -> list[str]:
    """Return our warnings in what ansible-playbook said."""
    return [line for line in done.stderr.splitlines() if "WARNING" in line and "pipeline-trace" in line]


def way_up(spans: Sequence[dict[str, Any]], span: Mapping[str, Any]) -> list[str]:
    """Return the names from a span up to its root, by parents' ids alone, whichever trace they are in."""
    by_id = {each["span_id"]: each for each in spans}
    names = [span["name"]]
    while span["parent_span_id"]:
        span = by_id[span["parent_span_id"]]
        names.append(span["name"])
    return names


@contextmanager
def destination(kind: str, env: Mapping[str, str]) -> Iterator[tuple[dict[str, str], Callable[[], Spans]]]:
    """Give an environment that delivers there, and a function that returns what arrived."""
    if kind == "store":
        yield dict(env), lambda: support.stored(env)
        return
    with Receiver() as receiver:
        yield {**env, **receiver.environ("http" if kind == "OTLP/HTTP" else "grpc")}, receiver.spans


@pytest.mark.parametrize("order", [POLL_FIRST, PLAYBOOK_FIRST])
@pytest.mark.parametrize("kind", ["store", "OTLP/HTTP", "OTLP/gRPC"])
def test_playbook_hangs_under_its_stage_in_the_root_builds_trace(
    env: dict[str, str], playbook: Path, kind: str, order: str
) -> None:
    with Replay(support.recording("11")) as jenkins, destination(kind, env) as (sending, arrived):
        build = deploy_environ(jenkins)
        if order == POLL_FIRST:
            poll(jenkins, sending)
        run_playbook(playbook, sending, build)
        if order == PLAYBOOK_FIRST:
            poll(jenkins, sending)
    spans = arrived()
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    in_trace = [span for span in spans if span["trace_id"] == playbook_of(spans)["trace_id"]]
    (root,) = [span for span in in_trace if span["parent_span_id"] is None]
    assert root["span_id"] == run_of(spans, "app-build", 1)["span_id"]
    host = support.named(support.by_type(in_trace, "host"), "h1")
    assert way_up(in_trace, host)[-4:] == ["RUN app-deploy", "Building app-deploy", "Deploy integration", "RUN app-build"]


def test_freestyle_playbook_hangs_under_the_run_in_the_root_builds_trace(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("50")) as jenkins:
        run_playbook(playbook, env, build_environ(jenkins, "leaf-freestyle", 1))
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, run_of(spans, "leaf-freestyle", 1))
    assert playbook_of(spans)["trace_id"] == run_of(spans, "up-freestyle", 1)["trace_id"]


def test_traceparent_parameter_names_the_trace_and_the_run_stays_the_parent(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("50")) as jenkins:
        build = build_environ(jenkins, "params-freestyle", 2)
        assert build["TRACEPARENT"] == GIVEN
        run_playbook(playbook, env, build)
        poll(jenkins, env)
    spans = support.stored(env)
    run = run_of(spans, "params-freestyle", 2)
    assert (run["trace_id"], run["parent_span_id"]) == (TRACE, PARENT)
    assert run_of(spans, "fan-out-wait", 1)["span_id"] in [link["span_id"] for link in run["links"]]
    assert_under(spans, run)


@pytest.mark.parametrize(
    ("name", "value", "trace"),
    [("TRACEPARENT", GIVEN, TRACE), ("PIPELINE_TRACE_KEY", "release 4.2", ids.trace_id(("key", "release 4.2")))],
)
@pytest.mark.parametrize(("job", "number"), [("app-deploy", 1), ("app-build", 1)])
def test_parameter_names_the_trace_of_its_build_and_of_what_that_starts(
    env: dict[str, str], playbook: Path, job: str, number: int, name: str, value: str, trace: str
) -> None:
    with Replay(support.recording("11")) as jenkins:
        edit_build(jenkins, job, number, parameter(name, value))
        done = run_playbook(playbook, env, deploy_environ(jenkins))
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    assert run_of(spans, job, number)["trace_id"] == playbook_of(spans)["trace_id"] == trace
    assert warnings(done) == []


def test_key_that_is_no_parameter_is_ignored_with_one_warning(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        done = run_playbook(playbook, env, {**deploy_environ(jenkins), "PIPELINE_TRACE_KEY": "release 4.2"})
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    (warning,) = warnings(done)
    assert "PIPELINE_TRACE_KEY is ignored" in warning


def test_traceparent_that_is_no_parameter_is_the_parent_itself(env: dict[str, str], playbook: Path) -> None:
    """The Jenkins OpenTelemetry plugin sets it: its span stays the parent, and a link leads to the poller's."""
    with Replay(support.recording("11")) as jenkins:
        done = run_playbook(playbook, env, {**deploy_environ(jenkins), "TRACEPARENT": GIVEN})
        poll(jenkins, env)
    spans = support.stored(env)
    found = playbook_of(spans)
    assert (found["trace_id"], found["parent_span_id"]) == (TRACE, PARENT)
    assert stage_of(spans, "app-deploy", 1, "Run playbook")["span_id"] in [link["span_id"] for link in found["links"]]
    assert warnings(done) == []


def test_playbook_within_exec_hangs_under_it_and_that_under_the_stage(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        command = support.playbook_command(playbook, hosts="h1,")
        done = support.spawn("exec", "--name", "wrapped", "--", *command, env={**env, **deploy_environ(jenkins)})
        assert done.returncode == 0, done.stderr
        poll(jenkins, env)
    # exec's own span is delivered in the background.
    spans = processes.wait_for(lambda: _with(support.stored(env), "wrapped"), "the span of exec")
    wrapper = support.named(spans, "wrapped")
    stage = stage_of(spans, "app-deploy", 1, "Run playbook")
    assert (wrapper["trace_id"], wrapper["parent_span_id"]) == (stage["trace_id"], stage["span_id"])
    found = playbook_of(spans)
    assert (found["trace_id"], found["parent_span_id"]) == (wrapper["trace_id"], wrapper["span_id"])


def _with(spans: Spans, name: str) -> Spans:
    return spans if any(span["name"] == name for span in spans) else []


@pytest.mark.parametrize(("job", "number"), [("app-deploy", 1), ("app-build", 1)])
def test_traceparent_that_says_not_to_record_silences_both(
    env: dict[str, str], playbook: Path, job: str, number: int
) -> None:
    """Set for the build itself, or for the one that started it."""
    with Replay(support.recording("11")) as jenkins:
        edit_build(jenkins, job, number, parameter("TRACEPARENT", GIVEN.removesuffix("01") + "00"))
        done = run_playbook(playbook, env, deploy_environ(jenkins))
        said = poll(jenkins, env).stdout
    spans = support.stored(env)
    silent = [run for run in support.by_type(spans, "run") if run["attributes"]["cicd.pipeline.name"] == "app-deploy"]
    assert not support.by_type(spans, "playbook")
    assert not of_build(spans, job, number, "run")
    assert len(silent) == (2 if job == "app-deploy" else 0)
    assert f"{1 if job == 'app-deploy' else 4} not recorded" in said
    assert (warnings(done), support.journals(env)) == ([], [])


def test_malformed_traceparent_is_one_warning_and_counts_as_absent(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        edit_build(jenkins, "app-deploy", 1, parameter("TRACEPARENT", GIVEN.upper()))
        done = run_playbook(playbook, env, deploy_environ(jenkins))
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    (warning,) = warnings(done)
    assert "TRACEPARENT is not valid" in warning


def test_build_whose_upstream_was_deleted_has_a_trace_of_its_own(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        build = deploy_environ(jenkins)
        jenkins.drop_build("app-build", 1)
        run_playbook(playbook, env, build)
        poll(jenkins, env)
    spans = support.stored(env)
    assert run_of(spans, "app-deploy", 1)["parent_span_id"] is None
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))


@pytest.mark.parametrize("flag", ["01", "00"])
def test_replayed_build_keeps_a_trace_of_its_own_whatever_it_copied(env: dict[str, str], playbook: Path, flag: str) -> None:
    def replayed(document: Document) -> None:
        cause = {"_class": "org.jenkinsci.plugins.workflow.cps.replay.ReplayCause", "shortDescription": "Replayed #1"}
        next(documents.actions_of(document, "CauseAction"))["causes"].append(cause)

    with Replay(support.recording("11")) as jenkins:
        edit_build(jenkins, "app-deploy", 2, parameter("TRACEPARENT", GIVEN.removesuffix("01") + flag))
        edit_build(jenkins, "app-deploy", 2, replayed)
        run_playbook(playbook, env, deploy_environ(jenkins, 2))
        poll(jenkins, env)
    spans = support.stored(env)
    run = run_of(spans, "app-deploy", 2)
    assert run["parent_span_id"] is None
    assert {PARENT, run_of(spans, "app-deploy", 1)["span_id"]} <= {link["span_id"] for link in run["links"]}
    assert_under(spans, stage_of(spans, "app-deploy", 2, "Run playbook"))


@pytest.mark.parametrize(
    ("recorded", "job", "stage"),
    [
        ("72", "Team A/multi/feature%2Flogin-page", "Deploy"),
        ("70", "Team A/déploy ünï", "Déployer – étape №1"),
    ],
)
def test_job_names_of_branches_and_other_alphabets_agree(
    env: dict[str, str], playbook: Path, recorded: str, job: str, stage: str
) -> None:
    with Replay(support.recording(recorded)) as jenkins:
        run_playbook(playbook, env, build_environ(jenkins, job, 1, stage))
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, job, 1, stage))


def test_names_that_an_agent_in_the_c_locale_mangled_still_lead_to_the_builds_trace(
    env: dict[str, str], playbook: Path
) -> None:
    job, stage = "Team A/déploy ünï", "Déployer – étape №1"
    with Replay(support.recording("70")) as jenkins:
        mangled = {"JOB_NAME": "Team A/d?ploy ?n?", "STAGE_NAME": "D?ployer ? ?tape ?1"}
        run_playbook(playbook, env, {**build_environ(jenkins, job, 1, stage), **mangled})
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, run_of(spans, job, 1))


@pytest.mark.parametrize(
    ("recorded", "job", "stage", "before", "node"),
    [
        ("20", "parallel-nested", "Setup", 49, "35"),  # the first one has ended, its branch goes on
        ("21", "parallel-scripted", "Loop", 73, "71"),  # the second round of three
        ("21", "parallel-scripted", "Inner", 35, None),  # one in the other: both run
        ("20", "parallel-nested", "Setup", 42, None),  # side by side: both run
    ],
)
def test_of_stages_with_one_name_the_one_that_runs_is_the_parent_and_of_several_the_run(
    env: dict[str, str], playbook: Path, recorded: str, job: str, stage: str, before: int, node: str | None
) -> None:
    with Replay(support.recording(recorded)) as jenkins:
        edit_build(jenkins, job, 1, running_until(before))
        run_playbook(playbook, env, build_environ(jenkins, job, 1, stage))
        jenkins.load(support.recording(recorded))
        poll(jenkins, env)
    spans = support.stored(env)
    stages = {
        s["attributes"]["cicd.pipeline.task.run.id"]: s for s in of_build(spans, job, 1, "stage") if s["name"] == stage
    }
    found = playbook_of(spans)
    if node is None:
        assert_under(spans, run_of(spans, job, 1))
        running = [s["span_id"] for s in stages.values()]
        assert sorted(found["attributes"]["jenkins.stage.candidates"]) == sorted(running)
    else:
        assert_under(spans, stages[node])
        assert "jenkins.stage.candidates" not in found["attributes"]
    assert "jenkins.stage.assumed" not in found["attributes"]


LOGIN = ("reader", "11d3fe8a")
WITH_LOGIN = {"JENKINS_USER": LOGIN[0], "JENKINS_API_TOKEN": LOGIN[1]}


def test_secured_controller_root_builds_agree_and_the_first_stage_of_a_name_is_assumed(
    env: dict[str, str], playbook: Path
) -> None:
    with Replay(support.recording("20"), login=LOGIN) as jenkins:
        done = run_playbook(playbook, env, build_environ(jenkins, "parallel-nested", 1, "Setup"))
        poll(jenkins, {**env, **WITH_LOGIN})
    spans = support.stored(env)
    first = min(
        (s for s in of_build(spans, "parallel-nested", 1, "stage") if s["name"] == "Setup"),
        key=lambda s: int(s["attributes"]["cicd.pipeline.task.run.id"]),
    )
    assert_under(spans, first)
    assert playbook_of(spans)["attributes"]["jenkins.stage.assumed"] is True
    (said,) = warnings(done)
    assert "does not say what started parallel-nested#1 (status 403)" in said


def test_secured_controller_downstream_builds_are_shown_as_one_tree_from_the_root_build_to_the_hosts(
    env: dict[str, str], playbook: Path
) -> None:
    with Replay(support.recording("11"), login=LOGIN) as jenkins:
        run_playbook(playbook, env, deploy_environ_with_login(jenkins))
        poll(jenkins, {**env, **WITH_LOGIN})
        root_url = f"{jenkins.root_url}/job/app-build/1/"
    spans = support.stored(env)
    found, stage = playbook_of(spans), stage_of(spans, "app-deploy", 1, "Run playbook")
    assert (found["trace_id"] != stage["trace_id"], found["parent_span_id"]) == (True, stage["span_id"])
    for wanted in (root_url, "app-build#1", found["trace_id"]):
        shown = json.loads(support.trace("show", wanted, "--format", "json", env=env).stdout)
        (host,) = support.by_type(shown, "host")
        assert way_up(shown, host)[3:5] == ["playbook site.yml", "Run playbook"]
        assert way_up(shown, host)[-1] == "RUN app-build"
    tree = support.trace("show", root_url, env=env).stdout.splitlines()
    assert [line for line in tree if line.startswith("trace ")] == tree[:1]
    (line,) = [line for line in tree if "host h1" in line]
    assert line.startswith("│  ")


def deploy_environ_with_login(jenkins: Replay) -> dict[str, str]:
    """Return the environment of a recorded deploy of a controller that wants a login; the build itself has none."""
    found = build_environ(jenkins, "app-deploy", 1, "Run playbook")
    return {**found, "NODE_NAME": "deploy-agent"}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_secured_controller_agrees_over_otlp_with_a_trace_per_build_and_nobody_asks(
    env: dict[str, str], playbook: Path, protocol: str
) -> None:
    with Replay(support.recording("11"), login=LOGIN) as jenkins, Receiver() as receiver:
        sending = {**env, **receiver.environ("http" if protocol == "http" else "grpc")}
        build = deploy_environ_with_login(jenkins)
        jenkins.reset()
        run_playbook(playbook, {**sending, "PIPELINE_TRACE_PER": "build"}, build)
        assert jenkins.requests == []
        poll(jenkins, {**sending, **WITH_LOGIN}, "--trace-per", "build")
        spans = receiver.spans()
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    run, upstream = run_of(spans, "app-deploy", 1), run_of(spans, "app-build", 1)
    assert (run["parent_span_id"], upstream["trace_id"] != run["trace_id"]) == (None, True)
    assert (upstream["trace_id"], upstream["span_id"]) in [(k["trace_id"], k["span_id"]) for k in run["links"]]


def test_secured_controller_agrees_with_a_token_in_the_agents_environment(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11"), login=LOGIN) as jenkins, Receiver() as receiver:
        sending = {**env, **receiver.environ()}
        run_playbook(playbook, sending, {**deploy_environ_with_login(jenkins), **WITH_LOGIN})
        poll(jenkins, {**sending, **WITH_LOGIN})
        spans = receiver.spans()
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    assert playbook_of(spans)["trace_id"] == run_of(spans, "app-build", 1)["trace_id"]


def test_secured_controller_agrees_on_a_key_that_is_a_parameter(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11"), login=LOGIN) as jenkins:
        edit_build(jenkins, "app-deploy", 1, parameter("PIPELINE_TRACE_KEY", "release 4.2"))
        run_playbook(playbook, env, deploy_environ_with_login(jenkins))
        poll(jenkins, {**env, **WITH_LOGIN})
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    assert playbook_of(spans)["trace_id"] == ids.trace_id(("key", "release 4.2"))


def test_controller_that_is_silent_the_second_time_is_remembered(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        build = deploy_environ(jenkins)
        run_playbook(playbook, env, build)
        jenkins.login = LOGIN
        run_playbook(playbook, env, build)
        poll(jenkins, {**env, **WITH_LOGIN})
    spans = support.stored(env)
    stage = stage_of(spans, "app-deploy", 1, "Run playbook")
    places = [(p["trace_id"], p["parent_span_id"]) for p in support.by_type(spans, "playbook")]
    assert places == [(stage["trace_id"], stage["span_id"])] * 2
    assert stage["trace_id"] == run_of(spans, "app-build", 1)["trace_id"]


def test_controller_polled_at_another_address_that_the_agent_cannot_reach(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11"), root_url="https://jenkins.example.com/ci") as jenkins:
        build = build_environ(jenkins, "app-build", 1, "Deploy staging")
        assert build["BUILD_URL"] == "https://jenkins.example.com/ci/job/app-build/1/"
        done = run_playbook(playbook, env, build)
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-build", 1, "Deploy staging"))
    shown = json.loads(support.trace("show", build["BUILD_URL"], "--format", "json", env=env).stdout)
    assert playbook_of(shown)["span_id"] == playbook_of(spans)["span_id"]
    assert warnings(done) == []


def test_controller_below_a_context_path(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11"), context_path="/jenkins") as jenkins:
        build = deploy_environ(jenkins)
        assert "/jenkins/job/app-deploy/1/" in build["BUILD_URL"]
        run_playbook(playbook, env, build)
        poll(jenkins, env)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    assert playbook_of(spans)["trace_id"] == run_of(spans, "app-build", 1)["trace_id"]


def test_root_url_given_to_both_sides_overrides_what_jenkins_says(env: dict[str, str], playbook: Path) -> None:
    """The agent asks where its build sees the controller, whatever it is called."""
    with Replay(support.recording("11")) as jenkins:
        override = "https://Jenkins.example.com:443/ci/"
        run_playbook(playbook, env, {**deploy_environ(jenkins), "PIPELINE_TRACE_JENKINS_URL": override})
        poll(jenkins, env, "--root-url", override)
    spans = support.stored(env)
    assert_under(spans, stage_of(spans, "app-deploy", 1, "Run playbook"))
    assert playbook_of(spans)["trace_id"] == ids.trace_id(("jenkins", "https://jenkins.example.com/ci", "app-build", "1"))


def test_controller_without_a_root_url_agrees_where_both_are_told_it(env: dict[str, str], playbook: Path) -> None:
    with Replay(support.recording("11")) as jenkins:
        build = build_environ(jenkins, "app-build", 1, "Deploy staging")
        for name in ("JENKINS_URL", "BUILD_URL"):
            del build[name]
        alone = run_playbook(playbook, {**env, "PIPELINE_TRACE_HOME": f"{env['PIPELINE_TRACE_HOME']}-alone"}, build)
        run_playbook(playbook, env, {**build, "PIPELINE_TRACE_JENKINS_URL": jenkins.url})
        poll(jenkins, env)
    spans = support.stored(env)
    stage = stage_of(spans, "app-build", 1, "Deploy staging")
    assert (playbook_of(spans)["trace_id"], playbook_of(spans)["parent_span_id"]) == (stage["trace_id"], stage["span_id"])
    (warning,) = warnings(alone)
    assert "PIPELINE_TRACE_JENKINS_URL" in warning


@pytest.mark.parametrize("kind", ["slow", "slow_body"])
def test_slow_controller_costs_two_seconds_and_the_playbook_runs_on(env: dict[str, str], playbook: Path, kind: Any) -> None:
    with Replay(support.recording("11")) as jenkins:
        build = build_environ(jenkins, "app-build", 1, "Deploy staging")
        jenkins.reset()
        jenkins.faults = [Fault(".", kind, seconds=SLOW_SECONDS)]
        epoch = time.time() - time.monotonic()
        done = run_playbook(playbook, env, build)
        asked = jenkins.requests[0].started + epoch
        jenkins.faults = []
        poll(jenkins, env)
    spans = support.stored(env)
    began = playbook_of(spans)["start_unix_nano"] / 1e9
    assert began - asked < QUESTION_SECONDS + SLACK_SECONDS
    assert_under(spans, stage_of(spans, "app-build", 1, "Deploy staging"))
    assert warnings(done) == []

"""Every recorded build of a real Jenkins becomes a trace, and the trace is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
from support import typed

from pipeline_trace.place.ci.jenkins.identity import Build
from pipeline_trace.place.w3c import parse_traceparent
from pipeline_trace_demo.exchanges import split_build
from pipeline_trace_demo.replay import Replay

MS = 1_000_000
Spans = list[dict[str, Any]]


@pytest.fixture(scope="module", params=support.scenarios())
def polled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Spans, Any]:
    """A recording, polled once into the store; the spans and the replay's documents."""
    env = support.environ(tmp_path_factory.mktemp("polled"))
    with Replay(support.recording(request.param)) as jenkins:
        done = support.poll(jenkins.url, env=env)
        assert done.returncode == 0, done.stderr
        return request.param, support.stored(env), jenkins.documents


def ended_builds(documents: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the recorded builds that have ended, by job and number. A cell of a multi-configuration build is none."""
    found = {}
    for path, document in documents.items():
        build = split_build(path)
        if build and document.get("result"):
            job, number = build
            found["/".join(job.split("/job/")[1:]), number] = document
    return found


def test_attributes_keep_their_types_where_all_are_kept_as_texts(polled: tuple[str, Spans, Any]) -> None:
    """As in ClickHouse's table."""
    assert typed.changed(polled[1]) == {}


def test_each_ended_build_is_there_once(polled: tuple[str, Spans, Any]) -> None:
    _, spans, documents = polled
    runs = [
        (s["attributes"]["cicd.pipeline.name"], int(s["attributes"]["cicd.pipeline.run.id"]))
        for s in support.by_type(spans, "run")
    ]
    assert sorted(runs) == sorted(ended_builds(documents))


def test_every_parent_is_there_or_was_given(polled: tuple[str, Spans, Any]) -> None:
    _, spans, documents = polled
    ids = {span["span_id"] for span in spans}
    for span in spans:
        parent = span["parent_span_id"]
        if parent is None or parent in ids:
            continue
        run = span["attributes"]
        build = ended_builds(documents)[run["cicd.pipeline.name"], int(run["cicd.pipeline.run.id"])]
        given = [
            parameter.get("value") or ""
            for action in build["actions"]
            for parameter in action.get("parameters", ())
            if parameter["name"] == "TRACEPARENT"
        ]
        context = parse_traceparent(given[0])
        assert context
        assert (span["trace_id"], parent) == (context.trace_id, context.span_id)


def test_children_lie_within_their_parents_time(polled: tuple[str, Spans, Any]) -> None:
    _, spans, _ = polled
    by_id = {span["span_id"]: span for span in spans}
    for span in spans:
        parent = by_id.get(span["parent_span_id"])
        if parent is None or span["attributes"]["jenkins.type"] in ("queue", "run"):
            continue
        assert span["start_unix_nano"] >= parent["start_unix_nano"] - 50 * MS, span["name"]
        assert span["end_unix_nano"] <= parent["end_unix_nano"] + 50 * MS, span["name"]


def test_no_time_is_invented(polled: tuple[str, Spans, Any]) -> None:
    _, spans, _ = polled
    assert all(0 < span["start_unix_nano"] <= span["end_unix_nano"] for span in spans)


def test_a_second_poll_delivers_nothing(env: dict[str, str]) -> None:
    with Replay(support.recording("50")) as jenkins:
        support.poll(jenkins.url, env=env)
        before = support.stored(env)
        # This one gives numbers whose builds are not there a second chance.
        again = support.poll(jenkins.url, env=env)
        assert again.stdout.startswith("0 builds read, 0 spans")
        assert support.stored(env) == before
        jenkins.reset()
        support.poll(jenkins.url, env=env)
        assert len(jenkins.requests) == 1


def polled_now(name: str, folder: Path, *arguments: str) -> Spans:
    """Poll a recording into a store of its own; return the spans."""
    env = support.environ(folder)
    with Replay(support.recording(name)) as jenkins:
        assert support.poll(jenkins.url, *arguments, env=env).returncode == 0
    return support.stored(env)


def paths(spans: Spans) -> set[str]:
    """Return the names from the root to each span."""
    by_id = {span["span_id"]: span for span in spans}

    def path(span: dict[str, Any]) -> str:
        parent = by_id.get(span["parent_span_id"])
        return f"{path(parent)} > {span['name']}" if parent else str(span["name"])

    return {path(span) for span in spans if span["attributes"]["jenkins.type"] in ("run", "stage", "branch", "step")}


def test_nested_stages_hang_where_the_graph_says(tmp_path: Path) -> None:
    assert {
        "RUN parallel-nested > Test > Unit > Setup > Shell Script",
        "RUN parallel-nested > Test > Unit > Run > Shell Script",
        "RUN parallel-nested > Test > Integration > Setup > Shell Script",
        "RUN parallel-nested > Test > Integration > Run > Shell Script",
        "RUN parallel-nested > Test > Lint > Shell Script",
        "RUN parallel-nested > Package > Wheel > Shell Script",
        "RUN parallel-nested > Publish > Shell Script",
    } <= paths(polled_now("20", tmp_path))


def test_nested_stages_have_their_true_durations(tmp_path: Path) -> None:
    test = support.named(polled_now("20", tmp_path), "Test")
    # wfapi says 171 ms: it stops at the first nested stage.
    # Its last stage ends at 4,464 ms; the end node, which begins within a second of that, is not asked for.
    assert 4_400 < (test["end_unix_nano"] - test["start_unix_nano"]) / MS < 4_800


def test_scripted_parallels_and_equal_names_are_told_apart(tmp_path: Path) -> None:
    spans = polled_now("21", tmp_path)
    assert {
        "RUN parallel-scripted > Outer > a > Inner > x > Deep > Shell Script",
        "RUN parallel-scripted > Outer > a > Inner > y > Deep > Shell Script",
        "RUN parallel-scripted > Outer > b > Inner > Shell Script",
        "RUN parallel-scripted > Outer > branch without stage > Sleep",
        "RUN parallel-scripted > Outer > branch without stage > Print Message",
        "RUN parallel-scripted > Shell Script",
        "RUN parallel-scripted > Empty",
    } <= paths(spans)
    assert len({span["span_id"] for span in spans if span["name"] == "Loop"}) == 3


def test_downstream_builds_hang_under_the_step_that_started_them(tmp_path: Path) -> None:
    assert {
        "RUN up-freestyle > RUN down-freestyle > RUN leaf-freestyle",
        "RUN up-freestyle > RUN down-pipeline",
        "RUN fan-out-nowait > Trigger > Building leaf-freestyle > RUN leaf-freestyle",
        "RUN fan-out-nowait > Trigger > Building down-pipeline > RUN down-pipeline",
        "RUN fan-out-wait > Trigger > one > Building app-deploy > RUN app-deploy",
        "RUN fan-out-wait > Trigger > three > Building fail-freestyle > RUN fail-freestyle",
    } <= paths(polled_now("50", tmp_path))


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("build", {"RUN app-build > RUN app-deploy"}),
        ("stage", {"RUN app-build > Deploy staging > RUN app-deploy > Run playbook"}),
    ],
)
def test_downstream_builds_hang_under_the_nearest_span_of_the_detail(
    tmp_path: Path, detail: str, expected: set[str]
) -> None:
    spans = polled_now("11", tmp_path, "--detail", detail, "--include", "app-*")
    assert expected <= paths(spans)
    assert not support.by_type(spans, "step")


def test_one_trace_per_build_is_linked_to_its_upstream(tmp_path: Path) -> None:
    spans = polled_now("11", tmp_path, "--trace-per", "build")
    runs = support.by_type(spans, "run")
    assert all(run["parent_span_id"] is None for run in runs)
    assert len({run["trace_id"] for run in runs}) == len(runs)
    build = next(run for run in runs if run["name"] == "RUN app-build")
    deploys = [run for run in runs if run["name"] == "RUN app-deploy"]
    controller = deploys[0]["attributes"]["cicd.pipeline.run.url.full"].partition("/job/")[0]
    first = Build(controller, "app-build", 1)
    assert build["trace_id"] in (first.trace_id, Build(controller, "app-build", 2).trace_id)
    assert all([link["trace_id"] for link in run["links"]] == [first.trace_id] for run in deploys)


@pytest.mark.parametrize(
    ("name", "span", "result", "code"),
    [
        ("30", "RUN fail-error", "failure", "ERROR"),
        ("31", "Compile", "failure", "ERROR"),
        ("31", "Never", "skip", "UNSET"),
        ("33", "RUN unstable-tests", "failure", "ERROR"),
        ("34", "G1", "skip", "UNSET"),
        ("36", "RUN retry-timeout", "timeout", "ERROR"),
        ("36", "Slow", "timeout", "ERROR"),
        ("36", "Flaky", "success", "UNSET"),
        ("36", "Never", "skip", "UNSET"),
        ("39", "RUN abort-me", "cancellation", "UNSET"),
        ("39", "Long", "cancellation", "UNSET"),
    ],
)
def test_results_have_the_conventions_words(tmp_path: Path, name: str, span: str, result: str, code: str) -> None:
    found = support.named(polled_now(name, tmp_path), span)
    attributes = found["attributes"]
    assert attributes.get("cicd.pipeline.result") or attributes["cicd.pipeline.task.run.result"]
    assert result in (attributes.get("cicd.pipeline.result"), attributes.get("cicd.pipeline.task.run.result"))
    assert found["status"]["code"] == code
    assert ("error.type" in attributes) == (code == "ERROR")


def test_the_wait_in_the_queue_is_a_span_before_its_run(tmp_path: Path) -> None:
    spans = polled_now("60", tmp_path)
    run = support.named(spans, "RUN wait-deploy")
    (wait,) = [s for s in support.by_type(spans, "queue") if s["parent_span_id"] == run["span_id"]]
    assert wait["end_unix_nano"] == run["start_unix_nano"]
    assert 12_000 < (wait["end_unix_nano"] - wait["start_unix_nano"]) / MS < 13_000
    phases = {"jenkins.queue.waiting_ms", "jenkins.queue.blocked_ms", "jenkins.queue.buildable_ms"}
    assert phases <= set(wait["attributes"])


def test_waiting_for_a_person_is_a_span_of_its_own_kind(tmp_path: Path) -> None:
    spans = support.by_type(polled_now("40", tmp_path), "input")
    assert [span["name"] for span in spans] == ["Wait for input", "Wait for input"]
    assert sorted(span["attributes"]["cicd.pipeline.task.run.result"] for span in spans) == ["cancellation", "success"]


def test_what_runs_on_an_agent_says_on_which(tmp_path: Path) -> None:
    spans = polled_now("11", tmp_path)
    smoke = next(span for span in spans if span["name"] == "Smoke test")
    assert smoke["attributes"]["cicd.worker.name"] == "deploy-agent"


def test_a_wait_of_a_second_or_more_for_an_agent_is_a_span(tmp_path: Path) -> None:
    spans = polled_now("60", tmp_path)
    (wait,) = [span for span in spans if span["name"] == "Allocate agent gpu"]
    assert wait["end_unix_nano"] - wait["start_unix_nano"] > 1000 * MS
    assert len([span for span in spans if span["name"] == "Prepare inventory"]) > len(
        [span for span in spans if span["name"] == "Allocate agent deploy"]
    )


def test_changes_and_tests_are_attributes_of_the_run(tmp_path: Path) -> None:
    spans = polled_now("72", tmp_path)
    runs = {run["attributes"]["cicd.pipeline.name"]: run["attributes"] for run in support.by_type(spans, "run")}
    assert runs["Team A/multi/PR-17"]["vcs.change.id"] == "17"
    branch = runs["Team A/multi/feature%2Flogin-page"]
    assert branch["vcs.ref.head.name"] == "feature/login-page"
    assert len(branch["vcs.ref.head.revision"]) == 40


def test_what_set_a_build_off_is_an_event(tmp_path: Path) -> None:
    spans = polled_now("51", tmp_path)
    causes = {
        event["attributes"]["jenkins.cause"]
        for run in support.by_type(spans, "run")
        for event in run["events"]
        if event["name"] == "trigger"
    }
    assert {"timer", "scm"} <= causes


def test_builds_of_one_commit_are_linked_to_those_before(tmp_path: Path) -> None:
    runs = support.by_type(polled_now("incident-broken-change", tmp_path), "run")
    by_id = {run["span_id"]: run for run in runs}
    links = [(run, link) for run in runs for link in run["links"] if link["attributes"]["jenkins.link"] == "same commit"]
    assert links
    for run, link in links:
        other = by_id[link["span_id"]]
        assert other["attributes"]["vcs.ref.head.revision"] == run["attributes"]["vcs.ref.head.revision"]
        assert (other["trace_id"], other["trace_id"] == run["trace_id"]) == (link["trace_id"], False)


def test_who_approved_or_stopped_a_build_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    inputs = support.by_type(polled_now("40", tmp_path / "a"), "input")
    assert [
        span["attributes"].get("jenkins.input.answered_by") for span in inputs if span["status"]["code"] == "UNSET"
    ].count("admin")
    (tmp_path / "b").mkdir()
    (run,) = support.by_type(polled_now("39", tmp_path / "b"), "run")
    assert run["attributes"]["jenkins.interruption.descriptions"] == ["Aborted by admin"]


def test_attempts_of_a_retry_are_numbered(tmp_path: Path) -> None:
    spans = polled_now("36", tmp_path)
    flaky = support.named(spans, "Flaky")
    steps = [span for span in spans if span["parent_span_id"] == flaky["span_id"]]
    words = {s["attributes"]["jenkins.retry.attempt"]: s["attributes"]["cicd.pipeline.task.run.result"] for s in steps}
    assert words == {1: "failure", 2: "success"}


def test_a_step_is_described_by_its_argument_alone(tmp_path: Path) -> None:
    steps = support.by_type(polled_now("g-11", tmp_path), "step")
    described = {step["name"]: step["attributes"].get("jenkins.step.description") for step in steps}
    assert described["Archive JUnit-formatted test results"] == "r/*.xml"
    assert described["Building app-deploy"] is None


def test_failed_tests_are_named(tmp_path: Path) -> None:
    (run,) = support.by_type(polled_now("33", tmp_path), "run")
    failed = [event["attributes"] for event in run["events"] if event["name"] == "test failed"]
    assert [one["test.case.name"] for one in failed] == ["s.A.bad"]
    assert run["attributes"]["jenkins.tests.failed"] == 1


def test_a_run_whose_graph_is_too_large_has_its_stages_alone(tmp_path: Path) -> None:
    env = support.environ(tmp_path)
    with Replay(support.recording("11")) as jenkins:

        def grow(document: dict[str, Any]) -> None:
            (graph,) = [action for action in document["actions"] if "nodes" in action]
            last = graph["nodes"][-1]
            graph["nodes"] += [{**last, "id": str(1000 + i)} for i in range(20_001)]

        jenkins.edit("/job/app-deploy/1/api/json", grow)
        assert support.poll(jenkins.url, "--include", "app-deploy", env=env).returncode == 0
    spans = [span for span in support.stored(env) if span["resource"]["cicd.pipeline.run.id"] == "1"]
    (run,) = support.by_type(spans, "run")
    assert run["attributes"]["jenkins.graph.too_large"] is True
    assert {span["name"] for span in support.by_type(spans, "stage")} == {"Prepare inventory", "Run playbook", "Smoke test"}
    assert support.by_type(spans, "step") == []

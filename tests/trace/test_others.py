"""Spans of other tools are understood by their own names: what they are, of which build, and how they ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import others
from support.others import BOTH, COMMIT, OWN, STANDARD, Plugin
from support.spans import span as numbered

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.others import RESULTS, SAID_BY, understood
from pipeline_trace.trace.queries import (
    attribute_text,
    build_name_of,
    environment_of,
    is_deploy,
    is_run,
    is_stage,
    result_of,
    revision_of,
    run_url_of,
    type_of,
)
from pipeline_trace.trace.span import ERROR, OK, SERVER, UNSET, AttributeValue, Event, Span

NAMES = pytest.mark.parametrize("names", [OWN, BOTH, STANDARD])


def read(spans: list[Span]) -> dict[str, Span]:
    """Return spans by name, as they are understood; of several of a name, the last one."""
    return {span.name: span for span in map(understood, spans)}


def kinds(spans: list[Span]) -> dict[str, str]:
    return {name: type_of(span) for name, span in read(spans).items()}


@NAMES
def test_a_build_of_the_plugin_has_the_name_that_every_command_takes(names: str) -> None:
    run = read(others.failed_tests("shop/PR-12", 3, names))["BUILD shop/PR-{number}"]
    assert is_run(run)
    assert build_name_of(run) == "shop/PR-12#3"
    assert run_url_of(run) == "http://jenkins.example.com/job/shop/job/PR-12/3/"
    assert (result_of(run), run.attributes[c.JENKINS_RESULT]) == (c.FAILURE, "FAILURE")
    assert run.attributes[c.VCS_CHANGE_ID] == "12"
    assert c.VCS_HEAD_NAME not in run.attributes


@NAMES
def test_the_parts_of_the_plugins_build_are_told_apart_and_have_their_own_names(names: str) -> None:
    found = kinds([*others.failed_tests(names=names), *others.deployed(names=names)])
    assert found == {
        "BUILD shop/main": "run",
        "Phase: Start": "block",
        "Phase: Run": "block",
        "Phase: Finalise": "cleanup",
        "Agent": "block",
        "Agent Allocation": "agent",
        "Build": "stage",
        "Test": "stage",
        "lint": "branch",
        "unit": "branch",
        "checkout: git.example.com/team/shop": "step",
        "sh": "step",
        "Deploy to staging": "stage",
        "Deploy to production": "stage",
        "input": "input",
        "build: shop/deploy": "block",
        "BUILD shop/deploy": "run",
        "Roll out": "stage",
        "./roll-out.sh": "step",
    }


@NAMES
def test_a_step_of_the_plugin_tells_its_result_its_agent_and_what_it_threw(names: str) -> None:
    step = read(others.failed_tests(names=names))["sh"]
    assert (result_of(step), step.status_code) == (c.FAILURE, ERROR)
    assert step.attributes[c.WORKER_NAME] == "linux-1"
    assert step.attributes[c.ERROR_TYPE] == "hudson.AbortException"
    assert step.attributes[c.TASK_NAME] == "Shell Script"
    # It does not say of which build it is, and a step that starts a build says the name of the other.
    assert build_name_of(step) == ""
    assert build_name_of(read(others.deployed(names=names))["build: shop/deploy"]) == ""


@pytest.mark.parametrize(
    ("job", "kind", "told"),
    [
        ("shop/main", "branch", {c.VCS_HEAD_NAME: "main", c.VCS_HEAD_TYPE: "branch"}),
        ("shop/feature%2Fbasket", "branch", {c.VCS_HEAD_NAME: "feature/basket", c.VCS_HEAD_TYPE: "branch"}),
        ("shop/v1.8.0", "tag", {c.VCS_HEAD_NAME: "v1.8.0", c.VCS_HEAD_TYPE: "tag"}),
        ("shop/MR-7-merge", "change_request", {c.VCS_CHANGE_ID: "7"}),
        ("shop/PR-7", "branch", {c.VCS_HEAD_NAME: "PR-7", c.VCS_HEAD_TYPE: "branch"}),
        ("shop/main", "", {}),
    ],
)
def test_the_job_of_a_multibranch_project_tells_its_branch_or_change(job: str, kind: str, told: dict[str, str]) -> None:
    sent = Plugin()
    sent.build(job, 1, 0, 10, branch_type=kind)
    run = understood(sent.spans[0])
    assert {name: value for name, value in run.attributes.items() if name.startswith("vcs.")} == told


def test_parameters_of_the_plugin_tell_environment_version_and_commit_but_no_secret() -> None:
    sent = Plugin()
    sent.build(
        "shop/deploy", 1, 0, 10, ENV="prod", GIT_COMMIT=COMMIT.upper(), VERSION="1.8.0", SECRET_KEY="hunter2", EMPTY=""
    )
    run = understood(sent.spans[0])
    given = {name for name in run.attributes if name.startswith(c.JENKINS_PARAMETER_PREFIX)}
    assert given == {"jenkins.parameter.ENV", "jenkins.parameter.GIT_COMMIT", "jenkins.parameter.VERSION"}
    assert environment_of(run) == "production"
    assert revision_of(run) == run.attributes[c.VCS_HEAD_REVISION] == COMMIT


@NAMES
@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("SUCCESS", c.SUCCESS),
        ("UNSTABLE", c.FAILURE),
        ("FAILURE", c.FAILURE),
        ("ABORTED", c.CANCELLATION),
        ("NOT_BUILT", c.SKIP),
    ],
)
def test_jenkins_words_for_a_result_are_the_conventions_words(names: str, said: str, result: str) -> None:
    sent = Plugin(names=names)
    sent.build("shop", 1, 0, 10, said)
    assert result_of(understood(sent.spans[0])) == result


def test_an_unstable_stage_has_failed_though_its_status_is_ok() -> None:
    sent = Plugin()
    stage = sent.stage("Test", 1, 2, sent.build("shop", 1, 0, 10, "UNSTABLE"), OK, result="UNSTABLE")
    assert (result_of(understood(stage)), understood(stage).status_code) == (c.FAILURE, ERROR)


@pytest.mark.parametrize(
    ("cause", "status", "said", "result"),
    [
        ("ExceededTimeout: Timeout has been exceeded", ERROR, "ABORTED", c.TIMEOUT),
        ("UserInterruption: Aborted by alice", UNSET, "ABORTED", c.CANCELLATION),
        # As earlier versions have it, without a result.
        ("ExceededTimeout: Timeout has been exceeded", ERROR, "", c.TIMEOUT),
        ("FailFastCause: Failed in branch unit", UNSET, "", c.CANCELLATION),
        ("DownstreamFailureCause: e2e #7 completed with status FAILURE", ERROR, "FAILURE", c.FAILURE),
    ],
)
def test_what_interrupted_a_step_is_told(cause: str, status: str, said: str, result: str) -> None:
    sent = Plugin()
    told = {"attributes": {"jenkins.pipeline.step.interruption.causes": [cause]}, "result": said}
    step = understood(sent.step("sh", 1, 2, sent.build("shop", 1, 0, 10, "ABORTED"), "sh", status, **told))
    assert result_of(step) == result
    assert step.attributes[c.JENKINS_INTERRUPTIONS] == [cause.partition(":")[0]]
    assert step.attributes[c.JENKINS_INTERRUPTION_DESCRIPTIONS] == [cause.partition(": ")[2]]


def test_a_checkout_tells_the_repository_and_the_branch() -> None:
    step = read(others.failed_tests())["checkout: git.example.com/team/shop"]
    assert step.attributes[c.VCS_REPOSITORY_NAME] == "shop"
    assert step.attributes[c.VCS_REPOSITORY_URL] == "https://git.example.com/team/shop"
    assert step.attributes[c.VCS_HEAD_NAME] == "main"


@pytest.mark.parametrize(
    ("branch", "name"), [("*/main", "main"), ("refs/heads/a/b", "a/b"), ("origin/x", "x"), ("${BRANCH}", ""), ("", "")]
)
def test_a_branch_that_is_a_pattern_or_a_variable_is_no_name(branch: str, name: str) -> None:
    sent = Plugin()
    told = {"attributes": {"git.repository": "shop", "git.branch": branch}}
    step = sent.step("git: shop", 1, 2, sent.build("shop", 1, 0, 10), "git", **told)
    assert understood(step).attributes.get(c.VCS_HEAD_NAME, "") == name


def test_the_step_of_a_freestyle_build_and_the_controller_as_its_agent() -> None:
    sent = Plugin()
    run = sent.build("old", 1, 0, 10, attributes={"ci.pipeline.agent.name": "#controller#", "ci.pipeline.agent.id": ""})
    step = sent.add(
        "shell", 1, 9, run, ERROR, message="Build step failed", attributes={"jenkins.pipeline.step.name": "shell"}
    )
    assert understood(sent.spans[0]).attributes[c.WORKER_NAME] == "built-in"
    assert (type_of(understood(step)), result_of(understood(step))) == (c.TYPE_STEP, c.FAILURE)


def test_a_workflow_of_githubs_receiver_is_a_run_with_jobs_waits_and_steps() -> None:
    spans = others.workflow_run(failing="deploy-production")
    assert kinds(spans) == {
        "build-and-deploy": "run",
        "test": "stage",
        "queue-test": "queue",
        "deploy-production": "stage",
        "queue-deploy-production": "queue",
        "Set up job": "step",
        "Run make": "step",
        "Report": "step",
    }
    found = read(spans)
    run, job, step = found["build-and-deploy"], found["deploy-production"], found["Run make"]
    assert build_name_of(run) == "build-and-deploy#14460881260"
    assert (result_of(run), attribute_text(run, c.VCS_HEAD_NAME), revision_of(run)) == (c.FAILURE, "main", COMMIT)
    assert run.attributes[c.VCS_REPOSITORY_URL] == "https://github.com/team/shop"
    # The receiver calls the job a pipeline, and its events do not name the workflow.
    assert build_name_of(job) == build_name_of(step) == ""
    assert run_url_of(job) == run_url_of(run)
    assert (result_of(job), result_of(step), result_of(found["Set up job"])) == (c.FAILURE, c.FAILURE, c.SUCCESS)
    assert step.attributes[c.WORKER_NAME] == "GitHub Actions 320"
    assert not any(c.JENKINS_TYPE in span.attributes for span in found.values())


def test_a_skipped_step_of_githubs_receiver_has_not_failed() -> None:
    assert result_of(read(others.workflow_run(failing="test"))["Report"]) == c.SKIP


def test_a_pipeline_of_gitlabs_receiver_is_named_as_its_jobs_know_it_and_a_job_with_an_environment_deploys() -> None:
    found = read(others.gitlab_pipeline(failing="deploy-staging"))
    assert {name: type_of(span) for name, span in found.items()} == {
        "Add a basket": "run",
        "test": "stage",
        "unit": "stage",
        "deploy": "stage",
        "deploy-staging": "stage",
    }
    assert {build_name_of(span) for span in found.values()} == {"team/shop#4711"}
    assert (result_of(found["Add a basket"]), result_of(found["unit"])) == (c.FAILURE, c.SUCCESS)
    assert [name for name, span in found.items() if is_deploy(span)] == ["deploy-staging"]


def test_a_job_that_takes_an_environment_down_is_no_deploy() -> None:
    job = others.gitlab_pipeline()[-1]
    stopped = replace(job, attributes={**job.attributes, "gitlab.environment.action": "stop"})
    assert not is_deploy(understood(stopped))


@pytest.mark.parametrize("result", ["failure", None])
def test_a_workflow_of_the_action_is_a_run_with_a_job_and_steps(result: str | None) -> None:
    found = read(others.action_run(result=result))
    run, job = found["lint"], found["Check titles"]
    assert (is_run(run), is_stage(job), type_of(found["Run check-title"])) == (True, True, "step")
    assert build_name_of(run) == "lint#21458831126"
    assert run_url_of(run) == "https://github.com/team/shop/actions/runs/21458831126"
    assert (result_of(run), revision_of(run), attribute_text(run, c.VCS_CHANGE_ID)) == (c.FAILURE, COMMIT, "77")
    assert (job.attributes[c.WORKER_NAME], result_of(found["Set up job"])) == ("runner-4", c.SUCCESS)


IN_A_JOB = {
    "cicd.pipeline.name": "ci",
    "cicd.pipeline.run.id": "7",
    "cicd.pipeline.task.run.id": "8",
    "vcs.ref.head.revision": COMMIT,
}


@pytest.mark.parametrize("kind", ["INTERNAL", SERVER])
@pytest.mark.parametrize("parent", [None, 2])
def test_a_process_in_a_pipeline_is_no_part_of_it_though_its_resource_names_it(kind: str, parent: int | None) -> None:
    span = replace(numbered(1, parent, name="GET /basket"), kind=kind, resource=IN_A_JOB)
    assert understood(span) is span
    assert not is_run(span)
    assert not is_stage(span)


def test_a_run_by_the_conventions_names_alone_is_one() -> None:
    attributes = {"cicd.pipeline.name": "ci", "cicd.pipeline.run.id": "7", "cicd.pipeline.result": "timeout"}
    run = understood(replace(numbered(1), attributes=attributes))
    assert (is_run(run), build_name_of(run), result_of(run)) == (True, "ci#7", c.TIMEOUT)


@pytest.mark.parametrize(
    "attributes",
    [
        {"cicd.pipeline.result": "failure"},
        {"cicd.pipeline.task.name": "test", "cicd.pipeline.task.run.result": "failed"},
        {"ci.pipeline.run.number": 7, "ci.pipeline.run.result": "FAILURE", "ci.pipeline.id": "shop"},
    ],
)
def test_what_says_that_it_failed_has_failed_without_a_status_too(attributes: dict[str, AttributeValue]) -> None:
    sent = replace(numbered(1), attributes=attributes)
    assert (sent.status_code, understood(sent).status_code) == (UNSET, ERROR)


OURS = [
    {c.JENKINS_TYPE: c.TYPE_RUN, "ci.pipeline.id": "other", "ci.pipeline.run.number": 1},
    # The first span of a process names the job that it runs in.
    {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.TASK_NAME: "deploy", c.TASK_RUN_ID: "8"},
    {c.PROCESS_EXECUTABLE_NAME: "make", c.TASK_NAME: "deploy", c.TASK_RUN_ID: "8"},
    {},
]


@pytest.mark.parametrize("attributes", OURS)
def test_a_span_with_nothing_to_add_is_the_same_span(attributes: dict[str, str]) -> None:
    span = replace(numbered(1), attributes=attributes)
    assert understood(span) is span


@pytest.mark.parametrize(
    "spans",
    [
        others.failed_tests(),
        others.deployed(names=BOTH),
        others.workflow_run(),
        others.gitlab_pipeline(),
        others.action_run(),
    ],
)
def test_what_is_understood_stays_so_and_what_was_sent_is_not_changed(spans: list[Span]) -> None:
    before = [span.to_dict() for span in spans]
    found = [understood(span) for span in spans]
    assert [span.to_dict() for span in spans] == before
    assert all(understood(span) is span or span.name == "Queued" for span in found)
    for sent, span in zip(spans, found, strict=True):
        assert sent.attributes.keys() <= span.attributes.keys()
        assert (sent.span_id, sent.parent_id, sent.resource) == (span.span_id, span.parent_id, span.resource)


HOSTILE: list[object] = ["", 7, True, 1.5, [], ["a"], [None], {"a": 1}, None, "\ud800", "x" * 10_000]


@pytest.mark.parametrize("value", HOSTILE)
def test_values_of_any_type_are_read_without_a_complaint(value: object) -> None:
    for span in (*others.deployed(names=BOTH), *others.workflow_run(), *others.gitlab_pipeline(), *others.action_run()):
        for name in span.attributes:
            understood(replace(span, attributes={**span.attributes, name: value}))
        for name in span.resource:
            understood(replace(span, resource={**span.resource, name: value}))
        understood(replace(span, events=[Event("exception", 1, {"exception.type": value})]))


def test_the_tables_name_each_attribute_once_and_only_known_results() -> None:
    names = [*SAID_BY, *(name for those in SAID_BY.values() for name in those)]
    several = {name for name in names if names.count(name) > 1}
    # The action and GitHub's receiver have one name for the result of a run and of a job.
    assert several == {c.GITHUB_CONCLUSION, c.RUN_STATUS}
    assert set(RESULTS.values()) == {c.SUCCESS, c.FAILURE, c.ERROR, c.TIMEOUT, c.CANCELLATION, c.SKIP}
    assert all(word == word.lower() for word in RESULTS)

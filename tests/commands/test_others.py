"""What other tools sent is answered for by `path`, `why`, `show` and `report`: Jenkins' plugin, GitHub, GitLab."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import support
from support import others
from support.others import BOTH, COMMIT, OWN, STANDARD, Plugin
from support.pathways import Story

from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.ids import trace_id
from pipeline_trace.trace.span import ERROR, UNSET, Span

Env = dict[str, str]
NAMES = pytest.mark.parametrize("names", [OWN, BOTH, STANDARD])


def told(env: Env, command: str, reference: str) -> dict[str, Any]:
    """Return the JSON that a command prints of a trace."""
    done = support.trace(command, reference, "--format", "json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def steps(env: Env, reference: str) -> dict[str, str]:
    """Return the steps of the only service's path that are known, with their states."""
    (service,) = told(env, "path", reference)["services"]
    return {step["step"]: step["state"] for step in service["steps"] if step["state"] != "not known"}


def last(env: Env, reference: str, step: str) -> dict[str, Any]:
    (service,) = told(env, "path", reference)["services"]
    (found,) = [one for one in service["steps"] if one["step"] == step]
    return {"failures": found["failures"], **found["last"]}


@NAMES
@pytest.mark.parametrize(
    "reference", ["shop/PR-12#3", "http://jenkins.example.com/job/shop/job/PR-12/3/console", "latest", "trace id"]
)
def test_why_names_the_stage_and_the_step_and_blames_nobody_without_a_log(env: Env, names: str, reference: str) -> None:
    spans = others.failed_tests("shop/PR-12", 3, names)
    support.store_spans(env, spans)
    found = told(env, "why", spans[0].trace_id if reference == "trace id" else reference)
    assert (found["owner"], found["kind"]) == ("unknown", "unknown")
    assert "shop/PR-12 > Test > unit > sh" in found["evidence"]
    assert "agent linux-1" in "\n".join(found["evidence"])
    assert found["next"] == "No log could be read; look at the output where the command ran."
    assert found["build"] | {"started": ""} == {
        "name": "shop/PR-12#3",
        "url": "http://jenkins.example.com/job/shop/job/PR-12/3/",
        "started": "",
    }


@pytest.mark.parametrize("exit_status", [1, 2])
@pytest.mark.parametrize("stage", ["Test", "Checkout", "Deploy"])
def test_the_name_of_a_stage_alone_blames_nobody(env: Env, stage: str, exit_status: int) -> None:
    sent = Plugin()
    around = sent.stage(stage, 1, 8, sent.build("shop", 1, 0, 10, "FAILURE"), ERROR)
    sent.sh(2, 7, around, exit_status)
    support.store_spans(env, sent.spans)
    assert told(env, "why", "shop#1")["owner"] == "unknown"


@NAMES
def test_a_deploy_in_a_downstream_build_is_found_from_the_build_that_started_it(env: Env, names: str) -> None:
    support.store_spans(env, others.deployed(names=names, failing="production"))
    found = told(env, "why", "shop/main#13")
    assert "shop/main > Deploy to production > shop/deploy > Roll out > ./roll-out.sh" in found["evidence"]
    assert (found["build"]["name"], found["environment"]) == ("shop/deploy#131", "production")
    assert [build["name"] for build in found["started"]["builds"]] == ["shop/main#13", "shop/deploy#131"]


@pytest.mark.parametrize("stage", ["Test", "Deploy"])
def test_a_downstream_build_that_did_not_arrive_blames_nobody(env: Env, stage: str) -> None:
    sent = Plugin()
    said = others.downstream_failed("shop/e2e #7")
    around = sent.stage(stage, 1, 8, sent.build("shop", 1, 0, 10, "FAILURE"), ERROR, **said)
    sent.step("build: shop/e2e", 2, 7, around, "build", ERROR, **said)
    support.store_spans(env, sent.spans)
    found = told(env, "why", "shop#1")
    assert (found["owner"], found["line"]) == ("unknown", said["message"])
    assert f"shop > {stage} > build: shop/e2e" in found["evidence"]


def test_the_step_whose_error_a_build_caught_is_named_without_the_blocks_around_it(env: Env) -> None:
    sent = Plugin()
    block = sent.agent(1, 9, sent.build("shop", 1, 0, 10, "FAILURE"))
    sent.sh(3, 7, sent.stage("Test", 2, 8, block), 3)
    support.store_spans(env, sent.spans)
    assert "shop > Test > sh" in told(env, "why", "shop#1")["evidence"]


def test_a_build_that_failed_because_of_another_does_not_count_as_a_failure_like_it(env: Env) -> None:
    support.store_spans(env, others.deployed(failing="production"))
    support.store_spans(env, others.deployed(number=14, start=300, failing="production"))
    found = told(env, "why", "shop/deploy#141")
    assert (found["failed_alike"], found.get("fails_alike")) == (2, None)
    support.store_spans(env, others.failed_tests(number=15, start=500))
    assert told(env, "why", "shop/main#15")["of_last_builds"] == 1


@pytest.mark.parametrize(
    ("cause", "kind", "owner"),
    [
        ("ExceededTimeout: Timeout has been exceeded", "timeout", "unknown"),
        ("UserInterruption: Aborted by alice", "aborted", "unknown"),
        ("RemovedNodeCause: Agent was removed", "agent_lost", "ops"),
    ],
)
def test_what_interrupted_a_build_is_told_by_its_steps(env: Env, cause: str, kind: str, owner: str) -> None:
    sent = Plugin()
    running = sent.build("shop", 1, 0, 10, "ABORTED")
    said = {"attributes": {"jenkins.pipeline.step.interruption.causes": [cause]}, "result": "ABORTED"}
    status = UNSET if kind == "aborted" else ERROR
    sent.step("sh", 2, 9, sent.stage("Test", 1, 9, running, status, **said), "sh", status, **said)
    support.store_spans(env, sent.spans)
    found = told(env, "why", "shop#1")
    assert (found["kind"], found["owner"]) == (kind, owner)


@NAMES
@pytest.mark.parametrize("reference", [COMMIT, COMMIT[:7], "1.8.0", "shop/main#13", "shop/deploy#131", "latest"])
def test_path_shows_the_deploys_of_a_commit_that_a_parameter_names(env: Env, names: str, reference: str) -> None:
    support.store_spans(env, others.deployed(names=names, failing="production"))
    assert steps(env, reference) == {"staging": c.SUCCESS, "production": c.FAILURE}
    failed = last(env, reference, "production")
    assert (failed["run"], failed["failed_at"]) == ("shop/deploy#131", "Roll out")
    assert failed["message"] == "script returned exit code 1"
    assert [wait["what"] for wait in failed["waited"]] == ["input"]


def test_path_shows_checks_merge_and_deploys_where_the_jenkinsfile_tells_the_commit(env: Env) -> None:
    head = {c.VCS_HEAD_REVISION: COMMIT}
    support.store_spans(env, others.failed_tests("shop/PR-12", 3, attributes=head))
    support.store_spans(env, others.deployed(attributes=head))
    assert steps(env, COMMIT) == {
        "PR checks": c.FAILURE,
        "merge": c.SUCCESS,
        "staging": c.SUCCESS,
        "production": c.SUCCESS,
    }
    assert told(env, "path", "PR-12")["commit"] == COMMIT
    assert last(env, COMMIT, "PR checks")["failed_at"] == "unit"


def test_path_without_a_commit_shows_what_a_build_went_through(env: Env) -> None:
    support.store_spans(env, others.failed_tests())
    assert steps(env, "shop/main#12") == {"merge": c.FAILURE}


def test_path_reads_the_commit_and_the_branch_from_the_resource(env: Env) -> None:
    support.store_spans(env, others.workflow_run(1, branch="basket"))
    assert steps(env, COMMIT)["PR checks"] == c.SUCCESS
    support.store_spans(env, others.workflow_run(2, start=200, failing="deploy-production"))
    assert steps(env, COMMIT) == {"PR checks": c.SUCCESS, "merge": c.SUCCESS, "production": c.FAILURE}
    assert last(env, COMMIT, "production")["run"] == "build-and-deploy#2"


def test_path_takes_a_job_with_an_environment_as_one_deploy(env: Env) -> None:
    support.store_spans(env, others.gitlab_pipeline())
    assert steps(env, "team/shop#4711") == {"merge": c.SUCCESS, "staging": c.SUCCESS}
    (service,) = told(env, "path", COMMIT)["services"]
    assert [step["attempts"] for step in service["steps"] if step["step"] == "staging"] == [1]


@pytest.mark.parametrize(
    ("spans", "reference", "way", "agent"),
    [
        (
            others.workflow_run(failing="test"),
            "build-and-deploy#14460881260",
            "build-and-deploy > test > Run make",
            "GitHub Actions 320",
        ),
        (others.gitlab_pipeline(failing="unit"), "team/shop#4711", "team/shop > test > unit", "runner-7"),
        (others.action_run(), "lint#21458831126", "lint > Check titles > Run check-title", "runner-4"),
    ],
)
def test_why_names_the_job_and_the_step_of_other_systems(
    env: Env, spans: list[Span], reference: str, way: str, agent: str
) -> None:
    support.store_spans(env, spans)
    found = told(env, "why", reference)
    assert (found["owner"], found["agent"]) == ("unknown", agent)
    assert way in found["evidence"]


def test_the_playbook_that_a_workflow_ran_tells_why(env: Env) -> None:
    spans = others.workflow_run(failing="deploy-production")
    step = next(span for span in reversed(spans) if span.name == "Run make")
    # The callback knows the run that the receiver tells, not its job.
    below = {"trace_id": spans[0].trace_id, "status_code": ERROR, "kind": "INTERNAL", "resource": {}}
    within = {"start_ns": step.start_ns + 1, "end_ns": step.end_ns - 1, **below}
    book = replace(spans[0], **within, span_id="b" * 16, parent_id=spans[0].span_id, name="playbook site.yml")
    book.attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.DEPLOYMENT_ENVIRONMENT: "production"}
    task = replace(book, span_id="d" * 16, parent_id=book.span_id, name="Restart", attributes={c.ANSIBLE_TYPE: c.TYPE_TASK})
    host = replace(task, span_id="e" * 16, parent_id=task.span_id, name="web2")
    host.attributes = {c.ANSIBLE_TYPE: c.TYPE_HOST, c.ANSIBLE_RESULT: "unreachable", c.ANSIBLE_MESSAGE: "timed out"}
    support.store_spans(env, [*spans, book, task, host])
    found = told(env, "why", "build-and-deploy#14460881260")
    assert (found["owner"], found["kind"], found["hosts"]) == ("ops", "host_unreachable", ["web2"])
    assert "build-and-deploy > deploy-production > Run make" in found["evidence"]


def test_show_tells_stages_steps_and_waits_of_the_plugin_by_their_names(env: Env) -> None:
    support.store_spans(env, others.failed_tests())
    shown = support.trace("show", "shop/main#12", env=env).stdout
    for line in (
        "✗ run BUILD shop/main",
        "✓ stage Build",
        "✗ stage Test",
        "✓ branch lint",
        "✗ branch unit",
        "✗ step sh",
        "✓ Agent Allocation",
    ):
        assert line in shown
    assert "script returned exit code 2" in shown
    # A message that only repeats the result hides nothing.
    assert "FAILURE" not in shown


def test_steps_after_the_wait_of_their_job_are_not_shown_as_skewed(env: Env) -> None:
    support.store_spans(env, others.workflow_run())
    assert "skewed" not in support.trace("show", env=env).stdout


def test_the_report_of_a_plugins_build_has_its_verdict_path_and_stages(env: Env, tmp_path: Path) -> None:
    support.store_spans(env, others.deployed(failing="production"))
    page = tmp_path / "page.html"
    assert support.trace("report", "shop/main#13", "-o", page, env=env).returncode == 0
    text = page.read_text(encoding="utf-8")
    assert "It is unknown who should look first" in text
    assert "shop/deploy#131" in text
    assert "Deploy to production" in text


def test_history_counts_the_plugins_builds_and_reads_what_failed_in_each(env: Env) -> None:
    # An exit status tells little: only failures of one change are alike by it.
    for number in range(3):
        head = {c.VCS_HEAD_REVISION: COMMIT}
        support.store_spans(env, others.failed_tests("shop/main", 12 + number, start=100 * number, attributes=head))
    found = told(env, "why", "shop/main#14")
    assert (found["since"]["name"], found["failed_alike"], found["of_last_builds"]) == ("shop/main#12", 3, 3)


def both_tell(env: Env, number: int, start: float) -> None:
    """Store one build as the poller and as the plugin tell it."""
    page = {"cicd.pipeline.run.url.full": f"{others.JENKINS}/job/shop/job/main/{number}/"}
    story = Story(f"polled {number}", commit=COMMIT)
    run = story.run("shop/main", number, start, start + 60, state=c.FAILURE, branch="main")
    run.attributes |= page
    stage = story.stage("Test", start + 20, start + 58, run, c.FAILURE, message="2 tests failed")
    for span in (run, stage):
        span.resource = {**span.resource, **page}
    support.store_spans(env, story.spans)
    support.store_spans(env, others.failed_tests(number=number, start=start, attributes={c.VCS_HEAD_REVISION: COMMIT}))


def test_a_build_that_the_poller_and_the_plugin_tell_counts_once_as_the_poller_tells_it(env: Env) -> None:
    both_tell(env, 12, 0)
    failed = last(env, COMMIT, "merge")
    assert (failed["failures"], failed["message"]) == (1, "2 tests failed")
    found = told(env, "why", "shop/main#12")
    assert "shop/main > Test" in found["evidence"]
    assert (found["failed_alike"], found["of_last_builds"]) == (1, 1)
    found = told(env, "why", trace_id(("shop/main#12",)))
    assert "shop/main > Test > unit > sh" in found["evidence"]
    assert (found["failed_alike"], found["of_last_builds"]) == (1, 1)
    both_tell(env, 13, 100)
    assert last(env, COMMIT, "merge")["failures"] == 2
    found = told(env, "why", "shop/main#13")
    assert (found["failed_alike"], found["of_last_builds"]) == (2, 2)

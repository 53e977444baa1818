"""A commit's way: from spans to attempts, steps and the answer. Pure."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from rich.console import Console

from pipeline_trace import conventions as c
from pipeline_trace.ids import span_id, trace_id
from pipeline_trace.pathway import document, environments, terminal
from pipeline_trace.pathway.attempts import read
from pipeline_trace.pathway.seeking import Sought
from pipeline_trace.span import Link, Span

COMMIT, OTHER = "a" * 40, "b" * 40
SECOND = 1_000_000_000
DAY = 1_795_000_000 * SECOND
STATUS = {c.FAILURE: "ERROR", c.ERROR: "ERROR", c.TIMEOUT: "ERROR"}


class Story:
    """Spans of one trace, made one after another. Times are seconds since the story's day began."""

    def __init__(self, name: str = "story", commit: str = COMMIT) -> None:
        self.trace, self.commit, self.spans = trace_id((name,)), commit, list[Span]()
        self._ids = count()
        self._name = name

    def add(
        self, name: str, start: float, end: float, parent: Span | None = None, state: str = c.SUCCESS, **told: Any
    ) -> Span:
        made = Span(
            self.trace,
            span_id((self._name, str(next(self._ids)))),
            parent.span_id if parent else None,
            name,
            DAY + round(start * SECOND),
            DAY + round(end * SECOND) if end else 0,
            status_code=STATUS.get(state, "UNSET"),
            status_message=told.pop("message", ""),
            links=told.pop("links", []),
            resource=told.pop("resource", dict(parent.resource) if parent else {}),
            attributes=told.pop("attributes", {}),
        )
        self.spans.append(made)
        return made

    def run(
        self,
        job: str,
        number: int,
        start: float,
        end: float,
        parent: Span | None = None,
        state: str = c.SUCCESS,
        **more: Any,
    ) -> Span:
        """Add a build; ``branch``, ``change``, ``commit`` and parameters (capital letters) by name."""
        parameters = {f"jenkins.parameter.{key}": more.pop(key) for key in list(more) if key.isupper()}
        told = {c.VCS_HEAD_NAME: more.pop("branch", ""), c.VCS_CHANGE_ID: more.pop("change", "")}
        told[c.VCS_HEAD_REVISION] = more.pop("commit", "" if parent else self.commit)
        told[c.VCS_REPOSITORY_URL] = more.pop("repository", "")
        attributes = {
            c.JENKINS_TYPE: c.TYPE_RUN,
            c.PIPELINE_RESULT: state,
            c.PIPELINE_NAME: job,
            c.PIPELINE_RUN_ID: str(number),
            **parameters,
            **{name: value for name, value in told.items() if value},
        }
        resource = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: str(number)}
        return self.add(f"RUN {job}", start, end, parent, state, attributes=attributes, resource=resource, **more)

    def stage(
        self,
        name: str,
        start: float,
        end: float,
        parent: Span,
        state: str = c.SUCCESS,
        kind: str = c.TYPE_STAGE,
        **more: Any,
    ) -> Span:
        attributes = {c.JENKINS_TYPE: kind, c.TASK_RUN_RESULT: state, **more.pop("attributes", {})}
        return self.add(name, start, end, parent, state, attributes=attributes, **more)

    def build(
        self, number: int, start: float, *stages: tuple[str, str], job: str = "shop/build", branch: str = "main"
    ) -> Span:
        """Add a build of ten seconds a stage, each with its result; a stage that deploys starts a build for it."""
        failing = next((result for _, result in stages if result not in (c.SUCCESS, c.SKIP)), c.SUCCESS)
        run = self.run(job, number, start, start + 10 * len(stages), state=failing, branch=branch)
        for i, (name, result) in enumerate(stages):
            at = start + 10 * i
            stage = self.stage(
                name,
                at,
                at + (0 if result == c.SKIP else 10),
                run,
                result,
                message="" if not STATUS.get(result) else "broke",
            )
            if result != c.SKIP and name.startswith("Deploy "):
                place = name.removeprefix("Deploy ")
                self.deploy(number * 10 + i, at + 1, at + 9, place, parent=stage, state=result, message=stage.status_message)
        return run

    def deploy(self, number: int, start: float, end: float, place: str, job: str = "shop/deploy", **more: Any) -> Span:
        return self.run(job, number, start, end, ENVIRONMENT=place, **more)

    def playbook(
        self, start: float, end: float, place: str, parent: Span | None = None, state: str = c.SUCCESS, **more: Any
    ) -> Span:
        told = {c.DEPLOYMENT_NAME: more.pop("service", ""), c.ARTIFACT_VERSION: more.pop("version", "")}
        told[c.VCS_HEAD_REVISION] = more.pop("commit", "")
        attributes = {
            c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK,
            c.TASK_TYPE: c.DEPLOY,
            c.DEPLOYMENT_ENVIRONMENT: place,
            **({c.TASK_RUN_RESULT: state} if end else {}),
            **{name: value for name, value in told.items() if value},
        }
        return self.add("playbook site.yml", start, end, parent, state, attributes=attributes, **more)


GREEN = [
    ("Unit test", c.SUCCESS),
    ("Deploy integration", c.SUCCESS),
    ("Deploy staging", c.SUCCESS),
    ("Deploy production", c.SUCCESS),
]


def told(*stories: Story, commit: str = COMMIT) -> dict[str, Any]:
    """Return the document of a commit's way."""
    attempts = read([span for story in stories for span in story.spans])
    own = tuple(replace(one, commit=commit) for one in attempts if one.commit == commit)
    return document.of(Sought(commit, own=own, others=tuple(one for one in attempts if one.commit != commit)))


def only(*stories: Story) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answer for the only service, and its steps by name."""
    (service,) = told(*stories)["services"]
    return service["answer"], {step["step"]: step for step in service["steps"]}


def states(steps: dict[str, Any]) -> list[str]:
    return [step["state"] for step in steps.values()]


def test_of_a_commit_that_nobody_saw_nothing_is_known() -> None:
    answer, steps = only(Story())
    assert list(steps) == ["Local", "PR checks", "review", "merge", "integration", "staging", "production"]
    assert set(states(steps)) == {"not known"}
    assert (answer["answer"], answer["reason"]) == ("not known", "no build and no deploy of it was seen")


def test_a_commit_that_went_all_the_way_is_deployed() -> None:
    story = Story()
    story.build(4, 0, *GREEN)
    answer, steps = only(story)
    assert states(steps) == ["not known"] * 3 + ["success"] * 4
    assert (answer["answer"], answer["reason"]) == ("yes", "production is deployed (shop/deploy#43)")
    assert steps["merge"]["last"]["run"] == "shop/build#4"
    assert steps["merge"]["last"]["ran_ms"] == 10_000, "the build, without its deploys"
    assert steps["staging"]["last"]["ran_ms"] == 8_000


def test_the_next_environment_is_told_with_the_evidence() -> None:
    story = Story()
    story.build(4, 0, *GREEN[:3], ("Deploy production", c.SKIP))
    answer, steps = only(story)
    assert steps["production"]["state"] == "not reached"
    assert (answer["answer"], answer["step"]) == ("yes", "production")
    assert answer["reason"] == "integration and staging are green (shop/deploy#42); next is production"


def test_environments_of_other_commits_are_expected() -> None:
    story, before = Story(), Story("before", OTHER)
    before.build(3, -100, *GREEN)
    story.build(4, 0, *GREEN[:1])
    answer, steps = only(story, before)
    assert states(steps)[3:] == ["success"] + ["not reached"] * 3
    assert answer["reason"] == "merge is green (shop/build#4); next is integration"


def test_an_environment_that_was_never_seen_is_not_promised() -> None:
    story = Story()
    story.build(4, 0, *GREEN[:2])
    answer, steps = only(story)
    assert steps["staging"]["state"] == "not known"
    assert answer["answer"] == "yes"
    assert answer["reason"].endswith("next is staging, where no deploy of shop was seen yet")


def test_without_any_environment_it_is_not_known() -> None:
    story = Story()
    story.build(4, 0, *GREEN[:1])
    answer, _ = only(story)
    assert answer["answer"] == "not known"
    assert "no deploy of shop was ever seen here" in answer["reason"]


@pytest.mark.parametrize(("state", "verb"), [(c.FAILURE, "failed"), (c.ERROR, "failed"), (c.TIMEOUT, "timed out")])
def test_what_failed_blocks(state: str, verb: str) -> None:
    story = Story()
    story.build(4, 0, *GREEN[:2], ("Deploy staging", state), ("Deploy production", c.SKIP))
    answer, steps = only(story)
    assert states(steps)[3:] == ["success", "success", state, "not reached"]
    assert (answer["answer"], answer["step"]) == ("no", "staging")
    assert answer["reason"] == f"staging {verb} in shop/deploy#42: broke"
    assert answer["next"] == "pipeline-trace why 'shop/deploy#42'"


def test_the_last_attempt_counts_and_the_others_are_told() -> None:
    failing = [*GREEN[:2], ("Deploy staging", c.FAILURE), ("Deploy production", c.SKIP)]
    first, second, third = Story("1"), Story("2"), Story("3")
    first.build(1, 0, *failing)
    second.build(2, 100, *failing)
    answer, steps = only(first, second)
    assert (steps["staging"]["failures"], steps["staging"]["failed_alike"]) == (2, True)
    assert "staging failed 2 times alike, last in shop/deploy#22" in answer["reason"]
    third.build(3, 200, *GREEN)
    answer, steps = only(first, second, third)
    assert (steps["staging"]["state"], steps["staging"]["failed_before"], steps["staging"]["attempts"]) == ("success", 2, 3)
    assert answer["answer"] == "yes"


def test_failures_of_different_kinds_are_not_alike() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", state=c.FAILURE, message="web1 is unreachable")
    story.deploy(2, 10, 15, "staging", state=c.FAILURE, message="no space left")
    answer, steps = only(story)
    assert not steps["staging"]["failed_alike"]
    assert "failed 2 times, last in shop/deploy#2: no space left" in answer["reason"]


def test_numbers_in_a_message_make_no_difference() -> None:
    story = Story()
    for number in (1, 2):
        message = f"web{number} did not answer after {number}0.{number} s"
        story.deploy(number, number, number + 0.5, "staging", state=c.FAILURE, message=message)
    _, steps = only(story)
    assert steps["staging"]["failed_alike"]


def test_a_deploy_that_starts_another_one_is_one_deploy() -> None:
    story = Story()
    outer = story.deploy(1, 0, 20, "staging")
    story.deploy(7, 1, 19, "staging", "tools/rollout", parent=outer)
    (service,) = told(story)["services"]
    assert (service["service"], service["steps"][-2]["attempts"]) == ("shop", 1)


def test_what_was_green_before_it_failed_is_said() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging")
    story.deploy(2, 6, 9, "production")
    story.deploy(3, 10, 15, "staging", state=c.FAILURE, message="broke")
    answer, steps = only(story)
    assert steps["production"]["state"] == "success"
    assert answer["answer"] == "no"
    assert answer["reason"].endswith("it was green before (shop/deploy#1)")


def test_an_environment_that_was_gone_past_since_does_not_block() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", state=c.FAILURE, message="broke")
    story.deploy(2, 6, 9, "production")
    answer, steps = only(story)
    assert steps["staging"]["state"] == "failure"
    assert answer["reason"] == "production is deployed (shop/deploy#2)"


def test_what_was_stopped_is_not_known() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", state=c.CANCELLATION, message="Aborted by admin")
    answer, _ = only(story)
    assert (answer["answer"], answer["reason"]) == ("not known", "staging was stopped (shop/deploy#1): Aborted by admin")


def test_what_runs_is_not_known_yet() -> None:
    story = Story()
    story.playbook(0, 0, "prod", service="shop", commit=COMMIT)
    answer, steps = only(story)
    assert steps["production"]["state"] == "running"
    assert steps["production"]["last"]["ran_ms"] is None
    assert answer["reason"] == "production runs right now (playbook site.yml)"


def test_a_deploy_of_another_commit_since_is_said() -> None:
    story, later = Story(), Story("later", OTHER)
    story.build(4, 0, *GREEN)
    later.build(5, 100, *GREEN[:3], ("Deploy production", c.FAILURE))
    answer, steps = only(story, later)
    assert steps["staging"]["replaced_by"]["commit"] == OTHER
    assert steps["production"]["replaced_by"] is None, "a failed deploy replaces nothing for sure"
    later.build(6, 200, *GREEN)
    answer, steps = only(story, later)
    assert answer["reason"] == "production had it (shop/deploy#43); bbbbbbb replaced it there (shop/deploy#63)"


def test_a_build_that_fails_before_its_deploys_blocks_them() -> None:
    story = Story()
    story.build(4, 0, ("Unit test", c.FAILURE), ("Deploy integration", c.SKIP))
    answer, steps = only(story)
    assert states(steps)[3:5] == ["failure", "not reached"]
    assert answer["reason"] == "merge failed in shop/build#4 at Unit test: broke"


def test_checks_are_builds_of_a_change_or_a_branch() -> None:
    change, branch = Story(), Story()
    change.run("shop/app/PR-17", 1, 0, 9, branch="main", change="17", state=c.FAILURE, message="3 tests failed")
    branch.run("shop/app/feature%2Fx", 1, 0, 9, branch="feature/x")
    answer, steps = only(change)
    assert steps["merge"]["state"] == "not known"
    assert answer["reason"] == "PR checks failed in shop/app/PR-17#1: 3 tests failed"
    answer, steps = only(branch)
    assert (steps["PR checks"]["state"], answer["answer"]) == ("success", "not known")
    assert "no build of it on main was seen" in answer["reason"]


def test_all_jobs_that_check_a_commit_have_to_be_green() -> None:
    story = Story()
    story.run("shop/lint", 1, 0, 9, branch="feature/x", state=c.FAILURE, message="unused import")
    story.run("shop/test", 1, 10, 19, branch="feature/x")
    answer, steps = only(story)
    assert answer["reason"] == "PR checks failed in shop/lint#1: unused import"
    story.run("shop/lint", 2, 20, 29, branch="feature/x")
    answer, steps = only(story)
    assert (steps["PR checks"]["state"], steps["PR checks"]["failed_before"]) == ("success", 1)


def test_a_deploy_that_checks_out_its_own_pipeline_is_of_what_it_was_told_or_started_by() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 40, branch="main", repository="app")
    ours = story.deploy(41, 11, 15, "staging", parent=run, commit="d" * 40, branch="main", repository="pipelines")
    theirs = story.deploy(42, 16, 20, "production", commit="d" * 40, repository="pipelines", COMMIT=COMMIT)
    _, steps = only(story)
    assert [steps[name]["last"]["span_id"] for name in ("staging", "production")] == [ours.span_id, theirs.span_id]


def test_what_ran_at_home_is_the_local_step() -> None:
    story = Story()
    story.add("pytest", 0, 4, attributes={c.VCS_HEAD_REVISION: COMMIT, c.TASK_RUN_RESULT: c.SUCCESS})
    _, steps = only(story)
    assert (steps["Local"]["state"], steps["Local"]["last"]["ran_ms"]) == ("success", 4_000)


def test_services_of_one_commit_are_kept_apart() -> None:
    story = Story()
    run = story.run("mono/build", 7, 0, 60, branch="main", state=c.FAILURE)
    stage = story.stage("Deploy staging", 10, 30, run, c.FAILURE)
    story.deploy(1, 11, 20, "staging", "mono/shop-deploy", parent=stage)
    story.deploy(2, 11, 29, "staging", "mono/orders-deploy", parent=stage, state=c.FAILURE, message="broke")
    found = told(story)
    assert [(s["service"], s["answer"]["answer"]) for s in found["services"]] == [
        ("mono/orders", "no"),
        ("mono/shop", "yes"),
    ]
    assert (found["answer"]["answer"], found["answer"]["service"]) == ("no", "mono/orders")
    merges = [next(step for step in s["steps"] if step["step"] == "merge") for s in found["services"]]
    assert merges[0] == merges[1]
    assert merges[0]["state"] == "success"


def test_a_build_that_fails_blocks_its_own_service_alone() -> None:
    story, before = Story(), Story("before", OTHER)
    for service, state in (("shop", c.SUCCESS), ("orders", c.FAILURE)):
        before.deploy(1, -100, -90, "staging", f"{service}/deploy")
        story.run(f"{service}/build", 4, 0, 9, branch="main", state=state, message="broke" if STATUS.get(state) else "")
    answers = {s["service"]: s["answer"]["reason"] for s in told(story, before)["services"]}
    assert answers == {
        "orders": "merge failed in orders/build#4: broke",
        "shop": "merge is green (shop/build#4); next is staging",
    }


def test_a_job_is_called_as_its_playbooks_say_also_where_they_were_not_traced() -> None:
    story = Story()
    traced = story.deploy(1, 0, 9, "staging")
    story.playbook(1, 8, "staging", traced, service="webshop")
    story.deploy(2, 10, 19, "production")
    (service,) = told(story)["services"]
    assert service["service"] == "webshop"
    assert service["answer"]["reason"] == "production is deployed (shop/deploy#2)"


def test_one_build_that_deploys_several_services_by_playbooks() -> None:
    story = Story()
    run = story.deploy(1, 0, 20, "staging", state=c.FAILURE)
    story.playbook(1, 8, "staging", run, service="shop", version="1.2")
    story.playbook(9, 18, "staging", run, c.FAILURE, service="orders", message="db1: no space left on device")
    found = told(story)
    assert [(s["service"], s["answer"]["answer"]) for s in found["services"]] == [("orders", "no"), ("shop", "yes")]
    assert "db1: no space left on device" in found["services"][0]["answer"]["reason"]
    assert found["services"][1]["versions"] == ["1.2"]


def test_a_playbook_in_a_stage_of_the_build_is_a_deploy() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 40, branch="main")
    stage = story.stage("Rollout", 20, 30, run)
    story.playbook(21, 29, "production", stage, service="shop")
    answer, steps = only(story)
    assert (steps["merge"]["last"]["ran_ms"], steps["production"]["last"]["run"]) == (21_000, "shop/build#4")
    assert answer["answer"] == "yes"


def test_a_stage_that_deploys_by_itself() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 40, branch="main", state=c.FAILURE)
    story.stage("Roll out to prod", 20, 30, run, c.FAILURE, message="exit status 1")
    answer, steps = only(story)
    assert (steps["merge"]["state"], steps["production"]["last"]["ran_ms"]) == ("success", 10_000)
    assert answer["reason"] == "production failed in shop/build#4 at Roll out to prod: exit status 1"


def test_a_stage_that_fails_after_its_deploy_went_well_has_failed() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 40, branch="main", state=c.FAILURE)
    stage = story.stage("Deploy staging", 10, 30, run, c.FAILURE, message="smoke test: 503")
    story.deploy(41, 11, 20, "staging", parent=stage)
    answer, _ = only(story)
    assert answer["reason"] == "staging failed in shop/deploy#41 at Deploy staging: smoke test: 503"


def test_tests_of_a_deploy_that_end_the_build_are_its_failure() -> None:
    story = Story()
    story.build(4, 0, *GREEN[:3], ("End to end", c.FAILURE), ("Deploy production", c.SKIP))
    answer, steps = only(story)
    assert states(steps)[3:] == ["success", "success", "failure", "not reached"]
    assert answer["reason"] == "staging failed in shop/build#4 at End to end: broke; it was green before (shop/deploy#42)"


@pytest.mark.parametrize(("kind", "word"), [("Rejection", "no"), ("UserInterruption", "not known")])
def test_an_approval_that_was_not_given_stops_the_next_deploy(kind: str, word: str) -> None:
    story = Story()
    run = story.build(4, 0, *GREEN[:3], ("Approve", c.CANCELLATION), ("Deploy production", c.SKIP))
    run.attributes |= {"jenkins.interruptions": [kind], "jenkins.interruption.descriptions": ["Rejected by eve"]}
    answer, steps = only(story)
    assert states(steps)[3:] == ["success", "success", "success", "cancellation"]
    assert (answer["answer"], answer["reason"]) == (word, "production was stopped (shop/build#4): Rejected by eve")
    assert steps["production"]["passed_by"] == 0


def test_deploys_that_are_tried_again_within_a_stage() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 40, branch="main")
    stage = story.stage("Deploy staging", 10, 30, run)
    story.deploy(41, 11, 15, "staging", parent=stage, state=c.FAILURE, message="broke")
    story.deploy(42, 16, 20, "staging", parent=stage)
    _, steps = only(story)
    assert (steps["staging"]["state"], steps["staging"]["failed_before"]) == ("success", 1)


def test_a_job_that_looks_at_an_environment_does_not_deploy_to_it() -> None:
    story = Story()
    story.run("shop/e2e-tests", 4, 0, 40, ENVIRONMENT="staging", state=c.FAILURE, message="broke")
    _, steps = only(story)
    assert steps["staging"]["state"] == "not known"


def test_a_build_in_a_trace_of_its_own_belongs_to_the_one_that_started_it() -> None:
    story, own = Story(), Story("own", commit="")
    run = story.run("shop/build", 4, 0, 40, branch="main")
    stage = story.stage("Deploy staging", 10, 30, run)
    deploy = own.deploy(41, 11, 15, "staging")
    link = Link(story.trace, deploy.span_id, {"jenkins.link": "started"})
    story.stage("Building shop » deploy", 10, 30, stage, kind=c.TYPE_STEP, links=[link])
    _, steps = only(story, own)
    assert steps["staging"]["last"]["run"] == "shop/deploy#41"


def test_waits_are_told_apart_and_are_no_running_time() -> None:
    story = Story()
    run = story.deploy(1, 100, 200, "production")
    story.stage("Schedule", 90, 100, run, kind=c.TYPE_QUEUE)
    story.stage("Allocate agent prod", 100, 120, run, kind=c.TYPE_AGENT, attributes={"jenkins.agent.label": "prod"})
    story.stage("Allocate agent db", 110, 130, run, kind=c.TYPE_AGENT)
    story.stage("Wait for input", 140, 170, run, kind=c.TYPE_INPUT, attributes={"jenkins.input.answered_by": "eve"})
    _, steps = only(story)
    last = steps["production"]["last"]
    assert [(w["for"], w["what"], w["ms"], w["who"]) for w in last["waited"]] == [
        ("machine", "queue", 10_000, None),
        ("machine", "agent", 20_000, "prod"),
        ("machine", "agent", 20_000, None),
        ("person", "input", 30_000, "eve"),
    ]
    assert last["ran_ms"] == 40_000, "the queue was before it; both agents were waited for at once for ten seconds"


def test_an_approval_between_two_deploys_is_a_wait_of_the_second() -> None:
    story = Story()
    run = story.run("shop/build", 4, 0, 100, branch="main")
    before = story.stage("Approve the rest", 2, 9, run)
    story.stage("Wait for input", 3, 8, before, kind=c.TYPE_INPUT, attributes={"jenkins.input.answered_by": "adam"})
    first, asking = story.stage("Deploy staging", 10, 20, run), story.stage("Approve", 20, 60, run)
    story.deploy(41, 11, 19, "staging", parent=first)
    story.stage("Wait for input", 21, 59, asking, kind=c.TYPE_INPUT, attributes={"jenkins.input.answered_by": "eve"})
    story.deploy(42, 61, 70, "production", parent=story.stage("Deploy production", 60, 71, run))
    _, steps = only(story)
    asked = {name: [wait["who"] for wait in steps[name]["last"]["waited"]] for name in ("staging", "production")}
    assert asked == {"staging": ["adam"], "production": ["eve"]}
    assert (steps["merge"]["last"]["waited"], steps["merge"]["last"]["ran_ms"]) == ([], 5_000)


def test_unusual_environments_are_steps_in_order_of_time() -> None:
    story = Story()
    for number, place in enumerate(("dev", "canary", "uat", "prod-eu", "prod-us")):
        story.deploy(number, 10 * number, 10 * number + 5, place)
    answer, steps = only(story)
    assert list(steps)[4:] == ["development", "canary", "uat", "prod-eu", "prod-us"]
    assert answer["reason"] == "prod-us is deployed (shop/deploy#4)"


@pytest.mark.parametrize(
    ("said", "name", "place"),
    [
        ("prod", "production", "production"),
        ("LIVE", "production", "production"),
        ("int", "integration", "integration"),
        ("dev", "development", "integration"),
        ("stage", "staging", "staging"),
        ("pre-prod", "preprod", "staging"),
        ("qa", "qa", "staging"),
        ("prod-eu", "prod-eu", "production"),
        ("non-prod", "nonprod", ""),
        ("canary", "canary", ""),
        ("prod-staging", "prod-staging", ""),
    ],
)
def test_environments_have_one_name(said: str, name: str, place: str) -> None:
    assert (environments.environment(said), environments.place(environments.environment(said))) == (name, place)


@pytest.mark.parametrize(
    ("stage", "deploys", "place"),
    [
        ("Deploy staging", False, "staging"),
        ("deploy-to-prod", False, "production"),
        ("Production", False, "production"),
        ("Integration", False, ""),
        ("Integration", True, "integration"),
        ("Integration tests", True, ""),
        ("Smoke test staging", True, ""),
        ("Test", False, ""),
        ("Deploy", True, ""),
        ("Promote staging to production", False, ""),
    ],
)
def test_stages_that_deploy_are_known_by_their_names(stage: str, deploys: bool, place: str) -> None:
    assert environments.of_stage(stage, deploys) == place


@pytest.mark.parametrize(
    ("job", "service"),
    [
        ("shop/deploy", "shop"),
        ("shop/build", "shop"),
        ("app-deploy", "app"),
        ("deploy-shop-staging", "shop"),
        ("deploy-shop-prod", "shop"),
        ("team/web_shop/release", "team/web_shop"),
        ("Déploy Ünïcode", "Déploy Ünïcode"),
        ("deploy", ""),
    ],
)
def test_services_are_named_after_their_jobs(job: str, service: str) -> None:
    assert environments.service(job) == service


def printed(found: dict[str, Any], **console: Any) -> list[str]:
    out = io.StringIO()
    terminal.render(found, Console(file=out, highlight=False, color_system=None, **console))
    return out.getvalue().splitlines()


def shared_build() -> Story:
    story = Story()
    run = story.run("mono/build", 7, 0, 60, branch="main")
    for number, service in enumerate(("orders", "shop")):
        story.deploy(number, 10, 20, "staging", f"mono/{service}-deploy", parent=run)
    return story


def test_what_services_have_in_common_is_printed_once() -> None:
    lines = printed(told(shared_build()))
    assert [line[:15].rstrip() for line in lines if line.startswith(("merge", "mono/"))] == [
        "merge",
        "mono/orders int",
        "mono/orders sta",
        "mono/orders pro",
        "mono/shop integ",
        "mono/shop stagi",
        "mono/shop produ",
    ]
    assert sum(line.startswith("Can I deploy (mono/") for line in lines) == 2


def test_on_a_narrow_terminal_only_the_remarks_are_wrapped_and_in_a_pipe_nothing_is() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", "a/job/with/a/name/that/is/rather/long/deploy", state=c.FAILURE, message="broke " * 20)
    narrow = printed(told(story), width=70, force_terminal=True)
    row = next(i for i, line in enumerate(narrow) if line.startswith("staging"))
    assert "✗ failed" in narrow[row]
    assert "ran 5.0 s" in narrow[row]
    assert max(map(len, narrow[row:])) <= 70
    (line,) = [line for line in printed(told(story), width=70) if line.startswith("staging")]
    assert line.endswith("a/job/with/a/name/that/is/rather/long/deploy#1")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_spans_say_there_is_an_answer(seed: int) -> None:
    chance = random.Random(seed)
    story = shared_build()
    story.build(4, 100, *GREEN[:3], ("Approve", c.CANCELLATION), ("Deploy production", c.SKIP))
    story.playbook(5, 0, "prod", chance.choice(story.spans))
    names = sorted({name for span in story.spans for name in span.attributes})
    for span in story.spans:
        if chance.random() < 0.3:
            span.attributes[chance.choice(names)] = chance.choice(
                ("", "a/b#1", "production", c.SKIP, 7, True, 1.5, ["x"], [])
            )
        if chance.random() < 0.2:
            span.parent_id = chance.choice(story.spans).span_id
        if chance.random() < 0.1:
            span.end_ns = 0
    found = told(story)
    assert json.loads(json.dumps(found)) == found
    assert found["answer"]["answer"] in ("yes", "no", "not known")
    assert len(printed(found)) > 8


def test_what_a_span_says_cannot_write_on_the_terminal() -> None:
    story = Story()
    story.deploy(1, 0, 5, "staging", state=c.FAILURE, message="\x1b[2Jgone")
    assert "\x1b" not in "".join(printed(told(story)))

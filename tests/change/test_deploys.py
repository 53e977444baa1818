"""What counts as a check, a merge and a deploy, of which service, and what is waited for."""

from __future__ import annotations

import pytest
from support.pathways import COMMIT, GREEN, OTHER, STATUS, Story, only, states, told

from pipeline_trace.change.entries import deploys_of
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Link


def test_a_deploy_that_starts_another_one_is_one_deploy() -> None:
    story = Story()
    outer = story.deploy(1, 0, 20, "staging")
    story.deploy(7, 1, 19, "staging", "tools/rollout", parent=outer)
    (service,) = told(story)["services"]
    assert (service["service"], service["steps"][-2]["attempts"]) == ("shop", 1)


def test_checks_are_builds_of_a_change_or_a_branch() -> None:
    change, branch = Story(), Story()
    change.run("shop/app/PR-17", 1, 0, 9, branch="main", change="17", state=c.FAILURE, message="3 tests failed")
    branch.run("shop/app/feature%2Fx", 1, 0, 9, branch="feature/x")
    answer, steps = only(change)
    assert steps["merge"]["state"] == "not known"
    assert answer["reason"] == "PR checks failed in shop/app/PR-17#1: 3 tests failed"
    answer, steps = only(branch)
    assert (steps["PR checks"]["state"], answer["answer"]) == ("success", "not known")
    assert "the store has no build of this commit on main" in answer["reason"]


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


def test_a_dry_run_is_no_deploy_of_its_build_or_stage() -> None:
    for made, steps in (({}, ["staging", "production"]), ({c.ANSIBLE_CHECK_MODE: True}, [])):
        story = Story()
        books = [story.playbook(1, 5, "staging", story.deploy(1, 0, 9, "staging"))]
        run = story.run("shop/build", 4, 20, 40, branch="main")
        books.append(story.playbook(25, 29, "production", story.stage("Deploy production", 24, 30, run)))
        for book in books:
            book.attributes |= made
        assert [one.environments[0] for one in deploys_of(story.spans)] == steps


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
    assert (answer["answer"], answer["reason"]) == (word, "production was cancelled (shop/build#4): Rejected by eve")
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

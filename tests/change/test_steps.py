"""The steps of a commit's path, their states, and the answer. Does no I/O."""

from __future__ import annotations

import pytest
from support.pathways import COMMIT, GREEN, OTHER, Story, only, states

from pipeline_trace.change import environments
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.words import environment_name, usual_environment


def test_of_a_commit_that_nobody_saw_nothing_is_known() -> None:
    answer, steps = only(Story())
    assert list(steps) == ["Local", "PR checks", "review", "merge", "integration", "staging", "production"]
    assert set(states(steps)) == {"not known"}
    assert (answer["answer"], answer["reason"]) == ("not known", "the store has no build and no deploy of this commit")


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
    assert answer["reason"].endswith("next is staging, which has had no deploy of shop yet")


def test_without_any_environment_it_is_not_known() -> None:
    story = Story()
    story.build(4, 0, *GREEN[:1])
    answer, _ = only(story)
    assert answer["answer"] == "not known"
    assert "the store has no deploy of shop" in answer["reason"]


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
    assert "staging failed 2 times with the same error, last in shop/deploy#22" in answer["reason"]
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
    assert (answer["answer"], answer["reason"]) == ("not known", "staging was cancelled (shop/deploy#1): Aborted by admin")


def test_what_runs_is_not_known_yet() -> None:
    story = Story()
    story.playbook(0, 0, "prod", service="shop", commit=COMMIT)
    answer, steps = only(story)
    assert steps["production"]["state"] == "running"
    assert steps["production"]["last"]["ran_ms"] is None
    assert answer["reason"] == "production is running now (playbook site.yml)"


def test_a_deploy_of_another_commit_since_is_said() -> None:
    story, later = Story(), Story("later", OTHER)
    story.build(4, 0, *GREEN)
    later.build(5, 100, *GREEN[:3], ("Deploy production", c.FAILURE))
    answer, steps = only(story, later)
    assert steps["staging"]["replaced_by"]["commit"] == OTHER
    assert steps["production"]["replaced_by"] is None, "a failed deploy replaces nothing for sure"
    later.build(6, 200, *GREEN)
    answer, steps = only(story, later)
    assert answer["reason"] == "production had this commit (shop/deploy#43); then bbbbbbb replaced it (shop/deploy#63)"


def test_a_build_that_fails_before_its_deploys_blocks_them() -> None:
    story = Story()
    story.build(4, 0, ("Unit test", c.FAILURE), ("Deploy integration", c.SKIP))
    answer, steps = only(story)
    assert states(steps)[3:5] == ["failure", "not reached"]
    assert answer["reason"] == "merge failed in shop/build#4 at Unit test: broke"


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
    assert (environment_name(said), usual_environment(environment_name(said))) == (
        name,
        place,
    )


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
    assert environments.environment_of_stage(stage, deploys) == place


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
    assert environments.service_of_job(job) == service

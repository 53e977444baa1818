"""Histories that seem to show an owner but do not: the log's verdict stays, or becomes unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.past_builds import LINE, TEXT, judge, run

from pipeline_trace.ownership import DEV, OPS, UNKNOWN, Verdict
from pipeline_trace.ownership.past import SUCCESS, PastBuild

NOTHING = Verdict(UNKNOWN, "unknown", 0.3)
TEST = Verdict(DEV, "test_failure", 0.9)
UNHEALTHY = Verdict(UNKNOWN, "app_unhealthy", 0.5)
ANSWERS_500 = "curl: (22) The requested URL returned error: 500"
ANSWERS_503 = "curl: (22) The requested URL returned error: 503"


def three(line: str, **differing: object) -> list[PastBuild]:
    """Return failures of three projects that do not depend on each other."""
    runs = [run(0, "cart/main", "a", "x"), run(5, "user/main", "b", "y"), run(9, "shop/main", "c", "z")]
    return [replace(one, signature=line, **differing) for one in runs]


# Several projects.


@pytest.mark.parametrize("status", [(3, 4, 5, 6), (1, 1, 1, 1)])
def test_exit_statuses_of_unrelated_jobs_are_no_likeness(status: tuple[int, ...]) -> None:
    runs = [
        replace(run(n, f"job{n}", str(n), "built-in", line=f"exit status {code}"), exit_status=code)
        for n, code in enumerate(status)
    ]
    green = run(2, "job9", "f", "built-in", SUCCESS)
    assert judge(green, run(3, "job8", "e", "linux-1", SUCCESS), *runs, said=NOTHING) is NOTHING


@pytest.mark.parametrize("differing", [{"exit_status": 7}, {"program": "npm"}, {"kind": "dns"}])
def test_another_program_exit_status_or_kind_is_another_failure(differing: dict[str, object]) -> None:
    known = {"exit_status": 6, "program": "curl", "kind": "service_unavailable"}
    *others, failing = three(LINE, **known)
    assert judge(*others, failing).owner == OPS
    assert judge(*(replace(one, **differing) for one in others), failing) is TEXT


def test_what_is_not_known_of_a_failure_makes_no_difference() -> None:
    *others, failing = three(LINE)
    assert judge(*others, replace(failing, exit_status=6, program="curl", kind="service_unavailable")).owner == OPS


def test_two_projects_need_a_host_that_both_name() -> None:
    pair = [run(0, "cart/main", "a", "x"), run(9, "shop/main", "c", "z")]
    assert (judge(*pair).owner, judge(*pair).confidence) == (OPS, 0.75)
    assert judge(*(replace(one, signature="Error: connection refused") for one in pair)) is TEXT
    assert judge(pair[0], run(5, "cart/main", "d", "x", SUCCESS), pair[1]) is TEXT


def test_localhost_is_another_host_on_each_agent() -> None:
    assert judge(*three("Error: connect ECONNREFUSED 127.0.0.1:5432")) is TEXT
    assert judge(*three("Error: connect ECONNREFUSED 127.0.0.1:5432", agent="x")).owner == OPS
    green = run(6, "blog/main", "d", "x", SUCCESS)
    assert judge(green, *three("Error: connect ECONNREFUSED 127.0.0.1:5432", agent="x")) is TEXT


@pytest.mark.parametrize("kind", ["test_failure", "compile_error", "lint", "exception"])
@pytest.mark.parametrize(
    "line", ["AssertionError: expected true to be false", "missing semicolon, see https://docs.example/rules"]
)
def test_errors_in_code_of_one_shape_are_no_shared_service(kind: str, line: str) -> None:
    said = Verdict(DEV, kind, 0.85)
    assert judge(*three(line), said=said) is said


def test_what_the_log_calls_devs_is_overruled_only_by_a_host_that_all_name() -> None:
    said = Verdict(DEV, "config_error", 0.95)
    assert judge(*three("the value of pool size is too small"), said=said) is said
    assert judge(*three(LINE), said=said).owner == OPS
    assert judge(run(0, "cart/main", "a", "x"), run(9, "shop/main", "c", "z"), said=said) is said


def test_what_nobody_may_have_published_yet_is_not_missing_for_ops() -> None:
    said, line = Verdict(UNKNOWN, "dependency_resolution", 0.5), "Could not find acme-commons in nexus.example"
    assert judge(*three(line), said=said) is said
    assert judge(run(-60, "cart/main", "a", "x", SUCCESS), *three(line), said=said).owner == OPS


def test_a_bot_that_changes_several_repositories_is_one_change() -> None:
    assert judge(*three(LINE, branch="renovate/left-pad-2.x")) is TEXT


@pytest.mark.parametrize("shared", [{"commit": "c"}, {"repository": "https://git.example/shop.git"}])
def test_jobs_of_one_repository_or_commit_are_one_project(shared: dict[str, object]) -> None:
    assert judge(*three(LINE, **shared)) is TEXT


def test_an_agreement_of_two_projects_does_not_make_surer_without_a_host() -> None:
    said = Verdict(OPS, "disk_full", 0.7, [], "Ops frees space.")
    verdict = judge(*three("no space left on device")[1:], said=said)
    assert (verdict.confidence, verdict.next, len(verdict.evidence)) == (0.7, "Ops frees space.", 1)


@pytest.mark.parametrize("kind", ["aborted", "timeout", "superseded"])
def test_what_somebody_or_a_limit_ended_has_no_common_cause(kind: str) -> None:
    said = Verdict(UNKNOWN, kind, 0.5)
    assert judge(*three("Aborted by ada lovelace"), said=said) is said


# The deployed application.


def test_an_application_that_answers_500_is_no_network() -> None:
    assert judge(*three(ANSWERS_500, agent="built-in"), said=UNHEALTHY) is UNHEALTHY
    assert judge(*three(ANSWERS_503)[1:], said=UNHEALTHY) is UNHEALTHY
    assert (judge(*three(ANSWERS_503), said=UNHEALTHY).owner, judge(*three(ANSWERS_503), said=UNHEALTHY).kind) == (
        OPS,
        "network",
    )


def test_what_fails_after_the_deploy_of_one_of_the_changes_may_be_that_changes_fault() -> None:
    deploy = replace(run(-5, "cart/deploy to staging", "a", "x", SUCCESS), environment="staging")
    assert judge(deploy, *three(ANSWERS_503), said=UNHEALTHY) is UNHEALTHY


# Flaky.


def test_builds_whose_commit_nobody_knows_are_not_the_same_build() -> None:
    assert judge(run(5, "shop", "", "x", SUCCESS), run(0, "shop", "", "x")) is TEXT


def test_an_outage_that_is_over_is_no_flaky_step() -> None:
    said = Verdict(OPS, "host_unreachable", 0.85)
    assert judge(run(5, "shop/main", "a", "x", SUCCESS), run(0, "shop/main", "a", "x"), said=said) is said


def test_a_flaky_test_of_another_project_tells_nothing() -> None:
    runs = [run(0, "cart/main", "a", "x"), run(5, "cart/main", "a", "x", SUCCESS), run(9, "shop/main", "c", "z")]
    assert judge(*runs, said=TEST) is TEST


def test_a_compile_error_that_another_commit_brings_back_is_not_flaky() -> None:
    said = Verdict(DEV, "compile_error", 0.85)
    runs = [run(0, "shop/main", "a", "x"), run(5, "shop/main", "b", "y", SUCCESS), run(9, "shop/main", "c", "z")]
    assert judge(*runs, said=said).owner == DEV


def test_a_test_that_fails_on_one_agent_and_passes_on_another_is_not_yet_devs() -> None:
    runs = [run(0, "shop/main", "a", "x"), run(5, "shop/main", "a", "y", SUCCESS), run(9, "shop/main", "a", "x")]
    verdict = judge(*runs, said=TEST)
    assert (verdict.owner, verdict.kind) == (UNKNOWN, "flaky_step")


# One agent.


def alternating(*agents: str) -> list[PastBuild]:
    """Return commits that fail on the agents, and pass on the agent "well" each time."""
    return [
        build
        for n, agent in enumerate(agents)
        for build in (run(10 * n + 5, "shop/main", f"{n}", "well", SUCCESS), run(10 * n, "shop/main", f"{n}", agent))
    ]


def test_an_agent_on_which_anything_passed_in_between_is_not_blamed() -> None:
    runs = alternating("x", "x", "x")
    assert "x" in judge(*runs, said=TEST).next
    green = replace(run(12, "lint/main", "d", "other", SUCCESS), agents=("other", "x"))
    assert (judge(green, *runs, said=TEST).owner, judge(green, *runs, said=TEST).kind) == (UNKNOWN, "flaky_step")


def test_agents_with_a_new_name_for_each_build_are_not_blamed() -> None:
    assert judge(*alternating("pod-1", "pod-2", "pod-3"), said=TEST).kind == "flaky_test"


def test_one_broken_commit_that_always_ran_on_one_agent_does_not_blame_it() -> None:
    runs = [run(0, "shop", "b", "x"), run(5, "shop", "a", "y", SUCCESS), run(9, "shop", "b", "x")]
    assert judge(*runs) is TEXT


def test_a_lost_agent_beside_a_flaky_test_is_judged_alone() -> None:
    said = Verdict(OPS, "agent_lost", 0.95)
    lost = run(9, "shop/main", "2", "x", line="Jenkins lost the agent: RemovedNodeCause")
    assert judge(*alternating("x", "x"), lost, said=said) is said


# One change.


def test_one_failure_of_a_change_may_be_chance() -> None:
    runs = (run(-5, "shop/main", "a", "x", SUCCESS), run(5, "shop/main", "d", "x", SUCCESS), run(0, "shop/new", "b", "x"))
    assert judge(*runs) is TEXT


def test_a_service_that_came_back_after_a_changes_failures_does_not_blame_the_change() -> None:
    runs = (run(0, "shop/new", "b", "x", branch="new"), run(20, "shop/main", "a", "x", SUCCESS))
    assert judge(*runs, run(9, "shop/new", "b", "y", branch="new")) is TEXT


def test_other_work_of_the_project_that_passes_does_not_blame_the_change() -> None:
    """The build needs no right to push, and integration is not staging."""
    greens = [run(4, "shop/build", "a", "x", SUCCESS), run(5, "shop/deploy to integration", "a", "x", SUCCESS)]
    job = "shop/deploy to staging"
    assert judge(*greens, run(0, job, "b", "x"), run(9, job, "b", "y")) is TEXT


def test_a_change_whose_every_build_ran_where_nothing_else_ran_is_not_blamed() -> None:
    runs = (run(0, "shop/new", "b", "x", branch="new"), run(5, "shop/main", "a", "y", SUCCESS))
    assert judge(*runs, run(9, "shop/new", "b", "x", branch="new")) is TEXT


@pytest.mark.parametrize("kind", ["agent_lost", "host_unreachable", "tls_expired"])
def test_no_change_takes_an_agent_or_a_host_away(kind: str) -> None:
    said = Verdict(OPS, kind, 0.8)
    runs = (run(0, "shop/new", "b", "x", branch="new"), run(5, "shop/main", "a", "x", SUCCESS))
    assert judge(*runs, run(9, "shop/new", "b", "y", branch="new"), said=said) is said


def test_a_commit_that_fails_on_main_and_in_its_pull_request_is_one_change() -> None:
    runs = (run(0, "shop/PR-7", "b", "x", branch="PR-7"), run(5, "shop/PR-8", "a", "x", SUCCESS, branch="PR-8"))
    verdict = judge(*runs, run(9, "shop/main", "b", "y"))
    assert (verdict.owner, verdict.evidence[0]) == (DEV, "only main (b) fails, 2 times on x, y")


def test_jobs_of_a_monorepo_that_build_one_commit_are_one_change() -> None:
    runs = (run(0, "api", "b", "x"), run(4, "api", "a", "x", SUCCESS), run(9, "web", "b", "y"))
    assert judge(*runs).owner == DEV


def test_a_line_that_tells_nothing_still_makes_runs_of_one_commit_alike() -> None:
    runs = (run(0, "shop/new", "b", "x", branch="new", line="Killed"), run(5, "shop/main", "a", "x", SUCCESS))
    assert judge(*runs, run(9, "shop/new", "b", "y", branch="new", line="Killed")).owner == DEV
    assert judge(*runs, run(9, "shop/new", "c", "y", branch="new", line="Killed")) is TEXT


# An unchanged commit.


def test_an_unchanged_commit_that_fails_a_test_is_nobodys_yet() -> None:
    """The test may depend on the date, a dependency may have no fixed version, the base image may be another one."""
    runs = (run(-600, "shop/main", "a", "x", SUCCESS), run(0, "shop/main", "a", "x"), run(9, "shop/main", "a", "y"))
    verdict = judge(*runs, said=TEST)
    assert (verdict.owner, verdict.kind) == (UNKNOWN, "test_failure")
    assert "passed at 2026-01-05 02:00:00Z and has failed since 2026-01-05 12:00:00Z" in verdict.evidence[0]


def test_an_unchanged_commit_that_fails_once_may_have_other_parameters() -> None:
    assert judge(run(-600, "shop", "a", "x", SUCCESS), run(0, "shop", "a", "x")) is TEXT
    twice = (run(-600, "shop", "a", "x", SUCCESS), run(0, "shop", "a", "x", line="exit status 3"))
    assert judge(*twice, run(9, "shop", "a", "y", line="exit status 3"), said=NOTHING) is NOTHING


def test_a_rollback_that_fails_after_another_commit_ran_is_not_unchanged() -> None:
    runs = (run(-600, "shop", "a", "x", SUCCESS), run(-300, "shop", "b", "x", SUCCESS), run(0, "shop", "a", "x"))
    assert judge(*runs, run(9, "shop", "a", "y")) is TEXT

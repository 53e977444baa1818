"""The judge of history: what it shows."""

from __future__ import annotations

from support.past_builds import TEXT, judge, run

from pipeline_trace.ownership import DEV, OPS, UNKNOWN, Verdict, history
from pipeline_trace.ownership.past import SUCCESS


def test_several_projects_fail_alike() -> None:
    verdict = judge(run(0, "cart/main", "a", "x"), run(5, "user/main", "b", "y"), run(9, "shop/main", "c", "z"))
    assert (verdict.owner, verdict.kind) == (OPS, "service_unavailable")
    assert "3 projects have had the same error" in verdict.evidence[0]
    assert "history decides; the log alone says unknown (service_unavailable)" in verdict.evidence


def test_several_projects_on_one_agent_name_it_only_where_the_same_passes_elsewhere() -> None:
    runs = [run(0, "cart/main", "a", "built-in"), run(5, "user/main", "b", "built-in"), run(9, "shop/main", "c", "built-in")]
    verdict = judge(*runs)
    assert (verdict.owner, verdict.next) == (OPS, "Ops looks at db.corp.internal:5432; no single change is the cause.")
    assert "built-in" in judge(run(7, "cart/main", "a", "y", SUCCESS), *runs).next


def test_branches_of_one_repository_are_no_several_projects() -> None:
    assert judge(run(0, "shop/one", "a", "x"), run(5, "shop/two", "b", "y"), run(9, "shop/three", "c", "z")) is TEXT


def test_failures_of_another_day_are_others() -> None:
    assert judge(run(-3000, "cart/main", "a", "x"), run(-2900, "user/main", "b", "y"), run(9, "shop/main", "c", "z")) is TEXT


def test_another_failure_is_no_same_failure() -> None:
    other = "Error: listen EADDRINUSE"
    assert (
        judge(
            run(0, "cart/main", "a", "x", line=other),
            run(5, "user/main", "b", "y", line=other),
            run(9, "shop/main", "c", "z"),
        )
        is TEXT
    )


def test_rerun_that_passes() -> None:
    runs = (run(-90, "shop/main", "a", "x"), run(-80, "shop/main", "a", "x", SUCCESS), run(0, "shop/main", "b", "y"))
    assert (judge(*runs).owner, judge(*runs).kind) == (UNKNOWN, "flaky_step")
    tests = judge(*runs, said=Verdict(DEV, "test_failure", 0.9))
    assert (tests.owner, tests.kind) == (DEV, "flaky_test")


def test_rerun_that_passes_after_this_failure() -> None:
    later = run(10, "shop/main", "b", "z", SUCCESS)
    verdict = history.verdict_with_history([later], run(0, "shop/main", "b", "y"), Verdict(DEV, "test_failure", 0.9))
    assert verdict.kind == "flaky_test"


def test_one_agent_alone() -> None:
    runs = (
        run(0, "shop/main", "a", "x"),
        run(5, "shop/main", "a", "y", SUCCESS),
        run(8, "shop/main", "b", "x"),
        run(9, "shop/main", "b", "y", SUCCESS),
        run(12, "shop/main", "c", "x"),
    )
    verdict = judge(*runs)
    assert verdict.owner == OPS
    assert "x" in verdict.next
    assert judge(*runs, said=Verdict(DEV, "test_failure", 0.9)).kind == "agent_broken"


def test_one_agent_that_passes_again_is_none_that_is_broken() -> None:
    runs = (run(0, "shop/main", "a", "x"), run(2, "shop/main", "a", "x", SUCCESS), run(5, "shop/main", "a", "y", SUCCESS))
    assert judge(*runs, run(12, "shop/main", "c", "x")).owner == UNKNOWN


def test_one_change_fails_everywhere_and_others_pass() -> None:
    verdict = judge(
        run(0, "shop/new", "b", "x", branch="new"),
        run(5, "shop/main", "a", "x", SUCCESS),
        run(9, "shop/new", "b", "y", branch="new"),
    )
    assert (verdict.owner, verdict.kind) == (DEV, "service_unavailable")
    assert "only new (b) fails, 2 times on x, y" in verdict.evidence[0]


def test_history_beats_a_sure_text_and_says_so() -> None:
    sure = Verdict(OPS, "dns", 0.95, ["no such host"])
    runs = (
        run(0, "shop/new", "b", "x", branch="new"),
        run(5, "shop/main", "a", "x", SUCCESS),
        run(9, "shop/new", "b", "y", branch="new"),
    )
    verdict = judge(*runs, said=sure)
    assert verdict.owner == DEV
    assert "history decides; the log alone says ops (dns)" in verdict.evidence


def test_history_that_agrees_makes_surer() -> None:
    sure = Verdict(OPS, "dns", 0.6, ["no such host"])
    verdict = judge(run(0, "cart/main", "a", "x"), run(5, "user/main", "b", "y"), run(9, "shop/main", "c", "z"), said=sure)
    assert verdict.confidence == 0.9
    assert not any("history decides" in line for line in verdict.evidence)


def test_unchanged_commit_that_passed_before() -> None:
    verdict = judge(run(-600, "shop/main", "a", "x", SUCCESS), run(0, "shop/main", "a", "x"), run(9, "shop/main", "a", "y"))
    assert verdict.owner == OPS


def test_a_sure_text_stands_where_only_other_projects_pass() -> None:
    sure = Verdict(OPS, "auth_platform", 0.9, ["401"])
    runs = (run(0, "shop/release", "b", "x"), run(5, "cart/release", "a", "x", SUCCESS), run(9, "shop/release", "b", "y"))
    assert judge(*runs, said=sure) is sure


def test_every_commit_of_one_project_fails_for_a_reason_that_stays_open() -> None:
    """What only this project uses may be broken as well."""
    verdict = judge(
        run(0, "shop/one", "a", "x", branch="one"),
        run(4, "cart/main", "c", "x", SUCCESS),
        run(5, "shop/two", "b", "y", branch="two"),
        run(9, "shop/main", "d", "z"),
    )
    assert (verdict.owner, verdict.confidence) == (UNKNOWN, TEXT.confidence)
    assert verdict.evidence[:2] == ["only shop fails, 3 times since 2026-01-05 12:00:00Z", "green since: cart"]


def test_no_history_leaves_the_text() -> None:
    assert judge(run(0, "shop/main", "a", "x")) is TEXT
    assert judge(run(-9, "shop/main", "o", "x", SUCCESS), run(0, "shop/main", "a", "x")) is TEXT

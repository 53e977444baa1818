"""The figures of a service's delivery: each by DORA's rule, each with what it was counted from, none that is made up."""

from __future__ import annotations

import pytest

from pipeline_trace.change.entries import Entry
from pipeline_trace.figures.delivery import Delivery, Known, deliveries
from pipeline_trace.lookup.source import Window
from pipeline_trace.trace import conventions as c

HOUR = 3600 * 10**9
DAY = 24 * HOUR
NOW = 20_000 * DAY
PERIOD = Window(NOW - 10 * DAY, NOW)
BEFORE = Window(NOW - 20 * DAY, PERIOD.from_ns - 1)


def deploy(hour: float, state: str = c.SUCCESS, commit: str = "", version: str = "", took: float = 1) -> Entry:
    """Return a deploy that began so many hours after the period. It takes an hour."""
    start = PERIOD.from_ns + round(hour * HOUR)
    end = 0 if state == "running" else start + round(took * HOUR)
    name = f"{start:016x}"
    return Entry(name * 2, name, state, start, end, "shop", ("production",), version, commit * 40)


def build(hour: float, commit: str) -> Entry:
    start = PERIOD.from_ns + round(hour * HOUR)
    return Entry("b" * 32, f"{start:016x}", c.SUCCESS, start, start + HOUR, commit=commit * 40)


def told(*deploys: Entry, built: tuple[Entry, ...] = (), deployed_ns: dict[str, int] | None = None) -> Delivery:
    known = Known({one.commit[:7]: one for one in built}, deployed_ns or {})
    return deliveries(deploys, [PERIOD], 10, known)[0]


def test_without_deploys_nothing_is_known_but_that_there_were_none() -> None:
    found = told()
    assert (found.per_day, found.lead_ns, found.failure_rate, found.restore_ns) == (0, None, None, None)


def test_each_figure_has_what_it_was_counted_from() -> None:
    green, broken, fixed = deploy(0, commit="a"), deploy(2, c.FAILURE, "b"), deploy(5, commit="c")
    found = told(green, broken, fixed, built=(build(-3, "a"), build(3, "c")))
    assert (found.succeeded, found.ended) == ([green, fixed], [green, broken, fixed])
    assert found.per_day == 0.2
    assert found.failure_rate == pytest.approx(1 / 3)
    (failure,) = found.failures
    assert (failure.deploy, failure.restored_by, failure.took_ns, failure.rolled_back) == (broken, fixed, 3 * HOUR, False)
    assert found.restore_ns == 3 * HOUR
    assert [(lead.deploy, lead.took_ns) for lead in found.leads] == [(green, 4 * HOUR), (fixed, 3 * HOUR)]
    assert found.lead_ns == 3.5 * HOUR


def test_only_failures_are_a_rate_of_one_and_are_not_restored() -> None:
    found = told(deploy(0, c.FAILURE), deploy(2, c.TIMEOUT), deploy(4, c.ERROR))
    assert (found.per_day, found.failure_rate, found.restore_ns, found.lead_ns) == (0, 1, None, None)
    assert [one.deploy for one in found.open_failures] == [found.ended[0]]


def test_failures_in_a_row_are_restored_once_since_the_first() -> None:
    found = told(deploy(0, c.FAILURE), deploy(2, c.FAILURE), deploy(4), deploy(6, c.FAILURE), deploy(7))
    assert [(one.took_ns and one.took_ns // HOUR, one.again) for one in found.failures] == [
        (4, False),
        (None, True),
        (1, False),
    ]
    assert found.failure_rate == 3 / 5
    assert found.restore_ns == 2.5 * HOUR


def test_what_runs_or_was_cancelled_is_neither_a_success_nor_a_failure() -> None:
    found = told(deploy(0), deploy(2, c.CANCELLATION), deploy(4, "running"), deploy(6, "unset"))
    assert (len(found.succeeded), len(found.ended), found.failure_rate) == (1, 1, 0)


def test_a_failure_is_not_restored_by_a_deploy_that_was_cancelled_or_runs() -> None:
    found = told(deploy(0, c.FAILURE), deploy(2, c.CANCELLATION), deploy(4, "running"))
    assert (found.restore_ns, len(found.open_failures)) == (None, 1)


@pytest.mark.parametrize("name", ["commit", "version"])
def test_a_deploy_that_an_older_one_replaced_has_failed(name: str) -> None:
    def of(hour: float, what: str, state: str = c.SUCCESS) -> Entry:
        return deploy(hour, state, **{name: what})

    found = told(of(0, "a"), of(2, "b"), of(5, "a"))
    (failure,) = found.failures
    assert (failure.deploy, failure.rolled_back, failure.restored_by) == (found.ended[1], True, found.ended[2])
    assert (found.failure_rate, found.restore_ns) == (1 / 3, 3 * HOUR)


def test_going_forward_again_after_a_rollback_is_no_rollback() -> None:
    found = told(deploy(0, commit="a"), deploy(2, commit="b"), deploy(5, commit="a"), deploy(7, commit="b"))
    assert [one.deploy for one in found.failures] == [found.ended[1]]


def test_a_rollback_over_several_versions_is_of_the_one_that_was_there() -> None:
    found = told(*(deploy(2 * at, commit=commit) for at, commit in enumerate("abcda")))
    assert [one.deploy.commit[0] for one in found.failures] == ["d"]


def test_a_redeploy_is_a_deploy_but_no_rollback_and_no_second_change() -> None:
    found = told(deploy(0, commit="a"), deploy(2, commit="a"), built=(build(-1, "a"),))
    assert (len(found.succeeded), found.failures) == (2, [])
    assert [lead.took_ns for lead in found.leads] == [2 * HOUR]


def test_without_commit_or_version_nobody_knows_of_a_rollback_or_a_change() -> None:
    found = told(deploy(0), deploy(2), deploy(4))
    assert (found.failure_rate, found.leads, found.lead_ns) == (0, [], None)


def test_a_change_whose_first_build_is_not_known_has_no_lead_time() -> None:
    found = told(deploy(0, commit="a"), deploy(2, commit="b"), built=(build(-1, "a"),))
    assert [(lead.built is None, lead.took_ns) for lead in found.leads] == [(False, 2 * HOUR), (True, None)]
    assert found.lead_ns == 2 * HOUR


def test_a_commit_that_was_there_long_ago_is_no_new_change() -> None:
    found = told(deploy(0, commit="a"), built=(build(-9000, "a"),), deployed_ns={"aaaaaaa": PERIOD.from_ns - 80 * DAY})
    assert found.leads == []


def test_a_short_commit_is_the_same_as_a_whole_one() -> None:
    short = deploy(2, commit="a")
    short = Entry(**{**short.__dict__, "commit": "a" * 7})
    found = told(deploy(0, commit="a"), short, built=(build(-1, "a"),))
    assert (len(found.leads), found.failures) == (1, [])


def test_clocks_that_differ_make_no_negative_times() -> None:
    # The build's machine is ahead. So is that of the deploy that failed: the next one began later, and ended before it.
    late = deploy(3, c.FAILURE, "b", took=6)
    found = told(deploy(0, commit="a"), late, deploy(4, commit="c"), built=(build(30, "a"),))
    assert [lead.took_ns for lead in found.leads if lead.built] == [None]
    assert [(one.restored_by, one.took_ns) for one in found.failures] == [(None, None)]


def test_a_failure_counts_in_the_period_in_which_it_began_and_may_be_restored_in_the_next() -> None:
    deploys = [deploy(-30, c.FAILURE), deploy(-10, c.FAILURE), deploy(5), deploy(9)]
    now, before = deliveries(deploys, [PERIOD, BEFORE], 10)
    assert (len(now.failures), len(before.failures)) == (0, 2)
    assert before.restore_ns == 35 * HOUR
    assert (now.failure_rate, before.failure_rate) == (0, 1)

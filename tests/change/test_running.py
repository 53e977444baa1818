"""What runs now: where it stands, and when that is longer than it ever took."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.spans import span as made

from pipeline_trace.change.entries import Entry
from pipeline_trace.change.running import (
    Lost,
    Took,
    Waits,
    running_of,
    slow_hosts,
    took,
    took_of,
    with_heard,
    with_running,
    with_usual_on_hosts,
)
from pipeline_trace.lookup.standing import Opened, standing
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import Span

MINUTE = 60 * 10**9


def opened(number: int, parent: int | None = None, start: int = 0, name: str = "") -> Span:
    return replace(made(number, parent, start, 0), name=name or f"span {number}")


def names(*spans: Span) -> list[str]:
    return [span.name for span in standing(spans)]


def test_the_innermost_open_span_tells_where_it_stands() -> None:
    spans = [opened(1, name="deploy"), opened(2, 1, 5, "Run playbook"), opened(3, 2, 6, "restart"), opened(4, 3, 7, "web1")]
    assert names(*spans[::-1]) == ["deploy", "Run playbook", "restart", "web1"]


def test_of_several_hosts_the_one_that_began_first_is_waited_for() -> None:
    hosts = [opened(number, 1, 10 - number, f"web{number}") for number in (2, 3, 4)]
    assert names(opened(1, name="restart"), *hosts) == ["restart", "web4"]


@pytest.mark.parametrize("spans", [[], [opened(1, 2), opened(2, 1)], [opened(1, 1)]])
def test_broken_parents_end_nowhere(spans: list[Span]) -> None:
    assert len(standing(spans)) == len(spans)


def deploy(number: int, minutes: int, state: str = c.SUCCESS, environment: str = "staging") -> Entry:
    start = number * 100 * MINUTE
    end = 0 if state == "running" else start + minutes * MINUTE
    return Entry(f"{number:032x}", "", state, start, end, "shop", (environment,), "1")


def test_only_successes_to_the_same_environment_tell_how_long_it_usually_takes() -> None:
    history = [deploy(number, minutes) for number, minutes in enumerate((2, 4, 3))]
    others = [deploy(7, 50, c.FAILURE), deploy(8, 60, environment="production"), deploy(9, 0, "running")]
    assert took([*history, *others], "shop", "staging") == Took(3 * MINUTE, 4 * MINUTE, 4 * MINUTE, 3)
    assert took([*history[1:], *others], "shop", "staging") is None


def test_what_runs_longer_than_it_ever_took_hangs() -> None:
    history = [deploy(number, minutes) for number, minutes in enumerate((2, 4, 3))]
    now = deploy(9, 0, "running")
    span = replace(opened(1, name="playbook site.yml"), trace_id=now.trace_id, start_ns=now.start_ns)
    (one,) = running_of([Opened(span)], [*history, now])
    assert (one.stands, one.deploys, one.start_ns) == (["playbook site.yml"], [now], now.start_ns)
    assert not one.hangs(now.start_ns + 4 * MINUTE)
    assert one.hangs(now.start_ns + 4 * MINUTE + 1)


def test_without_history_nothing_hangs() -> None:
    (one,) = running_of([Opened(opened(1))], [])
    assert (one.usual, one.hangs(10**18)) == (None, False)


def test_what_is_not_heard_of_does_not_hang_and_nobody_knows_how_it_goes_on() -> None:
    history = [deploy(number, minutes) for number, minutes in enumerate((2, 4, 3))]
    now = deploy(9, 0, "running")
    span = replace(opened(1), trace_id=now.trace_id, start_ns=now.start_ns)
    inner = replace(opened(2, 1), trace_id=now.trace_id)
    (one,) = running_of([Opened(span, 5), Opened(inner, 7)], [*history, now])
    assert (one.heard_ns, one.hangs(10**18)) == (7, False)
    # One of its senders is still there.
    (one,) = running_of([Opened(span), Opened(inner, 7)], [*history, now])
    assert (one.heard_ns, one.hangs(10**18)) == (0, True)


def waiting(number: int, kind: str, what: str = "", since: object = 0, run: str = "") -> Opened:
    job, _, own = run.partition("#")
    named = {c.PIPELINE_NAME: job, c.PIPELINE_RUN_ID: own} if run else {}
    attributes = {c.WAIT_KIND: kind, c.WAIT_FOR: what, c.WAIT_SINCE: since, **named}
    return Opened(replace(opened(number), attributes=attributes))  # type: ignore[arg-type]


def test_the_longest_wait_comes_first_and_odd_ones_are_none() -> None:
    spans = [
        waiting(1, c.WAIT_LOCK, "db", 7),
        waiting(2, c.WAIT_AGENT, "gpu", 5),
        waiting(3, "tea"),
        waiting(4, c.WAIT_AGENT, "", "soon"),
    ]
    (one,) = running_of(spans, [])
    assert one.waits == [Waits(c.WAIT_AGENT), Waits(c.WAIT_AGENT, "gpu", "", 5), Waits(c.WAIT_LOCK, "db", "", 7)]


def test_who_waits_for_a_build_that_runs_waits_for_what_that_one_waits_for() -> None:
    upstream = waiting(1, c.WAIT_BUILD, "shop/deploy#246", 3, "shop/build#61")
    deploy = waiting(2, c.WAIT_AGENT, "deploy-prod", 5, "shop/deploy#246")
    (one,) = running_of([upstream, deploy], [])
    assert one.waits == [Waits(c.WAIT_AGENT, "deploy-prod", "", 5)]
    (alone,) = running_of([upstream], [])
    assert alone.waits == [Waits(c.WAIT_BUILD, "shop/deploy#246", "", 3)]


def test_a_build_that_deploys_nothing_is_compared_with_builds_of_its_job() -> None:
    usual = took_of([4 * MINUTE, 2 * MINUTE, 3 * MINUTE])
    (one,) = running_of([waiting(1, c.WAIT_LOCK, run="shop/build#61")], [], {"shop/build": usual, "": None})
    assert (one.usual, usual) == (Took(3 * MINUTE, 4 * MINUTE, 4 * MINUTE, 3), one.usual)
    assert took_of([MINUTE, MINUTE]) is None


def on_host(ago_ns: int) -> list[Opened]:
    task = Opened(opened(1, start=0, name="Restart the service"))
    host = replace(opened(2, 1, name="web3"), start_ns=-ago_ns, attributes={c.ANSIBLE_TYPE: c.TYPE_HOST})
    return [task, Opened(host)]


@pytest.mark.parametrize(
    ("ago_ns", "usual", "hangs"),
    [
        (50 * 10**9, Took(10**9, 10**9, 10**9, 3), False),
        (61 * 10**9, Took(10**9, 10**9, 10**9, 3), True),
        (61 * 10**9, Took(10**9, 31 * 10**9, 10**12, 3), False),
        (63 * 10**9, Took(10**9, 31 * 10**9, 10**12, 3), True),
        (10**13, None, False),
    ],
)
def test_a_host_that_takes_a_minute_and_twice_as_long_as_usual_hangs(ago_ns: int, usual: Took | None, hangs: bool) -> None:
    spans = on_host(ago_ns)
    running = running_of(spans, [])
    (one,) = with_usual_on_hosts(running, {spans[1].span.span_id: usual})
    assert one.host
    assert (one.host.name, one.host.task, one.hangs(0)) == ("web3", "Restart the service", hangs)
    assert [host.name for host in slow_hosts(running, 0)] == (["web3"] if ago_ns > 60 * 10**9 else [])


def test_only_the_host_at_which_it_stands_is_asked_about() -> None:
    task, host = on_host(10**12)
    assert slow_hosts(running_of([task], []), 10**13) == []
    later = replace(opened(3, 2, name="a step on it"), start_ns=5)
    assert slow_hosts(running_of([task, host, Opened(later)], []), 10**13) == []
    (one,) = running_of([task], [])
    assert one.host is None


def test_a_deep_chain_of_open_spans_takes_no_longer_than_it_has_spans() -> None:
    spans = [opened(number, number - 1 or None, number) for number in range(1, 20_001)]
    chain = standing(reversed(spans))
    assert len(chain) == 20_000
    assert [chain[0].span_id, chain[-1].span_id] == [spans[0].span_id, spans[-1].span_id]


def test_two_builds_that_a_wait_does_not_name_are_told() -> None:
    (one,) = running_of([waiting(1, c.WAIT_BUILD)], [])
    assert one.waits == [Waits(c.WAIT_BUILD)]


def test_what_runs_is_among_other_deploys_once_whatever_its_service_is_called() -> None:
    run = replace(deploy(9, 0, "running"), span_id="9")
    known = [
        deploy(1, 3),
        # Its first try, and a playbook in it that has ended.
        replace(run, span_id="7", state=c.FAILURE, start_ns=run.start_ns - 9, end_ns=run.start_ns - 5),
        replace(run, span_id="8", state=c.SUCCESS, start_ns=run.start_ns + 5, end_ns=run.start_ns + 9),
    ]
    assert with_running(known, [run]) == [*known[:2], run]
    better = replace(run, service="the-shop", version="2")
    assert with_running([better], [replace(run, heard_ns=5)]) == [replace(better, heard_ns=5)]
    assert with_running([], [run]) == [run]


def test_a_part_that_is_not_heard_of_is_told_and_hangs_no_build_that_is_heard_of() -> None:
    run, stage = Opened(opened(1, name="RUN shop/deploy")), Opened(opened(2, 1, name="Deploy"))
    playbook = Opened(opened(3, 2, name="playbook site.yml"), 70)
    host = Opened(replace(opened(4, 3, name="web2"), attributes={c.ANSIBLE_TYPE: c.TYPE_HOST}), 60)
    (one,) = running_of([run, stage, playbook, host], [])
    assert (one.stands, one.heard_ns, one.host) == (["RUN shop/deploy", "Deploy"], 0, None)
    assert one.lost == Lost(["playbook site.yml", "web2"], 70)
    # The deploy is that playbook: what the build does afterwards tells nothing of it.
    deployed = replace(deploy(9, 0, "running"), trace_id=run.span.trace_id, span_id=playbook.span.span_id)
    own = with_heard([deployed], [run, playbook])
    (one,) = running_of([run, stage, playbook, host], [*(deploy(at, 1) for at in range(3)), *own])
    assert (one.heard_ns, one.hangs(10**18), one.lost) == (70, False, Lost(["playbook site.yml", "web2"], 70))


def test_what_is_not_heard_of_ran_as_long_as_it_was_heard_of() -> None:
    (one,) = running_of([Opened(opened(1), opened(1).start_ns + 7 * MINUTE)], [])
    assert one.ran_ns(10**18) == 7 * MINUTE
    (one,) = running_of([Opened(opened(1))], [])
    assert (one.ran_ns(one.start_ns + 5), one.ran_ns(0)) == (5, 0)


def test_each_deploy_of_a_trace_has_its_own_usual_time_and_place() -> None:
    trace = opened(1).trace_id
    spans = [
        opened(1, name="release"),
        opened(2, 1, name="playbook eu.yml"),
        opened(3, 2, name="web-eu"),
        opened(4, 1, name="playbook us.yml"),
        opened(5, 4, name="web-us"),
        opened(6, 1, name="Approve"),
    ]
    now = replace(deploy(9, 0, "running"), trace_id=trace)
    first = replace(now, span_id=spans[1].span_id, environments=("eu",), start_ns=now.start_ns - MINUTE)
    second = replace(now, span_id=spans[3].span_id, environments=("us",))
    history = [deploy(at, 2, environment="us") for at in range(3)]
    found = running_of(map(Opened, spans), [*history, first, second])
    by_stands = {tuple(one.stands): one for one in found}
    eu = by_stands["release", "playbook eu.yml", "web-eu"]
    us = by_stands["release", "playbook us.yml", "web-us"]
    assert (eu.deploys, eu.usual, eu.start_ns) == ([first], None, first.start_ns)
    assert (us.deploys, us.usual and us.usual.most_ns, us.start_ns) == ([second], 2 * MINUTE, second.start_ns)
    assert [us.hangs(second.start_ns + 2 * MINUTE + at) for at in (0, 1)] == [False, True]
    # What runs beside them.
    assert by_stands["release", "Approve"].deploys == []
    assert len(found) == 3
    # A deploy of several playbooks, whose first has ended.
    ended = replace(first, span_id="f" * 16)
    assert len(running_of(map(Opened, spans), [ended, second])) == 2

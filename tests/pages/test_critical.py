"""The critical path: what determined the end, and no more."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from support.report_samples import many, sample, seconds
from support.spans import span

from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.report.critical import critical_path, own_times
from pipeline_trace.trace.span import Span

FAR = 10**19


def segments(spans: list[Span], moment_ns: int = 0) -> list[tuple[str, int, int]]:
    """Return the path as names with milliseconds."""
    base = 1_000_000_000
    found = critical_path(build_tree(spans), moment_ns)
    return [(one.node.span.name, (one.start_ns - base) // 1_000_000, (one.end_ns - base) // 1_000_000) for one in found]


def test_of_parallel_branches_the_last_to_end_is_on_the_path() -> None:
    spans = [span(1, name="run"), span(2, 1, 0, 4_000, name="short"), span(3, 1, 0, 9_000, name="long")]
    assert segments(spans) == [("long", 0, 9_000), ("run", 9_000, 10_000)]


def test_gaps_between_children_are_the_parents_own_time() -> None:
    spans = [span(1, name="run"), span(2, 1, 1_000, 4_000, name="a"), span(3, 1, 5_000, 10_000, name="b")]
    assert segments(spans) == [("run", 0, 1_000), ("a", 1_000, 4_000), ("run", 4_000, 5_000), ("b", 5_000, 10_000)]


def test_what_ended_after_the_successor_began_did_not_hold_it_up() -> None:
    spans = [span(1, name="run"), span(2, 1, 0, 7_000, name="beside"), span(3, 1, 5_000, 10_000, name="last")]
    assert segments(spans) == [("run", 0, 5_000), ("last", 5_000, 10_000)]


def test_stamps_that_overlap_by_rounding_still_follow_each_other() -> None:
    spans = [span(1, name="run"), span(2, 1, 0, 5_004, name="first"), span(3, 1, 5_000, 10_000, name="second")]
    assert segments(spans) == [("first", 0, 5_000), ("second", 5_000, 10_000)]


def test_the_wait_before_a_build_is_on_its_path() -> None:
    spans = [span(1, name="run"), span(2, 1, -900, -1, name="Schedule", jenkins_type="queue")]
    assert segments(spans) == [("Schedule", -900, -1), ("run", -1, 10_000)]


def test_a_build_that_outlives_the_step_that_started_it_determines_the_end() -> None:
    spans = [span(1, name="run"), span(2, 1, 0, 1_000, name="step"), span(3, 2, 500, 30_000, name="other")]
    assert segments(spans) == [("step", 0, 500), ("other", 500, 30_000)]


def test_a_playbook_is_followed_within_the_step_that_ran_it() -> None:
    spans = [
        span(1, name="stage"),
        span(2, 1, 0, 2_000, name="git", jenkins_type="step"),
        span(3, 1, 2_000, 10_000, name="sh", jenkins_type="step"),
        span(4, 1, 3_000, 9_000, name="playbook", ansible_type="playbook"),
    ]
    assert segments(spans) == [("git", 0, 2_000), ("sh", 2_000, 3_000), ("playbook", 3_000, 9_000), ("sh", 9_000, 10_000)]


def test_of_two_steps_around_a_playbook_none_is_taken_for_its_own() -> None:
    spans = [
        span(1, name="stage"),
        span(2, 1, 0, 10_000, name="one", jenkins_type="step"),
        span(3, 1, 0, 9_500, name="two", jenkins_type="step"),
        span(4, 1, 3_000, 9_000, name="playbook", ansible_type="playbook"),
    ]
    assert segments(spans) == [("one", 0, 10_000)]


def test_what_is_open_reaches_to_the_moment() -> None:
    spans = [span(1, end=0, name="run"), span(2, 1, 0, 4_000, name="done"), span(3, 1, 4_000, 0, name="open")]
    assert segments(spans, moment_ns=1_000_000_000 + 60_000 * 1_000_000) == [("done", 0, 4_000), ("open", 4_000, 60_000)]


def test_between_roots_there_is_a_gap() -> None:
    assert segments([span(1, 0, 0, 2_000, name="checks"), span(2, None, 5_000, 9_000, name="build")]) == [
        ("checks", 0, 2_000),
        ("build", 5_000, 9_000),
    ]


def test_without_spans_there_is_no_path() -> None:
    assert critical_path([], FAR) == []


@pytest.mark.parametrize("seed", range(20))
def test_of_one_root_the_path_is_its_whole_time_without_overlaps(seed: int) -> None:
    chance = random.Random(seed)
    spans = [span(1)]
    for number in range(2, 60):
        parent = spans[chance.randrange(len(spans))]
        low, high = parent.start_ns // 1_000_000 - 1_000, parent.end_ns // 1_000_000 - 1_000
        start = chance.randint(low, high)
        spans.append(span(number, int(parent.span_id, 16), start, chance.randint(start, high)))
    path = critical_path(build_tree(spans), 0)
    assert path[0].start_ns == spans[0].start_ns
    assert path[-1].end_ns == spans[0].end_ns
    for one, following in pairwise(path):
        assert one.start_ns < one.end_ns == following.start_ns


def test_the_samples_path_leads_by_the_approval_to_the_host_that_failed() -> None:
    roots = build_tree(sample())
    path = critical_path(roots, 0)
    shown = [one.node.span.name for one in path]
    first = [shown.index(name) for name in ("make test", "Wait for input", "web3")]
    assert first == sorted(first)
    assert "make lint" not in shown
    assert path[0].start_ns == seconds(-2.4)
    rows = list(walk(roots))
    on_path = own_times(path, rows)
    assert on_path[0] > 0
    names = {rows[at].span.name: own for at, own in on_path.items()}
    assert names["Unit test"] < names["make test"]
    assert "Deploy production" not in names
    assert sum(on_path.values()) == rows[0].span.end_ns - seconds(-2.4)


def test_a_chain_of_5000_and_10000_spans_are_followed() -> None:
    chain = build_tree([span(n, n - 1 or None) for n in range(1, 5001)])
    assert [one.node.depth for one in critical_path(chain, 0)] == [4999]
    assert len(critical_path(build_tree(many(10_000)), 0)) > 99

"""The tree that the views show: nothing is lost, nothing hangs, and the words are right."""

from __future__ import annotations

import random
from functools import partial

import pytest
from support.growth import assert_linear
from support.report_samples import many, sample
from support.spans import MS, OTHER_TRACE, span

from pipeline_trace.lookup import states, tree
from pipeline_trace.lookup.tree import build_tree, walk
from pipeline_trace.lookup.wording import human_duration, visible
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import ERROR, OK, Span


def outline(spans: list[Span]) -> list[tuple[int, str]]:
    return [(node.depth, node.span.name) for node in walk(build_tree(spans))]


def test_children_are_ordered_by_start_then_name() -> None:
    spans = [span(1, name="root"), span(2, 1, 5, name="b"), span(3, 1, 5, name="a"), span(4, 1, 1, name="z")]
    expected = [(0, "root"), (1, "z"), (1, "a"), (1, "b")]
    assert outline(spans) == expected
    random.Random(1).shuffle(spans)
    assert outline(spans) == expected


def test_a_span_hangs_under_its_parent_in_another_trace() -> None:
    assert outline([span(1, name="run"), span(2, 1, trace=OTHER_TRACE, name="playbook")]) == [
        (0, "run"),
        (1, "playbook"),
    ]


def test_of_two_parents_the_one_of_the_own_trace_is_taken() -> None:
    spans = [span(1, name="one"), span(1, trace=OTHER_TRACE, name="two"), span(2, 1, trace=OTHER_TRACE, name="child")]
    assert outline(spans) == [(0, "one"), (0, "two"), (1, "child")]


def test_a_span_without_its_parent_is_a_root() -> None:
    assert outline([span(2, 99, name="orphan")]) == [(0, "orphan")]


def test_cycles_lose_nothing_and_begin_with_the_earliest() -> None:
    ring = [span(1, 3, 5, name="late"), span(2, 1, 1, name="early"), span(3, 2, 3, name="middle")]
    tail = [span(4, 3, 9, name="tail"), span(5, 5, 2, name="own parent")]
    assert outline(ring + tail) == [
        (0, "early"),
        (1, "middle"),
        (2, "late"),
        (2, "tail"),
        (0, "own parent"),
    ]


def test_of_equal_ids_both_are_shown_and_the_first_has_the_children() -> None:
    spans = [span(1, start=1, name="first"), span(1, start=0, name="second"), span(2, 1, name="child")]
    assert outline(spans) == [(0, "second"), (0, "first"), (1, "child")]


def test_every_span_is_in_the_tree_once_whatever_the_parents_are() -> None:
    chance = random.Random(7)
    spans = [span(chance.randrange(1, 60), chance.randrange(0, 70) or None, chance.randrange(50)) for _ in range(200)]
    assert sorted(id(node.span) for node in walk(build_tree(spans))) == sorted(id(s) for s in spans)


def test_a_chain_of_5000_is_walked_and_shown() -> None:
    nodes = list(walk(build_tree([span(n, n - 1 or None) for n in range(1, 5001)])))
    assert [node.depth for node in nodes] == list(range(5000))
    assert "span 1'" in repr(nodes[0])


def test_time_grows_with_the_spans_and_not_with_their_square() -> None:
    spans = many(20_000)
    assert sum(1 for _ in walk(build_tree(spans))) == len(spans)
    assert_linear(lambda size: partial(build_tree, spans[:size]), len(spans))


@pytest.mark.parametrize(
    ("child", "skewed"),
    [
        (span(2, 1, 0, 10_000), False),
        (span(2, 1, -50, 10_050), False),
        (span(2, 1, -51, 500), True),
        (span(2, 1, 500, 10_051), True),
        (span(2, 1, 10_051, 0), True),
        (span(2, 1, 500, 0), False),
        (span(2, 1, -5000, 0, jenkins_type="queue"), False),
        (span(2, 1, 500, 60_000, jenkins_type="run"), False),
        (span(2, 1, -51, 500, jenkins_type="stage"), True),
    ],
)
def test_a_child_outside_its_parent_is_skewed(child: Span, skewed: bool) -> None:
    (root,) = build_tree([span(1), child])
    assert not root.skewed
    assert root.children[0].skewed is skewed


def test_an_open_parent_has_no_end_to_be_outside_of() -> None:
    (root,) = build_tree([span(1, end=0), span(2, 1, 500, 60_000)])
    assert not root.children[0].skewed


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"jenkins_type": "agent"}, "agent"),
        ({"ansible_type": "role"}, "role"),
        ({"jenkins_type": "nonsense", "ansible_type": "host"}, "host"),
        ({"jenkins_type": ["run"]}, "other"),
        ({}, "other"),
    ],
)
def test_span_type(attributes: dict[str, object], expected: str) -> None:
    assert states.span_type(span(1, **attributes)) == expected


@pytest.mark.parametrize(
    ("attributes", "code", "expected", "remark"),
    [
        ({"cicd.pipeline.result": "timeout"}, ERROR, "timeout", ""),
        ({"cicd.pipeline.task.run.result": "skip"}, "UNSET", "skip", ""),
        ({"cicd.pipeline.task.run.result": "cancellation"}, "UNSET", "cancellation", ""),
        ({"ansible.host.result": "ok"}, "UNSET", "success", ""),
        ({"ansible.host.result": "changed"}, "UNSET", "success", "changed"),
        ({"ansible.host.result": "failed"}, ERROR, "failure", ""),
        ({"ansible.task.result": "unreachable"}, ERROR, "error", "unreachable"),
        ({"ansible.host.result": "skipped"}, "UNSET", "skip", ""),
        ({"ansible.host.result": "ignored", "cicd.pipeline.task.run.result": "failure"}, ERROR, "success", "ignored"),
        ({"ansible.host.result": "rescued"}, ERROR, "success", "rescued"),
        ({"cicd.pipeline.result": "nonsense"}, ERROR, "failure", ""),
        ({"cicd.pipeline.result": ["success"]}, OK, "success", ""),
        ({}, "UNSET", "unset", ""),
    ],
)
def test_state_and_remark(attributes: dict[str, str], code: str, expected: str, remark: str) -> None:
    one = span(1)
    one.attributes = dict(attributes)
    one.status_code = code
    assert (states.state(one), states.remark(one)) == (expected, remark)


def test_an_open_span_is_running_unless_it_has_failed() -> None:
    one = span(1, end=0)
    assert states.state(one) == "running"
    one.fail()
    assert states.state(one) == "failure"


def test_the_worst_root_decides() -> None:
    fine, running, failed = span(1), span(2, end=0), span(3)
    fine.status_code = OK
    failed.fail()
    assert tree.overall_state(build_tree([fine, running, failed])) == "failure"
    assert tree.overall_state(build_tree([fine, running])) == "running"
    assert tree.overall_state([]) == "unset"


def test_leaf_most_failures_are_where_the_failure_began() -> None:
    found = tree.leaf_most(build_tree(sample()), c.FAILED_RESULTS)
    assert [node.span.name for node in found] == ["web3"]
    # A failure below one that did not fail, in another branch than the first.
    first, second, third, fourth = span(1), span(2, 1, 1), span(3, 2), span(4, 1, 2)
    for failed in (first, third, fourth):
        failed.fail()
    found = tree.leaf_most(build_tree([first, second, third, fourth]), c.FAILED_RESULTS)
    assert [node.span for node in found] == [third, fourth]


@pytest.mark.parametrize(
    ("millis", "expected"),
    [
        (0, "0 ms"),
        (0.4, "<1 ms"),
        (171, "171 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (4_600, "4.6 s"),
        (59_949, "59.9 s"),
        (59_960, "1 min 00 s"),
        (123_000, "2 min 03 s"),
        (3_599_600, "1 h 00 min"),
        (3_720_000, "1 h 02 min"),
        (86_399_000, "1 d 00 h"),
        (273_600_000, "3 d 04 h"),
        (-4_600, "\N{MINUS SIGN}4.6 s"),
    ],
)
def test_human_duration(millis: float, expected: str) -> None:
    assert human_duration(round(millis * MS)) == expected


def test_what_is_not_seen_is_written_out() -> None:
    hostile = "a\u202eb\x1b[31m\x00\ud800\u200b\u2028\nc\td\r\ne"
    quoted = "\u2039U+{}\u203a".format
    shown = visible(hostile)
    assert shown.encode("utf-8")
    assert shown.startswith(f"a{quoted('202E')}b{quoted('001B')}[31m{quoted('0000')}{quoted('D800')}{quoted('200B')}")
    assert "\n" not in shown
    assert visible(hostile, lines=True).endswith(f"{quoted('2028')}\nc\td\ne")
    plain = "Zürich \N{MAN}\u200d\N{PERSONAL COMPUTER} 日本 שלום"
    assert visible(plain) == plain


def run_of(number: int, parent: int = 0) -> Span:
    one = span(number, parent, name="RUN app")
    one.attributes = {c.JENKINS_TYPE: c.TYPE_RUN, c.PIPELINE_RESULT: c.SUCCESS}
    return one


def ended(number: int, parent: int = 0, result: str = c.SUCCESS) -> Span:
    one = span(number, parent)
    one.attributes = {c.TASK_RUN_RESULT: result}
    return one


def still_open(number: int, parent: int = 0) -> Span:
    one = span(number, parent)
    one.end_ns = 0
    return one


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([ended(1)], c.SUCCESS),
        ([ended(2, 99)], "incomplete"),
        ([ended(1), ended(2, 99)], "incomplete"),
        ([ended(2, 99), ended(3, 98, c.SKIP)], "incomplete"),
        ([ended(2, 99, c.FAILURE), ended(3, 99)], c.FAILURE),
        ([ended(2, 99, c.CANCELLATION)], c.CANCELLATION),
        ([still_open(1), ended(2, 1)], "running"),
        ([still_open(2, 99)], "running"),
        ([run_of(2, 99)], c.SUCCESS),
        ([ended(1), ended(2, 1)], c.SUCCESS),
    ],
)
def test_a_trace_without_what_is_around_its_spans_has_not_succeeded(spans: list[Span], expected: str) -> None:
    assert tree.overall_state(build_tree(spans)) == expected


def test_a_command_that_exec_ran_has_a_type_of_its_own() -> None:
    assert states.span_type(span(1, **{"process.executable.name": "make"})) == "exec"

"""Times that no source tells, from what is known around them: whatever the shape, in time that grows with the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from support.growth import assert_linear
from support.model import START_MS, play
from support.model.programs import Agent, Branch, Item, Parallel, Program, Stage, Wrap, echo, sh

from jenkins_poller.fetch import flow
from jenkins_poller.fetch.bounds import Bounds, told_times
from jenkins_poller.fetch.times import Times
from pipeline_trace.place.ci.jenkins import graph

STEPS = 8000
SHAPES: dict[str, Callable[[int], Sequence[Item]]] = {
    "loose steps": lambda size: [*(echo(str(n)) for n in range(size)), Stage("Last", [echo("x")])],
    "blocks": lambda size: [*(Wrap("Set environment variables", [echo("x")]) for _ in range(size // 3)), Stage("Last", [])],
    "stages": lambda size: [Stage(f"S{n}", [echo("x")]) for n in range(size // 5)],
    "branches": lambda size: [Stage("P", [Parallel([Branch(f"b{n}", [echo("x")]) for n in range(size // 5)])])],
}


def completed(program: Program, kinds: Sequence[str]) -> tuple[dict[str, Times], dict[str, Times]]:
    """Return the completed times of a build whose source tells these kinds of elements alone, and the true times."""
    build = play(program, start_ms=START_MS)
    found = flow.flow_of(graph.nodes_by_id(build.graph))
    true = {one.id: Times(one.start_ms, (one.end_ms or one.start_ms) - one.start_ms) for one in build.elements}
    told = {one.id: true[one.id] for one in build.elements if one.kind in kinds}
    times = told_times(found, told)
    Bounds(found, times, build.start_ms, build.end_ms).complete(ends=True)
    return times, true


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_grows_with_the_graph_and_not_with_its_square(shape: str) -> None:
    def work(size: int) -> Callable[[], object]:
        build = play(Program(shape, [Agent("linux-1", SHAPES[shape](size))]), start_ms=START_MS)
        nodes = graph.nodes_by_id(build.graph)
        told = {
            one.id: Times(one.start_ms, (one.end_ms or one.start_ms) - one.start_ms)
            for one in build.elements
            if one.kind == flow.STAGE
        }

        def complete() -> None:
            found = flow.flow_of(nodes)
            Bounds(found, told_times(found, told), build.start_ms, build.end_ms).complete(ends=False)

        return complete

    assert_linear(work, STEPS)


def test_a_step_between_two_known_moments_has_its_true_times() -> None:
    body = [Stage("First", [sh("a", 2000)]), sh("loose", 3000), Stage("Last", [sh("b", 1000)])]
    times, true = completed(Program("loose", [Agent("linux-1", body)]), [flow.STAGE])
    (loose,) = [node for node, one in true.items() if one.duration_ms == 3000]
    assert times[loose].known
    assert abs(times[loose].start_ms - true[loose].start_ms) < 300
    assert abs(times[loose].end_ms - true[loose].end_ms) < 300


def test_of_several_steps_in_a_row_nobody_knows_the_moments_between() -> None:
    body = [Stage("First", [sh("a", 2000)]), sh("loose", 3001), sh("loose too", 3002), Stage("Last", [sh("b", 1000)])]
    times, true = completed(Program("loose", [Agent("linux-1", body)]), [flow.STAGE])
    loose = [node for node, one in true.items() if one.duration_ms in (3001, 3002)]
    assert [(times[node].known, times[node].duration_ms) for node in loose] == [(False, 0), (False, 0)]
    assert all(times[node].start_ms <= true[node].start_ms for node in loose)


def test_a_wait_for_a_lock_is_no_time_of_the_step_in_it() -> None:
    body = [
        Stage("First", [sh("a", 2000)]),
        Wrap("Lock shared resource", [sh("locked", 1500)], wait_ms=4000),
        Stage("Last", []),
    ]
    times, true = completed(Program("lock", [Agent("linux-1", body)]), [flow.STAGE])
    (locked,) = [node for node, one in true.items() if one.duration_ms == 1500]
    assert not times[locked].known

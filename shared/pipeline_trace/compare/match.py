"""Finds what is the same in two runs: parts at the same place, by type and name. Does no I/O."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..lookup.states import RUNNING, span_type, state
from ..lookup.tree import Node, leaf_most, walk
from ..ownership.account.shown import clean
from ..trace import conventions as c
from ..trace.queries import has_times
from .record import Part

# What is not told where it was short.
_WAITS = frozenset({c.TYPE_QUEUE, c.TYPE_AGENT})
_SHORTEST_WAIT_NS = 1_000_000_000
_ENDS = c.FAILED_RESULTS | {c.CANCELLATION, RUNNING}


@dataclass(frozen=True)
class Place:
    """A node, and the names of what it is in, from below the run down."""

    node: Node
    path: tuple[str, ...] = ()


@dataclass
class Matched:
    """The parts of two runs. ``pairs``: of both, the run's first. ``new``: only of the run. ``gone``: only of the base.

    Of what is in a new or a gone part, nothing is here.
    """

    pairs: list[tuple[Place, Place]] = field(default_factory=list)
    new: list[Place] = field(default_factory=list)
    gone: list[Place] = field(default_factory=list)


def matched(run: Node, base: Node) -> Matched:
    """Return what two runs have in common, and what only one of them has. What was skipped is not there, nor are hosts."""
    found = Matched()
    todo = [(Place(run), Place(base))]
    while todo:
        one, other = todo.pop()
        found.pairs.append((one, other))
        path = (*one.path, one.node.span.name) if one.node is not run else ()
        base_path = (*other.path, other.node.span.name) if other.node is not base else ()
        pairs, new, gone = _children(one.node, other.node)
        found.new += (Place(node, path) for node in new if _is_told(node))
        found.gone += (Place(node, base_path) for node in gone if _is_told(node))
        todo += ((Place(mine, path), Place(its, base_path)) for mine, its in reversed(pairs))
    for places in (found.new, found.gone):
        places.sort(key=lambda place: place.node.span.start_ns)
    return found


def reached(found: Matched, run: Node) -> tuple[list[Place], list[Place]]:
    """Return what is gone, and what the run did not reach: it came in the base after the place at which the run ended."""
    end_ns = _end_in_base(found, run)
    if end_ns is None:
        return found.gone, []
    gone = [place for place in found.gone if place.node.span.start_ns < end_ns]
    return gone, [place for place in found.gone if place.node.span.start_ns >= end_ns]


def places(run: Node) -> Iterator[Place]:
    """Yield all parts of a run, each before what is in it, without the run itself."""
    path: list[str] = []
    for node in walk(run.children):
        del path[node.depth - run.depth - 1 :]
        yield Place(node, tuple(path))
        path.append(node.span.name)


def part_of(place: Place) -> Part:
    """Return a part as it is told."""
    span = place.node.span
    took = span.end_ns - span.start_ns if span.end_ns and has_times(span) else None
    below = sum(span_type(node.span) != c.TYPE_HOST for node in walk(place.node.children))
    path = tuple(map(clean, place.path))
    return Part(span_type(span), clean(span.name), path, span.trace_id, span.span_id, state(span), took, below)


def _children(run: Node, base: Node) -> tuple[list[tuple[Node, Node]], list[Node], list[Node]]:
    """Return the pairs of two nodes' children, and those that only one of them has."""
    pairs: list[tuple[Node, Node]] = []
    mine, its = ([node for node in above.children if _is_compared(node)] for above in (run, base))
    # Several steps have one name: those with the same script belong together.
    for key in (_script_key, _key):
        left = defaultdict[object, deque[Node]](deque)
        for node in its:
            left[key(node)].append(node)
        found = [(node, left[key(node)].popleft()) for node in mine if left[key(node)]]
        pairs += found
        paired = {id(node) for pair in found for node in pair}
        mine, its = ([node for node in nodes if id(node) not in paired] for nodes in (mine, its))
    return sorted(pairs, key=lambda pair: pair[0].span.start_ns), mine, its


def _script_key(node: Node) -> object:
    return *_key(node), node.span.attributes.get(c.JENKINS_STEP_DESCRIPTION)


def _key(node: Node) -> tuple[str, ...]:
    return span_type(node.span), node.span.name


def _is_compared(node: Node) -> bool:
    # Which hosts ran a task is told of the whole run: they are most of what there is.
    return span_type(node.span) != c.TYPE_HOST and state(node.span) != c.SKIP


def _is_told(node: Node) -> bool:
    kind, span = span_type(node.span), node.span
    if kind in _WAITS:
        return span.end_ns - span.start_ns >= _SHORTEST_WAIT_NS
    # What is left of a build.
    return kind != c.TYPE_CLEANUP


def _end_in_base(found: Matched, run: Node) -> int | None:
    """Return when the base was past the place at which the run ended early, ns since the epoch; None if it did not."""
    bases = {id(one.node): other.node for one, other in found.pairs}
    above = {id(child): node for node in walk([run]) for child in node.children}
    ends = []
    for node in leaf_most([run], _ENDS):
        at: Node | None = node
        while at is not None and id(at) not in bases:
            at = above.get(id(at))
        if at is not None and at is not run:
            its = bases[id(at)].span
            # What is new has no place in the base: it may have come at once.
            ends.append(its.end_ns if at is node else its.start_ns)
    return min(ends, default=None)

"""Spans -> a tree: each span below its parent, in order of start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..trace import conventions as c
from ..trace.span import Span
from .states import NO_STATE, STATES, state

# A child may lie outside its parent by this much before it is called skewed: stamps are rounded differently.
SKEW_TOLERANCE_NS = 50_000_000


@dataclass(eq=False)
class Node:
    """A span in its place. ``depth``: 0 for a root. ``skewed``: outside its parent's time by more than 50 ms."""

    span: Span
    # Not in the repr: a chain of 5,000 nodes would exceed the recursion limit.
    children: list[Node] = field(default_factory=list, repr=False)
    depth: int = 0
    skewed: bool = False


def build_tree(spans: Sequence[Span]) -> list[Node]:
    """Return the roots, in order of start, then name; each node's children in the same order.

    A span hangs under the span that has its parent's id: the one of its own trace, else the first of any trace. One
    whose parent is not there is a root. Every span given is in the tree exactly once: of spans that are each other's
    ancestors the earliest becomes a root; where an id occurs twice the first one has the children.
    """
    parents = _parents(spans)
    _break_cycles(spans, parents)
    nodes = [Node(span) for span in spans]
    roots: list[Node] = []
    # Sorted once, before they are handed out: every list of children is then in order.
    for index in sorted(range(len(spans)), key=lambda i: _order(spans[i])):
        parent = parents[index]
        (roots if parent is None else nodes[parent].children).append(nodes[index])
    for node in walk(roots):
        for child in node.children:
            child.depth = node.depth + 1
            child.skewed = _is_skewed(child.span, node.span)
    return roots


def walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes as rows: each before its children, in order, at any depth."""
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def overall_state(roots: Iterable[Node]) -> str:
    """Return the worst of the roots' states; ``unset`` without any root."""
    return min((state(root.span) for root in roots), key=STATES.index, default=NO_STATE)


def leaf_most(roots: Iterable[Node], wanted: frozenset[str]) -> list[Node]:
    """Return, in row order, the nodes in one of the wanted states that have no such node below them."""
    found: list[Node] = []
    hit_at_or_below: set[int] = set()
    # Backwards, children come before their parents: one pass tells whether there is such a node below.
    for node in reversed(list(walk(roots))):
        below = any(id(child) in hit_at_or_below for child in node.children)
        hit = state(node.span) in wanted
        if hit and not below:
            found.append(node)
        if hit or below:
            hit_at_or_below.add(id(node))
    return found[::-1]


def _order(span: Span) -> tuple[int, str, str]:
    return span.start_ns, span.name, span.span_id


def _parents(spans: Sequence[Span]) -> list[int | None]:
    """Return for every span the position of the one that it hangs under."""
    of_any_trace: dict[str, int] = {}
    of_its_trace: dict[tuple[str, str], int] = {}
    for index, span in enumerate(spans):
        of_any_trace.setdefault(span.span_id, index)
        of_its_trace.setdefault((span.trace_id, span.span_id), index)
    found: list[int | None] = []
    for span in spans:
        parent = span.parent_id
        if parent is None:
            found.append(None)
        else:
            found.append(of_its_trace.get((span.trace_id, parent), of_any_trace.get(parent)))
    return found


def _break_cycles(spans: Sequence[Span], parents: list[int | None]) -> None:
    """Make the earliest span of each cycle a root, in place."""
    walked_by = [-1] * len(spans)
    for start in range(len(spans)):
        at: int | None = start
        while at is not None and walked_by[at] < 0:
            walked_by[at] = start
            at = parents[at]
        if at is None or walked_by[at] != start:
            continue
        ring = [at]
        step = parents[at]
        while step is not None and step != at:
            ring.append(step)
            step = parents[step]
        parents[min(ring, key=lambda i: _order(spans[i]))] = None


def _is_skewed(child: Span, parent: Span) -> bool:
    if child.attributes.get(c.JENKINS_TYPE) in (c.TYPE_QUEUE, c.TYPE_RUN):
        # The wait begins before the run does; a build may outlive the one that started it.
        return False
    if child.start_ns < parent.start_ns - SKEW_TOLERANCE_NS:
        return True
    return parent.end_ns != 0 and max(child.start_ns, child.end_ns) > parent.end_ns + SKEW_TOLERANCE_NS

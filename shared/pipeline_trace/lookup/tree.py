"""Builds a tree of spans: each span below its parent, in order of start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..trace import conventions as c
from ..trace.queries import has_times, is_run, order_of, type_of
from ..trace.span import Span
from .states import INCOMPLETE, NO_STATE, STATES, state

# A child is skewed only if it is outside its parent by more than this, because timestamps are rounded differently.
SKEW_TOLERANCE_NS = 50_000_000


@dataclass(eq=False)
class Node:
    """A span in the tree. ``depth``: 0 for a root. ``skewed``: outside the time of its parent by more than 50 ms.

    ``orphan``: it has a parent, which is not in the tree.
    """

    span: Span
    # Not in the repr, because a chain of 5,000 nodes would exceed the recursion limit.
    children: list[Node] = field(default_factory=list, repr=False)
    depth: int = 0
    skewed: bool = False
    orphan: bool = False


def build_tree(spans: Sequence[Span]) -> list[Node]:
    """Return the roots in order of start, then name. The children of each node have the same order.

    The parent of a span is the span with its parent id: of the same trace, else the first of any trace. Without one, the
    span is a root. Each span is in the tree exactly once: in a cycle, the earliest span becomes a root, and if an id occurs
    twice, the first span has the children.
    """
    parents = parents_of(spans)
    known = {span.span_id for span in spans}
    nodes = [Node(span, orphan=span.parent_id is not None and span.parent_id not in known) for span in spans]
    roots: list[Node] = []
    # Sorted once, before the children are assigned, so every list of children is in order.
    for index in sorted(range(len(spans)), key=lambda i: _order(spans[i])):
        parent = parents[index]
        (roots if parent is None else nodes[parent].children).append(nodes[index])
    for node in walk(roots):
        for child in node.children:
            child.depth = node.depth + 1
            child.skewed = _is_skewed(child.span, node.span)
    return roots


def parents_of(spans: Sequence[Span]) -> list[int | None]:
    """Return the index of each span's parent, as ``build_tree`` takes it; None for a root. There is no cycle in it."""
    parents = _named_parents(spans)
    _break_cycles(spans, parents)
    return parents


def walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield all nodes as rows: each node before its children."""
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def overall_state(roots: Iterable[Node], elsewhere: Collection[str] = ()) -> str:
    """Return the worst state of the roots; ``unset`` if there are none.

    ``elsewhere``: ids of spans that are known, and not in the tree.

    A root whose parent is missing is incomplete, unless it failed or is open: what is around it may still run, or fail. A
    pipeline's run is whole without the run that started it.
    """
    return min((_state_of_root(root, elsewhere) for root in roots), key=STATES.index, default=NO_STATE)


def _state_of_root(root: Node, elsewhere: Collection[str]) -> str:
    found = state(root.span)
    whole = not root.orphan or is_run(root.span) or root.span.parent_id in elsewhere
    return found if whole else min(found, INCOMPLETE, key=STATES.index)


def leaf_most(roots: Iterable[Node], wanted: frozenset[str]) -> list[Node]:
    """Return the nodes with one of the wanted states that have no such node below them, in the order of ``walk``."""
    found: list[Node] = []
    hit_at_or_below: set[int] = set()
    # In reverse order, children come before their parents, so one pass is enough.
    for node in reversed(list(walk(roots))):
        below = any(id(child) in hit_at_or_below for child in node.children)
        hit = state(node.span) in wanted
        if hit and not below:
            found.append(node)
        if hit or below:
            hit_at_or_below.add(id(node))
    return found[::-1]


def _order(span: Span) -> tuple[tuple[int, int], str, str]:
    return order_of(span), span.name, span.span_id


def _named_parents(spans: Sequence[Span]) -> list[int | None]:
    """Return the index of the span that each span names as its parent, or None for a root."""
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
    """Make the earliest span of each cycle a root. Changes ``parents``."""
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
    if type_of(child) in (c.TYPE_QUEUE, c.TYPE_RUN) or type_of(parent) == c.TYPE_QUEUE:
        # A queue span begins before its run, and a build may end after the build that started it. GitHub's receiver puts
        # what a job does below its wait.
        return False
    if not (has_times(child) and has_times(parent)):
        return False
    if child.start_ns < parent.start_ns - SKEW_TOLERANCE_NS:
        return True
    return parent.end_ns != 0 and max(child.start_ns, child.end_ns) > parent.end_ns + SKEW_TOLERANCE_NS

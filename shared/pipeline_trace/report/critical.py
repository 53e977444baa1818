"""Finds the critical path: the chain of spans that determines when a trace ends. Does no I/O.

The search goes backwards from the end. Among a span's children, the one that ended last delayed the span. Before the start
of that child, the next one is again the child that ended last. The time that remains is the span's own time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..lookup.states import EXEC, OTHER, span_type
from ..lookup.tree import SKEW_TOLERANCE_NS, Node, walk
from ..trace import conventions as c
from ..trace.queries import has_times

# Times are rounded differently: a span may end this much after the next one starts and still count as before it.
_OVERLAP_NS = 5_000_000
# A process in a build knows its stage but not its step.
_KNOW_THEIR_STAGE = frozenset({c.TYPE_COMMAND, c.TYPE_PLAYBOOK, EXEC, OTHER})


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of the path that is one span's own time. Nanoseconds since the epoch."""

    node: Node
    start_ns: int
    end_ns: int


class _Frame:
    """A span in the search. ``cursor``: the time that the search has reached, going backwards."""

    def __init__(self, node: Node | None, children: Sequence[Node], begin: int, cursor: int, times: _Times) -> None:
        self.node = node
        self.begin = begin
        self.cursor = cursor
        self._times = times
        self._left = iter(sorted(children, key=lambda child: (-times.end(child), child.span.start_ns)))

    def next(self) -> Node | None:
        """Return the child that delayed what starts at the cursor; None if there is none."""
        for child in self._left:
            begin, end = self._times.begin(child), self._times.end(child)
            if begin < min(end, self.cursor) and end <= self.cursor + _OVERLAP_NS:
                return child
        return None


class _Times:
    """The children of spans, and their start and end times on the path.

    The start of a run includes its wait in the queue. The end of a span includes a child that ends later.
    """

    def __init__(self, roots: Sequence[Node], moment_ns: int) -> None:
        self._adopted: dict[int, list[Node]] = {}
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        for node in reversed(list(walk(roots))):
            span = node.span
            waits = [child.span.start_ns for child in node.children if span_type(child.span) == c.TYPE_QUEUE]
            self._begins[id(node)] = min([span.start_ns, *waits])
            own_end = span.end_ns or max(moment_ns, span.start_ns)
            self._ends[id(node)] = max([own_end, *(self._ends[id(child)] for child in node.children)])
            steps = [child for child in node.children if span_type(child.span) == c.TYPE_STEP]
            for child in node.children if steps else ():
                step = _step_around(child, steps)
                if step:
                    self._adopted.setdefault(id(step), []).append(child)
                    self._adopted.setdefault(id(node), [])

    def below(self, node: Node) -> list[Node]:
        """Return a span's children. A process that knows only its stage counts as a child of the step that ran it.

        A child without known times is not on the path. Its children are in its place.
        """
        found, todo = list[Node](), self._below(node)[::-1]
        while todo:
            child = todo.pop()
            if has_times(child.span):
                found.append(child)
            else:
                todo += self._below(child)[::-1]
        return found

    def _below(self, node: Node) -> list[Node]:
        if id(node) not in self._adopted:
            return [*node.children]
        moved = {id(one) for step in node.children for one in self._adopted.get(id(step), ())}
        return [*(child for child in node.children if id(child) not in moved), *self._adopted[id(node)]]

    def begin(self, node: Node) -> int:
        return self._begins[id(node)]

    def end(self, node: Node) -> int:
        return self._ends[id(node)]


def critical_path(roots: Sequence[Node], moment_ns: int) -> list[Segment]:
    """Return the path in order of time. ``moment_ns``: the time up to which open spans count, in ns since the epoch.

    The path has a gap where no root runs.
    """
    return list(_backwards(roots, moment_ns))[::-1] if roots else []


def own_times(path: Sequence[Segment], rows: Sequence[Node]) -> dict[int, int]:
    """Return the own time on the path in ns, by row position, for each row on the path or above it."""
    own: dict[int, int] = {}
    for segment in path:
        own[id(segment.node)] = own.get(id(segment.node), 0) + segment.end_ns - segment.start_ns
    found: dict[int, int] = {}
    above: list[tuple[Node, int]] = []
    for position, node in enumerate(rows):
        del above[node.depth :]
        above.append((node, position))
        if id(node) in own:
            for parent, at in above:
                found[at] = own.get(id(parent), 0)
    return found


def _step_around(node: Node, steps: Sequence[Node]) -> Node | None:
    """Return the step that ran a playbook or command of the same stage; None if more than one step may have."""
    if span_type(node.span) not in _KNOW_THEIR_STAGE or not node.span.end_ns:
        return None
    around = [
        step
        for step in steps
        if step.span.start_ns <= node.span.start_ns + SKEW_TOLERANCE_NS
        and node.span.end_ns <= step.span.end_ns + SKEW_TOLERANCE_NS
    ]
    return around[0] if len(around) == 1 else None


def _backwards(roots: Sequence[Node], moment_ns: int) -> Iterator[Segment]:
    times = _Times(roots, moment_ns)
    stack = [_Frame(None, roots, 0, max(times.end(root) for root in roots), times)]
    while stack:
        frame = stack[-1]
        child = frame.next()
        until = max(frame.begin, min(frame.cursor, times.end(child))) if child else frame.begin
        if frame.node and until < frame.cursor:
            yield Segment(frame.node, until, frame.cursor)
        if child is None:
            stack.pop()
            continue
        # If clocks differ, a span can start before its parent. It then counts from the start of its parent.
        begin = max(times.begin(child), frame.begin)
        frame.cursor = begin
        if begin < until:
            stack.append(_Frame(child, times.below(child), begin, until, times))

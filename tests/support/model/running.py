"""A build that runs: its threads, and the nodes and elements so far, before they have ids."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from .programs import ABORTED, FAILURE, SUCCESS, UNSTABLE, Program, Started
from .truth import AGENT, END, START, STEP, Element, Error, Node

COLORS = {SUCCESS: "blue", UNSTABLE: "yellow", FAILURE: "red", ABORTED: "aborted"}
RESULTS = {"red": FAILURE, "aborted": ABORTED}
_RANKS = (SUCCESS, UNSTABLE, FAILURE, ABORTED)


def worse(one: str, other: str) -> str:
    """Return the worse of two results."""
    return max(one, other, key=_RANKS.index)


def sooner(one: Stop | None, other: Stop) -> Stop:
    """Return the earlier of two stops."""
    return other if one is None or other.at_ms < one.at_ms else one


@dataclass(eq=False)
class Draft:
    """A node without an id. ``warned``: the result that it set. ``gap``: how many ids Jenkins leaves out after it.

    ``untold``: Jenkins tells no time of it.
    """

    kind: str
    name: str
    at_ms: int
    parents: list[Draft]
    block: Draft | None = None
    closed_by: Draft | None = None
    error: Error | None = None
    warned: str = SUCCESS
    argument: str = ""
    agent: str = ""
    log: str = ""
    starts: Started | None = None
    started_result: str = ""
    asked: str = ""
    gap: int = 0
    untold: bool = False
    id: str = ""
    next: Draft | None = None

    @property
    def color(self) -> str:
        return self.error.color if self.error else COLORS[self.warned]


@dataclass(eq=False)
class Sketch:
    """An element without an id. ``around``: the stage or branch that it is in. ``warned``: the worst result set in it."""

    kind: str
    name: str
    node: Draft
    around: Sketch | None
    agent: str
    attempt: int
    result: str = ""
    warned: str = SUCCESS
    given_ms: int | None = None


@dataclass(frozen=True)
class Stop:
    """A time at which what runs is stopped, milliseconds since the epoch, and the exception that stops it."""

    at_ms: int
    error: Error


@dataclass
class Thread:
    """One line of execution: its time, the node that it is at, the blocks around it, and what holds in them."""

    now_ms: int
    at: Draft
    chance: random.Random
    block: Draft | None = None
    around: Sketch | None = None
    agent: str = ""
    attempt: int = 0
    stop: Stop | None = None

    def tick(self) -> None:
        """Let the time pass that Jenkins needs between two nodes."""
        self.now_ms += self.chance.randint(2, 60)


@dataclass
class Run:
    """The nodes and elements so far. ``warned``: the worst result that a step or block set without an exception."""

    program: Program
    drafts: list[Draft] = field(default_factory=list)
    sketches: list[Sketch] = field(default_factory=list)
    warned: str = SUCCESS
    tests: int | None = None

    def node(self, kind: str, name: str, thread: Thread, parents: Sequence[Draft] = ()) -> Draft:
        """Add a node after the one that the thread is at, or after ``parents``."""
        thread.at = Draft(kind, name, thread.now_ms, list(parents) or [thread.at], thread.block)
        self.drafts.append(thread.at)
        return thread.at

    def open(self, name: str, thread: Thread) -> Draft:
        """Begin a block."""
        thread.block = self.node(START, name, thread)
        thread.tick()
        return thread.block

    def close(self, start: Draft, name: str, thread: Thread, error: Error | None, parents: Sequence[Draft] = ()) -> None:
        """End a block. ``error``: the exception that leaves it."""
        thread.block = start.block
        start.closed_by = self.node(END, name, thread, parents)
        start.closed_by.error = error
        thread.tick()

    def sketch(self, kind: str, name: str, node: Draft, thread: Thread) -> Sketch:
        """Add an element."""
        self.sketches.append(Sketch(kind, name, node, thread.around, thread.agent, thread.attempt))
        return self.sketches[-1]

    def warn(self, thread: Thread, stage: str, build: str) -> None:
        """Set a result without an exception, for all stages around."""
        self.warned = worse(self.warned, build)
        around = thread.around
        while around is not None:
            around.warned = worse(around.warned, stage)
            around = around.around

    def mark(self) -> tuple[int, int, str, int | None]:
        """Return where the build is, to ``go_back`` to."""
        return len(self.drafts), len(self.sketches), self.warned, self.tests

    def go_back(self, mark: tuple[int, int, str, int | None]) -> None:
        """Forget what has run since."""
        drafts, sketches, self.warned, self.tests = mark
        del self.drafts[drafts:], self.sketches[sketches:]


def written(run: Run) -> tuple[tuple[Node, ...], tuple[Element, ...]]:
    """Return nodes and elements with ids, in order of ids: Jenkins counts as nodes begin."""
    number = 2
    drafts = sorted(run.drafts, key=lambda draft: draft.at_ms)
    for draft in drafts:
        draft.id = str(number)
        number += 1 + draft.gap
        for parent in draft.parents:
            parent.next = parent.next or draft
    elements = [_element(sketch) for sketch in run.sketches]
    return tuple(map(_node, drafts)), tuple(sorted(elements, key=lambda element: int(element.id)))


def _node(draft: Draft) -> Node:
    return Node(
        draft.id,
        draft.kind,
        draft.name,
        tuple(parent.id for parent in draft.parents),
        draft.color,
        draft.at_ms,
        draft.next.at_ms if draft.next else draft.at_ms,
        draft.block.id if draft.block else None,
        draft.closed_by.id if draft.closed_by else None,
        0 if draft.untold else draft.at_ms,
        draft.argument,
        draft.agent,
        draft.log,
        draft.error,
        draft.starts,
        draft.started_result,
        draft.asked,
    )


def _element(sketch: Sketch) -> Element:
    end = sketch.node.next if sketch.kind == STEP else sketch.node.closed_by
    assert end is not None
    return Element(
        sketch.kind,
        sketch.name,
        sketch.node.id,
        sketch.around.node.id if sketch.around else None,
        sketch.result,
        sketch.node.at_ms,
        end.at_ms,
        sketch.node.agent if sketch.kind == AGENT else sketch.agent,
        sketch.node.starts,
        sketch.attempt,
        given_ms=sketch.given_ms,
    )

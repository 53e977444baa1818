"""Completes the times of a build's elements from what is known around them in the flow graph.

A source leaves out times: Graph View those of steps outside stages; Stage View those of branches, of waits for an agent, and
of the end of a stage that holds others. The graph says what came before and after. Where the moments around an element are
known, they are its times. Where they leave more than a second open, a node is asked for, if the source can tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from . import flow
from .flow import Element, Flow
from .times import Times

# Returns the times of any node of the graph; None if they are not known.
Ask = Callable[[str], "Times | None"]

# Milliseconds. A shorter gap is not worth a request.
WORTH_ASKING_MS = 1000
# The most nodes of a build that are asked for.
_MOST_ASKED = 200


class Bounds:
    """The moments between the nodes of one build, as far as they are known.

    ``times``: by node id; completed in place. ``start_ms``, ``end_ms``: of the build, milliseconds since the epoch.
    """

    def __init__(self, found: Flow, times: dict[str, Times], start_ms: int, end_ms: int, ask: Ask | None = None) -> None:
        self._flow = found
        self._nodes = found.nodes
        self._times = times
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._ask = ask
        self._left = _MOST_ASKED
        # The latest known end of what is in a block.
        self._ends: dict[str, int] = {}
        for node_id, known in times.items():
            self._note(node_id, known)

    def complete(self, *, ends: bool) -> None:
        """Give every element its times. ``ends``: whether the end of what holds stages or branches is told right.

        Leaves out a wait for an agent that is not told. What has no times then has ``known`` False.
        """
        elements = list(self._flow.walk())
        told = any(times.known for times in self._times.values())
        for element in reversed(elements) if told else ():
            if element.kind in (flow.STAGE, flow.BRANCH):
                self._block(element, ends)
        for element in elements if told else ():
            if element.kind == flow.AGENT and not self._known(element.id):
                self._agent(element)
            elif element.kind == flow.STEP and not self._known(element.id):
                self._between(element)
        for element in elements:
            if self._known(element.id):
                continue
            if element.kind == flow.AGENT:
                self._times.pop(element.id, None)
            else:
                self._times[element.id] = Times(self._last_known(element.id), 0, self._status(element), known=False)

    def _set(self, element: Element, times: Times) -> None:
        self._times[element.id] = times
        self._note(element.id, times)

    def _note(self, node_id: str, times: Times) -> None:
        node = self._nodes.get(node_id)
        while times.known and node is not None and node.block is not None:
            self._ends[node.block] = max(times.end_ms, self._ends.get(node.block, 0))
            node = self._nodes.get(node.block)

    def _status(self, element: Element) -> str:
        return self._times[element.id].status if element.id in self._times else ""

    def _known(self, node_id: str | None) -> Times | None:
        times = self._times.get(node_id or "")
        return times if times and times.known else None

    def _asked(self, node_id: str | None) -> Times | None:
        if self._ask is None or node_id is None or not self._left:
            return None
        self._left -= 1
        return self._ask(node_id)

    def _block(self, element: Element, ends: bool) -> None:
        told = self._known(element.id)
        if told and (ends or not element.has_blocks):
            return
        inside = [times for child in element.walk() if child is not element and (times := self._known(child.id))]
        told = told or self._begun(element, min((times.start_ms for times in inside), default=None))
        if told is None:
            self._between(element)
            return
        end_ms = max([told.end_ms, *(times.end_ms for times in inside)])
        next_ms, _ = self._after(element.end_id or element.id)
        if next_ms - end_ms > WORTH_ASKING_MS:
            asked = self._asked(element.end_id)
            end_ms = max(asked.start_ms, end_ms) if asked else end_ms
        self._set(element, replace(told, duration_ms=max(end_ms - told.start_ms, 0)))

    def _begun(self, element: Element, first_ms: int | None) -> Times | None:
        """Return a block's times, without its end; None if nothing in it is known."""
        before_ms, _ = self._before(element.id)
        if first_ms is not None and first_ms - before_ms > WORTH_ASKING_MS:
            asked = self._asked(element.id)
            if asked:
                return replace(asked, duration_ms=0)
        return None if first_ms is None else Times(first_ms, 0, self._status(element))

    def _agent(self, element: Element) -> None:
        """Set the wait for an agent, from the ``node`` step's begin to the begin of what is in it."""
        before_ms, exact = self._before(element.id)
        inside_ms, inside_exact = self._after(element.id)
        asked = self._asked(element.id) if inside_ms - before_ms > WORTH_ASKING_MS else None
        if asked:
            self._set(element, asked)
        elif exact and inside_exact and self._flow.after.get(element.id) == element.end_id:
            # Nothing ran in it, so it was the wait alone.
            self._set(element, Times(before_ms, max(inside_ms - before_ms, 0)))

    def _between(self, element: Element) -> None:
        """Set the times of an element to the moments around it, if both are known."""
        before_ms, exact = self._before(element.id, only_exact=True)
        if not exact:
            return
        after_ms, exact = self._after(element.end_id or element.id, only_exact=True)
        if exact and after_ms >= before_ms:
            self._set(element, Times(before_ms, after_ms - before_ms, self._status(element)))

    def _last_known(self, node_id: str) -> int:
        """Return the last known moment before a node, or the time of another element that is not known."""
        if not self._ends:
            return self._start_ms
        before = self._nodes[node_id].before if node_id in self._nodes else None
        earlier = self._times.get(before or "")
        return earlier.start_ms if earlier and not earlier.known else self._before(node_id)[0]

    def _before(self, node_id: str, *, only_exact: bool = False) -> tuple[int, bool]:
        """Return when a node began, and whether this is exact. If it is not, the node began then or later."""
        exact = True
        node = self._nodes.get(node_id)
        while node is not None and node.before is not None:
            node = self._nodes[node.before]
            known = self._known(node.closes if node.is_end else node.id)
            if known:
                return known.start_ms if node.is_start else known.end_ms, exact
            if node.is_end and node.closes in self._ends:
                return self._ends[node.closes], exact
            if not node.is_end and (not node.is_start or node.name == flow.AGENT_START):
                exact = False
                if only_exact:
                    break
        return self._start_ms, exact

    def _after(self, node_id: str, *, only_exact: bool = False) -> tuple[int, bool]:
        """Return when the node after this one began, and whether this is exact. If it is not, it began then or earlier."""
        exact = True
        following = self._flow.after.get(node_id)
        while following is not None:
            node = self._nodes[following]
            known = self._known(node.closes if node.is_end else node.id)
            if known:
                return known.end_ms if node.is_end else known.start_ms, exact
            if not node.is_end and (not node.is_start or node.name == flow.AGENT_START):
                exact = False
                if only_exact:
                    break
            following = self._flow.after.get(following)
        return self._end_ms, False


def told_times(found: Flow, told: Mapping[str, Times]) -> dict[str, Times]:
    """Return the times of a build's elements. A stage that stands for its branch has those of the one that is told."""
    times = dict(told)
    for element in found.walk():
        own, branch = times.get(element.id), times.get(element.branch_id)
        if branch and not (own and own.known):
            times[element.id] = branch
    return times

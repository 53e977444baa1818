"""Completes the times of a build's elements from what is known around them in the flow graph.

A source leaves out times: Graph View those of steps outside stages; Stage View those of branches, of waits for an agent, and
of the end of a stage that holds others. The graph says what came before and after. Where the moments around an element are
known, they are its times. Where they leave more than a second open, a node is asked for, if the source can tell it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from pipeline_trace.place.ci.jenkins.graph import FlowNode

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
        # Blocks whose end is not right yet.
        self._endless: set[str] = set()
        # The last known moment before what comes after a node, by its id.
        self._last: dict[str, int] = {}
        # Blocks whose end was found from what is in them.
        self._found_ends: set[str] = set()
        # Of each block: the latest known end of what is in it, and how many steps in it have no times.
        self._ends: dict[str, int] = {}
        self._untimed = Counter[str]()
        # The blocks in which a step without times was counted, by its id.
        self._counted: dict[str, list[str]] = {}

    def complete(self, *, ends: bool) -> None:
        """Give every element its times. ``ends``: whether the end of what holds stages or branches is told right.

        Leaves out a wait for an agent that is not told. What has no times then has ``known`` False.
        """
        elements = list(self._flow.walk())
        if any(times.known for times in self._times.values()):
            self._fill(elements, ends)
        for element in reversed(elements):
            if self._known(element.id):
                continue
            if element.kind == flow.AGENT:
                self._times.pop(element.id, None)
            else:
                self._times[element.id] = self._unknown(element)

    def held_ms(self, element: Element) -> int | None:
        """Return from when its agent was given until when a ``node`` step held it, in milliseconds. To be asked at the end.

        It begins with the first thing that ran there, if the wait is not told, and ends with the last one. None if one of
        both is not known to a second.
        """
        if element.end_id is None:
            return None
        if self._flow.after.get(element.id) == element.end_id:
            return 0
        wait = self._known(element.id)
        begin_ms, exact = (wait.end_ms, True) if wait else self._after(element.id, only_exact=True)
        last = self._ended(self._nodes[element.end_id])
        if not exact or last is None:
            return None
        end_ms, exact = last
        if not exact and self._after(element.end_id)[0] - end_ms > WORTH_ASKING_MS:
            return None
        return max(end_ms - begin_ms, 0)

    def _unknown(self, element: Element) -> Times:
        """Return the times of what has none: they hold what is in it, whose times are set before."""
        start_ms = self._last_known(element.id)
        ends = [times.end_ms for child in element.children if (times := self._times.get(child.id))]
        return Times(start_ms, max([start_ms, *ends]) - start_ms, self._status(element), known=False)

    def _fill(self, elements: Sequence[Element], ends: bool) -> None:
        """Find the times of what is in a block before those of the block."""
        blocks = [element for element in elements if element.kind in (flow.STAGE, flow.BRANCH)]
        steps = sorted((element for element in elements if element.kind == flow.STEP), key=lambda step: int(step.id))
        self._endless = {element.id for element in blocks if not self._has_end(element, ends)}
        for node_id, known in self._times.items():
            if known.known:
                self._note(node_id, known.end_ms)
        for step in steps:
            if not self._known(step.id):
                self._counted[step.id] = list(self._open_around(step.id))
                self._untimed.update(self._counted[step.id])
        if ends:
            branches = {element.id for element in blocks if element.kind == flow.BRANCH or element.branch_id}
            for step in steps:
                self._end_of_branch(step, branches)
        for step in steps:
            if not self._known(step.id) and not self._between(step):
                self._step(step)
        for element in reversed(blocks):
            if element.id in self._endless:
                self._block(element)
        for element in elements:
            if not self._known(element.id):
                if element.kind == flow.AGENT:
                    self._agent(element)
                elif element.kind == flow.STEP:
                    self._between(element)

    def _around(self, node_id: str) -> Iterator[str]:
        """Yield the ids of the blocks around a node, inner before outer."""
        node = self._nodes.get(node_id)
        while node is not None and node.block is not None:
            yield node.block
            node = self._nodes.get(node.block)

    def _open_around(self, node_id: str) -> Iterator[str]:
        """Yield the ids of the blocks around a node, up to the first whose end is told: it tells when the step was over."""
        for block in self._around(node_id):
            if self._known(block) and block not in self._endless and not flow.is_agent(self._nodes[block]):
                return
            yield block

    def _note(self, node_id: str, end_ms: int) -> None:
        for block in self._around(node_id):
            self._ends[block] = max(end_ms, self._ends.get(block, 0))

    def _set(self, element: Element, times: Times) -> None:
        self._untimed.subtract(self._counted.pop(element.id, ()))
        self._times[element.id] = times
        self._note(element.id, times.end_ms)
        # What holds it ends no earlier, if its end was found out before.
        outer = element.parent
        while outer is not None and outer.id in self._found_ends:
            known = self._times[outer.id]
            if known.end_ms < times.end_ms:
                self._times[outer.id] = replace(known, duration_ms=times.end_ms - known.start_ms)
            outer = outer.parent

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

    def _has_end(self, element: Element, ends: bool) -> bool:
        """Return whether the end of a block is told right."""
        told = self._known(element.id)
        return told is not None and (ends or (told.duration_ms > 0 and not element.has_blocks))

    def _step(self, step: Element) -> None:
        """Ask for a step, if much time lies between the moments around it. The source does not tell a ``build`` step."""
        if self._ask is None or not self._left or step.starts_build:
            return
        gap_ms = self._after(step.id)[0] - self._before(step.id)[0]
        asked = self._asked(step.id) if gap_ms > WORTH_ASKING_MS else None
        if asked:
            self._set(step, asked)

    def _block(self, element: Element) -> None:
        """Set the times of a block: it ends with the last thing in it, if that is known."""
        told = self._known(element.id)
        inside = [times for child in element.walk() if child is not element and (times := self._known(child.id))]
        told = told or self._begun(element, min((times.start_ms for times in inside), default=None))
        if told is None:
            self._between(element)
            return
        end_ms = max([told.end_ms, *(times.end_ms for times in inside)])
        next_ms, _ = self._after(element.end_id or element.id)
        if next_ms - end_ms > WORTH_ASKING_MS:
            asked = self._asked(element.end_id)
            if asked is None and not self._before(element.end_id or "", only_exact=True)[1]:
                self._times[element.id] = replace(told, known=False)
                return
            end_ms = max(asked.start_ms, end_ms) if asked else end_ms
        self._set(element, replace(told, duration_ms=max(end_ms - told.start_ms, 0)))
        self._endless.discard(element.id)
        self._found_ends.add(element.id)

    def _begun(self, element: Element, first_ms: int | None) -> Times | None:
        """Return a block's times, without its end; None if its begin is not known."""
        before_ms, exact = self._before(element.id)
        if exact:
            return Times(before_ms, 0, self._status(element))
        upper_ms = self._after(element.end_id or element.id)[0] if first_ms is None else first_ms
        asked = self._asked(element.id) if upper_ms - before_ms > WORTH_ASKING_MS else None
        if asked:
            return replace(asked, duration_ms=0)
        return None if first_ms is None or self._untimed[element.id] else Times(first_ms, 0, self._status(element))

    def _end_of_branch(self, step: Element, branches: Set[str]) -> None:
        """Correct the end of a branch's last step: Graph View takes the first end of any branch that runs at once."""
        told, following = self._known(step.id), self._nodes.get(self._flow.after.get(step.id, ""))
        around = self._known(following.closes) if following and following.closes in branches else None
        if told and around and told.start_ms <= around.end_ms and told.end_ms != around.end_ms:
            self._times[step.id] = replace(told, duration_ms=around.end_ms - told.start_ms)

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

    def _between(self, element: Element) -> bool:
        """Set the times of an element to the moments around it, if both are known. Return whether they are."""
        before_ms, exact = self._before(element.id, only_exact=True)
        if not exact:
            return False
        after_ms, exact = self._after(element.end_id or element.id, only_exact=True)
        if not exact or after_ms < before_ms:
            return False
        self._set(element, Times(before_ms, after_ms - before_ms, self._status(element)))
        return True

    def _last_known(self, node_id: str) -> int:
        """Return the last known moment before a node. Looks at each node of the graph once."""
        passed: list[str] = []
        node, moment = self._nodes.get(node_id), self._start_ms
        while node is not None and node.before is not None:
            node = self._nodes[node.before]
            if node.id in self._last:
                moment = self._last[node.id]
                break
            known = self._moment_after(node)
            if known:
                moment = known[0]
                break
            passed.append(node.id)
        self._last.update(dict.fromkeys(passed, moment))
        return moment

    def _moment_after(self, node: FlowNode) -> tuple[int, bool] | None:
        """Return when the node after this one began, and whether this is exact; None if this node does not tell it."""
        if node.is_end:
            return self._ended(node)
        known = self._known(node.id)
        if known is None:
            return None
        # The times of a `node` step are those of the wait for the agent. What is in it begins after that.
        begins = node.is_start and node.name != flow.AGENT_START
        return known.start_ms if begins else known.end_ms, True

    def _before(self, node_id: str, *, only_exact: bool = False) -> tuple[int, bool]:
        """Return when a node began, and whether this is exact. If it is not, the node began then or later."""
        exact = True
        node = self._nodes.get(node_id)
        while node is not None and node.before is not None and (exact or not only_exact):
            node = self._nodes[node.before]
            moment = self._moment_after(node)
            if moment:
                return moment[0], exact and moment[1]
            exact = exact and (node.is_end or (node.is_start and not flow.may_wait(node)))
        return self._start_ms, exact

    def _ended(self, end: FlowNode) -> tuple[int, bool] | None:
        """Return when a block ended, and whether this is exact; None if nothing in it is known."""
        known = self._known(end.closes)
        if known and end.closes not in self._endless and not flow.is_agent(self._nodes[end.closes or ""]):
            return known.end_ms, True
        if end.closes not in self._ends:
            return None
        return self._ends[end.closes], end.closes not in self._endless and not self._untimed[end.closes]

    def _after(self, node_id: str, *, only_exact: bool = False) -> tuple[int, bool]:
        """Return when the node after this one began, and whether this is exact. If it is not, it began then or earlier."""
        exact = True
        following = self._flow.after.get(node_id)
        while following is not None and (exact or not only_exact):
            node = self._nodes[following]
            closed = self._nodes.get(node.closes or "")
            if closed is None:
                known = self._known(node.id)
                if known:
                    return known.start_ms, exact
                exact = exact and node.is_start and not flow.may_wait(node)
            elif not flow.is_agent(closed):
                known = self._known(closed.id)
                if known and closed.id not in self._endless:
                    return known.end_ms, exact
                # What follows a branch waits for the other branches.
                exact = exact and not flow.is_branch(closed)
            following = self._flow.after.get(following)
        return self._end_ms, False


def told_times(found: Flow, told: Mapping[str, Times]) -> dict[str, Times]:
    """Return the times of a build's elements. A stage that stands for its branch has those of the one that is told."""
    times = {node_id: one for node_id, one in told.items() if node_id}
    for element in found.walk():
        own, branch = times.get(element.id), times.get(element.branch_id)
        if branch and not (own and own.known):
            times[element.id] = branch
    return times

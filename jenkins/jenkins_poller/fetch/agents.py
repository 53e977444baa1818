"""Finds the names of the agents of a Pipeline build: from a source, else from the log of each ``node`` step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import flow
from .flow import Element, Flow


def names(found: Flow, told: Mapping[str, str], ask: Callable[[str], str]) -> dict[str, str]:
    """Return the agent of each ``node`` step, by its node id.

    ``told``: the agent that a source names with a stage or branch, by that node's id. ``ask``: returns the name from the log
    of a ``node`` step; "" if the build never got an agent there.
    """
    wanted = _nodes(found)
    known = _told(found, told)
    for node_id in wanted:
        name = known.get(node_id) or ask(node_id)
        if name:
            known[node_id] = name
    return known


def _nodes(found: Flow) -> dict[str, Element]:
    return {element.id: element for element in found.walk() if element.kind == flow.AGENT}


def _told(found: Flow, told: Mapping[str, str]) -> dict[str, str]:
    """Return the agents that follow from the source's names.

    The source names a stage's agent if the ``node`` step is directly in the stage or around it; of several, the last or the
    outermost. A branch that waits for an agent of its own is named with the one around it. So a name counts only if it can
    mean one ``node`` step.
    """
    known: dict[str, str] = {}
    nodes = _nodes(found)
    for element in found.walk():
        name = told.get(element.id) or (told.get(element.branch_id) if element.branch_id else "")
        if not name or element.kind not in (flow.STAGE, flow.BRANCH):
            continue
        # The ``node`` steps of which it is the innermost stage or branch.
        own = [child for child in element.children if child.kind == flow.AGENT]
        around = nodes.get(element.agent_id or "")
        if not own and around and around.agent_id is None:
            known.setdefault(around.id, name)
        elif len(own) == 1 and element.kind == flow.STAGE and own[0].node.block == element.id:
            known[own[0].id] = name
    return known

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
    wanted = [element for element in found.walk() if element.kind == flow.AGENT]
    known = _told(found, told)
    for element in wanted:
        if element.id not in known:
            name = ask(element.id)
            if name:
                known[element.id] = name
    return known


def _told(found: Flow, told: Mapping[str, str]) -> dict[str, str]:
    """Return the agents that follow from the source's names.

    The source names a stage's agent if the ``node`` step is directly in the stage or around it. A branch that waits for an
    agent of its own is named with the one around it, so what it says of a branch counts only if the branch has none.
    """
    known: dict[str, str] = {}
    for element in found.walk():
        name = told.get(element.id) or (told.get(element.branch_id) if element.branch_id else "")
        if not name or element.kind not in (flow.STAGE, flow.BRANCH):
            continue
        own = _own(element)
        if own is None and element.agent_id:
            known.setdefault(element.agent_id, name)
        elif own is not None and element.kind == flow.STAGE and own.node.block == element.id:
            known[own.id] = name
    return known


def _own(element: Element) -> Element | None:
    """Return the first ``node`` step of which the stage or branch is the innermost one; None if it has none."""
    return next((child for child in element.children if child.kind == flow.AGENT), None)

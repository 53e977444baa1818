"""Counts a controller's agents by state, with one cheap request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .api import Controller
from .errors import ApiError

AVAILABLE, BUSY, OFFLINE = "available", "busy", "offline"
_TREE = "computer[offline,numExecutors,executors[idle]]"


def count_workers(controller: Controller) -> dict[str, int]:
    """Return the number of agents by state; an empty dictionary if the controller does not answer."""
    try:
        computers = controller.document("computer/api/json", _TREE).get("computer") or ()
    except ApiError:
        return {}
    found = Counter({AVAILABLE: 0, BUSY: 0, OFFLINE: 0})
    for computer in computers:
        # The controller's built-in node without executors is not an agent.
        if computer.get("numExecutors"):
            found[_state(computer)] += 1
    return dict(found)


def _state(computer: Mapping[str, Any]) -> str:
    if computer.get("offline"):
        return OFFLINE
    # Not the agent's own `idle`: it is false while a Pipeline waits on the agent, which takes no executor.
    return AVAILABLE if all(executor.get("idle") for executor in computer.get("executors") or ()) else BUSY

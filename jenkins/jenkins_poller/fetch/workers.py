"""How many agents a controller has, by state: one request, of fields in its memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .api import ApiError, Controller

AVAILABLE, BUSY, OFFLINE = "available", "busy", "offline"
_TREE = "computer[offline,numExecutors,executors[idle]]"


def count_workers(controller: Controller) -> dict[str, int]:
    """Return the number of agents by state; nothing where the controller does not say."""
    try:
        computers = controller.document("computer/api/json", _TREE).get("computer") or ()
    except ApiError:
        return {}
    found = Counter({AVAILABLE: 0, BUSY: 0, OFFLINE: 0})
    for computer in computers:
        # The controller's own node without executors is no worker: it runs what needs none.
        if computer.get("numExecutors"):
            found[_state(computer)] += 1
    return dict(found)


def _state(computer: Mapping[str, Any]) -> str:
    if computer.get("offline"):
        return OFFLINE
    # Not its own `idle`: that is false where a Pipeline only waits on it, which takes no executor.
    return AVAILABLE if all(executor.get("idle") for executor in computer.get("executors") or ()) else BUSY

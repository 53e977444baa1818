"""Asks a controller about its agents: how many there are, by state, their labels, which builds run. One request for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_trace.place.ci.jenkins.identity import build_url_parts

from .api import Controller
from .errors import ApiError
from .shape import FLAG, TEXT, WHOLE, listed, query, shaped
from .times import possible_ms

# What builds call the built-in node.
BUILT_IN = "built-in"
AVAILABLE, BUSY, OFFLINE = "available", "busy", "offline"
_RUNS = {"currentExecutable": {"url": TEXT, "timestamp": WHOLE}}
_SHAPE = {
    "computer": listed(
        {
            "_class": TEXT,
            "displayName": TEXT,
            "assignedLabels": listed({"name": TEXT}),
            "offline": FLAG,
            "numExecutors": WHOLE,
            "executors": listed({"idle": FLAG, **_RUNS}),
            "oneOffExecutors": listed(_RUNS),
        }
    )
}


@dataclass(frozen=True)
class Computers:
    """What a controller's agents do. ``agents``: their number, by state. ``running``: full job names and build numbers.

    Both are empty if the controller does not tell. A build that is not in ``running`` may run nevertheless. ``began_ms``:
    when those of which it is told began, milliseconds since the epoch. ``labels``: of agents by their name, the only
    label that they have besides it: most builds that run there have asked for that one. "": they have several, or none.
    """

    agents: Mapping[str, int] = field(default_factory=dict)
    running: frozenset[tuple[str, int]] = frozenset()
    began_ms: Mapping[tuple[str, int], int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def look(controller: Controller) -> Computers:
    """Return what the agents do; empty fields if the controller does not answer."""
    try:
        answer = shaped(controller.document("computer/api/json", query(_SHAPE)), _SHAPE)
    except ApiError:
        return Computers()
    computers = answer.get("computer", ())
    agents = Counter({AVAILABLE: 0, BUSY: 0, OFFLINE: 0})
    # The controller's built-in node without executors is not an agent.
    agents.update(_state(computer) for computer in computers if computer.get("numExecutors"))
    found = [one for computer in computers for one in _running(computer)]
    began_ms = {run: began_ms for run, began_ms in found if began_ms}
    return Computers(dict(agents), frozenset(run for run, _ in found), began_ms, dict(map(_label, computers)))


def _state(computer: Mapping[str, Any]) -> str:
    if computer.get("offline"):
        return OFFLINE
    # Not the agent's own `idle`: it is false while a Pipeline waits on the agent, which takes no executor.
    return AVAILABLE if all(executor.get("idle") for executor in computer.get("executors", ())) else BUSY


def _label(computer: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of an agent, as builds tell it, and its only label besides that; "" if it has several, or none."""
    name = BUILT_IN if computer.get("_class", "").endswith("MasterComputer") else computer.get("displayName", "")
    labels = {label.get("name", "") for label in computer.get("assignedLabels", ())} - {name, ""}
    return name, labels.pop() if len(labels) == 1 else ""


def _running(computer: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], int]]:
    """Yield the builds that run on a computer, with when they began, 0 where that is not told.

    A Pipeline itself runs on a one-off executor, its steps on executors.
    """
    for executor in (*computer.get("executors", ()), *computer.get("oneOffExecutors", ())):
        run = executor.get("currentExecutable", {})
        parts = build_url_parts(run.get("url", ""))
        # A cell of a multi-configuration project has the number of the project's build, which may have ended.
        if parts and not parts.cell:
            yield (parts.job, parts.number), possible_ms(run.get("timestamp", 0)) or 0

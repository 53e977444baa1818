"""Says how long a build held executors of agents, and by which label it had asked for them, as attributes of its run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from pipeline_trace.place.ci.jenkins import documents
from pipeline_trace.trace import conventions as c
from pipeline_trace.trace.span import AttributeValue

from ..fetch import flow
from ..fetch.build import Fetched
from ..fetch.computers import BUILT_IN
from ..fetch.document import is_pipeline
from . import facts

_MULTI = "MatrixBuild"


class _Held(NamedTuple):
    """What held an executor: the label that was asked for, else the only one of the agent, else the agent's name."""

    label: str
    worker: str


def held_attributes(fetched: Fetched) -> dict[str, AttributeValue]:
    """Return how long a build held executors; nothing if that is not known of each of them.

    Of a Pipeline these are its ``node`` steps: parallel ones on one agent count each. Its own place on the controller, which
    only starts steps, is none. Of other builds it is the whole build.
    """
    holds = _of_pipeline(fetched) if is_pipeline(fetched.document) else _of_others(fetched)
    if holds is None:
        return {}
    named = {held: length for held, length in sorted(holds.items()) if length}
    lists: dict[str, AttributeValue] = {
        c.JENKINS_HELD_LABELS: [held.label for held in named],
        c.JENKINS_HELD_WORKERS: [held.worker for held in named],
        c.JENKINS_HELD_LENGTHS_MS: list(named.values()),
    }
    return {c.JENKINS_HELD_MS: sum(named.values()), **(lists if named else {})}


def _of_pipeline(fetched: Fetched) -> Mapping[_Held, int] | None:
    """Return the lengths in milliseconds; None if there is no graph, or a length or an agent is not known."""
    if not fetched.flow.nodes or fetched.too_large or not fetched.plugin:
        return None
    holds = Counter[_Held]()
    for element in fetched.flow.walk():
        if element.kind != flow.AGENT:
            continue
        length, worker = fetched.held_ms.get(element.id), fetched.agents.get(element.id, "")
        if length is None or (length and not worker):
            return None
        times = fetched.times.get(element.id)
        holds[_held(times.description if times else "", worker, fetched.labels)] += length
    return holds


def _of_others(fetched: Fetched) -> Mapping[_Held, int] | None:
    """Return the lengths of a build in milliseconds; of a multi-configuration build, those of its configurations.

    None if these are not told: the build itself waits for them, on no agent.
    """
    document = fetched.document
    configurations = document.get("runs") or ()
    if documents.short_class(document) == _MULTI and not all(run.get("number") for run in configurations or [{}]):
        return None
    own = [run for run in configurations if run.get("number") == document.get("number")] if configurations else [document]
    holds = Counter[_Held]()
    for one in own:
        holds[_held("", one.get("builtOn") or BUILT_IN, fetched.labels)] += facts.lasted_ms(one.get("duration"))
    return holds


def _held(asked_for: str, worker: str, labels: Mapping[str, str]) -> _Held:
    """Return what held an executor. ``labels``: the only label of agents, by their name."""
    label = facts.short_text(asked_for or labels.get(worker, ""))
    return _Held(label, "" if label else facts.short_text(worker))

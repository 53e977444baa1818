"""Flow graphs for tests: recorded ones, and nodes to make one of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import support
from pipeline_trace.place.ci.jenkins import documents

_KINDS = {"start": "StepStartNode", "end": "StepEndNode", "step": "StepAtomNode", "first": "FlowStartNode"}


def recorded(name: str, job: str, number: int = 1) -> list[Mapping[str, Any]]:
    """Return the nodes of a recorded build, as answered."""
    return documents.graph_nodes(support.recording(name).at(None).objects[f"/job/{job}/{number}"])


def node(id_: int, name: str, kind: str, *parents: int) -> dict[str, Any]:
    """Return a node as Jenkins answers it. ``kind``: start, end, step or first."""
    return {
        "_class": f"org.jenkinsci.plugins.workflow.cps.nodes.{_KINDS[kind]}",
        "id": str(id_),
        "displayName": name,
        "parents": [str(parent) for parent in parents],
        "iconColor": "blue",
    }

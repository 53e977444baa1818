"""Controllers with different plugins, to be asked about builds that run."""

from __future__ import annotations

from .server import GRAPH_VIEW, GRAPH_VIEW_2024, GRAPH_VIEW_2025, GRAPH_VIEW_SPRING, WFAPI

# The plugins of a controller, and whether Graph View repeats an early answer.
SOURCES = {
    "stage view": ({WFAPI}, False),
    "graph view": ({GRAPH_VIEW}, False),
    "graph view, asked too early": ({GRAPH_VIEW}, True),
    "graph view of 2025": ({GRAPH_VIEW_2025}, False),
    "graph view of April 2025": ({GRAPH_VIEW_SPRING}, False),
    "graph view of 2024": ({GRAPH_VIEW_2024}, False),
    "both": ({GRAPH_VIEW, WFAPI}, True),
    "none": (set[str](), False),
}
# These tell no times.
UNTIMED = ("graph view of 2024", "none")

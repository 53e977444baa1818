"""Remembers which plugins of a controller answer, and says which of them tells the times of stages."""

from __future__ import annotations

from ..fetch.sources import graph_view
from ..fetch.sources.choice import PLUGINS, Known
from .state import State

_NAME = "plugins"


def load(state: State) -> Known | None:
    """Return what an earlier poll learnt; None if none did. Raises StateError."""
    kept = state.remembered(_NAME)
    return Known(kept["session"], frozenset(kept["present"]), kept["missing"]) if kept else None


def save(state: State, known: Known) -> None:
    """Keep what is known for the next poller. Raises StateError."""
    state.remember(_NAME, {"session": known.session, "present": sorted(known.present), "missing": dict(known.missing)})


def said(known: Known) -> str:
    """Return the line for people; "" if nothing is known yet."""
    present = [plugin for plugin in PLUGINS if plugin in known.present]
    if present:
        return f"times of stages come from {' and '.join(present)}"
    return f"no plugin tells the times of stages; install {graph_view.PLUGIN} on the controller" if known.missing else ""

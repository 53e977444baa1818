"""A model of a Jenkins controller: builds of every shape with known truth, served in the forms of every plugin.

``shapes`` has the programs, ``play`` runs one and yields the truth, ``server`` serves played builds.
"""

from __future__ import annotations

from functools import cache

from . import shapes
from .play import play
from .server import ModelJenkins
from .truth import Element, Node, Played

__all__ = ["START_MS", "Element", "ModelJenkins", "Node", "Played", "play", "played"]

START_MS = 1_790_000_000_000


@cache
def played(name: str) -> Played:
    """Return the first build of a named program, started at START_MS."""
    return play(shapes.NAMED[name], start_ms=START_MS)

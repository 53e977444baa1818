"""A model of a Jenkins controller: builds of every shape with known truth, served in the forms of every plugin.

``shapes`` has the programs, ``play`` runs one and yields the truth, ``server`` serves played builds.
"""

from __future__ import annotations

from .play import play
from .server import ModelJenkins
from .truth import Element, Node, Played

__all__ = ["Element", "ModelJenkins", "Node", "Played", "play"]
